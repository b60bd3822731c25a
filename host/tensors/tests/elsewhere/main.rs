//! The same promises where tensors lie on another device than the processors: the tests of `tests/suite`, on the stand-in for a GPU.
//! An array of it that is looked for on the processors is an error, and it computes by the calls that a GPU computes by.

#[path = "../suite/contract.rs"]
mod contract;
#[path = "../suite/gradients.rs"]
mod gradients;
#[path = "../suite/graph.rs"]
mod graph;
#[path = "../suite/losses.rs"]
mod losses;
mod memory;
#[path = "../suite/never_panics.rs"]
mod never_panics;
#[path = "../suite/optimisers.rs"]
mod optimisers;
#[path = "../suite/pytorch.rs"]
mod pytorch;
#[path = "../suite/values.rs"]
mod values;

use std::sync::LazyLock;
use tensors::{Device, ElementType, Tensor, Variable};

static DEVICE: LazyLock<Device> = LazyLock::new(Device::stand_in);

/// What is made of numbers is made on the processors.
fn placed(tensor: Tensor) -> Tensor {
    tensor.on(&DEVICE).unwrap()
}

/// A float64 tensor of these values.
fn tensor(shape: &[u32], values: &[f64]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    placed(Tensor::from_bytes(shape, ElementType::Float64, &bytes).unwrap())
}

/// A float64 tensor of no values.
fn vacant(shape: &[u32]) -> Tensor {
    tensor(shape, &[])
}

fn variable(name: &str, initial: &Tensor) -> Variable {
    Variable::create(name, &placed(initial.clone())).unwrap()
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
