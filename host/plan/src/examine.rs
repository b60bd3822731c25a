//! A step that examines a candidate -> the way on which it would be served, and whether the rows to ask it with can go there.

use crate::builtin_step::input;
use crate::known::{Given, Kind, Known, Steps, trainer};
use crate::plugin_step::{known, stop};
use crate::{Work, served, wiring};
use manifest::{Pipeline, Step};
use types::{Budget, Id, OutputRef, Problem};

pub(crate) fn plan(
    pipeline: &Pipeline,
    step: &Step,
    steps: &Steps,
    loss: Option<&str>,
    budget: Budget,
) -> Result<Known, Vec<Problem>> {
    let found = (input(step, steps, "model", Kind::Model), input(step, steps, "rows", Kind::Table));
    let ((model, _), (rows, table)) = match found {
        (Ok(model), Ok(rows)) => (model, rows),
        (model, rows) => return Err([model.err(), rows.err()].into_iter().flatten().flatten().collect()),
    };
    let served = served::path(pipeline, steps, step, &model)?;
    let mut problems = wiring::columns(step, &["inputs", "rows"], &rows, &table.columns, &served.request);
    let mut answers: Option<OutputRef> = None;
    if step.inputs.keys().any(|port| port.as_str() == "answers") {
        match input(step, steps, "answers", Kind::Table) {
            Ok((output, table)) => {
                let training = trainer(steps, &model).and_then(|(_, known)| known.training.as_ref());
                let wants = training.map(|training| training.predictions.as_slice()).unwrap_or_default();
                problems.extend(wiring::columns(step, &["inputs", "answers"], &output, &table.columns, wants));
                answers = Some(output);
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    stop(problems)?;
    let loss = loss.map(str::to_owned);
    let work = Work::Examine { model, rows, answers, loss, budget, served, candidate: None };
    Ok(known(work, [("verdict", Given::other(Kind::Verdict))]))
}
