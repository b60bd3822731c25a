//! What the journal holds: every change of state, in the order it became true. The store is derived from these alone.
//!
//! These types reach disk. A field is never removed or given another meaning; a new one has a default.

use crate::{
    ApiKey, Artifact, BackfillAsked, Cause, Deployment, Digest, Fault, Field, KeyName, LimitKind, Measure, ModelName,
    Passed, PipelineName, PluginName, PortName, ProjectName, RolloutMove, RunId, SavedFile, Series, Settings, Share,
    StepName, TableRef, Taken, Verdict,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Steps are running or waiting to; after a crash, until somebody resumes it.
    Running,
    Succeeded,
    /// A gate said no; nothing was registered.
    Rejected,
    Failed,
    Cancelled,
}

impl RunState {
    /// The state as the end of a sentence about the run: "run 7 was cancelled".
    pub fn ended(self) -> &'static str {
        match self {
            Self::Running => "is running",
            Self::Succeeded => "has succeeded",
            Self::Rejected => "was rejected",
            Self::Failed => "has failed",
            Self::Cancelled => "was cancelled",
        }
    }
}

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// What a run is, from its first instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHead {
    pub run: RunId,
    pub project: ProjectName,
    pub pipeline: PipelineName,
    /// The whole plan, as a blob of JSON: a run is resumed from this, not from the folder.
    pub plan: Digest,
    pub cause: Cause,
    /// Microseconds since 1970-01-01 UTC; what steps see as their time.
    pub logical_time_us: i64,
    pub started_us: i64,
    /// The deployed version that runs; none of a run of a folder.
    #[serde(default)]
    pub deployment: Option<u32>,
    /// What was set for this run alone: `STEP.PARAMETER`, or the name of a setting.
    #[serde(default)]
    pub overrides: Settings,
    /// Who asked for it, as far as that is known: a user's name, or what of the server started it.
    #[serde(default)]
    pub by: Option<String>,
}

/// Which try of a step: counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attempt(pub u32);

/// What an attempt used of what it was allowed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub wall_us: u64,
    pub cpu_us: u64,
    pub guest_memory_bytes: u64,
    pub guest_memory_limit: u64,
    /// The most that guest and native code had in use together, as the limit `memory` counts it.
    pub memory_bytes: u64,
    pub memory_limit: u64,
    pub wall_limit_us: u64,
    pub host_calls: u64,
    /// HTTP requests that the server made for the step, and the bytes of their bodies both ways.
    #[serde(default)]
    pub requests: u64,
    #[serde(default)]
    pub request_bytes: u64,
    pub rows_in: u64,
    pub rows_out: u64,
    pub bytes_out: u64,
    pub log_lines: u64,
    pub log_lines_dropped: u64,
    /// Metrics and words of progress beyond the most that an attempt may say.
    #[serde(default)]
    pub sayings_dropped: u64,
    /// Whether it looked at the run's logical time: its outputs may be others at another.
    #[serde(default)]
    pub read_time: bool,
    /// Of each limit what was used, in the limit's own unit.
    #[serde(default)]
    pub limits: BTreeMap<LimitKind, Share>,
    /// The series that it told, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub series: BTreeMap<String, Series>,
}

impl Receipt {
    /// The limits of which anything was used.
    pub fn used(&self) -> impl Iterator<Item = (LimitKind, Share)> {
        self.limits.iter().map(|(&kind, &share)| (kind, share)).filter(|(_, share)| share.used > 0)
    }
}

/// A step's outputs, committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepCommit {
    pub step: StepName,
    pub attempt: Attempt,
    pub outputs: BTreeMap<PortName, Artifact>,
    pub receipt: Receipt,
    /// Names the work, where what it gives depends on nothing else.
    #[serde(default)]
    pub key: Option<Digest>,
    /// Nothing ran: the outputs were there.
    #[serde(default)]
    pub taken: Option<Taken>,
}

