//! Losses: their values, and that they stay finite far out.

use crate::{assert_close, tensor, values, variable};
use tensors::{ElementType, binary_cross_entropy, cross_entropy, gradients};

#[test]
fn binary_cross_entropy_has_its_value() {
    // x = 0.5, y = 1: log(1 + e^0.5) - 0.5; x = -2, y = 0: log(1 + e^-2).
    let (x, y) = (tensor(&[2], &[0.5, -2.0]), tensor(&[2], &[1.0, 0.0]));
    let plain = binary_cross_entropy(&x, &y, None).unwrap().item().unwrap();
    assert_close("mean", &[plain], &[(0.4740769841801067 + 0.1269280110429725) / 2.0], 1e-12);
    let weights = tensor(&[2], &[2.0, 0.0]);
    let weighted = binary_cross_entropy(&x, &y, Some(&weights)).unwrap().item().unwrap();
    assert_close("weighted", &[weighted], &[0.4740769841801067], 1e-12);
}

#[test]
fn binary_cross_entropy_is_stable_at_a_thousand() {
    for element_type in [ElementType::Float32, ElementType::Float64] {
        let x = tensor(&[4], &[1000.0, 1000.0, -1000.0, -1000.0]).cast(element_type).unwrap();
        let y = tensor(&[4], &[1.0, 0.0, 1.0, 0.0]).cast(element_type).unwrap();
        let x = variable("x", &x);
        let loss = binary_cross_entropy(&x.value(), &y, None).unwrap();
        assert_eq!(loss.item().unwrap(), 500.0);
        assert_eq!(values(&gradients(&loss, &[&x]).unwrap()[0]), [0.0, 0.25, -0.25, 0.0]);
    }
}

#[test]
fn cross_entropy_has_its_value() {
    // Row 0: log(e^1 + e^2 + e^3) - 3 = 0.407606; row 1: log 3 = 1.098612.
    let logits = tensor(&[2, 3], &[1.0, 2.0, 3.0, 0.0, 0.0, 0.0]);
    let loss = cross_entropy(&logits, &tensor(&[2], &[2.0, 1.0])).unwrap().item().unwrap();
    assert_close("mean", &[loss], &[(0.40760596444 + 1.09861228867) / 2.0], 1e-10);
}

#[test]
fn cross_entropy_is_stable_at_a_thousand() {
    for element_type in [ElementType::Float32, ElementType::Float64] {
        let logits = tensor(&[2, 2], &[1000.0, -1000.0, -1000.0, 1000.0]).cast(element_type).unwrap();
        let logits = variable("logits", &logits);
        let targets = tensor(&[2], &[0.0, 0.0]).cast(element_type).unwrap();
        let loss = cross_entropy(&logits.value(), &targets).unwrap();
        assert_eq!(loss.item().unwrap(), 1000.0);
        assert_eq!(values(&gradients(&loss, &[&logits]).unwrap()[0]), [0.0, 0.0, -0.5, 0.5]);
    }
}
