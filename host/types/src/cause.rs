//! Why a run began, and what else of it was settled before its first step.

use crate::{PipelineName, RunId, StepName};
use serde::{Deserialize, Serialize};

/// Why a run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum Cause {
    /// A person or a program asked for it.
    Manual,
    /// An instant of the pipeline's schedule, which is the run's logical time.
    Schedule { at_us: i64 },
    /// An instant of a span that somebody asked to run again, likewise.
    Backfill { backfill: u64, at_us: i64 },
    /// A run of another pipeline of the project succeeded.
    Upstream { pipeline: PipelineName, run: RunId },
    /// Something watched has changed; in words.
    Data {
        what: String,
        /// The collector whose source has more; none if files have changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<StepName>,
    },
    /// A signed call or a CloudEvent, by what its sender calls it.
    Event { source: String, id: String },
    /// From a step on, with what an earlier run had before it.
    Rerun { of: RunId, from: StepName },
    /// All of an earlier run again, to be compared with it.
    Replay { of: RunId },
}

impl Cause {
    /// Names a cause that may start one run of a deployed pipeline only; none of those that may start any number.
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Schedule { at_us } => Some(format!("schedule {at_us}")),
            Self::Backfill { backfill, at_us } => Some(format!("backfill {backfill} {at_us}")),
            Self::Upstream { pipeline, run } => Some(format!("upstream {pipeline} {run}")),
            Self::Event { source, id } => Some(format!("event {}:{source} {id}", source.len())),
            Self::Manual | Self::Data { .. } | Self::Rerun { .. } | Self::Replay { .. } => None,
        }
    }

    /// The instant that a [`Self::key`] tells of, and the backfill that it is of; none of a key of another kind.
    pub fn instant_of(key: &str) -> Option<(i64, Option<u64>)> {
        match *key.split(' ').collect::<Vec<_>>() {
            ["schedule", at_us] => Some((at_us.parse().ok()?, None)),
            ["backfill", backfill, at_us] => Some((at_us.parse().ok()?, Some(backfill.parse().ok()?))),
            _ => None,
        }
    }

    /// In a word, for a column of a table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule { .. } => "schedule",
            Self::Backfill { .. } => "backfill",
            Self::Upstream { .. } => "upstream",
            Self::Data { .. } => "data",
            Self::Event { .. } => "event",
            Self::Rerun { .. } => "rerun",
            Self::Replay { .. } => "replay",
        }
    }
}

/// Where a step's outputs are from that did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "taken")]
pub enum Taken {
    /// That run did the same work on the same inputs.
    Cache { run: RunId },
    /// The run that this one goes on from.
    Rerun { run: RunId },
    /// What the outside world told that run, which this one replays.
    Recording { run: RunId },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_the_instant_that_it_was_made_of() {
        let (source, id) = ("shop".to_owned(), "schedule 7".to_owned());
        for (cause, instant) in [
            (Cause::Schedule { at_us: -7 }, Some((-7, None))),
            (Cause::Backfill { backfill: 3, at_us: 1 << 50 }, Some((1 << 50, Some(3)))),
            (Cause::Event { source, id }, None),
        ] {
            assert_eq!(Cause::instant_of(&cause.key().unwrap()), instant, "{cause:?}");
        }
    }
}
