//! Every operation that claims a gradient, against central finite differences in float64.

use crate::{assert_close, tensor, values, variable};
use tensors::{Binary, ElementType, Error, Reduction, Tensor, Unary, Variable, gradients};

const STEP: f64 = 1e-6;
/// Differences of a smooth function of order 1 are good to about 1e-9; this leaves room for steep ones.
const TOLERANCE: f64 = 2e-7;

type Function = fn(&[Tensor]) -> Result<Tensor, Error>;

/// Checks the gradient of `function` by each of its arguments, which are random between the bounds.
fn check(name: &str, shapes: &[&[u32]], bounds: (f64, f64), function: Function) {
    let random = |(i, shape): (usize, &&[u32])| {
        let uniform = Tensor::uniform(shape, ElementType::Float64, i as u64 + 1).unwrap();
        let scaled = uniform.binary_scalar(Binary::Mul, bounds.1 - bounds.0).unwrap();
        scaled.binary_scalar(Binary::Add, bounds.0).unwrap()
    };
    let arguments: Vec<Tensor> = shapes.iter().enumerate().map(random).collect();
    check_at(name, &arguments, function);
}

fn check_at(name: &str, arguments: &[Tensor], function: Function) {
    // A weighted sum, so that each element of the result matters differently.
    let loss = |arguments: &[Tensor]| -> Result<Tensor, Error> {
        let result = function(arguments)?;
        let weights = Tensor::uniform(&result.shape(), ElementType::Float64, 99)?;
        result.binary(Binary::Mul, &weights)?.reduce(Reduction::Sum, None, false)
    };
    let variables: Vec<Variable> = arguments.iter().map(|argument| variable("x", argument)).collect();
    let tracked: Vec<Tensor> = variables.iter().map(Variable::value).collect();
    let got = gradients(&loss(&tracked).unwrap(), &variables.iter().collect::<Vec<_>>()).unwrap();
    for (i, argument) in arguments.iter().enumerate() {
        let base = values(argument);
        let moved = |j: usize, by: f64| {
            let mut values = base.clone();
            values[j] += by;
            let mut all = arguments.to_vec();
            all[i] = tensor(&argument.shape(), &values);
            loss(&all).unwrap().item().unwrap()
        };
        let expected: Vec<f64> = (0..base.len()).map(|j| (moved(j, STEP) - moved(j, -STEP)) / (2.0 * STEP)).collect();
        assert_eq!(got[i].shape(), argument.shape(), "{name}, argument {i}");
        assert_close(&format!("{name}, argument {i}"), &values(&got[i]), &expected, TOLERANCE);
    }
}

#[test]
fn of_unary() {
    let any = (-2.0, 2.0);
    let positive = (0.3, 3.0);
    check("neg", &[&[2, 3]], any, |x| x[0].unary(Unary::Neg));
    check("abs", &[&[2, 3]], any, |x| x[0].unary(Unary::Abs));
    check("exp", &[&[2, 3]], any, |x| x[0].unary(Unary::Exp));
    check("log", &[&[2, 3]], positive, |x| x[0].unary(Unary::Log));
    check("sqrt", &[&[2, 3]], positive, |x| x[0].unary(Unary::Sqrt));
    check("square", &[&[2, 3]], any, |x| x[0].unary(Unary::Square));
    check("recip", &[&[2, 3]], positive, |x| x[0].unary(Unary::Recip));
    check("tanh", &[&[2, 3]], any, |x| x[0].unary(Unary::Tanh));
    check("sigmoid", &[&[2, 3]], any, |x| x[0].unary(Unary::Sigmoid));
    check("relu", &[&[2, 3]], any, |x| x[0].unary(Unary::Relu));
    check("gelu", &[&[3, 5]], (-4.0, 4.0), |x| x[0].unary(Unary::Gelu));
    check("sin", &[&[2, 3]], any, |x| x[0].unary(Unary::Sin));
    check("cos", &[&[2, 3]], any, |x| x[0].unary(Unary::Cos));
    check("sign", &[&[2, 3]], any, |x| x[0].unary(Unary::Sign));
    check("floor", &[&[2, 3]], any, |x| x[0].unary(Unary::Floor));
    check("round", &[&[2, 3]], any, |x| x[0].unary(Unary::Round));
}

