//! Judged rows -> the seven measures, their bootstrap intervals, and those of a difference. Pure.
//!
//! A measure over a resample is a pass with a count for each row, so that the rows are sorted by probability only once.

use stepwell::Rng;

/// What is measured, in this order everywhere.
pub(crate) const NAMES: [&str; 7] = ["accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"];

/// A value for each of [`NAMES`]; none where it is undefined, as the recall of no positives.
pub(crate) type Values = [Option<f64>; NAMES.len()];

/// Rows with a binary label and what was predicted for them.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    positive: Vec<bool>,
    predicted: Vec<bool>,
    /// Of the positive class.
    probability: Vec<f64>,
    /// The rows by rising probability.
    order: Vec<usize>,
}

impl Judged {
    /// The three must have one length.
    pub(crate) fn new(positive: Vec<bool>, predicted: Vec<bool>, probability: Vec<f64>) -> Self {
        let mut order: Vec<usize> = (0..positive.len()).collect();
        order.sort_by(|a, b| probability[*a].total_cmp(&probability[*b]));
        Self { positive, predicted, probability, order }
    }

    pub(crate) fn len(&self) -> usize {
        self.positive.len()
    }

    /// The label of each row.
    pub(crate) fn positive(&self) -> &[bool] {
        &self.positive
    }

    /// Only these rows.
    pub(crate) fn pick(&self, rows: &[usize]) -> Self {
        let pick = |values: &[bool]| rows.iter().map(|row| values[*row]).collect();
        let probability = rows.iter().map(|row| self.probability[*row]).collect();
        Self::new(pick(&self.positive), pick(&self.predicted), probability)
    }

    /// The measures with row i counted `counts[i]` times.
    pub(crate) fn measure(&self, counts: &[u32]) -> Values {
        // True and false positives, false and true negatives.
        let (mut tp, mut fp, mut fnn, mut tn) = (0.0, 0.0, 0.0, 0.0);
        let (mut loss, mut squares) = (0.0, 0.0);
        for (row, count) in counts.iter().enumerate() {
            let count = f64::from(*count);
            match (self.positive[row], self.predicted[row]) {
                (true, true) => tp += count,
                (false, true) => fp += count,
                (true, false) => fnn += count,
                (false, false) => tn += count,
            }
            let probability = self.probability[row];
            let of_truth = if self.positive[row] { probability } else { 1.0 - probability };
            // Clipped as scikit-learn does, so that a sure mistake costs 36 and not infinity.
            loss -= count * of_truth.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
            squares += count * (1.0 - of_truth).powi(2);
        }
        let all = tp + fp + fnn + tn;
        let ratio = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        [
            ratio(tp + tn, all),
            ratio(tp, tp + fp),
            ratio(tp, tp + fnn),
            ratio(2.0 * tp, 2.0 * tp + fp + fnn),
            ratio(self.pairs_in_order(counts), (tp + fnn) * (fp + tn)),
            ratio(loss, all),
            ratio(squares, all),
        ]
    }

    /// Pairs of a positive and a negative row in which the positive has the greater probability; a tie is half a pair.
    fn pairs_in_order(&self, counts: &[u32]) -> f64 {
        let (mut pairs, mut negatives) = (0.0, 0.0);
        for tied in self.order.chunk_by(|a, b| self.probability[*a] == self.probability[*b]) {
            let count = |side: bool| {
                tied.iter().filter(|row| self.positive[**row] == side).map(|row| f64::from(counts[*row])).sum::<f64>()
            };
            let (above, beside) = (count(true), count(false));
            pairs += above * (negatives + beside / 2.0);
            negatives += beside;
        }
        pairs
    }
}

/// How the bootstrap is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bootstrap {
    pub(crate) resamples: u32,
    pub(crate) confidence: f64,
}

/// A measure over some rows, with the range that resampling the rows gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) interval: Option<(f64, f64)>,
    pub(crate) baseline: Option<f64>,
    pub(crate) difference: Option<(f64, f64)>,
}

/// An estimate for each of [`NAMES`]; none where it is undefined over all rows. Each resample draws as many rows as there
/// are, with replacement, and the same ones for the baseline, which must be of the same rows.
pub(crate) fn estimate(
    candidate: &Judged,
    baseline: Option<&Judged>,
    bootstrap: Bootstrap,
    mut rng: Rng,
) -> Vec<Option<Estimate>> {
    let once = vec![1; candidate.len()];
    let values = candidate.measure(&once);
    let baseline_values = baseline.map(|baseline| baseline.measure(&once));
    let mut drawn: Vec<Values> = Vec::new();
    let mut differences: Vec<Values> = Vec::new();
    for _ in 0..if candidate.len() > 1 { bootstrap.resamples } else { 0 } {
        let mut counts = vec![0; candidate.len()];
        (0..counts.len()).for_each(|_| counts[rng.below(candidate.len())] += 1);
        let resampled = candidate.measure(&counts);
        drawn.push(resampled);
        if let Some(baseline) = baseline {
            let other = baseline.measure(&counts);
            differences.push(std::array::from_fn(|measure| Some(resampled[measure]? - other[measure]?)));
        }
    }
    let estimate = |measure: usize| {
        Some(Estimate {
            value: values[measure]?,
            interval: interval(&drawn, measure, bootstrap.confidence),
            baseline: baseline_values.and_then(|values| values[measure]),
            difference: interval(&differences, measure, bootstrap.confidence),
        })
    };
    (0..NAMES.len()).map(estimate).collect()
}

