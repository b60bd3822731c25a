//! What a project says of the course of its runs: when a step runs, how often and for what; what else starts a pipeline; who is
//! told, and what is kept.

use types::{Condition, PipelineName, Pool, PortName, Retry, StepName};

/// How a step's course differs from that of any other.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Course {
    /// All must hold. Each with the position of its table in the file: one with two bounds is two conditions.
    pub when: Vec<(usize, Condition)>,
    pub retry: Retry,
    /// Whether an earlier run's outputs may stand for its own.
    pub cache: bool,
    pub pool: Option<Pool>,
    pub each: Option<Each>,
}

impl Default for Course {
    fn default() -> Self {
        Self { when: Vec::new(), retry: Retry::default(), cache: true, pool: None, each: None }
    }
}

/// What a step runs for, again and again.
#[derive(Debug, Clone, PartialEq)]
pub enum Each {
    /// These values of one of its parameters.
    Values { param: String, values: Vec<serde_json::Value> },
    /// The values of a column of the table at one of its inputs, each with its rows.
    Rows { port: PortName, by: String },
    /// The items of a step that it takes from, one by one.
    Like { step: StepName },
}

/// The most values of a parameter that a step runs for.
pub const VALUES_MAX: usize = 1_000;

/// What starts a pipeline once it is deployed, beside its schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Triggers {
    /// Pipelines of the project: a run of one of them succeeded.
    pub after: Vec<PipelineName>,
    /// Files of the project's folder: one of them is new or has changed. The last part of a path may hold one `*`.
    pub files: Vec<String>,
    /// A collector of the pipeline that is asked for new rows, and after how many milliseconds it is asked again.
    pub source: Option<(StepName, u64)>,
    /// The secret with which calls are signed.
    pub webhook: Option<String>,
}

/// How long finished runs are kept: those beyond either bound are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Of each pipeline, the latest.
    pub runs: Option<u32>,
    pub age_ms: Option<u64>,
}

/// An address that is told of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notify {
    /// Absolute, `http` or `https`.
    pub url: String,
    /// The secret with which what is told is signed.
    pub secret: Option<String>,
    pub on: Vec<Occasion>,
}

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A run failed.
    Failed,
    /// A run went on after the server had ended.
    Resumed,
}

impl Occasion {
    pub const ALL: [Self; 2] = [Self::Failed, Self::Resumed];

    /// As a manifest writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Resumed => "resumed",
        }
    }
}
