//! What a worker says it made -> outputs as the plan names them, or the plugin's fault. A worker may have been taken over by
//! its guest, so nothing it says is believed: ports, kinds, columns, row counts, and that the blobs are there.

use crate::call::who;
use plan::{PlannedStep, Work};
use ports::{Blobs, Task};
use std::collections::{BTreeMap, BTreeSet};
use types::{Artifact, CURSOR_BYTES_MAX, Fault, Field, Id, Measure, PortName, Schema, TableRef, TenantId};

/// Outputs of a step, by port.
pub(crate) type Outputs = BTreeMap<PortName, Artifact>;

/// Whether a worker's outputs are those that the plan names.
pub(crate) fn check(step: &PlannedStep, task: &Task, outputs: &Outputs) -> Result<(), Fault> {
    let expected: BTreeSet<_> = step.outputs.keys().filter(|port| !is_hosts(step, port)).collect();
    let got: BTreeSet<_> = outputs.keys().collect();
    if expected != got {
        let (expected, got) = (listed(&expected), listed(&got));
        return Err(Fault::guest(format!("{}: expected the outputs {expected}, got {got}", who(step))));
    }
    outputs.iter().try_for_each(|(port, artifact)| check_one(step, task, port, artifact))
}

fn check_one(step: &PlannedStep, task: &Task, port: &PortName, artifact: &Artifact) -> Result<(), Fault> {
    let expected = kind(&step.work, port);
    if artifact.kind() != expected {
        let got = artifact.kind();
        return Err(Fault::guest(format!("{}: output `{port}` is of kind {got}, expected {expected}", who(step))));
    }
    if let Some(oversized) = artifact.oversized() {
        return Err(Fault::guest(format!("{}: output `{port}`: {oversized}", who(step))));
    }
    match artifact {
        Artifact::Table(table) => {
            check_columns(step, port, &table.schema)?;
            check_rows(step, task, port, table)
        }
        Artifact::Model { measures, .. } | Artifact::Measures { measures } => check_measures(step, measures),
        _ => Ok(()),
    }
}

/// Whether a page's cursor can be kept: bytes as hexadecimal digits, and not too many.
pub(crate) fn check_cursor(step: &PlannedStep, cursor: &str) -> Result<(), Fault> {
    let (got, most) = (cursor.len() / 2, CURSOR_BYTES_MAX);
    if got > most {
        return Err(Fault::guest(format!("{}: gives a cursor of {got} bytes, at most {most} are taken", who(step))));
    }
    match cursor.len().is_multiple_of(2) && cursor.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(Fault::guest(format!("{}: gives a cursor that is not hexadecimal", who(step)))),
    }
}

/// Whether a table has the columns that the plan knows of, by name and type, in order.
pub(crate) fn check_columns(step: &PlannedStep, port: &PortName, schema: &Schema) -> Result<(), Fault> {
    let expected = step.outputs.get(port).map_or(&[][..], Vec::as_slice);
    let same = |(expected, got): (&Field, &Field)| expected.name == got.name && expected.data_type == got.data_type;
    let as_planned = expected.len() == schema.fields.len() && expected.iter().zip(&schema.fields).all(same);
    if expected.is_empty() || as_planned {
        return Ok(());
    }
    let (expected, got) = (columns(expected), columns(&schema.fields));
    Err(Fault::guest(format!("{}: output `{port}`: expected the columns {expected}; got {got}", who(step))))
}

/// Fitted steps and predictors answer row by row.
fn check_rows(step: &PlannedStep, task: &Task, port: &PortName, table: &TableRef) -> Result<(), Fault> {
    let expected = match task {
        Task::Fit { inputs, .. } => inputs.get(port).map(|input| input.rows),
        Task::Predict { rows, .. } => Some(rows.rows),
        _ => None,
    };
    match expected.filter(|&expected| expected != table.rows) {
        Some(expected) => {
            let got = table.rows;
            Err(Fault::guest(format!("{}: output `{port}`: expected {expected} rows, got {got}", who(step))))
        }
        None => Ok(()),
    }
}

/// A record is JSON, which has no NaN: one would make the journal unreadable. What cannot be measured is to be left out.
fn check_measures(step: &PlannedStep, measures: &[Measure]) -> Result<(), Fault> {
    let finite = |measure: &&Measure| {
        let intervals = [measure.interval, measure.difference_interval];
        let bounds = intervals.into_iter().flatten().flat_map(|interval| [interval.low, interval.high]);
        [measure.value].into_iter().chain(measure.baseline_value).chain(bounds).all(f64::is_finite)
    };
    match measures.iter().find(|measure| !finite(measure)) {
        Some(Measure { name, value, .. }) => Err(Fault::guest(format!(
            "{}: measure `{name}` is {value} or has such a bound, expected finite numbers",
            who(step)
        ))),
        None => Ok(()),
    }
}

/// Whether the blobs that the outputs point at are there: a record may only point at what exists.
pub(crate) fn check_blobs(
    step: &PlannedStep,
    outputs: &Outputs,
    tenant: &TenantId,
    blobs: &dyn Blobs,
) -> Result<(), Fault> {
    for (port, artifact) in outputs {
        for digest in artifact.blobs() {
            blobs.path(tenant, digest).map_err(|fault| {
                Fault::guest(format!("{}: output `{port}` is not stored: {}", who(step), fault.message))
            })?;
        }
    }
    Ok(())
}

/// A validator passes its rows on; the host does that for it.
fn is_hosts(step: &PlannedStep, port: &PortName) -> bool {
    matches!(step.work, Work::Check { .. }) && port.as_str() == "table"
}

fn kind(work: &Work, port: &PortName) -> &'static str {
    match work {
        Work::Fit { .. } if port.as_str() == "state" => "state",
        Work::Check { .. } => "findings",
        Work::Train { .. } => "model",
        Work::Best { .. } if port.as_str() == "model" => "model",
        Work::Best { .. } => "measures",
        Work::Gather { .. } => "anything",
        Work::Evaluate { .. } => "measures",
        Work::Deliver { .. } => "delivered",
        Work::Gate { .. } | Work::Examine { .. } => "verdict",
        Work::Register { .. } => "version",
        Work::Collect { .. } | Work::Feedback { .. } | Work::Transform { .. } | Work::Fit { .. } => "table",
        Work::Predict { .. } | Work::PredictWith { .. } => "table",
    }
}

fn listed(ports: &BTreeSet<&PortName>) -> String {
    let names: Vec<_> = ports.iter().map(|port| format!("`{port}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn columns(fields: &[Field]) -> String {
    let columns: Vec<_> = fields.iter().map(|field| format!("`{}` {}", field.name, field.data_type)).collect();
    if columns.is_empty() { "none".to_owned() } else { columns.join(", ") }
}
