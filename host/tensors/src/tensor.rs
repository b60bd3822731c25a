//! Bytes, numbers and seeds <-> a [`Tensor`]: an array of candle's and, where something wants its gradient, a node.

use crate::graph::{Node, Pull, no_pull, pull};
use crate::{ElementType, Error, random, shape};
use candle_core::{DType, Device, Tensor as Array};
use std::sync::Arc;

/// The most bytes that [`Tensor::to_bytes`] gives.
pub const TO_BYTES_MAX: u64 = 32 << 20;

/// Numbers of one type in up to 8 dimensions. Never changes; cloning is cheap.
#[derive(Clone)]
pub struct Tensor {
    pub(crate) value: Array,
    pub(crate) node: Option<Arc<Node>>,
}

impl Tensor {
    /// A tensor that needs no gradient.
    pub(crate) fn constant(value: Array) -> Self {
        Self { value, node: None }
    }

    /// What an operation made of its operands, with the way back to each.
    pub(crate) fn result<const N: usize>(value: Array, operands: [(&Tensor, Pull); N]) -> Self {
        Self::result_of(value, operands.into_iter().collect())
    }

    pub(crate) fn result_of(value: Array, operands: Vec<(&Tensor, Pull)>) -> Self {
        let operands = operands.into_iter().map(|(operand, pull)| (operand.node.clone(), pull)).collect();
        Self { value, node: Node::of_result(operands) }
    }

    /// Zeros that depend on the operands in form only: what is left of an operation on nothing.
    pub(crate) fn vacant(shape: &[usize], operands: &[&Tensor]) -> Result<Self, Error> {
        let dtype = operands.first().map_or(DType::F32, |operand| operand.value.dtype());
        let value = Array::zeros(shape, dtype, &Device::Cpu)?;
        Ok(Self::result_of(value, operands.iter().map(|&operand| (operand, no_pull(&operand.value))).collect()))
    }

    /// Little-endian values, row-major, as many as the shape says.
    pub fn from_bytes(shape: &[u32], element_type: ElementType, data: &[u8]) -> Result<Self, Error> {
        let expected = shape::bytes_of(shape, element_type)?;
        if data.len() as u64 != expected {
            let reason = format!("is {} bytes, expected {expected} for shape {shape:?} of {element_type}", data.len());
            return Err(Error::invalid("data", reason));
        }
        let shape = shape::from_guest(shape)?;
        let value = match element_type {
            ElementType::Float32 => Array::from_vec(chunks(data, f32::from_le_bytes), shape, &Device::Cpu),
            ElementType::Float64 => Array::from_vec(chunks(data, f64::from_le_bytes), shape, &Device::Cpu),
        }?;
        Ok(Self::constant(value))
    }

    /// Everywhere the same value.
    pub fn full(shape: &[u32], element_type: ElementType, value: f64) -> Result<Self, Error> {
        let shape = shape::from_guest(shape)?;
        let count = shape.iter().product();
        let value = match element_type {
            ElementType::Float32 => Array::from_vec(vec![value as f32; count], shape, &Device::Cpu),
            ElementType::Float64 => Array::from_vec(vec![value; count], shape, &Device::Cpu),
        }?;
        Ok(Self::constant(value))
    }

    /// Standard normal; the same seed gives the same bits on any machine.
    pub fn normal(shape: &[u32], element_type: ElementType, seed: u64) -> Result<Self, Error> {
        let shape = shape::from_guest(shape)?;
        let count = shape.iter().product();
        let value = match element_type {
            ElementType::Float32 => {
                Array::from_vec(random::normal(seed, count, |value| value as f32), shape, &Device::Cpu)
            }
            ElementType::Float64 => Array::from_vec(random::normal(seed, count, |value| value), shape, &Device::Cpu),
        }?;
        Ok(Self::constant(value))
    }

