//! A run that was -> what another one need not do: everything before a step, or everything that the outside world has a say in.
//! Pure.

use crate::Error;
use plan::{Plan, PlannedStep, Work};
use run::{Choice, RunView, Status, StepView};
use std::collections::BTreeSet;
use types::{Chosen, Grants, Id, ModelName, RunId, StepCommit, StepName, Taken};

/// A plan some of whose steps are not carried out, because what they gave is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Again {
    pub(crate) plan: Plan,
    pub(crate) taken: Vec<StepCommit>,
    /// The registered versions that its steps answer with, where those of the run stand.
    pub(crate) chosen: Vec<(StepName, Option<Box<Chosen>>)>,
}

impl Again {
    fn is_taken(&self, step: &StepName) -> bool {
        self.taken.iter().any(|commit| commit.step == *step)
    }

    /// Whether anything is left to be carried out that came to something in the run.
    pub(crate) fn computes(&self, view: &RunView) -> bool {
        let came = |step: &StepName| matches!(view.status(step), Status::Committed { .. } | Status::Failed { .. });
        // Of a step's items some may have come to something where the step did not.
        let is_left = |step: &StepName| self.plan.step(step).is_some() && !self.is_taken(step);
        view.steps.keys().any(|step| is_left(&whole(step)) && came(step))
    }

    /// What gates have compared with, behind which it would give a version an alias, where that stands: the step that looked the
    /// version up, the model and the alias that it asked for, and the version that had it; none if none had.
    pub(crate) fn compared(&self) -> Vec<(&StepName, &ModelName, &str, Option<u32>)> {
        let moves = |step: &&PlannedStep| matches!(&step.work, Work::Register { alias: Some(_), .. });
        let registers = self.plan.steps.iter().filter(moves).filter(|step| !self.is_taken(&step.name));
        let before: BTreeSet<_> = registers.flat_map(|step| upstream(&self.plan, &step.name)).collect();
        let compares = |step: &&PlannedStep| match &step.work {
            Work::Gate { require, .. } => require.iter().any(|asked| asked.bound.is_relative()),
            _ => false,
        };
        let gates = self.plan.steps.iter().filter(|step| before.contains(&step.name)).filter(compares);
        let held: BTreeSet<_> = gates.flat_map(|gate| upstream(&self.plan, &gate.name)).collect();
        let stands =
            |step: &StepName| self.chosen.iter().find(|(chosen, _)| chosen == step).map(|(_, version)| version);
        let looked_up = self.plan.steps.iter().filter(|step| held.contains(&step.name)).filter_map(|step| {
            let Work::PredictWith { model, alias, .. } = &step.work else { return None };
            let version = stands(&step.name)?.as_ref().map(|chosen| chosen.version);
            Some((&step.name, model, alias.as_str(), version))
        });
        looked_up.collect()
    }
}

/// A run from `from` on: it takes what each step gave that is neither that one nor after it, and does the others, whatever is
/// cached. A step before it that did not commit is an error; any other is done anew.
pub(crate) fn before(plan: &Plan, view: &RunView, run: RunId, from: &StepName) -> Result<Again, Error> {
    if plan.step(from).is_none() {
        return Err(no_step(plan, run, from));
    }
    let needed = upstream(plan, from);
    let missing: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| needed.contains(&step.name) && view.commit(&step.name).is_none())
        .filter(|step| *view.choice(&step.name) != Choice::Nobody)
        .map(|step| format!("`{}`", step.name))
        .collect();
    if !missing.is_empty() {
        let message =
            format!("run {run} cannot be run again from `{from}`: before it {} did not commit", missing.join(", "));
        return Err(Error::Conflict(format!("{message}; take --from an earlier step")));
    }
    let after = downstream(plan, &|step| step.name == *from);
    let mut plan = plan.clone();
    plan.steps.iter_mut().filter(|step| after.contains(&step.name)).for_each(|step| step.cache = false);
    let stands = |step: &StepName| !after.contains(step);
    Ok(Again { plan, taken: taken(view, Taken::Rerun { run }, &stands), chosen: chosen(view, &stands) })
}

