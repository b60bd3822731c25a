//! One tenant's journal and part of the index, kept in step: appenders queue, one of them writes for all.
//!
//! The leader takes what waits, derives the changes (a batch that contradicts what happened is refused here, alone), writes
//! and syncs once, commits the changes to the index, tells those whose batches it wrote, and sees to the next leader. That is one who
//! waits for his batch; where all left it behind, a thread of the journal's that goes soon after there is nothing to do. If the disk or
//! the index fails the leader, nobody can say what the file's end is: the journal takes nothing more until it is opened, and thereby
//! checked, again.

use crate::apply::{Cached, apply, key, number};
use crate::index::{Changes, Staged, Walls};
use crate::journal::{self, BATCH_BYTES_MAX, Draft, Log, Mark};
use crate::open::journal_folder;
use crate::{Error, Result, Store};
use ports::{Journal, SourceState, Then};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;
use types::{Artifact, Digest, Fault, ModelName, ModelVersion, Record, RunId, StepCommit, TenantId, recorded_bytes};

/// A leader stops taking batches here, so that nobody waits for a stranger's large write.
const GROUP_BYTES: usize = 4 << 20;
/// More than a frame adds to a record's JSON.
const FRAME_OVERHEAD: usize = 128;

/// How long the writer waits for more to write.
const LINGER: Duration = Duration::from_secs(2);

/// A tenant's journal, index and run numbers.
pub(crate) struct Tenant {
    folder: PathBuf,
    walls: Walls,
    queue: Mutex<Queue>,
    /// For the writer.
    work: Condvar,
    /// The leader's alone.
    log: Mutex<Log>,
    /// The highest run number that was given out.
    given: Mutex<u64>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// What came of batches whose appenders have not looked yet.
    done: BTreeMap<u64, Result<()>>,
    last_ticket: u64,
    has_leader: bool,
    writer: Writer,
    thread: Option<JoinHandle<()>>,
    /// The writer goes once there is nothing to do.
    rests: bool,
    poisoned: Option<String>,
}

/// The thread that leads where nobody waits for his batch.
#[derive(Default, PartialEq)]
enum Writer {
    #[default]
    None,
    /// It looks into the queue once more before it waits.
    Busy,
    Idle,
}

/// A batch that is to be written.
struct Waiting {
    ticket: u64,
    bytes: usize,
    records: Vec<Prepared>,
    who: Who,
}

/// Who is told what came of a batch.
enum Who {
    /// One that waits. Woken alone: with many runs at once, most who wait would find nothing to do.
    Waits(Thread),
    Hears(Then),
}

/// A record as it will be read again, with its JSON.
struct Prepared {
    json: String,
    record: Record,
}

impl Tenant {
    pub(crate) fn new(folder: PathBuf, log: Log, walls: Walls) -> Arc<Self> {
        let (queue, given, work) = (Mutex::default(), Mutex::new(0), Condvar::new());
        Arc::new(Self { folder, walls, queue, work, log: Mutex::new(log), given })
    }

    pub(crate) fn walls(&self) -> &Walls {
        &self.walls
    }

    /// Returns when the records are on disk and in the index, or none of them is.
    pub(crate) fn append(self: &Arc<Self>, records: &[Record]) -> Result<()> {
        let (mut queue, ticket) = self.enter(records, Who::Waits(thread::current())).map_err(|(error, _)| error)?;
        let mut led = false;
        loop {
            if let Some(result) = queue.done.remove(&ticket) {
                if led {
                    self.see_to_leader(queue);
                }
                return result;
            }
            queue = match queue.has_leader {
                true => {
                    drop(queue);
                    thread::park();
                    self.queue()
                }
                false => {
                    led = true;
                    self.lead(queue)
                }
            };
        }
    }

    /// Returns at once; `then` hears it.
    pub(crate) fn append_then(self: &Arc<Self>, records: &[Record], then: Then) {
        match self.enter(records, Who::Hears(then)) {
            Ok((queue, _)) if queue.has_leader => {}
            Ok((queue, _)) => self.see_to_leader(queue),
            Err((error, who)) => who.tell(Err(error)),
        }
    }

