//! Records on their way to the disk while attempts that cannot touch the world go on, as `run` has them: in the order of the turns.

use crate::disk::{Halt, Result, broken};
use crate::server::{Driven, Key};
use crate::world::World;
use plan::Work;
use run::{Order, RunEvent};
use std::collections::VecDeque;
use types::Record;

/// What of a run is not on disk yet. Turns are counted from 1.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    waiting: VecDeque<(Vec<Record>, Vec<RunEvent>)>,
    taken: u64,
    written: u64,
}

impl Desk {
    /// Takes what a turn records and tells; gives its number.
    pub(crate) fn take(&mut self, records: Vec<Record>, told: Vec<RunEvent>) -> u64 {
        self.waiting.push_back((records, told));
        self.taken += 1;
        self.taken
    }

    /// All that waits, as one batch: it counts as written.
    pub(crate) fn empty(&mut self) -> (Vec<Record>, Vec<RunEvent>) {
        self.written = self.taken;
        let (records, told): (Vec<_>, Vec<_>) = self.waiting.drain(..).unzip();
        (records.concat(), told.concat())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn has_written(&self, turn: u64) -> bool {
        self.written >= turn
    }
}

impl World<'_> {
    /// Writes and tells all that waits, as one batch; false if nothing does.
    pub(crate) fn write_down(&mut self, key: Key) -> Result<bool> {
        let Some(driven) = self.server.driven.get_mut(&key).filter(|driven| !driven.over) else { return Ok(false) };
        if driven.desk.is_empty() {
            return Ok(false);
        }
        let (records, told) = driven.desk.empty();
        match self.append(key.tenant, &records) {
            // The loop looks why, and ends with a fault of ours.
            Err(Halt::Full) => {
                if let Some(driven) = self.server.driven.get_mut(&key) {
                    (driven.over, driven.abandoned) = (true, true);
                }
                self.let_go(key);
                return Ok(true);
            }
            appended => appended?,
        }
        told.iter().try_for_each(|event| self.tell(key, event))?;
        Ok(true)
    }

    /// Whether an order may be carried out before the records of its turn are on disk.
    pub(crate) fn runs_ahead(driven: &Driven, order: &Order) -> bool {
        match order {
            Order::Attempt { step, .. } => driven.course.step(step).is_some_and(|step| {
                let is_ours = matches!(step.work, Work::Gather { .. } | Work::Collect { .. });
                step.grants == types::Grants::default() && !is_ours
            }),
            Order::WakeAt(_) => true,
            _ => false,
        }
    }

    /// Once all is written, the machine and the disk are of one mind.
    pub(crate) fn expect_one_mind(&self, key: Key, driven: &Driven) -> Result<()> {
        let is_behind = driven.inbox.iter().any(|event| matches!(event, run::Event::Recorded(_)));
        match is_behind || *driven.course.view() == self.disks[key.tenant].known.runs[&key.run] {
            true => Ok(()),
            false => broken(format!("run {}: the machine believes what is not on disk", key.run)),
        }
    }
}
