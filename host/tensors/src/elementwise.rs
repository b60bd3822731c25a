//! Element by element, with broadcasting: one or two tensors -> a tensor. Each value stands beside its gradient.

use crate::graph::{Pull, pull, sum_to};
use crate::{Error, Tensor, shape};
use candle_core::{Result as Native, Tensor as Array};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// One operand, one result of its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unary {
    Neg,
    /// Gradient 0 at 0.
    Abs,
    Exp,
    Log,
    Sqrt,
    Square,
    Recip,
    Tanh,
    Sigmoid,
    /// Gradient 0 at 0; NaN stays NaN.
    Relu,
    /// x (1 + erf(x / sqrt 2)) / 2, not the tanh approximation.
    Gelu,
    Sin,
    Cos,
    /// Gradient 0, as for the two below.
    Sign,
    Floor,
    /// Halves away from zero.
    Round,
}

/// Two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// NaN if either is. The gradient goes to the chosen side, half to each where both are equal.
    Maximum,
    /// As `Maximum`.
    Minimum,
}

impl Binary {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Div => "div",
            Self::Maximum => "maximum",
            Self::Minimum => "minimum",
        }
    }
}

/// A question with the answer 1 or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Tensor {
    pub fn unary(&self, op: Unary) -> Result<Self, Error> {
        if self.is_vacant() {
            return Self::vacant(self.dims(), &[self]);
        }
        let (value, back) = unary(op, self.value.clone())?;
        Ok(Self::result(value, [(self, back)]))
    }

    pub fn binary(&self, op: Binary, right: &Tensor) -> Result<Self, Error> {
        let shape = self.joined(op.name(), right)?;
        if shape.contains(&0) {
            return Self::vacant(&shape, &[self, right]);
        }
        let (value, to_left, to_right) = binary(op, self.value.clone(), right.value.clone())?;
        Ok(Self::result(value, [(self, to_left), (right, to_right)]))
    }

    /// With a number on the right.
    pub fn binary_scalar(&self, op: Binary, right: f64) -> Result<Self, Error> {
        self.binary(op, &Self::full(&[], self.element_type(), right)?)
    }

    /// 1 where it holds, else 0. No gradient.
    pub fn compare(&self, op: Comparison, right: &Tensor) -> Result<Self, Error> {
        let shape = self.joined("compare", right)?;
        if shape.contains(&0) {
            return Ok(Self::constant(Self::vacant(&shape, &[self])?.value));
        }
        let (left, right) = (&self.value, &right.value);
        let holds = match op {
            Comparison::Eq => left.broadcast_eq(right),
            Comparison::Ne => left.broadcast_ne(right),
            Comparison::Lt => left.broadcast_lt(right),
            Comparison::Le => left.broadcast_le(right),
            Comparison::Gt => left.broadcast_gt(right),
            Comparison::Ge => left.broadcast_ge(right),
        }?;
        Ok(Self::constant(holds.to_dtype(left.dtype())?))
    }

    /// The shape of both together, if their types agree.
    fn joined(&self, operation: &'static str, right: &Tensor) -> Result<Vec<usize>, Error> {
        right.expect_type("right", self.element_type())?;
        shape::broadcast(operation, self.dims(), right.dims())
    }

    /// log(1 + exp(x)) without overflow; its gradient is the sigmoid.
    pub(crate) fn softplus(&self) -> Result<Self, Error> {
        if self.is_vacant() {
            return Self::vacant(self.dims(), &[self]);
        }
        let x = self.value.clone();
        let value = (x.relu()? + ((x.abs()?.neg()?.exp()? + 1.0)?).log()?)?;
        Ok(Self::result(value, [(self, pull(move |g| g * sigmoid(&x)?))]))
    }
}