    /// Puts a batch into the queue.
    fn enter(&self, records: &[Record], who: Who) -> Result<(MutexGuard<'_, Queue>, u64), (Error, Who)> {
        let records = match records.iter().map(prepare).collect::<Result<Vec<_>>>() {
            Ok(records) => records,
            Err(error) => return Err((error, who)),
        };
        let bytes = records.iter().map(|record| record.json.len() + FRAME_OVERHEAD).sum();
        if bytes > BATCH_BYTES_MAX {
            return Err((Error::TooLarge { got: bytes, most: BATCH_BYTES_MAX }, who));
        }
        let mut queue = self.queue();
        if let Some(why) = &queue.poisoned {
            return Err((self.poisoned(why), who));
        }
        queue.last_ticket += 1;
        let ticket = queue.last_ticket;
        queue.waiting.push(Waiting { ticket, bytes, records, who });
        Ok((queue, ticket))
    }

    /// Has somebody lead, if there is anything to lead: one that waits, or the writer.
    fn see_to_leader<'a>(self: &'a Arc<Self>, mut queue: MutexGuard<'a, Queue>) {
        if queue.has_leader || queue.waiting.is_empty() || queue.writer == Writer::Busy {
            return;
        }
        let waits = |waiting: &Waiting| match &waiting.who {
            Who::Waits(thread) => Some(thread.clone()),
            Who::Hears(_) => None,
        };
        if let Some(thread) = queue.waiting.iter().find_map(waits) {
            // It finds the queue free.
            drop(queue);
            return thread.unpark();
        }
        let is_there = queue.writer == Writer::Idle;
        queue.writer = Writer::Busy;
        if is_there {
            drop(queue);
            return self.work.notify_one();
        }
        let writer = Arc::clone(self);
        match thread::Builder::new().name("journal".to_owned()).spawn(move || writer.keep_writing()) {
            Ok(thread) => queue.thread = Some(thread),
            // The machine has none to give: it is done here. Busy meanwhile, for whoever hears of a batch may append the next one.
            Err(_) => {
                while !queue.waiting.is_empty() && !queue.has_leader {
                    queue = self.lead(queue);
                }
                queue.writer = Writer::None;
            }
        }
    }

    /// Leads as long as there is something to lead, and a moment longer.
    fn keep_writing(&self) {
        let mut queue = self.queue();
        loop {
            if !queue.has_leader && !queue.waiting.is_empty() {
                queue = self.lead(queue);
                continue;
            }
            queue.writer = Writer::Idle;
            let idle = |queue: &mut Queue| queue.writer == Writer::Idle && !queue.rests;
            let waited = self.work.wait_timeout_while(queue, LINGER, idle).expect("no holder of this lock panics");
            queue = waited.0;
            if queue.writer == Writer::Idle {
                queue.writer = Writer::None;
                return;
            }
        }
    }

    /// Lets the writer go, which holds on to the index, once it has nothing to write. Nobody appends any more.
    fn let_go(&self) -> Option<JoinHandle<()>> {
        let mut queue = self.queue();
        queue.rests = true;
        let thread = queue.thread.take();
        drop(queue);
        self.work.notify_one();
        thread
    }

    /// The same, and returns once it is gone.
    pub(crate) fn rest(&self) {
        // A writer may be the last that knows of the store.
        if let Some(thread) = self.let_go().filter(|writer| writer.thread().id() != thread::current().id()) {
            // One that panicked is gone, too.
            let _ = thread.join();
        }
    }

    /// Writes the first batches of the queue and tells those whose they are.
    fn lead<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let mut bytes = 0;
        let fits = |waiting: &&Waiting| {
            bytes += waiting.bytes;
            bytes <= GROUP_BYTES
        };
        let count = queue.waiting.iter().take_while(fits).count().max(1);
        let mut group: Vec<Waiting> = queue.waiting.drain(..count).collect();
        queue.has_leader = true;
        drop(queue);
        // A bug in here must not leave the others waiting for ever.
        let written = catch_unwind(AssertUnwindSafe(|| self.write(&group)));
        let written = written.unwrap_or_else(|_| Err("a bug: writing panicked".to_owned()));
        let mut queue = self.queue();
        queue.has_leader = false;
        let results = match written {
            Ok(results) => results,
            Err(why) => {
                // There is nothing left to lead: all are told.
                group.append(&mut queue.waiting);
                let results = group.iter().map(|_| Err(self.poisoned(&why))).collect();
                queue.poisoned = Some(why);
                results
            }
        };
        self.tell(queue, group, results);
        self.queue()
    }

    fn tell(&self, mut queue: MutexGuard<'_, Queue>, group: Vec<Waiting>, results: Vec<Result<()>>) {
        let mut told = Vec::with_capacity(group.len());
        for (Waiting { ticket, who, .. }, result) in group.into_iter().zip(results) {
            match who {
                Who::Waits(thread) if thread.id() == thread::current().id() => drop(queue.done.insert(ticket, result)),
                Who::Waits(thread) => {
                    queue.done.insert(ticket, result);
                    told.push((Who::Waits(thread), Ok(())));
                }
                who => told.push((who, result)),
            }
        }
        // They find the queue free, and who waits is not behind what others do on hearing of theirs.
        drop(queue);
        told.sort_by_key(|(who, _)| matches!(who, Who::Hears(_)));
        told.into_iter().for_each(|(who, result)| who.tell(result));
    }

    fn poisoned(&self, why: &str) -> Error {
        Error::Poisoned { path: self.folder.clone(), why: why.to_owned() }
    }

    /// Writes the batches that contradict nothing, as one; says for each what came of it. An error is for all of them.
    fn write(&self, group: &[Waiting]) -> Result<Vec<Result<()>>, String> {
        let mut log = self.log.lock().map_err(|_| "a bug: writing panicked".to_owned())?;
        // Closed while we came here.
        self.queue().poisoned.clone().map_or(Ok(()), Err)?;
        let bytes = group.iter().map(|waiting| waiting.bytes).sum();
        log.make_room(bytes).map_err(|error| error.to_string())?;
        let (mut draft, mut staged) = (log.draft(), Staged::over(&self.walls));
        let mut results = Vec::with_capacity(group.len());
        for waiting in group {
            let before = draft.len();
            results.push(match stage(&waiting.records, &mut draft, &staged) {
                Ok(changes) => {
                    staged.absorb(changes);
                    Ok(())
                }
                Err(error) => {
                    draft.cut(before);
                    Err(error)
                }
            });
        }
        if draft.len() > 0 {
            let mark = log.write(&draft).map_err(|error| error.to_string())?;
            let indexed = self.walls.commit(staged.into_changes(), mark);
            indexed.map_err(|error| format!("the records are on disk, but {error}"))?;
        }
        Ok(results)
    }

    /// The end of its journal, once whoever writes has written; none after a bug.
    pub(crate) fn end(&self) -> Option<Mark> {
        self.log.lock().ok().map(|log| log.end())
    }

    /// Ends a tenant: whoever writes now is waited for, and nobody writes any more.
    pub(crate) fn close(&self, why: &str) {
        self.queue().poisoned = Some(why.to_owned());
        // A leader holds it while it writes.
        drop(self.log.lock());
        let mut queue = self.queue();
        let waiting = std::mem::take(&mut queue.waiting);
        let results = waiting.iter().map(|_| Err(self.poisoned(why))).collect();
        self.tell(queue, waiting, results);
        // Not awaited: whoever hears of a batch there may wait for whoever closes.
        drop(self.let_go());
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of this lock panics")
    }

    #[cfg(test)]
    /// Makes every later write fail, as a broken disk does.
    pub(crate) fn break_disk(&self) {
        self.log.lock().expect("not poisoned").break_file();
    }
}

