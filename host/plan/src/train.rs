//! A step with a trainer -> the columns that it learns from, and what its predictor will give.

use crate::known::{Given, Kind, Known, Steps, Training, port, trainer};
use crate::plugin_step::{Asked, known, stop};
use crate::{Work, wiring};
use types::{Descriptor, Digest, Field, Id, OutputRef, Port, Problem};

/// The columns of a training table, by their part in it.
struct Parts {
    /// Names; for a table whose columns are not known these are all there is.
    features: Vec<String>,
    feature_fields: Vec<Field>,
    label_field: Option<Field>,
}

pub(crate) fn plan(mut asked: Asked<'_, '_>, steps: &Steps) -> Result<Known, Vec<Problem>> {
    let train = asked.required("train")?;
    let (validation, initial) = (asked.optional("validation"), asked.optional("initial"));
    let columns = asked.table("train").map_or(Vec::new(), |taken| taken.columns.to_vec());
    let parts = parts(&asked, &train, &columns)?;
    let ports = ports(&asked, &columns, &parts);
    let (descriptor, plugin) = asked.describe(&ports)?;
    asked.wiring(&descriptor, &["features", "label"])?;
    stop(unlabelled(&asked, &descriptor).into_iter().collect())?;
    stop(initial.iter().filter_map(|model| foreign(&asked, model, plugin.component, steps)).collect())?;
    let Some(predictions) = wiring::gives(&descriptor, "predictions") else {
        return Err(asked.mistake(&descriptor, "names no output `predictions`"));
    };
    let step = asked.step;
    let training = Training {
        train: train.clone(),
        features: parts.feature_fields,
        label: step.label.clone(),
        predictions: predictions.to_vec(),
    };
    let (features, label, weight) = (parts.features, step.label.clone(), step.weight.clone());
    let work = Work::Train { plugin, train, validation, initial, features, label, weight };
    Ok(Known { training: Some(training), ..known(work, [("model", Given::other(Kind::Model))]) })
}

/// The host makes the port `label` of the step's key: a plugin that names it among its inputs learns nothing without.
fn unlabelled(asked: &Asked<'_, '_>, descriptor: &Descriptor) -> Option<Problem> {
    let step = asked.step;
    if step.label.is_some() || descriptor.inputs.iter().all(|input| input.name.as_str() != "label") {
        return None;
    }
    let message = format!("step `{}` lacks `label`: plugin `{}` learns a column", step.name, descriptor.name);
    let hint = "name the column to learn, such as `label = \"price\"`";
    Some(Problem::new(message).at(step.place_of_key(&["label"])).hinted(hint))
}

/// A model that this plugin did not make: its files mean nothing to it.
fn foreign(asked: &Asked<'_, '_>, model: &OutputRef, component: Digest, steps: &Steps) -> Option<Problem> {
    let maker = trainer(steps, model).and_then(|(_, known)| known.work.plugin())?;
    if maker.component == component {
        return None;
    }
    let message =
        format!("step `{}` starts from `{model}`, a model of another plugin, `{}`", asked.step.name, maker.name);
    let place = asked.step.place_of(&["inputs", "initial"]);
    Some(Problem::new(message).at(place).hinted("a learner goes on from a model of its own"))
}

fn ports(asked: &Asked<'_, '_>, columns: &[Field], parts: &Parts) -> Vec<Port> {
    let mut ports = vec![
        Port { name: port("train"), columns: columns.to_vec() },
        Port { name: port("features"), columns: parts.feature_fields.clone() },
    ];
    if asked.step.label.is_some() {
        ports.push(Port { name: port("label"), columns: parts.label_field.iter().cloned().collect() });
    }
    if let Some(taken) = asked.table("validation") {
        ports.push(Port { name: port("validation"), columns: taken.columns.to_vec() });
    }
    if asked.table("initial").is_some() {
        ports.push(Port { name: port("initial"), columns: Vec::new() });
    }
    ports
}

fn parts(asked: &Asked<'_, '_>, train: &OutputRef, columns: &[Field]) -> Result<Parts, Vec<Problem>> {
    let step = asked.step;
    if columns.is_empty() {
        return match &step.features {
            Some(features) => Ok(Parts { features: features.clone(), feature_fields: Vec::new(), label_field: None }),
            None => {
                let message = format!("step `{}` lacks `features`: the columns of `{train}` are not known", step.name);
                let problem = Problem::new(message).at(step.place_of_key(&["features"]));
                Err(vec![problem.hinted("name the columns to learn from, such as `features = [\"age\"]`")])
            }
        };
    }
    let mut problems = Vec::new();
    let mut find = |path: &[&str], name: &str| {
        wiring::column(step, path, train, columns, name).map_err(|problem| problems.push(problem)).ok()
    };
    let label_field = step.label.as_deref().and_then(|name| find(&["label"], name)).cloned();
    step.weight.as_deref().and_then(|name| find(&["weight"], name));
    for (index, name) in step.ignore.iter().enumerate() {
        find(&["ignore", &index.to_string()], name);
    }
    let named = step.features.as_ref().map(|names| {
        let find = |(index, name): (usize, &String)| find(&["features", &index.to_string()], name).cloned();
        names.iter().enumerate().filter_map(find).collect::<Vec<Field>>()
    });
    problems.extend(double_duty(asked));
    let feature_fields = named.unwrap_or_else(|| numbers(asked, columns));
    if feature_fields.is_empty() && problems.is_empty() {
        let message =
            format!("step `{}` has nothing to learn from: no column of numbers is left in `{train}`", step.name);
        problems
            .push(Problem::new(message).at(step.place_of(&["inputs", "train"])).hinted("name columns in `features`"));
    }
    stop(problems)?;
    let features = feature_fields.iter().map(|field| field.name.clone()).collect();
    Ok(Parts { features, feature_fields, label_field })
}

/// Every column of numbers that has no other part.
fn numbers(asked: &Asked<'_, '_>, columns: &[Field]) -> Vec<Field> {
    let step = asked.step;
    let taken = |name: &String| step.label.as_ref() == Some(name) || step.weight.as_ref() == Some(name);
    let free = |field: &&Field| !taken(&field.name) && !step.ignore.contains(&field.name);
    columns.iter().filter(|field| field.data_type.is_numeric()).filter(free).cloned().collect()
}

/// Columns that would be learnt from and be the answer, or be the weight, at once.
fn double_duty(asked: &Asked<'_, '_>) -> Vec<Problem> {
    let step = asked.step;
    let mut problems = Vec::new();
    let mut wrong = |path: &[&str], what: String, hint: &str| {
        let problem = Problem::new(format!("step `{}`: {what}", step.name));
        problems.push(problem.at(step.place_of(path)).hinted(hint));
    };
    for (index, name) in step.features.iter().flatten().enumerate() {
        if step.label.as_ref() == Some(name) {
            wrong(&["features", &index.to_string()], format!("`{name}` is the label and a feature"), "remove it here");
        }
    }
    if step.label.is_some() && step.label == step.weight {
        wrong(&["weight"], "the label is the weight too".to_owned(), "name another column");
    }
    for (index, name) in step.ignore.iter().enumerate() {
        if step.label.as_ref() == Some(name) || step.weight.as_ref() == Some(name) {
            let what = format!("`{name}` is ignored, and label or weight");
            wrong(&["ignore", &index.to_string()], what, "remove it here: neither is a feature");
        }
    }
    problems
}
