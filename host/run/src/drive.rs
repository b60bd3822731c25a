//! The loop of one run: an event, a tick of its machine, what follows from that, and again. All of a run's records pass through
//! here, but for those that attempts make while they run. Attempts that run beside each other are on threads of their own.

use crate::attempt::{Source, Trial};
use crate::call::{call_for, who, wrong_input};
use crate::course::{Course, Event, Now, Order, Turn, stands};
use crate::crew::Crew;
use crate::gather::{self, Part};
use crate::scribe::Scribe;
use crate::{CancelToken, Dispatcher, Observer, RunView, StoredPlan, chosen, explain, source_of};
use plan::{Each, PlannedStep, Work};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use types::{
    Artifact, Attempt, Chosen, Digest, Fault, Grants, ModelName, Receipt, RunId, RunState, StepCommit, StepName,
    TableRef, TenantId,
};

/// A run and the loop round it.
pub(crate) struct Drive<'a> {
    dispatcher: &'a Dispatcher,
    tenant: &'a TenantId,
    run: RunId,
    course: Course,
    /// An earlier run, to say what differs from it where nothing can be taken from a cache.
    before: Option<RunId>,
    events: Sender<Event>,
    inbox: Receiver<Event>,
}

/// Who listens and who may stop it; outlives the threads of the attempts.
#[derive(Clone, Copy)]
struct Around<'a> {
    observer: &'a Observer,
    cancel: &'a CancelToken,
    abandoned: &'a AtomicBool,
    scribe: &'a Arc<Scribe>,
}

/// However the loop ends: attempts that still run have nobody to answer to and are told to end, for the scope awaits them all; and
/// nothing more is written.
struct Ends<'a> {
    abandoned: &'a AtomicBool,
    scribe: &'a Scribe,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        self.scribe.close();
    }
}

/// What the loop does next.
enum Next {
    /// Wait for an event, at most until this time.
    Wait(Option<i64>),
    Return(RunState),
}

impl<'a> Drive<'a> {
    pub(crate) fn new(
        dispatcher: &'a Dispatcher,
        tenant: &'a TenantId,
        run: RunId,
        stored: StoredPlan,
        view: RunView,
        before: Option<RunId>,
    ) -> Self {
        let (events, inbox) = channel();
        let course = Course::new(run, stored, view);
        Self { dispatcher, tenant, run, course, before, events, inbox }
    }

    pub(crate) fn complete(mut self, observer: Observer, cancel: &CancelToken) -> Result<RunState, Fault> {
        let (journal, told) = (Arc::clone(&self.dispatcher.journal), Arc::clone(&observer));
        let scribe = Scribe::new(journal, self.tenant, told, self.events.clone());
        let abandoned = AtomicBool::new(false);
        let around = Around { observer: &observer, cancel, abandoned: &abandoned, scribe: &scribe };
        cancel.wake(Some(self.events.clone()));
        let state = std::thread::scope(|scope| {
            let _ends = Ends { abandoned: &abandoned, scribe: &scribe };
            self.turns(&Crew::new(scope), around)
        });
        cancel.wake(None);
        state
    }