impl Who {
    fn tell(self, result: Result<()>) {
        match self {
            Self::Waits(thread) => thread.unpark(),
            Self::Hears(then) => {
                // A bug of whoever hears it is none of the others' affair.
                let _ = catch_unwind(AssertUnwindSafe(|| then(result.map_err(Fault::from))));
            }
        }
    }
}

/// The record's JSON, and the record as it is read back from it: what is indexed now is what a rebuild will index. Fails for what
/// JSON does not hold, a measure that is not a number for one.
fn prepare(record: &Record) -> Result<Prepared> {
    let unwritable = |error: serde_json::Error| Error::Unwritable(error.to_string());
    let json = serde_json::to_string(record).map_err(unwritable)?;
    let record = match is_plain(record) {
        true => record.clone(),
        false => serde_json::from_str(&json).map_err(unwritable)?,
    };
    Ok(Prepared { json, record })
}

/// Whether a record is one of those that a run is made of and has no fraction in it, so that it reads back as it is. To read it
/// would be half of what it takes to record it.
pub(crate) fn is_plain(record: &Record) -> bool {
    match record {
        Record::AttemptStarted { .. } | Record::RunFinished { .. } => true,
        Record::StepCommitted { commit, .. } => {
            let of_files = |artifact: &Artifact| matches!(artifact, Artifact::Table(_) | Artifact::State { .. });
            commit.receipt.series.is_empty() && commit.outputs.values().all(of_files)
        }
        _ => false,
    }
}

