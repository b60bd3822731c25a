//! A plan and how far it is -> what to do next. Pure: the loop acts on it and asks again after every change.

use crate::{Choice, RunView, Status, StepView, Stop, condition, retry};
use plan::{Each, Plan, PlannedStep, Work};
use std::collections::BTreeSet;
use types::{Artifact, OutputRef, RunState, StepName};

/// What the loop is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Begin an attempt.
    Start(StepName),
    /// It will never have its inputs.
    Skip { step: StepName, because: String },
    /// Ask again at this time, whatever happens.
    WakeAt(i64),
    /// Stop the attempts that run: the run's time is up.
    Abandon,
    /// Nothing is left to do; why, where no step is to blame.
    Finish(RunState, Option<String>),
    /// Go, and leave the run to be resumed.
    Leave,
}

/// What is known beyond plan and records.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Steps with an attempt on a thread of this process.
    pub running: &'a BTreeSet<StepName>,
    /// The most of them at a time.
    pub slots: usize,
    pub now_us: i64,
    /// When the run's time is up.
    pub deadline_us: Option<i64>,
    pub stop: Option<Stop>,
}

/// Whether a step has what it takes.
enum Readiness {
    Waits,
    Ready,
    /// And never will, because of this.
    Never(String),
}

/// What to do now; nothing if there is only to wait for attempts. Skips come alone, since they decide what follows.
pub fn decide(plan: &Plan, view: &RunView, now: &Circumstances) -> Vec<Action> {
    let unfinished = plan.steps.iter().any(|step| !view.status(&step.name).is_final());
    if let (Some(deadline), true) = (now.deadline_us, unfinished)
        && now.now_us >= deadline
    {
        return match now.running.is_empty() {
            false => vec![Action::Abandon],
            true => vec![Action::Finish(RunState::Failed, Some(out_of_time(plan)))],
        };
    }
    let stop = now.stop.or_else(|| view.is_cancelled().then_some(Stop::Cancel));
    if let Some(stop) = stop.filter(|_| unfinished) {
        return match (now.running.is_empty(), stop) {
            (false, _) => Vec::new(),
            (true, Stop::Cancel) => vec![Action::Finish(RunState::Cancelled, None)],
            (true, Stop::Leave) => vec![Action::Leave],
        };
    }
    let skips = skips(plan, view);
    if !skips.is_empty() {
        return skips;
    }
    let (starts, wake) = starts(plan, view, now);
    match starts.is_empty() && wake.is_none() && now.running.is_empty() {
        true => vec![Action::Finish(final_state(plan, view), None)],
        false => {
            let wake = [wake, now.deadline_us].into_iter().flatten().min();
            starts.into_iter().map(Action::Start).chain(wake.map(Action::WakeAt)).collect()
        }
    }
}

pub(crate) fn out_of_time(plan: &Plan) -> String {
    let most = types::Quantity::Milliseconds(plan.timeout_ms.unwrap_or_default());
    format!("the run took longer than the pipeline's `timeout`, {most}")
}

/// The steps whose inputs are all committed and that have not ended, in plan order, so that two equal runs schedule alike.
/// A step with a failed or skipped input is never among them, nor one under a verdict that said no.
pub fn ready_steps(plan: &Plan, view: &RunView) -> Vec<StepName> {
    let open = plan.steps.iter().filter(|step| !view.status(&step.name).is_final());
    let ready = open.filter(|step| matches!(readiness(step, view), Readiness::Ready));
    ready.map(|step| step.name.clone()).collect()
}

/// Told only when every input has come to its end: the first bad one is then the same whichever ended first.
fn readiness(step: &PlannedStep, view: &RunView) -> Readiness {
    let inputs = step.needs();
    if inputs.iter().any(|input| !view.status(&input.step).is_final()) {
        return Readiness::Waits;
    }
    let inputs = inputs.into_iter().filter(|input| !does_without(step, input, view));
    let missing = inputs.into_iter().find_map(|input| match view.status(&input.step) {
        Status::Failed { .. } => Some(format!("step `{}` failed", input.step)),
        // What gathers items is the step that people know.
        Status::Skipped { because } if matches!(step.work, Work::Gather { .. }) => Some(because.clone()),
        Status::Skipped { .. } => Some(format!("step `{}` was skipped", input.step)),
        _ => None,
    });
    let never = missing.or_else(|| refusal(step, view)).or_else(|| no_items(step, view));
    let never = never.or_else(|| nobody(step, view));
    let never = never.or_else(|| condition::unmet(&step.when, view).map(|why| format!("`when` does not hold: {why}")));
    match never {
        Some(because) => Readiness::Never(because),
        // Its items come with those of the step that it follows.
        None if matches!(step.each, Some(Each::Like { .. })) => Readiness::Waits,
        None => Readiness::Ready,
    }
}

