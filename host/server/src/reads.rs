//! What people ask about: runs, their steps and tables, models. Serializable twins of what the store holds.

use crate::runs::no_run;
use crate::{Error, Server};
use ports::{Blobs, Journal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use types::{
    Artifact, Field, Id, ModelName, ModelVersion, OutputRef, PipelineName, PortName, ProjectName, Receipt, RunId,
    RunState, StepName, TenantId,
};

/// The most rows of a table that are shown at once.
const ROWS_MAX: u64 = 10_000;

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunLine {
    pub run: RunId,
    pub project: ProjectName,
    pub pipeline: PipelineName,
    pub state: RunState,
    /// Whether a thread of the server drives it; a running run that is not live waits to be resumed.
    pub live: bool,
    pub started_us: i64,
    pub finished_us: Option<i64>,
}

/// A run with its steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDetail {
    #[serde(rename = "summary")]
    pub line: RunLine,
    pub logical_time_us: i64,
    pub steps: Vec<StepDetail>,
    /// A page for people, once the run has ended.
    pub report: Option<std::path::PathBuf>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepDetail {
    pub step: StepName,
    pub work: String,
    pub plugin: Option<String>,
    /// `waiting`, `running`, `committed`, `failed`, `skipped`.
    pub state: String,
    /// How many attempts began.
    pub attempts: u32,
    pub outputs: BTreeMap<PortName, Artifact>,
    pub receipt: Option<Receipt>,
    /// Why it failed or was skipped.
    pub because: Option<String>,
}

/// Rows of a stored table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableRows {
    pub columns: Vec<Field>,
    /// Of the whole table.
    pub total: u64,
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// A model of the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelList {
    pub model: ModelName,
    pub versions: Vec<u32>,
    pub aliases: BTreeMap<String, u32>,
}

impl Server {
    /// All runs, the newest first.
    pub fn runs(&self, tenant: &TenantId) -> Result<Vec<RunLine>, Error> {
        self.known(tenant)?;
        Ok(self.store.runs(tenant)?.into_iter().map(|run| self.line(tenant, run)).collect())
    }

    fn line(&self, tenant: &TenantId, run: store::RunSummary) -> RunLine {
        RunLine {
            run: run.head.run,
            project: run.head.project,
            pipeline: run.head.pipeline,
            state: run.state,
            live: self.is_live(tenant, run.head.run),
            started_us: run.head.started_us,
            finished_us: run.finished_us,
        }
    }

    /// A run with its steps.
    pub fn run(&self, tenant: &TenantId, run: RunId) -> Result<RunDetail, Error> {
        self.known(tenant)?;
        let summary = self.store.run(tenant, run)?.ok_or_else(|| no_run(run))?;
        let records = self.store.run_records(tenant, run)?;
        let view = run::RunView::of(&records);
        let plan = run::StoredPlan::load(self.store.as_ref(), tenant, summary.head.plan)?.plan;
        let logical_time_us = summary.head.logical_time_us;
        let steps = plan.steps.iter().map(|step| detail(step, &view)).collect();
        let report = Some(self.report_file(tenant, run)).filter(|file| file.exists());
        Ok(RunDetail { line: self.line(tenant, summary), logical_time_us, steps, report })
    }

    /// The first rows of a table that a step gave.
    pub fn rows(&self, tenant: &TenantId, run: RunId, output: &OutputRef, limit: u64) -> Result<TableRows, Error> {
        self.known(tenant)?;
        self.store.run(tenant, run)?.ok_or_else(|| no_run(run))?;
        let view = run::RunView::of(&self.store.run_records(tenant, run)?);
        let reference = match view.output(output) {
            Some(Artifact::Table(reference)) => reference,
            Some(other) => return Err(Error::Conflict(format!("`{output}` is a {}, not a table", other.kind()))),
            None => return Err(Error::NotFound(format!("run {run} has no output `{output}`"))),
        };
        let mut paths = BTreeMap::new();
        for part in &reference.parts {
            paths.insert(*part, self.store.path(tenant, *part)?);
        }
        let table =
            data::open(reference, |part| paths.get(part).cloned().unwrap_or_default()).map_err(types::Fault::host)?;
        let rows = data::json_rows(&table.slice(0, limit.min(ROWS_MAX))).map_err(types::Fault::host)?;
        Ok(TableRows { columns: reference.schema.fields.clone(), total: reference.rows, rows })
    }

    /// All models, by name.
    pub fn models(&self, tenant: &TenantId) -> Result<Vec<ModelList>, Error> {
        self.known(tenant)?;
        let list = |model: store::ModelSummary| ModelList {
            model: model.model,
            versions: model.versions,
            aliases: model.aliases,
        };
        Ok(self.store.models(tenant)?.into_iter().map(list).collect())
    }

    /// A version: by number, by alias, or the latest.
    pub fn model(&self, tenant: &TenantId, model: &ModelName, which: Option<&str>) -> Result<ModelVersion, Error> {
        self.known(tenant)?;
        let versions = self.store.versions(tenant, model)?;
        let Some(latest) = versions.last() else {
            return Err(Error::NotFound(format!("there is no model `{model}`")));
        };
        let number = match which {
            None => Some(latest.version),
            Some(text) => match text.parse() {
                Ok(number) => Some(number),
                Err(_) => self.store.alias(tenant, model, text)?,
            },
        };
        let found = versions.iter().find(|version| Some(version.version) == number);
        let missing = || Error::NotFound(format!("model `{model}` has no version `{}`", which.unwrap_or_default()));
        found.cloned().ok_or_else(missing)
    }
}

fn detail(step: &plan::PlannedStep, view: &run::RunView) -> StepDetail {
    use run::Status;
    let commit = view.commit(&step.name);
    let failed = view.steps.get(&step.name).and_then(|step| step.failures.last()).map(|failure| &failure.receipt);
    let (state, because) = match view.status(&step.name) {
        Status::Waiting => ("waiting", None),
        Status::Running { .. } => ("running", None),
        Status::Committed { .. } => ("committed", None),
        Status::Failed { fault } => ("failed", Some(fault.message.clone())),
        Status::Skipped { because } => ("skipped", Some(because.clone())),
    };
    StepDetail {
        step: step.name.clone(),
        work: step.work.name().to_owned(),
        plugin: step.work.plugin().map(|plugin| plugin.name.as_str().to_owned()),
        state: state.to_owned(),
        attempts: view.steps.get(&step.name).map_or(0, |step| step.attempts),
        outputs: commit.map(|commit| commit.outputs.clone()).unwrap_or_default(),
        receipt: commit.map(|commit| &commit.receipt).or(failed).cloned(),
        because,
    }
}
