//! A step that examines a model -> what is to be asked of it, and what its training told. Pure.

use crate::RunView;
use crate::call::{table, who};
use plan::{PlannedStep, Work};
use ports::Examination;
use types::{Fault, Series, StepName};

/// A fault is ours: the step begins only when the model is there.
pub(crate) fn examination(step: &PlannedStep, view: &RunView) -> Result<Examination, Fault> {
    let Work::Examine { model, rows, answers, loss, budget, served, candidate } = &step.work else {
        return Err(Fault::host(format!("{} examines nothing", who(step))));
    };
    let Some(candidate) = candidate else {
        return Err(Fault::host(format!("{}: there is nothing that would answer", who(step))));
    };
    let trainer = served.trainer.as_ref().unwrap_or(&model.step);
    Ok(Examination {
        candidate: candidate.as_ref().clone(),
        rows: table(step, view, rows)?,
        answers: answers.as_ref().map(|answers| table(step, view, answers)).transpose()?,
        loss: loss.as_ref().map(|name| (name.clone(), told(view, trainer, name))),
        budget: *budget,
    })
}

/// The ends of a series over all attempts of a step: one that was interrupted goes on where the one before it was.
fn told(view: &RunView, step: &StepName, name: &str) -> Option<Series> {
    let failed = view.steps.get(step).into_iter().flat_map(|seen| &seen.failures).map(|failure| &failure.receipt);
    let told =
        failed.chain(view.commit(step).map(|commit| &commit.receipt)).filter_map(|receipt| receipt.series.get(name));
    told.copied().reduce(|before, after| Series {
        first: before.first,
        last: after.last,
        points: before.points.saturating_add(after.points),
    })
}
