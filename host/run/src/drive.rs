//! The loop of one run: decide, act, wait for one event, and again. It alone changes the view, and only by a record that is
//! on disk. Steps of plugins run on threads; what the host does itself (gate, register) is done in place.

mod own;

use crate::attempt::{Source, Trial};
use crate::call::{call_for, who};
use crate::outputs::Outputs;
use crate::{
    Action, CancelToken, Circumstances, Dispatcher, Observer, OutputSummary, RunEvent, RunView, Status, Stop,
    StoredPlan, decide, retry, source_of,
};
use plan::{PlannedStep, Work};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Scope;
use std::time::Duration;
use types::{Artifact, Attempt, Fault, FaultKind, Receipt, Record, RunId, RunState, StepCommit, StepName, TenantId};

/// What the loop waits for.
#[derive(Debug)]
pub(crate) enum Event {
    /// An attempt appended this itself.
    Recorded(Box<Record>),
    Ended(Box<Ended>),
    /// The token has something to say.
    Stop,
    /// A step's next attempt is due.
    Due,
}

/// An attempt's end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub step: StepName,
    pub attempt: Attempt,
    pub result: Result<Outputs, Fault>,
    pub receipt: Receipt,
}

/// A run on its way.
pub(crate) struct Drive<'a> {
    dispatcher: &'a Dispatcher,
    tenant: &'a TenantId,
    run: RunId,
    stored: &'a StoredPlan,
    view: RunView,
    running: BTreeSet<StepName>,
    events: Sender<Event>,
    inbox: Receiver<Event>,
}

/// Who listens and who may stop it; outlives the threads of the attempts.
#[derive(Clone, Copy)]
struct Around<'a> {
    observer: Observer<'a>,
    cancel: &'a CancelToken,
    abandoned: &'a AtomicBool,
}

/// What the loop does after its actions.
enum Next {
    /// The view changed: decide again.
    Decide,
    /// For an event, at most until this time.
    Wait(Option<i64>),
    Return(RunState),
}

impl<'a> Drive<'a> {
    pub(crate) fn new(
        dispatcher: &'a Dispatcher,
        tenant: &'a TenantId,
        run: RunId,
        stored: &'a StoredPlan,
        view: RunView,
    ) -> Self {
        let (events, inbox) = channel();
        Self { dispatcher, tenant, run, stored, view, running: BTreeSet::new(), events, inbox }
    }

    pub(crate) fn complete(mut self, observer: Observer, cancel: &CancelToken) -> Result<RunState, Fault> {
        let abandoned = AtomicBool::new(false);
        let around = Around { observer, cancel, abandoned: &abandoned };
        cancel.wake(Some(self.events.clone()));
        self.tell_resumed(observer);
        let state = std::thread::scope(|scope| {
            let state = self.turn(scope, around);
            // Attempts that still run have nobody to answer to: they are told to end, and awaited by the scope.
            abandoned.store(true, Ordering::Relaxed);
            state
        });
        cancel.wake(None);
        state
    }

