//! One operand, one result of its shape. Each value stands beside its slope.

use crate::array::{Elements, Number, Real, array, by_real, map, zip};
use crate::graph::{Pull, pull};
use crate::native::Array;
use crate::{Error, Tensor};
use candle_core::DType;
use num_traits::Float;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI, FRAC_2_SQRT_PI, PI};

/// What is done to each element.
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
    /// exp(x) - 1, exact near 0.
    Expm1,
    /// log(1 + x), exact near 0.
    Log1p,
    Erf,
    /// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 (Hendrycks and Gimpel, 2016).
    GeluTanh,
    /// x sigmoid(x).
    Silu,
    /// log(1 + exp(x)) without overflow.
    Softplus,
}

impl Unary {
    pub const ALL: [Self; 22] = {
        use Unary::*;
        [
            Neg, Abs, Exp, Log, Sqrt, Square, Recip, Tanh, Sigmoid, Relu, Gelu, Sin, Cos, Sign, Floor, Round, Expm1,
            Log1p, Erf, GeluTanh, Silu, Softplus,
        ]
    };

    /// Whether the slope is computed from the result, so that the operand need not be kept.
    pub(crate) fn slopes_by_result(self) -> bool {
        use Unary::*;
        matches!(self, Exp | Sqrt | Recip | Tanh | Sigmoid | Relu | Expm1)
    }
}

impl Tensor {
    pub fn unary(&self, op: Unary) -> Result<Self, Error> {
        if self.value.dtype() == DType::I64 {
            return self.whole(op);
        }
        if self.is_vacant() {
            return Self::vacant(self.dims(), &[self]);
        }
        if self.is_beside() {
            return self.unary_beside(op);
        }
        let x = self.value.contiguous()?;
        let y = by_real!(x, T => array(value::<T>(op, &Elements::of(&x)?), x.dims()))?;
        let kept = if op.slopes_by_result() { y.clone() } else { x };
        Ok(Self::result(y, [(self, back(op, kept))]))
    }

    /// Of integers, where it makes sense.
    fn whole(&self, op: Unary) -> Result<Self, Error> {
        let f: fn(i64) -> i64 = match op {
            Unary::Neg => i64::wrapping_neg,
            Unary::Abs => i64::wrapping_abs,
            Unary::Sign => i64::signum,
            Unary::Square => |x| x.wrapping_mul(x),
            _ => {
                return Err(self
                    .expect_real("tensor")
                    .err()
                    .unwrap_or_else(|| Error::invalid("op", "is not for int64")));
            }
        };
        if self.is_vacant() {
            return Ok(self.clone());
        }
        if self.is_beside() {
            return Self::trip([self], |[x]| x.whole(op));
        }
        let x = self.value.contiguous()?;
        Ok(Self::constant(array(map(&Elements::<i64>::of(&x)?, f), x.dims())?))
    }

    /// x where it is above 0, else slope x; the gradient at 0 is the slope.
    pub fn leaky_relu(&self, slope: f64) -> Result<Self, Error> {
        self.expect_real("tensor")?;
        self.each(move |x| if x > 0.0 { x } else { slope * x }, move |x| if x > 0.0 { 1.0 } else { slope })
    }

    /// At least `low` and at most `high`; the gradient passes where the element lies within both, ends included.
    pub fn clamp(&self, low: Option<f64>, high: Option<f64>) -> Result<Self, Error> {
        self.expect_real("tensor")?;
        let (low, high) = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
        if low.is_nan() || high.is_nan() || low > high {
            return Err(Error::invalid("low", format!("is {low}, expected at most `high`, which is {high}")));
        }
        self.each(move |x| x.max(low).min(high), move |x| f64::from(u8::from(low <= x && x <= high)))
    }

    /// A function and its slope, both of the operand. NaN stays NaN.
    fn each(
        &self,
        f: impl Fn(f64) -> f64 + Sync,
        slope: impl Fn(f64) -> f64 + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        if self.is_vacant() {
            return Self::vacant(self.dims(), &[self]);
        }
        if self.is_beside() {
            return Self::trip([self], |[x]| x.each(f, slope));
        }
        let x = self.value.contiguous()?;
        let kept = |x: f64| if x.is_nan() { x } else { f(x) };
        let y = by_real!(x, T => array(map(&Elements::<T>::of(&x)?, |x| T::of(kept(x.wide()))), x.dims()))?;
        let back = pull(move |g| {
            let g = g.contiguous()?;
            by_real!(g, T => {
                let g_elements = Elements::<T>::of(&g)?;
                array(zip(&g_elements, &Elements::<T>::of(&x)?, |g, x| g * T::of(slope(x.wide()))), g.dims())
            })
        });
        Ok(Self::result(y, [(self, back)]))
    }
}

fn back(op: Unary, kept: Array) -> Pull {
    pull(move |g| {
        let g = g.contiguous()?;
        by_real!(g, T => array(sloped::<T>(op, &Elements::of(&g)?, &Elements::of(&kept)?), g.dims()))
    })
}

