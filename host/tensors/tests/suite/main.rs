//! What the crate promises, asked from outside. One binary: linking candle takes longer than the tests.

mod arguments;
mod contract;
mod files;
mod gradients;
mod graph;
mod losses;
mod never_panics;
mod optimisers;
mod pytorch;
mod random;
mod tables;
mod values;

use tensors::{ElementType, Tensor, Variable};

/// Where these tests compute; `tests/elsewhere` has them on another device.
fn placed(tensor: Tensor) -> Tensor {
    tensor
}

/// A float64 tensor of these values.
fn tensor(shape: &[u32], values: &[f64]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::from_bytes(shape, ElementType::Float64, &bytes).unwrap()
}

/// A float64 tensor of no values.
fn vacant(shape: &[u32]) -> Tensor {
    tensor(shape, &[])
}

fn variable(name: &str, initial: &Tensor) -> Variable {
    Variable::create(name, initial).unwrap()
}

/// The values in row-major order, whatever their type.
fn values(tensor: &Tensor) -> Vec<f64> {
    let bytes = tensor.cast(ElementType::Float64).unwrap().to_bytes().unwrap();
    bytes.as_chunks::<8>().0.iter().map(|&chunk| f64::from_le_bytes(chunk)).collect()
}

/// Fails if any pair differs by more than `tolerance`, relative to the larger of 1 and the expected value.
fn assert_close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    let close = |(got, expected): (&f64, &f64)| (got - expected).abs() <= tolerance * expected.abs().max(1.0);
    let same = got.len() == expected.len() && got.iter().zip(expected).all(close);
    assert!(same, "{what}: got {got:?}, expected {expected:?}");
}
