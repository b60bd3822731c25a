//! What operations compute, where it is not plain: broadcasting, NaN, tensors without elements, views.

use crate::{assert_close, tensor, vacant, values, variable};
use tensors::{Binary, Comparison, ElementType, Reduction, Tensor, Unary, gradients};

#[test]
fn unary_values() {
    let at = |op: Unary, x: f64| tensor(&[], &[x]).unary(op).unwrap().item().unwrap();
    assert_close("sigmoid", &[at(Unary::Sigmoid, -40.0)], &[4.248354255291589e-18], 1e-30);
    assert_eq!([at(Unary::Sigmoid, -1e4), at(Unary::Sigmoid, 1e4)], [0.0, 1.0]);
    assert_close("gelu", &[at(Unary::Gelu, 1.0)], &[0.8413447460685429], 1e-12);
    assert_eq!([at(Unary::Round, 2.5), at(Unary::Round, -0.5), at(Unary::Floor, -0.5)], [3.0, -1.0, -1.0]);
    assert_eq!([at(Unary::Relu, f64::NEG_INFINITY), at(Unary::Relu, 2.0)], [0.0, 2.0]);
    assert!(at(Unary::Relu, f64::NAN).is_nan());
}

#[test]
fn nan_wins_maximum_and_reductions() {
    let (x, nan) = (tensor(&[2], &[1.0, f64::NAN]), tensor(&[2], &[f64::NAN, 1.0]));
    for op in [Binary::Maximum, Binary::Minimum] {
        assert!(values(&x.binary(op, &nan).unwrap()).iter().all(|value| value.is_nan()));
    }
    for op in [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min] {
        assert!(x.reduce(op, None, false).unwrap().item().unwrap().is_nan());
    }
    assert_eq!(x.argmax(0).unwrap().item(), Ok(1.0));
}

#[test]
fn comparisons_broadcast() {
    let (column, row) = (tensor(&[2, 1], &[1.0, 2.0]), tensor(&[2], &[1.0, 2.0]));
    let compare = |op| values(&column.compare(op, &row).unwrap());
    assert_eq!(compare(Comparison::Eq), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(compare(Comparison::Ne), [0.0, 1.0, 1.0, 0.0]);
    assert_eq!(compare(Comparison::Lt), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(compare(Comparison::Le), [1.0, 1.0, 0.0, 1.0]);
    assert_eq!(compare(Comparison::Gt), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(compare(Comparison::Ge), [1.0, 0.0, 1.0, 1.0]);
}

#[test]
fn matmul_values() {
    let a = tensor(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(values(&a.matmul(&a).unwrap()), [7.0, 10.0, 15.0, 22.0]);
    let turned = a.transpose(0, 1).unwrap();
    assert_eq!(values(&turned.matmul(&a).unwrap()), [10.0, 14.0, 14.0, 20.0]);
    let stacked = Tensor::concat(&[&a, &turned], 0).unwrap().reshape(&[2, 1, 2, 2]).unwrap();
    let product = stacked.matmul(&a.reshape(&[1, 2, 2]).unwrap()).unwrap();
    assert_eq!(product.shape(), [2, 1, 2, 2]);
    assert_eq!(values(&product), [7.0, 10.0, 15.0, 22.0, 10.0, 14.0, 14.0, 20.0]);
}

#[test]
fn softmax_does_not_overflow() {
    let x = tensor(&[1, 3], &[1000.0, 1000.0, -1000.0]);
    assert_eq!(values(&x.softmax(1).unwrap()), [0.5, 0.5, 0.0]);
    assert_close(
        "log",
        &values(&x.log_softmax(1).unwrap()),
        &[-0.5f64.ln().abs(), -0.5f64.ln().abs(), -2000.6931],
        1e-6,
    );
}

#[test]
fn positions_come_in_the_operands_type() {
    let x = tensor(&[2, 3], &[1.0, 5.0, 5.0, 9.0, 0.0, 2.0]).cast(ElementType::Float32).unwrap();
    let positions = x.argmax(1).unwrap();
    assert_eq!((positions.element_type(), positions.shape()), (ElementType::Float32, vec![2]));
    assert_eq!(values(&positions), [1.0, 0.0]);
}

#[test]
fn tensors_without_elements() {
    let (none, wide) = (vacant(&[0, 3]), vacant(&[2, 0]));
    assert_eq!(none.unary(Unary::Exp).unwrap().shape(), [0, 3]);
    assert_eq!(none.binary(Binary::Add, &tensor(&[3], &[1.0; 3])).unwrap().shape(), [0, 3]);
    assert_eq!(values(&none.reduce(Reduction::Sum, Some(0), false).unwrap()), [0.0; 3]);
    assert_eq!(none.reduce(Reduction::Max, Some(1), false).unwrap().shape(), [0]);
    assert_eq!(none.reduce(Reduction::Sum, None, true).unwrap().shape(), [1, 1]);
    assert_eq!(values(&wide.matmul(&none).unwrap()), [0.0; 6]);
    assert_eq!(none.softmax(0).unwrap().shape(), [0, 3]);
    assert_eq!(none.argmax(1).unwrap().shape(), [0]);
    assert_eq!(none.transpose(0, 1).unwrap().reshape(&[5, 0]).unwrap().shape(), [5, 0]);
    assert_eq!(tensor(&[2], &[1.0, 2.0]).narrow(0, 2, 0).unwrap().shape(), [0]);
    assert_eq!(tensor(&[2], &[1.0, 2.0]).index_select(0, &[]).unwrap().shape(), [0]);
    assert_eq!(Tensor::concat(&[&none, &tensor(&[1, 3], &[1.0; 3])], 0).unwrap().shape(), [1, 3]);
    assert_eq!(none.cast(ElementType::Float32).unwrap().to_bytes(), Ok(vec![]));
    // A gradient finds its way through them, and is zero.
    let x = variable("x", &tensor(&[2, 3], &[1.0; 6]));
    let loss = x.value().narrow(0, 0, 0).unwrap().reduce(Reduction::Sum, None, false).unwrap();
    assert_eq!(values(&gradients(&loss, &[&x]).unwrap()[0]), [0.0; 6]);
}

#[test]
fn bytes_are_what_the_elements_take() {
    let big = Tensor::full(&[1000, 1000], ElementType::Float32, 1.0).unwrap();
    assert_eq!(big.bytes(), 4_000_000);
    assert_eq!(big.narrow(1, 0, 1).unwrap().bytes(), 4000);
    assert_eq!(big.narrow(1, 3, 2).unwrap().to_bytes().unwrap().len(), 8000);
}
