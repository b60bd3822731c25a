//! Failures of a step -> when to try again. The failures come from the journal, so a resumed run keeps the same patience.

use crate::Failure;
use types::FaultKind;

/// Attempts that may fail because the world outside did.
const TRANSIENT_MAX: usize = 3;
/// Attempts whose worker may die for no known reason: the second time it is the step.
const CRASHES_MAX: usize = 2;
/// A guest names its own delay; it may neither hammer nor park the run.
const DELAY_MS: std::ops::RangeInclusive<u64> = 1_000..=300_000;

/// The time of the next attempt; none if the step is given up.
pub(crate) fn retry_at(failures: &[Failure]) -> Option<i64> {
    let last = failures.last()?;
    let delay_ms = match last.fault.kind {
        FaultKind::Transient { retry_after_ms } if count(failures, is_transient) < TRANSIENT_MAX => {
            retry_after_ms.clamp(*DELAY_MS.start(), *DELAY_MS.end())
        }
        FaultKind::Crash if count(failures, |kind| *kind == FaultKind::Crash) < CRASHES_MAX => 0,
        _ => return None,
    };
    Some(last.at_us.saturating_add(delay_ms as i64 * 1000))
}

/// The time to wait for; none if the next attempt may begin now. A clock that went back must not make a step wait for as
/// long as it went back.
pub(crate) fn wait_until(failures: &[Failure], now_us: i64) -> Option<i64> {
    let last = failures.last()?;
    retry_at(failures).filter(|&due| now_us >= last.at_us && now_us < due)
}

fn is_transient(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::Transient { .. })
}

fn count(failures: &[Failure], of: impl Fn(&FaultKind) -> bool) -> usize {
    failures.iter().filter(|failure| of(&failure.fault.kind)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Attempt, Fault, Receipt};

    fn failures(kinds: &[FaultKind]) -> Vec<Failure> {
        let failure = |(i, kind): (usize, &FaultKind)| Failure {
            attempt: Attempt(i as u32 + 1),
            fault: Fault::new(kind.clone(), "failed"),
            receipt: Receipt::default(),
            at_us: 1_000,
        };
        kinds.iter().enumerate().map(failure).collect()
    }

    #[test]
    fn only_the_world_and_one_crash_are_forgiven() {
        let transient = || FaultKind::Transient { retry_after_ms: 0 };
        let long = FaultKind::Transient { retry_after_ms: u64::MAX };
        for (kinds, expected) in [
            (vec![], None),
            (vec![FaultKind::Invalid], None),
            (vec![FaultKind::Guest], None),
            (vec![FaultKind::Host], None),
            (vec![transient()], Some(1_001_000)),
            (vec![long], Some(300_001_000)),
            (vec![transient(), transient()], Some(1_001_000)),
            (vec![transient(), transient(), transient()], None),
            (vec![FaultKind::Crash], Some(1_000)),
            (vec![FaultKind::Crash, FaultKind::Crash], None),
            (vec![FaultKind::Crash, transient(), FaultKind::Crash], None),
        ] {
            assert_eq!(retry_at(&failures(&kinds)), expected, "{kinds:?}");
        }
    }

    #[test]
    fn a_clock_that_went_back_does_not_make_it_wait() {
        let failures = failures(&[FaultKind::Transient { retry_after_ms: 5_000 }]);
        assert_eq!(wait_until(&failures, 2_000), Some(5_001_000));
        assert_eq!(wait_until(&failures, 5_001_000), None);
        assert_eq!(wait_until(&failures, 0), None);
    }
}
