//! Centred products of the columns -> the coefficients that minimise squared error / 2 + l1 |w|_1 + l2 / 2 |w|^2.
//!
//! Pure and in the guest: one number a pair of columns. Without l1 by Cholesky's factors, with it by coordinate descent
//! (Friedman, Hastie and Tibshirani, 2010) on the products.

/// A column whose share of its own square that earlier columns leave is below this depends on them: what remains is the
/// rounding of the products.
const DEPENDENT: f64 = 1e-10;

/// The products, without the label's column.
pub(crate) struct Products {
    /// Row-major, a row and a column a feature.
    pub(crate) gram: Vec<f64>,
    /// Of each feature with the label.
    pub(crate) with_label: Vec<f64>,
    /// Of the label with itself.
    pub(crate) label: f64,
    /// Features that are constant: their products are rounding.
    pub(crate) constant: Vec<bool>,
}

/// Coefficients, and which features have none because earlier ones (or the intercept) say the same.
#[derive(Debug, PartialEq)]
pub(crate) struct Solved {
    pub(crate) coefficients: Vec<f64>,
    pub(crate) dependent: Vec<usize>,
}

/// Where coordinate descent ended.
#[derive(Debug)]
pub(crate) struct Descended {
    pub(crate) coefficients: Vec<f64>,
    pub(crate) sweeps: u64,
    /// The largest violation of the conditions of a minimum, as a correlation.
    pub(crate) violation: f64,
}

impl Products {
    fn width(&self) -> usize {
        self.with_label.len()
    }

    /// The sum of squared errors.
    pub(crate) fn squared_error(&self, coefficients: &[f64]) -> f64 {
        let explained: f64 = coefficients.iter().zip(self.residual(coefficients)).map(|(w, r)| w * r).sum();
        let fitted: f64 = coefficients.iter().zip(&self.with_label).map(|(w, q)| w * q).sum();
        (self.label - fitted - explained).max(0.0)
    }

    /// Of each feature with the label's errors.
    fn residual(&self, coefficients: &[f64]) -> Vec<f64> {
        let rows = self.gram.chunks(self.width().max(1));
        self.with_label.iter().zip(rows).map(|(q, row)| q - dot(row, coefficients)).collect()
    }

    /// Each feature is divided by its length first, so that their units do not matter.
    pub(crate) fn least_squares(&self, l2: f64) -> Solved {
        let width = self.width();
        let lengths: Vec<f64> = (0..width).map(|i| (self.gram[i * width + i] + l2).sqrt()).collect();
        let entry = |i: usize, j: usize| {
            let penalty = if i == j { l2 } else { 0.0 };
            (self.gram[i * width + j] + penalty) / (lengths[i] * lengths[j])
        };
        let is_lost = |i: usize| self.constant[i] && l2 == 0.0 || lengths[i] == 0.0;
        let factor = Factor::of(width, entry, is_lost);
        let scaled: Vec<f64> = self.with_label.iter().zip(&lengths).map(|(q, length)| q / length).collect();
        let solved = factor.solve(&scaled);
        let coefficients = solved.iter().zip(&lengths).map(|(w, length)| if *w == 0.0 { 0.0 } else { w / length });
        Solved { coefficients: coefficients.collect(), dependent: factor.dependent() }
    }

    /// Sweeps over the features, each time to the minimum along one, until no condition of a minimum is violated by more than
    /// `tolerance` as a correlation.
    pub(crate) fn descend(&self, l1: f64, l2: f64, start: Vec<f64>, tolerance: f64, most: u64) -> Descended {
        let width = self.width();
        let mut coefficients = start;
        let mut residual = self.residual(&coefficients);
        let mut sweeps = 0;
        loop {
            let violation = self.violation(&coefficients, &residual, l1, l2);
            if violation <= tolerance || sweeps >= most {
                return Descended { coefficients, sweeps, violation };
            }
            sweeps += 1;
            for j in (0..width).filter(|j| !self.constant[*j]) {
                let row = &self.gram[j * width..(j + 1) * width];
                let pull = residual[j] + row[j] * coefficients[j];
                let updated = shrunk(pull, l1) / (row[j] + l2);
                let change = updated - coefficients[j];
                if change != 0.0 {
                    coefficients[j] = updated;
                    residual.iter_mut().zip(row).for_each(|(residual, product)| *residual -= change * product);
                }
            }
            if sweeps.is_multiple_of(100) {
                // Subtracting often adds up rounding.
                residual = self.residual(&coefficients);
            }
        }
    }

    fn violation(&self, coefficients: &[f64], residual: &[f64], l1: f64, l2: f64) -> f64 {
        let width = self.width();
        let of = |j: usize| {
            let slope = residual[j] - l2 * coefficients[j];
            let violated = match coefficients[j] {
                0.0 => (slope.abs() - l1).max(0.0),
                w => (slope - l1 * w.signum()).abs(),
            };
            // Roots before the product, which could be too large for a float64.
            violated / (self.gram[j * width + j].sqrt() * self.label.sqrt())
        };
        (0..width).filter(|j| !self.constant[*j]).map(of).filter(|violation| violation.is_finite()).fold(0.0, f64::max)
    }
}

/// A lower triangle whose product with its transpose is a matrix, without the rows that depend on earlier ones.
struct Factor {
    /// Row i has i + 1 entries; of a dependent row none count.
    rows: Vec<Vec<f64>>,
    kept: Vec<bool>,
}

impl Factor {
    fn of(width: usize, entry: impl Fn(usize, usize) -> f64, is_lost: impl Fn(usize) -> bool) -> Self {
        let (mut rows, mut kept): (Vec<Vec<f64>>, Vec<bool>) = (Vec::new(), Vec::new());
        for i in 0..width {
            let mut row = vec![0.0; i + 1];
            if is_lost(i) {
                rows.push(row);
                kept.push(false);
                continue;
            }
            for j in (0..i).filter(|j| kept[*j]) {
                row[j] = (entry(i, j) - dot(&row[..j], &rows[j][..j])) / rows[j][j];
            }
            let left = entry(i, i) - dot(&row[..i], &row[..i]);
            kept.push(left > DEPENDENT);
            row[i] = left.max(0.0).sqrt();
            if !kept[i] {
                row.fill(0.0);
            }
            rows.push(row);
        }
        Self { rows, kept }
    }

    /// 0 in the dependent places.
    fn solve(&self, right: &[f64]) -> Vec<f64> {
        let width = self.rows.len();
        let mut values = vec![0.0; width];
        for i in (0..width).filter(|i| self.kept[*i]) {
            values[i] = (right[i] - dot(&self.rows[i][..i], &values[..i])) / self.rows[i][i];
        }
        for i in (0..width).rev().filter(|i| self.kept[*i]) {
            values[i] /= self.rows[i][i];
            let value = values[i];
            values.iter_mut().zip(&self.rows[i][..i]).for_each(|(before, entry)| *before -= value * entry);
        }
        (0..width).filter(|i| !self.kept[*i]).for_each(|i| values[i] = 0.0);
        values
    }

    fn dependent(&self) -> Vec<usize> {
        (0..self.kept.len()).filter(|i| !self.kept[*i]).collect()
    }
}

/// Towards zero by l1, and not beyond.
fn shrunk(value: f64, l1: f64) -> f64 {
    value.signum() * (value.abs() - l1).max(0.0)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests;
