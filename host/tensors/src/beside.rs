//! What is computed where the operands lie, if that is not on the processors: by candle's kernels, value and gradient, under the
//! checks and with the meaning of the same operation elsewhere in this crate.
//!
//! Sums here are of the elements' own type, in the kernel's order. Nothing here looks at an element: that would wait for the device.

use crate::graph::{Pull, pull, sum_to};
use crate::native::{Array, Native};
use crate::{Binary, Comparison, Error, Reduction, Tensor, Unary};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI, FRAC_2_SQRT_PI, PI};

impl Tensor {
    /// Of float32 or float64, at least one of them; so everywhere below.
    pub(crate) fn unary_beside(&self, op: Unary) -> Result<Self, Error> {
        if matches!(op, Unary::Expm1 | Unary::Log1p | Unary::Sign | Unary::Softplus) {
            return Self::trip([self], |[x]| x.unary(op));
        }
        let x = self.value.contiguous()?;
        let y = value(op, &x)?;
        let kept = if op.slopes_by_result() { y.clone() } else { x };
        Ok(Self::result(y, [(self, pull(move |g| sloped(op, g, &kept)))]))
    }

    pub(crate) fn binary_beside(&self, op: Binary, right: &Self) -> Result<Self, Error> {
        let (a, b) = (&self.value, &right.value);
        let value = match op {
            Binary::Add => a.plus(b)?,
            Binary::Sub => a.minus(b)?,
            Binary::Mul => a.times(b)?,
            Binary::Div => a.over(b)?,
            Binary::Maximum => chosen(&wide(a, b)?, &wide(b, a)?, Array::ge)?,
            Binary::Minimum => chosen(&wide(a, b)?, &wide(b, a)?, Array::le)?,
            Binary::Pow => return Self::trip([self, right], |[left, right]| left.binary(op, right)),
        };
        let (to_left, to_right) = back(op, a, b);
        Ok(Self::result(value, [(self, to_left), (right, to_right)]))
    }

    /// Without a number that would have to be brought to the device, where a kernel takes it along.
    pub(crate) fn binary_scalar_beside(&self, op: Binary, right: f64) -> Result<Self, Error> {
        let (times, plus) = match op {
            Binary::Add => (1.0, right),
            Binary::Sub => (1.0, -right),
            Binary::Mul => (right, 0.0),
            _ => return self.binary(op, &self.scalar(right)?),
        };
        let value = self.value.affine(times, plus)?;
        Ok(Self::result(value, [(self, pull(move |g| g.affine(times, 0.0)))]))
    }

    pub(crate) fn select_beside(&self, condition: &Self, otherwise: &Self, shape: &[usize]) -> Result<Self, Error> {
        let mask = condition.value.broadcast_as(shape)?.ne(&zero(&condition.value)?)?;
        let [yes, no] = [self, otherwise].map(|side| side.value.broadcast_as(shape).and_then(|side| side.contiguous()));
        let value = mask.choose(&yes?, &no?)?;
        let (left, right, other) = (self.dims().to_vec(), otherwise.dims().to_vec(), mask.clone());
        let to_left = pull(move |g| sum_to(&mask.choose(&g.contiguous()?, &zeros_like(g)?)?, &left));
        let to_right = pull(move |g| sum_to(&other.choose(&zeros_like(g)?, &g.contiguous()?)?, &right));
        Ok(Self::result(value, [(self, to_left), (otherwise, to_right)]))
    }

    /// The mean of (x - mean)^2, in two passes; length 1 stays along the dimension.
    pub(crate) fn variance_beside(&self, dimension: usize) -> Result<Self, Error> {
        let along = Some(dimension as u32);
        let centred = self.binary(Binary::Sub, &self.reduce(Reduction::Mean, along, true)?)?;
        centred.unary(Unary::Square)?.reduce(Reduction::Mean, along, true)
    }

