//! The rules of sgd and adamw: one pass over a variable's elements, in which what is remembered changes in place.
//!
//! The value itself is written anew, since what was computed from the old one may still need it.

use crate::array::{Elements, GRAIN, Real};
use crate::native::{Array, Native};
use rayon::prelude::*;

/// Stochastic gradient descent as in PyTorch: g += weight-decay x; v = momentum v + g; x -= rate (g + momentum v if nesterov,
/// else v).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    pub momentum: f64,
    pub nesterov: bool,
    pub weight_decay: f64,
}

/// AdamW (Loshchilov and Hutter, 2019) as in PyTorch: x -= rate weight-decay x; m and v are the running means of g and g^2;
/// x -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adamw {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

/// When a step happens and how far it goes: the number of the step from 1, the learning rate, and what the gradients are
/// multiplied by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stride {
    pub(crate) number: u64,
    pub(crate) rate: f64,
    pub(crate) scale: f64,
}

/// What a method remembers of one variable: each part has a number for each element.
#[derive(Debug, Clone)]
pub(crate) enum Memory {
    Float32([Vec<f32>; 2]),
    Float64([Vec<f64>; 2]),
    /// On another device than the processors.
    Beside(Vec<Array>),
}

/// A type whose numbers a [`Memory`] can hold.
pub(crate) trait Remembered: Real {
    fn memory(parts: [Vec<Self>; 2]) -> Memory;
    /// None if it holds the other type.
    fn parts(memory: &mut Memory) -> Option<&mut [Vec<Self>; 2]>;
}

macro_rules! remembered {
    ($type:ident $case:ident) => {
        impl Remembered for $type {
            fn memory(parts: [Vec<Self>; 2]) -> Memory {
                Memory::$case(parts)
            }

            fn parts(memory: &mut Memory) -> Option<&mut [Vec<Self>; 2]> {
                match memory {
                    Memory::$case(parts) => Some(parts),
                    _ => None,
                }
            }
        }
    };
}
remembered!(f32 Float32);
remembered!(f64 Float64);

impl Memory {
    /// Zeros in the first parts.
    pub(crate) fn new<T: Remembered>(parts: usize, elements: usize) -> Self {
        T::memory([0, 1].map(|part| vec![T::zero(); if part < parts { elements } else { 0 }]))
    }

    /// Of arrays that lie in a saved state.
    pub(crate) fn from_parts<T: Remembered>(parts: &[&Array]) -> Native<Self> {
        let mut own = [Vec::new(), Vec::new()];
        for (own, part) in own.iter_mut().zip(parts) {
            let part = part.contiguous()?;
            *own = Elements::<T>::of(&part)?.to_vec();
        }
        Ok(T::memory(own))
    }
}

/// The next value, and what is remembered then.
type Next = (Array, Vec<Array>);

impl Sgd {
    /// The next value of elements.
    pub(crate) fn next<T: Remembered>(self, x: &[T], g: &[T], memory: &mut Memory, stride: Stride) -> Vec<T> {
        let (momentum, decay) = (T::of(self.momentum), T::of(self.weight_decay));
        let (rate, scale) = (T::of(stride.rate), T::of(stride.scale));
        let mut next = x.to_vec();
        match T::parts(memory) {
            Some([velocity, _]) if self.momentum > 0.0 => {
                let places = next.par_chunks_mut(GRAIN).zip(g.par_chunks(GRAIN)).zip(velocity.par_chunks_mut(GRAIN));
                places.for_each(|((x, g), velocity)| {
                    for ((x, &g), velocity) in x.iter_mut().zip(g).zip(velocity) {
                        let g = g * scale + decay * *x;
                        *velocity = momentum * *velocity + g;
                        *x -= rate * if self.nesterov { g + momentum * *velocity } else { *velocity };
                    }
                });
            }
            _ => next.par_chunks_mut(GRAIN).zip(g.par_chunks(GRAIN)).for_each(|(x, g)| {
                x.iter_mut().zip(g).for_each(|(x, &g)| *x -= rate * (g * scale + decay * *x));
            }),
        }
        next
    }
}

impl Sgd {
    /// The same on another device than the processors.
    pub(crate) fn next_beside(self, x: &Array, g: &Array, memory: Vec<Array>, stride: Stride) -> Native<Next> {
        let g = g.affine(stride.scale, 0.0)?.plus(&x.affine(self.weight_decay, 0.0)?)?;
        let Some(velocity) = memory.first() else { return Ok((x.minus(&g.affine(stride.rate, 0.0)?)?, memory)) };
        let velocity = velocity.affine(self.momentum, 0.0)?.plus(&g)?;
        let way = if self.nesterov { g.plus(&velocity.affine(self.momentum, 0.0)?)? } else { velocity.clone() };
        Ok((x.minus(&way.affine(stride.rate, 0.0)?)?, vec![velocity]))
    }
}

impl Adamw {
    /// The same on another device than the processors.
    pub(crate) fn next_beside(self, x: &Array, g: &Array, memory: Vec<Array>, stride: Stride) -> Native<Next> {
        let unbiased = |beta: f64| 1.0 - beta.powf(stride.number as f64);
        let [mean, square] = &memory[..] else { return Ok((x.clone(), memory)) };
        let g = g.affine(stride.scale, 0.0)?;
        let mean = mean.affine(self.beta1, 0.0)?.plus(&g.affine(1.0 - self.beta1, 0.0)?)?;
        let square = square.affine(self.beta2, 0.0)?.plus(&g.times(&g)?.affine(1.0 - self.beta2, 0.0)?)?;
        let root = square.sqrt()?.affine(unbiased(self.beta2).sqrt().recip(), self.epsilon)?;
        let way = mean.affine(stride.rate / unbiased(self.beta1), 0.0)?.over(&root)?;
        let kept = x.affine(1.0 - stride.rate * self.weight_decay, 0.0)?;
        Ok((kept.minus(&way)?, vec![mean, square]))
    }

    /// The next value of elements.
    pub(crate) fn next<T: Remembered>(self, x: &[T], g: &[T], memory: &mut Memory, stride: Stride) -> Vec<T> {
        let unbiased = |beta: f64| 1.0 - beta.powf(stride.number as f64);
        let (beta1, beta2, epsilon) = (T::of(self.beta1), T::of(self.beta2), T::of(self.epsilon));
        let (rest1, rest2) = (T::of(1.0 - self.beta1), T::of(1.0 - self.beta2));
        let (kept, scale) = (T::of(1.0 - stride.rate * self.weight_decay), T::of(stride.scale));
        let (rate, root) = (T::of(stride.rate / unbiased(self.beta1)), T::of(unbiased(self.beta2).sqrt().recip()));
        let mut next = x.to_vec();
        let Some([means, squares]) = T::parts(memory) else { return next };
        let places = next.par_chunks_mut(GRAIN).zip(g.par_chunks(GRAIN));
        places.zip(means.par_chunks_mut(GRAIN).zip(squares.par_chunks_mut(GRAIN))).for_each(
            |((x, g), (mean, square))| {
                for ((x, &g), (mean, square)) in x.iter_mut().zip(g).zip(mean.iter_mut().zip(square)) {
                    let g = g * scale;
                    *mean = beta1 * *mean + rest1 * g;
                    *square = beta2 * *square + rest2 * (g * g);
                    *x = *x * kept - rate * *mean / (square.sqrt() * root + epsilon);
                }
            },
        );
        next
    }
}
