//! Training rows in the host -> the loss of coefficients, and their gradient.
//!
//! The loss is (sum of w_i log_loss_i + l2 / 2 |coefficients|^2 + l1 |coefficients|_1) / sum of w_i: scikit-learn's optimum
//! with C = 1 / l2, the intercepts free. The host holds the rows and computes; the guest sees one number a coefficient.
//! Each feature is centred and divided by d = sqrt(variance / 4 + l2 / sum of w), the curvature at the start. This changes
//! no optimum, but features of any size then converge alike, and the largest curvature is at most the number of features + 1.

use crate::lbfgs::Point;
use crate::params::{ClassWeights, Params};
use stepwell::tensor::{Comparison, ElementType::Float64, Reduction, Variable, binary_cross_entropy, gradients};
use stepwell::{Classes, Result, Tensor, Training, finite};

/// Coefficients of a score, in the features' own units.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Score {
    pub(crate) coefficients: Vec<f64>,
    pub(crate) intercept: f64,
}

/// The training rows, scaled, in the host.
pub(crate) struct Rows {
    /// [rows, features + 1]; the last column is 1, for the intercept.
    values: Tensor,
    wanted: Wanted,
    /// [features + 1, 1]: what makes a scaled coefficient one in the feature's own units; 0 for the intercept.
    scales: Tensor,
    /// Of the squared coefficients.
    penalty: f64,
    /// Of the absolute values of the scaled coefficients, one each.
    l1: Vec<f64>,
    means: Vec<f64>,
    divisors: Vec<f64>,
    scores: usize,
}

enum Wanted {
    /// [rows, 1], 0 or 1, and weights of mean 1, so that a weighted mean is the same by either of its definitions.
    Two(Tensor, Option<Tensor>),
    /// [rows, classes]: the row's share of all weights at its class, else 0.
    Many(Tensor),
}

impl Rows {
    pub(crate) fn new(training: &Training, label: &str, classes: &Classes, params: &Params) -> Result<Self> {
        let (table, features) = (&training.train, &training.features);
        let count = table.rows() as u32;
        let (wanted, total) = wanted(training, label, classes, params.class_weight.as_ref())?;
        let raw = Tensor::from_table(table, features, Float64)?;
        let means = raw.mean_over(0)?;
        let centred = (&raw - &means)?;
        let variances = centred.square()?.mean_over(0)?.to_f64()?;
        finite::check_columns(features, "a variance", variances.iter().copied())?;
        let curvature = |variance: f64| (variance / 4.0 + params.l2 / total).sqrt();
        // A constant column without a penalty has no curvature; its coefficient stays where it starts.
        let divisors: Vec<f64> = variances
            .iter()
            .map(|variance| if curvature(*variance) > 0.0 { curvature(*variance) } else { 1.0 })
            .collect();
        let scaled = (&centred / &Tensor::from_f64(&divisors)?)?;
        let ones = Tensor::full(&[count, 1], Float64, 1.0)?;
        let scales: Vec<f64> = divisors.iter().map(|divisor| 1.0 / divisor).chain([0.0]).collect();
        let scores = classes.scores();
        Ok(Self {
            values: Tensor::concat(&[&scaled, &ones], 1)?,
            wanted,
            penalty: params.l2 / (2.0 * total),
            l1: scales.iter().flat_map(|scale| std::iter::repeat_n(scale * params.l1 / total, scores)).collect(),
            scales: Tensor::from_f64(&scales)?.reshape(&[scales.len() as u32, 1])?,
            means: means.to_f64()?,
            divisors,
            scores,
        })
    }

    pub(crate) fn features(&self) -> usize {
        self.divisors.len()
    }

    pub(crate) fn l1(&self) -> &[f64] {
        &self.l1
    }

    /// [features + 1, scores], from numbers in that order.
    pub(crate) fn shaped(&self, values: &[f64]) -> Result<Tensor> {
        Tensor::from_f64(values)?.reshape(&[self.divisors.len() as u32 + 1, self.scores as u32])
    }

