//! Judged rows -> the measures of predicted numbers. Pure.

use evaluation::{Sample, ratio, renumbered};

/// What is always measured; what follows depends on the parameters.
const NAMES: [&str; 10] =
    ["mean_error", "mae", "rmse", "r2", "mape", "smape", "wape", "bias", "max_error", "median_absolute_error"];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) truth: f64,
    pub(crate) predicted: f64,
}

impl Row {
    fn error(self) -> f64 {
        self.predicted - self.truth
    }
}

/// Rows with what was predicted for them.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    rows: Vec<Row>,
    /// The share of truths that is to lie below, and the predicted numbers.
    quantiles: Vec<(f64, Vec<f64>)>,
    interval: Option<(Vec<f64>, Vec<f64>)>,
    scale: Option<Vec<f64>>,
    /// Of each row, and how many there are.
    groups: Option<(Vec<usize>, usize)>,
    /// The rows by rising size of their error.
    order: Vec<usize>,
}

impl Judged {
    pub(crate) fn new(
        rows: Vec<Row>,
        quantiles: Vec<(f64, Vec<f64>)>,
        interval: Option<(Vec<f64>, Vec<f64>)>,
        scale: Option<Vec<f64>>,
        groups: Option<(Vec<usize>, usize)>,
    ) -> Self {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|a, b| rows[*a].error().abs().total_cmp(&rows[*b].error().abs()));
        Self { rows, quantiles, interval, scale, groups, order }
    }

    pub(crate) fn truths(&self) -> Vec<f64> {
        self.rows.iter().map(|row| row.truth).collect()
    }

    /// How often each row counts, given how often its group does.
    fn weights(&self, counts: &[u32]) -> Vec<f64> {
        match &self.groups {
            Some((groups, _)) => groups.iter().map(|group| f64::from(counts[*group])).collect(),
            None => counts.iter().map(|count| f64::from(*count)).collect(),
        }
    }

    /// The middle of the sizes of errors: of an even number the mean of two, as NumPy's.
    fn median(&self, weights: &[f64], all: f64) -> Option<f64> {
        let at = |position: f64| {
            let mut passed = 0.0;
            let holds = |row: &&usize| {
                passed += weights[**row];
                passed > position
            };
            self.order.iter().find(holds).map(|row| self.rows[*row].error().abs())
        };
        Some((at(((all - 1.0) / 2.0).floor())? + at((all / 2.0).floor())?) / 2.0)
    }

    fn largest(&self, weights: &[f64]) -> Option<f64> {
        self.order.iter().rev().find(|row| weights[**row] > 0.0).map(|row| self.rows[*row].error().abs())
    }
}

/// The middle of what each weighted row adds.
fn mean(weights: &[f64], all: f64, of: impl Fn(usize) -> f64) -> Option<f64> {
    let counted = weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
    // What cannot be computed of one row cannot be computed of all.
    ratio(counted.map(|(row, weight)| weight * of(row)).sum(), all).filter(|mean| mean.is_finite())
}

/// Twice the error beside the sizes of both numbers; of two zeros nothing.
fn symmetric(row: Row) -> f64 {
    let sizes = row.truth.abs() + row.predicted.abs();
    if sizes == 0.0 { 0.0 } else { 2.0 * row.error().abs() / sizes }
}

/// What a quantile that is off costs: more on the side that it should have been on.
fn pinball(share: f64, truth: f64, predicted: f64) -> f64 {
    (share * (truth - predicted)).max((share - 1.0) * (truth - predicted))
}

impl Sample for Judged {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = NAMES.map(String::from).into();
        names.extend(self.scale.iter().map(|_| "mase".to_string()));
        names.extend(self.quantiles.iter().map(|(share, _)| format!("pinball@{share}")));
        names.extend(self.interval.iter().flat_map(|_| ["coverage", "interval_width"].map(String::from)));
        names
    }

    fn units(&self) -> usize {
        self.groups.as_ref().map_or(self.rows.len(), |(_, count)| *count)
    }

    fn pick(&self, rows: &[usize]) -> Self {
        let pick = |values: &Vec<f64>| rows.iter().map(|row| values[*row]).collect::<Vec<f64>>();
        Self::new(
            rows.iter().map(|row| self.rows[*row]).collect(),
            self.quantiles.iter().map(|(share, values)| (*share, pick(values))).collect(),
            self.interval.as_ref().map(|(low, high)| (pick(low), pick(high))),
            self.scale.as_ref().map(pick),
            self.groups.as_ref().map(|(groups, _)| renumbered(groups, rows)),
        )
    }

    fn measure(&self, counts: &[u32]) -> Vec<Option<f64>> {
        let weights = self.weights(counts);
        let all: f64 = weights.iter().sum();
        let rows = &self.rows;
        let of = |value: &dyn Fn(Row) -> f64| mean(&weights, all, |row| value(rows[row]));
        let (absolute, squared) = (of(&|row| row.error().abs()), of(&|row| row.error().powi(2)));
        let (size, middle) = (of(&|row| row.truth.abs()), of(&|row| row.truth).unwrap_or_default());
        let spread = of(&|row| (row.truth - middle).powi(2));
        let beside = |part: Option<f64>, whole: Option<f64>| part.zip(whole).filter(|(_, whole)| *whole > 0.0);
        let mut values = vec![
            of(&Row::error),
            absolute,
            squared.map(f64::sqrt),
            beside(squared, spread).map(|(squared, spread)| 1.0 - squared / spread),
            of(&|row| row.error().abs() / row.truth.abs()),
            of(&symmetric),
            beside(absolute, size).map(|(absolute, size)| absolute / size),
            beside(of(&Row::error), size).map(|(error, size)| error / size),
            self.largest(&weights),
            self.median(&weights, all).filter(|_| all > 0.0),
        ];
        if let Some(scale) = &self.scale {
            values.push(mean(&weights, all, |row| rows[row].error().abs() / scale[row]));
        }
        for (share, quantile) in &self.quantiles {
            values.push(mean(&weights, all, |row| pinball(*share, rows[row].truth, quantile[row])));
        }
        if let Some((low, high)) = &self.interval {
            let holds = |row: usize| low[row] <= rows[row].truth && rows[row].truth <= high[row];
            values.push(mean(&weights, all, |row| f64::from(u8::from(holds(row)))));
            values.push(mean(&weights, all, |row| high[row] - low[row]));
        }
        values
    }
}

#[cfg(test)]
mod tests;
