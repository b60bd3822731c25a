//! Training rows -> the coefficients that minimise the penalised log loss, by either method. What an interrupted attempt
//! reached is where the next goes on.

use crate::lbfgs::{self, Point, State};
use crate::params::{Method, Params};
use crate::rows::{Rows, Score};
use serde::{Deserialize, Serialize};
use stepwell::tensor::Variable;
use stepwell::{Error, Result, checkpoint, finite, report};

/// Where training ended.
pub(crate) struct Solution {
    pub(crate) scores: Vec<Score>,
    pub(crate) iterations: u64,
    pub(crate) loss: f64,
    pub(crate) gradient_norm: f64,
}

/// Iterations between two points of the loss curve.
const WATCH_EVERY: u64 = 10;

pub(crate) fn solve(rows: &Rows, start: &[Score], params: &Params) -> Result<Solution> {
    let start = rows.scale(start);
    let variable = Variable::create("coefficients", &rows.shaped(&start)?)?;
    let (iterations, end) = match params.method {
        Method::Lbfgs => {
            let end = lbfgs(rows, &variable, start, params)?;
            (end.iteration, end.point)
        }
        Method::Nesterov => nesterov(rows, &variable, start, params)?,
    };
    check(end.value, iterations, params)?;
    let gradient_norm = end.gradient_norm();
    if gradient_norm.is_nan() || gradient_norm > params.tolerance {
        let tolerance = params.tolerance;
        report::warn(format!(
            "stopped after {iterations} iterations with a gradient norm of {gradient_norm:e}, above the tolerance {tolerance:e}"
        ));
    }
    let scores = rows.unscale(&end.at);
    Ok(Solution { scores, iterations, loss: end.value, gradient_norm })
}

/// That the loss is a number: steps of a length that was asked for may have led away from every minimum.
fn check(loss: f64, iterations: u64, params: &Params) -> Result<()> {
    let what = format!("the loss after iteration {iterations}");
    match params.learning_rate {
        Some(rate) if !loss.is_finite() => {
            let hint = "lower it, or leave it out for one that always descends";
            Err(Error::invalid(
                "learning_rate",
                format!("expected {what} to be finite, got {loss} with {rate:e}; {hint}"),
            ))
        }
        _ => finite::check(&what, loss),
    }
}

fn lbfgs(rows: &Rows, variable: &Variable, start: Vec<f64>, params: &Params) -> Result<State> {
    let state = match saved(start.len(), |state: &State| state.point.at.len())? {
        Some(state) => state,
        None => State::at(rows.point(variable, start)?),
    };
    let begun = state.iteration;
    let done = |state: &State| {
        watch(state.iteration, begun, &state.point, params, state)?;
        Ok(state.iteration >= params.max_iterations || state.point.gradient_norm() <= params.tolerance)
    };
    lbfgs::minimise(state, rows.l1(), |at| rows.point(variable, at), done)
}

/// How far gradient descent came.
#[derive(Serialize, Deserialize)]
struct Rolling {
    iteration: u64,
    at: Vec<f64>,
    velocity: Vec<f64>,
}

/// Gradient descent with Nesterov's momentum, as PyTorch has it: v = momentum v + g; x -= rate (g + momentum v).
fn nesterov(rows: &Rows, variable: &Variable, start: Vec<f64>, params: &Params) -> Result<(u64, Point)> {
    let rolling = saved(start.len(), |rolling: &Rolling| rolling.at.len())?;
    let mut rolling = rolling.unwrap_or_else(|| Rolling { iteration: 0, velocity: vec![0.0; start.len()], at: start });
    let (begun, momentum) = (rolling.iteration, params.momentum());
    // The largest curvature of the scaled rows.
    let rate = params.learning_rate.unwrap_or(1.0 / (rows.features() as f64 + 1.0));
    loop {
        let point = rows.point(variable, rolling.at.clone())?;
        watch(rolling.iteration, begun, &point, params, &rolling)?;
        let ends = point.gradient_norm() <= params.tolerance || !point.value.is_finite();
        if rolling.iteration >= params.max_iterations || ends {
            return Ok((rolling.iteration, point));
        }
        for ((at, velocity), slope) in rolling.at.iter_mut().zip(&mut rolling.velocity).zip(point.slopes()) {
            *velocity = momentum * *velocity + slope;
            *at -= rate * (slope + momentum * *velocity);
        }
        rolling.iteration += 1;
    }
}

/// Shows and saves how far it came, each now and then.
fn watch(iteration: u64, begun: u64, point: &Point, params: &Params, state: &impl Serialize) -> Result<()> {
    if iteration.is_multiple_of(WATCH_EVERY) {
        report::metric("loss", point.value, iteration);
        report::progress(iteration, Some(params.max_iterations));
    }
    if iteration > begun && iteration.is_multiple_of(params.checkpoint_every) && point.value.is_finite() {
        let state = serde_json::to_vec(state).map_err(|error| Error::permanent(error.to_string()))?;
        checkpoint::save(&state)?;
    }
    Ok(())
}

/// What an interrupted attempt saved; `length` counts its numbers, of which there must be so many.
fn saved<T: for<'a> Deserialize<'a>>(expected: usize, length: impl Fn(&T) -> usize) -> Result<Option<T>> {
    let Some(bytes) = checkpoint::load() else { return Ok(None) };
    let wrong = |got: String| Error::invalid("checkpoint", format!("expected {expected} coefficients, got {got}"));
    let state: T = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    match length(&state) {
        got if got == expected => {
            report::info("goes on where an interrupted attempt was");
            Ok(Some(state))
        }
        got => Err(wrong(got.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_none_is_told_of_the_learning_rate_that_was_asked_for() {
        let check = |loss, learning_rate| {
            let mut params = Params::default();
            params.learning_rate = learning_rate;
            check(loss, 7, &params)
        };
        assert_eq!(check(0.5, Some(1e300)), Ok(()));
        for loss in [f64::INFINITY, f64::NAN] {
            let error = format!("{:?}", check(loss, Some(1e300)).unwrap_err());
            assert!(error.contains("\"learning_rate\"") && error.contains("iteration 7"), "{error}");
            assert_eq!(check(loss, None), finite::check("the loss after iteration 7", loss));
        }
    }
}
