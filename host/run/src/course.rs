//! A run as a machine: an event -> what to record, to tell and to do. Pure: it appends nothing, starts nothing, reads no clock.
//!
//! ```text
//!  Event --tick--> Turn { records, told, orders }
//!                     the loop appends the records, then tells, then carries the orders out, and comes back with events
//! ```
//! The view is ahead of the disk from the tick until the append. An append that fails ends the loop, and with it the machine: the
//! next one begins from what is on disk.

use crate::cache::{self, WorkName};
use crate::call::who;
use crate::decide::out_of_time;
use crate::outputs::Outputs;
use crate::{Action, Circumstances, OutputSummary, RunEvent, RunView, Stop, StoredPlan, chosen, decide, own, retry};
use plan::{Each, Plan, PlannedStep, Work};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    Artifact, Attempt, Chosen, Digest, Fault, FaultKind, Item, LimitKind, ModelName, Receipt, Record, Retry, RunId,
    RunState, StepCommit, StepName, Taken, recorded_bytes,
};

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The machine is new: it looks at what there is to do.
    Begun,
    /// An attempt appended this itself.
    Recorded(Box<Record>),
    Ended(Box<Ended>),
    /// A step's items are known, or why not.
    Split {
        step: StepName,
        attempt: Attempt,
        result: Result<Vec<Item>, Fault>,
    },
    /// What an earlier run committed for the work of a step; none if there is nothing that holds, and why.
    Found {
        step: StepName,
        name: Digest,
        found: Result<(RunId, Box<StepCommit>), String>,
    },
    /// The number of a model's next version, and the version under the alias.
    Numbered {
        step: StepName,
        attempt: Attempt,
        number: u32,
        from: Option<u32>,
    },
    /// The registered version that a step answers with; none if none has the alias.
    Chosen {
        step: StepName,
        chosen: Option<Box<Chosen>>,
    },
    /// Somebody has something to say, or a time has come: see [`Now`].
    Woken,
}

/// An attempt's end.
#[derive(Debug)]
pub struct Ended {
    pub step: StepName,
    pub attempt: Attempt,
    pub result: Result<Outputs, Fault>,
    pub receipt: Receipt,
}

/// What is known beyond plan and records.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub at_us: i64,
    /// The most attempts of the run at a time.
    pub slots: usize,
    pub stop: Option<Stop>,
    /// The most bytes that the journal takes of a record.
    pub record_bytes_max: u64,
}

/// What follows from an event, in this order.
#[derive(Debug, Default)]
pub struct Turn {
    /// To be appended as one batch.
    pub records: Vec<Record>,
    /// To be told once they are.
    pub told: Vec<RunEvent>,
    pub orders: Vec<Order>,
}

/// What the loop is to do. Each of the first five is answered by its event.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Look whether the work of a step was done. May be answered before the records are appended.
    Find { step: StepName, name: Digest },
    /// Look up the model's next number and keep others from doing so until the answer's records are appended. Likewise.
    Number { step: StepName, attempt: Attempt, model: ModelName, alias: Option<String> },
    /// Look up the version that has an alias. May be answered before the records are appended.
    Choose { step: StepName, model: ModelName, alias: String },
    /// Begin an attempt.
    Attempt { step: StepName, attempt: Attempt },
    /// Find the items of a step in its rows.
    Split { step: StepName, attempt: Attempt },
    /// Come back at this time.
    WakeAt(i64),
    /// Have the attempts that run end.
    Abandon,
    /// It is over, or to be left.
    Return(RunState),
}

/// A run on its way.
#[derive(Debug)]
pub struct Course {
    run: RunId,
    stored: StoredPlan,
    /// With the items of its steps.
    plan: Plan,
    view: RunView,
    /// Steps of which an answer is awaited.
    busy: BTreeSet<StepName>,
    /// The names of works that are under way.
    names: BTreeMap<StepName, Digest>,
}

impl Course {
    /// From wherever the records say it is.
    pub fn new(run: RunId, stored: StoredPlan, view: RunView) -> Self {
        let plan = expanded(&stored.plan, &view);
        let (busy, names) = Default::default();
        Self { run, stored, plan, view, busy, names }
    }

