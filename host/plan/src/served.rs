//! A trained model -> how a request's columns become its features: back from the training rows to the collector.
//!
//! A request goes through the fitted steps, whose states travel with the model, and passes by steps that only choose or
//! check rows. Anything else made the training rows in a way that a request cannot repeat, so the plan refuses it rather
//! than serve other values than the model was trained on.

use crate::ServedPath;
use crate::known::{Known, Rows, Steps, Training, trainer};
use manifest::{Pipeline, Step};
use std::collections::BTreeSet;
use types::{Field, OutputRef, Problem, StepName};

/// A fitted step on the way, and the columns before and after it.
struct Fitted<'k> {
    name: StepName,
    known: &'k Known,
    before: &'k [Field],
    after: &'k [Field],
}

pub(crate) fn path(
    pipeline: &Pipeline,
    steps: &Steps,
    register: &Step,
    model: &OutputRef,
) -> Result<ServedPath, Vec<Problem>> {
    let refuse = |at: &StepName, message: String, hint: &str| {
        let place = pipeline.step(at).and_then(|step| step.place_of(&["plugin"]));
        let place = place.or_else(|| register.place_of(&["inputs", "model"]));
        vec![Problem::new(message).at(place).hinted(hint)]
    };
    let trained = trainer(steps, model).and_then(|(name, known)| Some((name, known.training.as_ref()?)));
    let Some((trainer, training)) = trained else {
        return Err(refuse(&model.step, format!("`{model}` is made by no trainer"), "register what a trainer gives"));
    };
    let (fitted, collected, source) = way(steps, &training.train, &refuse)?;
    let needed = needed(&fitted, training, &refuse)?;
    if collected.is_empty() || training.features.is_empty() {
        let message = format!(
            "step `{}` cannot say which columns a request must bring: those of `{}` are not known before the run",
            register.name, training.train
        );
        return Err(refuse(&model.step, message, "register only models whose training columns are known"));
    }
    let steps: Vec<_> = fitted.iter().rev().map(|fitted| (fitted.known.reads.as_slice(), fitted.after)).collect();
    let brought = |field: &Field| Field { nullable: field.nullable && may_lack(&steps, &field.name), ..field.clone() };
    let request: Vec<Field> = collected.iter().filter(|field| needed.contains(&field.name)).map(brought).collect();
    if let Some(name) = needed.iter().find(|name| request.iter().all(|field| field.name != **name)) {
        let message = format!("the model needs column `{name}`, which `{source}` does not give");
        return Err(refuse(&source.step, message, "every column comes from the collector or a fitted step"));
    }
    let steps = fitted.into_iter().rev().map(|fitted| fitted.name).collect();
    Ok(ServedPath { steps, trainer: Some(trainer.clone()), request })
}

type Way<'k> = (Vec<Fitted<'k>>, &'k [Field], OutputRef);

/// From the training rows to the collector: fitted steps, last first; the collected columns; and their output.
fn way<'k>(
    steps: &'k Steps,
    train: &OutputRef,
    refuse: &dyn Fn(&StepName, String, &str) -> Vec<Problem>,
) -> Result<Way<'k>, Vec<Problem>> {
    let mut fitted = Vec::new();
    let mut here = train.clone();
    // Each turn goes to a step that was planned earlier, so this ends.
    loop {
        let known = steps.get(&here.step);
        let Some((known, given)) = known.and_then(|known| Some((known, known.given.get(&here.port)?))) else {
            return Err(refuse(&here.step, format!("`{here}` is not planned"), "mend the step first"));
        };
        let next = match &given.rows {
            Rows::Collected => return Ok((fitted, &given.columns, here)),
            Rows::Unchanged(from) => from.clone(),
            Rows::Fitted(_) if known.root.is_some() => {
                let message =
                    format!("step `{}` learns for each of several items, so a request would not know which", here.step);
                return Err(refuse(
                    &here.step,
                    message,
                    "remove its `each`: what stands between a request and its model runs once",
                ));
            }
            Rows::Fitted(from) => {
                let before = steps.get(&from.step).and_then(|known| known.given.get(&from.port));
                let before = before.map_or(&[][..], |given| &given.columns);
                fitted.push(Fitted { name: here.step.clone(), known, before, after: &given.columns });
                from.clone()
            }
            Rows::Made(why) => {
                let message = format!("step `{}` {why}, so the model could not be served", here.step);
                let hint = "between the collector and a registered model, rows are only chosen, checked, or changed by \
                            fitted transformers";
                return Err(refuse(&here.step, message, hint));
            }
        };
        here = next;
    }
}

/// Whether the steps on a request's way, each with the columns that it reads and those that it gives, take a row without the column's
/// value: all that look at it before one fills it in or drops it. A caller who leaves it out is told so by the server then, and not,
/// in the words of the plugin's author, by the step.
fn may_lack(steps: &[(&[Field], &[Field])], column: &str) -> bool {
    let of = |fields: &[Field]| fields.iter().find(|field| field.name == column).map(|field| field.nullable);
    for (reads, gives) in steps {
        match (of(reads), of(gives)) {
            (Some(false), _) => return false,
            (_, Some(true)) => {}
            (_, Some(false) | None) => return true,
        }
    }
    true
}

/// The columns that a request must bring, walking back over the fitted steps. The label is never among them.
fn needed(
    fitted: &[Fitted<'_>],
    training: &Training,
    refuse: &dyn Fn(&StepName, String, &str) -> Vec<Problem>,
) -> Result<BTreeSet<String>, Vec<Problem>> {
    let mut needed: BTreeSet<String> = training.features.iter().map(|field| field.name.clone()).collect();
    for Fitted { name, known, before, after } in fitted {
        let added = |column: &str| {
            after.iter().any(|field| field.name == column) && before.iter().all(|field| field.name != column)
        };
        needed.retain(|column| !added(column));
        needed.extend(known.reads.iter().map(|field| field.name.clone()));
        let Some(label) = &training.label else { continue };
        if known.reads.iter().any(|field| field.name == *label) {
            let message = format!("step `{name}` reads the label `{label}`, which no request brings");
            return Err(refuse(name, message, "leave the column out in the step's parameters"));
        }
        if added(label) {
            let message =
                format!("step `{name}` makes the label `{label}`, so every request would have to bring its parts");
            return Err(refuse(name, message, "let the collector bring the label"));
        }
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::DataType;

    #[test]
    fn the_steps_that_look_before_it_is_filled_in_say_whether_a_value_may_lack() {
        let column =
            |name: &str, nullable| vec![Field { name: name.to_owned(), data_type: DataType::Float64, nullable }];
        let [may, must, other] = [column("rate", true), column("rate", false), column("age", false)];
        let [may, must, other] = [&may, &must, &other].map(Vec::as_slice);
        let (fills, scales, computes) = ((may, must), (may, may), (must, must));
        let (drops, passes) = ((may, other), (other, may));
        for (steps, expected) in [
            (&[passes][..], true),
            (&[fills], true),
            (&[computes], false),
            (&[passes, fills, computes], true),
            (&[computes, fills], false),
            (&[scales, passes, computes], false),
            (&[scales, fills, computes], true),
            (&[drops, computes], true),
            (&[], true),
        ] {
            assert_eq!(may_lack(steps, "rate"), expected, "{steps:?}");
        }
    }
}
