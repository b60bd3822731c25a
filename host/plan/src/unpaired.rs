//! A plan -> the evaluators that compare what nothing says is of the same rows. Pure.
//!
//! A difference is paired: candidate and baseline are measured on the same draws of rows. An evaluator sees two tables and finds
//! shuffled rows, but wholly other ones with equal labels look like its own; where rows came from, only the plan knows. Rows of one
//! origin may still have been chosen otherwise on the way, and two collectors may have read one file: so this is no error.

use crate::{Plan, Work, wiring};
use manifest::Pipeline;
use std::collections::BTreeSet;
use types::{OutputRef, Problem};

/// What people whose baseline is of rows from elsewhere than the candidate's will want to be told.
pub fn unpaired(plan: &Plan, pipeline: &Pipeline) -> Vec<Problem> {
    let compared = plan.steps.iter().filter_map(|step| match &step.work {
        Work::Evaluate { candidate, baseline: Some(baseline), .. } => Some((step, candidate, baseline)),
        _ => None,
    });
    let unpaired = compared.filter_map(|(step, candidate, baseline)| {
        let (ours, theirs) = (origins(plan, candidate), origins(plan, baseline));
        let [from, elsewhere] = [&ours, &theirs].map(|origins| {
            let names: Vec<String> = origins.iter().map(ToString::to_string).collect();
            wiring::listed(names.iter().map(String::as_str))
        });
        let message = format!(
            "step `{}` compares row by row, and nothing says that the rows are the same: those of `{candidate}` come from {from}, \
             those of `{baseline}` from {elsewhere}",
            step.name
        );
        let place = pipeline.step(&step.name)?.place_of(&["inputs", "baseline"]);
        let problem = Problem::new(message).at(place).hinted("let both predict for the same table");
        ours.is_disjoint(&theirs).then_some(problem)
    });
    unpaired.collect()
}

/// The tables that a table's rows are traced back to.
fn origins<'p>(plan: &'p Plan, table: &'p OutputRef) -> BTreeSet<&'p OutputRef> {
    let (mut seen, mut origins, mut left) = (BTreeSet::new(), BTreeSet::new(), vec![table]);
    while let Some(table) = left.pop() {
        let before = before(plan, table);
        if before.is_empty() {
            origins.insert(table);
        }
        // Many ways may lead through one table.
        left.extend(before.into_iter().filter(|table| seen.insert(*table)));
    }
    origins
}

/// The tables that a table's rows were made of; none of rows that came in there, or that a step dealt out among several outputs.
fn before<'p>(plan: &'p Plan, table: &OutputRef) -> Vec<&'p OutputRef> {
    let Some(step) = plan.step(&table.step) else { return Vec::new() };
    match &step.work {
        Work::Predict { rows, .. } | Work::PredictWith { rows, .. } | Work::Check { rows, .. } => vec![rows],
        Work::Fit { inputs, .. } => inputs.get(&table.port).into_iter().collect(),
        Work::Transform { inputs, .. } if step.outputs.len() == 1 => inputs.values().collect(),
        _ => Vec::new(),
    }
}
