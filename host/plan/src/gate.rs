//! A step with a gate -> what it asks of which measures, and the registered version that these compare with.

use crate::known::{Given, Kind, Known, Steps};
use crate::plugin_step::{known, stop};
use crate::{Baseline, Work, wiring};
use manifest::Step;
use types::{Leniency, OutputRef, Problem, Requirement};

/// What is known of the measures: the columns whose slices they are of, and what they are compared with.
struct Measured<'k> {
    slices: &'k [String],
    baseline: Option<&'k OutputRef>,
}

pub(crate) fn plan(
    step: &Step,
    steps: &Steps,
    measures: OutputRef,
    require: &[Requirement],
    leniency: Leniency,
) -> Result<Known, Vec<Problem>> {
    let mut baseline = None;
    if let Some(measured) = measured(steps, &measures) {
        baseline = measured.baseline.and_then(|output| registered(steps, output));
        stop(unmeasured(step, &measures, require, &measured))?;
    }
    let work = Work::Gate { measures, require: require.to_vec(), baseline, leniency };
    Ok(known(work, [("verdict", Given::other(Kind::Verdict))]))
}

/// None of measures that no evaluator took: those of the best of several may be of any of them.
fn measured<'k>(steps: &'k Steps, measures: &OutputRef) -> Option<Measured<'k>> {
    match &steps.get(&measures.step)?.work {
        Work::Evaluate { slices, baseline, .. } => Some(Measured { slices, baseline: baseline.as_ref() }),
        Work::Best { measures, .. } => measured(steps, measures),
        _ => None,
    }
}

fn registered(steps: &Steps, output: &OutputRef) -> Option<Baseline> {
    let Work::PredictWith { model, alias, .. } = &steps.get(&output.step)?.work else { return None };
    Some(Baseline { step: output.step.clone(), model: model.clone(), alias: alias.clone() })
}

/// Requirements that no run of this pipeline could judge.
fn unmeasured(step: &Step, measures: &OutputRef, require: &[Requirement], measured: &Measured) -> Vec<Problem> {
    let mut problems = Vec::new();
    let from = &measures.step;
    if measured.baseline.is_none() && require.iter().any(|requirement| requirement.bound.is_relative()) {
        let message = format!("step `{}` compares with a baseline, and step `{from}` has none", step.name);
        let hint = format!(
            "give `{from}` an input `baseline`, such as the table of a step with `builtin = \"predict\"`, `model` and `alias`"
        );
        problems.push(Problem::new(message).at(step.place_of(&["require"])).hinted(hint));
    }
    let asked = require.iter().flat_map(|requirement| &requirement.slices);
    for slice in asked.filter(|slice| !measured.slices.contains(slice)) {
        let known: Vec<&str> = measured.slices.iter().map(String::as_str).collect();
        let message =
            format!("step `{}` asks for slices of `{slice}`, which step `{from}` does not measure", step.name);
        let problem = Problem::new(message).at(step.place_of(&["require"]));
        let problem = problem.hinted(match known.is_empty() {
            true => format!("add `slices = [\"{slice}\"]` to step `{from}`"),
            false => wiring::suggestion(slice, &known, "it measures those of"),
        });
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}
