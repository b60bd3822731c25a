//! A data folder in which thousands of runs have ended: one was real, the others are its records under other numbers.

use crate::served::Project;
use anyhow::{Context, Result, anyhow, bail, ensure};
use ports::Journal;
use store::Store;
use types::{Fault, Record, RunId, TenantId};

/// Runs that are appended at once.
const AT_ONCE: u64 = 100;

/// Repeats the last run of a pipeline until the project has so many runs. No server may have the folder.
pub(crate) fn lengthen(project: &Project, pipeline: &str, runs: u64) -> Result<()> {
    let ran = project.command(&["run", pipeline]).output()?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let tenant = TenantId::default_tenant();
    let (store, _) = Store::open(&project.data())?;
    let last = store.runs(&tenant).map_err(fault)?.first().map(|run| run.head.run).context("a run was made")?;
    let model = store.run_records(&tenant, last).map_err(fault)?;
    for first in (last.0 + 1..=runs).step_by(AT_ONCE as usize) {
        let numbers = first..(first + AT_ONCE).min(runs + 1);
        let records = numbers.flat_map(|run| model.iter().map(move |record| renumbered(record, RunId(run))));
        store.append(&tenant, &records.collect::<Result<Vec<_>>>()?).map_err(fault)?;
    }
    Ok(())
}

/// The record, as one of another run.
fn renumbered(record: &Record, number: RunId) -> Result<Record> {
    let mut record = record.clone();
    match &mut record {
        Record::RunStarted(head) => head.run = number,
        Record::AttemptStarted { run, .. } | Record::StepCommitted { run, .. } | Record::RunFinished { run, .. } => {
            *run = number;
        }
        other => bail!("a run that goes well has no such record: {other:?}"),
    }
    Ok(record)
}

fn fault(fault: Fault) -> anyhow::Error {
    anyhow!(fault)
}
