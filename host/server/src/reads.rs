//! What people ask about: runs, their steps and tables. Serializable twins of what the store holds.

use crate::diff::state_of;
use crate::fan::{self, Best, ItemOf};
use crate::{Error, Server};
use ports::{Blobs, Journal};
use run::Choice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use types::{
    Against, Artifact, Cause, Deployment, Device, DeviceChoice, Digest, Fault, Field, Grants, Id, Limits, ModelName,
    OutputRef, PipelineName, PortName, ProjectName, Receipt, RunHead, RunId, RunState, Settings, StepCommit, StepName,
    Taken, TenantId,
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
    /// Why it began.
    pub cause: Cause,
    /// Whether a thread of the server drives it; a running run that is not live waits to be resumed.
    pub live: bool,
    pub started_us: i64,
    pub finished_us: Option<i64>,
}

/// Which runs are listed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunQuery {
    pub pipeline: Option<PipelineName>,
    pub state: Option<RunStanding>,
    /// None: [`RunQuery::LIMIT`].
    pub limit: Option<usize>,
}

impl RunQuery {
    pub const LIMIT: usize = 50;
    pub const LIMIT_MAX: usize = 10_000;
}

/// How a run stands: as its state, but that one which nobody drives is not running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStanding {
    Running,
    Interrupted,
    Succeeded,
    Rejected,
    Failed,
    Cancelled,
}

impl RunLine {
    /// How it stands.
    pub fn standing(&self) -> RunStanding {
        match (self.state, self.live) {
            (RunState::Running, true) => RunStanding::Running,
            (RunState::Running, false) => RunStanding::Interrupted,
            (RunState::Succeeded, _) => RunStanding::Succeeded,
            (RunState::Rejected, _) => RunStanding::Rejected,
            (RunState::Failed, _) => RunStanding::Failed,
            (RunState::Cancelled, _) => RunStanding::Cancelled,
        }
    }
}

/// A run with its steps: everything that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDetail {
    #[serde(rename = "summary")]
    pub line: RunLine,
    pub logical_time_us: i64,
    /// Who asked for it.
    pub by: Option<String>,
    /// The deployed version that ran; none of a run of a folder.
    pub deployment: Option<u32>,
    /// That version: what it is of, and what was set for the tenant.
    #[serde(default)]
    pub deployed: Option<Deployment>,
    /// The project's folder, or where a deployed version was unpacked: what its grants are relative to.
    #[serde(default)]
    pub folder: PathBuf,
    /// What was set for this run alone.
    pub overrides: Settings,
    /// Names the version of the pipeline: equal digest, equal steps, wiring, plugins and settings.
    pub plan: Digest,
    pub steps: Vec<StepDetail>,
    /// Why it ended so, where no step is to blame.
    pub because: Option<String>,
    /// Versions that it registered.
    pub registered: Vec<Registration>,
    /// A page for people, once the run has ended.
    pub report: Option<PathBuf>,
}

/// A version that a run registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    pub model: ModelName,
    pub version: u32,
    pub digest: Digest,
    /// Aliases that it got, each with the version that had it before: what to go back to.
    pub aliases: BTreeMap<String, Option<u32>>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepDetail {
    pub step: StepName,
    pub work: String,
    pub plugin: Option<String>,
    /// Names the version of the plugin.
    pub component: Option<Digest>,
    pub parameters: Option<serde_json::Value>,
    pub seed: u64,
    pub limits: Limits,
    /// Where its tensors are computed.
    #[serde(default)]
    pub device: Device,
    /// What the pipeline says of that, if it does.
    #[serde(default)]
    pub device_asked: Option<DeviceChoice>,
    pub grants: Grants,
    pub inputs: Vec<StepInput>,
    /// `waiting`, `running`, `committed`, `failed`, `skipped`; of a run that ended, `not_run` or `cut_off` where the step had not.
    pub state: String,
    pub started_us: Option<i64>,
    pub ended_us: Option<i64>,
    /// How many attempts began.
    pub attempts: u32,
    /// When each of them did, by its number.
    #[serde(default)]
    pub begun: BTreeMap<u32, i64>,
    /// Those that ended, in order.
    pub ended_attempts: Vec<AttemptDetail>,
    pub outputs: BTreeMap<PortName, Artifact>,
    pub receipt: Option<Receipt>,
    /// Names the work for the cache, where it has a name.
    pub key: Option<Digest>,
    /// Where its outputs are from, if it did not run.
    pub taken: Option<Taken>,
    /// What it ran for, where that is more than once.
    pub items: Vec<String>,
    /// Which item of which step it is, where it is one.
    #[serde(default)]
    pub item: Option<ItemOf>,
    /// Of a step that takes the best of several items: which it took and why.
    #[serde(default)]
    pub best: Option<Best>,
    /// The registered version that it answers with, once it was looked up.
    pub answers_with: Option<Against>,
    /// Why it failed, was skipped or did not run.
    pub because: Option<String>,
}

