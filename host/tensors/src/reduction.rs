//! Many elements along one dimension, or along all -> one; and what is normalised along a dimension.

use crate::array::{Elements, Number, Real, array, by_real, by_type};
use crate::elementwise::together;
use crate::graph::pull;
use crate::lanes::{self, Lanes};
use crate::native::{Array, Native};
use crate::{Error, Tensor, shape};
use candle_core::DType;

/// Many elements -> one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    Sum,
    Mean,
    /// The gradient goes to the first of the largest. NaN is larger than any number.
    Max,
    /// The gradient goes to the first of the smallest. NaN is smaller than any number.
    Min,
    /// The mean of (x - mean)^2: divided by n, not n - 1.
    Variance,
    /// log(sum(exp(x))) without overflow.
    LogSumExp,
}

impl Reduction {
    pub const ALL: [Self; 6] = {
        use Reduction::*;
        [Sum, Mean, Max, Min, Variance, LogSumExp]
    };
}

impl Tensor {
    /// Over one dimension, or over all (the shape is then []). `keep` leaves dimensions of length 1 in their place. A sum of
    /// nothing is 0; any other reduction of nothing is an error.
    pub fn reduce(&self, op: Reduction, dimension: Option<u32>, keep: bool) -> Result<Self, Error> {
        match dimension {
            Some(number) => self.reduce_along(op, shape::dimension("dimension", number, self.dims())?, keep),
            None => {
                let flat = self.reshaped(&[self.value.elem_count()])?;
                let one = flat.reduce_along(op, 0, false)?;
                if keep { one.reshaped(&vec![1; self.dims().len()]) } else { Ok(one) }
            }
        }
    }

    fn reduce_along(&self, op: Reduction, dimension: usize, keep: bool) -> Result<Self, Error> {
        let length = self.dims()[dimension];
        if length == 0 && op != Reduction::Sum {
            return Err(nothing("reduce", self.dims(), dimension));
        }
        if !matches!(op, Reduction::Sum | Reduction::Max | Reduction::Min) {
            self.expect_real("tensor")?;
        }
        let mut shape = lanes::kept(self.dims(), dimension);
        let reduced = match op {
            _ if self.is_vacant() => Self::vacant(&shape, &[self])?,
            Reduction::Sum => self.sum_along(dimension)?,
            Reduction::Mean => self.sum_along(dimension)?.binary_scalar(crate::Binary::Div, length as f64)?,
            Reduction::Max | Reduction::Min if self.is_beside() => {
                Self::trip([self], |[x]| x.reduce_along(op, dimension, true))?
            }
            Reduction::Max | Reduction::Min => {
                let positions = lanes::extremes(&self.value, dimension, op == Reduction::Max)?;
                self.picked(positions, dimension)?
            }
            Reduction::Variance if self.is_beside() => self.variance_beside(dimension)?,
            Reduction::LogSumExp if self.is_beside() => self.log_sum_exp_beside(dimension)?,
            Reduction::Variance => self.variance_along(dimension)?,
            Reduction::LogSumExp => self.log_sum_exp_along(dimension)?,
        };
        if keep {
            return Ok(reduced);
        }
        shape.remove(dimension);
        reduced.reshaped(&shape)
    }

    fn sum_along(&self, dimension: usize) -> Result<Self, Error> {
        let shape = self.dims().to_vec();
        let value = lanes::sum(&self.value, dimension)?;
        Ok(Self::result(value, [(self, pull(move |g| g.broadcast_as(shape.as_slice())))]))
    }

    /// In two passes; the gradient is 2 (x - mean) / n.
    fn variance_along(&self, dimension: usize) -> Result<Self, Error> {
        let x = self.value.clone();
        let value = by_real!(x, T => centred::<T>(&x, dimension).and_then(|centred| {
            let squares = together(&centred, &centred, x.dims(), |x: T, y: T| x * y)?;
            divided::<T>(&lanes::sum(&squares, dimension)?, x.dims()[dimension])
        }))?;
        let back = pull(move |g| {
            by_real!(g, T => {
                let twice = 2.0 / x.dims()[dimension] as f64;
                together(g, &centred::<T>(&x, dimension)?, x.dims(), |g: T, x: T| g * x * T::of(twice))
            })
        });
        Ok(Self::result(value, [(self, back)]))
    }

    /// The gradient is the softmax.
    fn log_sum_exp_along(&self, dimension: usize) -> Result<Self, Error> {
        let x = self.value.contiguous()?;
        let y = by_real!(x, T => log_sums::<T>(&x, dimension))?;
        let kept = y.clone();
        let back = pull(move |g| {
            by_real!(g, T => {
                let powers = together(&x, &kept, x.dims(), |x: T, y: T| if x == y { T::ONE } else { (x - y).exp() })?;
                together(g, &powers, x.dims(), |g: T, power: T| g * power)
            })
        });
        Ok(Self::result(y, [(self, back)]))
    }

    /// The position of the first largest element along a dimension, as int64. No gradient.
    pub fn argmax(&self, dimension: u32) -> Result<Self, Error> {
        self.position_of("argmax", dimension, true)
    }

    /// The position of the first smallest element along a dimension, as int64. No gradient.
    pub fn argmin(&self, dimension: u32) -> Result<Self, Error> {
        self.position_of("argmin", dimension, false)
    }

    fn position_of(&self, operation: &'static str, dimension: u32, largest: bool) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        let mut shape = self.dims().to_vec();
        if shape.remove(dimension) == 0 {
            return Err(nothing(operation, self.dims(), dimension));
        }
        if self.is_vacant() {
            return Ok(Self::constant(array::<i64>(Vec::new(), &shape)?));
        }
        if self.is_beside() {
            return Self::trip([self], |[x]| x.position_of(operation, dimension as u32, largest));
        }
        Ok(Self::constant(lanes::extremes(&self.value, dimension, largest)?.reshape(shape)?))
    }

