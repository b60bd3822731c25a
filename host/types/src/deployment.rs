//! What of a project runs by itself: deployed versions, and what became of their schedules.

use crate::{Digest, PipelineName, ProjectName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values that a project leaves open, by name: strings, numbers and truths.
pub type Settings = BTreeMap<String, serde_json::Value>;

/// A checked project of a tenant, as it was when it was deployed. The one with the highest number is the current one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    pub project: ProjectName,
    /// Counted from 1.
    pub version: u32,
    /// A blob: what is deployed. Two versions with the same content are the same.
    pub content: Digest,
    /// What was set for this tenant.
    pub settings: Settings,
    /// An earlier version that it brings back.
    pub rollback_to: Option<u32>,
    pub deployed_us: i64,
}

/// Why an instant of a schedule does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The schedule was paused.
    Paused,
    /// It was missed, longer ago than is made up for.
    TooOld,
    /// It was missed, and nothing is made up for.
    Missed,
    /// A later one runs in its place.
    Superseded,
    /// An earlier one was still running.
    Overlap,
    /// Too many wait already.
    Full,
}

/// An instant that will not run, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    pub at_us: i64,
    pub why: Why,
}

/// How far a deployed pipeline's schedule is. Instants are in microseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// Everything up to here is settled.
    pub settled_us: i64,
    /// Instants that wait for a run to end.
    pub waiting: Vec<i64>,
    /// Held by a person, whatever the manifest says.
    pub paused: bool,
}

/// A span of a schedule that somebody asked to run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillAsked {
    pub project: ProjectName,
    pub pipeline: PipelineName,
    /// Counted from 1 within the tenant.
    pub number: u64,
    /// The version whose schedule and steps it takes.
    pub version: u32,
    pub from_us: i64,
    /// Included.
    pub to_us: i64,
    /// As a manifest writes them.
    pub overlap: String,
    pub order: String,
    pub asked_us: i64,
}