#[test]
fn of_binary_with_broadcasting() {
    let shapes: [(&[u32], &[u32]); 6] =
        [(&[2, 3], &[2, 3]), (&[2, 3], &[3]), (&[2, 1], &[1, 3]), (&[], &[2, 2]), (&[4], &[]), (&[2, 1, 3], &[4, 1])];
    for (left, right) in shapes {
        check("add", &[left, right], (-2.0, 2.0), |x| x[0].binary(Binary::Add, &x[1]));
        check("sub", &[left, right], (-2.0, 2.0), |x| x[0].binary(Binary::Sub, &x[1]));
        check("mul", &[left, right], (-2.0, 2.0), |x| x[0].binary(Binary::Mul, &x[1]));
        check("div", &[left, right], (0.5, 2.0), |x| x[0].binary(Binary::Div, &x[1]));
        check("maximum", &[left, right], (-2.0, 2.0), |x| x[0].binary(Binary::Maximum, &x[1]));
        check("minimum", &[left, right], (-2.0, 2.0), |x| x[0].binary(Binary::Minimum, &x[1]));
    }
    check("scalar", &[&[2, 3]], (-2.0, 2.0), |x| x[0].binary_scalar(Binary::Div, -3.0));
    check("an operand twice", &[&[3]], (-2.0, 2.0), |x| x[0].binary(Binary::Mul, &x[0]));
}

#[test]
fn of_matmul() {
    let shapes: [(&[u32], &[u32]); 6] = [
        (&[2, 3], &[3, 4]),
        (&[5, 2, 3], &[3, 4]),
        (&[5, 2, 3], &[5, 3, 2]),
        (&[2, 3], &[4, 3, 2]),
        (&[2, 1, 2, 3], &[3, 3, 2]),
        (&[2, 1, 2, 1, 2], &[1, 2, 2, 2, 3]),
    ];
    for (left, right) in shapes {
        check("matmul", &[left, right], (-2.0, 2.0), |x| x[0].matmul(&x[1]));
    }
    check("of a transpose", &[&[3, 2], &[4, 3]], (-2.0, 2.0), |x| x[0].transpose(0, 1)?.matmul(&x[1].transpose(0, 1)?));
    check("of odd strides", &[&[3, 2, 4], &[2, 4, 3]], (-2.0, 2.0), |x| {
        x[0].transpose(0, 1)?.matmul(&x[1])?.transpose(0, 2)?.matmul(&x[0])
    });
}

#[test]
fn of_reductions() {
    for keep in [false, true] {
        let functions: [Function; 4] = if keep {
            [
                |x| x[0].reduce(Reduction::Sum, Some(1), true),
                |x| x[0].reduce(Reduction::Mean, Some(0), true),
                |x| x[0].reduce(Reduction::Max, Some(2), true),
                |x| x[0].reduce(Reduction::Min, None, true),
            ]
        } else {
            [
                |x| x[0].reduce(Reduction::Sum, None, false),
                |x| x[0].reduce(Reduction::Mean, None, false),
                |x| x[0].reduce(Reduction::Max, Some(0), false),
                |x| x[0].reduce(Reduction::Min, Some(1), false),
            ]
        };
        for function in functions {
            check("reduce", &[&[2, 3, 4]], (-2.0, 2.0), function);
        }
    }
    check("of one", &[&[]], (-2.0, 2.0), |x| x[0].reduce(Reduction::Max, None, true));
    check("softmax", &[&[3, 4]], (-2.0, 2.0), |x| x[0].softmax(1));
    check("softmax", &[&[3, 4, 2]], (-2.0, 2.0), |x| x[0].softmax(0));
    check("log-softmax", &[&[3, 4]], (-2.0, 2.0), |x| x[0].log_softmax(1));
    check("log-softmax", &[&[3, 4, 2]], (-2.0, 2.0), |x| x[0].log_softmax(1));
}