fn value<T: Real>(op: Unary, x: &[T]) -> Vec<T> {
    let (one, half) = (T::one(), T::of(0.5));
    match op {
        Unary::Neg => map(x, |x| -x),
        Unary::Abs => map(x, |x| x.abs()),
        Unary::Exp => map(x, |x| x.exp()),
        Unary::Log => map(x, |x| x.ln()),
        Unary::Sqrt => map(x, |x| x.sqrt()),
        Unary::Square => map(x, |x| x * x),
        Unary::Recip => map(x, |x| x.recip()),
        Unary::Tanh => map(x, |x| x.tanh()),
        Unary::Sigmoid => map(x, sigmoid),
        Unary::Relu => map(x, |x| if x <= T::zero() { T::zero() } else { x }),
        Unary::Gelu => map(x, |x| x * normal_cdf(x)),
        Unary::Sin => map(x, |x| x.sin()),
        Unary::Cos => map(x, |x| x.cos()),
        Unary::Sign => map(x, sign),
        Unary::Floor => map(x, |x| x.floor()),
        Unary::Round => map(x, |x| x.round()),
        Unary::Expm1 => map(x, |x| x.exp_m1()),
        Unary::Log1p => map(x, |x| x.ln_1p()),
        Unary::Erf => map(x, |x| x.erf()),
        Unary::GeluTanh => map(x, |x| half * x * (one + bend(x).tanh())),
        Unary::Silu => map(x, |x| x * sigmoid(x)),
        Unary::Softplus => map(x, softplus),
    }
}

/// The gradient times the slope, which is of the operand or of the result ([`Unary::slopes_by_result`]).
fn sloped<T: Real>(op: Unary, g: &[T], kept: &[T]) -> Vec<T> {
    let (one, half, two) = (T::one(), T::of(0.5), T::of(2.0));
    match op {
        Unary::Neg => map(g, |g| -g),
        Unary::Abs => zip(g, kept, |g, x| g * sign(x)),
        Unary::Exp => zip(g, kept, |g, y| g * y),
        Unary::Log => zip(g, kept, |g, x| g / x),
        Unary::Sqrt => zip(g, kept, |g, y| g * half / y),
        Unary::Square => zip(g, kept, |g, x| g * two * x),
        Unary::Recip => zip(g, kept, |g, y| -g * y * y),
        Unary::Tanh => zip(g, kept, |g, y| g * (one - y * y)),
        Unary::Sigmoid => zip(g, kept, |g, y| g * y * (one - y)),
        Unary::Relu => zip(g, kept, |g, y| if y > T::zero() { g } else { g * T::zero() }),
        Unary::Gelu => zip(g, kept, |g, x| g * (normal_cdf(x) + x * normal_density(x))),
        Unary::Sin => zip(g, kept, |g, x| g * x.cos()),
        Unary::Cos => zip(g, kept, |g, x| -g * x.sin()),
        Unary::Sign | Unary::Floor | Unary::Round => map(g, |_| T::zero()),
        Unary::Expm1 => zip(g, kept, |g, y| g * (y + one)),
        Unary::Log1p => zip(g, kept, |g, x| g / (one + x)),
        Unary::Erf => zip(g, kept, |g, x| g * T::of(FRAC_2_SQRT_PI) * (-x * x).exp()),
        Unary::GeluTanh => zip(g, kept, |g, x| {
            let t = bend(x).tanh();
            let inner = T::of(FRAC_2_PI.sqrt()) * (one + T::of(3.0 * 0.044715) * x * x);
            g * half * (one + t + x * (one - t * t) * inner)
        }),
        Unary::Silu => zip(g, kept, |g, x| {
            let s = sigmoid(x);
            g * s * (one + x * (one - s))
        }),
        Unary::Softplus => zip(g, kept, |g, x| g * sigmoid(x)),
    }
}

/// 1 / (1 + exp(-x)): where exp overflows the quotient is 0, as it should be.
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    (T::one() + (-x).exp()).recip()
}

/// log(1 + exp(x)) without overflow.
pub(crate) fn softplus<T: Real>(x: T) -> T {
    if x.is_not_a_number() { x } else { Float::max(x, T::zero()) + (-x.abs()).exp().ln_1p() }
}

fn sign<T: Real>(x: T) -> T {
    // `signum` of Rust is 1 at 0.
    if x == T::zero() { T::zero() } else { x.signum() }
}

fn normal_cdf<T: Real>(x: T) -> T {
    T::of(0.5) * (T::one() + (x * T::of(FRAC_1_SQRT_2)).erf())
}

fn normal_density<T: Real>(x: T) -> T {
    T::of(1.0 / (2.0 * PI).sqrt()) * (-T::of(0.5) * x * x).exp()
}

/// What GELU's approximation takes the tanh of.
fn bend<T: Real>(x: T) -> T {
    T::of(FRAC_2_PI.sqrt()) * (x + T::of(0.044715) * x * x * x)
}