    /// The plan with the items that are known.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A step as it is to run: where it takes the best of several models, with the plugin as that one was trained; where it
    /// answers with a registered version, with that; where it examines a model, with what would answer.
    pub fn step(&self, name: &StepName) -> Option<PlannedStep> {
        let step = own::with_winner(&self.plan, &self.view, self.plan.step(name)?);
        let step = own::with_candidate(&self.plan, &self.view, step);
        Some(chosen::with_version(step, &self.view))
    }

    pub fn stored(&self) -> &StoredPlan {
        &self.stored
    }

    pub fn view(&self) -> &RunView {
        &self.view
    }

    /// Of how many steps an answer is awaited.
    pub(crate) fn awaited(&self) -> usize {
        self.busy.len()
    }

    /// What the items of a step are called, in order.
    pub(crate) fn labels(&self, name: &StepName) -> Vec<String> {
        let mut root = name.clone();
        while let Some(Each::Like { step }) = self.stored.plan.step(&root).and_then(|step| step.each.as_ref()) {
            root = step.clone();
        }
        let items = items(&self.stored.plan, &self.view, &root).unwrap_or_default();
        items.into_iter().map(|item| item.label).collect()
    }

    /// What follows from an event.
    pub fn tick(&mut self, event: Event, now: &Now) -> Turn {
        let mut turn = Turn::default();
        match event {
            Event::Begun => turn.told.extend(self.resumed(now)),
            Event::Recorded(record) => self.view.apply(&record),
            Event::Ended(ended) => self.end(*ended, now, &mut turn),
            Event::Split { step, attempt, result } => self.split(step, attempt, result, now, &mut turn),
            Event::Found { step, name, found } => self.found(step, name, found, now, &mut turn),
            Event::Numbered { step, attempt, number, from } => {
                self.register(&step, attempt, number, from, now, &mut turn)
            }
            Event::Chosen { step, chosen } => self.choose(&step, chosen, &mut turn),
            Event::Woken => {}
        }
        self.advance(now, &mut turn);
        turn
    }

    /// Does what there is to do, until there is only to wait.
    fn advance(&mut self, now: &Now, turn: &mut Turn) {
        loop {
            let circumstances = Circumstances {
                running: &self.busy,
                slots: now.slots,
                now_us: now.at_us,
                deadline_us: self.deadline_us(),
                stop: now.stop,
            };
            let mut again = false;
            for action in decide(&self.plan, &self.view, &circumstances) {
                match action {
                    Action::Start(step) => again |= self.start(&step, now, turn),
                    Action::Skip { step, because } => {
                        self.skip(step, because, turn);
                        again = true;
                    }
                    Action::WakeAt(at_us) => turn.orders.push(Order::WakeAt(at_us)),
                    Action::Abandon => turn.orders.push(Order::Abandon),
                    Action::Finish(state, because) => self.finish(state, because, now, turn),
                    Action::Leave => turn.orders.push(Order::Return(RunState::Running)),
                }
            }
            if !again {
                return;
            }
        }
    }

    fn deadline_us(&self) -> Option<i64> {
        let (timeout_ms, head) = (self.plan.timeout_ms?, self.view.head.as_ref()?);
        Some(head.started_us.saturating_add_unsigned(timeout_ms.saturating_mul(1000)))
    }

    /// Begins a step; true if it has ended already.
    fn start(&mut self, name: &StepName, now: &Now, turn: &mut Turn) -> bool {
        let Some(step) = self.step(name) else { return false };
        if let Work::PredictWith { model, alias, chosen: None, .. } = &step.work {
            self.busy.insert(name.clone());
            turn.orders.push(Order::Choose { step: name.clone(), model: model.clone(), alias: alias.clone() });
            return false;
        }
        if let (None, Ok(work)) = (&step.each, WorkName::of(&step, &self.view)) {
            self.busy.insert(name.clone());
            turn.orders.push(Order::Find { step: name.clone(), name: work.digest() });
            return false;
        }
        self.attempt(&step, now, turn)
    }

