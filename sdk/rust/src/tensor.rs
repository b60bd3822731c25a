//! Tensors in the host, with the operators one writes on paper: `(&a * &b)?`, `(&a + 1.0)?`, `a.matmul(&b)?`,
//! `a.at(index![1..3, .., 0])?`.
//!
//! Every operation can fail (shapes, memory), so the operators give a `Result` too.

mod index;

use crate::Result;
pub use crate::bindings::stepwell::tensor::tensors::{
    Binary, Comparison, Convolution, ElementType, Pooling, Reduction, Tensor, Unary, Window, from_safetensors,
    to_safetensors,
};
pub use crate::bindings::stepwell::tensor::training::{
    Adamw, CosineDecay, Decay, Distance, Method, Optimiser, Schedule, Sgd, StepDecay, Variable, binary_cross_entropy,
    cross_entropy, gradients, learning_rate, regression_loss,
};
pub use crate::index;
pub use index::Index;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Values that cross in one call: 8 MiB at most.
const CHUNK_VALUES: usize = 1 << 20;

impl Tensor {
    /// A vector of float64.
    pub fn from_f64(values: &[f64]) -> Result<Tensor> {
        Self::of_numbers(values, ElementType::Float64, f64::to_le_bytes)
    }

    /// A vector of float32.
    pub fn from_f32(values: &[f32]) -> Result<Tensor> {
        Self::of_numbers(values, ElementType::Float32, f32::to_le_bytes)
    }

    fn of_numbers<T: Copy, const N: usize>(
        values: &[T],
        element_type: ElementType,
        bytes: impl Fn(T) -> [u8; N],
    ) -> Result<Tensor> {
        let mut parts = Vec::new();
        for chunk in values.chunks(CHUNK_VALUES) {
            let data: Vec<u8> = chunk.iter().flat_map(|value| bytes(*value)).collect();
            parts.push(Tensor::from_bytes(&[chunk.len() as u32], element_type, &data)?);
        }
        match parts.len() {
            0 => Tensor::from_bytes(&[0], element_type, &[]),
            1 => Ok(parts.remove(0)),
            _ => Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0),
        }
    }

    /// A vector of positions, for [`Tensor::take`] and its like, or of classes.
    pub fn from_i64(values: &[i64]) -> Result<Tensor> {
        let mut parts = Vec::new();
        for chunk in values.chunks(CHUNK_VALUES) {
            let data: Vec<u8> = chunk.iter().flat_map(|value| value.to_le_bytes()).collect();
            parts.push(Tensor::from_bytes(&[chunk.len() as u32], ElementType::Int64, &data)?);
        }
        match parts.len() {
            0 => Tensor::from_bytes(&[0], ElementType::Int64, &[]),
            1 => Ok(parts.remove(0)),
            _ => Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0),
        }
    }

    /// All values, row-major, as float64.
    pub fn to_f64(&self) -> Result<Vec<f64>> {
        self.numbers(ElementType::Float64, f64::from_le_bytes)
    }

    /// All values, row-major, as float32.
    pub fn to_f32(&self) -> Result<Vec<f32>> {
        self.numbers(ElementType::Float32, f32::from_le_bytes)
    }

    fn numbers<T, const N: usize>(&self, element_type: ElementType, number: impl Fn([u8; N]) -> T) -> Result<Vec<T>> {
        let count: usize = self.shape().iter().map(|length| *length as usize).product();
        let flat = self.cast(element_type)?.reshape(&[count as u32])?;
        let mut values = Vec::with_capacity(count);
        while values.len() < count {
            let length = CHUNK_VALUES.min(count - values.len());
            let chunk = flat.narrow(0, values.len() as u32, length as u32)?.to_bytes()?;
            let words = chunk.as_chunks().0;
            if words.len() != length {
                let got = words.len();
                return Err(crate::Error::permanent(format!("expected {length} values from the host, got {got}")));
            }
            values.extend(words.iter().map(|word| number(*word)));
        }
        Ok(values)
    }

    /// The sum of all elements, of shape [].
    pub fn sum(&self) -> Result<Tensor> {
        self.reduce(Reduction::Sum, None, false)
    }

    /// The mean of all elements, of shape [].
    pub fn mean(&self) -> Result<Tensor> {
        self.reduce(Reduction::Mean, None, false)
    }

    /// The mean over one dimension, which is kept with length 1.
    pub fn mean_over(&self, dimension: u32) -> Result<Tensor> {
        self.reduce(Reduction::Mean, Some(dimension), true)
    }

    /// Side by side along a new dimension.
    pub fn stack(tensors: &[&Tensor], dimension: u32) -> Result<Tensor> {
        let longer = |tensor: &&Tensor| {
            let mut shape = tensor.shape();
            shape.insert((dimension as usize).min(shape.len()), 1);
            tensor.reshape(&shape)
        };
        let longer = tensors.iter().map(longer).collect::<Result<Vec<_>>>()?;
        Tensor::concat(&longer.iter().collect::<Vec<_>>(), dimension)
    }
}

/// An operation on each element by its own name.
macro_rules! unary {
    ($($name:ident $op:ident $words:literal,)*) => {
        impl Tensor {$(
            #[doc = $words]
            pub fn $name(&self) -> Result<Tensor> {
                self.unary(Unary::$op)
            }
        )*}
    };
}

unary! {
    abs Abs "The absolute of each element.",
    exp Exp "e to the power of each element.",
    log Log "The natural logarithm of each element.",
    sqrt Sqrt "The square root of each element.",
    square Square "Each element squared.",
    tanh Tanh "The hyperbolic tangent of each element.",
    sigmoid Sigmoid "1 / (1 + exp(-x)) of each element.",
    relu Relu "Each element, or 0 where it is below.",
    gelu Gelu "x cdf(x) of each element, with the normal distribution.",
    silu Silu "x sigmoid(x) of each element.",
    softplus Softplus "log(1 + exp(x)) of each element.",
}

/// An operator between two tensors, and between a tensor and a number.
macro_rules! operator {
    ($($trait:ident $method:ident $op:ident),*) => {$(
        impl $trait for &Tensor {
            type Output = Result<Tensor>;

            fn $method(self, right: &Tensor) -> Result<Tensor> {
                self.binary(Binary::$op, right)
            }
        }

        impl $trait<f64> for &Tensor {
            type Output = Result<Tensor>;

            fn $method(self, right: f64) -> Result<Tensor> {
                self.binary_scalar(Binary::$op, right)
            }
        }
    )*};
}

operator!(Add add Add, Sub sub Sub, Mul mul Mul, Div div Div);

impl Neg for &Tensor {
    type Output = Result<Tensor>;

    fn neg(self) -> Result<Tensor> {
        self.unary(Unary::Neg)
    }
}
