//! Bytes, numbers and seeds <-> a [`Tensor`]: an array of candle's and, where something wants its gradient, a node.

use crate::array::{Elements, Number, array, by_type, filled, map};
use crate::graph::{Node, Pull, no_pull, pull};
use crate::native::{Array, Native};
use crate::{Device, ElementType, Error, random, shape};
use candle_core::DType;
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
        let device = operands.first().map(|operand| operand.value.device()).unwrap_or_default();
        let value = Array::zeros(&device, shape, dtype)?;
        Ok(Self::result_of(value, operands.iter().map(|&operand| (operand, no_pull(&operand.value))).collect()))
    }

    /// The same numbers on a device; what is made of bytes, numbers and seeds is made on the processors. All operands of an operation
    /// are to lie on one device, which its result lies on.
    pub fn on(&self, device: &Device) -> Result<Self, Error> {
        let home = self.value.device();
        if home == *device {
            return Ok(self.clone());
        }
        let value = self.value.on(device)?;
        Ok(Self::result(value, [(self, pull(move |gradient| gradient.on(&home)))]))
    }

    /// Has the processors compute what no other device does, and brings the result to where the operands lie. Gradients go the same
    /// way back.
    pub(crate) fn trip<const N: usize>(
        operands: [&Self; N],
        compute: impl FnOnce([&Self; N]) -> Result<Self, Error>,
    ) -> Result<Self, Error> {
        let device = operands.first().map(|operand| operand.value.device()).unwrap_or_default();
        let seen = operands.iter().map(|operand| operand.on(&Device::default()));
        let seen = seen.collect::<Result<Vec<_>, _>>()?;
        compute(std::array::from_fn(|i| &seen[i]))?.on(&device)
    }

    /// Whether it lies on another device than the processors.
    pub(crate) fn is_beside(&self) -> bool {
        self.value.is_beside()
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
            ElementType::Float32 => array(chunks(data, f32::from_le_bytes), &shape),
            ElementType::Float64 => array(chunks(data, f64::from_le_bytes), &shape),
            ElementType::Int64 => array(chunks(data, i64::from_le_bytes), &shape),
        }?;
        Ok(Self::constant(value))
    }

    /// Everywhere the same value; of int64 a whole number below 2^53.
    pub fn full(shape: &[u32], element_type: ElementType, value: f64) -> Result<Self, Error> {
        let shape = shape::from_guest(shape)?;
        let value = match element_type {
            ElementType::Float32 => filled(value as f32, &shape),
            ElementType::Float64 => filled(value, &shape),
            ElementType::Int64 => filled(whole("value", value)?, &shape),
        }?;
        Ok(Self::constant(value))
    }

    /// start, start + step, start + 2 step, ..: so many numbers. Of int64 start and step are whole numbers below 2^53, and so is
    /// the last one.
    pub fn arange(count: u32, element_type: ElementType, start: f64, step: f64) -> Result<Self, Error> {
        let shape = shape::from_guest(&[count])?;
        let numbers = (0..count).map(|i| start + f64::from(i) * step);
        if element_type == ElementType::Int64 {
            let last = start + f64::from(count.saturating_sub(1)) * step;
            for (name, number) in [("start", start), ("step", step), ("count", last)] {
                whole(name, number)?;
            }
        }
        let value = match element_type {
            ElementType::Float32 => array(numbers.map(|number| number as f32).collect(), &shape),
            ElementType::Float64 => array(numbers.collect(), &shape),
            ElementType::Int64 => array(numbers.map(|number| number as i64).collect(), &shape),
        }?;
        Ok(Self::constant(value))
    }

    /// Standard normal; the same seed gives the same bits on any machine.
    pub fn normal(shape: &[u32], element_type: ElementType, seed: u64) -> Result<Self, Error> {
        let (shape, count) = drawn(shape, element_type)?;
        let value = match element_type {
            ElementType::Float32 => array(random::normal(seed, count, |value| value as f32), &shape),
            _ => array(random::normal(seed, count, |value| value), &shape),
        }?;
        Ok(Self::constant(value))
    }

    /// Uniform in [0, 1); the same seed gives the same bits on any machine.
    pub fn uniform(shape: &[u32], element_type: ElementType, seed: u64) -> Result<Self, Error> {
        let (shape, count) = drawn(shape, element_type)?;
        let value = match element_type {
            ElementType::Float32 => array(random::uniform(seed, count, random::unit32), &shape),
            _ => array(random::uniform(seed, count, random::unit64), &shape),
        }?;
        Ok(Self::constant(value))
    }

    /// 1 with this probability, else 0.
    pub fn bernoulli(shape: &[u32], element_type: ElementType, probability: f64, seed: u64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(Error::invalid("probability", format!("is {probability}, expected a number from 0 to 1")));
        }
        let shape = shape::from_guest(shape)?;
        let count = shape.iter().product();
        let value = by_type!(element_type, T => {
            array(random::bernoulli(seed, count, probability, |yes| if yes { T::ONE } else { T::default() }), &shape)
        })?;
        Ok(Self::constant(value))
    }

    /// The numbers below `count` in random order, as int64.
    pub fn permutation(count: u32, seed: u64) -> Result<Self, Error> {
        let shape = shape::from_guest(&[count])?;
        Ok(Self::constant(array(random::permutation(seed, count as usize), &shape)?))
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
            DType::I64 => ElementType::Int64,
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

    /// The one value of a tensor of one element. An int64 that no float64 is, is an error.
    pub fn item(&self) -> Result<f64, Error> {
        self.expect_one("item")?;
        let one = self.value.on(&Device::default())?.contiguous()?;
        if self.element_type() == ElementType::Int64 {
            let number = Elements::<i64>::of(&one)?[0];
            if i128::from(number) != number as f64 as i128 {
                let reason = format!("holds {number}, which is no float64; read its bytes instead");
                return Err(Error::invalid("tensor", reason));
            }
        }
        Ok(by_type!(one, T => Elements::<T>::of(&one)?[0].wide()))
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

    /// An error unless the elements are float32 or float64.
    pub(crate) fn expect_real(&self, name: &str) -> Result<(), Error> {
        match self.element_type() {
            ElementType::Int64 => Err(Error::invalid(name, "is int64, expected float32 or float64; cast it")),
            _ => Ok(()),
        }
    }

    pub(crate) fn expect_shape(&self, operation: &'static str, name: &str, shape: &[usize]) -> Result<(), Error> {
        match self.dims() == shape {
            true => Ok(()),
            false => {
                let (expected, got) = (format!("{name} {shape:?}"), format!("{:?}", self.dims()));
                Err(Error::Shape { operation, expected, got })
            }
        }
    }

    /// With elements of another type. To int64 the fraction is cut off; what does not fit is the nearest that does, NaN 0.
    pub fn cast(&self, element_type: ElementType) -> Result<Self, Error> {
        let from = self.element_type();
        if from == element_type {
            return Ok(self.clone());
        }
        if self.is_beside() && [from, element_type].contains(&ElementType::Int64) {
            return Self::trip([self], |[x]| x.cast(element_type));
        }
        let value = converted(&self.value, element_type)?;
        if [from, element_type].contains(&ElementType::Int64) {
            return Ok(Self::constant(value));
        }
        Ok(Self::result(value, [(self, pull(move |gradient| converted(gradient, from)))]))
    }
}

#[expect(clippy::unnecessary_cast, reason = "one text for every type, among them the same")]
fn converted(x: &Array, element_type: ElementType) -> Native<Array> {
    if x.is_beside() {
        return x.as_type(element_type.dtype());
    }
    if x.elem_count() == 0 {
        return by_type!(element_type, T => array(Vec::<T>::new(), x.dims()));
    }
    let x = x.contiguous()?;
    by_type!(x, T => {
        let elements = Elements::<T>::of(&x)?;
        match element_type {
            ElementType::Float32 => array(map(&elements, |x| x as f32), x.dims()),
            ElementType::Float64 => array(map(&elements, |x| x as f64), x.dims()),
            ElementType::Int64 => array(map(&elements, |x| x as i64), x.dims()),
        }
    })
}

/// The shape and count of random numbers, which are no integers.
fn drawn(shape: &[u32], element_type: ElementType) -> Result<(Vec<usize>, usize), Error> {
    if element_type == ElementType::Int64 {
        return Err(Error::invalid("element-type", "is int64, expected float32 or float64"));
    }
    let shape = shape::from_guest(shape)?;
    let count = shape.iter().product();
    Ok((shape, count))
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
    let array = array.on(&Device::default())?.contiguous()?;
    by_type!(array, T => {
        let elements = Elements::<T>::of(&array)?;
        let mut bytes = Vec::with_capacity(elements.len() * size_of::<T>());
        elements.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        Ok(bytes)
    })
}

/// An int64 that came as a float64: whole, and below 2^53, from where on it may have been another number.
pub(crate) fn whole(name: &str, value: f64) -> Result<i64, Error> {
    match value.fract() == 0.0 && value.abs() < (1u64 << 53) as f64 {
        true => Ok(value as i64),
        false => Err(Error::invalid(name, format!("is {value}, expected a whole number below 2^53 for int64"))),
    }
}
