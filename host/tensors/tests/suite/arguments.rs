//! Every argument that does not fit is an error that says so.

use crate::{tensor, vacant, variable};
use tensors::*;

fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn shapes() {
    let full = |shape: &[u32]| text(Tensor::full(shape, ElementType::Float32, 0.0));
    assert_eq!(full(&[1; 9]), "`shape` has 9 dimensions, at most 8 are allowed");
    assert_eq!(full(&[1 << 16; 2]), "`shape` [65536, 65536] has more than 2147483648 elements");
    assert_eq!(full(&[u32::MAX; 3]), "`shape` [4294967295, 4294967295, 4294967295] has more than 2147483648 elements");
    assert!(Tensor::normal(&[u32::MAX], ElementType::Float64, 0).is_err());
    assert!(Tensor::uniform(&[u32::MAX], ElementType::Float64, 0).is_err());
    let bytes = |length| text(Tensor::from_bytes(&[2, 2], ElementType::Float32, &vec![0; length]));
    assert_eq!(bytes(15), "`data` is 15 bytes, expected 16 for shape [2, 2] of float32");
    let matrix = tensor(&[2, 2], &[0.0; 4]);
    assert_eq!(text(matrix.reshape(&[3])), "reshape: expected a shape of 4 elements, got [3]");
    assert!(matrix.reshape(&[0, u32::MAX]).is_err());
    assert_eq!(text(matrix.item()), "item: expected a tensor of one element, got shape [2, 2]");
}

/// A number crosses as float64: from 2^53 on it may have been another.
#[test]
fn whole_numbers_that_may_have_been_others() {
    let edge = (1u64 << 53) as f64;
    let full = |value| Tensor::full(&[], ElementType::Int64, value);
    assert_eq!(full(1.0 - edge).and_then(|x| x.item()), Ok(1.0 - edge));
    assert_eq!(text(full(1.5)), "`value` is 1.5, expected a whole number below 2^53 for int64");
    for value in [edge, -edge, f64::NAN, f64::INFINITY, 1e30] {
        assert!(full(value).is_err(), "{value}");
        assert!(full(0.0).unwrap().binary_scalar(Binary::Add, value).is_err(), "{value}");
        assert!(full(0.0).unwrap().compare_scalar(Comparison::Eq, value).is_err(), "{value}");
    }
    let arange = |count, start, step| Tensor::arange(count, ElementType::Int64, start, step);
    assert!(arange(4, edge - 4.0, 1.0).is_ok() && arange(0, 0.0, 1.0).is_ok());
    for (count, start, step, name) in [
        (5, edge - 4.0, 1.0, "count"),
        (2, edge, 1.0, "start"),
        (2, 0.0, 0.5, "step"),
        (u32::MAX >> 2, 0.0, 1e8, "count"),
    ] {
        assert!(text(arange(count, start, step)).starts_with(&format!("`{name}` is ")), "{start} {step}");
    }
    let large = Tensor::from_bytes(&[], ElementType::Int64, &((1i64 << 53) + 1).to_le_bytes()).unwrap();
    assert_eq!(text(large.item()), "`tensor` holds 9007199254740993, which is no float64; read its bytes instead");
}

#[test]
fn windows_of_nothing() {
    let (nothing, line) = (tensor(&[1, 1, 0], &[]), tensor(&[1, 1, 4], &[0.0; 4]));
    let window = Window { size: vec![2], stride: vec![1], padding: vec![1] };
    assert!(line.pool(Pooling::Max, &window).is_ok());
    assert!(text(nothing.pool(Pooling::Max, &window)).contains("windows that fit"), "{nothing:?}");
    let how = |dilation| Convolution { stride: vec![1], padding: vec![0], dilation: vec![dilation], groups: 1 };
    assert!(line.convolve(&line, None, &how(1)).is_ok());
    assert!(text(line.convolve(&line, None, &how(0))).contains("a dilation above 0"));
}

