//! A sample -> its values and the ranges that resampling gives. Pure.

use crate::Sample;
use stepwell::{Error, Result, Rng};

/// Rows or groups of which there must be as many for an interval.
pub const UNITS_MIN: usize = 20;
/// Resamples that lie beyond each end of an interval at least, and how many resamples are made for that at most.
const BEYOND: f64 = 10.0;
const RESAMPLES_MAX: u32 = 10_000;

/// How the bootstrap is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    resamples: u32,
    confidence: f64,
}

impl Bootstrap {
    /// The values of the parameters `confidence` and `resamples`; no resamples give no intervals.
    pub fn new(confidence: f64, resamples: u32) -> Result<Self> {
        match confidence > 0.0 && confidence < 1.0 {
            true => Ok(Self { resamples, confidence }),
            false => {
                Err(Error::invalid("confidence", format!("expected more than 0 and less than 1, got {confidence}")))
            }
        }
    }

    /// For each of so many intervals that are to hold together. The ends of a wide interval need more resamples.
    pub fn together(self, count: usize) -> Self {
        let missed = (1.0 - self.confidence) / count.max(1) as f64;
        let confidence = if count > 1 { 1.0 - missed } else { self.confidence };
        let wanted = (BEYOND / (missed / 2.0)).round().min(f64::from(RESAMPLES_MAX)) as u32;
        let resamples = if self.resamples == 0 { 0 } else { self.resamples.max(wanted) };
        Self { resamples, confidence }
    }
}

/// A measure over some rows, with the range that resampling gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub interval: Option<(f64, f64)>,
    pub baseline: Option<f64>,
    /// Of value minus baseline, on the same draws.
    pub difference: Option<(f64, f64)>,
}

/// An estimate for each name; none where it is undefined over all rows. Each resample draws as many units as there are, with
/// replacement, and the same ones for the baseline, which must be of the same rows.
pub fn estimate<S: Sample>(
    candidate: &S,
    baseline: Option<&S>,
    bootstrap: Bootstrap,
    mut rng: Rng,
) -> Vec<Option<Estimate>> {
    let units = candidate.units();
    let once = vec![1; units];
    let values = candidate.measure(&once);
    let others = baseline.map(|baseline| baseline.measure(&once));
    let mut drawn: Vec<Vec<f64>> = vec![Vec::new(); values.len()];
    let mut differences = drawn.clone();
    let resamples = if units >= UNITS_MIN { bootstrap.resamples } else { 0 };
    for _ in 0..resamples {
        let mut counts = vec![0; units];
        (0..units).for_each(|_| counts[rng.below(units)] += 1);
        let resampled = candidate.measure(&counts);
        let others = baseline.map(|baseline| baseline.measure(&counts)).unwrap_or_default();
        for (index, value) in resampled.iter().enumerate() {
            drawn[index].extend(value);
            let other = others.get(index).copied().flatten();
            differences[index].extend(value.zip(other).map(|(value, other)| value - other));
        }
    }
    let mut estimates = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let interval = |drawn: &mut Vec<f64>| middle(drawn, resamples, bootstrap.confidence);
        estimates.push(value.map(|value| Estimate {
            value,
            interval: interval(&mut drawn[index]),
            baseline: others.as_ref().and_then(|others| others[index]),
            difference: interval(&mut differences[index]),
        }));
    }
    estimates
}

/// The middle part of the resampled values. Resamples in which the measure is undefined are left out; if they are more
/// than half, there is no interval.
fn middle(drawn: &mut [f64], resamples: u32, confidence: f64) -> Option<(f64, f64)> {
    if drawn.is_empty() || drawn.len() * 2 < resamples as usize {
        return None;
    }
    drawn.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Some((quantile(drawn, tail), quantile(drawn, 1.0 - tail)))
}

