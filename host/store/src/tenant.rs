//! One tenant's journal and part of the index, kept in step: appenders queue, one of them writes for all.
//!
//! The leader takes what waits, derives the changes (a batch that contradicts what happened is refused here, alone), writes
//! and syncs once, commits the changes to the index and wakes those whose batches it wrote, and the next leader. If the disk or
//! the index fails it, nobody can say what the file's end is: the journal takes nothing more until it is opened, and thereby
//! checked, again.

use crate::apply::{Cached, apply, key, number};
use crate::index::{Changes, Staged, Walls};
use crate::journal::{self, BATCH_BYTES_MAX, Draft, Log, Mark};
use crate::open::journal_folder;
use crate::{Error, Result, Store};
use ports::{Journal, SourceState};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::thread::{self, Thread};
use types::{Artifact, Digest, Fault, ModelName, ModelVersion, Record, RunId, StepCommit, TenantId, recorded_bytes};

/// A leader stops taking batches here, so that nobody waits for a stranger's large write.
const GROUP_BYTES: usize = 4 << 20;
/// More than a frame adds to a record's JSON.
const FRAME_OVERHEAD: usize = 128;

/// A tenant's journal, index and run numbers.
pub(crate) struct Tenant {
    walls: Walls,
    queue: Mutex<Queue>,
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
    poisoned: Option<String>,
}

/// A batch that somebody waits for.
struct Waiting {
    ticket: u64,
    bytes: usize,
    records: Vec<Prepared>,
    /// Who waits. Woken alone: with many runs at once, most who wait would find nothing to do.
    who: Thread,
}

/// A record as it will be read again, with its JSON.
struct Prepared {
    json: String,
    record: Record,
}

impl Tenant {
    pub(crate) fn new(log: Log, walls: Walls) -> Self {
        let (queue, given) = (Mutex::default(), Mutex::new(0));
        Self { walls, queue, log: Mutex::new(log), given }
    }

    pub(crate) fn walls(&self) -> &Walls {
        &self.walls
    }

    /// Returns when the records are on disk and in the index, or none of them is.
    pub(crate) fn append(&self, folder: &Path, records: &[Record]) -> Result<()> {
        let records = records.iter().map(prepare).collect::<Result<Vec<_>>>()?;
        let bytes = records.iter().map(|record| record.json.len() + FRAME_OVERHEAD).sum();
        if bytes > BATCH_BYTES_MAX {
            return Err(Error::TooLarge { got: bytes, most: BATCH_BYTES_MAX });
        }
        let mut queue = self.queue();
        queue.last_ticket += 1;
        let ticket = queue.last_ticket;
        queue.waiting.push(Waiting { ticket, bytes, records, who: thread::current() });
        loop {
            if let Some(result) = queue.done.remove(&ticket) {
                return result;
            }
            // A batch in the leader's hands is told through `done`; this one is still ours to withdraw.
            if let Some(why) = queue.poisoned.clone() {
                queue.waiting.retain(|waiting| waiting.ticket != ticket);
                return Err(Error::Poisoned { path: folder.to_owned(), why });
            }
            queue = match queue.has_leader {
                true => {
                    drop(queue);
                    thread::park();
                    self.queue()
                }
                false => self.lead(folder, queue),
            };
        }
    }

    /// Writes the first batches of the queue for all who wait for them.
    fn lead<'a>(&'a self, folder: &Path, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let mut bytes = 0;
        let fits = |waiting: &&Waiting| {
            bytes += waiting.bytes;
            bytes <= GROUP_BYTES
        };
        let count = queue.waiting.iter().take_while(fits).count().max(1);
        let group: Vec<Waiting> = queue.waiting.drain(..count).collect();
        queue.has_leader = true;
        drop(queue);
        // A bug in here must not leave the others waiting for ever.
        let written = catch_unwind(AssertUnwindSafe(|| self.write(&group)));
        let written = written.unwrap_or_else(|_| Err("a bug: writing panicked".to_owned()));
        let mut queue = self.queue();
        queue.has_leader = false;
        match written {
            Ok(results) => queue.done.extend(group.iter().map(|waiting| waiting.ticket).zip(results)),
            Err(why) => {
                let poisoned = || Err(Error::Poisoned { path: folder.to_owned(), why: why.clone() });
                queue.done.extend(group.iter().map(|waiting| (waiting.ticket, poisoned())));
                queue.poisoned = Some(why);
            }
        }
        // One of the others leads next; if there is nothing left to lead, all of them are told.
        let next = if queue.poisoned.is_some() { queue.waiting.len() } else { 1 };
        let told = group.iter().chain(queue.waiting.iter().take(next)).map(|waiting| waiting.who.clone());
        let told: Vec<Thread> = told.filter(|who| who.id() != thread::current().id()).collect();
        // They find the queue free.
        drop(queue);
        told.iter().for_each(Thread::unpark);
        self.queue()
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
        self.queue().waiting.iter().for_each(|waiting| waiting.who.unpark());
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

impl Journal for Store {
    fn append(&self, tenant: &TenantId, records: &[Record]) -> Result<(), Fault> {
        if records.is_empty() {
            return Ok(());
        }
        let given: Vec<u64> = records.iter().filter(|record| is_given(record)).map(recorded_bytes).collect();
        if !given.is_empty() {
            self.take_space_of_records(tenant, given.iter().fold(0, |all, bytes| all.saturating_add(*bytes)))?;
        }
        Ok(self.tenant(tenant)?.append(&journal_folder(&self.data, tenant), records)?)
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
