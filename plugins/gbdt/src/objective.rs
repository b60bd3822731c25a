//! What is minimised: loss, gradients and hessians of scores, computed by the host a row an element.
//!
//! A score is the prediction itself, the log-odds of the positive class, or one number a class whose softmax is the classes'
//! probabilities. Scores, targets and weights are float64 vectors.

use serde::{Deserialize, Serialize};
use stepwell::tensor::{Binary, Comparison, ElementType::Float64, Unary, binary_cross_entropy};
use stepwell::{Error, Result, Tensor};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Objective {
    Squared,
    Absolute,
    Quantile(f64),
    Binary,
    Multiclass(usize),
}

/// What rows are to be predicted as: numbers, 1 for the positive class, or the place of the class.
pub(crate) struct Targets {
    pub(crate) numbers: Vec<f64>,
    pub(crate) weights: Option<Vec<f64>>,
    targets: Tensor,
    /// Of each row, and their sum.
    row_weights: Option<Tensor>,
    total: f64,
}

impl Targets {
    pub(crate) fn new(numbers: Vec<f64>, weights: Option<Vec<f64>>) -> Result<Self> {
        let total = weights.as_ref().map_or(numbers.len() as f64, |weights| weights.iter().sum());
        let targets = Tensor::from_f64(&numbers)?;
        let row_weights = weights.as_deref().map(Tensor::from_f64).transpose()?;
        Ok(Self { numbers, weights, targets, row_weights, total })
    }

    fn weighted(&self, tensor: Tensor) -> Result<Tensor> {
        match &self.row_weights {
            Some(weights) => &tensor * weights,
            None => Ok(tensor),
        }
    }

    /// 1 at rows of a class, else 0.
    fn is(&self, class: usize) -> Result<Tensor> {
        self.targets.compare(Comparison::Eq, &Tensor::full(&[], Float64, class as f64)?)
    }

    fn mean(&self, losses: Tensor) -> Result<f64> {
        Ok(self.weighted(losses)?.sum()?.item()? / self.total)
    }
}

/// Of one of the scores, a number a row.
pub(crate) struct Slopes {
    pub(crate) gradients: Tensor,
    pub(crate) hessians: Tensor,
}

impl Objective {
    /// Scores a row.
    pub(crate) fn outputs(self) -> usize {
        match self {
            Self::Multiclass(classes) => classes,
            _ => 1,
        }
    }

    /// Which quantile of the residuals is a leaf's best value, where its sums do not say.
    pub(crate) fn renewed(self) -> Option<f64> {
        match self {
            Self::Absolute => Some(0.5),
            Self::Quantile(quantile) => Some(quantile),
            _ => None,
        }
    }

    /// The best scores that are equal for all rows.
    pub(crate) fn start(self, targets: &Targets) -> Result<Vec<f64>> {
        let weight = |row: usize| targets.weights.as_ref().map_or(1.0, |weights| weights[row]);
        let share = |holds: &dyn Fn(f64) -> f64| {
            let sum: f64 = targets.numbers.iter().enumerate().map(|(row, number)| weight(row) * holds(*number)).sum();
            sum / targets.total
        };
        Ok(match self {
            Self::Squared => vec![share(&|number| number)],
            Self::Absolute | Self::Quantile(_) => {
                let quantile = self.renewed().unwrap_or(0.5);
                let mut weighted: Vec<(f64, f64)> =
                    targets.numbers.iter().enumerate().map(|(row, number)| (*number, weight(row))).collect();
                vec![weighted_quantile(&mut weighted, quantile)]
            }
            Self::Binary => {
                let positive = share(&|number| number);
                vec![(positive / (1.0 - positive)).ln()]
            }
            Self::Multiclass(classes) => {
                (0..classes).map(|class| share(&|number| f64::from(u8::from(number == class as f64))).ln()).collect()
            }
        })
    }