fn unary(op: Unary, x: Array) -> Native<(Array, Pull)> {
    Ok(match op {
        Unary::Neg => (x.neg()?, pull(|g| g.neg())),
        Unary::Abs => (x.abs()?, pull(move |g| g * x.sign()?)),
        Unary::Exp => {
            let y = x.exp()?;
            (y.clone(), pull(move |g| g * &y))
        }
        Unary::Log => (x.log()?, pull(move |g| g / &x)),
        Unary::Sqrt => {
            let y = x.sqrt()?;
            (y.clone(), pull(move |g| (g / &y)? * 0.5))
        }
        Unary::Square => (x.sqr()?, pull(move |g| (g * &x)? * 2.0)),
        Unary::Recip => {
            let y = x.recip()?;
            (y.clone(), pull(move |g| (g * y.sqr()?)?.neg()))
        }
        Unary::Tanh => {
            let y = x.tanh()?;
            (y.clone(), pull(move |g| g * y.sqr()?.affine(-1.0, 1.0)?))
        }
        Unary::Sigmoid => {
            let y = sigmoid(&x)?;
            (y.clone(), pull(move |g| g * (&y * y.affine(-1.0, 1.0)?)?))
        }
        Unary::Relu => {
            let zero = Array::zeros((), x.dtype(), x.device())?.broadcast_as(x.shape())?;
            let y = x.le(0.0)?.where_cond(&zero, &x)?;
            (y.clone(), pull(move |g| g * y.gt(0.0)?.to_dtype(g.dtype())?))
        }
        Unary::Gelu => ((&x * normal_cdf(&x)?)?, pull(move |g| g * gelu_slope(&x)?)),
        Unary::Sin => (x.sin()?, pull(move |g| g * x.cos()?)),
        Unary::Cos => (x.cos()?, pull(move |g| (g * x.sin()?)?.neg())),
        Unary::Sign => (x.sign()?, pull(|g| g.zeros_like())),
        Unary::Floor => (x.floor()?, pull(|g| g.zeros_like())),
        Unary::Round => (x.round()?, pull(|g| g.zeros_like())),
    })
}

/// 1 / (1 + exp(-x)): where exp overflows the quotient is 0, as it should be.
fn sigmoid(x: &Array) -> Native<Array> {
    (x.neg()?.exp()? + 1.0)?.recip()
}

fn normal_cdf(x: &Array) -> Native<Array> {
    x.affine(FRAC_1_SQRT_2, 0.0)?.erf()?.affine(0.5, 0.5)
}

/// cdf(x) + x density(x).
fn gelu_slope(x: &Array) -> Native<Array> {
    let density = x.sqr()?.affine(-0.5, 0.0)?.exp()?.affine(1.0 / (2.0 * PI).sqrt(), 0.0)?;
    normal_cdf(x)? + (x * density)?
}

fn binary(op: Binary, a: Array, b: Array) -> Native<(Array, Pull, Pull)> {
    let (left, right) = (a.dims().to_vec(), b.dims().to_vec());
    Ok(match op {
        Binary::Add => (a.broadcast_add(&b)?, pull(move |g| sum_to(g, &left)), pull(move |g| sum_to(g, &right))),
        Binary::Sub => (a.broadcast_sub(&b)?, pull(move |g| sum_to(g, &left)), pull(move |g| sum_to(g, &right)?.neg())),
        Binary::Mul => {
            let y = a.broadcast_mul(&b)?;
            let to_left = pull(move |g| sum_to(&g.broadcast_mul(&b)?, &left));
            (y, to_left, pull(move |g| sum_to(&g.broadcast_mul(&a)?, &right)))
        }
        Binary::Div => {
            let y = a.broadcast_div(&b)?;
            let (quotient, divisor) = (y.clone(), b.clone());
            let to_left = pull(move |g| sum_to(&g.broadcast_div(&b)?, &left));
            (y, to_left, pull(move |g| sum_to(&(g * &quotient)?.broadcast_div(&divisor)?, &right)?.neg()))
        }
        Binary::Maximum | Binary::Minimum => {
            let y = extreme(op, &a, &b)?;
            let (winner, loser) = (a.clone(), b.clone());
            let to_left = pull(move |g| sum_to(&(g * chosen(op, &winner, &loser)?)?, &left));
            (y, to_left, pull(move |g| sum_to(&(g * chosen(op, &b, &a)?)?, &right)))
        }
    })
}

fn extreme(op: Binary, a: &Array, b: &Array) -> Native<Array> {
    let y = match op {
        Binary::Maximum => a.broadcast_maximum(b),
        _ => a.broadcast_minimum(b),
    }?;
    // candle keeps a NaN on the left but drops one on the right.
    let nan = b.ne(b)?.broadcast_as(y.shape())?;
    nan.where_cond(&b.broadcast_as(y.shape())?, &y)
}

/// 1 where `a` is chosen over `b`, 1/2 where they are equal.
fn chosen(op: Binary, a: &Array, b: &Array) -> Native<Array> {
    let strictly = match op {
        Binary::Maximum => a.broadcast_gt(b),
        _ => a.broadcast_lt(b),
    }?;
    strictly.to_dtype(a.dtype())? + (a.broadcast_eq(b)?.to_dtype(a.dtype())? * 0.5)?
}
