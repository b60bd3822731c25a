//! Judged rows -> the measures of two classes. Pure.
//!
//! A measure over a resample is a pass with a count for each row, so that the rows are sorted by probability only once.

use crate::calibration::{line, logit};
use evaluation::{Sample, ratio};

/// What is always measured, in this order everywhere; F-beta follows where it is asked for.
pub(crate) const NAMES: [&str; 17] = [
    "accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "log_loss",
    "brier",
    "pr_auc",
    "balanced_accuracy",
    "tnr",
    "fpr",
    "fnr",
    "ece",
    "brier_reliability",
    "brier_resolution",
    "calibration_slope",
    "calibration_intercept",
];

/// Bins of equal width in which probabilities are held against what came true.
const BINS: usize = 10;

/// Rows with a binary label and what was predicted for them.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    positive: Vec<bool>,
    predicted: Vec<bool>,
    /// Of the positive class.
    probability: Vec<f64>,
    logit: Vec<f64>,
    /// The rows by rising probability.
    order: Vec<usize>,
    /// How much recall counts beside precision in F-beta, if it is measured.
    beta: Option<f64>,
}

impl Judged {
    /// The three columns must have one length.
    pub(crate) fn new(positive: Vec<bool>, predicted: Vec<bool>, probability: Vec<f64>, beta: Option<f64>) -> Self {
        let mut order: Vec<usize> = (0..positive.len()).collect();
        order.sort_by(|a, b| probability[*a].total_cmp(&probability[*b]));
        let logit = probability.iter().map(|probability| logit(*probability)).collect();
        Self { positive, predicted, probability, logit, order, beta }
    }

    /// The label of each row.
    pub(crate) fn positive(&self) -> &[bool] {
        &self.positive
    }

    /// The measures with row i counted `counts[i]` times; none where one is undefined, as the recall of no positives.
    fn values(&self, counts: &[u32]) -> Vec<Option<f64>> {
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
        let (recall, tnr) = (ratio(tp, tp + fnn), ratio(tn, tn + fp));
        let [ece, reliability, resolution] = self.calibration(counts, tp + fnn, all);
        let [slope, intercept] = self.line(counts).map_or([None; 2], |line| line.map(Some));
        let fbeta = |beta: f64| {
            let right = (1.0 + beta * beta) * tp;
            ratio(right, right + beta * beta * fnn + fp)
        };
        let always: [_; NAMES.len()] = [
            ratio(tp + tn, all),
            ratio(tp, tp + fp),
            recall,
            fbeta(1.0),
            ratio(self.pairs_in_order(counts), (tp + fnn) * (fp + tn)),
            ratio(loss, all),
            ratio(squares, all),
            self.average_precision(counts, tp + fnn),
            recall.zip(tnr).map(|(recall, tnr)| (recall + tnr) / 2.0),
            tnr,
            ratio(fp, tn + fp),
            ratio(fnn, tp + fnn),
            ece,
            reliability,
            resolution,
            slope,
            intercept,
        ];
        always.into_iter().chain(self.beta.map(fbeta)).collect()
    }

    /// Slope and intercept of the calibration (Cox, 1958).
    fn line(&self, counts: &[u32]) -> Option<[f64; 2]> {
        let counted = self.order.iter().filter(|row| counts[**row] > 0);
        let rows: Vec<_> =
            counted.map(|row| (self.logit[*row], self.positive[*row], f64::from(counts[*row]))).collect();
        line(&rows)
    }

    /// The area under the curve of precision over recall, as steps: the precision at each probability, weighted by the recall that
    /// it adds.
    fn average_precision(&self, counts: &[u32], positives: f64) -> Option<f64> {
        let (mut found, mut taken, mut area) = (0.0, 0.0, 0.0);
        let tied = |a: &usize, b: &usize| self.probability[*a] == self.probability[*b];
        for tied in self.order.chunk_by(tied).rev() {
            let counted = |positive: bool| {
                let rows = tied.iter().filter(|row| !positive || self.positive[**row]);
                rows.map(|row| f64::from(counts[*row])).sum::<f64>()
            };
            let (positive, all) = (counted(true), counted(false));
            (found, taken) = (found + positive, taken + all);
            if positive > 0.0 {
                area += positive * found / taken;
            }
        }
        ratio(area, positives)
    }

