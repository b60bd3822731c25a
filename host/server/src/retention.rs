//! Runs and how long they are kept -> which are forgotten. Pure.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::RunSummary;
use types::{Cause, PipelineName, ProjectName, RunId, RunState};

/// How many of a pipeline's runs are kept, and how long: one that either says goes. None: no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// The latest of those that ended.
    pub runs: Option<u32>,
    /// Since they ended.
    pub age_ms: Option<u64>,
}

/// Runs that are forgotten, the oldest first. `runs` are the newest first; `kept` are those that something else counts on.
/// Never one that has not ended, nor a pipeline's newest one that succeeded.
pub(crate) fn beyond(
    runs: &[RunSummary],
    keep: &dyn Fn(&ProjectName) -> Keep,
    kept: &BTreeSet<RunId>,
    now_us: i64,
) -> Vec<RunId> {
    let mut seen: BTreeMap<(&ProjectName, &PipelineName), Seen> = BTreeMap::new();
    let mut beyond = Vec::new();
    for run in runs {
        let Some(finished_us) = run.finished_us else { continue };
        let seen = seen.entry((&run.head.project, &run.head.pipeline)).or_default();
        // One that only held another up to itself stands for nothing new.
        let is_good = run.state == RunState::Succeeded && !matches!(run.head.cause, Cause::Replay { .. });
        let is_newest_good = is_good && !std::mem::replace(&mut seen.good, true);
        let keep = keep(&run.head.project);
        let too_many = keep.runs.is_some_and(|most| seen.ended >= most);
        // A clock that went back makes nothing old.
        let age_ms = u64::try_from(now_us.saturating_sub(finished_us) / 1000).unwrap_or(0);
        let too_old = keep.age_ms.is_some_and(|most| age_ms > most);
        seen.ended = seen.ended.saturating_add(1);
        if (too_many || too_old) && !is_newest_good && !kept.contains(&run.head.run) {
            beyond.push(run.head.run);
        }
    }
    beyond.reverse();
    beyond
}

/// What of a pipeline came by.
#[derive(Default)]
struct Seen {
    ended: u32,
    /// Whether one of them succeeded.
    good: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{head, name};
    use types::RunState::{Failed, Running, Succeeded};

    const DAY_US: i64 = 86_400_000_000;

    /// A run that ended at noon of the day of its number.
    fn ran(run: u64, pipeline: &str, state: RunState) -> RunSummary {
        let head = types::RunHead { pipeline: name(pipeline), ..head(RunId(run)) };
        RunSummary { head, state, finished_us: (state != Running).then_some(run as i64 * DAY_US + DAY_US / 2) }
    }

    /// Runs of `a` on days 6 to 1 and one of `b`, asked about on day 7.
    fn forgotten(keep: Keep, kept: &[u64]) -> Vec<u64> {
        let states = [(6, Failed), (5, Running), (4, Succeeded), (3, Failed), (2, Succeeded), (1, Failed)];
        let mut runs: Vec<_> = states.map(|(run, state)| ran(run, "a", state)).into();
        runs.push(ran(0, "b", Succeeded));
        let kept = kept.iter().map(|run| RunId(*run)).collect();
        beyond(&runs, &|_| keep, &kept, 7 * DAY_US).into_iter().map(|run| run.0).collect()
    }

    #[test]
    fn runs_go_by_number_and_age_but_some_never() {
        let days = |days: u64| Some(days * 86_400_000);
        for (keep, kept, expected) in [
            (Keep::default(), &[][..], &[][..]),
            (Keep { runs: Some(2), age_ms: None }, &[], &[1, 2, 3]),
            (Keep { runs: Some(2), age_ms: None }, &[2], &[1, 3]),
            (Keep { runs: Some(1), age_ms: None }, &[], &[1, 2, 3]),
            (Keep { runs: Some(0), age_ms: None }, &[], &[1, 2, 3, 6]),
            (Keep { runs: None, age_ms: days(4) }, &[], &[1, 2]),
            (Keep { runs: Some(4), age_ms: days(5) }, &[], &[1]),
            (Keep { runs: None, age_ms: Some(0) }, &[], &[1, 2, 3, 6]),
        ] {
            assert_eq!(forgotten(keep, kept), expected, "{keep:?} {kept:?}");
        }
    }

    #[test]
    fn a_clock_that_went_back_makes_nothing_old() {
        let runs = [ran(9, "a", Succeeded), ran(8, "a", Failed)];
        let keep = Keep { runs: None, age_ms: Some(1) };
        assert_eq!(beyond(&runs, &|_| keep, &BTreeSet::new(), 0), []);
    }
}