    /// The gradient is the softmax; where the logarithm is infinite, all of it goes to what is equal to it.
    pub(crate) fn log_sum_exp_beside(&self, dimension: usize) -> Result<Self, Error> {
        let x = self.value.contiguous()?;
        let y = log_sums(&x, dimension)?;
        let kept = y.clone();
        let back = pull(move |g| {
            let powers = x.minus(&kept)?.exp()?;
            g.times(&x.eq(&kept)?.choose(&powers.ones_like()?, &powers)?)
        });
        Ok(Self::result(y, [(self, back)]))
    }

    /// The gradient is y (g - sum(g y)).
    pub(crate) fn softmax_beside(&self, dimension: usize) -> Result<Self, Error> {
        let x = self.value.contiguous()?;
        let powers = x.minus(&x.largest(dimension)?)?.exp()?;
        let y = powers.over(&powers.sum(dimension)?)?;
        let kept = y.clone();
        let back = pull(move |g| kept.times(&g.minus(&g.times(&kept)?.sum(dimension)?)?));
        Ok(Self::result(y, [(self, back)]))
    }

    /// The gradient is g - exp(y) sum(g).
    pub(crate) fn log_softmax_beside(&self, dimension: usize) -> Result<Self, Error> {
        let x = self.value.contiguous()?;
        let y = x.minus(&log_sums(&x, dimension)?)?;
        let kept = y.clone();
        let back = pull(move |g| g.minus(&kept.exp()?.times(&g.contiguous()?.sum(dimension)?)?));
        Ok(Self::result(y, [(self, back)]))
    }

    /// (x - mean) / sqrt(variance + epsilon) over the last dimension.
    pub(crate) fn normalised_beside(&self, epsilon: f64) -> Result<Self, Error> {
        let along = Some(self.dims().len() as u32 - 1);
        let centred = self.binary(Binary::Sub, &self.reduce(Reduction::Mean, along, true)?)?;
        let variance = centred.unary(Unary::Square)?.reduce(Reduction::Mean, along, true)?;
        let scale = variance.binary_scalar(Binary::Add, epsilon)?.unary(Unary::Sqrt)?;
        centred.binary(Binary::Div, &scale)
    }

    /// The elements at positions, which were held against the length, in a shape.
    pub(crate) fn taken_beside(&self, dimension: usize, positions: &Self, shape: &[usize]) -> Result<Self, Error> {
        let device = self.value.device();
        let positions = positions.value.on(&device)?.reshape(positions.value.elem_count())?;
        let value = self.value.contiguous()?.rows(&positions, dimension)?.reshape(shape)?;
        let (before, dtype) = (self.dims().to_vec(), self.value.dtype());
        let mut rows = before.clone();
        rows[dimension] = positions.elem_count();
        let back = pull(move |g| {
            let zeros = Array::zeros(&device, &before, dtype)?;
            zeros.plus_rows(&positions, &g.reshape(rows.as_slice())?, dimension)
        });
        Ok(Self::result(value, [(self, back)]))
    }
}

/// 1 where it holds, else 0, in the operands' type.
pub(crate) fn compared(op: Comparison, a: &Array, b: &Array) -> Native<Array> {
    let mask = match op {
        Comparison::Eq => a.eq(b),
        Comparison::Ne => a.ne(b),
        Comparison::Lt => a.lt(b),
        Comparison::Le => a.le(b),
        Comparison::Gt => a.gt(b),
        Comparison::Ge => a.ge(b),
    }?;
    mask.as_type(a.dtype())
}

/// log(sum(exp(x))) along a dimension, which keeps length 1. `x` has no gaps.
pub(crate) fn log_sums(x: &Array, dimension: usize) -> Native<Array> {
    let top = x.largest(dimension)?;
    // What is taken off, so that exp does not overflow. The difference of infinities would be NaN: of those nothing is.
    let off = top.minus(&top)?.eq(&zero(&top)?)?.choose(&top, &zeros_like(&top)?)?;
    x.minus(&off)?.exp()?.sum(dimension)?.log()?.plus(&off)
}

