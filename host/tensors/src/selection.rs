//! Positions -> the elements there, and back: rows of a batch, embeddings, classes.
//!
//! Positions are int64 and a stranger's: each is held against the length before any element moves.

use crate::array::{Elements, Number, array, by_real, by_type, in_rows};
use crate::graph::pull;
use crate::lanes::Lanes;
use crate::native::{Array, Native};
use crate::{Device, ElementType, Error, Tensor, shape};
use candle_core::DType;

impl Tensor {
    /// The elements at these positions along a dimension, in this order.
    pub fn index_select(&self, dimension: u32, positions: &[u32]) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        let positions: Vec<i64> = positions.iter().map(|&position| i64::from(position)).collect();
        let count = positions.len();
        self.taken(dimension, &Self::constant(array(positions, &[count])?))
    }

    /// The elements at int64 positions of any shape along a dimension, which that shape replaces.
    pub fn take(&self, dimension: u32, positions: &Tensor) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        self.taken(dimension, positions)
    }

    fn taken(&self, dimension: usize, positions: &Tensor) -> Result<Self, Error> {
        let before = self.dims().to_vec();
        let checked = positions.positions("positions", before[dimension])?;
        let shape = [&before[..dimension], positions.dims(), &before[dimension + 1..]].concat();
        let shape = shape::within_limits(shape)?;
        if shape.contains(&0) {
            return Self::vacant(&shape, &[self]);
        }
        if self.is_beside() {
            return self.taken_beside(dimension, positions, &shape);
        }
        let x = self.value.contiguous()?;
        let value = by_type!(x, T => taken::<T>(&x, dimension, &checked, &shape))?;
        let back = pull(move |g| by_real!(g, T => put::<T>(&before, dimension, &checked, g)));
        Ok(Self::result(value, [(self, back)]))
    }

    /// Where the result has index i along a dimension, this has index `positions[.., i, ..]`.
    pub fn gather(&self, dimension: u32, positions: &Tensor) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        positions.expect_beside("gather", self.dims(), dimension)?;
        let checked = positions.positions("positions", self.dims()[dimension])?;
        if positions.is_vacant() {
            return Self::vacant(positions.dims(), &[self]);
        }
        Self::trip([self], |[x]| x.picked(checked, dimension))
    }

    /// As [`Tensor::gather`] on the processors, of positions that were checked or made here.
    pub(crate) fn picked(&self, positions: Array, dimension: usize) -> Result<Self, Error> {
        let before = self.dims().to_vec();
        let x = self.value.contiguous()?;
        let value = by_type!(x, T => {
            let elements = Elements::<T>::of(&x)?;
            let places = places(&before, dimension, &positions)?;
            array(places.into_iter().map(|place| elements[place]).collect(), positions.dims())
        })?;
        let back = pull(move |g| {
            by_real!(g, T => {
                let zeros = vec![T::default(); before.iter().product()];
                array(added::<T>(zeros, g, &places(&before, dimension, &positions)?)?, &before)
            })
        });
        Ok(Self::result(value, [(self, back)]))
    }

    /// Adds each of `values` where its position points along a dimension.
    pub fn scatter_add(&self, dimension: u32, positions: &Tensor, values: &Tensor) -> Result<Self, Error> {
        let dimension = shape::dimension("dimension", dimension, self.dims())?;
        values.expect_type("values", self.element_type())?;
        positions.expect_beside("scatter-add", self.dims(), dimension)?;
        let checked = positions.positions("positions", self.dims()[dimension])?;
        values.expect_shape("scatter-add", "values", positions.dims())?;
        if self.is_vacant() || positions.is_vacant() {
            let shape = self.dims().to_vec();
            let same = by_type!(self.value, T => match self.is_vacant() {
                true => array::<T>(Vec::new(), &shape),
                false => Ok(self.value.clone()),
            })?;
            let none = crate::graph::no_pull(&values.value);
            return Ok(Self::result(same, [(self, pull(|g| Ok(g.clone()))), (values, none)]));
        }
        Self::trip([self, values], |[x, values]| x.scattered(dimension, &checked, values))
    }

    /// As [`Tensor::scatter_add`] on the processors, of positions that were checked.
    fn scattered(&self, dimension: usize, positions: &Array, values: &Tensor) -> Result<Self, Error> {
        let places = places(self.dims(), dimension, positions)?;
        let x = self.value.contiguous()?;
        let value = by_type!(x, T => {
            added::<T>(Elements::<T>::of(&x)?.to_vec(), &values.value, &places).and_then(|made| array(made, x.dims()))
        })?;
        let shape = values.dims().to_vec();
        let to_values = pull(move |g| {
            let g = g.contiguous()?;
            by_real!(g, T => {
                let elements = Elements::<T>::of(&g)?;
                array(places.iter().map(|&place| elements[place]).collect(), &shape)
            })
        });
        Ok(Self::result(value, [(self, pull(|g| Ok(g.clone()))), (values, to_values)]))
    }

    /// Of int64 classes: 1 at the class, else 0, along a new last dimension. No gradient.
    pub fn one_hot(&self, classes: u32, element_type: ElementType) -> Result<Self, Error> {
        let checked = self.positions("tensor", classes as usize)?;
        let shape = shape::within_limits([self.dims(), &[classes as usize]].concat())?;
        let positions = Elements::<i64>::of(&checked)?;
        let value = by_type!(element_type, T => {
            let mut made = vec![T::default(); shape.iter().product()];
            let rows = made.chunks_exact_mut((classes as usize).max(1)).zip(&*positions);
            rows.for_each(|(row, &class)| row[class as usize] = T::ONE);
            array(made, &shape)
        })?;
        Self::constant(value).on(&self.value.device())
    }

    /// Itself as positions: each int64, from 0 to below the length. Where the processors see them, without gaps.
    fn positions(&self, name: &str, length: usize) -> Result<Array, Error> {
        if self.value.dtype() != DType::I64 {
            let reason = format!("is {}, expected int64; cast it", self.element_type());
            return Err(Error::invalid(name, reason));
        }
        if self.is_vacant() {
            return array(Vec::<i64>::new(), self.dims());
        }
        let positions = self.value.on(&Device::default())?.contiguous()?;
        let outside = Elements::<i64>::of(&positions)?.iter().copied().find(|&at| at < 0 || at as u64 >= length as u64);
        match outside {
            Some(at) => Err(Error::invalid(name, format!("holds {at}, expected 0 to below {length}"))),
            None => Ok(positions),
        }
    }

    /// Of the same rank, and no longer but along a dimension.
    fn expect_beside(&self, operation: &'static str, shape: &[usize], dimension: usize) -> Result<(), Error> {
        let fits = |i: usize| i == dimension || self.dims()[i] <= shape[i];
        if self.dims().len() == shape.len() && (0..shape.len()).all(fits) {
            return Ok(());
        }
        let expected = format!("positions within {shape:?} but for dimension {dimension}");
        Err(Error::Shape { operation, expected, got: format!("{:?}", self.dims()) })
    }
}

