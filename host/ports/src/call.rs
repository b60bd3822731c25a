//! What is asked of a worker and what it answers. These cross a socket: plain data, bounded where it is read.

use crate::Tables;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use types::{
    Artifact, Budget, Candidate, Descriptor, Device, Digest, EndpointName, Fault, Field, Grants, Limits, Pool, Port,
    PortName, Receipt, SavedFile, Series, ServedStep, TableRef,
};

/// One attempt, as the server sees it: what the worker is told, and what is granted beyond its walls.
#[derive(Debug, Clone)]
pub struct Call {
    /// For errors: "step `train`", "plugin `csv`".
    pub who: String,
    pub assignment: Assignment,
    /// What the pipeline grants; the tenant's policy is held against it where it is used.
    pub grants: Grants,
    /// The folder that granted paths are relative to: the project's.
    pub base: PathBuf,
    pub turn: Turn,
}

/// When an attempt of a tenant's may begin, beside the tenant's others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// Of those that wait, higher ones begin first.
    pub priority: i32,
    pub pool: Option<Pool>,
}

/// A question to the world that the server answers for a step, if it may ask. A request's body travels beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    Fetch {
        method: String,
        url: String,
        headers: Vec<(String, String)>,
        timeout_ms: u32,
    },
    Placeholder {
        name: String,
    },
    Variable {
        name: String,
    },
    Now,
    /// Real randomness, as many bytes.
    Entropy {
        length: u32,
    },
    /// The regular files of a folder.
    List {
        path: String,
    },
    /// Begins a file; its descriptor comes with the answer.
    Create {
        path: String,
    },
    /// Gives the file of this number its name.
    Finish {
        number: u32,
    },
}

/// What the world answered. A response's body, random bytes, or the names of files, a zero byte behind each, travel beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Fetched { status: u16, headers: Vec<(String, String)> },
    Placeholder { text: String },
    Variable { value: Option<String> },
    Now { us: i64 },
    Entropy,
    Listed,
    Created { number: u32 },
    Finished,
}

/// One attempt, as the worker sees it. Nothing here is a secret or a path outside the tenant's walls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The component to run; for [`Task::Compile`] the one to compile.
    pub component: Digest,
    /// JSON object.
    pub parameters: serde_json::Value,
    pub seed: u64,
    pub logical_time_us: i64,
    pub limits: Limits,
    /// Where its tensors are computed; a worker is of one device for life.
    #[serde(default)]
    pub device: Device,
    /// What an earlier attempt of the step saved; a blob.
    pub checkpoint: Option<Digest>,
    pub task: Task,
}

/// What to do with the component. Digests name blobs of the tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Component bytes (a blob) -> native code, left as a file; and the roles and imports that its type shows.
    Compile,
    Describe {
        inputs: Vec<Port>,
    },
    Discover,
    /// Pages from a cursor (hexadecimal) until there are no more; each is committed before the next is asked for.
    Collect {
        cursor: Option<String>,
    },
    Transform {
        inputs: Tables,
    },
    /// Fits on a table if one is given, saves the state, applies it to each input. The guest is shown the columns it
    /// `reads`; those it gives are laid over the input's. `gives` is empty where nobody knows the columns.
    Fit {
        fit: Option<TableRef>,
        inputs: Tables,
        reads: Vec<String>,
        gives: Vec<String>,
    },
    /// Restores what an earlier `Fit` saved, of this component or of another that saves the same, and applies it likewise.
    Apply {
        state: Vec<SavedFile>,
        inputs: Tables,
        reads: Vec<String>,
        gives: Vec<String>,
    },
    /// Restores the same, and applies it again and again to each table, to tell how long it takes.
    Time {
        state: Vec<SavedFile>,
        tables: Vec<TableRef>,
        reads: Vec<String>,
    },
    Check {
        rows: TableRef,
        reference: Option<TableRef>,
    },
    Train {
        train: TableRef,
        validation: Option<TableRef>,
        features: Vec<String>,
        label: Option<String>,
        weight: Option<String>,
        initial: Option<Vec<SavedFile>>,
    },
    /// The rows with the predictor's columns beside them. The guest is shown the columns it `reads`.
    Predict {
        rows: TableRef,
        model: Vec<SavedFile>,
        reads: Vec<String>,
    },
    Evaluate {
        candidate: TableRef,
        baseline: Option<TableRef>,
        slices: Vec<String>,
    },
    /// The labelled predictions of an endpoint, with these columns. The server's own task, not a worker's.
    Feedback {
        endpoint: EndpointName,
        table: Vec<Field>,
        joined: Vec<Field>,
    },
    /// A candidate, asked as it would be served. The server's own task, in a serving worker.
    Examine {
        examination: Box<Examination>,
    },
    /// The key is the same for every attempt of a step in a run.
    Deliver {
        key: String,
        delivery: Delivery,
    },
}

/// What is to be known of a model before it serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    pub candidate: Candidate,
    /// With the columns of a request.
    pub rows: TableRef,
    /// What it is to answer to them, row by row.
    pub answers: Option<TableRef>,
    /// The series of its training that is to have gone down, by name; none of it if no such series was told.
    pub loss: Option<(String, Option<Series>)>,
    pub budget: Budget,
}

/// What a sink is to bring out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    Table {
        table: TableRef,
    },
    /// A JSON array of measures or findings.
    Report {
        report: serde_json::Value,
    },
    /// `about` is a JSON object: signature, measures and plugin.
    Model {
        files: Vec<SavedFile>,
        about: serde_json::Value,
    },
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Native code, left as a file; for an engine of this fingerprint.
    Compiled {
        file: SavedFile,
        fingerprint: String,
        roles: Vec<types::Role>,
        imports: Vec<String>,
    },
    /// The component has no native code for this engine yet; whoever runs the worker has it compiled and asks again.
    Uncompiled,
    Described {
        descriptor: Box<Descriptor>,
    },
    Discovered {
        columns: Vec<Field>,
    },
    /// All pages there are now went through [`crate::Watch::page`].
    Collected,
    Outputs {
        outputs: BTreeMap<PortName, Artifact>,
    },
    Timed {
        times: Times,
    },
}

/// How long a row-wise step takes where it runs: in the worker, each the best of several rounds, in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// From the native code's file to a component that can be instantiated.
    pub load_us: f64,
    /// A fresh instance that restores the saved state and answers the first table.
    pub fresh_us: f64,
    /// The call alone, in an instance that stays: a time a table.
    pub warm_us: Vec<f64>,
}

/// Rows of a collector and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub table: TableRef,
    /// Hexadecimal.
    pub cursor: String,
    pub more: bool,
    /// The pages before it no longer count.
    pub restarted: bool,
}

/// An attempt's end. The receipt is true also of a failed one.
pub struct Outcome {
    pub result: Result<Answer, Fault>,
    pub receipt: Receipt,
}

/// What an attempt says while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    Log {
        level: String,
        message: String,
    },
    Progress {
        done: u64,
        total: Option<u64>,
    },
    /// `value` is none if it is no finite number, for which JSON has no word.
    Metric {
        name: String,
        value: Option<f64>,
        index: u64,
    },
}

/// What a serving worker loads: the path and the predictor of a model version, ready to answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServedModel {
    pub path: Vec<ServedStep>,
    pub predictor: ServedStep,
    /// The columns that requests bring.
    pub request: Vec<Field>,
    /// The columns that answers have.
    pub response: Vec<Field>,
    pub limits: Limits,
    pub logical_time_us: i64,
}
