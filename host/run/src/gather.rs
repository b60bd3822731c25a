//! A step with several items: its rows -> one table an item, and the items' outputs -> its own. On a thread of its own, in
//! the server, when it is an attempt's turn (`ports::StepRunner::host_work`): what is read and written is bounded by the step's
//! `limits.output`.

use crate::call::who;
use crate::outputs::Outputs;
use crate::source;
use data::Table;
use plan::{Each, ITEMS_MAX, PlannedStep};
use ports::Blobs;
use serde_json::Value;
use types::{Artifact, Fault, Finding, Item, LimitKind, Measure, PortName, TableRef, TenantId};

/// What an item gave, by its label.
pub(crate) type Part = (String, Outputs);

/// The items of a step that runs for each value of a column, in the values' order.
pub(crate) fn split(
    step: &PlannedStep,
    rows: &TableRef,
    tenant: &TenantId,
    blobs: &dyn Blobs,
) -> Result<Vec<Item>, Fault> {
    let Some(Each::Rows { by, .. }) = &step.each else {
        return Err(Fault::host(format!("{} has no rows to split", who(step))));
    };
    bounded(step, rows.bytes)?;
    let table = source::open(step, rows, tenant, blobs)?;
    let unfit = |error| Fault::invalid(format!("{}: {error}", who(step)));
    let groups = data::groups(&table, by, ITEMS_MAX).map_err(unfit)?;
    let item = |(value, rows): (Value, Vec<u64>)| {
        let part = table.take(&rows).map_err(unfit)?;
        let label = format!("{by}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let table = Some(source::write(step, &part, tenant, blobs)?);
        Ok(Item { label: label.chars().take(80).collect(), value: Some(value), table })
    };
    groups.into_iter().map(item).collect()
}

/// What the parts gave, port by port: tables one after another, measures and findings under the items' labels. Of a port that
/// carries anything else there is nothing to gather.
pub(crate) fn gather(
    step: &PlannedStep,
    parts: &[Part],
    tenant: &TenantId,
    blobs: &dyn Blobs,
) -> Result<Outputs, Fault> {
    let mut outputs = Outputs::new();
    for port in step.outputs.keys() {
        let given: Vec<_> =
            parts.iter().filter_map(|(label, outputs)| Some((label.as_str(), outputs.get(port)?))).collect();
        if let Some(artifact) = gathered(step, port, &given, tenant, blobs)? {
            outputs.insert(port.clone(), artifact);
        }
    }
    Ok(outputs)
}

fn gathered(
    step: &PlannedStep,
    port: &PortName,
    given: &[(&str, &Artifact)],
    tenant: &TenantId,
    blobs: &dyn Blobs,
) -> Result<Option<Artifact>, Fault> {
    let artifact = match given.first() {
        Some((_, Artifact::Table(_))) => {
            let tables: Vec<_> = given.iter().filter_map(|(_, artifact)| table(artifact)).collect();
            Artifact::Table(one_after_another(step, port, &tables, tenant, blobs)?)
        }
        Some((_, Artifact::Measures { .. })) => Artifact::Measures {
            measures: given.iter().flat_map(|(label, artifact)| measures(label, artifact)).collect(),
        },
        Some((_, Artifact::Findings { .. })) => Artifact::Findings {
            findings: given.iter().flat_map(|(label, artifact)| findings(label, artifact)).collect(),
        },
        _ => return Ok(None),
    };
    match artifact.oversized() {
        Some(oversized) => Err(Fault::guest(format!("{}: output `{port}` of all items: {oversized}", who(step)))),
        None => Ok(Some(artifact)),
    }
}

fn one_after_another(
    step: &PlannedStep,
    port: &PortName,
    tables: &[&TableRef],
    tenant: &TenantId,
    blobs: &dyn Blobs,
) -> Result<TableRef, Fault> {
    bounded(step, tables.iter().fold(0, |bytes, table| bytes.saturating_add(table.bytes)))?;
    let with_rows: Vec<_> = tables.iter().filter(|table| table.rows > 0).collect();
    match (with_rows.as_slice(), tables) {
        ([], [first, ..]) => return Ok((*first).clone()),
        ([only], _) => return Ok((**only).clone()),
        _ => {}
    }
    let opened =
        with_rows.iter().map(|table| source::open(step, table, tenant, blobs)).collect::<Result<Vec<_>, _>>()?;
    let unfit =
        |error| Fault::guest(format!("{}: output `{port}` of its items do not fit together: {error}", who(step)));
    source::write(step, &Table::concat(&opened).map_err(unfit)?, tenant, blobs)
}

fn bounded(step: &PlannedStep, bytes: u64) -> Result<(), Fault> {
    let most = step.limits.output_bytes;
    match bytes > most {
        true => Err(Fault::beyond(LimitKind::Output, format!("{}: its items have {bytes} bytes", who(step)), most)),
        false => Ok(()),
    }
}

fn table(artifact: &Artifact) -> Option<&TableRef> {
    match artifact {
        Artifact::Table(table) => Some(table),
        _ => None,
    }
}

fn measures(label: &str, artifact: &Artifact) -> Vec<Measure> {
    let Artifact::Measures { measures } = artifact else { return Vec::new() };
    let labelled =
        |measure: &Measure| Measure { slice: Some(under(label, measure.slice.as_deref())), ..measure.clone() };
    measures.iter().map(labelled).collect()
}

fn findings(label: &str, artifact: &Artifact) -> Vec<Finding> {
    let Artifact::Findings { findings } = artifact else { return Vec::new() };
    let labelled = |finding: &Finding| Finding { check: under(label, Some(&finding.check)), ..finding.clone() };
    findings.iter().map(labelled).collect()
}

fn under(label: &str, name: Option<&str>) -> String {
    name.map_or_else(|| label.to_owned(), |name| format!("{label}, {name}"))
}