/// The columns that a model reads and gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    pub inputs: Vec<Field>,
    pub outputs: Vec<Field>,
}

/// A fitted step on the path from a request's columns to the predictor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServedStep {
    pub step: StepName,
    pub plugin: PluginName,
    pub component: Digest,
    /// JSON object.
    pub parameters: serde_json::Value,
    pub seed: u64,
    pub state: Vec<SavedFile>,
    /// The columns that it is shown, in training and in serving: no others can enter an answer.
    pub reads: Vec<String>,
}

/// A trained model with everything that answers a request the same way anywhere. Its digest names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelVersion {
    pub model: ModelName,
    pub version: u32,
    /// Of what answers: path, predictor, files, request columns. Not of who made it when.
    pub digest: Digest,
    pub predictor: ServedStep,
    pub path: Vec<ServedStep>,
    /// The columns a request must bring.
    pub request: Vec<Field>,
    pub signature: Signature,
    pub measures: Vec<Measure>,
    pub verdict: Option<Verdict>,
    /// What an examination said of it, if one was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examined: Option<Verdict>,
    pub project: ProjectName,
    pub pipeline: PipelineName,
    pub run: RunId,
    /// The tables it learnt from.
    pub data: Vec<Digest>,
    pub registered_us: i64,
    /// What it is for, as its pipeline says.
    #[serde(default)]
    pub purpose: Purpose,
    /// Set if another installation made it: `project`, `pipeline`, `run` and `data` are that one's.
    #[serde(default)]
    pub imported: Option<Imported>,
}

impl ModelVersion {
    /// Every blob that it needs to answer: components, fitted states, weights. A file may stand under several names.
    pub fn blobs(&self) -> BTreeSet<Digest> {
        let steps = self.path.iter().chain([&self.predictor]);
        steps.flat_map(|step| step.state.iter().map(|file| file.digest).chain([step.component])).collect()
    }
}

/// What a model is for, in the words of whoever made it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Purpose {
    pub intended_use: Option<String>,
    /// What it is not for, and where it is known to be wrong.
    pub limitations: Option<String>,
}

/// Requests with the answers that a version gave when it was loaded first: what it must answer at each later load. Blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Golden {
    pub request: Digest,
    pub answer: Digest,
    pub rows: u64,
}

/// How a version came from another installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// What it was called there.
    pub model: ModelName,
    pub version: u32,
    pub by: Option<String>,
    pub at_us: i64,
}

/// A registered version as a step of a run answers with it: looked up once, when the step began, whatever moves later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    pub model: ModelName,
    pub alias: String,
    pub version: u32,
    /// As [`ModelVersion::digest`].
    pub digest: Digest,
    pub predictor: ServedStep,
    pub path: Vec<ServedStep>,
    /// The columns that the rows must have.
    pub request: Vec<Field>,
    /// The columns that it adds.
    pub predictions: Vec<Field>,
}

impl Chosen {
    pub fn of(version: ModelVersion, alias: &str) -> Self {
        let ModelVersion { model, version, digest, predictor, path, request, signature, .. } = version;
        let (alias, predictions) = (alias.to_owned(), signature.outputs);
        Self { model, alias, version, digest, predictor, path, request, predictions }
    }
}

/// An alias that now points elsewhere, or nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasMove {
    pub model: ModelName,
    pub alias: String,
    pub from: Option<u32>,
    /// None: no version has the alias any more.
    pub to: Option<u32>,
    pub why: String,
    pub moved_us: i64,
    /// Who asked for it, as far as that is known; of a registration, who asked for its run.
    #[serde(default)]
    pub by: Option<String>,
    /// It takes the move before back.
    #[serde(default)]
    pub rollback: bool,
}