    fn turn<'scope, 'env: 'scope>(
        &mut self,
        scope: &'scope Scope<'scope, 'env>,
        around: Around<'env>,
    ) -> Result<RunState, Fault>
    where
        'a: 'env,
    {
        loop {
            match self.act(scope, around)? {
                Next::Return(state) => return Ok(state),
                Next::Decide => continue,
                Next::Wait(until) => match self.next_event(until)? {
                    Event::Recorded(record) => self.view.apply(&record),
                    Event::Ended(ended) => self.end(*ended, around)?,
                    Event::Stop | Event::Due => {}
                },
            }
        }
    }

    fn act<'scope, 'env: 'scope>(
        &mut self,
        scope: &'scope Scope<'scope, 'env>,
        around: Around<'env>,
    ) -> Result<Next, Fault>
    where
        'a: 'env,
    {
        let circumstances = Circumstances {
            running: &self.running,
            slots: self.dispatcher.slots,
            now_us: self.now_us(),
            stop: around.cancel.stopped(),
        };
        let mut next = Next::Wait(None);
        for action in decide(&self.stored.plan, &self.view, &circumstances) {
            match action {
                Action::Start(step) => {
                    if self.start(&step, scope, around)? {
                        next = Next::Decide;
                    }
                }
                Action::Skip { step, because } => {
                    self.skip(step, because, around)?;
                    next = Next::Decide;
                }
                Action::WakeAt(at_us) if matches!(next, Next::Wait(_)) => next = Next::Wait(Some(at_us)),
                Action::WakeAt(_) => {}
                Action::Finish(state) => return self.finish(state, around).map(Next::Return),
                Action::Leave => return Ok(Next::Return(RunState::Running)),
            }
        }
        Ok(next)
    }

    fn next_event(&self, until: Option<i64>) -> Result<Event, Fault> {
        let lost = || Fault::host("the loop of the run lost its events");
        let Some(until) = until else { return self.inbox.recv().map_err(|_| lost()) };
        let wait = Duration::from_micros(until.saturating_sub(self.now_us()).max(0) as u64);
        match self.inbox.recv_timeout(wait) {
            Ok(event) => Ok(event),
            Err(RecvTimeoutError::Timeout) => Ok(Event::Due),
            Err(RecvTimeoutError::Disconnected) => Err(lost()),
        }
    }

    /// Begins an attempt; true if it has ended already, being the host's own.
    fn start<'scope, 'env: 'scope>(
        &mut self,
        name: &StepName,
        scope: &'scope Scope<'scope, 'env>,
        around: Around<'env>,
    ) -> Result<bool, Fault>
    where
        'a: 'env,
    {
        let stored: &'a StoredPlan = self.stored;
        let step = stored.plan.step(name).ok_or_else(|| Fault::host(format!("the plan has no step `{name}`")))?;
        let attempt = Attempt(self.view.steps.get(name).map_or(0, |step| step.attempts).saturating_add(1));
        let at_us = self.now_us();
        self.record(Record::AttemptStarted { run: self.run, step: name.clone(), attempt, at_us })?;
        (around.observer)(&RunEvent::StepStarted { step: name.clone(), attempt, at_us });
        match &step.work {
            Work::Gate { measures, require } => {
                let result = self.verdict(step, measures, require);
                self.end(Ended { step: name.clone(), attempt, result, receipt: Receipt::default() }, around)?;
                Ok(true)
            }
            Work::Register { alias, .. } => {
                self.register(step, attempt, alias.as_deref(), around)?;
                Ok(true)
            }
            _ => self.spawn(step, attempt, scope, around),
        }
    }

    fn spawn<'scope, 'env: 'scope>(
        &mut self,
        step: &'a PlannedStep,
        attempt: Attempt,
        scope: &'scope Scope<'scope, 'env>,
        around: Around<'env>,
    ) -> Result<bool, Fault>
    where
        'a: 'env,
    {
        let source = self.source(step)?;
        let cursor = source.as_ref().and_then(|source| source.1.cursor.clone());
        let call = match call_for(
            step,
            &self.view,
            self.tenant,
            &self.stored.project_dir,
            self.stored.plan.priority,
            cursor,
        ) {
            Ok(call) => call,
            Err(fault) => {
                self.fail(&step.name, attempt, fault, Receipt::default(), around)?;
                return Ok(true);
            }
        };
        let trial = Trial {
            dispatcher: self.dispatcher,
            tenant: self.tenant,
            run: self.run,
            step,
            attempt,
            observer: around.observer,
            cancel: around.cancel,
            abandoned: around.abandoned,
            events: self.events.clone(),
            source: source.map(|(digest, state)| Source { digest, state: Mutex::new(state) }),
        };
        self.running.insert(step.name.clone());
        scope.spawn(move || trial.carry_out(&call));
        Ok(false)
    }

    /// Where a collector goes on: the journal knows of this run's pages and of earlier runs'.
    fn source(&self, step: &PlannedStep) -> Result<Option<(types::Digest, ports::SourceState)>, Fault> {
        let Some(digest) = source_of(&self.stored.plan, step) else { return Ok(None) };
        let state = self.dispatcher.journal.source(self.tenant, digest)?.unwrap_or_default();
        Ok(Some((digest, state)))
    }

    fn end(&mut self, ended: Ended, around: Around) -> Result<(), Fault> {
        let Ended { step, attempt, result, receipt } = ended;
        self.running.remove(&step);
        match result {
            Ok(outputs) => self.commit(StepCommit { step, attempt, outputs, receipt, key: None, taken: None }, around),
            // Stopped because the server leaves: as if it had died, so that the next one begins the attempt anew.
            Err(fault) if fault.kind == FaultKind::Cancelled && around.cancel.stopped() == Some(Stop::Leave) => Ok(()),
            Err(fault) => self.fail(&step, attempt, fault, receipt, around),
        }
    }

    fn commit(&mut self, commit: StepCommit, around: Around) -> Result<(), Fault> {
        let at_us = self.now_us();
        let recorded = self.record(Record::StepCommitted { run: self.run, commit: commit.clone(), at_us });
        if let Err(fault) = recorded {
            return self.refused(&commit.step, commit.attempt, fault, commit.receipt, around);
        }
        (around.observer)(&committed(&commit, at_us));
        for artifact in commit.outputs.into_values() {
            let step = commit.step.clone();
            match artifact {
                Artifact::Verdict(verdict) => (around.observer)(&RunEvent::Verdict { step, verdict }),
                Artifact::Delivered { location, repeated } => {
                    (around.observer)(&RunEvent::Delivered { step, location, repeated });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What the journal did not take: the step's failure if it was too large, ours if it was anything else.
    fn refused(
        &mut self,
        step: &StepName,
        attempt: Attempt,
        fault: Fault,
        receipt: Receipt,
        around: Around,
    ) -> Result<(), Fault> {
        if fault.kind != FaultKind::Guest {
            return Err(fault);
        }
        let who = self.stored.plan.step(step).map_or_else(|| format!("step `{step}`"), who);
        let fault = Fault::guest(format!("{who}: what it gives cannot be recorded: {}", fault.message));
        self.fail(step, attempt, fault.hinted("fewer findings, measures, columns or files"), receipt, around)
    }

    fn fail(
        &mut self,
        step: &StepName,
        attempt: Attempt,
        fault: Fault,
        receipt: Receipt,
        around: Around,
    ) -> Result<(), Fault> {
        let at_us = self.now_us();
        let (run, step) = (self.run, step.clone());
        let told = (step.clone(), fault.clone(), receipt.clone());
        self.record(Record::AttemptFailed { run, step: told.0, attempt, fault: told.1, receipt: told.2, at_us })?;
        let retried = self.view.steps.get(&step).filter(|step| step.status == Status::Waiting);
        let retry_at_us = retried.and_then(|step| retry::retry_at(&step.failures));
        (around.observer)(&RunEvent::StepFailed { step, attempt, fault, receipt, retry_at_us, at_us });
        Ok(())
    }

    fn skip(&mut self, step: StepName, because: String, around: Around) -> Result<(), Fault> {
        self.record(Record::StepSkipped { run: self.run, step: step.clone(), because: because.clone() })?;
        (around.observer)(&RunEvent::StepSkipped { step, because });
        Ok(())
    }

    fn finish(&mut self, state: RunState, around: Around) -> Result<RunState, Fault> {
        let (run, at_us) = (self.run, self.now_us());
        self.record(Record::RunFinished { run, state, at_us })?;
        (around.observer)(&RunEvent::RunFinished { run, state, at_us });
        Ok(state)
    }

    /// Appends, then lets the view follow; telling anybody comes after.
    fn record(&mut self, record: Record) -> Result<(), Fault> {
        self.dispatcher.journal.append(self.tenant, std::slice::from_ref(&record))?;
        self.view.apply(&record);
        Ok(())
    }

    fn tell_resumed(&self, observer: Observer) {
        if self.view.steps.is_empty() {
            return;
        }
        let committed = self.stored.plan.steps.iter().map(|step| &step.name);
        let committed = committed.filter(|step| self.view.commit(step).is_some()).cloned().collect();
        observer(&RunEvent::RunResumed { run: self.run, committed, at_us: self.now_us() });
    }

    fn now_us(&self) -> i64 {
        self.dispatcher.clock.now_us()
    }
}

fn committed(commit: &StepCommit, at_us: i64) -> RunEvent {
    let summaries = commit.outputs.iter().map(|(port, artifact)| (port.clone(), OutputSummary::of(artifact)));
    RunEvent::StepCommitted {
        step: commit.step.clone(),
        attempt: commit.attempt,
        outputs: summaries.collect(),
        receipt: commit.receipt.clone(),
        at_us,
    }
}
