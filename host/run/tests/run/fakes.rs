//! The ports in memory: a journal that can lose its disk, blobs in a scratch folder, a clock that leaps, a scripted runner.

use ports::{Answer, Blobs, Call, Clock, Journal, Outcome, SourceState, StepRunner, Then, Watch};
use run::{Begin, CancelToken, Dispatcher, Observer, RunEvent, RunView};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use types::{Digest, Fault, ModelName, ModelVersion, Receipt, Record, RunId, RunState, StepCommit, TenantId};

/// As the real journal's, small enough to be reached soon.
const BATCH_BYTES_MAX: usize = 4 << 20;

type Appending = Box<dyn Fn(&[Record]) + Send + Sync>;

/// Keeps what is appended, until there is no room: then the process is as good as dead.
pub(crate) struct FakeJournal {
    pub(crate) records: Mutex<Vec<Record>>,
    pub(crate) room: AtomicUsize,
    pub(crate) slow: AtomicBool,
    /// Called with what is about to be appended.
    pub(crate) before: Appending,
    itself: Weak<Self>,
}

impl FakeJournal {
    pub(crate) fn of(records: Vec<Record>) -> Self {
        let (room, slow) = (AtomicUsize::new(usize::MAX), AtomicBool::new(false));
        Self { records: Mutex::new(records), room, slow, before: Box::new(|_| ()), itself: Weak::new() }
    }

    pub(crate) fn all(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    fn registered(&self, name: &ModelName) -> Vec<Record> {
        let mut records = self.all();
        records.retain(|record| matches!(record, Record::VersionRegistered { version, .. } if version.model == *name));
        records
    }
}

impl Journal for FakeJournal {
    fn append(&self, _: &TenantId, records: &[Record]) -> Result<(), Fault> {
        (self.before)(records);
        let mut kept = self.records.lock().unwrap();
        if kept.len() + records.len() > self.room.load(Ordering::Relaxed) {
            return Err(Fault::host("the disk is gone"));
        }
        // What does not survive its stored form is not a record.
        let text = serde_json::to_string(records).unwrap();
        if text.len() > BATCH_BYTES_MAX {
            return Err(Fault::guest("records of too many bytes"));
        }
        kept.extend(serde_json::from_str::<Vec<Record>>(&text).unwrap());
        Ok(())
    }

    fn append_then(&self, tenant: &TenantId, records: &[Record], then: Then) {
        let (journal, tenant, records) = (self.itself.upgrade().unwrap(), tenant.clone(), records.to_vec());
        std::thread::spawn(move || then(journal.append(&tenant, &records)));
    }

    fn record_bytes_max(&self) -> u64 {
        2 * BATCH_BYTES_MAX as u64
    }

    fn next_run(&self, _: &TenantId) -> Result<RunId, Fault> {
        let runs = self.all().iter().filter(|record| matches!(record, Record::RunStarted(_))).count();
        Ok(RunId(runs as u64 + 1))
    }

    /// Of all runs: the view is to tell them apart.
    fn run_records(&self, _: &TenantId, run: RunId) -> Result<Vec<Record>, Fault> {
        let records = self.all();
        let begins = |record: &Record| matches!(record, Record::RunStarted(head) if head.run == run);
        Ok(records.iter().skip_while(|record| !begins(record)).cloned().collect())
    }

    fn cached(&self, _: &TenantId, key: Digest) -> Result<Option<(RunId, StepCommit)>, Fault> {
        Ok(self.all().into_iter().rev().find_map(|record| match record {
            Record::StepCommitted { run, commit, .. } if commit.key == Some(key) && commit.taken.is_none() => {
                Some((run, commit))
            }
            _ => None,
        }))
    }

    fn source(&self, _: &TenantId, wanted: Digest) -> Result<Option<SourceState>, Fault> {
        let mut state: Option<SourceState> = None;
        for record in self.all() {
            if let Record::PageCommitted { source, table, cursor, restarted, .. } = record
                && source == wanted
            {
                let state = state.get_or_insert_default();
                if restarted {
                    state.pages.clear();
                }
                state.pages.push(table);
                state.cursor = Some(cursor);
            }
        }
        Ok(state)
    }

