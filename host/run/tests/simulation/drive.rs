//! The loop of one run, as `run` drives it: an event, what can be answered at once, one batch, then what is told, then what is
//! to be done; what may run ahead of the batch does.

use crate::bugs::Bug;
use crate::disk::{Halt, Result, broken};
use crate::server::{Doing, Driven, Key, Trial};
use crate::world::World;
use plan::{PlannedStep, Work};
use run::{Course, Ended, Event, Now, Order, Turn};
use std::collections::VecDeque;
use std::path::Path;
use types::{Artifact, Attempt, Digest, Receipt, RunId, RunState, StepCommit, StepName};

/// More than the longest delay between attempts.
const LONGEST_US: i64 = 60_000_000;

impl World<'_> {
    /// Lets a loop take its next event; false if there is none.
    pub(crate) fn turn(&mut self, key: Key) -> Result<bool> {
        let Some(driven) = self.server.driven.get_mut(&key).filter(|driven| !driven.over) else { return Ok(false) };
        let is_time = driven.wake_mono_us.is_some_and(|wake| wake <= self.mono_us);
        let Some(event) = driven.inbox.pop_front().or(is_time.then_some(Event::Woken)) else { return Ok(false) };
        let Some(mut driven) = self.server.driven.remove(&key) else { return Ok(false) };
        let done = self.follow(key, &mut driven, event).and_then(|turn| self.settle_turn(key, &mut driven, turn));
        match done {
            Ok(()) => {}
            // The loop ends with a fault of ours; the run can be driven again.
            Err(Halt::Full) => driven.over = true,
            Err(halt) => return Err(halt),
        }
        driven.abandoned |= driven.over;
        self.server.driven.insert(key, driven);
        self.let_go(key);
        self.give_slots()?;
        Ok(true)
    }

    /// Forgets a loop that is over once its attempts have ended.
    pub(crate) fn let_go(&mut self, key: Key) {
        let is_gone = |driven: &Driven| driven.over && driven.attempts.is_empty();
        if self.server.driven.get(&key).is_some_and(is_gone) {
            self.server.driven.remove(&key);
            if !self.server.driven.keys().any(|other| other.tenant == key.tenant) {
                self.server.young[key.tenant].clear();
            }
        }
    }

    fn follow(&mut self, key: Key, driven: &mut Driven, event: Event) -> Result<Turn> {
        let (mut events, mut numbers) = (VecDeque::from([event]), VecDeque::new());
        let (mut turn, mut is_alone) = (Turn::default(), false);
        loop {
            let event = match events.pop_front() {
                Some(event) => event,
                None => {
                    if is_alone || !numbers.is_empty() {
                        self.settle(key, driven, &mut turn)?;
                    }
                    let Some(order) = numbers.pop_front() else { return Ok(turn) };
                    is_alone = true;
                    self.numbered(key, order)?
                }
            };
            let next = driven.course.tick(event, &self.now(driven));
            turn.records.extend(next.records);
            turn.told.extend(next.told);
            for order in next.orders {
                match order {
                    Order::Find { step, name } => {
                        let found = self.find(key, &driven.course, name);
                        events.push_back(Event::Found { step, name, found });
                    }
                    Order::Number { .. } if self.has(Bug::NumbersTooEarly) => {
                        driven.inbox.push_back(self.numbered(key, order)?);
                    }
                    Order::Number { .. } => numbers.push_back(order),
                    order => turn.orders.push(order),
                }
            }
        }
    }

    /// Records and tells, or has that done behind what runs ahead, which nothing of may be seen before.
    fn settle_turn(&mut self, key: Key, driven: &mut Driven, mut turn: Turn) -> Result<()> {
        let ahead = !turn.orders.is_empty() && turn.orders.iter().all(|order| Self::runs_ahead(driven, order));
        let number = match ahead {
            true => driven.desk.take(std::mem::take(&mut turn.records), std::mem::take(&mut turn.told)),
            false => {
                self.settle(key, driven, &mut turn)?;
                0
            }
        };
        self.carry_out(key, driven, turn.orders, number)
    }

    /// Appends, after all that waits, then tells.
    fn settle(&mut self, key: Key, driven: &mut Driven, turn: &mut Turn) -> Result<()> {
        self.flush(key, driven)?;
        let records = std::mem::take(&mut turn.records);
        if self.has(Bug::TellsTooEarly) {
            turn.told.drain(..).try_for_each(|event| self.tell(key, &event))?;
        }
        self.append(key.tenant, &records)?;
        turn.told.drain(..).try_for_each(|event| self.tell(key, &event))?;
        self.expect_one_mind(key, driven)
    }

    /// Writes what waits of a run whose loop is at work.
    fn flush(&mut self, key: Key, driven: &mut Driven) -> Result<()> {
        let (records, told) = driven.desk.empty();
        self.append(key.tenant, &records)?;
        told.iter().try_for_each(|event| self.tell(key, event))
    }

    fn numbered(&self, key: Key, order: Order) -> Result<Event> {
        let Order::Number { step, attempt, model, .. } = order else { return Ok(Event::Woken) };
        let last = self.disks[key.tenant].known.versions.get(&model).copied().unwrap_or(0);
        let from = Some(last).filter(|&version| version > 0);
        Ok(Event::Numbered { step, attempt, number: last + 1, from })
    }

    fn find(
        &mut self,
        key: Key,
        course: &Course,
        name: Digest,
    ) -> std::result::Result<(RunId, Box<StepCommit>), String> {
        let known = &self.disks[key.tenant].known;
        let Some((run, commit)) = known.cached.get(&name).cloned() else { return Err("nothing".to_owned()) };
        let time = |view: &run::RunView| view.head.as_ref().map(|head| head.logical_time_us);
        let same_time = time(&known.runs[&run]) == time(course.view()) || self.has(Bug::CachesTheTime);
        if commit.receipt.read_time && !same_time {
            return Err("another time".to_owned());
        }
        for blob in commit.outputs.values().flat_map(Artifact::blobs) {
            self.server.young[key.tenant].insert(blob);
            if !self.disks[key.tenant].blobs.contains(&blob) {
                return Err("a blob is gone".to_owned());
            }
        }
        Ok((run, Box::new(commit)))
    }

    fn carry_out(&mut self, key: Key, driven: &mut Driven, orders: Vec<Order>, turn: u64) -> Result<()> {
        driven.wake_mono_us = None;
        for order in orders {
            match order {
                Order::Attempt { step, attempt } => self.attempt(key, driven, (&step, attempt), turn)?,
                Order::Split { step, attempt } => {
                    let planned = self.planned(driven, &step)?;
                    self.host_work(driven, planned, attempt, Doing::Split)?;
                }
                Order::WakeAt(_) if self.has(Bug::Oversleeps) => {}
                Order::WakeAt(at_us) if self.is_too_long(driven, at_us) => {
                    return broken(format!("run {}: a step waits for as long as the clock went back", key.run));
                }
                Order::WakeAt(at_us) => {
                    let wake = self.mono_us + (at_us - self.wall_us).max(0);
                    driven.wake_mono_us = Some(driven.wake_mono_us.map_or(wake, |earlier| earlier.min(wake)));
                }
                Order::Abandon => driven.abandoned = true,
                Order::Return(state) => {
                    if state != RunState::Running {
                        self.server.ended.push(key);
                    }
                    driven.over = true;
                    return Ok(());
                }
                Order::Find { .. } | Order::Choose { .. } | Order::Number { .. } => {}
            }
        }
        Ok(())
    }

    /// No step asks for more patience than this; a run's own time may be any.
    fn is_too_long(&self, driven: &Driven, at_us: i64) -> bool {
        driven.course.plan().timeout_ms.is_none() && at_us - self.wall_us > LONGEST_US
    }

    fn attempt(
        &mut self,
        key: Key,
        driven: &mut Driven,
        (name, attempt): (&StepName, Attempt),
        turn: u64,
    ) -> Result<()> {
        let step = self.planned(driven, name)?;
        if let Work::Gather { .. } = step.work {
            return self.host_work(driven, step, attempt, Doing::Gather);
        }
        let digest = run::source_of(&driven.course.stored().plan, &step);
        let sources = &self.disks[key.tenant].known.sources;
        let state = |digest| sources.get(&digest).map(|source| source.state.clone()).unwrap_or_default();
        let source = digest.map(|digest| (digest, state(digest)));
        let cursor = source.as_ref().and_then(|source| source.1.cursor.clone());
        let tenant = &self.script.tenants[key.tenant].id;
        let priority = driven.course.stored().plan.priority;
        match run::call_for(&step, driven.course.view(), tenant, Path::new("project"), priority, cursor) {
            Ok(call) => {
                let ticket = self.server.turns.wait(key.tenant, &call.turn);
                let work = Doing::Call { call: Box::new(call), source };
                let since_mono_us = self.mono_us;
                let trial = Trial { step, work, since_mono_us, ticket: Some(ticket), has_slot: false, turn };
                Self::enter(driven, attempt, trial)
            }
            Err(fault) => {
                let (step, result, receipt) = (step.name, Err(fault), Receipt::default());
                driven.inbox.push_back(Event::Ended(Box::new(Ended { step, attempt, result, receipt })));
                Ok(())
            }
        }
    }

    fn host_work(&self, driven: &mut Driven, step: PlannedStep, attempt: Attempt, work: Doing) -> Result<()> {
        let trial = Trial { step, work, since_mono_us: self.mono_us, ticket: None, has_slot: true, turn: 0 };
        Self::enter(driven, attempt, trial)
    }

    fn enter(driven: &mut Driven, attempt: Attempt, trial: Trial) -> Result<()> {
        let name = trial.step.name.clone();
        if driven.attempts.keys().any(|(step, _)| *step == name) {
            return broken(format!("`{name}` has two attempts at a time"));
        }
        driven.attempts.insert((name, attempt), trial);
        Ok(())
    }

    fn planned(&self, driven: &Driven, name: &StepName) -> Result<PlannedStep> {
        match driven.course.step(name) {
            Some(step) => Ok(step),
            None => broken(format!("the plan has no step `{name}`")),
        }
    }

    fn now(&self, driven: &Driven) -> Now {
        Now { at_us: self.wall_us, slots: self.script.slots, stop: driven.stop, record_bytes_max: 1 << 20 }
    }

    /// Lets those begin whose turn it is.
    pub(crate) fn give_slots(&mut self) -> Result<()> {
        while let Some(ticket) = self.server.turns.start()? {
            let trials = self.server.driven.values_mut().flat_map(|driven| driven.attempts.values_mut());
            for trial in trials.filter(|trial| trial.ticket == Some(ticket)) {
                (trial.has_slot, trial.since_mono_us) = (true, self.mono_us);
            }
        }
        Ok(())
    }
}