/// What of a run can be done again without asking or telling the outside world anything: steps that do either are taken from
/// the recording, and where there is none, they and all behind them are left out. The others compute, whatever is cached.
pub(crate) fn replay(plan: &Plan, view: &RunView, run: RunId) -> Again {
    let lost = |step: &PlannedStep| is_outside(step) && view.commit(&step.name).is_none();
    let gone = downstream(plan, &lost);
    let mut plan = plan.clone();
    plan.steps.retain(|step| !gone.contains(&step.name));
    plan.steps.iter_mut().for_each(|step| step.cache = false);
    let outside: BTreeSet<_> = plan.steps.iter().filter(|step| is_outside(step)).map(|step| &step.name).collect();
    let taken = taken(view, Taken::Recording { run }, &|step| outside.contains(step));
    Again { plan, taken, chosen: chosen(view, &|_| true) }
}

/// The versions that these steps answered with, whatever has the alias now.
fn chosen(view: &RunView, wanted: &dyn Fn(&StepName) -> bool) -> Vec<(StepName, Option<Box<Chosen>>)> {
    let version = |(step, seen): (&StepName, &StepView)| match &seen.choice {
        Choice::Open => None,
        Choice::Nobody => Some((step.clone(), None)),
        Choice::Version(version) => Some((step.clone(), Some(version.clone()))),
    };
    view.steps.iter().filter(|(step, _)| wanted(step)).filter_map(version).collect()
}

/// Whether a step's outputs come from beyond its inputs, or reach further than them.
fn is_outside(step: &PlannedStep) -> bool {
    let acts = matches!(
        step.work,
        Work::Collect { .. }
            | Work::Feedback { .. }
            // What a machine took then is no other machine's, nor this one's now.
            | Work::Examine { .. }
            | Work::Deliver { .. }
            | Work::Register { .. }
    );
    acts || step.grants != Grants::default()
}

/// The commits of these steps and of their items, as those of a run that does not carry them out.
fn taken(view: &RunView, from: Taken, wanted: &dyn Fn(&StepName) -> bool) -> Vec<StepCommit> {
    let committed = view.steps.keys().filter_map(|step| view.commit(step));
    let committed = committed.filter(|commit| wanted(&whole(&commit.step)));
    committed.map(|commit| StepCommit { key: None, taken: Some(from), ..commit.clone() }).collect()
}

/// The step that another is an item of, or itself.
pub(crate) fn whole(step: &StepName) -> StepName {
    let name = step.as_str().split_once('@').map(|(name, _)| name);
    name.and_then(|name| StepName::parse(name).ok()).unwrap_or_else(|| step.clone())
}

/// The steps that `is_first` picks and all that take from them, directly or not.
fn downstream(plan: &Plan, is_first: &dyn Fn(&PlannedStep) -> bool) -> BTreeSet<StepName> {
    let mut after = BTreeSet::new();
    // A step stands after those it takes from.
    for step in &plan.steps {
        if is_first(step) || step.needs().iter().any(|output| after.contains(&output.step)) {
            after.insert(step.name.clone());
        }
    }
    after
}

/// The steps that one takes from, directly or not.
fn upstream(plan: &Plan, of: &StepName) -> BTreeSet<StepName> {
    let mut before = BTreeSet::new();
    for step in plan.steps.iter().rev() {
        if step.name == *of || before.contains(&step.name) {
            before.extend(step.needs().into_iter().map(|output| output.step.clone()));
        }
    }
    before
}

fn no_step(plan: &Plan, run: RunId, step: &StepName) -> Error {
    let known: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    let near = types::nearest(step.as_str(), known.iter().copied());
    let hint = near.map_or_else(|| format!("it has {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
    Error::NotFound(format!("run {run} has no step `{step}`; {hint}"))
}

#[cfg(test)]
mod tests;