    /// Begins an attempt; true if it has ended already, being the host's own.
    fn attempt(&mut self, step: &PlannedStep, now: &Now, turn: &mut Turn) -> bool {
        let name = step.name.clone();
        let attempt = Attempt(self.view.steps.get(&name).map_or(0, |step| step.attempts).saturating_add(1));
        let at_us = now.at_us;
        self.record(Record::AttemptStarted { run: self.run, step: name.clone(), attempt, at_us }, turn);
        turn.told.push(RunEvent::StepStarted { step: name.clone(), attempt, at_us });
        if let Some(result) = own::outputs(step, &self.view) {
            self.end(Ended { step: name, attempt, result, receipt: Receipt::default() }, now, turn);
            return true;
        }
        self.busy.insert(name.clone());
        turn.orders.push(match (&step.work, &step.each) {
            (Work::Register { name: model, alias, .. }, _) => {
                Order::Number { step: name, attempt, model: model.clone(), alias: alias.clone() }
            }
            (_, Some(Each::Rows { .. })) => Order::Split { step: name, attempt },
            _ => Order::Attempt { step: name, attempt },
        });
        false
    }

    /// From here on the step answers with this version, in a resumed run too; without one it is skipped.
    fn choose(&mut self, name: &StepName, chosen: Option<Box<Chosen>>, turn: &mut Turn) {
        self.busy.remove(name);
        let Some(Work::PredictWith { model, alias, .. }) = self.plan.step(name).map(|step| step.work.clone()) else {
            return;
        };
        let version = chosen.as_ref().map(|chosen| chosen.version);
        self.record(Record::VersionChosen { run: self.run, step: name.clone(), chosen }, turn);
        turn.told.push(RunEvent::VersionChosen { step: name.clone(), model, alias, version });
    }

    fn found(
        &mut self,
        name: StepName,
        work: Digest,
        found: Result<(RunId, Box<StepCommit>), String>,
        now: &Now,
        turn: &mut Turn,
    ) {
        self.busy.remove(&name);
        match found {
            Ok((run, commit)) => {
                let (attempt, receipt) = (Attempt(0), Receipt { series: commit.receipt.series, ..Receipt::default() });
                let (key, taken, outputs) = (Some(work), Some(Taken::Cache { run }), commit.outputs);
                self.commit(StepCommit { step: name, attempt, outputs, receipt, key, taken }, now, turn);
            }
            Err(because) => {
                turn.told.push(RunEvent::CacheMissed { step: name.clone(), because });
                // What an attempt goes on from may hold what an earlier one saw of the world.
                if self.view.steps.get(&name).is_none_or(|view| view.checkpoint.is_none()) {
                    self.names.insert(name.clone(), work);
                }
                if let (Some(step), None) = (self.step(&name), self.stopping(now)) {
                    self.attempt(&step, now, turn);
                }
            }
        }
    }

    fn stopping(&self, now: &Now) -> Option<Stop> {
        now.stop.or_else(|| self.deadline_us().filter(|deadline| now.at_us >= *deadline).map(|_| Stop::Cancel))
    }

    fn end(&mut self, ended: Ended, now: &Now, turn: &mut Turn) {
        let Ended { step, attempt, result, receipt } = ended;
        self.busy.remove(&step);
        let key = self.names.remove(&step);
        match result {
            Ok(outputs) => {
                self.commit(StepCommit { step, attempt, outputs, receipt, key, taken: None }, now, turn);
            }
            // Stopped because the server leaves: as if it had died, so that the next one begins the attempt anew.
            Err(fault) if fault.kind == FaultKind::Cancelled && now.stop == Some(Stop::Leave) => {}
            Err(fault) => {
                let fault = self.told_why(&step, fault, now);
                self.fail(step, attempt, fault, receipt, now, turn);
            }
        }
    }