    fn next_version(&self, _: &TenantId, model: &ModelName) -> Result<u32, Fault> {
        let next = self.registered(model).len() as u32 + 1;
        if self.slow.load(Ordering::Relaxed) {
            // Gives a second asker the time to be told the same.
            (0..100).for_each(|_| std::thread::yield_now());
        }
        Ok(next)
    }

    fn alias(&self, _: &TenantId, model: &ModelName, _: &str) -> Result<Option<u32>, Fault> {
        Ok(Some(self.registered(model).len() as u32).filter(|&version| version > 0))
    }

    fn version(&self, _: &TenantId, model: &ModelName, number: u32) -> Result<Option<ModelVersion>, Fault> {
        Ok(self.registered(model).into_iter().find_map(|record| match record {
            Record::VersionRegistered { version, .. } if version.version == number => Some(*version),
            _ => None,
        }))
    }
}

pub(crate) struct FakeBlobs(tempfile::TempDir);

impl FakeBlobs {
    pub(crate) fn create() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Blobs for FakeBlobs {
    fn put(&self, _: &TenantId, bytes: &[u8]) -> Result<Digest, Fault> {
        let digest = Digest::of(bytes);
        let path = self.0.path().join(digest.to_string());
        if !self.get(&TenantId::default_tenant(), digest).is_ok_and(|kept| kept == bytes) {
            std::fs::write(path, bytes).map_err(Fault::host)?;
        }
        Ok(digest)
    }

    fn adopt(&self, _: &TenantId, _: &Path, _: Digest) -> Result<(), Fault> {
        Err(Fault::host("no worker leaves files here"))
    }

    fn get(&self, tenant: &TenantId, digest: Digest) -> Result<Vec<u8>, Fault> {
        let bytes = std::fs::read(self.path(tenant, digest)?).map_err(Fault::host)?;
        match Digest::of(&bytes) == digest {
            true => Ok(bytes),
            false => Err(Fault::host(format!("blob {} is altered", digest.short()))),
        }
    }

    fn path(&self, _: &TenantId, digest: Digest) -> Result<PathBuf, Fault> {
        let path = self.0.path().join(digest.to_string());
        match path.exists() {
            true => Ok(path),
            false => Err(Fault::host(format!("there is no blob {}", digest.short()))),
        }
    }
}

/// Leaps at every reading, so that whatever waits for a time finds that it has come.
pub(crate) struct LeapingClock {
    now_us: AtomicI64,
    leap_us: i64,
}

impl LeapingClock {
    pub(crate) fn by(leap_us: i64) -> Self {
        Self { now_us: AtomicI64::new(1_700_000_000_000_000), leap_us }
    }
}

impl Clock for LeapingClock {
    fn now_us(&self) -> i64 {
        self.now_us.fetch_add(self.leap_us, Ordering::Relaxed)
    }
}

/// Answers a call, given how often the step was called before.
type Script = Box<dyn Fn(&str, &Call, u32, &dyn Watch) -> Result<Answer, Fault> + Send + Sync>;

pub(crate) struct ScriptedRunner {
    calls: Mutex<BTreeMap<String, u32>>,
    /// How often the host did something itself.
    works: AtomicU32,
    script: Script,
}

impl StepRunner for ScriptedRunner {
    fn run(&self, _: &TenantId, call: &Call, watch: &dyn Watch) -> Outcome {
        let step = call.who.split('`').nth(1).unwrap();
        let before = {
            let mut calls = self.calls.lock().unwrap();
            let count = calls.entry(step.to_owned()).or_default();
            *count += 1;
            *count - 1
        };
        Outcome {
            result: (self.script)(step, call, before, watch),
            receipt: Receipt { wall_us: 7, read_time: call.who.contains("`clocked`"), ..Receipt::default() },
        }
    }

