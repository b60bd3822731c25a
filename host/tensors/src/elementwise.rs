//! Two operands element by element, with broadcasting. Each value stands beside its gradients.

use crate::array::{Elements, Number, Real, array, by_real, by_type, pieces};
use crate::graph::{Pull, pull, sum_to};
use crate::native::{Array, Native};
use crate::tensor::whole;
use crate::{ElementType, Error, Tensor, beside, shape};
use candle_core::DType;

/// Two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    /// Not of integers.
    Div,
    /// NaN if either is. The gradient goes to the chosen side, half to each where both are equal.
    Maximum,
    /// As `Maximum`.
    Minimum,
    /// Left to the power of right. By the right it has a gradient where left is not below 0; of 0 to the power of 0 it is 0.
    Pow,
}

impl Binary {
    pub const ALL: [Self; 7] = {
        use Binary::*;
        [Add, Sub, Mul, Div, Maximum, Minimum, Pow]
    };

    fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Div => "div",
            Self::Maximum => "maximum",
            Self::Minimum => "minimum",
            Self::Pow => "pow",
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

impl Comparison {
    pub const ALL: [Self; 6] = [Self::Eq, Self::Ne, Self::Lt, Self::Le, Self::Gt, Self::Ge];
}

impl Tensor {
    pub fn binary(&self, op: Binary, right: &Tensor) -> Result<Self, Error> {
        let shape = self.joined(op.name(), right)?;
        if self.value.dtype() == DType::I64 {
            let f: fn(i64, i64) -> i64 = match op {
                Binary::Add => i64::wrapping_add,
                Binary::Sub => i64::wrapping_sub,
                Binary::Mul => i64::wrapping_mul,
                Binary::Maximum => i64::max,
                Binary::Minimum => i64::min,
                Binary::Div | Binary::Pow => {
                    let reason = format!("is int64, which `{}` is not for; cast to float64", op.name());
                    return Err(Error::invalid("tensor", reason));
                }
            };
            if !shape.contains(&0) {
                if self.is_beside() {
                    return Self::trip([self, right], |[left, right]| left.binary(op, right));
                }
                return Ok(Self::constant(together(&self.value, &right.value, &shape, f)?));
            }
        }
        if shape.contains(&0) {
            return Self::vacant(&shape, &[self, right]);
        }
        if self.is_beside() {
            return self.binary_beside(op, right);
        }
        let value = by_real!(self.value, T => value::<T>(op, &self.value, &right.value, &shape))?;
        if self.node.is_none() && right.node.is_none() {
            return Ok(Self::constant(value));
        }
        let (to_left, to_right) = back(op, &self.value, &right.value);
        Ok(Self::result(value, [(self, to_left), (right, to_right)]))
    }

    /// With a number on the right.
    pub fn binary_scalar(&self, op: Binary, right: f64) -> Result<Self, Error> {
        match self.is_beside() && !self.is_vacant() && self.element_type() != ElementType::Int64 {
            true => self.binary_scalar_beside(op, right),
            false => self.binary(op, &self.scalar(right)?),
        }
    }

    /// 1 where it holds, else 0, in the operands' type. No gradient.
    pub fn compare(&self, op: Comparison, right: &Tensor) -> Result<Self, Error> {
        let shape = self.joined("compare", right)?;
        if shape.contains(&0) {
            return Ok(Self::constant(Self::vacant(&shape, &[self])?.value));
        }
        if self.is_beside() {
            return Ok(Self::constant(beside::compared(op, &self.value, &right.value)?));
        }
        let holds = by_type!(self.value, T => compared::<T>(op, &self.value, &right.value, &shape))?;
        Ok(Self::constant(holds))
    }

    /// With a number on the right. No gradient.
    pub fn compare_scalar(&self, op: Comparison, right: f64) -> Result<Self, Error> {
        self.compare(op, &self.scalar(right)?)
    }

    /// A number as an operand beside this one.
    pub(crate) fn scalar(&self, value: f64) -> Result<Self, Error> {
        let element_type = self.element_type();
        if element_type == ElementType::Int64 {
            whole("right", value)?;
        }
        Self::full(&[], element_type, value)?.on(&self.value.device())
    }