/// A registered version that there is not.
fn nobody(step: &PlannedStep, view: &RunView) -> Option<String> {
    let Work::PredictWith { model, alias, .. } = &step.work else { return None };
    (*view.choice(&step.name) == Choice::Nobody).then(|| format!("no version of model `{model}` is `{alias}`"))
}

/// An evaluator measures the candidate alone where no version has the alias of its baseline; its gate says so.
fn does_without(step: &PlannedStep, input: &OutputRef, view: &RunView) -> bool {
    let is_baseline = matches!(&step.work, Work::Evaluate { baseline: Some(baseline), .. } if baseline == input);
    is_baseline && *view.choice(&input.step) == Choice::Nobody
}

/// A step that runs for each of nothing.
fn no_items(step: &PlannedStep, view: &RunView) -> Option<String> {
    let Some(Each::Rows { of, .. }) = &step.each else {
        let gathers_nothing = matches!(&step.work, Work::Gather { parts, .. } if parts.is_empty());
        return gathers_nothing.then(|| "it runs for each of no items".to_owned());
    };
    let Some(Artifact::Table(table)) = view.output(of) else { return None };
    (table.rows == 0).then(|| format!("`{of}` has no rows to run for"))
}

/// Why a gate or an examination does not let this step through.
fn refusal(step: &PlannedStep, view: &RunView) -> Option<String> {
    let Work::Register { verdict, examined, .. } = &step.work else { return None };
    let refusal = |(who, from): (&str, &OutputRef)| match view.output(from) {
        Some(Artifact::Verdict(verdict)) if !verdict.passed => {
            Some(format!("the {who} `{}` said no: {}", from.step, verdict.sentence))
        }
        _ => None,
    };
    let (gate, examination) =
        (verdict.iter().map(|from| ("gate", from)), examined.iter().map(|from| ("examination", from)));
    gate.chain(examination).find_map(refusal)
}

fn skips(plan: &Plan, view: &RunView) -> Vec<Action> {
    let open = plan.steps.iter().filter(|step| !view.status(&step.name).is_final());
    let skip = |step: &PlannedStep| match readiness(step, view) {
        Readiness::Never(because) => Some(Action::Skip { step: step.name.clone(), because }),
        Readiness::Waits | Readiness::Ready => None,
    };
    open.filter_map(skip).collect()
}

/// The steps to begin, and when to ask again for one that waits for its next attempt.
fn starts(plan: &Plan, view: &RunView, now: &Circumstances) -> (Vec<StepName>, Option<i64>) {
    let free = now.slots.max(1).saturating_sub(now.running.len());
    let (mut starts, mut wake) = (Vec::new(), None::<i64>);
    for step in ready_steps(plan, view).into_iter().filter(|step| !now.running.contains(step)) {
        let failures = view.steps.get(&step).map_or(&[][..], |view: &StepView| &view.failures);
        match retry::wait_until(failures, now.now_us) {
            Some(due) => wake = Some(wake.map_or(due, |wake| wake.min(due))),
            None if starts.len() < free => starts.push(step),
            None => {}
        }
    }
    (starts, wake)
}

/// How a run ends with which nothing more can be done.
fn final_state(plan: &Plan, view: &RunView) -> RunState {
    let statuses = || plan.steps.iter().map(|step| view.status(&step.name));
    let outputs =
        plan.steps.iter().filter_map(|step| view.commit(&step.name)).flat_map(|commit| commit.outputs.values());
    let refused = |artifact: &Artifact| matches!(artifact, Artifact::Verdict(verdict) if !verdict.passed);
    // A step that is not final can neither start nor be skipped: its plan names an input that nobody gives.
    if view.is_cancelled() {
        RunState::Cancelled
    } else if statuses().any(|status| matches!(status, Status::Failed { .. }) || !status.is_final()) {
        RunState::Failed
    } else if outputs.into_iter().any(refused) {
        RunState::Rejected
    } else {
        RunState::Succeeded
    }
}
