//! Depth is the guest's choice: neither the way back nor the drop of a chain may use the stack.

use crate::{tensor, values, variable};
use tensors::{Binary, Error, Reduction, Tensor, Unary, gradients};

fn chain(start: Tensor, length: usize) -> Tensor {
    (0..length).fold(start, |x, _| x.binary_scalar(Binary::Add, 0.5).unwrap())
}

/// Runs on a stack far smaller than a frame an operation would need.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_long_chain_goes_back_and_is_dropped() {
    on_a_small_stack(|| {
        let x = variable("x", &tensor(&[], &[1.0]));
        let end = chain(x.value(), 100_000);
        assert_eq!(values(&gradients(&end, &[&x]).unwrap()[0]), [1.0]);
        drop(end);
    });
}

#[test]
fn doubled_paths_are_walked_once() {
    let x = variable("x", &tensor(&[], &[1.0]));
    let end = (0..60).fold(x.value(), |x, _| x.binary(Binary::Add, &x).unwrap());
    assert_eq!(values(&gradients(&end, &[&x]).unwrap()[0]), [(1u64 << 60) as f64]);
}

#[test]
fn a_chain_without_variables_keeps_nothing() {
    on_a_small_stack(|| {
        let x = variable("x", &tensor(&[], &[1.0]));
        let end = chain(tensor(&[], &[0.0]), 20_000);
        let error = gradients(&end, &[&x]).unwrap_err();
        assert_eq!(error.to_string(), "`x` has no gradient, the loss does not depend on it");
    });
}

#[test]
fn what_was_computed_before_a_change_keeps_its_value() {
    let x = variable("x", &tensor(&[], &[3.0]));
    let loss = x.value().unary(Unary::Square).unwrap();
    x.set(&tensor(&[], &[100.0])).unwrap();
    assert_eq!(values(&gradients(&loss, &[&x]).unwrap()[0]), [6.0]);
    assert_eq!(values(&x.value()), [100.0]);
}

#[test]
fn a_variable_made_of_another_does_not_reach_it() {
    let x = variable("x", &tensor(&[], &[3.0]));
    let y = variable("y", &x.value());
    let loss = y.value().unary(Unary::Square).unwrap();
    assert!(matches!(gradients(&loss, &[&y, &x]), Err(Error::InvalidInput { name, .. }) if name == "x"));
}

#[test]
fn comparisons_and_positions_end_the_way_back() {
    let x = variable("x", &tensor(&[2], &[3.0, 1.0]));
    let compared = x.value().compare(tensors::Comparison::Gt, &tensor(&[], &[2.0])).unwrap();
    let loss = compared.reduce(Reduction::Sum, None, false).unwrap();
    assert!(gradients(&loss, &[&x]).is_err());
    assert!(gradients(&x.value().argmax(0).unwrap(), &[&x]).is_err());
    // An operation with gradient zero reaches it, though.
    let loss = x.value().unary(Unary::Sign).unwrap().reduce(Reduction::Sum, None, false).unwrap();
    assert_eq!(values(&gradients(&loss, &[&x]).unwrap()[0]), [0.0, 0.0]);
}
