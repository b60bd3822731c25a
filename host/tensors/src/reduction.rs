//! Along a dimension: many elements -> one, and the softmaxes, which need a sum along one.

use crate::graph::pull;
use crate::{Error, Tensor, shape};
use candle_core::{DType, Result as Native, Tensor as Array};

/// Many elements -> one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    Sum,
    Mean,
    /// The gradient goes to the first of the largest. NaN counts as larger than any finite number.
    Max,
    /// The gradient goes to the first of the smallest. NaN counts as smaller than any finite number.
    Min,
}

impl Tensor {
    /// Over one dimension, or over all (the shape is then []). `keep` leaves dimensions of length 1 in their place. A sum of
    /// nothing is 0; a mean, maximum or minimum of nothing is an error.
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
            return Err(Error::Shape {
                operation: "reduce",
                expected: "at least one element for a mean, maximum or minimum".to_owned(),
                got: format!("shape {:?} along dimension {dimension}", self.dims()),
            });
        }
        let mut kept = self.dims().to_vec();
        kept[dimension] = 1;
        let reduced = match op {
            _ if self.is_vacant() => Self::vacant(&kept, &[self])?,
            Reduction::Sum => self.sum_along(dimension)?,
            Reduction::Mean => self.sum_along(dimension)?.binary_scalar(crate::Binary::Div, length as f64)?,
            Reduction::Max | Reduction::Min => {
                let positions = extreme_positions(&self.value, dimension, op == Reduction::Max)?;
                self.gather(positions, dimension)?
            }
        };
        if keep {
            return Ok(reduced);
        }
        kept.remove(dimension);
        reduced.reshaped(&kept)
    }

    fn sum_along(&self, dimension: usize) -> Result<Self, Error> {
        let shape = self.value.shape().clone();
        let value = self.value.sum_keepdim(dimension)?;
        Ok(Self::result(value, [(self, pull(move |g| g.broadcast_as(&shape)))]))
    }

    /// The elements at these positions along a dimension; `positions` has the tensor's other lengths and points inside it.
    pub(crate) fn gather(&self, positions: Array, dimension: usize) -> Result<Self, Error> {
        let (shape, dtype) = (self.value.shape().clone(), self.value.dtype());
        let value = self.value.contiguous()?.gather(&positions, dimension)?;
        let back = pull(move |g| {
            let zeros = Array::zeros(&shape, dtype, g.device())?;
            zeros.scatter_add(&positions, &g.contiguous()?, dimension)
        });
        Ok(Self::result(value, [(self, back)]))
    }

    /// The position of the first largest element along a dimension, in the tensor's type. No gradient.
    pub fn argmax(&self, dimension: u32) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        let mut shape = self.dims().to_vec();
        if shape.remove(dimension) == 0 {
            return Err(Error::Shape {
                operation: "argmax",
                expected: "at least one element".to_owned(),
                got: format!("shape {:?} along dimension {dimension}", self.dims()),
            });
        }
        if self.is_vacant() {
            return Ok(Self::constant(Self::vacant(&shape, &[self])?.value));
        }
        let positions = extreme_positions(&self.value, dimension, true)?;
        // By way of float64: candle converts each type to it, and every position below 2^31 is exact in it.
        Ok(Self::constant(positions.to_dtype(DType::F64)?.to_dtype(self.value.dtype())?.reshape(shape)?))
    }

    /// exp(x) / sum(exp(x)) along a dimension, without overflow.
    pub fn softmax(&self, dimension: u32) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        if self.is_vacant() {
            return Self::vacant(self.dims(), &[self]);
        }
        let powers = below_maximum(&self.value, dimension)?.exp()?;
        let y = powers.broadcast_div(&powers.sum_keepdim(dimension)?)?;
        let kept = y.clone();
        let back = pull(move |g| {
            let inner = (g * &kept)?.sum_keepdim(dimension)?;
            &kept * g.broadcast_sub(&inner)?
        });
        Ok(Self::result(y, [(self, back)]))
    }

    /// log(softmax(x)) along a dimension, without overflow.
    pub fn log_softmax(&self, dimension: u32) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        if self.is_vacant() {
            return Self::vacant(self.dims(), &[self]);
        }
        let shifted = below_maximum(&self.value, dimension)?;
        let y = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(dimension)?.log()?)?;
        let kept = y.clone();
        let back = pull(move |g| g - kept.exp()?.broadcast_mul(&g.sum_keepdim(dimension)?)?);
        Ok(Self::result(y, [(self, back)]))
    }
}

/// x - max(x) along a dimension: what exp cannot overflow on.
fn below_maximum(x: &Array, dimension: usize) -> Native<Array> {
    x.broadcast_sub(&x.max_keepdim(dimension)?)
}

/// The first largest or smallest along a dimension. candle skips a NaN unless it stands first, so it becomes infinite here.
fn extreme_positions(x: &Array, dimension: usize, largest: bool) -> Native<Array> {
    let infinity = if largest { f64::INFINITY } else { f64::NEG_INFINITY };
    let infinite = Array::full(infinity, (), x.device())?.to_dtype(x.dtype())?.broadcast_as(x.shape())?;
    let ordered = x.ne(x)?.where_cond(&infinite, x)?;
    if largest { ordered.argmax_keepdim(dimension) } else { ordered.argmin_keepdim(dimension) }
}