    /// Uniform in [0, 1); the same seed gives the same bits on any machine.
    pub fn uniform(shape: &[u32], element_type: ElementType, seed: u64) -> Result<Self, Error> {
        let shape = shape::from_guest(shape)?;
        let count = shape.iter().product();
        let value = match element_type {
            ElementType::Float32 => Array::from_vec(random::uniform(seed, count, random::unit32), shape, &Device::Cpu),
            ElementType::Float64 => Array::from_vec(random::uniform(seed, count, random::unit64), shape, &Device::Cpu),
        }?;
        Ok(Self::constant(value))
    }

    pub fn shape(&self) -> Vec<u32> {
        // Lossless: no length is above `ELEMENTS_MAX`, or it would not fit in the guest's u32 to begin with.
        self.dims().iter().map(|&length| length as u32).collect()
    }

    pub(crate) fn dims(&self) -> &[usize] {
        self.value.dims()
    }

    pub(crate) fn is_vacant(&self) -> bool {
        self.value.elem_count() == 0
    }

    pub fn element_type(&self) -> ElementType {
        match self.value.dtype() {
            DType::F64 => ElementType::Float64,
            _ => ElementType::Float32,
        }
    }

    /// Bytes that the elements take, to be charged to whoever holds the tensor.
    pub fn bytes(&self) -> u64 {
        self.value.elem_count() as u64 * self.element_type().width()
    }

    /// Little-endian values, row-major; at most [`TO_BYTES_MAX`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        if self.bytes() > TO_BYTES_MAX {
            let reason = format!("is {} bytes, at most {TO_BYTES_MAX} pass in one call; take a narrow", self.bytes());
            return Err(Error::invalid("tensor", reason));
        }
        bytes(&self.value)
    }

    /// The one value of a tensor of one element.
    pub fn item(&self) -> Result<f64, Error> {
        self.expect_one("item")?;
        let values = self.value.to_dtype(DType::F64)?.reshape(1)?.to_vec1::<f64>()?;
        values.first().copied().ok_or_else(|| Error::Native("a value was lost".to_owned()))
    }

    pub(crate) fn expect_one(&self, operation: &'static str) -> Result<(), Error> {
        match self.value.elem_count() {
            1 => Ok(()),
            _ => {
                let got = format!("shape {:?}", self.dims());
                Err(Error::Shape { operation, expected: "a tensor of one element".to_owned(), got })
            }
        }
    }

    /// An error that names both types, if they differ.
    pub(crate) fn expect_type(&self, name: &str, expected: ElementType) -> Result<(), Error> {
        match self.element_type() {
            got if got == expected => Ok(()),
            got => Err(Error::invalid(name, format!("is {got}, expected {expected} as the other operand; cast one"))),
        }
    }

    /// With elements of another type.
    pub fn cast(&self, element_type: ElementType) -> Result<Self, Error> {
        let from = self.value.dtype();
        if from == element_type.native() {
            return Ok(self.clone());
        }
        let value = match self.is_vacant() {
            true => Array::zeros(self.dims(), element_type.native(), &Device::Cpu)?,
            false => self.value.to_dtype(element_type.native())?,
        };
        let back = match self.is_vacant() {
            true => no_pull(&self.value),
            false => pull(move |gradient| gradient.to_dtype(from)),
        };
        Ok(Self::result(value, [(self, back)]))
    }
}

impl std::fmt::Debug for Tensor {
    /// Never the values: they may be anyone's data, and many.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tensor({} {:?})", self.element_type(), self.dims())
    }
}

fn chunks<const N: usize, T>(data: &[u8], decode: fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = data.as_chunks::<N>();
    chunks.iter().map(|&chunk| decode(chunk)).collect()
}

/// All values of an array as little-endian bytes, row-major.
pub(crate) fn bytes(array: &Array) -> Result<Vec<u8>, Error> {
    if array.elem_count() == 0 {
        return Ok(Vec::new());
    }
    let flat = array.flatten_all()?;
    match array.dtype() {
        DType::F64 => Ok(flat.to_vec1::<f64>()?.into_iter().flat_map(f64::to_le_bytes).collect()),
        _ => Ok(flat.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect()),
    }
}
