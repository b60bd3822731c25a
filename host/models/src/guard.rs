//! What two versions answered so far -> whether the newer one fails so much more that no analysis need be waited for. Pure.
//!
//! An analysis judges once. Between, a candidate is looked at when it has been asked 8, 16, 32 .. times since its weight was set,
//! and what both versions came to at that moment is kept: a look. Looking often finds something by chance, so each look has less of
//! the 1 % that chance is allowed: the k-th 1 / (k (k + 1)) of it, which all together are no more than the whole (a union bound).
//! Half of that is for either version: a candidate is stopped if the lowest rate of failures that explains its own, minus the
//! highest that explains the stable version's, is beyond the bound. Both ends are Chernoff's, which hold for any number of requests
//! and are exact where everything or nothing failed: so a candidate that fails always is stopped at its 8th, 16th or 32nd request.

use crate::analysis::Window;
use types::CanaryStep;

/// Of how often a candidate that is no worse is stopped, at most, while it has a weight.
const LEVEL: f64 = 0.01;
/// Requests of the candidate at its first look.
const FIRST: u64 = 8;

/// Failures and requests of both versions at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    pub(crate) stable: (u64, u64),
    pub(crate) candidate: (u64, u64),
}

/// Whether a candidate is to be looked at when it has been asked so often.
pub fn is_look(requests: u64) -> bool {
    requests >= FIRST && requests.is_power_of_two()
}

/// Why a candidate is stopped, if it is: beyond the widest bound that an analysis of its canary has for errors.
pub(crate) fn alarm(steps: &[CanaryStep], candidate: &Window) -> Option<String> {
    let bound = steps.iter().filter_map(|step| match step {
        CanaryStep::Analyse(analysis) => analysis.error_rate,
        _ => None,
    });
    let bound = bound.reduce(f64::max)?;
    candidate.looks().iter().zip(1..).find_map(|(look, number)| {
        let least = least_increase(look, number);
        let ((old_errors, old), (errors, requests)) = (look.stable, look.candidate);
        (least > bound).then(|| {
            format!(
                "{errors} of its first {requests} requests failed, {old_errors} of {old} with the stable version meanwhile: at \
                 least {:.2} points more, {:.2} are allowed",
                100.0 * least,
                100.0 * bound
            )
        })
    })
}

/// By how much the candidate's rate of failures is above the other's at least, for all that chance may do at the k-th look.
fn least_increase(look: &Look, number: u32) -> f64 {
    let level = LEVEL / 2.0 / (f64::from(number) * f64::from(number + 1));
    lowest(look.candidate, level) - highest(look.stable, level)
}

