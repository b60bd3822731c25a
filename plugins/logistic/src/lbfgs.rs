//! Minimises a smooth convex function of a few numbers by L-BFGS (Nocedal, 1980), given its value and gradient.
//!
//! Pure and in the guest: the numbers are one a feature, so what is heavy is the caller's function. A step is accepted by
//! the Armijo rule or, where the function changes by no more than rounding, by the slope alone (Hager and Zhang, 2005):
//! so the gradient can be brought far below the square root of the rounding error.

use std::collections::VecDeque;

/// Pairs of step and gradient change that are remembered.
const MEMORY: usize = 10;

/// Halvings of one step before the search gives up: the function cannot be improved any more.
const HALVINGS: u32 = 40;

/// A point with the function's value and gradient there.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) at: Vec<f64>,
    pub(crate) value: f64,
    pub(crate) gradient: Vec<f64>,
}

impl Point {
    pub(crate) fn gradient_norm(&self) -> f64 {
        dot(&self.gradient, &self.gradient).sqrt()
    }
}

/// Steps from `start` until `done` says so or no step improves; `done` sees each iteration's point.
pub(crate) fn minimise<E>(
    start: Vec<f64>,
    mut function: impl FnMut(&[f64]) -> Result<(f64, Vec<f64>), E>,
    mut done: impl FnMut(u64, &Point) -> bool,
) -> Result<(u64, Point), E> {
    let mut evaluate = |at: Vec<f64>| {
        let (value, gradient) = function(&at)?;
        Ok::<_, E>(Point { at, value, gradient })
    };
    let mut point = evaluate(start)?;
    let mut memory = VecDeque::new();
    let mut iteration = 0;
    while !done(iteration, &point) {
        let direction = direction(&memory, &point.gradient);
        let Some(next) = search(&point, &direction, &mut evaluate)? else {
            if memory.is_empty() {
                break;
            }
            // Old curvature misled; once more along the gradient.
            memory.clear();
            continue;
        };
        remember(&mut memory, &point, &next);
        point = next;
        iteration += 1;
    }
    Ok((iteration, point))
}

/// A step taken, the change of the gradient along it, and their product.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
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

/// The two-loop recursion: minus the inverse Hessian, as far as it is remembered, times the gradient.
fn direction(memory: &VecDeque<Pair>, gradient: &[f64]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
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
    direction
}

/// The first point along a direction that is good enough; none if there is none.
fn search<E>(
    from: &Point,
    direction: &[f64],
    evaluate: &mut impl FnMut(Vec<f64>) -> Result<Point, E>,
) -> Result<Option<Point>, E> {
    let slope = dot(&from.gradient, direction);
    if slope.is_nan() || slope >= 0.0 {
        return Ok(None);
    }
    let mut length = 1.0;
    for _ in 0..HALVINGS {
        let mut at = from.at.clone();
        add_scaled(&mut at, length, direction);
        let next = evaluate(at)?;
        let lower = next.value <= from.value + 1e-4 * length * slope;
        let flat = next.value <= from.value + 1e-12 * from.value.abs();
        if lower || flat && dot(&next.gradient, direction).abs() <= 0.9 * slope.abs() {
            return Ok(Some(next));
        }
        length *= 0.5;
    }
    Ok(None)
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

    #[test]
    fn a_stretched_bowl_is_emptied_to_the_last_digits() {
        let stretch = [1.0, 30.0, 1_000.0];
        let bowl = |x: &[f64]| {
            let value = x.iter().zip(stretch).map(|(x, s)| s * (x - 1.0).powi(2) / 2.0 + (x - 1.0).powi(4)).sum();
            let gradient = x.iter().zip(stretch).map(|(x, s)| s * (x - 1.0) + 4.0 * (x - 1.0).powi(3)).collect();
            Ok::<_, Infallible>((value, gradient))
        };
        let done = |iteration, point: &Point| iteration >= 100 || point.gradient_norm() < 1e-10;
        let Ok((iterations, end)) = minimise(vec![5.0, -3.0, 2.0], bowl, done);
        assert!(iterations < 60, "{iterations}");
        assert!(end.at.iter().all(|x| (x - 1.0).abs() < 1e-10), "{end:?}");
    }

    #[test]
    fn a_flat_function_ends_at_once() {
        let flat = |_: &[f64]| Ok::<_, Infallible>((2.0, vec![0.0]));
        let Ok((iterations, _)) = minimise(vec![5.0], flat, |_, _| false);
        assert_eq!(iterations, 0);
    }
}