    /// This where `condition` is not 0, else `otherwise`; all three broadcast.
    pub fn select(&self, condition: &Tensor, otherwise: &Tensor) -> Result<Self, Error> {
        let both = self.joined("select", otherwise)?;
        let shape = shape::broadcast("select", &both, condition.dims())?;
        if shape.contains(&0) {
            return Self::vacant(&shape, &[self, otherwise]);
        }
        if self.is_beside() {
            return self.select_beside(condition, otherwise, &shape);
        }
        let wide = condition.value.broadcast_as(shape.as_slice())?.contiguous()?;
        let mask = by_type!(wide, T => {
            crate::array::map(&Elements::<T>::of(&wide)?, |x| i64::from(x != T::default()))
        });
        let mask = array(mask, &shape)?;
        let value = by_type!(self.value, T => chosen::<T>(&mask, Some(&self.value), Some(&otherwise.value)))?;
        let (left, right) = (self.dims().to_vec(), otherwise.dims().to_vec());
        let other_mask = mask.clone();
        let to_left = pull(move |g| sum_to(&by_real!(g, T => chosen::<T>(&mask, Some(g), None))?, &left));
        let to_right = pull(move |g| sum_to(&by_real!(g, T => chosen::<T>(&other_mask, None, Some(g)))?, &right));
        Ok(Self::result(value, [(self, to_left), (otherwise, to_right)]))
    }

    /// The shape of both together, if their types agree.
    fn joined(&self, operation: &'static str, right: &Tensor) -> Result<Vec<usize>, Error> {
        right.expect_type("right", self.element_type())?;
        shape::broadcast(operation, self.dims(), right.dims())
    }
}

/// Of each element of the mask that is 1 the one, of each other the other; what is not there is 0.
fn chosen<T: Number>(mask: &Array, yes: Option<&Array>, no: Option<&Array>) -> Native<Array> {
    let wide = |side: Option<&Array>| side.map(|side| side.broadcast_as(mask.shape())?.contiguous()).transpose();
    let (yes, no) = (wide(yes)?, wide(no)?);
    let (yes, no) = (yes.as_ref().map(Elements::<T>::of).transpose()?, no.as_ref().map(Elements::<T>::of).transpose()?);
    let mask_elements = Elements::<i64>::of(mask)?;
    let at = |side: &Option<Elements<'_, T>>, i: usize| side.as_ref().map_or(T::default(), |side| side[i]);
    let made = (0..mask_elements.len()).map(|i| if mask_elements[i] == 1 { at(&yes, i) } else { at(&no, i) });
    array(made.collect(), mask.dims())
}

fn value<T: Real>(op: Binary, a: &Array, b: &Array, shape: &[usize]) -> Native<Array> {
    match op {
        Binary::Add => together(a, b, shape, |a: T, b: T| a + b),
        Binary::Sub => together(a, b, shape, |a: T, b: T| a - b),
        Binary::Mul => together(a, b, shape, |a: T, b: T| a * b),
        Binary::Div => together(a, b, shape, |a: T, b: T| a / b),
        Binary::Maximum => together(a, b, shape, |a: T, b: T| if a > b || a.is_nan() { a } else { b }),
        Binary::Minimum => together(a, b, shape, |a: T, b: T| if a < b || a.is_nan() { a } else { b }),
        Binary::Pow => together(a, b, shape, |a: T, b: T| if b == T::of(2.0) { a * a } else { a.powf(b) }),
    }
}

fn compared<T: Number>(op: Comparison, a: &Array, b: &Array, shape: &[usize]) -> Native<Array> {
    let answer = |holds: bool| if holds { T::ONE } else { T::default() };
    match op {
        Comparison::Eq => together(a, b, shape, |a: T, b: T| answer(a == b)),
        Comparison::Ne => together(a, b, shape, |a: T, b: T| answer(a != b)),
        Comparison::Lt => together(a, b, shape, |a: T, b: T| answer(a < b)),
        Comparison::Le => together(a, b, shape, |a: T, b: T| answer(a <= b)),
        Comparison::Gt => together(a, b, shape, |a: T, b: T| answer(a > b)),
        Comparison::Ge => together(a, b, shape, |a: T, b: T| answer(a >= b)),
    }
}

/// The gradients by the left and by the right.
fn back(op: Binary, a: &Array, b: &Array) -> (Pull, Pull) {
    let (a, b) = (a.clone(), b.clone());
    let (left, right) = (a.dims().to_vec(), b.dims().to_vec());
    match op {
        Binary::Add => (pull(move |g| sum_to(g, &left)), pull(move |g| sum_to(g, &right))),
        Binary::Sub => (pull(move |g| sum_to(g, &left)), pull(move |g| negated(&sum_to(g, &right)?))),
        _ => {
            let (a2, b2) = (a.clone(), b.clone());
            let to_left = pull(move |g| sum_to(&by_real!(g, T => by_left::<T>(op, g, &a, &b))?, &left));
            (to_left, pull(move |g| sum_to(&by_real!(g, T => by_right::<T>(op, g, &a2, &b2))?, &right)))
        }
    }
}

fn by_left<T: Real>(op: Binary, g: &Array, a: &Array, b: &Array) -> Native<Array> {
    let with = |f: fn(T, T) -> T| together(a, b, g.dims(), f);
    let slope = match op {
        Binary::Mul => return together(g, b, g.dims(), |g: T, b: T| g * b),
        Binary::Div => return together(g, b, g.dims(), |g: T, b: T| g / b),
        Binary::Maximum => with(|a, b| share(a > b, a == b)),
        Binary::Minimum => with(|a, b| share(a < b, a == b)),
        // The power of 0 has slope 0, also of 0.
        _ => with(|a, b| if b == T::zero() { T::zero() } else { b * a.powf(b - T::one()) }),
    }?;
    together(g, &slope, g.dims(), |g: T, slope: T| g * slope)
}

fn by_right<T: Real>(op: Binary, g: &Array, a: &Array, b: &Array) -> Native<Array> {
    let with = |f: fn(T, T) -> T| together(a, b, g.dims(), f);
    let slope = match op {
        Binary::Mul => return together(g, a, g.dims(), |g: T, a: T| g * a),
        Binary::Div => with(|a, b| -a / (b * b)),
        Binary::Maximum => with(|a, b| share(b > a, a == b)),
        Binary::Minimum => with(|a, b| share(b < a, a == b)),
        _ => with(|a, b| if a == T::zero() && b >= T::zero() { T::zero() } else { a.powf(b) * a.ln() }),
    }?;
    together(g, &slope, g.dims(), |g: T, slope: T| g * slope)
}

/// What a side gets of the gradient: all where it is chosen, half where both are equal.
fn share<T: Real>(chosen: bool, equal: bool) -> T {
    match (chosen, equal) {
        (true, _) => T::one(),
        (false, true) => T::of(0.5),
        (false, false) => T::zero(),
    }
}

fn negated(x: &Array) -> Native<Array> {
    let x = x.contiguous()?;
    by_real!(x, T => array(crate::array::map(&Elements::<T>::of(&x)?, |x| -x), x.dims()))
}

/// A function of two operands that broadcast to a shape.
pub(crate) fn together<T: Number, R: Number>(
    a: &Array,
    b: &Array,
    shape: &[usize],
    f: impl Fn(T, T) -> R + Sync,
) -> Native<Array> {
    let ((a, every_a), (b, every_b)) = (repeated(a, shape)?, repeated(b, shape)?);
    let (a, b) = (Elements::<T>::of(&a)?, Elements::<T>::of(&b)?);
    let made = pieces(shape.iter().product(), |start, piece| {
        let mut done = 0;
        while done < piece.len() {
            let ((x, step_x, left_x), (y, step_y, left_y)) = (every_a.at(start + done), every_b.at(start + done));
            let length = left_x.min(left_y).min(piece.len() - done);
            let (out, a, b) = (&mut piece[done..done + length], &a[x..], &b[y..]);
            match (step_x, step_y) {
                (true, true) => out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (&a, &b))| *out = f(a, b)),
                (true, false) => out.iter_mut().zip(a).for_each(|(out, &a)| *out = f(a, b[0])),
                (false, true) => out.iter_mut().zip(b).for_each(|(out, &b)| *out = f(a[0], b)),
                (false, false) => out.fill(f(a[0], b[0])),
            }
            done += length;
        }
    });
    array(made, shape)
}