/// One change of a tenant's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "record")]
pub enum Record {
    RunStarted(RunHead),
    AttemptStarted {
        run: RunId,
        step: StepName,
        attempt: Attempt,
        at_us: i64,
    },
    /// A collector's page: its rows and the cursor behind them, as one. `cursor` is hexadecimal.
    PageCommitted {
        run: RunId,
        step: StepName,
        /// The source: project, pipeline, step and parameters that the cursor belongs to.
        source: Digest,
        table: TableRef,
        cursor: String,
        more: bool,
        /// The pages before it no longer count.
        restarted: bool,
    },
    /// What a step would resume from. A blob.
    CheckpointSaved {
        run: RunId,
        step: StepName,
        state: Digest,
    },
    StepCommitted {
        run: RunId,
        commit: StepCommit,
        at_us: i64,
    },
    AttemptFailed {
        run: RunId,
        step: StepName,
        attempt: Attempt,
        fault: Fault,
        /// Of what never began, nothing.
        #[serde(default)]
        receipt: Receipt,
        at_us: i64,
        /// When it is tried again; none if the step is given up.
        #[serde(default)]
        retry_at_us: Option<i64>,
    },
    /// Somebody does not want the run any more.
    CancelAsked {
        run: RunId,
        at_us: i64,
    },
    /// What a step with `each` runs for: its items, in order.
    StepExpanded {
        run: RunId,
        step: StepName,
        items: Vec<Item>,
    },
    /// Which version a step answers with; none if none has the alias.
    VersionChosen {
        run: RunId,
        step: StepName,
        chosen: Option<Box<Chosen>>,
    },
    /// A step that a gate, a condition or a failure left without its inputs.
    StepSkipped {
        run: RunId,
        step: StepName,
        because: String,
    },
    RunFinished {
        run: RunId,
        state: RunState,
        at_us: i64,
        /// In words, where no step is to blame.
        #[serde(default)]
        because: Option<String>,
    },
    /// Registered and, if asked, aliased: one record, so that neither is seen without the other.
    VersionRegistered {
        version: Box<ModelVersion>,
        alias: Option<AliasMove>,
        step: StepName,
        commit: StepCommit,
    },
    AliasMoved(AliasMove),
    /// Made by another installation.
    VersionImported {
        version: Box<ModelVersion>,
    },
    /// Somebody wrote something on a version; without a value, took it away.
    VersionTagged {
        model: ModelName,
        version: u32,
        key: String,
        value: Option<String>,
        by: Option<String>,
        at_us: i64,
    },
    GoldenRecorded {
        model: ModelName,
        version: u32,
        golden: Golden,
        at_us: i64,
    },
    /// A canary began or went on.
    RolloutMoved(RolloutMove),
    /// From now on this is what triggers run.
    Deployed(Deployment),
    /// Instants of a schedule were settled: in one batch with the runs that they start.
    ScheduleSettled {
        project: ProjectName,
        pipeline: PipelineName,
        settled_us: i64,
        waiting: Vec<i64>,
        passed: Vec<Passed>,
    },
    /// Somebody held a schedule, or let it go on.
    SchedulePaused {
        project: ProjectName,
        pipeline: PipelineName,
        paused: bool,
        at_us: i64,
    },
    BackfillAsked(BackfillAsked),
    /// All its runs have begun, or somebody ended it.
    BackfillEnded {
        number: u64,
        at_us: i64,
    },
    /// What a trigger watches is seen to be so: in one batch with the run that it starts.
    WatchMoved {
        project: ProjectName,
        pipeline: PipelineName,
        /// Which of the pipeline's watches.
        watch: String,
        seen: Digest,
    },
    /// A message about a run was delivered, or given up.
    Notified {
        run: RunId,
        about: String,
        delivered: bool,
        at_us: i64,
    },
    /// What is known of these runs is no longer kept.
    RunsForgotten {
        runs: Vec<RunId>,
        at_us: i64,
    },
    /// A segment of this journal lacks what runs that were forgotten recorded: it is to have these bytes, or all of its records.
    SegmentFolded {
        segment: u64,
        digest: Digest,
        /// That it lacks.
        records: u64,
        at_us: i64,
    },
    /// From now on whoever has the key is let in.
    KeyCreated(ApiKey),
    KeyRevoked {
        key: KeyName,
        at_us: i64,
        /// Who wanted it, as far as that is known.
        #[serde(default)]
        by: Option<String>,
    },
}