    /// First and second derivatives of the loss by each score.
    pub(crate) fn slopes(self, scores: &[Tensor], targets: &Targets) -> Result<Vec<Slopes>> {
        let ones = |like: &Tensor| Tensor::full(&like.shape(), Float64, 1.0);
        let slopes = |gradients: Tensor, hessians: Tensor| -> Result<Slopes> {
            Ok(Slopes { gradients: targets.weighted(gradients)?, hessians: targets.weighted(hessians)? })
        };
        if let Self::Multiclass(classes) = self {
            return self.slopes_of_classes(classes, scores, targets);
        }
        scores
            .iter()
            .map(|scores| {
                let above = scores - &targets.targets;
                match self {
                    Self::Squared | Self::Multiclass(_) => slopes(above?, ones(scores)?),
                    Self::Absolute => slopes(above?.unary(Unary::Sign)?, ones(scores)?),
                    Self::Quantile(quantile) => {
                        let below = scores.compare(Comparison::Lt, &targets.targets)?;
                        slopes((&(&below * -1.0)? + (1.0 - quantile))?, ones(scores)?)
                    }
                    Self::Binary => {
                        let probability = scores.unary(Unary::Sigmoid)?;
                        let hessian = &probability - &probability.square()?;
                        slopes((&probability - &targets.targets)?, hessian?)
                    }
                }
            })
            .collect()
    }

    /// The hessian is K / (K - 1) times the diagonal one, as Friedman (2001) and LightGBM have it.
    fn slopes_of_classes(self, classes: usize, scores: &[Tensor], targets: &Targets) -> Result<Vec<Slopes>> {
        let probabilities = columns(scores)?.softmax(1)?;
        let factor = classes as f64 / (classes as f64 - 1.0);
        let of_class = |class: usize| {
            let probability = column(&probabilities, class)?;
            let hessian = &(&probability - &probability.square()?)? * factor;
            let gradient = &probability - &targets.is(class)?;
            Ok(Slopes { gradients: targets.weighted(gradient?)?, hessians: targets.weighted(hessian?)? })
        };
        (0..classes).map(of_class).collect()
    }

    /// The mean loss, weighted: half of nothing, so that of `Squared` is the mean squared error.
    pub(crate) fn loss(self, scores: &[Tensor], targets: &Targets) -> Result<f64> {
        let first = scores.first().ok_or_else(|| Error::permanent("expected a score a row, got none"))?;
        match self {
            Self::Squared => targets.mean((first - &targets.targets)?.square()?),
            Self::Absolute => targets.mean((first - &targets.targets)?.unary(Unary::Abs)?),
            Self::Quantile(quantile) => {
                let below = (&targets.targets - first)?;
                let over = (&below * (quantile - 1.0))?;
                targets.mean((&below * quantile)?.binary(Binary::Maximum, &over)?)
            }
            Self::Binary => {
                let loss = binary_cross_entropy(first, &targets.targets, targets.row_weights.as_ref())?.item()?;
                Ok(loss * targets.numbers.len() as f64 / targets.total)
            }
            Self::Multiclass(classes) => {
                let logarithms = columns(scores)?.log_softmax(1)?;
                let part = |class: usize| targets.mean((&column(&logarithms, class)? * &targets.is(class)?)?);
                Ok(-(0..classes).map(part).sum::<Result<f64>>()?)
            }
        }
    }
}

/// Vectors side by side.
fn columns(vectors: &[Tensor]) -> Result<Tensor> {
    let upright = |vector: &Tensor| vector.reshape(&[vector.shape().iter().product(), 1]);
    let upright: Vec<Tensor> = vectors.iter().map(upright).collect::<Result<_>>()?;
    Tensor::concat(&upright.iter().collect::<Vec<_>>(), 1)
}

fn column(matrix: &Tensor, column: usize) -> Result<Tensor> {
    matrix.narrow(1, column as u32, 1)?.reshape(&[matrix.shape().first().copied().unwrap_or(0)])
}

/// The least value with at least this share of the weight at or below it.
pub(crate) fn weighted_quantile(weighted: &mut [(f64, f64)], quantile: f64) -> f64 {
    weighted.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
    let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
    let mut below = 0.0;
    for (value, weight) in weighted.iter() {
        below += weight;
        if below >= quantile * total {
            return *value;
        }
    }
    weighted.last().map_or(0.0, |(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_has_its_share_of_the_weight_below() {
        let quantile = |values: &[(f64, f64)], quantile| weighted_quantile(&mut values.to_vec(), quantile);
        let plain = [(3.0, 1.0), (1.0, 1.0), (2.0, 1.0)];
        assert_eq!((quantile(&plain, 0.5), quantile(&plain, 0.9), quantile(&plain, 0.1)), (2.0, 3.0, 1.0));
        assert_eq!(quantile(&[(1.0, 5.0), (2.0, 1.0), (3.0, 1.0)], 0.5), 1.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