/// Adds a batch to the draft; what it changes, given what is staged.
fn stage(records: &[Prepared], draft: &mut Draft, staged: &Staged<'_>) -> Result<Changes> {
    let mut batch = Staged::over(staged);
    for Prepared { json, record } in records {
        let place = draft.add(json);
        let ops = apply(record, &place, &batch)?;
        batch.add(ops);
    }
    Ok(batch.into_changes())
}

/// Whether a guest gives as many of these as it likes while it runs. Other records end what was begun: a quota that is used up
/// refuses none of them.
fn is_given(record: &Record) -> bool {
    matches!(record, Record::PageCommitted { .. } | Record::CheckpointSaved { .. })
}

impl Store {
    /// The tenant whose records these will be, with what guests give counted.
    fn made_room(&self, tenant: &TenantId, records: &[Record]) -> Result<Arc<Tenant>, Fault> {
        let given: Vec<u64> = records.iter().filter(|record| is_given(record)).map(recorded_bytes).collect();
        if !given.is_empty() {
            self.take_space_of_records(tenant, given.iter().fold(0, |all, bytes| all.saturating_add(*bytes)))?;
        }
        Ok(self.tenant(tenant)?)
    }
}

impl Journal for Store {
    fn append(&self, tenant: &TenantId, records: &[Record]) -> Result<(), Fault> {
        if records.is_empty() {
            return Ok(());
        }
        Ok(self.made_room(tenant, records)?.append(records)?)
    }

    fn append_then(&self, tenant: &TenantId, records: &[Record], then: Then) {
        if records.is_empty() {
            return then(Ok(()));
        }
        match self.made_room(tenant, records) {
            Ok(tenant) => tenant.append_then(records, then),
            Err(fault) => then(Err(fault)),
        }
    }

    fn record_bytes_max(&self) -> u64 {
        // What is counted is what lies on the disk, twice the JSON.
        2 * (BATCH_BYTES_MAX - FRAME_OVERHEAD) as u64
    }

    fn next_run(&self, tenant: &TenantId) -> Result<RunId, Fault> {
        let tenant = self.tenant(tenant)?;
        let mut given = tenant.given.lock().expect("no holder of this lock panics");
        *given = number(&tenant.walls, key::LAST_RUN)?.max(*given) + 1;
        Ok(RunId(*given))
    }

    fn run_records(&self, tenant: &TenantId, run: RunId) -> Result<Vec<Record>, Fault> {
        Ok(journal::read(&journal_folder(&self.data, tenant), &self.places(tenant, run)?)?)
    }

    fn cached(&self, tenant: &TenantId, key: Digest) -> Result<Option<(RunId, StepCommit)>, Fault> {
        let Some(Cached { run, place }) = self.look(tenant, &key::cached(&key))? else { return Ok(None) };
        let records = journal::read(&journal_folder(&self.data, tenant), &[place])?;
        Ok(records.into_iter().find_map(|record| match record {
            Record::StepCommitted { commit, .. } => Some((run, commit)),
            _ => None,
        }))
    }

    fn source(&self, tenant: &TenantId, source: Digest) -> Result<Option<SourceState>, Fault> {
        let Some(cursor) = self.look(tenant, &key::cursor(&source))? else { return Ok(None) };
        Ok(Some(SourceState { pages: self.list(tenant, &key::pages(&source))?, cursor: Some(cursor) }))
    }

    fn next_version(&self, tenant: &TenantId, model: &ModelName) -> Result<u32, Fault> {
        let last: u32 = self.look(tenant, &key::model(model))?.unwrap_or(0);
        Ok(last + 1)
    }

    fn alias(&self, tenant: &TenantId, model: &ModelName, alias: &str) -> Result<Option<u32>, Fault> {
        Store::alias(self, tenant, model, alias)
    }

    fn version(&self, tenant: &TenantId, model: &ModelName, version: u32) -> Result<Option<ModelVersion>, Fault> {
        Store::version(self, tenant, model, version)
    }
}