impl Record {
    /// The run that it tells of; none of what is the tenant's as a whole.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::RunStarted(head) => Some(head.run),
            Self::VersionRegistered { version, .. } => Some(version.run),
            Self::AttemptStarted { run, .. }
            | Self::PageCommitted { run, .. }
            | Self::CheckpointSaved { run, .. }
            | Self::StepCommitted { run, .. }
            | Self::StepExpanded { run, .. }
            | Self::VersionChosen { run, .. }
            | Self::CancelAsked { run, .. }
            | Self::AttemptFailed { run, .. }
            | Self::StepSkipped { run, .. }
            | Self::RunFinished { run, .. } => Some(*run),
            Self::AliasMoved(_)
            | Self::VersionImported { .. }
            | Self::VersionTagged { .. }
            | Self::GoldenRecorded { .. }
            | Self::RolloutMoved(_)
            | Self::Deployed(_)
            | Self::ScheduleSettled { .. }
            | Self::SchedulePaused { .. }
            | Self::BackfillAsked(_)
            | Self::BackfillEnded { .. }
            | Self::WatchMoved { .. }
            | Self::Notified { .. }
            | Self::RunsForgotten { .. }
            | Self::SegmentFolded { .. }
            | Self::KeyCreated(_)
            | Self::KeyRevoked { .. } => None,
        }
    }
}

impl Record {
    /// Every blob that it points at itself; there may be more behind those.
    pub fn blobs(&self) -> Vec<Digest> {
        let of = |commit: &StepCommit| commit.outputs.values().flat_map(Artifact::blobs).collect::<Vec<_>>();
        match self {
            Self::RunStarted(head) => vec![head.plan],
            Self::PageCommitted { table, .. } => table.parts.clone(),
            Self::CheckpointSaved { state, .. } => vec![*state],
            Self::StepCommitted { commit, .. } => of(commit),
            Self::StepExpanded { items, .. } => {
                items.iter().filter_map(|item| item.table.as_ref()).flat_map(|table| table.parts.clone()).collect()
            }
            Self::VersionRegistered { version, commit, .. } => version.blobs().into_iter().chain(of(commit)).collect(),
            Self::VersionImported { version } => version.blobs().into_iter().collect(),
            Self::Deployed(deployment) => vec![deployment.content],
            Self::GoldenRecorded { golden, .. } => vec![golden.request, golden.answer],
            Self::AttemptStarted { .. }
            | Self::AttemptFailed { .. }
            | Self::CancelAsked { .. }
            // Of the registry, whose records point at all that it has.
            | Self::VersionChosen { .. }
            | Self::StepSkipped { .. }
            | Self::RunFinished { .. }
            | Self::AliasMoved(_)
            | Self::VersionTagged { .. }
            | Self::RolloutMoved(_)
            | Self::ScheduleSettled { .. }
            | Self::SchedulePaused { .. }
            | Self::BackfillAsked(_)
            | Self::BackfillEnded { .. }
            | Self::WatchMoved { .. }
            | Self::Notified { .. }
            | Self::RunsForgotten { .. }
            | Self::SegmentFolded { .. }
            | Self::KeyCreated(_)
            | Self::KeyRevoked { .. } => Vec::new(),
        }
    }
}

/// One of those that a step with `each` runs for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// For people: `depth = 3`, `region = eu`.
    pub label: String,
    /// The value of its parameter; none where it has rows instead.
    #[serde(default)]
    pub value: Option<serde_json::Value>,
    /// Its part of the rows.
    #[serde(default)]
    pub table: Option<TableRef>,
}
