//! Moves -> what happens in the world. A move that finds nothing to happen to changes nothing.

use crate::dice::Dice;
use crate::disk::{Halt, Result};
use crate::script::{Kind, Move, When};
use crate::server::Key;
use crate::turns::Number;
use crate::world::World;
use run::Stop;
use trigger::{BACKFILL_MAX, Choice, Order, Overlap};
use types::{Attempt, BackfillAsked, Cause, Record, RunId, StepName};

/// Instants of a backfill.
const SPAN_MAX: usize = 4;
/// Runs that are under way together; nobody starts more by hand.
const OPEN_MAX: usize = 12;

impl World<'_> {
    pub(crate) fn make(&mut self, Move { kind, pick }: Move) -> Result<()> {
        let mut dice = Dice(pick);
        let made = match kind {
            Kind::Work => self.work(&mut dice),
            Kind::Wait => self.wait().and_then(|_| self.look_in_time()),
            Kind::Pass => {
                let seconds = [20, 70, 300, 600, 1_200, 1_800, 3_600, 10_800][dice.below(8)];
                self.pass((seconds + dice.below(60) as i64) * 1_000_000);
                self.look_in_time()
            }
            Kind::Leap => {
                let seconds = [-200_000, -7_200, -3_600, -90, -1, 1, 90, 3_600, 14_000, 200_000][dice.below(10)];
                self.wall_us += seconds * 1_000_000;
                Ok(())
            }
            Kind::Look => self.look(self.wall_us),
            Kind::Start => self.start(pick, &mut dice),
            Kind::Cancel => self.with_run(&mut dice, |world, key| {
                world.stop(key, Stop::Cancel);
                Ok(())
            }),
            Kind::Hold => self.hold(&mut dice),
            Kind::Backfill => self.backfill(&mut dice),
            Kind::Deploy => self.deploy(dice.below(self.disks.len())),
            Kind::Touch => {
                let tenant = dice.below(self.disks.len());
                self.touch(tenant, dice.below(self.files[tenant].len()));
                Ok(())
            }
            Kind::Poll => (0..1 + dice.below(2)).try_for_each(|_| self.poll()),
            Kind::Kill => match self.attempt_of(&mut dice) {
                Some((key, name)) => self.kill(key, &name),
                None => Ok(()),
            },
            Kind::Crash(When::Now) => Err(Halt::Died),
            Kind::Crash(when) => {
                self.dies = Some(when);
                Ok(())
            }
            Kind::Leave => self.leave(&mut dice),
            Kind::Fill | Kind::Free => {
                self.is_full = kind == Kind::Fill;
                Ok(())
            }
            Kind::Resume => {
                self.drive_all();
                Ok(())
            }
            Kind::Sweep => {
                self.sweep();
                self.check()
            }
            Kind::Forget => self.forget(&mut dice),
        };
        self.settle_halt(made)
    }

    /// A server that died is followed by another; what the disk refused did not happen.
    pub(crate) fn settle_halt(&mut self, made: Result<()>) -> Result<()> {
        match made {
            Err(Halt::Died) => self.reopen(),
            Err(Halt::Full) => Ok(()),
            other => other,
        }
    }

    fn work(&mut self, dice: &mut Dice) -> Result<()> {
        for _ in 0..1 + dice.below(24) {
            let keys: Vec<Key> = self.server.driven.keys().copied().collect();
            if keys.is_empty() {
                return Ok(());
            }
            let key = keys[dice.below(keys.len())];
            if dice.once_in(3) {
                self.write_down(key)?;
            }
            let Some(driven) = self.server.driven.get(&key) else { continue };
            let names: Vec<_> = driven.attempts.keys().cloned().collect();
            match names.is_empty() || dice.once_in(2) {
                true => drop(self.turn(key)?),
                false => drop(self.act(key, &names[dice.below(names.len())], dice)?),
            }
        }
        Ok(())
    }

    /// To the time for which somebody waits; false if nobody does.
    pub(crate) fn wait(&mut self) -> Result<bool> {
        let wakes = self.server.driven.values().filter(|driven| !driven.over).filter_map(|driven| driven.wake_mono_us);
        let ends = self
            .server
            .driven
            .iter()
            .flat_map(|(key, driven)| driven.attempts.values().filter_map(|trial| self.hangs_until(*key, trial)));
        let all = wakes.chain(ends).chain(self.server.look_mono_us).filter(|due| *due > self.mono_us);
        let Some(next) = all.min() else { return Ok(false) };
        self.pass(next - self.mono_us);
        Ok(true)
    }

    fn pass(&mut self, by_us: i64) {
        self.mono_us += by_us;
        self.wall_us += by_us;
    }

    /// The scheduler has slept until a time of its own choice.
    fn look_in_time(&mut self) -> Result<()> {
        match self.server.look_mono_us.is_some_and(|due| due <= self.mono_us) {
            true => self.look(self.wall_us),
            false => Ok(()),
        }
    }

    /// By hand, or because of a call that may come again.
    fn start(&mut self, pick: u64, dice: &mut Dice) -> Result<()> {
        let tenant = dice.below(self.disks.len());
        if self.disks[tenant].known.open.len() >= OPEN_MAX || self.current(tenant).is_empty() {
            return Ok(());
        }
        let pipeline = dice.below(self.current(tenant).len());
        let (cause, logical_time_us) = match dice.once_in(3) {
            true => (Cause::Event { source: "webhook".to_owned(), id: (pick % 5).to_string() }, pick as i64 % 5),
            false => (Cause::Manual, pick as i64),
        };
        let version = self.disks[tenant].known.version;
        match self.begin((tenant, version, pipeline), cause, logical_time_us, Vec::new()) {
            // It came before.
            Err(Halt::Conflict) => Ok(()),
            begun => begun.map(drop),
        }
    }

    fn with_run(&mut self, dice: &mut Dice, f: impl FnOnce(&mut Self, Key) -> Result<()>) -> Result<()> {
        let keys: Vec<Key> = self.server.driven.keys().copied().collect();
        match keys.is_empty() {
            true => Ok(()),
            false => f(self, keys[dice.below(keys.len())]),
        }
    }

    fn attempt_of(&self, dice: &mut Dice) -> Option<(Key, (StepName, Attempt))> {
        let all = self.server.driven.iter();
        let mut all: Vec<_> =
            all.flat_map(|(key, driven)| driven.attempts.keys().map(|name| (*key, name.clone()))).collect();
        (!all.is_empty()).then(|| all.swap_remove(dice.below(all.len())))
    }

    fn scheduled(&self, dice: &mut Dice) -> Option<(Number, usize)> {
        let all: Vec<_> = (0..self.disks.len())
            .flat_map(|tenant| (0..self.current(tenant).len()).map(move |pipeline| (tenant, pipeline)))
            .filter(|(tenant, pipeline)| self.current(*tenant)[*pipeline].timetable.is_some())
            .collect();
        (!all.is_empty()).then(|| all[dice.below(all.len())])
    }

    /// Holds a schedule, or lets it go on. What came before is settled by its own rules.
    fn hold(&mut self, dice: &mut Dice) -> Result<()> {
        let Some((tenant, pipeline)) = self.scheduled(dice) else { return Ok(()) };
        let held = self.disks[tenant].known.calendars[self.current(tenant)[pipeline].name()].held;
        self.set_held(tenant, pipeline, !held)
    }

    pub(crate) fn set_held(&mut self, tenant: Number, pipeline: usize, paused: bool) -> Result<()> {
        self.look_at(tenant, pipeline, self.wall_us)?;
        let of = self.current(tenant)[pipeline].plan();
        let (project, pipeline, at_us) = (of.project.clone(), of.pipeline.clone(), self.wall_us);
        self.append(tenant, &[Record::SchedulePaused { project, pipeline, paused, at_us }])
    }

    fn backfill(&mut self, dice: &mut Dice) -> Result<()> {
        let Some((tenant, pipeline)) = self.scheduled(dice) else { return Ok(()) };
        let of = &self.current(tenant)[pipeline];
        let Some(timetable) = &of.timetable else { return Ok(()) };
        let from_us = self.script.begins_us - dice.below(86_400) as i64 * 1_000_000;
        let span = timetable.free.instants(from_us, i64::MAX).take(1 + dice.below(SPAN_MAX.min(BACKFILL_MAX)));
        let Some(to_us) = span.last().map(|instant| instant.at_us) else { return Ok(()) };
        let overlap = [Overlap::BufferAll, Overlap::Allow][dice.below(2)].word().to_owned();
        let order = [Order::Oldest, Order::Newest][dice.below(2)].word().to_owned();
        let number = self.disks[tenant].known.backfills.len() as u64 + 1;
        let (project, pipeline) = (of.plan().project.clone(), of.name().clone());
        let (version, asked_us) = (self.disks[tenant].known.version, self.wall_us);
        let asked = BackfillAsked { project, pipeline, number, version, from_us, to_us, overlap, order, asked_us };
        self.append(tenant, &[Record::BackfillAsked(asked)])
    }

    /// Every run is left as it is: its attempts are stopped, its loop returns, and then the server goes.
    fn leave(&mut self, dice: &mut Dice) -> Result<()> {
        for key in self.server.driven.keys().copied().collect::<Vec<_>>() {
            self.stop(key, Stop::Leave);
        }
        while self.everyone(dice)? {}
        match self.server.driven.keys().next() {
            Some(key) => crate::disk::broken(format!("run {} does not leave", key.run)),
            None => Err(Halt::Died),
        }
    }

    fn sweep(&mut self) {
        for (disk, young) in self.disks.iter_mut().zip(&self.server.young) {
            disk.sweep(young, self.bug);
        }
    }

    fn forget(&mut self, dice: &mut Dice) -> Result<()> {
        let tenant = dice.below(self.disks.len());
        let known = &self.disks[tenant].known;
        let is_driven = |run: &RunId| self.server.driven.contains_key(&Key { tenant, run: *run });
        let ended = known.runs.keys().filter(|run| !known.open.contains(run) && !is_driven(run));
        let ended: Vec<RunId> = ended.filter(|run| !known.forgotten.contains(run)).copied().collect();
        if ended.is_empty() {
            return Ok(());
        }
        let runs = vec![ended[dice.below(ended.len())]];
        self.append(tenant, &[Record::RunsForgotten { runs, at_us: self.wall_us }])
    }
}