/// What a step took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepInput {
    /// `STEP.PORT`.
    pub from: String,
    /// None while it is not there.
    pub artifact: Option<run::OutputSummary>,
}

/// An attempt that ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptDetail {
    pub attempt: u32,
    pub ended_us: Option<i64>,
    /// None of the one that committed.
    pub fault: Option<Fault>,
    pub receipt: Receipt,
}

/// Rows of a stored table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableRows {
    pub columns: Vec<Field>,
    /// Of the whole table.
    pub total: u64,
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
}

impl Server {
    /// The newest of the runs that are asked for.
    pub fn runs(&self, tenant: &TenantId, query: &RunQuery) -> Result<Vec<RunLine>, Error> {
        self.known(tenant)?;
        let most = query.limit.unwrap_or(RunQuery::LIMIT).min(RunQuery::LIMIT_MAX);
        let is_live = |run: &store::RunSummary| self.is_live(tenant, run.head.run);
        let wanted = |run: &store::RunSummary| {
            query.pipeline.as_ref().is_none_or(|pipeline| run.head.pipeline == *pipeline)
                && query.state.is_none_or(|state| line(run.clone(), is_live(run)).standing() == state)
        };
        let runs = self.store.newest_runs(tenant, most, &wanted)?;
        Ok(runs.into_iter().map(|run| (is_live(&run), run)).map(|(live, run)| line(run, live)).collect())
    }

    /// A run with its steps.
    pub fn run(&self, tenant: &TenantId, run: RunId) -> Result<RunDetail, Error> {
        self.known(tenant)?;
        let summary = self.summary(tenant, run)?;
        let view = run::RunView::of(&self.store.run_records(tenant, run)?);
        // Forgotten meanwhile, it has no records.
        self.summary(tenant, run)?;
        let stored = run::StoredPlan::load(self.store.as_ref(), tenant, summary.head.plan)?;
        let steps = details(&stored, &view);
        let registered = self.registered(tenant, &steps)?;
        let deployed = self.deployed_as(tenant, &summary.head)?;
        let RunHead { logical_time_us, by, deployment, overrides, plan, .. } = summary.head.clone();
        let mut detail = RunDetail {
            line: line(summary, self.is_live(tenant, run)),
            logical_time_us,
            by,
            deployment,
            deployed,
            folder: stored.project_dir,
            overrides,
            plan,
            steps,
            because: view.because,
            registered,
            report: None,
        };
        detail.report = self.report(tenant, &detail);
        Ok(detail)
    }

    /// The deployed version that a run is of.
    fn deployed_as(&self, tenant: &TenantId, head: &RunHead) -> Result<Option<Deployment>, Error> {
        let Some(version) = head.deployment else { return Ok(None) };
        let history = self.store.deployment_history(tenant, &head.project)?;
        Ok(history.into_iter().find(|deployment| deployment.version == version))
    }

    fn registered(&self, tenant: &TenantId, steps: &[StepDetail]) -> Result<Vec<Registration>, Error> {
        let mut registered = Vec::new();
        for artifact in steps.iter().flat_map(|step| step.outputs.values()) {
            let Artifact::Version { model, version } = artifact else { continue };
            let Some(found) = self.store.version(tenant, model, *version)? else { continue };
            let moves = self.store.alias_history(tenant, model)?.into_iter().filter(|moved| moved.to == Some(*version));
            // The first move is the registration's own; later ones are somebody's decision.
            let mut aliases = BTreeMap::new();
            for moved in moves {
                aliases.entry(moved.alias).or_insert(moved.from);
            }
            registered.push(Registration { model: model.clone(), version: *version, digest: found.digest, aliases });
        }
        Ok(registered)
    }

    /// The first rows of a table that a step gave, for a person.
    pub fn rows(&self, tenant: &TenantId, run: RunId, output: &OutputRef, limit: u64) -> Result<TableRows, Error> {
        self.known(tenant)?;
        self.summary(tenant, run)?;
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
        let table = data::open(reference, |part| paths.get(part).cloned().unwrap_or_default())
            .map_err(types::Fault::damaged)?;
        let rows = data::shown_rows(&table.slice(0, limit.min(ROWS_MAX))).map_err(types::Fault::host)?;
        Ok(TableRows { columns: reference.schema.fields.clone(), total: reference.rows, rows })
    }
}

