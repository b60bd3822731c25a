//! Who answers a request of an endpoint, and what is remembered of the answers: of each version since the weight was last set.

use crate::locked;
use crate::predictions::Followed;
use data::Table;
use manifest::Sticky;
use models::{Answered, PLACES, Window};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use types::{DataType, Digest, Fault, Field, Rollout};

/// Rows of an answer that are looked at.
const ROWS_MAX: u32 = 256;
/// After so long a version that could not be loaded is tried again.
const AGAIN_US: i64 = 60_000_000;

/// What an endpoint remembers of its requests.
#[derive(Default)]
pub(crate) struct Traffic {
    count: AtomicU64,
    seen: Mutex<BTreeMap<u32, Window>>,
    /// The canary as it was recorded last; none before anybody looked.
    pub(crate) rollout: Mutex<Option<Option<Rollout>>>,
    /// What is known of the labels that the canary waits for.
    pub(crate) followed: Mutex<Option<Followed>>,
    /// Held by whoever moves the canary.
    pub(crate) moving: Mutex<()>,
    /// What keeps versions from answering, and since when.
    troubles: Mutex<BTreeMap<u32, (i64, String)>>,
    /// What keeps the canary from being looked at, as it was told.
    pub(crate) told: Mutex<Option<String>>,
}

/// What a version answered since the weight was last set, or since the server began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionSeen {
    pub version: u32,
    pub requests: u64,
    /// Not those that were their sender's fault.
    pub errors: u64,
    /// The 95th percentile.
    pub p95_us: Option<u64>,
}

