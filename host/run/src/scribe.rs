//! What is recorded and told behind the loop: while a batch is on its way to the disk, attempts that cannot touch the world go on.
//!
//! ```text
//!  loop --records, told--> desk --a batch--> journal --written--> told, and the next batch
//!                                                        attempt --its page, checkpoint or word waits for--> written
//! ```
//! The order is that of the turns, one batch at a time. Several turns that wait are one batch. No thread waits for the disk: what
//! follows is done on the journal's.

use crate::{Event, Observer, RunEvent};
use ports::Journal;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use types::{Fault, FaultKind, Record, TenantId};

/// A run's records on their way.
pub(crate) struct Scribe {
    /// None once it is closed: whoever still hears of a batch holds on to no journal.
    journal: Mutex<Option<Arc<dyn Journal>>>,
    tenant: TenantId,
    observer: Observer,
    /// The loop, to be woken where nothing more is written.
    events: Sender<Event>,
    desk: Mutex<Desk>,
    changed: Condvar,
}

/// Turns by their numbers, counted from 1.
#[derive(Default)]
struct Desk {
    waiting: VecDeque<Batch>,
    taken: u64,
    written: u64,
    /// A batch is on its way.
    is_writing: bool,
    /// How many wait for a change: to wake nobody takes a system call, too.
    waiters: usize,
    /// Why nothing more is written.
    fault: Option<Fault>,
    closed: bool,
}

/// What is written at once, what is told then, and how many turns it ends.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    told: Vec<RunEvent>,
    turns: u64,
}

impl Desk {
    /// The next batch to write: all that waits, unless one is on its way.
    fn next(&mut self) -> Option<Batch> {
        if self.is_writing || self.closed || self.fault.is_some() {
            return None;
        }
        let mut batch = self.waiting.pop_front()?;
        // What was too large together goes alone.
        while batch.turns > 0
            && let Some(more) = self.waiting.pop_front()
        {
            batch.records.extend(more.records);
            batch.told.extend(more.told);
            batch.turns += more.turns;
        }
        self.is_writing = true;
        Some(batch)
    }

    /// Puts a batch that is too large back, a record at a time, and what ends its turns.
    fn part(&mut self, batch: &Batch) {
        let ends = Batch { records: Vec::new(), told: batch.told.clone(), turns: batch.turns };
        let alone = batch.records.iter().map(|record| Batch { records: vec![record.clone()], ..Batch::default() });
        let parts: Vec<_> = alone.chain([ends]).collect();
        parts.into_iter().rev().for_each(|part| self.waiting.push_front(part));
    }
}

