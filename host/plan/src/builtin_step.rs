//! The steps that the host does itself -> what they take and give.

use crate::known::{Given, Kind, Known, Rows, Steps, find, take, trainer};
use crate::plugin_step::{known, stop};
use crate::{Describe, Work, examine, gate, served, wiring};
use manifest::{Builtin, Pipeline, Source, Step};
use types::{EndpointName, Field, Id, OutputRef, PortName, Problem};

pub(crate) fn plan(
    pipeline: &Pipeline,
    step: &Step,
    builtin: &Builtin,
    steps: &Steps,
    plugins: &mut Describe<'_>,
) -> Result<Known, Vec<Problem>> {
    match builtin {
        Builtin::Predict => predict(step, steps),
        Builtin::PredictWith { model, alias } => {
            let (rows, _) = input(step, steps, "rows", Kind::Table)?;
            let work = Work::PredictWith { rows, model: model.clone(), alias: alias.clone(), chosen: None };
            // Which columns a version reads and gives is known when it was looked up.
            Ok(known(work, [("table", Given::table(Vec::new(), Rows::Made("adds a model's predictions")))]))
        }
        Builtin::Gate { require, leniency } => {
            let (measures, _) = input(step, steps, "measures", Kind::Measures)?;
            gate::plan(step, steps, measures, require, *leniency)
        }
        Builtin::Examine { loss, budget, .. } => examine::plan(pipeline, step, steps, loss.as_deref(), *budget),
        Builtin::Best { measure, slice, highest } => best(step, steps, measure, slice.as_deref(), *highest),
        Builtin::Register { .. } => register(pipeline, step, builtin, steps),
        Builtin::Feedback { endpoint, label } => feedback(step, endpoint, label, plugins),
    }
}

/// A request brings such rows as were asked about before, so what learns from them can be served.
fn feedback(
    step: &Step,
    endpoint: &EndpointName,
    label: &str,
    plugins: &mut Describe<'_>,
) -> Result<Known, Vec<Problem>> {
    let placed = |problem: Problem| vec![problem.at(step.place_of(&["endpoint"]))];
    let described = plugins(step, Some(&[])).map_err(placed)?.descriptor;
    let columns = |port| wiring::gives(&described, port).map(<[Field]>::to_vec).unwrap_or_default();
    let work = Work::Feedback { endpoint: endpoint.clone(), label: label.to_owned() };
    let table = Given::table(columns("table"), Rows::Collected);
    Ok(known(
        work,
        [("table", table), ("joined", Given::table(columns("joined"), Rows::Made("knows what was predicted")))],
    ))
}

/// The input of a port that the manifest has found wired.
pub(crate) fn input<'k>(
    step: &Step,
    steps: &'k Steps,
    port: &str,
    kind: Kind,
) -> Result<(OutputRef, &'k Given), Vec<Problem>> {
    let wired = PortName::parse(port).ok().and_then(|port| step.inputs.get(&port));
    let Some(output) = wired else {
        let message = format!("step `{}` lacks its input `{port}`", step.name);
        return Err(vec![Problem::new(message).at(step.place_of(&["inputs"]))]);
    };
    let taken = match step.source {
        // It looks at each item's by itself.
        Source::Builtin(Builtin::Best { .. }) => find(steps, step, &["inputs", port], output, &[kind]),
        _ => take(steps, step, &["inputs", port], output, &[kind]),
    };
    Ok((output.clone(), taken.map_err(|problem| vec![problem])?))
}

/// A model of several, and its measures: both are of the items of one step.
fn best(step: &Step, steps: &Steps, measure: &str, slice: Option<&str>, highest: bool) -> Result<Known, Vec<Problem>> {
    let found = (input(step, steps, "model", Kind::Model), input(step, steps, "measures", Kind::Measures));
    let ((model, _), (measures, _)) = match found {
        (Ok(model), Ok(measures)) => (model, measures),
        (model, measures) => return Err([model.err(), measures.err()].into_iter().flatten().flatten().collect()),
    };
    let root = |output: &OutputRef| steps.get(&output.step).and_then(|known| known.root.as_ref());
    let alone = [("model", &model), ("measures", &measures)].into_iter().filter(|(_, output)| root(output).is_none());
    let alone = alone.map(|(port, output)| {
        let message =
            format!("step `{}` chooses among several; `{output}` is one, of a step without `each`", step.name);
        Problem::new(message).at(step.place_of(&["inputs", port])).hinted("take it from a step with `each`")
    });
    stop(alone.collect())?;
    if root(&model) != root(&measures) {
        let message = format!("step `{}`: `{measures}` is not measured for the items of `{model}`", step.name);
        let hint = format!("measure in a step with `each = {{ like = \"{}\" }}`", model.step);
        return Err(vec![Problem::new(message).at(step.place_of(&["inputs", "measures"])).hinted(hint)]);
    }
    let (measure, slice) = (measure.to_owned(), slice.map(str::to_owned));
    let work = Work::Best { model, measures, measure, slice, highest, parts: Vec::new() };
    Ok(known(work, [("model", Given::other(Kind::Model)), ("measures", Given::other(Kind::Measures))]))
}