/// Where an operand's elements go: element i of the result takes its element (i / run) mod period.
#[derive(Clone, Copy)]
struct Every {
    run: usize,
    period: usize,
}

impl Every {
    /// The element for a place, whether the next place takes the next element, and for how many places that goes on.
    fn at(self, place: usize) -> (usize, bool, usize) {
        match (self.run, self.period) {
            (_, 1) => (0, false, usize::MAX),
            (1, period) => (place % period, true, period - place % period),
            (run, period) => ((place / run) % period, false, run - place % run),
        }
    }
}

/// An operand without gaps, repeated by rule where its own lengths stand side by side in the shape, else by copying.
fn repeated(x: &Array, shape: &[usize]) -> Native<(Array, Every)> {
    let missing = shape.len() - x.rank();
    let own = |i: usize| i >= missing && x.dims()[i - missing] == shape[i];
    // Lengths of 1 are as good as its own.
    let first = (0..shape.len()).find(|&i| shape[i] != 1 && own(i)).unwrap_or(shape.len());
    let end = (first..shape.len()).find(|&i| shape[i] != 1 && !own(i)).unwrap_or(shape.len());
    let whole = (end..shape.len()).all(|i| shape[i] == 1 || !own(i));
    if whole {
        let run = shape[end..].iter().product::<usize>().max(1);
        return Ok((x.contiguous()?, Every { run, period: shape[first..end].iter().product::<usize>().max(1) }));
    }
    let wide = x.broadcast_as(shape)?.contiguous()?;
    Ok((wide, Every { run: 1, period: shape.iter().product::<usize>().max(1) }))
}
