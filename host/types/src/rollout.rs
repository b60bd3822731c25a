//! A canary: a version that gets traffic step by step, and what is recorded of that.

use crate::{EndpointName, ModelName};
use serde::{Deserialize, Serialize};

/// A step of a canary, as a manifest has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryStep {
    /// So many of 100 requests go to the candidate.
    SetWeight { percent: u8 },
    /// Nothing changes for a time; without one, until somebody resumes.
    Pause { ms: Option<u64> },
    /// Both versions are compared by what they answered since the weight was set.
    Analyse(Analysis),
}

/// What a candidate must not be worse by than the version that it is to replace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Judged once each version has answered so many.
    #[serde(default)]
    pub requests: u64,
    /// The most that its share of failed requests may be above the other's.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// The most times the other's 95th percentile of seconds that its own may be.
    #[serde(default)]
    pub latency_ratio: Option<f64>,
    /// The most that its answers may be distributed otherwise, from 0 to 1.
    #[serde(default)]
    pub shift: Option<f64>,
    /// And once the labels of so many predictions of each have come that were made since the weight was set.
    #[serde(default)]
    pub labels: u64,
    /// The most that the share of its predicted classes that are right may be below the other's.
    #[serde(default)]
    pub accuracy_loss: Option<f64>,
    /// The most that the mean absolute error of its predicted numbers may be above the other's.
    #[serde(default)]
    pub mae_increase: Option<f64>,
}

/// How far the canary of an endpoint is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// What it began over, and returns to if it is aborted.
    pub stable: u32,
    pub candidate: u32,
    /// As the endpoint had them when it began.
    pub steps: Vec<CanaryStep>,
    /// The step that is being carried out, from 0; as many as there are once all are.
    pub step: u32,
    /// Of 100 requests, those that go to the candidate.
    pub weight: u8,
    /// When a step set that.
    #[serde(default)]
    pub weighed_us: i64,
    pub phase: Phase,
    /// When the step, or what `phase` says, began.
    pub since_us: i64,
}

/// What a canary does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Progressing,
    /// Until somebody resumes it.
    Paused,
    /// The candidate has taken the other's place.
    Promoted,
    /// The candidate gets nothing; a new one begins anew.
    Aborted,
}

impl Phase {
    /// In a word, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Progressing => "progressing",
            Self::Paused => "paused",
            Self::Promoted => "promoted",
            Self::Aborted => "aborted",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Promoted | Self::Aborted)
    }
}

/// A canary that began or went on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutMove {
    pub endpoint: EndpointName,
    pub model: ModelName,
    pub rollout: Rollout,
    pub why: String,
    /// A user's name, or what of the server moved it.
    pub by: Option<String>,
    pub at_us: i64,
}