#[test]
fn of_arrangements() {
    let any = (-2.0, 2.0);
    check("reshape", &[&[2, 6]], any, |x| x[0].reshape(&[3, 1, 4]));
    check("reshape of a transpose", &[&[2, 6]], any, |x| x[0].transpose(0, 1)?.reshape(&[4, 3]));
    check("transpose", &[&[2, 3, 4]], any, |x| x[0].transpose(0, 2));
    check("narrow", &[&[4, 3]], any, |x| x[0].narrow(0, 1, 2));
    check("narrow", &[&[2, 5]], any, |x| x[0].narrow(1, 0, 3));
    check("index-select", &[&[3, 2]], any, |x| x[0].index_select(0, &[2, 0, 2, 2]));
    check("index-select", &[&[3, 2]], any, |x| x[0].transpose(0, 1)?.index_select(1, &[1, 0]));
    check("concat", &[&[2, 3], &[1, 3]], any, |x| Tensor::concat(&[&x[0], &x[1], &x[0]], 0));
    check("concat", &[&[2, 3], &[2, 1], &[2, 0]], any, |x| Tensor::concat(&[&x[0], &x[2], &x[1]], 1));
    check("cast", &[&[3]], any, |x| x[0].cast(ElementType::Float64));
}

/// A cast to float32 and back rounds, which differences cannot see through; its gradient is exact all the same.
#[test]
fn of_cast() {
    let x = variable("x", &tensor(&[2], &[0.25, 4.0]));
    let single = x.value().cast(ElementType::Float32).unwrap().unary(Unary::Square).unwrap();
    let loss = single.reduce(Reduction::Sum, None, false).unwrap();
    let gradient = &gradients(&loss, &[&x]).unwrap()[0];
    assert_eq!((gradient.element_type(), values(gradient)), (ElementType::Float64, vec![0.5, 8.0]));
}

/// At kinks and ties, where there is a choice.
#[test]
fn at_kinks() {
    let gradient = |at: &[f64], function: Function| {
        let x = variable("x", &tensor(&[at.len() as u32], at));
        let loss = function(&[x.value()]).unwrap().reduce(Reduction::Sum, None, false).unwrap();
        values(&gradients(&loss, &[&x]).unwrap()[0])
    };
    assert_eq!(gradient(&[0.0, -0.0], |x| x[0].unary(Unary::Relu)), [0.0, 0.0]);
    assert_eq!(gradient(&[0.0], |x| x[0].unary(Unary::Abs)), [0.0]);
    assert_eq!(gradient(&[1.0, 3.0, 3.0], |x| x[0].reduce(Reduction::Max, None, false)), [0.0, 1.0, 0.0]);
    assert_eq!(gradient(&[1.0, 2.0], |x| x[0].binary_scalar(Binary::Maximum, 1.0)), [0.5, 1.0]);
    assert_eq!(gradient(&[-1000.0, 0.0, 1000.0], |x| x[0].unary(Unary::Sigmoid)), [0.0, 0.25, 0.0]);
}

/// A whole network, so that paths join.
#[test]
fn of_a_network() {
    check("network", &[&[5, 3], &[3, 4], &[4], &[4, 2]], (-1.0, 1.0), |x| {
        let hidden = x[0].matmul(&x[1])?.binary(Binary::Add, &x[2])?.unary(Unary::Gelu)?;
        let skip = hidden.binary(Binary::Add, &hidden.unary(Unary::Tanh)?)?;
        skip.matmul(&x[3])?.log_softmax(1)
    });
}

#[test]
fn of_losses() {
    check("binary-cross-entropy", &[&[4], &[4], &[4]], (0.1, 0.9), |x| {
        tensors::binary_cross_entropy(&x[0], &x[1], Some(&x[2]))
    });
    check("binary-cross-entropy", &[&[2, 2], &[2, 2]], (-3.0, 3.0), |x| {
        tensors::binary_cross_entropy(&x[0], &x[1], None)
    });
    check("cross-entropy", &[&[3, 4]], (-3.0, 3.0), |x| tensors::cross_entropy(&x[0], &tensor(&[3], &[0.0, 3.0, 1.0])));
}
