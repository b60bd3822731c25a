//! The same elements in another order, shape or selection.

use crate::array::{Elements, array, by_type, in_rows};
use crate::graph::{no_pull, pull, sum_to};
use crate::lanes::Lanes;
use crate::native::{Array, Native};
use crate::{Error, Tensor, shape};

impl Tensor {
    /// As many elements, row-major, in another shape.
    pub fn reshape(&self, shape: &[u32]) -> Result<Self, Error> {
        let shape = shape::from_guest(shape)?;
        if shape.iter().product::<usize>() != self.value.elem_count() {
            let expected = format!("a shape of {} elements", self.value.elem_count());
            return Err(Error::Shape { operation: "reshape", expected, got: format!("{shape:?}") });
        }
        self.reshaped(&shape)
    }

    /// In a shape that is known to have as many elements.
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Result<Self, Error> {
        if self.is_vacant() {
            return Self::vacant(shape, &[self]);
        }
        let before = self.dims().to_vec();
        Ok(Self::result(self.value.reshape(shape)?, [(self, pull(move |g| g.reshape(before.as_slice())))]))
    }

    /// Exchanges two dimensions.
    pub fn transpose(&self, first: u32, second: u32) -> Result<Self, Error> {
        let first = shape::dimension("first", first, self.dims())?;
        let second = shape::dimension("second", second, self.dims())?;
        let mut shape = self.dims().to_vec();
        shape.swap(first, second);
        if self.is_vacant() {
            return Self::vacant(&shape, &[self]);
        }
        let value = self.value.transpose(first, second)?;
        Ok(Self::result(value, [(self, pull(move |g| g.transpose(first, second)))]))
    }

    /// Dimension i of the result is dimension `dimensions[i]` of this.
    pub fn permute(&self, dimensions: &[u32]) -> Result<Self, Error> {
        let rank = self.dims().len();
        let mut order = Vec::with_capacity(rank);
        for &number in dimensions.iter().take(rank + 1) {
            let dimension = shape::dimension("dimensions", number, self.dims())?;
            if order.contains(&dimension) {
                return Err(Error::invalid("dimensions", format!("names dimension {dimension} twice")));
            }
            order.push(dimension);
        }
        if order.len() != rank {
            let reason = format!("has {} numbers, expected each of the {rank} dimensions once", dimensions.len());
            return Err(Error::invalid("dimensions", reason));
        }
        let shape: Vec<usize> = order.iter().map(|&dimension| self.dims()[dimension]).collect();
        if self.is_vacant() {
            return Self::vacant(&shape, &[self]);
        }
        let mut back = vec![0; rank];
        order.iter().enumerate().for_each(|(i, &dimension)| back[dimension] = i);
        let value = self.value.permute(&order)?;
        Ok(Self::result(value, [(self, pull(move |g| g.permute(&back)))]))
    }

    /// Repeated to a larger shape, as operands are. Takes the memory of its shape.
    pub fn broadcast_to(&self, shape: &[u32]) -> Result<Self, Error> {
        let shape = shape::from_guest(shape)?;
        if shape::broadcast("broadcast-to", self.dims(), &shape).as_ref() != Ok(&shape) {
            let expected = format!("a shape to which {:?} broadcasts", self.dims());
            return Err(Error::Shape { operation: "broadcast-to", expected, got: format!("{shape:?}") });
        }
        if shape.contains(&0) {
            return Self::vacant(&shape, &[self]);
        }
        // A copy: of strides of 0 the holder would be charged for elements that are not there.
        let value = self.value.broadcast_as(shape.as_slice())?.contiguous()?;
        let before = self.dims().to_vec();
        Ok(Self::result(value, [(self, pull(move |g| sum_to(g, &before)))]))
    }

    /// Backwards along a dimension.
    pub fn flip(&self, dimension: u32) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        if self.is_vacant() {
            return Self::vacant(self.dims(), &[self]);
        }
        if self.is_beside() {
            return Self::trip([self], |[x]| x.flip(dimension as u32));
        }
        let value = flipped(&self.value, dimension)?;
        Ok(Self::result(value, [(self, pull(move |g| flipped(g, dimension)))]))
    }

    /// `length` elements from `start` along a dimension.
    pub fn narrow(&self, dimension: u32, start: u32, length: u32) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        let (start, length, whole) = (start as usize, length as usize, self.dims()[dimension]);
        if start + length > whole {
            let (expected, got) = (format!("at most {whole} along dimension {dimension}"), start + length);
            return Err(Error::Shape { operation: "narrow", expected, got: format!("start + length = {got}") });
        }
        let mut shape = self.dims().to_vec();
        shape[dimension] = length;
        if shape.contains(&0) {
            return Self::vacant(&shape, &[self]);
        }
        // A copy: a view would keep the whole alive while its holder is charged for the piece.
        let value = self.value.narrow(dimension, start, length)?.force_contiguous()?;
        let back = pull(move |g| g.pad_with_zeros(dimension, start, whole - start - length));
        Ok(Self::result(value, [(self, back)]))
    }

    /// Side by side along an existing dimension.
    pub fn concat(tensors: &[&Tensor], dimension: u32) -> Result<Self, Error> {
        let Some(first) = tensors.first() else {
            return Err(Error::invalid("tensors", "is empty, expected at least one tensor"));
        };
        let dimension = shape::dimension("dimension", dimension, first.dims())?;
        let mut shape = first.dims().to_vec();
        shape[dimension] = 0;
        for tensor in tensors {
            tensor.expect_type("tensors", first.element_type())?;
            fits_beside(first.dims(), tensor.dims(), dimension)?;
            // Many lists of the same huge tensor could overflow; a sum that saturates is above the limit all the same.
            shape[dimension] = shape[dimension].saturating_add(tensor.dims()[dimension]);
        }
        let shape = shape::within_limits(shape)?;
        if shape.contains(&0) {
            return Self::vacant(&shape, tensors);
        }
        let pieces: Vec<_> = tensors.iter().filter(|tensor| !tensor.is_vacant()).map(|tensor| &tensor.value).collect();
        let value = Array::cat(&pieces, dimension)?;
        let mut start = 0;
        let operands = tensors.iter().map(|&tensor| {
            let (from, length) = (start, tensor.dims()[dimension]);
            start += length;
            match length {
                0 => (tensor, no_pull(&tensor.value)),
                _ => (tensor, pull(move |g| g.narrow(dimension, from, length))),
            }
        });
        Ok(Self::result_of(value, operands.collect()))
    }
}

fn flipped(x: &Array, dimension: usize) -> Native<Array> {
    let x = x.contiguous()?;
    let Lanes { length, inner, .. } = Lanes::of(x.dims(), dimension);
    by_type!(x, T => {
        let elements = Elements::<T>::of(&x)?;
        let mut made = vec![T::default(); elements.len()];
        in_rows(&mut made, inner, |row, to| {
            let from = row / length * length + (length - 1 - row % length);
            to.copy_from_slice(&elements[from * inner..(from + 1) * inner]);
        });
        array(made, x.dims())
    })
}

fn fits_beside(first: &[usize], other: &[usize], dimension: usize) -> Result<(), Error> {
    let same = |i: usize| i == dimension || first[i] == other[i];
    match first.len() == other.len() && (0..first.len()).all(same) {
        true => Ok(()),
        false => Err(Error::Shape {
            operation: "concat",
            expected: format!("{first:?} but for dimension {dimension}"),
            got: format!("{other:?}"),
        }),
    }
}
