//! A collector's pages -> one table. The cursor belongs to a source, not to a run: a later run of the same step, with the
//! same plugin and parameters, goes on where the last page ended, and its output is all pages so far.

use crate::call::who;
use data::Table;
use plan::{Plan, PlannedStep};
use ports::{Blobs, SourceState};
use std::collections::HashMap;
use std::path::PathBuf;
use types::{Digest, Fault, FaultKind, TableRef, TenantId};

/// The name of what a collector reads; none for other steps. Another plugin or other parameters begin anew.
pub fn source_of(plan: &Plan, step: &PlannedStep) -> Option<Digest> {
    let plan::Work::Collect { plugin } = &step.work else { return None };
    Some(Digest::of_json(&(&plan.project, &plan.pipeline, &step.name, plugin.component, &plugin.parameters)))
}

/// The pages as one stored table, canonical: the digest is that of the same rows read in one page.
pub(crate) fn put_together(
    step: &PlannedStep,
    source: &SourceState,
    tenant: &TenantId,
    blobs: &dyn Blobs,
) -> Result<TableRef, Fault> {
    let pages: Vec<_> = source.pages.iter().filter(|page| page.rows > 0).collect();
    match pages.as_slice() {
        [] => Err(Fault::invalid(format!("{}: the source has no rows, expected at least one", who(step)))),
        // Written by a worker in canonical form, like every other output.
        [page] => Ok((*page).clone()),
        pages => {
            let open = |page: &&TableRef| open(step, page, tenant, blobs);
            let tables = pages.iter().map(open).collect::<Result<Vec<_>, _>>()?;
            let unfit = |error| columns_changed(Fault::invalid(format!("{}: {error}", who(step))));
            let whole = Table::concat(&tables).map_err(unfit)?;
            write(step, &whole, tenant, blobs)
        }
    }
}

/// The fault of pages that do not fit together: the data's, not the plugin's.
pub(crate) fn columns_changed(fault: Fault) -> Fault {
    let hint = "the source's columns changed since an earlier run; collect it under another step name to begin anew";
    Fault { kind: FaultKind::Invalid, ..fault }.hinted(hint)
}

/// A stored table, mapped and verified.
pub(crate) fn open(step: &PlannedStep, table: &TableRef, tenant: &TenantId, blobs: &dyn Blobs) -> Result<Table, Fault> {
    let located = table.parts.iter().map(|part| Ok((*part, blobs.path(tenant, *part)?)));
    let paths: HashMap<Digest, PathBuf> = located.collect::<Result<_, Fault>>()?;
    let path_of = |part: &Digest| paths.get(part).cloned().unwrap_or_default();
    data::open(table, path_of).map_err(|error| match error {
        data::Error::Io { .. } => Fault::damaged(format!("{}: {error}", who(step))),
        // Whoever wrote it may have written it so; if not, the folder is damaged.
        data::Error::Damaged(_) => {
            let damaged = Fault::damaged(format!("{}: table {}: {error}", who(step), table.digest.short()));
            Fault { kind: FaultKind::Guest, ..damaged }
        }
        _ => Fault::guest(format!("{}: table {}: {error}", who(step), table.digest.short())),
    })
}

/// Stores a table.
pub(crate) fn write(
    step: &PlannedStep,
    table: &Table,
    tenant: &TenantId,
    blobs: &dyn Blobs,
) -> Result<TableRef, Fault> {
    let mut unstored = None;
    let written = data::write(table, |part| match blobs.put(tenant, &part.bytes) {
        Ok(_) => Ok(()),
        Err(fault) => {
            let reason = fault.message.clone();
            unstored = Some(fault);
            Err(data::Error::Shape(reason))
        }
    });
    written.map_err(|error| unstored.unwrap_or_else(|| Fault::host(format!("{}: {error}", who(step)))))
}
