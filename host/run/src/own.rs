//! The steps that the host does itself: a gate's verdict, the best of several models, the registration of one. Pure.

use crate::call::{who, wrong_input};
use crate::course::committed;
use crate::outputs::Outputs;
use crate::{Choice, RunEvent, RunView};
use plan::{Baseline, Plan, PlannedStep, Work};
use std::borrow::Cow;
use types::{
    Against, Artifact, Attempt, Fault, Measure, ModelVersion, OutputRef, PortName, Receipt, Record, StepCommit,
    StepName,
};

/// What a step gives that needs nothing but the view; none of other steps.
pub(crate) fn outputs(step: &PlannedStep, view: &RunView) -> Option<Result<Outputs, Fault>> {
    match &step.work {
        Work::Gate { measures, require, baseline, leniency } => {
            Some(measured(step, view, measures).and_then(|taken| {
                let against = baseline.as_ref().map(|baseline| against(view, baseline));
                let verdict = models::gate(require, taken, against, *leniency);
                Ok(Outputs::from([(only_output(step)?, Artifact::Verdict(verdict))]))
            }))
        }
        Work::Best { measure, slice, highest, parts, .. } => {
            let wanted = |taken: &&Measure| taken.name == *measure && taken.slice == *slice;
            Some(best(step, view, parts, *highest, wanted))
        }
        _ => None,
    }
}

/// The version that a candidate was compared with.
fn against(view: &RunView, baseline: &Baseline) -> Against {
    let version = match view.choice(&baseline.step) {
        Choice::Version(chosen) => Some(chosen.version),
        Choice::Open | Choice::Nobody => None,
    };
    Against { model: baseline.model.clone(), alias: baseline.alias.clone(), version }
}

fn measured<'v>(step: &PlannedStep, view: &'v RunView, from: &OutputRef) -> Result<&'v [Measure], Fault> {
    match view.output(from) {
        Some(Artifact::Measures { measures } | Artifact::Model { measures, .. }) => Ok(measures),
        other => Err(wrong_input(step, from, "measures", other)),
    }
}

/// The first of the best: the order of items decides between equals.
fn best(
    step: &PlannedStep,
    view: &RunView,
    parts: &[(OutputRef, OutputRef)],
    highest: bool,
    wanted: impl Fn(&&Measure) -> bool,
) -> Result<Outputs, Fault> {
    let mut best: Option<(f64, &OutputRef, &[Measure])> = None;
    for (model, measures) in parts {
        let taken = measured(step, view, measures)?;
        let Some(value) = taken.iter().find(&wanted).map(|measure| measure.value) else {
            return Err(undecided(step, measures, taken));
        };
        let is_better = |(so_far, ..): &(f64, _, _)| if highest { value > *so_far } else { value < *so_far };
        if best.as_ref().is_none_or(is_better) {
            best = Some((value, model, taken));
        }
    }
    let Some((_, model, measures)) = best else {
        return Err(Fault::invalid(format!("{}: there is no model to choose from", who(step))));
    };
    let artifact = view.output(model).ok_or_else(|| wrong_input(step, model, "a model", None))?;
    let mut outputs = Outputs::new();
    for port in step.outputs.keys() {
        let artifact = match types::Id::as_str(port) {
            "model" => artifact.clone(),
            _ => Artifact::Measures { measures: measures.to_vec() },
        };
        outputs.insert(port.clone(), artifact);
    }
    Ok(outputs)
}

fn undecided(step: &PlannedStep, from: &OutputRef, taken: &[Measure]) -> Fault {
    let Work::Best { measure, slice, .. } = &step.work else { return wrong_input(step, from, "measures", None) };
    let of = |slice: &Option<String>| slice.as_ref().map(|slice| format!(" of {slice}")).unwrap_or_default();
    let there: Vec<_> = taken.iter().take(20).map(|taken| format!("{}{}", taken.name, of(&taken.slice))).collect();
    let message = format!("{}: `{from}` has no measure `{measure}{}`", who(step), of(slice));
    Fault::invalid(message).hinted(format!("it has {}", there.join(", ")))
}

