//! Training rows in the host -> the coefficients that minimise the penalised log loss.
//!
//! The loss is (sum of w_i log_loss_i + l2 / 2 |coefficients|^2) / sum of w_i: scikit-learn's optimum with C = 1 / l2, the
//! intercept free. The host holds the rows and computes loss and gradient; the guest sees one number a feature.
//! Each feature is centred and divided by d = sqrt(variance / 4 + l2 / sum of w), the curvature at the start. This changes
//! no optimum, but features of any size then converge alike, and the largest curvature is at most the number of features + 1.

use crate::lbfgs::{self, Point};
use crate::{Method, Params};
use stepwell::tensor::{
    ElementType::Float64, Method as HostMethod, Optimiser, Sgd, Variable, binary_cross_entropy, gradients,
};
use stepwell::{Error, Result, Table, Tensor, report};

/// The training rows, scaled, in the host.
pub(crate) struct Problem {
    /// [rows, features + 1]; the last column is 1, for the intercept.
    rows: Tensor,
    /// [rows, 1], 0 or 1.
    targets: Tensor,
    /// [rows, 1] with mean 1, so that a weighted mean is the same by either of its definitions.
    weights: Option<Tensor>,
    /// [features + 1, 1]: what makes a scaled coefficient one in the feature's own units; 0 for the intercept.
    scales: Tensor,
    penalty: f64,
    means: Vec<f64>,
    divisors: Vec<f64>,
}

/// Where training ended.
pub(crate) struct Solution {
    pub(crate) coefficients: Vec<f64>,
    pub(crate) intercept: f64,
    pub(crate) iterations: u64,
    pub(crate) loss: f64,
    pub(crate) gradient_norm: f64,
}

impl Problem {
    pub(crate) fn new(
        table: &Table,
        features: &[String],
        targets: &[f64],
        weights: Option<&[f64]>,
        l2: f64,
    ) -> Result<Self> {
        let count = targets.len() as u32;
        let total = weights.map_or(f64::from(count), |weights| weights.iter().sum());
        let raw = Tensor::from_table(table, features, Float64)?;
        let means = raw.mean_over(0)?;
        let centred = (&raw - &means)?;
        let variances = centred.square()?.mean_over(0)?.to_f64()?;
        finite(features, &variances)?;
        let curvature = |variance: f64| (variance / 4.0 + l2 / total).sqrt();
        // A constant column without a penalty has no curvature; its coefficient stays where it starts.
        let divisors: Vec<f64> = variances
            .iter()
            .map(|variance| if curvature(*variance) > 0.0 { curvature(*variance) } else { 1.0 })
            .collect();
        let scaled = (&centred / &Tensor::from_f64(&divisors)?)?;
        let ones = Tensor::full(&[count, 1], Float64, 1.0)?;
        let scales: Vec<f64> = divisors.iter().map(|divisor| 1.0 / divisor).chain([0.0]).collect();
        let normal =
            |weights: &[f64]| weights.iter().map(|weight| weight * f64::from(count) / total).collect::<Vec<_>>();
        Ok(Self {
            rows: Tensor::concat(&[&scaled, &ones], 1)?,
            targets: Tensor::from_f64(targets)?.reshape(&[count, 1])?,
            weights: weights.map(|weights| Tensor::from_f64(&normal(weights))?.reshape(&[count, 1])).transpose()?,
            scales: Tensor::from_f64(&scales)?.reshape(&[scales.len() as u32, 1])?,
            penalty: l2 / (2.0 * total),
            means: means.to_f64()?,
            divisors,
        })
    }

    /// The loss at a variable [features + 1, 1], with the way back to it.
    fn loss(&self, variable: &Variable) -> Result<Tensor> {
        let scaled = variable.value()?;
        let logits = self.rows.matmul(&scaled)?;
        let fit = binary_cross_entropy(&logits, &self.targets, self.weights.as_ref())?;
        let size = (&scaled * &self.scales)?.square()?.sum()?;
        &fit + &(&size * self.penalty)?
    }

    fn column(&self, values: &[f64]) -> Result<Tensor> {
        Tensor::from_f64(values)?.reshape(&[values.len() as u32, 1])
    }