    /// What is minimised at these scaled coefficients; `variable` takes them.
    pub(crate) fn point(&self, variable: &Variable, at: Vec<f64>) -> Result<Point> {
        variable.set(&self.shaped(&at)?)?;
        let loss = self.loss(&variable.value()?)?;
        let gradient = gradients(&loss, &[variable])?.first().map(Tensor::to_f64).transpose()?.unwrap_or_default();
        Ok(Point::new(at, loss.item()?, gradient, &self.l1))
    }

    /// The smooth part of the loss.
    fn loss(&self, scaled: &Tensor) -> Result<Tensor> {
        let scores = self.values.matmul(scaled)?;
        let fit = match &self.wanted {
            Wanted::Two(targets, weights) => binary_cross_entropy(&scores, targets, weights.as_ref())?,
            Wanted::Many(wanted) => (&(&scores.log_softmax(1)? * wanted)?.sum()? * -1.0)?,
        };
        let size = (scaled * &self.scales)?.square()?.sum()?;
        &fit + &(&size * self.penalty)?
    }

    /// Scaled coefficients in the order of `shaped`.
    pub(crate) fn scale(&self, scores: &[Score]) -> Vec<f64> {
        let mut scaled: Vec<f64> = Vec::with_capacity((self.divisors.len() + 1) * scores.len());
        for (feature, divisor) in self.divisors.iter().enumerate() {
            scaled.extend(scores.iter().map(|score| score.coefficients[feature] * divisor));
        }
        scaled.extend(scores.iter().map(|score| score.intercept + self.shift(&score.coefficients)));
        scaled
    }

    /// The other way round. Scores of several classes are known but for what is added to all of them: their intercepts then
    /// have a mean of 0.
    pub(crate) fn unscale(&self, scaled: &[f64]) -> Vec<Score> {
        let score = |place: usize| {
            let column = scaled.iter().skip(place).step_by(self.scores);
            let coefficients: Vec<f64> = column.zip(&self.divisors).map(|(value, divisor)| value / divisor).collect();
            let intercept = scaled[self.divisors.len() * self.scores + place] - self.shift(&coefficients);
            Score { coefficients, intercept }
        };
        let mut scores: Vec<Score> = (0..self.scores).map(score).collect();
        if self.scores > 1 {
            let mean = scores.iter().map(|score| score.intercept).sum::<f64>() / self.scores as f64;
            scores.iter_mut().for_each(|score| score.intercept -= mean);
        }
        scores
    }

    /// What the features' means add to a score.
    fn shift(&self, coefficients: &[f64]) -> f64 {
        coefficients.iter().zip(&self.means).map(|(coefficient, mean)| coefficient * mean).sum()
    }
}

/// What the rows' scores should be, and the sum of their weights.
fn wanted(
    training: &Training,
    label: &str,
    classes: &Classes,
    class_weights: Option<&ClassWeights>,
) -> Result<(Wanted, f64)> {
    let places = classes.places(&training.train, label)?;
    let count = training.train.rows() as f64;
    let each = |count: usize| (0..count).map(|place| place as f64).collect::<Vec<_>>();
    let one_hot = places.compare(Comparison::Eq, &Tensor::from_f64(&each(classes.all().len()))?)?;
    let mut weights = training.weights(&training.train)?;
    if let Some(class_weights) = class_weights {
        let weighted = match &weights {
            Some(weights) => (&one_hot * weights)?,
            None => (&one_hot * 1.0)?,
        };
        let sums = weighted.reduce(Reduction::Sum, Some(0), false)?.to_f64()?;
        let of_class = class_weights.of(classes, &sums)?;
        let of_row = one_hot.matmul(&Tensor::from_f64(&of_class)?.reshape(&[of_class.len() as u32, 1])?)?;
        weights = Some(weights.map_or_else(|| &of_row * 1.0, |weights| &weights * &of_row)?);
    }
    let total = weights.as_ref().map_or(Ok(count), |weights| weights.sum()?.item())?;
    let wanted = match (classes.scores(), weights) {
        (1, weights) => Wanted::Two(places, weights.map(|weights| &weights * (count / total)).transpose()?),
        (_, None) => Wanted::Many((&one_hot / total)?),
        (_, Some(weights)) => Wanted::Many((&one_hot * &(&weights / total)?)?),
    };
    Ok((wanted, total))
}