    fn turns<'scope, 'env: 'scope>(
        &mut self,
        crew: &Crew<'scope, 'env>,
        around: Around<'env>,
    ) -> Result<RunState, Fault>
    where
        'a: 'env,
    {
        let mut event = Event::Begun;
        loop {
            let turn = self.follow(event, around)?;
            let (orders, number) = self.settle(turn, around)?;
            match self.carry_out(orders, number, crew, around)? {
                Next::Return(state) => return Ok(state),
                Next::Wait(until) => event = self.next_event(until)?,
            }
        }
    }

    /// An event with all that can be answered at once -> what is left to record, to tell and to do.
    fn follow(&mut self, event: Event, around: Around) -> Result<Turn, Fault> {
        let (mut events, mut numbers) = (VecDeque::from([event]), VecDeque::new());
        let (mut turn, mut alone) = (Turn::default(), None);
        loop {
            let event = match events.pop_front() {
                Some(event) => event,
                None => {
                    // One at a time: the next number is given once this one is taken.
                    if alone.is_some() || !numbers.is_empty() {
                        around.scribe.settle(&std::mem::take(&mut turn.records), std::mem::take(&mut turn.told))?;
                    }
                    drop(alone.take());
                    let Some(order) = numbers.pop_front() else { return Ok(turn) };
                    alone = Some(self.dispatcher.alone());
                    self.numbered(order)?
                }
            };
            let next = self.course.tick(event, &self.now(around));
            turn.records.extend(next.records);
            turn.told.extend(next.told);
            for order in next.orders {
                match order {
                    Order::Find { step, name } => events.push_back(self.found(step, name)),
                    Order::Choose { step, model, alias } => events.push_back(self.chosen(step, &model, &alias)?),
                    Order::Number { .. } => numbers.push_back(order),
                    order => turn.orders.push(order),
                }
            }
        }
    }

    /// Appends and tells: at once where an order waits for that, or by the scribe. Gives the orders, and the turn's number there.
    fn settle(&self, turn: Turn, around: Around) -> Result<(Vec<Order>, u64), Fault> {
        around.scribe.fault()?;
        let Turn { records, told, orders } = turn;
        let ahead = !orders.is_empty() && orders.iter().all(|order| self.runs_ahead(order));
        if ahead {
            let number = around.scribe.take(records, told);
            return Ok((orders, number));
        }
        around.scribe.settle(&records, told)?;
        Ok((orders, 0))
    }

    /// Whether it may be done before the records of its turn are on disk: by an attempt that has no door to the world, so that
    /// after a crash nothing is left of it but bytes that nobody names.
    fn runs_ahead(&self, order: &Order) -> bool {
        match order {
            Order::Attempt { step, .. } => self.course.step(step).is_some_and(|step| {
                let is_ours = matches!(step.work, Work::Gather { .. } | Work::Collect { .. });
                step.grants == Grants::default() && !is_ours
            }),
            Order::WakeAt(_) => true,
            _ => false,
        }
    }

    fn numbered(&self, order: Order) -> Result<Event, Fault> {
        let Order::Number { step, attempt, model, alias } = order else { return Ok(Event::Woken) };
        let journal = &self.dispatcher.journal;
        let number = journal.next_version(self.tenant, &model)?;
        let from = alias.map(|alias| journal.alias(self.tenant, &model, &alias)).transpose()?.flatten();
        Ok(Event::Numbered { step, attempt, number, from })
    }

    fn chosen(&self, step: StepName, model: &ModelName, alias: &str) -> Result<Event, Fault> {
        let journal = &self.dispatcher.journal;
        let number = journal.alias(self.tenant, model, alias)?;
        let version = number.map(|number| journal.version(self.tenant, model, number)).transpose()?.flatten();
        let chosen = version.map(|version| Box::new(Chosen::of(version, alias)));
        Ok(Event::Chosen { step, chosen })
    }

    fn found(&self, step: StepName, name: Digest) -> Event {
        let found = self.find(&step, name);
        Event::Found { step, name, found }
    }

    /// A cache that cannot be read is no reason to stop.
    fn find(&self, step: &StepName, name: Digest) -> Result<(RunId, Box<StepCommit>), String> {
        let cached = self.dispatcher.journal.cached(self.tenant, name).map_err(|fault| fault.message)?;
        let Some((run, commit)) = cached else { return Err(self.news(step)) };
        if commit.receipt.read_time {
            let records = self.dispatcher.journal.run_records(self.tenant, run).map_err(|fault| fault.message)?;
            let its_time_us = RunView::of(records.first()).head.map_or(0, |head| head.logical_time_us);
            stands(self.course.view(), &commit, its_time_us)?;
        }
        for blob in commit.outputs.values().flat_map(Artifact::blobs) {
            // Read, and thereby held against its name: what was altered is made anew.
            let gone = |_| format!("what run {run} made of it is not kept: blob {} is gone or altered", blob.short());
            self.dispatcher.blobs.get(self.tenant, blob).map_err(gone)?;
        }
        Ok((run, Box::new(commit)))
    }

    /// Why nothing is in the cache.
    fn news(&self, step: &StepName) -> String {
        let differs = self
            .before
            .and_then(|before| explain::difference(self.dispatcher, self.tenant, before, &self.course, step));
        differs.unwrap_or_else(|| "no run did this work before".to_owned())
    }

    fn carry_out<'scope, 'env: 'scope>(
        &mut self,
        orders: Vec<Order>,
        turn: u64,
        crew: &Crew<'scope, 'env>,
        around: Around<'env>,
    ) -> Result<Next, Fault>
    where
        'a: 'env,
    {
        let mut wake = None::<i64>;
        // There is nothing but this attempt to wait for: the loop carries it out itself. Whoever cancels asks the attempt to end.
        let alone = orders.len() == 1 && self.course.awaited() == 1;
        for order in orders {
            match order {
                Order::Attempt { step, attempt } => self.attempt(&step, attempt, (turn, alone), crew, around)?,
                Order::Split { step, attempt } => self.split(&step, attempt, turn, crew, around)?,
                Order::WakeAt(at_us) => wake = Some(wake.map_or(at_us, |wake| wake.min(at_us))),
                Order::Abandon => around.abandoned.store(true, Ordering::Relaxed),
                Order::Return(state) => return Ok(Next::Return(state)),
                // Answered by `follow`.
                Order::Find { .. } | Order::Choose { .. } | Order::Number { .. } => {}
            }
        }
        Ok(Next::Wait(wake))
    }

    fn next_event(&self, until: Option<i64>) -> Result<Event, Fault> {
        let lost = || Fault::host("the loop of the run lost its events");
        let Some(until) = until else { return self.inbox.recv().map_err(|_| lost()) };
        let wait = Duration::from_micros(until.saturating_sub(self.dispatcher.clock.now_us()).max(0) as u64);
        match self.inbox.recv_timeout(wait) {
            Ok(event) => Ok(event),
            Err(RecvTimeoutError::Timeout) => Ok(Event::Woken),
            Err(RecvTimeoutError::Disconnected) => Err(lost()),
        }
    }

    fn attempt<'scope, 'env: 'scope>(
        &self,
        name: &StepName,
        attempt: Attempt,
        (turn, alone): (u64, bool),
        crew: &Crew<'scope, 'env>,
        around: Around<'env>,
    ) -> Result<(), Fault>
    where
        'a: 'env,
    {
        let step = self.planned(name)?;
        if let Work::Gather { parts, .. } = &step.work {
            let (parts, turn_of) = (self.parts(name, parts), self.turn_of(&step));
            let trial = self.trial(step, attempt, turn, None, around);
            crew.give(move || {
                let blobs = trial.dispatcher.blobs.as_ref();
                let work = || gather::gather(&trial.step, &parts, trial.tenant, blobs);
                let (result, receipt) = trial.by_host(&turn_of, work);
                trial.end(result, receipt);
            });
            return Ok(());
        }
        let source = self.source(&step)?;
        let cursor = source.as_ref().and_then(|source| source.1.cursor.clone());
        let stored = self.course.stored();
        let (view, base, priority) = (self.course.view(), &stored.project_dir, stored.plan.priority);
        let called = call_for(&step, view, self.tenant, base, priority, cursor);
        let path = chosen::path_calls(&step, base, priority, view);
        let source = source.map(|(digest, state)| Source { digest, state: Mutex::new(state) });
        let trial = self.trial(step, attempt, turn, source, around);
        match called.and_then(|call| Ok((call, path?))) {
            Ok((call, path)) if alone => trial.carry_out(&path, call),
            Ok((call, path)) => crew.give(move || trial.carry_out(&path, call)),
            Err(fault) => trial.end(Err(fault), Receipt::default()),
        }
        Ok(())
    }

    fn trial<'env>(
        &self,
        step: PlannedStep,
        attempt: Attempt,
        turn: u64,
        source: Option<Source>,
        around: Around<'env>,
    ) -> Trial<'env>
    where
        'a: 'env,
    {
        Trial {
            dispatcher: self.dispatcher,
            tenant: self.tenant,
            run: self.run,
            step,
            attempt,
            observer: around.observer,
            cancel: around.cancel,
            abandoned: around.abandoned,
            events: self.events.clone(),
            scribe: around.scribe,
            turn,
            source,
            series: Mutex::default(),
        }
    }

    fn turn_of(&self, step: &PlannedStep) -> ports::Turn {
        ports::Turn { priority: self.course.stored().plan.priority, pool: step.pool.clone() }
    }

    fn split<'scope, 'env: 'scope>(
        &self,
        name: &StepName,
        attempt: Attempt,
        turn: u64,
        crew: &Crew<'scope, 'env>,
        around: Around<'env>,
    ) -> Result<(), Fault>
    where
        'a: 'env,
    {
        let step = self.planned(name)?;
        let (rows, turn_of) = (self.rows(&step), self.turn_of(&step));
        let trial = self.trial(step, attempt, turn, None, around);
        crew.give(move || {
            let blobs = trial.dispatcher.blobs.as_ref();
            let work = || gather::split(&trial.step, &rows?, trial.tenant, blobs);
            let (result, _) = trial.by_host(&turn_of, work);
            trial.send(Event::Split { step: trial.step.name.clone(), attempt, result });
        });
        Ok(())
    }

    fn rows(&self, step: &PlannedStep) -> Result<TableRef, Fault> {
        let Some(Each::Rows { of, .. }) = &step.each else {
            return Err(Fault::host(format!("{} has no rows to split", who(step))));
        };
        match self.course.view().output(of) {
            Some(Artifact::Table(table)) => Ok(table.clone()),
            other => Err(wrong_input(step, of, "a table", other)),
        }
    }

    /// What the items of a step gave.
    fn parts(&self, name: &StepName, parts: &[StepName]) -> Vec<Part> {
        let labels = self.course.labels(name);
        let outputs = |part: &StepName| self.course.view().commit(part).map(|commit| commit.outputs.clone());
        parts.iter().zip(labels).map(|(part, label)| (label, outputs(part).unwrap_or_default())).collect()
    }

    fn planned(&self, name: &StepName) -> Result<PlannedStep, Fault> {
        let step = self.course.step(name);
        step.ok_or_else(|| Fault::host(format!("the plan has no step `{name}`")))
    }

    /// Where a collector goes on: the journal knows of this run's pages and of earlier runs'.
    fn source(&self, step: &PlannedStep) -> Result<Option<(Digest, ports::SourceState)>, Fault> {
        let Some(digest) = source_of(&self.course.stored().plan, step) else { return Ok(None) };
        let state = self.dispatcher.journal.source(self.tenant, digest)?.unwrap_or_default();
        Ok(Some((digest, state)))
    }

    fn now(&self, around: Around) -> Now {
        Now {
            at_us: self.dispatcher.clock.now_us(),
            slots: self.dispatcher.slots,
            stop: around.cancel.stopped(),
            record_bytes_max: self.dispatcher.journal.record_bytes_max(),
        }
    }
}