    /// How far probabilities are from what came true, bin by bin: the expected calibration error, and the reliability and the
    /// resolution of the Brier score (Murphy, 1973).
    fn calibration(&self, counts: &[u32], positives: f64, all: f64) -> [Option<f64>; 3] {
        // Rows, positives and sum of probabilities of a bin.
        let mut bins = [(0.0, 0.0, 0.0); BINS];
        for (row, count) in counts.iter().enumerate() {
            let (count, probability) = (f64::from(*count), self.probability[row]);
            let bin = &mut bins[bin(probability)];
            *bin = (bin.0 + count, bin.1 + if self.positive[row] { count } else { 0.0 }, bin.2 + count * probability);
        }
        let Some(share) = ratio(positives, all) else { return [None; 3] };
        let [mut ece, mut reliability, mut resolution] = [0.0; 3];
        for (rows, positives, sum) in bins.into_iter().filter(|(rows, ..)| *rows > 0.0) {
            let (said, came) = (sum / rows, positives / rows);
            ece += rows * (said - came).abs();
            reliability += rows * (said - came).powi(2);
            resolution += rows * (came - share).powi(2);
        }
        [ratio(ece, all), ratio(reliability, all), ratio(resolution, all)]
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

/// The bin of a probability: each has its upper end, as scikit-learn's `calibration_curve`.
fn bin(probability: f64) -> usize {
    (1..BINS).take_while(|edge| probability > *edge as f64 * (1.0 / BINS as f64)).count()
}

impl Sample for Judged {
    fn names(&self) -> Vec<String> {
        let fbeta = self.beta.map(|beta| format!("fbeta@{beta}"));
        NAMES.map(String::from).into_iter().chain(fbeta).collect()
    }

    fn units(&self) -> usize {
        self.positive.len()
    }

    fn pick(&self, rows: &[usize]) -> Self {
        let pick = |values: &[bool]| rows.iter().map(|row| values[*row]).collect();
        let probability = rows.iter().map(|row| self.probability[*row]).collect();
        Self::new(pick(&self.positive), pick(&self.predicted), probability, self.beta)
    }

    fn measure(&self, counts: &[u32]) -> Vec<Option<f64>> {
        self.values(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [u8; 10] = [0, 0, 1, 1, 1, 0, 1, 0, 1, 0];
    const PROBABILITIES: [f64; 10] = [0.1, 0.4, 0.35, 0.8, 0.8, 0.8, 0.65, 0.2, 1.0, 0.5];

    fn judged(labels: [u8; 10]) -> Judged {
        let predicted = PROBABILITIES.iter().map(|probability| *probability >= 0.5).collect();
        Judged::new(labels.iter().map(|label| *label == 1).collect(), predicted, PROBABILITIES.to_vec(), None)
    }

    fn close(got: Vec<Option<f64>>, expected: &[f64]) {
        let near = |(got, expected): (&Option<f64>, &f64)| got.is_some_and(|got| (got - expected).abs() < 1e-12);
        assert!(got.len() == expected.len() && got.iter().zip(expected).all(near), "{got:?} {expected:?}");
    }

    #[test]
    fn values_are_scikit_learns() {
        // python3 plugins/evaluation/reference.py, `classification`   (scikit-learn 1.9.1)
        let expected = [
            0.7,
            0.6666666666666666,
            0.8,
            0.7272727272727273,
            0.8,
            0.5068806926951624,
            0.17250000000000001,
            0.785,
            0.7,
            0.6,
            0.4,
            0.2,
            0.18000000000000005,
            0.050708333333333355,
            0.13333333333333333,
            1.012350093482645,
            -0.3601334573946029,
        ];
        close(judged(LABELS).measure(&[1; 10]), &expected);
    }

    #[test]
    fn f_beta_is_scikit_learns() {
        for (beta, name, expected) in [
            (2.0, "fbeta@2", 0.7692307692307693),
            (0.5, "fbeta@0.5", 0.6896551724137931),
            (1.0, "fbeta@1", 0.7272727272727273),
        ] {
            let judged = Judged { beta: Some(beta), ..judged(LABELS) };
            assert_eq!(judged.names().last().unwrap(), name);
            close(judged.measure(&[1; 10])[NAMES.len()..].to_vec(), &[expected]);
        }
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
        let picked: Vec<f64> = judged(LABELS).pick(&rows).measure(&[1; 8]).into_iter().map(Option::unwrap).collect();
        close(judged(LABELS).measure(&counts), &picked);
    }

    #[test]
    fn what_has_no_value_has_none() {
        let one_class = Judged::new(vec![false; 2], vec![false; 2], vec![0.1, 0.2], None).measure(&[1; 2]);
        let undefined: Vec<_> = NAMES.into_iter().zip(one_class).filter(|(_, value)| value.is_none()).collect();
        let names: Vec<_> = undefined.into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "precision",
                "recall",
                "f1",
                "roc_auc",
                "pr_auc",
                "balanced_accuracy",
                "fnr",
                "calibration_slope",
                "calibration_intercept"
            ]
        );
        assert_eq!(Judged::new(vec![], vec![], vec![], None).measure(&[]), [None; NAMES.len()]);
    }
}