    /// An attempt that was told to end because the run's time is up failed for that; nobody cancelled it.
    fn told_why(&self, step: &StepName, fault: Fault, now: &Now) -> Fault {
        let is_up = self.deadline_us().is_some_and(|deadline| now.at_us >= deadline);
        if fault.kind != FaultKind::Cancelled || now.stop.is_some() || !is_up {
            return fault;
        }
        let whose = self.plan.step(step).map_or_else(|| format!("step `{step}`"), who);
        Fault::new(FaultKind::Limit { limit: LimitKind::Wall }, format!("{whose}: {}", out_of_time(&self.plan)))
    }

    fn split(
        &mut self,
        step: StepName,
        attempt: Attempt,
        result: Result<Vec<Item>, Fault>,
        now: &Now,
        turn: &mut Turn,
    ) {
        self.busy.remove(&step);
        match result {
            Ok(items) if self.fanned(&step, items.len()) > plan::FANNED_MAX => {
                let fault = too_many(&step, self.fanned(&step, items.len()));
                self.fail(step, attempt, fault, Receipt::default(), now, turn);
            }
            Ok(items) => {
                let record = Record::StepExpanded { run: self.run, step: step.clone(), items: items.clone() };
                if recorded_bytes(&record) > now.record_bytes_max {
                    let fault = too_large(&step).hinted("fewer values or fewer columns");
                    return self.fail(step, attempt, fault, Receipt::default(), now, turn);
                }
                let labels = items.iter().map(|item| item.label.clone()).collect();
                self.record(record, turn);
                turn.told.push(RunEvent::StepExpanded { step, items: labels });
                self.plan = expanded(&self.stored.plan, &self.view);
            }
            Err(fault) => self.end(Ended { step, attempt, result: Err(fault), receipt: Receipt::default() }, now, turn),
        }
    }

    /// The steps that so many items of one make, with those of all that run like it.
    fn fanned(&self, step: &StepName, items: usize) -> usize {
        plan::family(&self.stored.plan, step).saturating_mul(items)
    }

    /// Commit, version and alias are one record, so a crash leaves all of them or none; and since the step is then committed, a
    /// resumed run does not come here again.
    fn register(
        &mut self,
        name: &StepName,
        attempt: Attempt,
        number: u32,
        from: Option<u32>,
        now: &Now,
        turn: &mut Turn,
    ) {
        self.busy.remove(name);
        let origin = models::Origin { run: self.run, number, registered_us: now.at_us };
        match own::registration(&self.plan, &self.view, name, attempt, origin, from) {
            Ok(record) if recorded_bytes(&record) > now.record_bytes_max => {
                self.fail(name.clone(), attempt, too_large(name), Receipt::default(), now, turn);
            }
            Ok(record) => {
                turn.told.extend(own::tell_registered(&record));
                self.record(record, turn);
            }
            Err(fault) => self.fail(name.clone(), attempt, fault, Receipt::default(), now, turn),
        }
    }

    fn commit(&mut self, commit: StepCommit, now: &Now, turn: &mut Turn) {
        let (step, attempt, receipt) = (commit.step.clone(), commit.attempt, commit.receipt.clone());
        let told = committed(&commit, now.at_us);
        let record = Record::StepCommitted { run: self.run, commit, at_us: now.at_us };
        if recorded_bytes(&record) > now.record_bytes_max {
            let fault = self.plan.step(&step).map_or_else(|| too_large(&step), too_large_of);
            return self.fail(step, attempt, fault, receipt, now, turn);
        }
        turn.told.extend(told);
        self.record(record, turn);
    }

    fn fail(&mut self, step: StepName, attempt: Attempt, fault: Fault, receipt: Receipt, now: &Now, turn: &mut Turn) {
        let at_us = now.at_us;
        let policy = self.plan.step(&step).map_or_else(Retry::default, |step| step.retry);
        let before = self.view.steps.get(&step).map_or(&[][..], |view| &view.failures);
        let retry_at_us = retry::retry_at(before, &fault.kind, at_us, &policy);
        let (told, run) = ((step.clone(), fault.clone(), receipt.clone()), self.run);
        self.record(Record::AttemptFailed { run, step, attempt, fault, receipt, at_us, retry_at_us }, turn);
        let (step, fault, receipt) = told;
        turn.told.push(RunEvent::StepFailed { step, attempt, fault, receipt, retry_at_us, at_us });
    }

