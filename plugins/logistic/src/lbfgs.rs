//! Minimises a smooth convex function of a few numbers, plus weighted absolute values of them, given its value and gradient.
//!
//! L-BFGS (Nocedal, 1980) and, where there are absolute values, its orthant-wise form (Andrew and Gao, 2007): a step stays on
//! the side of zero where it began. Pure and in the guest: the numbers are few, so what is heavy is the caller's function. A
//! step is accepted by the Armijo rule or, where the function changes by no more than rounding, by the slope alone (Hager
//! and Zhang, 2005): so the gradient can be brought far below the square root of the rounding error.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Pairs of step and gradient change that are remembered.
const MEMORY: usize = 10;

/// Halvings of one step before the search gives up: the function cannot be improved any more.
const HALVINGS: u32 = 40;

/// A point with what is minimised there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) at: Vec<f64>,
    /// The absolute values included.
    pub(crate) value: f64,
    /// Of the smooth part.
    gradient: Vec<f64>,
    /// Of all: where a number is 0 and either way leads up, it is 0.
    slopes: Vec<f64>,
}

impl Point {
    /// `value` and `gradient` are those of the smooth part.
    pub(crate) fn new(at: Vec<f64>, value: f64, gradient: Vec<f64>, l1: &[f64]) -> Self {
        let size: f64 = at.iter().zip(l1).map(|(at, l1)| l1 * at.abs()).sum();
        let slopes = at.iter().zip(&gradient).zip(l1).map(|((at, slope), l1)| steepest(*at, *slope, *l1)).collect();
        Self { at, value: value + size, gradient, slopes }
    }

    /// The gradient of all.
    pub(crate) fn slopes(&self) -> &[f64] {
        &self.slopes
    }

    pub(crate) fn gradient_norm(&self) -> f64 {
        dot(&self.slopes, &self.slopes).sqrt()
    }
}

/// The slope of smooth + l1 |at| in the direction in which it falls.
fn steepest(at: f64, slope: f64, l1: f64) -> f64 {
    if at > 0.0 {
        slope + l1
    } else if at < 0.0 {
        slope - l1
    } else if slope + l1 < 0.0 {
        slope + l1
    } else if slope - l1 > 0.0 {
        slope - l1
    } else {
        0.0
    }
}

/// How far it came. What goes on from a saved one takes the same steps as if it had not stopped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) iteration: u64,
    pub(crate) point: Point,
    memory: VecDeque<Pair>,
}

impl State {
    pub(crate) fn at(point: Point) -> Self {
        Self { iteration: 0, point, memory: VecDeque::new() }
    }
}

/// A step taken, the change of the gradient along it, and their product.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
}

/// Steps until `done` says so or no step improves; `done` sees the state before each iteration. `l1` has the weight of each
/// number's absolute value.
pub(crate) fn minimise<E>(
    mut state: State,
    l1: &[f64],
    mut function: impl FnMut(Vec<f64>) -> Result<Point, E>,
    mut done: impl FnMut(&State) -> Result<bool, E>,
) -> Result<State, E> {
    while !done(&state)? {
        let direction = direction(&state, l1);
        let Some(next) = search(&state.point, &direction, l1, &mut function)? else {
            if state.memory.is_empty() {
                break;
            }
            // Old curvature misled; once more along the gradient.
            state.memory.clear();
            continue;
        };
        remember(&mut state.memory, &state.point, &next);
        state.point = next;
        state.iteration += 1;
    }
    Ok(state)
}

fn remember(memory: &mut VecDeque<Pair>, from: &Point, to: &Point) {
    let step = minus(&to.at, &from.at);
    let change = minus(&to.gradient, &from.gradient);
    let product = dot(&step, &change);
    // Without positive curvature the pair would make the next direction point uphill.
    if product > f64::EPSILON * dot(&change, &change) {
        memory.push_back(Pair { step, change, product });
        if memory.len() > MEMORY {
            memory.pop_front();
        }
    }
}

/// The two-loop recursion: minus the inverse Hessian of the smooth part, as far as it is remembered, times the slopes. Of a
/// number with an absolute value only what falls is left.
fn direction(State { point, memory, .. }: &State, l1: &[f64]) -> Vec<f64> {
    let mut direction: Vec<f64> = point.slopes.iter().map(|slope| -slope).collect();
    let mut weights = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let weight = dot(&pair.step, &direction) / pair.product;
        add_scaled(&mut direction, -weight, &pair.change);
        weights.push(weight);
    }
    if let Some(last) = memory.back() {
        let scale = last.product / dot(&last.change, &last.change);
        direction.iter_mut().for_each(|value| *value *= scale);
    }
    for (pair, weight) in memory.iter().zip(weights.into_iter().rev()) {
        let correction = dot(&pair.change, &direction) / pair.product;
        add_scaled(&mut direction, weight - correction, &pair.step);
    }
    for ((value, slope), l1) in direction.iter_mut().zip(&point.slopes).zip(l1) {
        if *l1 > 0.0 && *value * slope >= 0.0 {
            *value = 0.0;
        }
    }
    direction
}

