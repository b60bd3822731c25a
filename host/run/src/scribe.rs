//! What is recorded and told behind the loop: while a batch is on its way to the disk, attempts that cannot touch the world go on.
//!
//! ```text
//!  loop --records, told--> scribe: append, then tell        attempt --its page, checkpoint or word waits for--> written
//! ```
//! The order is that of the turns. Several turns that wait are one batch.

use crate::{Dispatcher, Observer, RunEvent};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use types::{Fault, FaultKind, Record, TenantId};

/// A run's records on their way.
pub(crate) struct Scribe<'a> {
    dispatcher: &'a Dispatcher,
    tenant: &'a TenantId,
    observer: Observer<'a>,
    desk: Mutex<Desk>,
    changed: Condvar,
}

/// Turns by their numbers, counted from 1.
#[derive(Default)]
struct Desk {
    waiting: VecDeque<(Vec<Record>, Vec<RunEvent>)>,
    taken: u64,
    written: u64,
    /// How many wait for a change: to wake nobody takes a system call, too.
    waiters: usize,
    /// Why nothing more is written.
    fault: Option<Fault>,
    closed: bool,
}

impl<'a> Scribe<'a> {
    pub(crate) fn new(dispatcher: &'a Dispatcher, tenant: &'a TenantId, observer: Observer<'a>) -> Self {
        let (desk, changed) = Default::default();
        Self { dispatcher, tenant, observer, desk, changed }
    }

    /// Takes a turn's records and what is told of them, for [`Scribe::write`] to write; gives the turn's number.
    pub(crate) fn take(&self, records: Vec<Record>, told: Vec<RunEvent>) -> u64 {
        let mut desk = self.desk();
        desk.waiting.push_back((records, told));
        desk.taken += 1;
        let turn = desk.taken;
        self.change(desk);
        turn
    }

    /// Writes and tells at once, after all that was taken.
    pub(crate) fn settle(&self, records: &[Record], told: Vec<RunEvent>) -> Result<(), Fault> {
        let taken = self.desk().taken;
        self.written(taken)?;
        self.append(records)?;
        told.iter().for_each(self.observer);
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

    /// Writes what is taken until [`Scribe::close`], on a thread of its own; ends with an error where a batch is not taken by the disk.
    pub(crate) fn write(&self) -> Result<(), Fault> {
        loop {
            let idle = |desk: &mut Desk| desk.waiting.is_empty() && !desk.closed;
            let mut desk = self.wait_while(idle);
            if desk.waiting.is_empty() {
                return Ok(());
            }
            let turns = std::mem::take(&mut desk.waiting);
            drop(desk);
            let count = turns.len() as u64;
            let result = catch_unwind(AssertUnwindSafe(|| self.write_down(turns)));
            let result = result.unwrap_or_else(|_| Err(Fault::host("recording panicked; this is a bug of ours")));
            let mut desk = self.desk();
            match &result {
                Ok(()) => desk.written += count,
                Err(fault) => desk.fault = Some(fault.clone()),
            }
            self.change(desk);
            result?;
        }
    }

    /// Nothing more is taken; whoever waits for what is not written waits no longer.
    pub(crate) fn close(&self) {
        let mut desk = self.desk();
        desk.closed = true;
        self.change(desk);
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

    fn write_down(&self, turns: VecDeque<(Vec<Record>, Vec<RunEvent>)>) -> Result<(), Fault> {
        let (records, told): (Vec<_>, Vec<_>) = turns.into_iter().unzip();
        self.append(&records.into_iter().flatten().collect::<Vec<_>>())?;
        told.iter().flatten().for_each(self.observer);
        Ok(())
    }

    fn append(&self, records: &[Record]) -> Result<(), Fault> {
        let journal = &self.dispatcher.journal;
        match journal.append(self.tenant, records) {
            // Each fits by itself, as the machine saw to.
            Err(fault) if fault.kind == FaultKind::Guest && records.len() > 1 => {
                records.iter().try_for_each(|record| journal.append(self.tenant, std::slice::from_ref(record)))
            }
            appended => appended,
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
