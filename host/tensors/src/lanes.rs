//! An array as lanes along one dimension: [outer, length, inner]. What is computed a lane at a time.
//!
//! Every sum has one order whatever the number of cores, so its last bit is always the same.

use crate::Device;
use crate::array::{Elements, Number, Real, array, by_type, in_rows, pieces};
use crate::native::{Array, Native};
use candle_core::DType;

/// Sums that are made side by side, so that one need not wait for the last.
const SIDES: usize = 8;

/// How an array of a shape divides into lanes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lanes {
    pub(crate) outer: usize,
    pub(crate) length: usize,
    pub(crate) inner: usize,
}

impl Lanes {
    pub(crate) fn of(shape: &[usize], dimension: usize) -> Self {
        let outer = shape[..dimension].iter().product();
        Self { outer, length: shape[dimension], inner: shape[dimension + 1..].iter().product() }
    }

    /// Where the elements of a lane stand.
    pub(crate) fn places(self, lane: usize) -> impl Iterator<Item = usize> + Clone {
        let Self { length, inner, .. } = self;
        let start = lane / inner * length * inner + lane % inner;
        (0..length).map(move |i| start + i * inner)
    }

    pub(crate) fn count(self) -> usize {
        self.outer * self.inner
    }
}

/// The shape with a length of 1 along a dimension.
pub(crate) fn kept(shape: &[usize], dimension: usize) -> Vec<usize> {
    let mut kept = shape.to_vec();
    kept[dimension] = 1;
    kept
}

/// The sum along a dimension, which keeps length 1.
pub(crate) fn sum(x: &Array, dimension: usize) -> Native<Array> {
    let (x, lanes) = (x.contiguous()?, Lanes::of(x.dims(), dimension));
    if x.is_beside() {
        // Whole numbers are added up here, where it is known what becomes of a sum that is too large.
        return match x.dtype() {
            DType::I64 => sum(&x.on(&Device::default())?, dimension)?.on(&x.device()),
            _ => x.sum(dimension),
        };
    }
    by_type!(x, T => array(sums(&Elements::<T>::of(&x)?, lanes), &kept(x.dims(), dimension)))
}

fn sums<T: Number>(x: &[T], lanes: Lanes) -> Vec<T> {
    let Lanes { length, inner, .. } = lanes;
    if inner == 1 {
        return pieces(lanes.outer, |start, piece| {
            let rows = x[start * length..].chunks_exact(length);
            piece.iter_mut().zip(rows).for_each(|(sum, row)| *sum = T::sum(row_sum(row)));
        });
    }
    let mut made = vec![T::default(); lanes.count()];
    in_rows(&mut made, inner, |outer, row| {
        let mut sums = vec![T::Sum::default(); inner];
        for values in x[outer * length * inner..(outer + 1) * length * inner].chunks_exact(inner) {
            sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum = T::plus(*sum, value));
        }
        row.iter_mut().zip(sums).for_each(|(made, sum)| *made = T::sum(sum));
    });
    made
}

/// The sum of elements that stand side by side.
pub(crate) fn row_sum<T: Number>(row: &[T]) -> T::Sum {
    let (chunks, rest) = row.as_chunks::<SIDES>();
    let mut sides = [T::Sum::default(); SIDES];
    for chunk in chunks {
        sides.iter_mut().zip(chunk).for_each(|(side, &value)| *side = T::plus(*side, value));
    }
    let sum = sides.into_iter().fold(T::Sum::default(), T::join);
    rest.iter().fold(sum, |sum, &value| T::plus(sum, value))
}

/// The position of the first largest or smallest of each lane; a NaN comes before any number.
pub(crate) fn extremes(x: &Array, dimension: usize, largest: bool) -> Native<Array> {
    let (x, lanes) = (x.contiguous()?, Lanes::of(x.dims(), dimension));
    let positions = by_type!(x, T => {
        let x = Elements::<T>::of(&x)?;
        let better = |x: T, best: T| {
            !best.is_not_a_number() && (x.is_not_a_number() || if largest { x > best } else { x < best })
        };
        pieces(lanes.count(), |start, piece| {
            for (lane, position) in (start..).zip(piece) {
                *position = first(lanes.places(lane).map(|place| x[place]), better);
            }
        })
    });
    array::<i64>(positions, &kept(x.dims(), dimension))
}

/// The position of the first that no other is better than.
fn first<T: Copy>(values: impl Iterator<Item = T>, better: impl Fn(T, T) -> bool) -> i64 {
    let mut best: Option<(usize, T)> = None;
    for (i, value) in values.enumerate() {
        if best.is_none_or(|(_, best)| better(value, best)) {
            best = Some((i, value));
        }
    }
    best.map_or(0, |(i, _)| i as i64)
}

/// Each lane through a function from its elements to as many: softmax and its like.
pub(crate) fn through<T: Number>(operands: &[&[T]], lanes: Lanes, f: impl Fn(&[Vec<T>], &mut [T]) + Sync) -> Vec<T> {
    let Lanes { outer, length, inner } = lanes;
    let mut made = vec![T::default(); outer * length * inner];
    in_rows(&mut made, length * inner, |outer, block| {
        let mut given = vec![vec![T::default(); length]; operands.len()];
        let mut result = vec![T::default(); length];
        for lane in 0..inner {
            let within = (0..length).map(|i| i * inner + lane);
            for (given, operand) in given.iter_mut().zip(operands) {
                let from = &operand[outer * length * inner..];
                given.iter_mut().zip(within.clone()).for_each(|(given, place)| *given = from[place]);
            }
            f(&given, &mut result);
            result.iter().zip(within).for_each(|(&result, place)| block[place] = result);
        }
    });
    made
}

/// The largest of a lane; NaN where one is.
pub(crate) fn largest<T: Real>(row: &[T]) -> T {
    row.iter().fold(T::neg_infinity(), |best, &x| if x > best || x.is_nan() { x } else { best })
}

/// log(sum(exp(x))) of a lane without overflow.
pub(crate) fn log_sum_exp<T: Real>(row: &[T]) -> T {
    let top = largest(row);
    // Where all is minus infinity, or any is infinite, the difference would be NaN.
    if top.is_infinite() {
        return top;
    }
    let sum: f64 = row.iter().map(|&x| T::plus(0.0, (x - top).exp())).sum();
    top + T::of(sum).ln()
}