    /// exp(x) / sum(exp(x)) along a dimension, without overflow.
    pub fn softmax(&self, dimension: u32) -> Result<Self, Error> {
        self.expect_real("tensor")?;
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        if self.is_vacant() {
            return Self::vacant(self.dims(), &[self]);
        }
        if self.is_beside() {
            return self.softmax_beside(dimension);
        }
        let y = by_real!(self.value, T => along::<T>(&[&self.value], dimension, softmax))?;
        let kept = y.clone();
        let back = pull(move |g| {
            by_real!(g, T => along::<T>(&[g, &kept], dimension, |given, out| {
                let inner: f64 = given[0].iter().zip(&given[1]).map(|(&g, &y)| T::plus(0.0, g * y)).sum();
                let inner = T::of(inner);
                out.iter_mut().zip(&given[0]).zip(&given[1]).for_each(|((out, &g), &y)| *out = y * (g - inner));
            }))
        });
        Ok(Self::result(y, [(self, back)]))
    }

    /// log(softmax(x)) along a dimension, without overflow.
    pub fn log_softmax(&self, dimension: u32) -> Result<Self, Error> {
        self.expect_real("tensor")?;
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        if self.is_vacant() {
            return Self::vacant(self.dims(), &[self]);
        }
        if self.is_beside() {
            return self.log_softmax_beside(dimension);
        }
        let y = by_real!(self.value, T => along::<T>(&[&self.value], dimension, |given, out| {
            let total = lanes::log_sum_exp(&given[0]);
            out.iter_mut().zip(&given[0]).for_each(|(out, &x)| *out = x - total);
        }))?;
        let kept = y.clone();
        let back = pull(move |g| {
            by_real!(g, T => along::<T>(&[g, &kept], dimension, |given, out| {
                let total = T::of(lanes::row_sum(&given[0]));
                out.iter_mut().zip(&given[0]).zip(&given[1]).for_each(|((out, &g), &y)| *out = g - y.exp() * total);
            }))
        });
        Ok(Self::result(y, [(self, back)]))
    }

    /// Each element is the sum of those up to it along a dimension. Its gradient is the sum of those from it on.
    pub fn cumulative_sum(&self, dimension: u32) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        if self.is_vacant() {
            return Self::vacant(self.dims(), &[self]);
        }
        if self.is_beside() {
            return Self::trip([self], |[x]| x.cumulative_sum(dimension as u32));
        }
        let value = by_type!(self.value, T => along::<T>(&[&self.value], dimension, |given, out| {
            running(given[0].iter().zip(out));
        }))?;
        if self.value.dtype() == DType::I64 {
            return Ok(Self::constant(value));
        }
        let back = pull(move |g| {
            by_real!(g, T => along::<T>(&[g], dimension, |given, out| {
                running(given[0].iter().zip(out).rev());
            }))
        });
        Ok(Self::result(value, [(self, back)]))
    }
}

fn nothing(operation: &'static str, shape: &[usize], dimension: usize) -> Error {
    let expected = "at least one element".to_owned();
    Error::Shape { operation, expected, got: format!("shape {shape:?} along dimension {dimension}") }
}

fn running<'a, T: Number>(places: impl Iterator<Item = (&'a T, &'a mut T)>) {
    let mut sum = T::Sum::default();
    for (&value, place) in places {
        sum = T::plus(sum, value);
        *place = T::sum(sum);
    }
}

fn softmax<T: Real>(given: &[Vec<T>], out: &mut [T]) {
    let top = lanes::largest(&given[0]);
    out.iter_mut().zip(&given[0]).for_each(|(out, &x)| *out = (x - top).exp());
    let total = T::of(lanes::row_sum(out));
    out.iter_mut().for_each(|out| *out /= total);
}

/// Operands of one shape, a lane at a time.
fn along<T: Number>(operands: &[&Array], dimension: usize, f: impl Fn(&[Vec<T>], &mut [T]) + Sync) -> Native<Array> {
    let operands = operands.iter().map(|operand| operand.contiguous()).collect::<Native<Vec<_>>>()?;
    let elements = operands.iter().map(Elements::<T>::of).collect::<Native<Vec<_>>>()?;
    let slices: Vec<&[T]> = elements.iter().map(|elements| &**elements).collect();
    let shape = operands[0].dims();
    array(lanes::through(&slices, Lanes::of(shape, dimension), f), shape)
}

/// x - mean(x) along a dimension.
fn centred<T: Real>(x: &Array, dimension: usize) -> Native<Array> {
    let mean = divided::<T>(&lanes::sum(x, dimension)?, x.dims()[dimension])?;
    together(x, &mean, x.dims(), |x: T, mean: T| x - mean)
}

fn divided<T: Real>(x: &Array, by: usize) -> Native<Array> {
    array(crate::array::map(&Elements::<T>::of(x)?, |x| x / T::of(by as f64)), x.dims())
}

/// log(sum(exp(x))) along a dimension, which keeps length 1. `x` has no gaps.
fn log_sums<T: Real>(x: &Array, dimension: usize) -> Native<Array> {
    let (lanes, elements) = (Lanes::of(x.dims(), dimension), Elements::<T>::of(x)?);
    let lane = |lane| lanes.places(lane).map(|place| elements[place]).collect::<Vec<_>>();
    let made = (0..lanes.count()).map(|number| lanes::log_sum_exp(&lane(number))).collect();
    array(made, &lanes::kept(x.dims(), dimension))
}