/// The first point along a direction that is good enough; none if there is none.
fn search<E>(
    from: &Point,
    direction: &[f64],
    l1: &[f64],
    function: &mut impl FnMut(Vec<f64>) -> Result<Point, E>,
) -> Result<Option<Point>, E> {
    let slope = dot(&from.slopes, direction);
    if slope.is_nan() || slope >= 0.0 {
        return Ok(None);
    }
    let mut length = 1.0;
    for _ in 0..HALVINGS {
        let next = function(moved(from, length, direction, l1))?;
        let step = minus(&next.at, &from.at);
        let lower = next.value <= from.value + 1e-4 * dot(&from.slopes, &step);
        let flat = next.value <= from.value + 1e-12 * from.value.abs();
        if lower || flat && dot(&next.slopes, direction).abs() <= 0.9 * slope.abs() {
            return Ok(Some(next));
        }
        length *= 0.5;
    }
    Ok(None)
}

/// A step; a number with an absolute value that would cross zero stops there.
fn moved(from: &Point, length: f64, direction: &[f64], l1: &[f64]) -> Vec<f64> {
    let mut at = from.at.clone();
    add_scaled(&mut at, length, direction);
    for (i, value) in at.iter_mut().enumerate().filter(|(i, _)| l1[*i] > 0.0) {
        let side = if from.at[i] == 0.0 { -from.slopes[i] } else { from.at[i] };
        if *value * side <= 0.0 {
            *value = 0.0;
        }
    }
    at
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn add_scaled(to: &mut [f64], scale: f64, add: &[f64]) {
    to.iter_mut().zip(add).for_each(|(to, add)| *to += scale * add);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const STRETCH: [f64; 3] = [1.0, 30.0, 1_000.0];

    /// Sum of stretch (x - 1)^2 / 2 + (x - 1)^4.
    fn bowl(x: Vec<f64>, l1: &[f64]) -> Result<Point, Infallible> {
        let value = x.iter().zip(STRETCH).map(|(x, s)| s * (x - 1.0).powi(2) / 2.0 + (x - 1.0).powi(4)).sum();
        let gradient = x.iter().zip(STRETCH).map(|(x, s)| s * (x - 1.0) + 4.0 * (x - 1.0).powi(3)).collect();
        Ok(Point::new(x, value, gradient, l1))
    }

    fn emptied(l1: &[f64; 3], from: State, most: u64) -> State {
        let done = |state: &State| Ok(state.iteration >= most || state.point.gradient_norm() < 1e-10);
        let Ok(end) = minimise(from, l1, |x| bowl(x, l1), done);
        end
    }

    fn start(l1: &[f64; 3]) -> State {
        let Ok(point) = bowl(vec![5.0, -3.0, 2.0], l1);
        State::at(point)
    }

    #[test]
    fn a_stretched_bowl_is_emptied_to_the_last_digits() {
        let end = emptied(&[0.0; 3], start(&[0.0; 3]), 100);
        assert!(end.iteration < 60, "{end:?}");
        assert!(end.point.at.iter().all(|x| (x - 1.0).abs() < 1e-10), "{end:?}");
    }

    #[test]
    fn absolute_values_hold_numbers_at_zero() {
        // At 0 the slopes are -5, -34 and -1004: the first two do not reach their weight.
        let l1 = [5.5, 40.0, 500.0];
        let end = emptied(&l1, start(&l1), 200);
        assert!(end.point.gradient_norm() < 1e-10, "{end:?}");
        assert_eq!(end.point.at[..2], [0.0, 0.0]);
        // 1000 (x - 1) + 4 (x - 1)^3 = -500. python: numpy.roots([4, 0, 1000, 500])[2].real + 1
        assert!((end.point.at[2] - 0.5004985059726359).abs() < 1e-9, "{end:?}");
    }

    #[test]
    fn what_goes_on_takes_the_same_steps() {
        let l1 = [0.1, 0.0, 3.0];
        let whole = emptied(&l1, start(&l1), 25);
        let half = serde_json::to_vec(&emptied(&l1, start(&l1), 9)).unwrap();
        let resumed = emptied(&l1, serde_json::from_slice(&half).unwrap(), 25);
        let bits = |state: &State| state.point.at.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!((whole.iteration, bits(&whole)), (resumed.iteration, bits(&resumed)));
    }

    #[test]
    fn a_flat_function_ends_at_once() {
        let flat = |at: Vec<f64>| Ok::<_, Infallible>(Point::new(at, 2.0, vec![0.0], &[0.0]));
        let Ok(point) = flat(vec![5.0]);
        let Ok(end) = minimise(State::at(point), &[0.0], flat, |_| Ok(false));
        assert_eq!(end.iteration, 0);
    }
}