impl Scribe {
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        tenant: &TenantId,
        observer: Observer,
        events: Sender<Event>,
    ) -> Arc<Self> {
        let (desk, changed) = Default::default();
        let journal = Mutex::new(Some(journal));
        Arc::new(Self { journal, tenant: tenant.clone(), observer, events, desk, changed })
    }

    /// Takes a turn's records and what is told of them, and returns; gives the turn's number.
    pub(crate) fn take(self: &Arc<Self>, records: Vec<Record>, told: Vec<RunEvent>) -> u64 {
        let mut desk = self.desk();
        desk.waiting.push_back(Batch { records, told, turns: 1 });
        desk.taken += 1;
        let (turn, next) = (desk.taken, desk.next());
        drop(desk);
        self.write(next);
        turn
    }

    /// Writes and tells at once, after all that was taken.
    pub(crate) fn settle(&self, records: &[Record], told: Vec<RunEvent>) -> Result<(), Fault> {
        let taken = self.desk().taken;
        self.written(taken)?;
        self.append(records)?;
        self.tell(&told);
        Ok(())
    }

    /// Returns once a turn's records are on disk and told; an error if they never will be.
    pub(crate) fn written(&self, turn: u64) -> Result<(), Fault> {
        let left = |desk: &mut Desk| desk.written < turn && desk.fault.is_none() && !desk.closed;
        let desk = self.wait_while(left);
        match (&desk.fault, desk.written < turn) {
            (_, false) => Ok(()),
            (Some(fault), true) => Err(fault.clone()),
            (None, true) => Err(Fault::new(FaultKind::Cancelled, "the run's loop ended")),
        }
    }

    /// Why nothing more is written.
    pub(crate) fn fault(&self) -> Result<(), Fault> {
        self.desk().fault.clone().map_or(Ok(()), Err)
    }

    /// Nothing more is written once this returns; whoever waits for what is not waits no longer.
    pub(crate) fn close(&self) {
        let mut desk = self.desk();
        desk.closed = true;
        self.change(desk);
        drop(self.wait_while(|desk| desk.is_writing));
        drop(self.journal.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn journal(&self) -> Result<Arc<dyn Journal>, Fault> {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone();
        journal.ok_or_else(|| Fault::new(FaultKind::Cancelled, "the run's loop ended"))
    }

    /// Hands a batch to the journal.
    fn write(self: &Arc<Self>, batch: Option<Batch>) {
        let Some(batch) = batch.map(Arc::new) else { return };
        let mut heard = Heard(Some((Arc::clone(self), Arc::clone(&batch))));
        match self.journal() {
            Ok(journal) => {
                let then = Box::new(move |result| heard.of(result));
                journal.append_then(&self.tenant, &batch.records, then);
            }
            Err(fault) => heard.of(Err(fault)),
        }
    }

    fn wrote(self: &Arc<Self>, batch: &Batch, result: Result<(), Fault>) {
        let told = result.and_then(|()| {
            let told = catch_unwind(AssertUnwindSafe(|| self.tell(&batch.told)));
            told.map_err(|_| Fault::host("telling of what was recorded panicked; this is a bug of ours"))
        });
        let mut desk = self.desk();
        desk.is_writing = false;
        match told {
            Ok(()) => desk.written += batch.turns,
            // Each record fits by itself, as the machine saw to.
            Err(fault) if fault.kind == FaultKind::Guest && batch.records.len() > 1 => desk.part(batch),
            Err(fault) => {
                desk.fault = Some(fault);
                // The loop looks why; one that is gone need not.
                let _ = self.events.send(Event::Woken);
            }
        }
        let next = desk.next();
        self.change(desk);
        self.write(next);
    }

    fn tell(&self, told: &[RunEvent]) {
        told.iter().for_each(|event| (self.observer)(event));
    }

    fn wait_while(&self, waits: impl Fn(&mut Desk) -> bool) -> MutexGuard<'_, Desk> {
        let mut desk = self.desk();
        if !waits(&mut desk) {
            return desk;
        }
        desk.waiters += 1;
        let mut desk = self.changed.wait_while(desk, waits).unwrap_or_else(PoisonError::into_inner);
        desk.waiters -= 1;
        desk
    }

    /// Lets the desk go, which was changed; whoever waits for that then finds it free.
    fn change(&self, desk: MutexGuard<'_, Desk>) {
        let is_awaited = desk.waiters > 0;
        drop(desk);
        if is_awaited {
            self.changed.notify_all();
        }
    }

    fn append(&self, records: &[Record]) -> Result<(), Fault> {
        let journal = self.journal()?;
        match journal.append(&self.tenant, records) {
            Err(fault) if fault.kind == FaultKind::Guest && records.len() > 1 => {
                records.iter().try_for_each(|record| journal.append(&self.tenant, std::slice::from_ref(record)))
            }
            appended => appended,
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears of a batch, whatever happens: a run whose batch was let go would wait for ever.
struct Heard(Option<(Arc<Scribe>, Arc<Batch>)>);

impl Heard {
    fn of(&mut self, result: Result<(), Fault>) {
        if let Some((scribe, batch)) = self.0.take() {
            scribe.wrote(&batch, result);
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.of(Err(Fault::host("the journal let a batch go; this is a bug of ours")));
    }
}
