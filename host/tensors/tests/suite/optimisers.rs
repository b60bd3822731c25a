//! Steps against PyTorch's formulas, computed apart: the reference below is scalar arithmetic over the update rules as
//! torch.optim.SGD and torch.optim.AdamW document them, and a few numbers stand here worked out by hand.

use crate::{assert_close, tensor, values, variable};
use tensors::{Adamw, Binary, ElementType, Method, Optimiser, Reduction, Sgd, Unary, Variable};

/// Both sides are float64; only the order of a few roundings may differ.
const TOLERANCE: f64 = 1e-12;

/// Takes `steps` steps of x on the loss 3 x^2 / 2 from x = 1, whose gradient is 3 x.
fn walk(method: Method, rate: f64, steps: usize) -> Vec<f64> {
    let x = variable("x", &tensor(&[], &[1.0]));
    let mut optimiser = Optimiser::create(method, &[&x]).unwrap();
    let mut path = Vec::new();
    for _ in 0..steps {
        let loss = x.value().unary(Unary::Square).unwrap().binary_scalar(Binary::Mul, 1.5).unwrap();
        optimiser.step(&loss, rate, None).unwrap();
        path.push(x.value().item().unwrap());
    }
    path
}

fn sgd(momentum: f64, nesterov: bool, weight_decay: f64) -> Method {
    Method::Sgd(Sgd { momentum, nesterov, weight_decay })
}

#[test]
fn sgd_by_hand() {
    // x = 1: g = 3, x = 1 - 0.3 = 0.7; g = 2.1, x = 0.49.
    assert_close("plain", &walk(sgd(0.0, false, 0.0), 0.1, 2), &[0.7, 0.49], TOLERANCE);
    // v = 3, x = 0.7; v = 2.7 + 2.1 = 4.8, x = 0.22; v = 4.32 + 0.66 = 4.98, x = -0.278.
    assert_close("momentum", &walk(sgd(0.9, false, 0.0), 0.1, 3), &[0.7, 0.22, -0.278], TOLERANCE);
    // v = 3, d = 3 + 2.7 = 5.7, x = 0.43; g = 1.29, v = 2.7 + 1.29 = 3.99, d = 1.29 + 3.591 = 4.881, x = -0.0581.
    assert_close("nesterov", &walk(sgd(0.9, true, 0.0), 0.1, 2), &[0.43, -0.0581], TOLERANCE);
    // g = 3 + 0.5 = 3.5, x = 0.65; g = 1.95 + 0.325 = 2.275, x = 0.4225.
    assert_close("decay", &walk(sgd(0.0, false, 0.5), 0.1, 2), &[0.65, 0.4225], TOLERANCE);
}

#[test]
fn adamw_by_hand() {
    let method = Method::Adamw(Adamw { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 });
    // Step 1: x = 1 (1 - 0.1 * 0.01) = 0.999; m = 0.3, m' = 3; v = 0.009, v' = 9; x = 0.999 - 0.1 * 3 / (3 + 1e-8).
    let first = 0.999 - 0.3 / (3.0 + 1e-8);
    assert_close("first", &walk(method, 0.1, 1), &[first], TOLERANCE);
    let mut expected = Vec::new();
    let (mut x, mut m, mut v) = (1.0f64, 0.0, 0.0);
    for t in 1..=20 {
        let g = 3.0 * x;
        x -= 0.1 * 0.01 * x;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let denominator = f64::sqrt(v) / f64::sqrt(1.0 - 0.999f64.powi(t)) + 1e-8;
        x -= 0.1 / (1.0 - 0.9f64.powi(t)) * m / denominator;
        expected.push(x);
    }
    assert_close("twenty", &walk(method, 0.1, 20), &expected, TOLERANCE);
}

#[test]
fn clipping_is_by_the_norm_of_all() {
    let (a, b) = (variable("a", &tensor(&[1], &[3.0])), variable("b", &tensor(&[], &[4.0])));
    let sum = |x: &Variable| x.value().unary(Unary::Square).unwrap().reduce(Reduction::Sum, None, false).unwrap();
    let mut optimiser = Optimiser::create(sgd(0.0, false, 0.0), &[&a, &b]).unwrap();
    // Gradients 6 and 8: norm 10, scaled to 1 as 0.6 and 0.8 (PyTorch divides by 10 + 1e-6, hence the tolerance).
    let loss = sum(&a).binary(Binary::Add, &sum(&b)).unwrap();
    assert_eq!(optimiser.step(&loss, 1.0, Some(1.0)), Ok(10.0));
    assert_close("clipped", &[a.value().item().unwrap(), b.value().item().unwrap()], &[2.4, 3.2], 1e-6);
    // Below the bound nothing changes.
    let loss = sum(&a).binary(Binary::Add, &sum(&b)).unwrap();
    assert_close("norm", &[optimiser.step(&loss, 0.0, Some(100.0)).unwrap()], &[8.0], 1e-6);
    assert_close("kept", &[a.value().item().unwrap()], &[2.4], 1e-6);
}

#[test]
fn nothing_changes_if_a_variable_is_not_reached() {
    let (a, b) = (variable("a", &tensor(&[], &[3.0])), variable("b", &tensor(&[], &[4.0])));
    let mut optimiser = Optimiser::create(sgd(0.9, false, 0.0), &[&a, &b]).unwrap();
    let error = optimiser.step(&a.value(), 1.0, None).unwrap_err();
    assert_eq!(error.to_string(), "`b` has no gradient, the loss does not depend on it");
    assert_eq!(a.value().item(), Ok(3.0));
}

#[test]
fn memory_is_counted() {
    let x = variable("x", &tensor(&[4], &[0.0; 4]).cast(ElementType::Float32).unwrap());
    let adamw = Method::Adamw(Adamw { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 });
    let bytes = |method| Optimiser::create(method, &[&x]).unwrap().bytes();
    assert_eq!([bytes(sgd(0.0, false, 0.0)), bytes(sgd(0.9, false, 0.0)), bytes(adamw)], [0, 16, 32]);
}

/// A step of float32 keeps float32, and a variable without elements takes part.
#[test]
fn float32_and_no_elements() {
    let x = variable("x", &tensor(&[2], &[1.0, 2.0]).cast(ElementType::Float32).unwrap());
    let none = variable("none", &crate::vacant(&[0]).cast(ElementType::Float32).unwrap());
    let mut optimiser = Optimiser::create(sgd(0.9, true, 0.1), &[&x, &none]).unwrap();
    let all = tensors::Tensor::concat(&[&x.value(), &none.value()], 0).unwrap();
    let loss = all.reduce(Reduction::Sum, None, false).unwrap();
    assert_close("norm", &[optimiser.step(&loss, 0.1, None).unwrap()], &[f64::sqrt(2.0)], 1e-12);
    assert_eq!(x.value().element_type(), ElementType::Float32);
    assert_close("x", &values(&x.value()), &[1.0 - 0.1 * 1.1 * 1.9, 2.0 - 0.1 * 1.2 * 1.9], 1e-6);
}
