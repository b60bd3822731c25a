//! What a run tells whoever watches it: one event a line, as JSON. Told only after the record behind it is on disk, so that
//! nobody acts on what a crash could take back. Logs, progress and metrics have no record and may be lost with the process.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use types::{
    Artifact, Attempt, Digest, Fault, ModelName, PipelineName, PortName, ProjectName, Receipt, RunId, RunState,
    StepName, Taken, Verdict,
};

/// Hears events, from the threads of several attempts and of the journal at once. It is on the way of the run: it must not block.
pub type Observer = Arc<dyn Fn(&RunEvent) + Send + Sync>;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum RunEvent {
    RunStarted {
        run: RunId,
        project: ProjectName,
        pipeline: PipelineName,
        steps: Vec<StepName>,
        at_us: i64,
    },
    /// Found unfinished; the committed steps are not repeated.
    RunResumed {
        run: RunId,
        committed: Vec<StepName>,
        at_us: i64,
    },
    StepStarted {
        step: StepName,
        attempt: Attempt,
        at_us: i64,
    },
    Log {
        step: StepName,
        attempt: Attempt,
        level: String,
        message: String,
    },
    Progress {
        step: StepName,
        attempt: Attempt,
        done: u64,
        total: Option<u64>,
    },
    /// `value` is none if it is no finite number, for which JSON has no word.
    Metric {
        step: StepName,
        attempt: Attempt,
        name: String,
        value: Option<f64>,
        index: u64,
    },
    /// A collector's page is committed.
    Page {
        step: StepName,
        attempt: Attempt,
        rows: u64,
        more: bool,
    },
    StepCommitted {
        step: StepName,
        attempt: Attempt,
        outputs: BTreeMap<PortName, OutputSummary>,
        receipt: Receipt,
        at_us: i64,
    },
    /// `retry_at_us` is none if the step is given up.
    StepFailed {
        step: StepName,
        attempt: Attempt,
        fault: Fault,
        receipt: Receipt,
        retry_at_us: Option<i64>,
        at_us: i64,
    },
    /// Nothing ran: its outputs were there.
    StepTaken {
        step: StepName,
        taken: Taken,
        outputs: BTreeMap<PortName, OutputSummary>,
        at_us: i64,
    },
    /// Why no earlier run's outputs stand for those of a step that could have taken them.
    CacheMissed {
        step: StepName,
        because: String,
    },
    /// What a step runs for, by the items' labels.
    StepExpanded {
        step: StepName,
        items: Vec<String>,
    },
    /// The registered version that a step answers with; none if none has the alias.
    VersionChosen {
        step: StepName,
        model: ModelName,
        alias: String,
        version: Option<u32>,
    },
    StepSkipped {
        step: StepName,
        because: String,
    },
    Verdict {
        step: StepName,
        verdict: Verdict,
    },
    /// A sink brought its input out.
    Delivered {
        step: StepName,
        location: String,
        repeated: bool,
    },
    Registered {
        step: StepName,
        model: ModelName,
        version: u32,
        digest: Digest,
        alias: Option<String>,
    },
    /// It stands still for a reason of ours and can be resumed.
    RunInterrupted {
        run: RunId,
        fault: Fault,
    },
    RunFinished {
        run: RunId,
        state: RunState,
        at_us: i64,
        /// Where no step is to blame.
        #[serde(default)]
        because: Option<String>,
    },
}

/// An output in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSummary {
    /// As [`Artifact::kind`].
    pub kind: String,
    pub digest: Digest,
    /// Of a table.
    pub rows: Option<u64>,
    pub bytes: Option<u64>,
}

impl OutputSummary {
    /// Of an artifact.
    pub fn of(artifact: &Artifact) -> Self {
        let (rows, bytes) = match artifact {
            Artifact::Table(table) => (Some(table.rows), Some(table.bytes)),
            Artifact::State { files } | Artifact::Model { files, .. } => {
                let bytes = files.iter().fold(0_u64, |bytes, file| bytes.saturating_add(file.bytes));
                (None, Some(bytes))
            }
            _ => (None, None),
        };
        Self { kind: artifact.kind().to_owned(), digest: artifact.digest(), rows, bytes }
    }
}