/// Linear between neighbours, as NumPy's default.
fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let position = fraction * (sorted.len() - 1) as f64;
    let below = (position.floor() as usize).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of some numbers, and that of the negative ones.
    struct Means(Vec<f64>);

    impl Sample for Means {
        fn names(&self) -> Vec<String> {
            vec!["mean".into(), "mean of negatives".into()]
        }

        fn units(&self) -> usize {
            self.0.len()
        }

        fn pick(&self, rows: &[usize]) -> Self {
            Self(rows.iter().map(|row| self.0[*row]).collect())
        }

        fn measure(&self, counts: &[u32]) -> Vec<Option<f64>> {
            let mean = |wanted: fn(f64) -> bool| {
                let counted = self.0.iter().zip(counts).filter(|(value, _)| wanted(**value));
                let (mut sum, mut all) = (0.0, 0.0);
                counted
                    .for_each(|(value, count)| (sum, all) = (sum + value * f64::from(*count), all + f64::from(*count)));
                crate::ratio(sum, all)
            };
            vec![mean(|_| true), mean(|value| value < 0.0)]
        }
    }

    fn made(count: usize, seed: u64) -> Means {
        let mut rng = Rng::from_seed(seed);
        Means((0..count).map(|_| rng.uniform()).collect())
    }

    fn bootstrap(confidence: f64, resamples: u32) -> Bootstrap {
        Bootstrap::new(confidence, resamples).unwrap()
    }

    #[test]
    fn intervals_hold_the_value_and_repeat() {
        let sample = made(50, 1);
        let of = |seed| estimate(&sample, Some(&sample), bootstrap(0.95, 500), Rng::from_seed(seed));
        let Estimate { value, interval, baseline, difference } = of(1)[0].unwrap();
        let (low, high) = interval.unwrap();
        assert!(low < value && value < high);
        assert_eq!((baseline, difference), (Some(value), Some((0.0, 0.0))));
        assert_eq!(of(1)[1], None, "there are no negatives");
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn an_interval_of_a_mean_is_about_as_wide_as_theory_says() {
        // Twice 1.96 standard errors of 400 uniform numbers, whose deviation is sqrt(1/12).
        let (low, high) =
            estimate(&made(400, 3), None, bootstrap(0.95, 2_000), Rng::from_seed(4))[0].unwrap().interval.unwrap();
        let theory = 2.0 * 1.96 * (1.0_f64 / 12.0).sqrt() / 20.0;
        assert!(((high - low) / theory - 1.0).abs() < 0.1, "{} beside {theory}", high - low);
    }

    #[test]
    fn a_paired_difference_is_narrower_than_two_intervals() {
        let candidate = made(100, 5);
        let baseline = Means(candidate.0.iter().map(|value| value - 0.1).collect());
        let found = estimate(&candidate, Some(&baseline), bootstrap(0.95, 500), Rng::from_seed(6))[0].unwrap();
        let (low, high) = found.difference.unwrap();
        assert!((low - 0.1).abs() < 1e-12 && (high - 0.1).abs() < 1e-12, "each row differs by 0.1: {low} {high}");
    }

    #[test]
    fn too_few_units_have_a_value_and_no_interval() {
        let of = |count| estimate(&made(count, 1), None, bootstrap(0.95, 100), Rng::from_seed(1))[0].unwrap();
        assert!(of(UNITS_MIN - 1).interval.is_none() && of(UNITS_MIN).interval.is_some());
    }

    #[test]
    fn intervals_that_hold_together_are_wider_and_of_more_resamples() {
        let alone = bootstrap(0.95, 1_000);
        assert_eq!(alone.together(1), alone);
        let ten = alone.together(10);
        assert!((ten.confidence - 0.995).abs() < 1e-12);
        assert_eq!((ten.resamples, alone.together(1_000).resamples), (4_000, 10_000));
        assert_eq!(bootstrap(0.95, 0).together(10).resamples, 0);
        assert!(Bootstrap::new(1.0, 10).is_err());
    }

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 1.0])
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!([0.025, 0.5, 1.0].map(|fraction| quantile(&sorted, fraction)), [1.075, 3.0, 8.0]);
    }
}