    /// Scaled coefficients and intercept, from those in the features' own units.
    pub(crate) fn scale(&self, coefficients: &[f64], intercept: f64) -> Vec<f64> {
        let shift: f64 = coefficients.iter().zip(&self.means).map(|(coefficient, mean)| coefficient * mean).sum();
        let scaled = coefficients.iter().zip(&self.divisors).map(|(coefficient, divisor)| coefficient * divisor);
        scaled.chain([intercept + shift]).collect()
    }

    /// The other way round.
    fn unscale(&self, scaled: &[f64]) -> (Vec<f64>, f64) {
        let coefficients: Vec<f64> =
            scaled.iter().zip(&self.divisors).map(|(value, divisor)| value / divisor).collect();
        let shift: f64 = coefficients.iter().zip(&self.means).map(|(coefficient, mean)| coefficient * mean).sum();
        (coefficients, scaled.last().unwrap_or(&0.0) - shift)
    }

    pub(crate) fn solve(&self, start: Vec<f64>, params: &Params) -> Result<Solution> {
        let variable = Variable::create("coefficients", &self.column(&start)?)?;
        let (iterations, end) = match params.method {
            Method::Lbfgs => self.solve_lbfgs(&variable, start, params)?,
            Method::Nesterov => self.solve_nesterov(&variable, params)?,
        };
        let gradient_norm = end.gradient_norm();
        if gradient_norm.is_nan() || gradient_norm > params.tolerance {
            let tolerance = params.tolerance;
            report::warn(format!(
                "stopped after {iterations} iterations with a gradient norm of {gradient_norm:e}, above the tolerance {tolerance:e}"
            ));
        }
        let (coefficients, intercept) = self.unscale(&end.at);
        if !end.value.is_finite() || !coefficients.iter().all(|value| value.is_finite()) {
            return Err(Error::permanent(format!("expected training to converge, got a loss of {}", end.value)));
        }
        Ok(Solution { coefficients, intercept, iterations, loss: end.value, gradient_norm })
    }

    fn solve_lbfgs(&self, variable: &Variable, start: Vec<f64>, params: &Params) -> Result<(u64, Point)> {
        let function = |at: &[f64]| {
            variable.set(&self.column(at)?)?;
            let point = self.point(variable)?;
            Ok((point.value, point.gradient))
        };
        let done = |iteration, point: &Point| {
            watch(iteration, point.value, params);
            iteration >= params.max_iterations || point.gradient_norm() <= params.tolerance
        };
        lbfgs::minimise(start, function, done)
    }

    fn solve_nesterov(&self, variable: &Variable, params: &Params) -> Result<(u64, Point)> {
        let method = HostMethod::Sgd(Sgd { momentum: params.momentum(), nesterov: true, weight_decay: 0.0 });
        let optimiser = Optimiser::create(method, &[variable])?;
        let rate = params.learning_rate.unwrap_or(1.0 / (self.divisors.len() as f64 + 1.0));
        let mut iteration = 0;
        while iteration < params.max_iterations {
            let loss = self.loss(variable)?;
            if iteration % WATCH_EVERY == 0 {
                watch(iteration, loss.item()?, params);
            }
            iteration += 1;
            if optimiser.step(&loss, rate, None)? <= params.tolerance {
                break;
            }
        }
        Ok((iteration, self.point(variable)?))
    }

    /// Loss and gradient at the variable's value, brought into the guest.
    fn point(&self, variable: &Variable) -> Result<Point> {
        let loss = self.loss(variable)?;
        let gradient = gradients(&loss, &[variable])?.first().map(Tensor::to_f64).transpose()?.unwrap_or_default();
        Ok(Point { at: variable.value()?.to_f64()?, value: loss.item()?, gradient })
    }
}

/// Iterations between two points of the loss curve.
const WATCH_EVERY: u64 = 10;

fn watch(iteration: u64, loss: f64, params: &Params) {
    if iteration.is_multiple_of(WATCH_EVERY) {
        report::metric("loss", loss, iteration);
        report::progress(iteration, Some(params.max_iterations));
    }
}

fn finite(features: &[String], variances: &[f64]) -> Result<()> {
    match features.iter().zip(variances).find(|(_, variance)| !variance.is_finite()) {
        None => Ok(()),
        Some((feature, variance)) => {
            Err(Error::invalid(feature, format!("expected finite numbers, got values with a variance of {variance}")))
        }
    }
}