fn line(run: store::RunSummary, live: bool) -> RunLine {
    RunLine {
        run: run.head.run,
        project: run.head.project,
        pipeline: run.head.pipeline,
        state: run.state,
        cause: run.head.cause,
        live,
        started_us: run.head.started_us,
        finished_us: run.finished_us,
    }
}

/// The steps of a run, with their items as far as these are known.
pub(crate) fn details(stored: &run::StoredPlan, view: &run::RunView) -> Vec<StepDetail> {
    let expanded = stored.expanded(view);
    let items = fan::items(stored, &expanded, view);
    let related = |step: &plan::PlannedStep| StepDetail {
        item: items.get(&step.name).cloned(),
        best: fan::best(&expanded, step, view, &items),
        ..detail(step, view)
    };
    expanded.steps.iter().map(related).collect()
}

fn detail(step: &plan::PlannedStep, view: &run::RunView) -> StepDetail {
    let (commit, seen) = (view.commit(&step.name), view.steps.get(&step.name));
    let plugin = step.work.plugin();
    let (state, because) = standing(view, step);
    let ended_attempts = ended_attempts(seen, commit);
    let input = |from: &OutputRef| {
        let artifact = view.output(from).map(run::OutputSummary::of);
        StepInput { from: from.to_string(), artifact }
    };
    let label = |item: &types::Item| item.label.clone();
    let answers_with = match (&step.work, view.choice(&step.name)) {
        (_, Choice::Open) => None,
        (plan::Work::PredictWith { model, alias, .. }, choice) => {
            let version = if let Choice::Version(chosen) = choice { Some(chosen.version) } else { None };
            Some(Against { model: model.clone(), alias: alias.clone(), version })
        }
        _ => None,
    };
    StepDetail {
        step: step.name.clone(),
        work: step.work.name().to_owned(),
        plugin: plugin.map(|plugin| plugin.name.as_str().to_owned()),
        component: plugin.map(|plugin| plugin.component),
        parameters: plugin.map(|plugin| plugin.parameters.clone()),
        seed: step.seed,
        limits: step.limits,
        device: step.device,
        device_asked: step.device_asked,
        grants: step.grants.clone(),
        inputs: step.work.inputs().into_iter().map(input).collect(),
        state: state.to_owned(),
        started_us: seen.and_then(|seen| seen.started_us),
        ended_us: seen.and_then(|seen| seen.ended_us),
        attempts: seen.map_or(0, |seen| seen.attempts),
        begun: seen.map(|seen| seen.begun.clone()).unwrap_or_default(),
        outputs: commit.map(|commit| commit.outputs.clone()).unwrap_or_default(),
        receipt: ended_attempts.last().map(|last| last.receipt.clone()),
        ended_attempts,
        key: commit.and_then(|commit| commit.key),
        taken: commit.and_then(|commit| commit.taken),
        items: seen.and_then(|seen| seen.items.as_ref()).into_iter().flatten().map(label).collect(),
        item: None,
        best: None,
        answers_with,
        because: because.map(str::to_owned),
    }
}

/// Where a step stands, in a word, and why it did not commit. What a run left when it ended waits for nothing any more.
pub(crate) fn standing<'v>(view: &'v run::RunView, step: &plan::PlannedStep) -> (&'static str, Option<&'v str>) {
    if !view.is_left(&step.name) {
        return state_of(view.status(&step.name));
    }
    let was_cancelled = view.ended == Some(RunState::Cancelled);
    let has_begun = |step: &StepName| view.steps.get(step).is_some_and(|seen| seen.attempts > 0);
    // A step stands for its items.
    let parts = if let plan::Work::Gather { parts, .. } = &step.work { parts.as_slice() } else { &[] };
    let began = has_begun(&step.name) || parts.iter().any(has_begun);
    match (began, was_cancelled) {
        (false, true) => ("not_run", Some("the run was cancelled before it began")),
        (false, false) => ("not_run", Some("the run ended before it began")),
        (true, true) => ("cut_off", Some("the run was cancelled before it was done")),
        (true, false) => ("cut_off", Some("the run ended before it was done")),
    }
}

fn ended_attempts(seen: Option<&run::StepView>, commit: Option<&StepCommit>) -> Vec<AttemptDetail> {
    let failed = seen.into_iter().flat_map(|seen| &seen.failures).map(|failure| AttemptDetail {
        attempt: failure.attempt.0,
        ended_us: Some(failure.at_us),
        fault: Some(failure.fault.clone()),
        receipt: failure.receipt.clone(),
    });
    let committed = commit.filter(|commit| commit.taken.is_none()).map(|commit| AttemptDetail {
        attempt: commit.attempt.0,
        ended_us: seen.and_then(|seen| seen.ended_us),
        fault: None,
        receipt: commit.receipt.clone(),
    });
    failed.chain(committed).collect()
}