#[test]
fn results_that_would_be_too_large() {
    let (column, row) = (Tensor::full(&[1 << 16, 1], ElementType::Float32, 0.0), vec![0; 1 << 18]);
    let (column, row) = (column.unwrap(), Tensor::from_bytes(&[1 << 16], ElementType::Float32, &row).unwrap());
    assert_eq!(text(column.binary(Binary::Add, &row)), "`shape` [65536, 65536] has more than 2147483648 elements");
    assert!(column.compare(Comparison::Eq, &row).is_err());
    assert!(column.matmul(&row.reshape(&[1, 1 << 16]).unwrap()).is_err());
    assert!(Tensor::concat(&vec![&column; 1 << 15 | 1], 1).is_err());
    assert!(row.reshape(&[1, 1 << 16]).unwrap().index_select(0, &[0; 1 << 16]).is_err());
}

#[test]
fn types_do_not_mix() {
    let (double, single) = (tensor(&[], &[0.0]), Tensor::full(&[], ElementType::Float32, 0.0).unwrap());
    let expected = "`right` is float32, expected float64 as the other operand; cast one";
    assert_eq!(text(double.binary(Binary::Add, &single)), expected);
    assert_eq!(text(double.compare(Comparison::Lt, &single)), expected);
    assert_eq!(text(double.matmul(&single)), expected);
    assert!(Tensor::concat(&[&vacant(&[0]), &single.reshape(&[1]).unwrap()], 0).is_err());
    assert!(variable("x", &double).set(&single).is_err());
    assert!(binary_cross_entropy(&double, &single, None).is_err());
    assert!(binary_cross_entropy(&double, &double, Some(&single)).is_err());
}

#[test]
fn shapes_that_do_not_fit_each_other() {
    let (two, three) = (tensor(&[2], &[0.0; 2]), tensor(&[3], &[0.0; 3]));
    assert_eq!(text(two.binary(Binary::Add, &three)), "add: expected a shape that broadcasts with [2], got [3]");
    assert_eq!(text(two.matmul(&two)), "matmul: expected matrices, of at least two dimensions each, got [2] and [2]");
    let matrix = tensor(&[2, 1], &[0.0; 2]);
    assert_eq!(
        text(matrix.matmul(&matrix)),
        "matmul: expected as many columns on the left as rows on the right, got [2, 1] and [2, 1]"
    );
    assert_eq!(text(Tensor::concat(&[&two, &matrix], 0)), "concat: expected [2] but for dimension 0, got [2, 1]");
    assert!(Tensor::concat(&[&matrix, &tensor(&[3, 1], &[0.0; 3])], 1).is_err());
    assert_eq!(text(Tensor::concat(&[], 0)), "`tensors` is empty, expected at least one tensor");
    assert_eq!(text(variable("w", &two).set(&three)), "set: expected [2] of variable `w`, got [3]");
}

#[test]
fn dimensions_and_positions() {
    let x = tensor(&[2, 3], &[0.0; 6]);
    let expected = "`dimension` is 2, expected less than the 2 of shape [2, 3]";
    assert_eq!(text(x.reduce(Reduction::Sum, Some(2), false)), expected);
    assert_eq!(text(x.argmax(2)), expected);
    assert_eq!(text(x.softmax(2)), expected);
    assert_eq!(text(x.log_softmax(2)), expected);
    assert_eq!(text(x.narrow(2, 0, 1)), expected);
    assert_eq!(text(x.index_select(2, &[])), expected);
    assert_eq!(text(Tensor::concat(&[&x], 2)), expected);
    assert_eq!(text(x.transpose(0, u32::MAX)), "`second` is 4294967295, expected less than the 2 of shape [2, 3]");
    assert!(tensor(&[], &[0.0]).softmax(0).is_err());
    assert_eq!(text(x.narrow(1, 2, 2)), "narrow: expected at most 3 along dimension 1, got start + length = 4");
    assert!(x.narrow(1, u32::MAX, u32::MAX).is_err());
    assert!(x.narrow(1, 4, 0).is_err());
    let error = text(x.index_select(1, &[0, 3]));
    assert_eq!(error, "`positions` holds 3, expected 0 to below 3");
}

#[test]
fn nothing_to_reduce() {
    let x = vacant(&[2, 0]);
    let expected = "expected at least one element, got shape [2, 0] along dimension 1";
    assert_eq!(text(x.reduce(Reduction::Mean, Some(1), false)), format!("reduce: {expected}"));
    assert!(x.reduce(Reduction::Max, Some(1), true).is_err());
    assert!(x.reduce(Reduction::Min, None, true).is_err());
    assert_eq!(text(x.argmax(1)), "argmax: expected at least one element, got shape [2, 0] along dimension 1");
}