    fn skip(&mut self, step: StepName, because: String, turn: &mut Turn) {
        self.record(Record::StepSkipped { run: self.run, step: step.clone(), because: because.clone() }, turn);
        turn.told.push(RunEvent::StepSkipped { step, because });
    }

    fn finish(&mut self, state: RunState, because: Option<String>, now: &Now, turn: &mut Turn) {
        let (run, at_us) = (self.run, now.at_us);
        self.record(Record::RunFinished { run, state, at_us, because: because.clone() }, turn);
        turn.told.push(RunEvent::RunFinished { run, state, at_us, because });
        turn.orders.push(Order::Return(state));
    }

    fn record(&mut self, record: Record, turn: &mut Turn) {
        self.view.apply(&record);
        turn.records.push(record);
    }

    /// Of a run that somebody drives again.
    fn resumed(&self, now: &Now) -> Option<RunEvent> {
        let has_begun = self.view.steps.values().any(|step| step.attempts > 0);
        let committed = self.plan.steps.iter().map(|step| &step.name);
        let committed = committed.filter(|step| self.view.commit(step).is_some()).cloned().collect();
        has_begun.then_some(RunEvent::RunResumed { run: self.run, committed, at_us: now.at_us })
    }
}

/// With the items that are known: those of a list always, those of rows once they are recorded.
pub(crate) fn expanded(plan: &Plan, view: &RunView) -> Plan {
    plan::expand(plan, &|name| items(plan, view, name))
}

/// What a step runs for, once that is known.
pub(crate) fn items(plan: &Plan, view: &RunView, name: &StepName) -> Option<Vec<Item>> {
    let recorded = view.steps.get(name).and_then(|step| step.items.clone());
    recorded.or_else(|| plan.step(name)?.each.as_ref().and_then(plan::static_items))
}

fn too_large_of(step: &PlannedStep) -> Fault {
    Fault { message: format!("{}: what it gives is too large to be recorded", who(step)), ..too_large(&step.name) }
}

fn too_many(step: &StepName, got: usize) -> Fault {
    let most = plan::FANNED_MAX;
    Fault::invalid(format!("step `{step}` and those that run like it would be {got} steps, expected at most {most}"))
}

fn too_large(step: &StepName) -> Fault {
    Fault::guest(format!("step `{step}`: what it gives is too large to be recorded"))
        .hinted("fewer findings, measures, columns or files")
}

/// What is told of a commit.
pub(crate) fn committed(commit: &StepCommit, at_us: i64) -> Vec<RunEvent> {
    let summaries = commit.outputs.iter().map(|(port, artifact)| (port.clone(), OutputSummary::of(artifact)));
    let (step, outputs) = (commit.step.clone(), summaries.collect());
    let first = match commit.taken {
        Some(taken) => RunEvent::StepTaken { step, taken, outputs, at_us },
        None => {
            let (attempt, receipt) = (commit.attempt, commit.receipt.clone());
            RunEvent::StepCommitted { step, attempt, outputs, receipt, at_us }
        }
    };
    let more = commit.outputs.values().filter_map(|artifact| match artifact {
        Artifact::Verdict(verdict) => Some(RunEvent::Verdict { step: commit.step.clone(), verdict: verdict.clone() }),
        Artifact::Delivered { location, repeated } => {
            let (step, location) = (commit.step.clone(), location.clone());
            Some(RunEvent::Delivered { step, location, repeated: *repeated })
        }
        _ => None,
    });
    [first].into_iter().chain(more).collect()
}

/// Whether an earlier run's commit stands for a step of this run; or why not.
pub(crate) fn stands(view: &RunView, commit: &StepCommit, its_time_us: i64) -> Result<(), String> {
    let time_us = view.head.as_ref().map_or(0, |head| head.logical_time_us);
    match cache::holds_at(commit, its_time_us, time_us) {
        true => Ok(()),
        false => Err("it looks at the run's logical time, which is another".to_owned()),
    }
}