/// The middle part of the resampled values. Resamples in which the measure is undefined are left out; if they are more
/// than half, there is no interval.
fn interval(resampled: &[Values], measure: usize, confidence: f64) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = resampled.iter().filter_map(|values| values[measure]).collect();
    if values.is_empty() || values.len() * 2 < resampled.len() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Some((quantile(&values, tail), quantile(&values, 1.0 - tail)))
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

    const LABELS: [u8; 10] = [0, 0, 1, 1, 1, 0, 1, 0, 1, 0];
    const PROBABILITIES: [f64; 10] = [0.1, 0.4, 0.35, 0.8, 0.8, 0.8, 0.65, 0.2, 1.0, 0.5];

    fn judged(labels: [u8; 10]) -> Judged {
        let predicted = PROBABILITIES.iter().map(|probability| *probability >= 0.5).collect();
        Judged::new(labels.iter().map(|label| *label == 1).collect(), predicted, PROBABILITIES.to_vec())
    }

    fn close(got: Values, expected: [f64; 7]) {
        let near = |(got, expected): (Option<f64>, f64)| got.is_some_and(|got| (got - expected).abs() < 1e-12);
        assert!(got.into_iter().zip(expected).all(near), "{got:?} {expected:?}");
    }

    #[test]
    fn values_are_scikit_learns() {
        // from sklearn.metrics import *   (scikit-learn 1.9)
        // y = [0,0,1,1,1,0,1,0,1,0]; p = [.1,.4,.35,.8,.8,.8,.65,.2,1.0,.5]; d = [int(x >= .5) for x in p]
        // accuracy_score(y, d), precision_score(y, d), recall_score(y, d), f1_score(y, d),
        // roc_auc_score(y, p), log_loss(y, p), brier_score_loss(y, p)
        let expected = [0.7, 0.6666666666666666, 0.8, 0.7272727272727273, 0.8, 0.5068806926951624, 0.17250000000000001];
        close(judged(LABELS).measure(&[1; 10]), expected);
    }

    #[test]
    fn a_sure_mistake_is_clipped_as_by_scikit_learn() {
        // y[8] = 0; log_loss(y, p)
        let labels = [0, 0, 1, 1, 1, 0, 1, 0, 0, 0];
        let loss = judged(labels).measure(&[1; 10])[5].unwrap();
        assert!((loss - 4.1112460316068775).abs() < 1e-12, "{loss}");
    }

    #[test]
    fn a_count_is_as_many_rows() {
        let rows = [0, 0, 2, 3, 5, 5, 5, 9];
        let mut counts = [0; 10];
        rows.iter().for_each(|row| counts[*row] += 1);
        let picked = judged(LABELS).pick(&rows).measure(&[1; 8]);
        close(judged(LABELS).measure(&counts), picked.map(Option::unwrap));
    }

    #[test]
    fn what_has_no_value_has_none() {
        let one_class = Judged::new(vec![false; 2], vec![false; 2], vec![0.1, 0.2]).measure(&[1; 2]);
        let defined = one_class.map(|value| value.is_some());
        assert_eq!(defined, [true, false, false, false, false, true, true]);
        assert_eq!(Judged::new(vec![], vec![], vec![]).measure(&[]), [None; 7]);
    }

    #[test]
    fn intervals_hold_the_value_and_repeat() {
        let bootstrap = Bootstrap { resamples: 500, confidence: 0.95 };
        let candidate = judged(LABELS);
        let estimates = estimate(&candidate, Some(&candidate), bootstrap, Rng::from_seed(1));
        for estimate in estimates.iter().flatten() {
            let (low, high) = estimate.interval.unwrap();
            assert!(low <= estimate.value && estimate.value <= high && low < high, "{estimate:?}");
            assert_eq!((estimate.baseline, estimate.difference), (Some(estimate.value), Some((0.0, 0.0))));
        }
        assert_eq!(estimates, estimate(&candidate, Some(&candidate), bootstrap, Rng::from_seed(1)));
        assert_ne!(estimates, estimate(&candidate, Some(&candidate), bootstrap, Rng::from_seed(2)));
    }

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 1.0])
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!([0.025, 0.5, 1.0].map(|fraction| quantile(&sorted, fraction)), [1.075, 3.0, 8.0]);
    }
}