/// 0 where x lies, of its type, for a kernel that broadcasts.
pub(crate) fn zero(x: &Array) -> Native<Array> {
    Array::zeros(&x.device(), &[], x.dtype())
}

/// Zeros of its shape, in its place.
pub(crate) fn zeros_like(x: &Array) -> Native<Array> {
    Array::zeros(&x.device(), x.dims(), x.dtype())
}

/// 1 where x is above 0, -1 where below, else 0.
pub(crate) fn sign(x: &Array) -> Native<Array> {
    let zero = zero(x)?;
    x.gt(&zero)?.as_type(x.dtype())?.minus(&x.lt(&zero)?.as_type(x.dtype())?)
}

/// 1 / (1 + exp(-x)): where exp overflows the quotient is 0, as it should be.
pub(crate) fn sigmoid(x: &Array) -> Native<Array> {
    x.neg()?.exp()?.affine(1.0, 1.0)?.recip()
}

/// log(1 + exp(x)) without overflow; of float32 below -17 it is 0, which is lost in a sum of losses.
pub(crate) fn softplus(x: &Array) -> Native<Array> {
    let above = clipped(x)?;
    above.plus(&x.abs()?.neg()?.exp()?.affine(1.0, 1.0)?.log()?)
}

/// x where it is above 0, else 0; NaN stays NaN.
fn clipped(x: &Array) -> Native<Array> {
    let zero = zero(x)?;
    x.le(&zero)?.choose(&zeros_like(x)?, x)
}

/// In the shape of both together, without gaps.
fn wide(x: &Array, other: &Array) -> Native<Array> {
    let shape = x.shape().broadcast_shape_binary_op(other.shape(), "broadcast")?;
    x.broadcast_as(shape)?.contiguous()
}

/// The left where it stands to the right as asked, the right where that stands so; NaN where either is, since it stands to nothing.
fn chosen(a: &Array, b: &Array, stands: fn(&Array, &Array) -> Native<Array>) -> Native<Array> {
    stands(a, b)?.choose(a, &stands(b, a)?.choose(b, &a.plus(b)?)?)
}

