//! A failure of a step -> when to try again. It is decided once and recorded with the failure, so that a resumed run keeps the
//! same patience.

use crate::Failure;
use types::{FaultKind, Retry};

/// Attempts whose worker may die for no known reason: the second time it is the step.
const CRASHES_MAX: usize = 2;
/// A guest names its own delay; it may neither hammer nor park the run.
const ASKED_MS: std::ops::RangeInclusive<u64> = 1_000..=300_000;

/// The time of the next attempt after one more failure; none if the step is given up.
pub(crate) fn retry_at(before: &[Failure], kind: &FaultKind, at_us: i64, policy: &Retry) -> Option<i64> {
    let alike = |of: fn(&FaultKind) -> bool| before.iter().filter(|failure| of(&failure.fault.kind)).count() + 1;
    let delay_ms = match kind {
        FaultKind::Transient { retry_after_ms } => {
            let failures = alike(|kind| matches!(kind, FaultKind::Transient { .. }));
            let asked = (*retry_after_ms).clamp(*ASKED_MS.start(), *ASKED_MS.end());
            (failures < policy.attempts as usize).then(|| asked.max(backoff_ms(policy, failures)))?
        }
        FaultKind::Crash if policy.attempts > 1 && alike(|kind| *kind == FaultKind::Crash) < CRASHES_MAX => 0,
        _ => return None,
    };
    Some(at_us.saturating_add_unsigned(delay_ms.saturating_mul(1000)))
}

/// After so many failures.
fn backoff_ms(policy: &Retry, failures: usize) -> u64 {
    let factor = policy.factor.powi(i32::try_from(failures).unwrap_or(i32::MAX) - 1);
    // Saturates; what is no number is 0.
    ((policy.backoff_ms as f64 * factor) as u64).min(policy.longest_ms)
}

/// The time to wait for; none if the next attempt may begin now. A clock that went back must not make a step wait for as
/// long as it went back.
pub(crate) fn wait_until(failures: &[Failure], now_us: i64) -> Option<i64> {
    let last = failures.last()?;
    last.retry_at_us.filter(|&due| now_us >= last.at_us && now_us < due)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Attempt, Fault, Receipt};

    fn failures(kinds: &[FaultKind], policy: &Retry) -> Vec<Failure> {
        let mut failures = Vec::new();
        for (i, kind) in kinds.iter().enumerate() {
            let retry_at_us = retry_at(&failures, kind, 1_000, policy);
            let fault = Fault::new(kind.clone(), "failed");
            let (attempt, receipt) = (Attempt(i as u32 + 1), Receipt::default());
            failures.push(Failure { attempt, fault, receipt, at_us: 1_000, retry_at_us });
        }
        failures
    }

    #[test]
    fn only_the_world_and_one_crash_are_forgiven() {
        let transient = || FaultKind::Transient { retry_after_ms: 0 };
        let long = FaultKind::Transient { retry_after_ms: u64::MAX };
        let usual = Retry::default();
        let once = Retry { attempts: 1, ..usual };
        let slow = Retry { attempts: 5, backoff_ms: 10_000, factor: 3.0, longest_ms: 60_000 };
        for (policy, kinds, expected) in [
            (usual, vec![FaultKind::Invalid], None),
            (usual, vec![FaultKind::Guest], None),
            (usual, vec![FaultKind::Host], None),
            (usual, vec![transient()], Some(1_001_000)),
            (usual, vec![long], Some(300_001_000)),
            (usual, vec![transient(), transient()], Some(2_001_000)),
            (usual, vec![transient(), transient(), transient()], None),
            (usual, vec![FaultKind::Crash], Some(1_000)),
            (usual, vec![FaultKind::Crash, FaultKind::Crash], None),
            (usual, vec![FaultKind::Crash, transient(), FaultKind::Crash], None),
            (once, vec![transient()], None),
            (once, vec![FaultKind::Crash], None),
            (slow, vec![transient()], Some(10_001_000)),
            (slow, vec![transient(), transient()], Some(30_001_000)),
            (slow, vec![transient(), transient(), transient()], Some(60_001_000)),
            (slow, vec![transient(), transient(), transient(), transient(), transient()], None),
        ] {
            let last = failures(&kinds, &policy).pop();
            assert_eq!(last.and_then(|last| last.retry_at_us), expected, "{kinds:?} {policy:?}");
        }
    }

    #[test]
    fn a_clock_that_went_back_does_not_make_it_wait() {
        let failures = failures(&[FaultKind::Transient { retry_after_ms: 5_000 }], &Retry::default());
        assert_eq!(wait_until(&failures, 2_000), Some(5_001_000));
        assert_eq!(wait_until(&failures, 5_001_000), None);
        assert_eq!(wait_until(&failures, 0), None);
        assert_eq!(wait_until(&[], 0), None);
    }
}
