//! A guest's shape, dimension numbers and element types -> checked ones. All arithmetic on sizes is here.

use crate::Error;
use candle_core::DType;
use std::fmt;

/// The most dimensions of a tensor.
pub const RANK_MAX: usize = 8;

/// The most elements of a tensor: positions fit in 32 bits, and bytes and strides far from overflow.
pub const ELEMENTS_MAX: u64 = 1 << 31;

/// The type of all elements of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    Float32,
    Float64,
    /// Positions, classes, counts.
    Int64,
}

impl ElementType {
    /// Bytes an element.
    pub fn width(self) -> u64 {
        match self {
            Self::Float32 => 4,
            Self::Float64 | Self::Int64 => 8,
        }
    }

    pub(crate) fn dtype(self) -> DType {
        match self {
            Self::Float32 => DType::F32,
            Self::Float64 => DType::F64,
            Self::Int64 => DType::I64,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int64 => "int64",
        })
    }
}

/// Bytes that a tensor of this shape takes, so that they can be charged before it is made.
pub fn bytes_of(shape: &[u32], element_type: ElementType) -> Result<u64, Error> {
    let shape = from_guest(shape)?;
    Ok(shape.iter().product::<usize>() as u64 * element_type.width())
}

/// A guest's shape, if it is within the limits.
pub(crate) fn from_guest(shape: &[u32]) -> Result<Vec<usize>, Error> {
    if shape.len() > RANK_MAX {
        // Not the shape itself: it may be millions of numbers long.
        return Err(Error::invalid("shape", format!("has {} dimensions, at most {RANK_MAX} are allowed", shape.len())));
    }
    within_limits(shape.iter().map(|&length| length as usize).collect())
}

/// The shape itself if it has neither too many dimensions nor too many elements.
pub(crate) fn within_limits(shape: Vec<usize>) -> Result<Vec<usize>, Error> {
    if shape.len() > RANK_MAX {
        return Err(Error::invalid("shape", format!("has {} dimensions, at most {RANK_MAX} are allowed", shape.len())));
    }
    // Without its zeros: strides are products of some lengths, and must not overflow where the whole product is zero.
    let lengths = shape.iter().filter(|&&length| length > 0);
    let elements = lengths.copied().try_fold(1u64, |product, length| product.checked_mul(length as u64));
    match elements.filter(|&elements| elements <= ELEMENTS_MAX) {
        Some(_) => Ok(shape),
        None => Err(Error::invalid("shape", format!("{shape:?} has more than {ELEMENTS_MAX} elements"))),
    }
}

/// The dimension's number as an index, if the shape has it.
pub(crate) fn dimension(name: &str, number: u32, shape: &[usize]) -> Result<usize, Error> {
    match shape.len() {
        rank if (number as usize) < rank => Ok(number as usize),
        rank => Err(Error::invalid(name, format!("is {number}, expected less than the {rank} of shape {shape:?}"))),
    }
}

/// The shape of both after broadcasting from the right.
pub(crate) fn broadcast(operation: &'static str, left: &[usize], right: &[usize]) -> Result<Vec<usize>, Error> {
    let rank = left.len().max(right.len());
    let length = |shape: &[usize], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    let joined = (0..rank).map(|i| match (length(left, i), length(right, i)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    });
    match joined.collect() {
        Some(shape) => within_limits(shape),
        None => Err(Error::Shape {
            operation,
            expected: format!("a shape that broadcasts with {left:?}"),
            got: format!("{right:?}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold() {
        assert_eq!(bytes_of(&[], ElementType::Float64), Ok(8));
        assert_eq!(bytes_of(&[3, 0, 5], ElementType::Float32), Ok(0));
        assert_eq!(bytes_of(&[1 << 16, 1 << 15], ElementType::Float32), Ok(1 << 33));
        assert!(bytes_of(&[1 << 16, (1 << 15) + 1], ElementType::Float32).is_err());
        assert!(bytes_of(&[u32::MAX; 8], ElementType::Float32).is_err());
        assert!(bytes_of(&[0, u32::MAX, u32::MAX, u32::MAX], ElementType::Float32).is_err());
        assert!(bytes_of(&[1; 9], ElementType::Float32).is_err());
    }

    #[test]
    fn broadcasts_as_numpy() {
        assert_eq!(broadcast("add", &[2, 1, 3], &[4, 1]), Ok(vec![2, 4, 3]));
        assert_eq!(broadcast("add", &[], &[0]), Ok(vec![0]));
        assert_eq!(broadcast("add", &[1], &[0]), Ok(vec![0]));
        assert!(broadcast("add", &[2], &[0]).is_err());
        assert!(broadcast("add", &[1 << 16, 1], &[1 << 16]).is_err());
    }
}