/// The highest rate that explains so few failures: of all higher ones, these or fewer have less than this chance (Chernoff).
fn highest((errors, requests): (u64, u64), level: f64) -> f64 {
    if requests == 0 {
        return 1.0;
    }
    let (n, seen) = (requests as f64, errors as f64 / requests as f64);
    let (mut low, mut high) = (seen, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match n * divergence(seen, middle) <= -level.ln() {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

/// The lowest rate that explains so many.
fn lowest((errors, requests): (u64, u64), level: f64) -> f64 {
    1.0 - highest((requests - errors, requests), level)
}

/// Kullback and Leibler's, of one coin from another.
fn divergence(seen: f64, assumed: f64) -> f64 {
    let part = |seen: f64, assumed: f64| if seen == 0.0 { 0.0 } else { seen * (seen / assumed).ln() };
    part(seen, assumed) + part(1.0 - seen, 1.0 - assumed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Analysis;

    fn steps(error_rates: &[Option<f64>]) -> Vec<CanaryStep> {
        let analysis = |error_rate: &Option<f64>| {
            CanaryStep::Analyse(Analysis {
                requests: 1_000_000,
                error_rate: *error_rate,
                latency_ratio: Some(2.0),
                shift: None,
                labels: 0,
                accuracy_loss: None,
                mae_increase: None,
            })
        };
        error_rates.iter().map(analysis).collect()
    }

    /// The numbers of splitmix64, from 0 to 1: a seeded drawing.
    struct Lots(u64);

    impl Lots {
        fn draw(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    /// A canary of this weight until its candidate was asked so often, of two versions that fail so often: at which request it
    /// is stopped.
    fn stopped(lots: &mut Lots, weight: f64, rates: [f64; 2], bound: f64, most: u64) -> Option<u64> {
        let (mut stable, mut candidate) = (Window::default(), Window::default());
        let steps = steps(&[Some(bound)]);
        while candidate.requests < most {
            let is_candidates = lots.draw() < weight;
            let (window, rate) = if is_candidates { (&mut candidate, rates[1]) } else { (&mut stable, rates[0]) };
            if lots.draw() < rate {
                window.failed()
            } else {
                window.answered(0.001)
            }
            if is_candidates && is_look(candidate.requests) {
                candidate.look((stable.errors, stable.requests));
                if alarm(&steps, &candidate).is_some() {
                    return Some(candidate.requests);
                }
            }
        }
        None
    }

    /// Simulated, with the candidate as much worse as is allowed: the hardest case of those in which nothing is to be said.
    #[test]
    fn a_candidate_that_is_no_worse_than_allowed_is_stopped_in_one_of_a_hundred_canaries_at_most() {
        let canaries = 400;
        for (weight, stable, bound) in
            [(0.1, 0.3, 0.0), (0.5, 0.02, 0.0), (0.5, 0.3, 0.01), (0.9, 0.1, 0.0), (0.5, 0.0, 0.05)]
        {
            let mut lots = Lots(7);
            let alarms =
                (0..canaries).filter(|_| stopped(&mut lots, weight, [stable, stable + bound], bound, 512).is_some());
            let alarms = alarms.count();
            assert!(
                100 * alarms <= canaries,
                "{alarms} of {canaries} at weight {weight}, rate {stable}, bound {bound}"
            );
        }
    }

    #[test]
    fn a_candidate_that_fails_is_stopped_within_its_first_tens_of_requests() {
        for (weight, stable, candidate, within) in [
            (0.1, 0.01, 1.0, 8),
            (0.5, 0.01, 1.0, 32),
            (0.05, 0.0, 0.7, 16),
            (0.5, 0.0, 0.5, 64),
            (0.1, 0.01, 0.3, 128),
        ] {
            let mut lots = Lots(7);
            let stopped = |_| stopped(&mut lots, weight, [stable, candidate], 0.01, 4096).unwrap_or(u64::MAX);
            let mut at: Vec<u64> = (0..100).map(stopped).collect();
            at.sort_unstable();
            assert!(at[94] <= within, "95 of 100 within {} at weight {weight}, rate {candidate}", at[94]);
        }
    }

    /// Where everything or nothing failed they are those of Clopper and Pearson, and wider elsewhere. Of SciPy 1.17.1:
    /// `beta.ppf(1 - a, x + 1, n - x)`, `beta.ppf(a, x, n - x + 1)`; to 1e-9 where they are equal.
    #[test]
    fn the_ends_are_scipys_or_wider() {
        assert!((highest((0, 8), 0.0025) - 0.527_129_195_498_413_3).abs() < 1e-9);
        assert!((lowest((8, 8), 0.0025) - 0.472_870_804_501_587_9).abs() < 1e-9);
        for (errors, requests, level, low, high) in [
            (1, 16, 0.000_833, 5.208_283_972_245_122e-5, 0.456_686_370_852_397_2),
            (19, 64, 0.000_25, 0.126_405_677_709_552_02, 0.520_015_155_062_606_7),
            (5, 1000, 0.0001, 0.000_445_252_206_781_772_4, 0.019_425_202_959_887_07),
        ] {
            let got = (lowest((errors, requests), level), highest((errors, requests), level));
            assert!(got.0 <= low && got.1 >= high, "{got:?}");
            assert!(low - got.0 < 0.05 && got.1 - high < 0.05, "{got:?}: not much wider");
        }
        assert_eq!((highest((0, 0), 0.01), lowest((0, 8), 0.01)), (1.0, 0.0));
    }

    #[test]
    fn only_errors_with_a_bound_are_watched_and_the_widest_bound_holds() {
        let broken = || {
            let mut candidate = Window::default();
            (0..8).for_each(|_| candidate.failed());
            candidate.look((0, 100));
            candidate
        };
        assert_eq!(alarm(&steps(&[None]), &broken()), None);
        assert_eq!(alarm(&steps(&[Some(0.01), Some(0.9)]), &broken()), None);
        let said = alarm(&steps(&[None, Some(0.01)]), &broken()).unwrap();
        assert!(
            said.starts_with("8 of its first 8 requests failed, 0 of 100 with the stable version meanwhile"),
            "{said}"
        );
    }
}