#[test]
fn too_much_for_one_call() {
    let big = Tensor::full(&[(8 << 20) + 1], ElementType::Float32, 0.0).unwrap();
    let expected = "`tensor` is 33554436 bytes, at most 33554432 pass in one call; take a narrow";
    assert_eq!(text(big.to_bytes()), expected);
    assert_eq!(big.narrow(0, 1, 8 << 20).unwrap().to_bytes().unwrap().len(), 32 << 20);
}

#[test]
fn losses_and_their_operands() {
    let (x, one) = (tensor(&[2, 2], &[0.0; 4]), tensor(&[2], &[0.0; 2]));
    assert!(binary_cross_entropy(&x, &one, None).is_err());
    assert!(binary_cross_entropy(&x, &x, Some(&one)).is_err());
    assert!(binary_cross_entropy(&vacant(&[0]), &vacant(&[0]), None).is_err());
    assert!(cross_entropy(&one, &one).is_err());
    let huber = text(regression_loss(Distance::Huber(-1.0), &x, &x, None));
    assert_eq!(huber, "`delta` is -1, expected a number above 0");
    assert!(cross_entropy(&x, &x).is_err());
    assert!(cross_entropy(&vacant(&[0, 2]), &vacant(&[0])).is_err());
    assert!(cross_entropy(&vacant(&[2, 0]), &one).is_err());
    for bad in [2.0, -1.0, 0.5, f64::NAN, f64::INFINITY, 1e300] {
        let error = text(cross_entropy(&x, &tensor(&[2], &[0.0, bad])));
        assert_eq!(error, format!("`targets` holds {bad} in row 1, expected a class from 0 to 1"));
    }
}

#[test]
fn variables() {
    let x = tensor(&[2], &[1.0, 2.0]);
    assert!(Variable::create("", &x).is_err());
    assert!(Variable::create(&"x".repeat(257), &x).is_err());
    let (w, v) = (variable("w", &x), variable("v", &x));
    assert_eq!(text(gradients(&w.value(), &[&w])), "gradients: expected a tensor of one element, got shape [2]");
    let loss = w.value().reduce(Reduction::Sum, None, false).unwrap();
    assert_eq!(text(gradients(&loss, &[])), "`variables` is empty, expected at least one variable");
    assert_eq!(text(gradients(&loss, &[&w, &v])), "`v` has no gradient, the loss does not depend on it");
}

#[test]
fn optimisers() {
    let w = variable("w", &tensor(&[], &[1.0]));
    let sgd = |momentum, nesterov, weight_decay| Method::Sgd(Sgd { momentum, nesterov, weight_decay });
    let adamw = |beta1, beta2, epsilon, weight_decay| Method::Adamw(Adamw { beta1, beta2, epsilon, weight_decay });
    let nan = f64::NAN;
    let bad = [
        sgd(-0.1, false, 0.0),
        sgd(nan, false, 0.0),
        sgd(0.0, true, 0.0),
        sgd(0.0, false, -1.0),
        sgd(0.0, false, f64::INFINITY),
        adamw(1.0, 0.9, 1e-8, 0.0),
        adamw(0.9, nan, 1e-8, 0.0),
        adamw(0.9, 0.9, -1.0, 0.0),
        adamw(0.9, 0.9, 1e-8, nan),
    ];
    for method in bad {
        assert!(Optimiser::create(method, &[&w]).is_err(), "{method:?}");
    }
    assert!(Optimiser::create(sgd(0.0, false, 0.0), &[]).is_err());
    let twice = Optimiser::create(sgd(0.0, false, 0.0), &[&w, &w.clone()]);
    assert_eq!(text(twice), "`w` stands twice among the variables");
    let mut optimiser = Optimiser::create(sgd(0.0, false, 0.0), &[&w]).unwrap();
    for (rate, clip) in [(nan, None), (-1.0, None), (f64::INFINITY, None), (0.1, Some(0.0)), (0.1, Some(nan))] {
        assert!(optimiser.step(&w.value(), rate, clip).is_err());
    }
    assert!(optimiser.step(&tensor(&[], &[1.0]), 0.1, None).is_err());
    assert_eq!(w.value().item(), Ok(1.0));
}