fn taken<T: Number>(x: &Array, dimension: usize, positions: &Array, shape: &[usize]) -> Native<Array> {
    let Lanes { length, inner, .. } = Lanes::of(x.dims(), dimension);
    let (x, positions) = (Elements::<T>::of(x)?, Elements::<i64>::of(positions)?);
    let mut made = vec![T::default(); shape.iter().product()];
    in_rows(&mut made, inner, |row, to| {
        let from = row / positions.len() * length + positions[row % positions.len()] as usize;
        to.copy_from_slice(&x[from * inner..(from + 1) * inner]);
    });
    array(made, shape)
}

/// The way back of `taken`: adds rows where they came from.
fn put<T: Number>(before: &[usize], dimension: usize, positions: &Array, g: &Array) -> Native<Array> {
    let Lanes { length, inner, .. } = Lanes::of(before, dimension);
    let g = g.contiguous()?;
    let (g, positions) = (Elements::<T>::of(&g)?, Elements::<i64>::of(positions)?);
    let mut made = vec![T::default(); before.iter().product()];
    for (row, from) in g.chunks_exact(inner).enumerate() {
        let to = row / positions.len() * length + positions[row % positions.len()] as usize;
        made[to * inner..(to + 1) * inner].iter_mut().zip(from).for_each(|(to, &from)| *to += from);
    }
    array(made, before)
}

/// The place in an array of the shape that each position of an array beside it means.
fn places(shape: &[usize], dimension: usize, positions: &Array) -> Native<Vec<usize>> {
    let positions = positions.contiguous()?;
    let mut strides = vec![1; shape.len()];
    (1..shape.len()).rev().for_each(|i| strides[i - 1] = strides[i] * shape[i]);
    let mut index = vec![0; shape.len()];
    let mut places = Vec::with_capacity(positions.elem_count());
    for &position in Elements::<i64>::of(&positions)?.iter() {
        let others: usize = (0..shape.len()).filter(|&i| i != dimension).map(|i| index[i] * strides[i]).sum();
        places.push(others + position as usize * strides[dimension]);
        for i in (0..shape.len()).rev() {
            index[i] += 1;
            if index[i] < positions.dims()[i] {
                break;
            }
            index[i] = 0;
        }
    }
    Ok(places)
}

fn added<T: Number>(mut to: Vec<T>, values: &Array, places: &[usize]) -> Native<Vec<T>> {
    let values = values.contiguous()?;
    let values = Elements::<T>::of(&values)?;
    for (&place, &value) in places.iter().zip(&*values) {
        to[place] = T::sum(T::plus(T::plus(T::Sum::default(), to[place]), value));
    }
    Ok(to)
}