fn value(op: Unary, x: &Array) -> Native<Array> {
    match op {
        Unary::Neg => x.neg(),
        Unary::Abs => x.abs(),
        Unary::Exp => x.exp(),
        Unary::Log => x.log(),
        Unary::Sqrt => x.sqrt(),
        Unary::Square => x.times(x),
        Unary::Recip => x.recip(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => sigmoid(x),
        Unary::Relu => clipped(x),
        Unary::Gelu => x.times(&normal_cdf(x)?),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Floor => x.floor(),
        Unary::Round => x.round(),
        Unary::Erf => x.erf(),
        Unary::GeluTanh => x.times(&bend(x)?.tanh()?.affine(0.5, 0.5)?),
        Unary::Silu => x.times(&sigmoid(x)?),
        _ => Err(trips(op)),
    }
}

/// The gradient times the slope, which is of the operand or of the result ([`Unary::slopes_by_result`]).
fn sloped(op: Unary, g: &Array, kept: &Array) -> Native<Array> {
    let slope = match op {
        Unary::Neg => return g.neg(),
        Unary::Log => return g.over(kept),
        Unary::Sqrt => return g.affine(0.5, 0.0)?.over(kept),
        Unary::Abs => sign(kept)?,
        Unary::Exp => kept.clone(),
        Unary::Square => kept.affine(2.0, 0.0)?,
        Unary::Recip => kept.times(kept)?.neg()?,
        Unary::Tanh => kept.times(kept)?.affine(-1.0, 1.0)?,
        Unary::Sigmoid => kept.times(&kept.affine(-1.0, 1.0)?)?,
        // Of a result that is not below 0, its sign; where that is NaN, so is the value.
        Unary::Relu => sign(kept)?,
        Unary::Gelu => normal_cdf(kept)?.plus(&kept.times(&normal_density(kept)?)?)?,
        Unary::Sin => kept.cos()?,
        Unary::Cos => kept.sin()?.neg()?,
        Unary::Floor | Unary::Round => return zeros_like(g),
        Unary::Erf => kept.times(kept)?.neg()?.exp()?.affine(FRAC_2_SQRT_PI, 0.0)?,
        Unary::GeluTanh => {
            let t = bend(kept)?.tanh()?;
            let inner = kept.times(kept)?.affine(3.0 * 0.044715 * FRAC_2_PI.sqrt(), FRAC_2_PI.sqrt())?;
            let bent = kept.times(&t.times(&t)?.affine(-1.0, 1.0)?)?.times(&inner)?;
            t.affine(1.0, 1.0)?.plus(&bent)?.affine(0.5, 0.0)?
        }
        Unary::Silu => {
            let s = sigmoid(kept)?;
            s.times(&kept.times(&s.affine(-1.0, 1.0)?)?.affine(1.0, 1.0)?)?
        }
        _ => return Err(trips(op)),
    };
    g.times(&slope)
}

fn trips(op: Unary) -> Error {
    Error::Native(format!("{op:?} is computed on the processors"))
}

/// The gradients by the left and by the right.
fn back(op: Binary, a: &Array, b: &Array) -> (Pull, Pull) {
    let (left, right) = (a.dims().to_vec(), b.dims().to_vec());
    // These need no operand, which would be held, and counted, for as long as the gradient.
    match op {
        Binary::Add => return (pull(move |g| sum_to(g, &left)), pull(move |g| sum_to(g, &right))),
        Binary::Sub => return (pull(move |g| sum_to(g, &left)), pull(move |g| sum_to(&g.neg()?, &right))),
        _ => {}
    }
    let ((a1, b1), (a2, b2)) = ((a.clone(), b.clone()), (a.clone(), b.clone()));
    let to_left = pull(move |g| {
        let share = match op {
            Binary::Mul => g.times(&b1)?,
            Binary::Div => g.over(&b1)?,
            Binary::Maximum => g.times(&share(&a1, &b1, Array::gt)?)?,
            Binary::Minimum => g.times(&share(&a1, &b1, Array::lt)?)?,
            _ => g.clone(),
        };
        sum_to(&share, &left)
    });
    let to_right = pull(move |g| {
        let share = match op {
            Binary::Mul => g.times(&a2)?,
            Binary::Div => g.times(&a2)?.over(&b2.times(&b2)?)?.neg()?,
            Binary::Maximum => g.times(&share(&b2, &a2, Array::gt)?)?,
            Binary::Minimum => g.times(&share(&b2, &a2, Array::lt)?)?,
            _ => g.clone(),
        };
        sum_to(&share, &right)
    });
    (to_left, to_right)
}

/// What a side gets of the gradient: all where it is chosen, half where both are equal.
fn share(a: &Array, b: &Array, better: fn(&Array, &Array) -> Native<Array>) -> Native<Array> {
    better(a, b)?.as_type(a.dtype())?.plus(&a.eq(b)?.as_type(a.dtype())?.affine(0.5, 0.0)?)
}

fn normal_cdf(x: &Array) -> Native<Array> {
    x.affine(FRAC_1_SQRT_2, 0.0)?.erf()?.affine(0.5, 0.5)
}

fn normal_density(x: &Array) -> Native<Array> {
    x.times(x)?.affine(-0.5, 0.0)?.exp()?.affine(1.0 / (2.0 * PI).sqrt(), 0.0)
}

/// What GELU's approximation takes the tanh of: sqrt(2 / pi) (x + 0.044715 x^3).
fn bend(x: &Array) -> Native<Array> {
    let root = FRAC_2_PI.sqrt();
    x.times(&x.times(x)?.affine(0.044715 * root, root)?)
}
