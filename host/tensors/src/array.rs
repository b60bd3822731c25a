//! candle's arrays as slices of numbers, and loops over them on the step's cores.
//!
//! What lies on another device has no slice: `beside` computes there. candle keeps memory, strides and matrix products. What is one pass over elements is a loop here: candle's own
//! element-wise kernels run on one core and a pass each, overflow by panic where they count, and take NaN each in its way.

use crate::Error;
use crate::native::{Array, Native};
use candle_core::{Storage, StorageRef, WithDType};
use num_traits::Float;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::{Deref, Range};

/// Elements that one core takes at a time; fewer stay on the caller's, because waking another takes some microseconds.
pub(crate) const GRAIN: usize = 1 << 15;

/// A type of elements. Integers wrap.
pub(crate) trait Number: WithDType + Default {
    const ONE: Self;
    /// What sums are made in: long sums of float32 lose digits.
    type Sum: Copy + Default + Send + Sync;

    fn plus(sum: Self::Sum, value: Self) -> Self::Sum;
    fn join(left: Self::Sum, right: Self::Sum) -> Self::Sum;
    fn sum(sum: Self::Sum) -> Self;
    fn wide(self) -> f64;
    fn is_not_a_number(self) -> bool;
}

macro_rules! float {
    ($type:ident $erf:path) => {
        impl Number for $type {
            const ONE: Self = 1.0;
            type Sum = f64;

            fn plus(sum: f64, value: Self) -> f64 {
                sum + f64::from(value)
            }

            fn join(left: f64, right: f64) -> f64 {
                left + right
            }

            fn sum(sum: f64) -> Self {
                sum as $type
            }

            fn wide(self) -> f64 {
                f64::from(self)
            }

            fn is_not_a_number(self) -> bool {
                self.is_nan()
            }
        }

        impl Real for $type {
            fn of(value: f64) -> Self {
                value as $type
            }

            fn erf(self) -> Self {
                $erf(self)
            }
        }
    };
}
float!(f32 libm::erff);
float!(f64 libm::erf);

impl Number for i64 {
    const ONE: Self = 1;
    type Sum = i64;

    fn plus(sum: i64, value: Self) -> i64 {
        sum.wrapping_add(value)
    }

    fn join(left: i64, right: i64) -> i64 {
        left.wrapping_add(right)
    }

    fn sum(sum: i64) -> Self {
        sum
    }

    fn wide(self) -> f64 {
        self as f64
    }

    fn is_not_a_number(self) -> bool {
        false
    }
}

/// A type that has gradients.
pub(crate) trait Real: Number<Sum = f64> + Float {
    fn of(value: f64) -> Self;
    fn erf(self) -> Self;
}

/// A block for the type of an array's elements.
macro_rules! by_type {
    ($array:expr, $type:ident => $block:expr) => {
        match $array.dtype() {
            candle_core::DType::F64 => {
                type $type = f64;
                $block
            }
            candle_core::DType::I64 => {
                type $type = i64;
                $block
            }
            _ => {
                type $type = f32;
                $block
            }
        }
    };
}

/// A block for the type of an array whose elements are known to be float32 or float64.
macro_rules! by_real {
    ($array:expr, $type:ident => $block:expr) => {
        match $array.dtype() {
            candle_core::DType::F64 => {
                type $type = f64;
                $block
            }
            _ => {
                type $type = f32;
                $block
            }
        }
    };
}
pub(crate) use {by_real, by_type};

/// The elements of a row-major array, for as long as this is held.
pub(crate) struct Elements<'a, T> {
    storage: StorageRef<'a>,
    range: Range<usize>,
    of: PhantomData<T>,
}

impl<'a, T: Number> Elements<'a, T> {
    /// Of an array that has no gaps and no other order; see [`Array::contiguous`].
    pub(crate) fn of(array: &'a Array) -> Native<Self> {
        let (storage, start) = array.storage()?;
        let count = array.elem_count();
        if start + count > slice::<T>(&storage)?.len() {
            return Err(Error::Native("an array is longer than what it lies in".to_owned()));
        }
        Ok(Self { storage, range: start..start + count, of: PhantomData })
    }
}

fn slice<T: Number>(storage: &Storage) -> Native<&[T]> {
    match storage {
        Storage::Cpu(storage) => Ok(T::cpu_storage_as_slice(storage)?),
        _ => Err(Error::Native("an array lies on another device".to_owned())),
    }
}

impl<T: Number> Deref for Elements<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // `of` has seen that there is such a slice.
        slice::<T>(&self.storage).map_or(&[], |all| &all[self.range.clone()])
    }
}

/// An array of these elements, which are as many as the shape says.
pub(crate) fn array<T: Number>(elements: Vec<T>, shape: &[usize]) -> Native<Array> {
    Array::of(elements, shape)
}

/// An array with the same value everywhere.
pub(crate) fn filled<T: Number>(value: T, shape: &[usize]) -> Native<Array> {
    array(vec![value; shape.iter().product()], shape)
}

/// So many elements, a piece at a time: `make` is given where a piece begins, and the piece.
pub(crate) fn pieces<T: Number>(count: usize, make: impl Fn(usize, &mut [T]) + Sync) -> Vec<T> {
    let mut made = vec![T::default(); count];
    in_pieces(&mut made, GRAIN, make);
    made
}

/// Pieces of `length` elements, each on some core.
pub(crate) fn in_pieces<T: Number>(all: &mut [T], length: usize, make: impl Fn(usize, &mut [T]) + Sync) {
    if all.len() <= length {
        make(0, all);
    } else {
        all.par_chunks_mut(length).enumerate().for_each(|(i, piece)| make(i * length, piece));
    }
}

/// Rows of `width` elements, some at a time so that a piece is worth a core.
pub(crate) fn in_rows<T: Number>(all: &mut [T], width: usize, make: impl Fn(usize, &mut [T]) + Sync) {
    let width = width.max(1);
    let rows = (GRAIN / width).max(1);
    in_pieces(all, rows * width, |start, piece| {
        piece.chunks_mut(width).enumerate().for_each(|(i, row)| make(start / width + i, row));
    });
}

/// One operand -> one result.
pub(crate) fn map<T: Number, R: Number>(x: &[T], f: impl Fn(T) -> R + Sync) -> Vec<R> {
    pieces(x.len(), |start, made| {
        made.iter_mut().zip(&x[start..]).for_each(|(made, &x)| *made = f(x));
    })
}

/// Two operands of one length -> one result.
pub(crate) fn zip<T: Number, R: Number>(x: &[T], y: &[T], f: impl Fn(T, T) -> R + Sync) -> Vec<R> {
    pieces(x.len(), |start, made| {
        let operands = x[start..].iter().zip(&y[start..]);
        made.iter_mut().zip(operands).for_each(|(made, (&x, &y))| *made = f(x, y));
    })
}
