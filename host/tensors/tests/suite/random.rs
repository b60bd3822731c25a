//! The same seed gives the same bits, here and on any machine: golden values.

use crate::values;
use tensors::{ElementType, Tensor};

fn bits(tensor: &Tensor) -> Vec<u64> {
    values(tensor).into_iter().map(f64::to_bits).collect()
}

#[test]
fn golden_values() {
    let seed = 0x5EED_5EED_5EED_5EED;
    let uniform = Tensor::uniform(&[3], ElementType::Float64, seed).unwrap();
    let normal = Tensor::normal(&[4], ElementType::Float64, seed).unwrap();
    assert_eq!(bits(&uniform), UNIFORM);
    assert_eq!(bits(&normal), NORMAL);
}

// From a Python program of its own, with CPython's exact integers and the C library's log, sin and cos.
const UNIFORM: [u64; 3] = [0x3fe914f6147fdbab, 0x3fe019a52adcce9b, 0x3fb10121a2c57f18];
const NORMAL: [u64; 4] = [0x40022633238ba8b7, 0x3feeac7edc759d45, 0xbfc8ed37baae9000, 0xbfc9d1b3ed450808];

#[test]
fn a_prefix_does_not_depend_on_the_length() {
    let long = Tensor::normal(&[1001], ElementType::Float64, 3).unwrap();
    let short = Tensor::normal(&[7], ElementType::Float64, 3).unwrap();
    assert_eq!(values(&long)[..7], values(&short));
}

#[test]
fn seeds_differ_and_types_agree() {
    for make in [Tensor::normal, Tensor::uniform] {
        let double = values(&make(&[64], ElementType::Float64, 1).unwrap());
        let single = values(&make(&[64], ElementType::Float32, 1).unwrap());
        assert_ne!(double, values(&make(&[64], ElementType::Float64, 2).unwrap()));
        crate::assert_close("float32 and float64", &single, &double, 1e-6);
    }
}

#[test]
fn uniform_stays_in_its_range() {
    for element_type in [ElementType::Float32, ElementType::Float64] {
        let values = values(&Tensor::uniform(&[100_000], element_type, 5).unwrap());
        assert!(values.iter().all(|value| (0.0..1.0).contains(value)));
        let mean = values.iter().sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
    }
}