impl Traffic {
    /// The place of a request: by its key, or else by itself.
    pub(crate) fn place(&self, key: Option<&str>) -> u32 {
        match key {
            Some(key) => {
                let hash = Digest::of(key.as_bytes());
                let [a, b, c, d, ..] = *hash.as_bytes();
                ((u64::from(u32::from_be_bytes([a, b, c, d])) * u64::from(PLACES)) >> 32) as u32
            }
            None => models::spread(self.count.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Takes note of what a version said to a request; what its values are where a canary compares that. Whether that is worth
    /// a look at the canary.
    pub(crate) fn heard(&self, version: u32, took_us: i64, answer: &Result<Table, Fault>, has_canary: bool) -> bool {
        let mut seen = locked(&self.seen);
        let window = seen.entry(version).or_default();
        match answer {
            // Also of rows that were refused: a caller's mistakes meet both versions alike, and only the difference counts.
            Err(_) => window.failed(),
            Ok(table) => {
                window.answered(took_us.max(0) as f64 / 1e6);
                if has_canary {
                    table.schema().fields.iter().for_each(|field| saw(window, table, field));
                }
            }
        }
        let is_look = has_canary && models::is_look(window.requests);
        // Whoever moves the canary takes these two the other way round.
        drop(seen);
        is_look && self.look(version)
    }

    /// Keeps what a candidate and the version beside it came to by now, if this is the candidate.
    fn look(&self, version: u32) -> bool {
        let rollout = locked(&self.rollout).clone().flatten();
        let Some(rollout) = rollout.filter(|rollout| rollout.candidate == version && !rollout.phase.is_over()) else {
            return false;
        };
        let mut seen = locked(&self.seen);
        let (errors, requests) = seen.get(&rollout.stable).map_or((0, 0), |stable| (stable.errors, stable.requests));
        // None if its weight was just set anew.
        seen.get_mut(&version).map(|candidate| candidate.look((errors, requests))).is_some()
    }

    /// What two versions answered.
    pub(crate) fn windows(&self, stable: u32, candidate: u32) -> (Window, Window) {
        let seen = locked(&self.seen);
        let of = |version| seen.get(&version).cloned().unwrap_or_default();
        (of(stable), of(candidate))
    }

    /// Keeps what these versions answered and forgets the rest, so that it does not grow with every version.
    pub(crate) fn keep(&self, versions: &BTreeSet<u32>) {
        locked(&self.seen).retain(|version, _| versions.contains(version));
        locked(&self.troubles).retain(|version, _| versions.contains(version));
    }

    /// Begins to count anew.
    pub(crate) fn forget(&self) {
        locked(&self.seen).clear();
    }

    pub(crate) fn versions(&self) -> Vec<VersionSeen> {
        let seen = locked(&self.seen);
        let version = |(version, window): (&u32, &Window)| VersionSeen {
            version: *version,
            requests: window.requests,
            errors: window.errors,
            p95_us: window.p95_seconds().map(|seconds| (1e6 * seconds) as u64),
        };
        seen.iter().map(version).collect()
    }

    /// Takes note of why a version does not answer, or that it does.
    pub(crate) fn trouble(&self, version: u32, trouble: Option<String>, now_us: i64) {
        let mut troubles = locked(&self.troubles);
        match trouble {
            Some(trouble) => drop(troubles.insert(version, (now_us, trouble))),
            None => drop(troubles.remove(&version)),
        }
    }

    /// Whether a version was tried in vain a moment ago.
    pub(crate) fn is_troubled(&self, version: u32, now_us: i64) -> bool {
        locked(&self.troubles)
            .get(&version)
            .is_some_and(|(since_us, _)| (*since_us..since_us + AGAIN_US).contains(&now_us))
    }

    /// Why a version did not answer when it was tried last.
    pub(crate) fn trouble_of(&self, version: u32) -> Option<String> {
        locked(&self.troubles).get(&version).map(|(_, trouble)| trouble.clone())
    }

    pub(crate) fn troubles(&self) -> BTreeMap<u32, String> {
        locked(&self.troubles).iter().map(|(version, (_, trouble))| (*version, trouble.clone())).collect()
    }
}

/// The key that a request has in common with those that go to the same version.
pub(crate) fn key(
    sticky: Option<&Sticky>,
    rows: &Table,
    header: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<String>, Fault> {
    match sticky {
        None => Ok(None),
        Some(Sticky::Header(name)) => Ok(header(name)),
        Some(Sticky::Column(name)) => {
            let value = data::column_as_text(rows, name, &[0]).map_err(|_| {
                Fault::invalid(format!("requests have no column `{name}`, by which the endpoint tells who goes where"))
            })?;
            Ok(value.into_iter().next())
        }
    }
}

fn saw(window: &mut Window, table: &Table, field: &Field) {
    match field.data_type {
        DataType::Float64 | DataType::Float32 | DataType::Int64 => {
            if let Ok(values) = data::numbers_or_nan(table, &field.name, 0, ROWS_MAX) {
                window.saw(&field.name, Answered::Numbers(&values));
            }
        }
        DataType::Text | DataType::Boolean => {
            let rows: Vec<u64> = (0..table.rows().min(ROWS_MAX.into())).collect();
            if let Ok(words) = data::column_as_text(table, &field.name, &rows) {
                window.saw(&field.name, Answered::Words(&words));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A candidate that refuses the rows that the stable version answers is worse.
    #[test]
    fn rows_that_a_version_refuses_count_as_unanswered() {
        let traffic = Traffic::default();
        for fault in [Fault::invalid("a row is not ours"), Fault::guest("trapped")] {
            assert!(!traffic.heard(2, 100, &Err(fault), true));
        }
        let (stable, candidate) = traffic.windows(1, 2);
        assert_eq!([stable.errors, candidate.errors], [0, 2]);
        assert_eq!([stable.requests, candidate.requests], [0, 2]);
    }

    #[test]
    fn a_candidate_is_looked_at_with_the_version_beside_it() {
        let traffic = Traffic::default();
        let steps = vec![types::CanaryStep::SetWeight { percent: 50 }];
        *locked(&traffic.rollout) = Some(Some(models::begin(1, 2, steps, 0)));
        let failed = Err(Fault::guest("trapped"));
        let looks = |version| (1..=32).filter(|_| traffic.heard(version, 100, &failed, true)).count();
        assert_eq!([looks(1), looks(2)], [0, 3], "at 8, 16 and 32 of the candidate's");
        assert_eq!(traffic.windows(1, 2).1.looks().len(), 3);
    }
}