    fn host_work(
        &self,
        _: &TenantId,
        _: &ports::Turn,
        _: &dyn Watch,
        work: Box<dyn FnOnce() + '_>,
    ) -> Result<Receipt, Fault> {
        self.works.fetch_add(1, Ordering::Relaxed);
        work();
        Ok(Receipt { wall_us: 3, ..Receipt::default() })
    }
}

/// A dispatcher over fakes, and what was said of its runs.
pub(crate) struct World {
    pub(crate) journal: Arc<FakeJournal>,
    pub(crate) blobs: Arc<FakeBlobs>,
    runner: Arc<ScriptedRunner>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) events: Arc<Mutex<Vec<RunEvent>>>,
    pub(crate) cancel: CancelToken,
    pub(crate) tenant: TenantId,
}

/// Longer than the longest delay before another attempt.
const LEAP_US: i64 = 301_000_000;

impl World {
    pub(crate) fn new(
        script: impl Fn(&str, &Call, u32, &dyn Watch) -> Result<Answer, Fault> + Send + Sync + 'static,
    ) -> Self {
        Self::with(FakeJournal::of(Vec::new()), Arc::new(FakeBlobs::create()), LeapingClock::by(LEAP_US), script)
    }

    /// As a new process finds the world: its disk, and nothing else.
    pub(crate) fn after(
        records: Vec<Record>,
        blobs: Arc<FakeBlobs>,
        script: impl Fn(&str, &Call, u32, &dyn Watch) -> Result<Answer, Fault> + Send + Sync + 'static,
    ) -> Self {
        Self::with(FakeJournal::of(records), blobs, LeapingClock::by(LEAP_US), script)
    }

    pub(crate) fn with(
        journal: FakeJournal,
        blobs: Arc<FakeBlobs>,
        clock: LeapingClock,
        script: impl Fn(&str, &Call, u32, &dyn Watch) -> Result<Answer, Fault> + Send + Sync + 'static,
    ) -> Self {
        let journal = Arc::new_cyclic(|itself| FakeJournal { itself: itself.clone(), ..journal });
        let runner =
            Arc::new(ScriptedRunner { calls: Mutex::default(), works: AtomicU32::default(), script: Box::new(script) });
        let dispatcher = Dispatcher::new(journal.clone(), blobs.clone(), runner.clone(), Arc::new(clock), 2);
        let (events, cancel, tenant) = (Arc::default(), CancelToken::default(), TenantId::default_tenant());
        Self { journal, blobs, runner, dispatcher, events, cancel, tenant }
    }

    fn begin(&self, plan: &plan::Plan) -> Result<run::Begun, Fault> {
        self.dispatcher.start(&self.tenant, Begin::manual(plan, Path::new("/project")), &|event| self.hear(event))
    }

    pub(crate) fn start(&self, plan: &plan::Plan) -> Result<RunId, Fault> {
        Ok(self.begin(plan)?.run)
    }

    pub(crate) fn drive(&self, run: RunId) -> Result<RunState, Fault> {
        self.driven(run, self.ear())
    }

    pub(crate) fn driven(&self, run: RunId, observer: Observer) -> Result<RunState, Fault> {
        self.dispatcher.drive(&self.tenant, run, observer, self.cancel.clone(), None)
    }

    pub(crate) fn run(&self, plan: &plan::Plan) -> RunState {
        let begun = self.begin(plan).unwrap();
        self.dispatcher.drive_begun(&self.tenant, begun, self.ear(), self.cancel.clone(), None).unwrap()
    }

    /// Hears what is told and keeps it.
    pub(crate) fn ear(&self) -> Observer {
        let events = Arc::clone(&self.events);
        Arc::new(move |event| events.lock().unwrap().push(event.clone()))
    }

    pub(crate) fn hear(&self, event: &RunEvent) {
        self.events.lock().unwrap().push(event.clone());
    }

    pub(crate) fn view(&self, run: u64) -> RunView {
        RunView::of(&self.journal.run_records(&self.tenant, RunId(run)).unwrap())
    }

    /// How often the host did something itself.
    pub(crate) fn works(&self) -> u32 {
        self.runner.works.load(Ordering::Relaxed)
    }

    pub(crate) fn calls(&self, step: &str) -> u32 {
        self.runner.calls.lock().unwrap().get(step).copied().unwrap_or(0)
    }
}