/// The record of a version; the fault is the step's.
pub(crate) fn registration(
    plan: &Plan,
    view: &RunView,
    name: &StepName,
    attempt: Attempt,
    origin: models::Origin,
    from: Option<u32>,
) -> Result<Record, Fault> {
    let step = plan.step(name).ok_or_else(|| Fault::host(format!("the plan has no step `{name}`")))?;
    let Work::Register { name: model, alias, .. } = &step.work else {
        return Err(Fault::host(format!("{} registers nothing", who(step))));
    };
    let plan = with_trainer(plan, view, step);
    let version = models::version(&plan, name, &|output| view.output(output), origin)?;
    let artifact = Artifact::Version { model: model.clone(), version: origin.number };
    let (step, outputs) = (name.clone(), Outputs::from([(only_output(step)?, artifact)]));
    let commit =
        StepCommit { step: step.clone(), attempt, outputs, receipt: Receipt::default(), key: None, taken: None };
    let by = view.head.as_ref().and_then(|head| head.by.clone());
    let alias = alias.as_ref().map(|alias| models::alias_move(&version, alias, from, by));
    Ok(Record::VersionRegistered { version: Box::new(version), alias, step, commit })
}

/// The plan in which the trainer of the served path is the one that trained the model: where several did, the item whose model
/// it is.
fn with_trainer<'p>(plan: &'p Plan, view: &RunView, step: &PlannedStep) -> Cow<'p, Plan> {
    let (Work::Register { model, .. } | Work::Examine { model, .. }) = &step.work else { return Cow::Borrowed(plan) };
    let Some(winner) = winner(plan, view, model) else { return Cow::Borrowed(plan) };
    let mut changed = plan.clone();
    for planned in &mut changed.steps {
        if let (Work::Register { served, .. } | Work::Examine { served, .. }, true) =
            (&mut planned.work, planned.name == step.name)
        {
            served.trainer = Some(winner.step.clone());
        }
    }
    Cow::Owned(changed)
}

/// A step that examines a model, with what would answer, as far as that is there; any other as it is.
pub(crate) fn with_candidate(plan: &Plan, view: &RunView, mut step: PlannedStep) -> PlannedStep {
    if !matches!(step.work, Work::Examine { .. }) {
        return step;
    }
    let plan = with_trainer(plan, view, &step);
    if let Some(planned) = plan.step(&step.name) {
        step.work = planned.work.clone();
    }
    if let Work::Examine { model, served, candidate, .. } = &mut step.work {
        *candidate = models::candidate(&plan, model, served, &|output| view.output(output)).ok().map(Box::new);
    }
    step
}

/// A step that takes the best of several models, with the plugin as the winner was trained; any other as it is.
pub(crate) fn with_winner(plan: &Plan, view: &RunView, step: &PlannedStep) -> PlannedStep {
    let mut step = step.clone();
    let (model, plugin) = match &mut step.work {
        Work::Predict { model, plugin, .. } => (model, Some(plugin)),
        Work::Deliver { what, trainer, .. } => (what, trainer.as_mut()),
        _ => return step,
    };
    let winner = winner(plan, view, model).and_then(|winner| plan.step(&winner.step)?.work.plugin());
    if let (Some(winner), Some(plugin)) = (winner, plugin) {
        plugin.clone_from(winner);
    }
    step
}

/// Of a choice among several models, the output that it chose; the model is the one that the choice gave.
pub fn winner<'p>(plan: &'p Plan, view: &RunView, model: &OutputRef) -> Option<&'p OutputRef> {
    let Work::Best { parts, .. } = &plan.step(&model.step)?.work else { return None };
    let chosen = view.output(model).map(Artifact::digest)?;
    parts.iter().map(|(part, _)| part).find(|part| view.output(part).map(Artifact::digest) == Some(chosen))
}

/// What is told of a registration.
pub(crate) fn tell_registered(record: &Record) -> Vec<RunEvent> {
    let Record::VersionRegistered { version, alias, step, commit } = record else { return Vec::new() };
    let ModelVersion { model, version: number, digest, registered_us, .. } = version.as_ref();
    let mut told = committed(commit, *registered_us);
    told.push(RunEvent::Registered {
        step: step.clone(),
        model: model.clone(),
        version: *number,
        digest: *digest,
        alias: alias.as_ref().map(|alias| alias.alias.clone()),
    });
    told
}

/// The port of a step that gives one thing.
fn only_output(step: &PlannedStep) -> Result<PortName, Fault> {
    let mut ports = step.outputs.keys();
    match (ports.next(), ports.next()) {
        (Some(port), None) => Ok(port.clone()),
        _ => Err(Fault::host(format!("{} gives {} outputs, expected 1", who(step), step.outputs.len()))),
    }
}