fn predict(step: &Step, steps: &Steps) -> Result<Known, Vec<Problem>> {
    let (rows, table) = match (input(step, steps, "rows", Kind::Table), input(step, steps, "model", Kind::Model)) {
        (Ok(rows), Ok(_)) => rows,
        (rows, model) => return Err([rows.err(), model.err()].into_iter().flatten().flatten().collect()),
    };
    let (model, _) = input(step, steps, "model", Kind::Model)?;
    let trainer = trainer(steps, &model).map(|(_, known)| known);
    let (Some(training), Some(plugin)) =
        (trainer.and_then(|known| known.training.as_ref()), trainer.and_then(|known| known.work.plugin()))
    else {
        return Err(vec![
            Problem::new(format!("`{model}` is made by no trainer")).at(step.place_of(&["inputs", "model"])),
        ]);
    };
    let mut problems = wiring::columns(step, &["inputs", "rows"], &rows, &table.columns, &training.features);
    for field in &training.predictions {
        if table.columns.iter().any(|column| column.name == field.name) {
            let message = format!("`{model}` predicts a column `{}`; `{rows}` has one already", field.name);
            let problem = Problem::new(message).at(step.place_of(&["inputs", "rows"]));
            problems.push(problem.hinted("rename the column in an earlier step"));
        }
    }
    stop(problems)?;
    let columns: Vec<Field> = match table.columns.is_empty() || training.predictions.is_empty() {
        // Half of the columns would look like all of them.
        true => Vec::new(),
        false => table.columns.iter().chain(&training.predictions).cloned().collect(),
    };
    let given = Given::table(columns, Rows::Made("adds a model's predictions"));
    Ok(known(Work::Predict { plugin: plugin.clone(), rows, model }, [("table", given)]))
}

fn register(pipeline: &Pipeline, step: &Step, builtin: &Builtin, steps: &Steps) -> Result<Known, Vec<Problem>> {
    let Builtin::Register { name, alias, purpose } = builtin else { return Err(Vec::new()) };
    let mut problems = Vec::new();
    let mut judged = |port: &str| match judgement(step, steps, port) {
        Ok(output) => output,
        Err(wrong) => {
            problems.extend(wrong);
            None
        }
    };
    let (verdict, examined) = (judged("verdict"), judged("examined"));
    let model = match input(step, steps, "model", Kind::Model) {
        Ok((model, _)) => model,
        Err(wrong) => {
            problems.extend(wrong);
            return Err(problems);
        }
    };
    let served = match served::path(pipeline, steps, step, &model) {
        Ok(served) => served,
        Err(wrong) => {
            problems.extend(wrong);
            return Err(problems);
        }
    };
    stop(problems)?;
    let judged = verdict.as_ref().and_then(|verdict| steps.get(&verdict.step)).map(|known| &known.work);
    let measures = match judged {
        Some(Work::Gate { measures, .. }) => Some(measures.clone()),
        _ => None,
    };
    let (name, alias, purpose) = (name.clone(), alias.clone(), purpose.clone());
    let work = Work::Register { model, verdict, examined, measures, name, alias, purpose, served };
    Ok(known(work, [("version", Given::other(Kind::Version))]))
}

/// What must have passed: at `verdict` a gate, at `examined` an examination, of the model that is registered.
fn judgement(step: &Step, steps: &Steps, port: &str) -> Result<Option<OutputRef>, Vec<Problem>> {
    if step.inputs.keys().all(|wired| wired.as_str() != port) {
        return Ok(None);
    }
    let (output, _) = input(step, steps, port, Kind::Verdict)?;
    let wrong = |message: String| vec![Problem::new(message).at(step.place_of(&["inputs", port]))];
    match (port, steps.get(&output.step).map(|known| &known.work)) {
        ("verdict", Some(Work::Examine { .. })) => {
            let mut wrong = wrong(format!(
                "step `{}` wants a gate's verdict at `verdict`; `{output}` is an examination's",
                step.name
            ));
            wrong.iter_mut().for_each(|problem| problem.hint = Some(format!("write `examined = \"{output}\"`")));
            Err(wrong)
        }
        ("examined", Some(Work::Examine { model, .. })) => {
            let registered = input(step, steps, "model", Kind::Model).map(|(model, _)| model);
            match registered.is_ok_and(|registered| registered != *model) {
                true => Err(wrong(format!(
                    "step `{}` registers another model than `{model}`, which `{}` examines",
                    step.name, output.step
                ))),
                false => Ok(Some(output)),
            }
        }
        ("examined", _) => Err(wrong(format!(
            "step `{}` wants an examination at `examined`; `{output}` is a gate's verdict",
            step.name
        ))),
        _ => Ok(Some(output)),
    }
}
