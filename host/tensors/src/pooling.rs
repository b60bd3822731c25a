//! Windows of images or sequences -> one element each.

use crate::array::{Elements, Real, array, by_real, in_rows};
use crate::convolution::{Axis, each_dimension};
use crate::graph::pull;
use crate::native::{Array, Native};
use crate::{Error, Tensor, shape};

/// What a window becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The gradient goes to the first of the largest. NaN is larger than any number.
    Max,
    /// Padding counts as zeros.
    Average,
}

impl Pooling {
    pub const ALL: [Self; 2] = [Self::Max, Self::Average];
}

/// The windows: one number a dimension each. `padding` is at most half of `size`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    pub size: Vec<u32>,
    pub stride: Vec<u32>,
    pub padding: Vec<u32>,
}

impl Tensor {
    /// Over windows of [batch, channels, length] or [batch, channels, height, width].
    pub fn pool(&self, op: Pooling, window: &Window) -> Result<Self, Error> {
        self.expect_real("tensor")?;
        let axes @ [height, width] = axes(self.dims(), window)?;
        let mut shape = self.dims()[..2].to_vec();
        shape.extend(if self.dims().len() == 3 { vec![width.places] } else { vec![height.places, width.places] });
        let shape = shape::within_limits(shape)?;
        if shape.contains(&0) || self.is_vacant() {
            return Self::vacant(&shape, &[self]);
        }
        if self.is_beside() {
            return Self::trip([self], |[x]| x.pool(op, window));
        }
        let (x, before) = (self.value.contiguous()?, self.dims().to_vec());
        match op {
            Pooling::Max => {
                let (value, chosen) = by_real!(x, T => largest::<T>(&x, axes, &shape))?;
                let back = pull(move |g| by_real!(g, T => to_chosen::<T>(g, &chosen, &before, axes)));
                Ok(Self::result(value, [(self, back)]))
            }
            Pooling::Average => {
                let value = by_real!(x, T => averages::<T>(&x, axes, &shape))?;
                let back = pull(move |g| by_real!(g, T => to_all::<T>(g, &before, axes)));
                Ok(Self::result(value, [(self, back)]))
            }
        }
    }
}

fn axes(input: &[usize], window: &Window) -> Result<[Axis; 2], Error> {
    let rank = input.len().saturating_sub(2);
    let mismatch = |expected: &str| Error::Shape {
        operation: "pool",
        expected: expected.to_owned(),
        got: format!("{input:?} and windows of {:?}", window.size),
    };
    if !matches!(rank, 1 | 2) {
        let got = format!("{input:?}");
        let expected = "[batch, channels, length] or [batch, channels, height, width]".to_owned();
        return Err(Error::Shape { operation: "pool", expected, got });
    }
    for (name, numbers) in [("size", &window.size), ("stride", &window.stride), ("padding", &window.padding)] {
        each_dimension(name, numbers, rank)?;
    }
    let axis = |i: usize| {
        if window.padding[i] > window.size[i] / 2 {
            return Err(mismatch("a padding of at most half of the size"));
        }
        Axis::new(input[2 + i], window.size[i] as usize, [window.stride[i], window.padding[i], 1])
            .ok_or_else(|| mismatch("a stride above 0, and windows that fit into the padded input"))
    };
    Ok(if rank == 1 { [Axis::none(), axis(0)?] } else { [axis(0)?, axis(1)?] })
}

/// The elements of the input under each window of a plane, window by window.
fn under([height, width]: [Axis; 2], place: usize) -> impl Iterator<Item = usize> {
    let within = |axis: Axis, place: usize| {
        let start = place * axis.stride;
        start.saturating_sub(axis.padding)..(start + axis.size).saturating_sub(axis.padding).min(axis.length)
    };
    let across = within(width, place % width.places);
    within(height, place / width.places)
        .flat_map(move |row| across.clone().map(move |column| row * width.length + column))
}

fn pixels([height, width]: [Axis; 2]) -> usize {
    height.length * width.length
}

fn windows([height, width]: [Axis; 2]) -> usize {
    height.places * width.places
}

/// The largest of each window, and where in its plane it stands.
fn largest<T: Real>(x: &Array, axes: [Axis; 2], shape: &[usize]) -> Native<(Array, Vec<u32>)> {
    let elements = Elements::<T>::of(x)?;
    let mut chosen = Vec::with_capacity(shape.iter().product());
    let mut made = Vec::with_capacity(shape.iter().product());
    for plane in elements.chunks_exact(pixels(axes)) {
        for place in 0..windows(axes) {
            let better = |x: T, best: T| !best.is_not_a_number() && (x > best || x.is_not_a_number());
            let best = under(axes, place).reduce(|best, at| if better(plane[at], plane[best]) { at } else { best });
            // A padding of at most half of the size leaves every window an element.
            let best = best.unwrap_or_default();
            chosen.push(best as u32);
            made.push(plane[best]);
        }
    }
    Ok((array(made, shape)?, chosen))
}

fn to_chosen<T: Real>(g: &Array, chosen: &[u32], before: &[usize], axes: [Axis; 2]) -> Native<Array> {
    let g = g.contiguous()?;
    let g = Elements::<T>::of(&g)?;
    let mut made = vec![T::zero(); before.iter().product()];
    let windows = windows(axes);
    in_rows(&mut made, pixels(axes), |plane, to| {
        let range = plane * windows..(plane + 1) * windows;
        g[range.clone()].iter().zip(&chosen[range]).for_each(|(&g, &at)| to[at as usize] += g);
    });
    array(made, before)
}

fn area<T: Real>([height, width]: [Axis; 2]) -> T {
    T::of((height.size * width.size) as f64)
}

fn averages<T: Real>(x: &Array, axes: [Axis; 2], shape: &[usize]) -> Native<Array> {
    let elements = Elements::<T>::of(x)?;
    let mut made = vec![T::zero(); shape.iter().product()];
    in_rows(&mut made, windows(axes), |plane, to| {
        let plane = &elements[plane * pixels(axes)..][..pixels(axes)];
        for (place, to) in to.iter_mut().enumerate() {
            *to = under(axes, place).map(|at| plane[at]).fold(T::zero(), |sum, x| sum + x) / area(axes);
        }
    });
    array(made, shape)
}

fn to_all<T: Real>(g: &Array, before: &[usize], axes: [Axis; 2]) -> Native<Array> {
    let g = g.contiguous()?;
    let g = Elements::<T>::of(&g)?;
    let mut made = vec![T::zero(); before.iter().product()];
    in_rows(&mut made, pixels(axes), |plane, to| {
        for place in 0..windows(axes) {
            let share = g[plane * windows(axes) + place] / area(axes);
            under(axes, place).for_each(|at| to[at] += share);
        }
    });
    array(made, before)
}
