//! A planned step and what its inputs committed -> the call for one attempt. Pure. Work that the host does itself has none.

use crate::{Choice, RunView, chosen, examine};
use plan::{PlannedPlugin, PlannedStep, Work};
use ports::{Assignment, Call, Delivery, Tables, Task, Turn};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use types::{Artifact, Digest, Fault, Id, OutputRef, PortName, RunHead, SavedFile, TableRef, TenantId};

/// The call for a step whose inputs are committed; paths of grants are relative to `base`, a collector goes on at `cursor`.
/// A fault is ours: the plan was checked.
pub fn call_for(
    step: &PlannedStep,
    view: &RunView,
    tenant: &TenantId,
    base: &Path,
    priority: i32,
    cursor: Option<String>,
) -> Result<Call, Fault> {
    let (component, parameters) = match (&step.work, step.work.plugin()) {
        (_, Some(plugin)) => (plugin.component, plugin.parameters.clone()),
        (Work::Feedback { .. } | Work::Examine { .. }, None) => (Digest::of(b""), json!({})),
        _ => return Err(Fault::host(format!("{} has no plugin to call", who(step)))),
    };
    let head = view.head.as_ref().ok_or_else(|| Fault::host(format!("{} belongs to no run", who(step))))?;
    let assignment = Assignment {
        component,
        parameters,
        seed: chosen::seed(step),
        logical_time_us: head.logical_time_us,
        limits: step.limits,
        device: step.device,
        checkpoint: view.steps.get(&step.name).and_then(|step| step.checkpoint),
        task: match &step.work {
            Work::Deliver { what, trainer, .. } => {
                let delivery = delivery(step, view, what, trainer.as_ref())?;
                Task::Deliver { key: delivery_key(tenant, head, step), delivery }
            }
            _ => task(step, view, cursor)?,
        },
    };
    let turn = Turn { priority, pool: step.pool.clone() };
    Ok(Call { who: who(step), assignment, grants: step.grants.clone(), base: base.to_owned(), turn })
}

/// The step and its plugin, for errors.
pub(crate) fn who(step: &PlannedStep) -> String {
    match step.work.plugin() {
        Some(plugin) => format!("step `{}` (plugin `{}`)", step.name, plugin.name),
        None => format!("step `{}`", step.name),
    }
}

fn task(step: &PlannedStep, view: &RunView, cursor: Option<String>) -> Result<Task, Fault> {
    let one = |port: &str, output: &OutputRef| match step.given.iter().find(|(given, _)| given.as_str() == port) {
        Some((_, table)) => Ok(table.clone()),
        None => table(step, view, output),
    };
    let maybe = |port: &str, output: &Option<OutputRef>| output.as_ref().map(|output| one(port, output)).transpose();
    let many = |outputs: &BTreeMap<PortName, OutputRef>| -> Result<Tables, Fault> {
        outputs.iter().map(|(port, output)| Ok((port.clone(), one(port.as_str(), output)?))).collect()
    };
    Ok(match &step.work {
        Work::Collect { .. } => Task::Collect { cursor },
        Work::Transform { inputs, .. } => Task::Transform { inputs: many(inputs)? },
        Work::Fit { fit, inputs, reads, .. } => {
            let gives = step.outputs.values().find(|columns| !columns.is_empty());
            let gives = gives.into_iter().flatten().map(|field| field.name.clone()).collect();
            Task::Fit { fit: maybe("fit", fit)?, inputs: many(inputs)?, reads: reads.clone(), gives }
        }
        Work::Check { rows, reference, .. } => {
            Task::Check { rows: one("table", rows)?, reference: maybe("reference", reference)? }
        }
        Work::Train { train, validation, initial, features, label, weight, .. } => Task::Train {
            train: one("train", train)?,
            validation: maybe("validation", validation)?,
            features: features.clone(),
            label: label.clone(),
            weight: weight.clone(),
            initial: initial.as_ref().map(|from| Ok::<_, Fault>(model(step, view, from)?.0)).transpose()?,
        },
        Work::Predict { rows, model: from, .. } => {
            let (model, reads) = model(step, view, from)?;
            Task::Predict { rows: one("rows", rows)?, model, reads }
        }
        Work::PredictWith { rows, chosen, .. } => chosen::task(step, chosen.as_ref(), one("rows", rows)?)?,
        Work::Evaluate { candidate, baseline, slices, .. } => Task::Evaluate {
            candidate: one("candidate", candidate)?,
            // Where no version has its alias, `decide` lets the step begin without.
            baseline: match baseline {
                Some(output) if *view.choice(&output.step) == Choice::Nobody => None,
                _ => maybe("baseline", baseline)?,
            },
            slices: slices.clone(),
        },
        Work::Examine { .. } => Task::Examine { examination: Box::new(examine::examination(step, view)?) },
        Work::Feedback { endpoint, .. } => {
            let columns = |port: &str| {
                let found = step.outputs.iter().find(|(given, _)| given.as_str() == port);
                found.map(|(_, columns)| columns.clone()).unwrap_or_default()
            };
            Task::Feedback { endpoint: endpoint.clone(), table: columns("table"), joined: columns("joined") }
        }
        Work::Deliver { .. } | Work::Gate { .. } | Work::Gather { .. } | Work::Best { .. } | Work::Register { .. } => {
            return Err(Fault::host(format!("{} is not work for a plugin", who(step))));
        }
    })
}

pub(crate) fn table(step: &PlannedStep, view: &RunView, output: &OutputRef) -> Result<TableRef, Fault> {
    match view.output(output) {
        Some(Artifact::Table(table)) => Ok(table.clone()),
        other => Err(wrong_input(step, output, "a table", other)),
    }
}

/// The files of a model, and the columns it reads.
fn model(step: &PlannedStep, view: &RunView, output: &OutputRef) -> Result<(Vec<SavedFile>, Vec<String>), Fault> {
    match view.output(output) {
        Some(Artifact::Model { files, signature, .. }) => {
            Ok((files.clone(), signature.inputs.iter().map(|field| field.name.clone()).collect()))
        }
        other => Err(wrong_input(step, output, "a model", other)),
    }
}

/// Names what is delivered. It is the same for every attempt, in a resumed run too, so that a sink can tell a repetition; at
/// most 256 of `a-z 0-9 . _ - /`, since the names in it have at most 64.
fn delivery_key(tenant: &TenantId, head: &RunHead, step: &PlannedStep) -> String {
    format!("{tenant}/{}/{}/{}", head.pipeline, head.run, step.name)
}

fn delivery(
    step: &PlannedStep,
    view: &RunView,
    what: &OutputRef,
    trainer: Option<&PlannedPlugin>,
) -> Result<Delivery, Fault> {
    match view.output(what) {
        Some(Artifact::Table(table)) => Ok(Delivery::Table { table: table.clone() }),
        Some(Artifact::Measures { measures }) => Ok(Delivery::Report { report: json!(measures) }),
        Some(Artifact::Findings { findings }) => Ok(Delivery::Report { report: json!(findings) }),
        Some(Artifact::Model { files, signature, measures }) => {
            let about = json!({ "plugin": trainer, "signature": signature, "measures": measures });
            Ok(Delivery::Model { files: files.clone(), about })
        }
        other => Err(wrong_input(step, what, "a table, a report or a model", other)),
    }
}

/// An input that is not there or is something else.
pub(crate) fn wrong_input(step: &PlannedStep, output: &OutputRef, expected: &str, got: Option<&Artifact>) -> Fault {
    let got = got.map_or("nothing", Artifact::kind);
    Fault::host(format!("{} takes {expected} from `{output}`, where there is {got}", who(step)))
}
