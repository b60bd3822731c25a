//! Every operation that claims a gradient, against central finite differences in float64: one table, held against the
//! contract's list.

use crate::{assert_close, contract, placed, tensor, values, variable};
use contract::kebab;
use tensors::*;

const STEP: f64 = 1e-6;
/// Differences of a smooth function of order 1 are good to about 1e-9; this leaves room for steep ones.
const TOLERANCE: f64 = 2e-7;

type Function = Box<dyn Fn(&[Tensor]) -> Result<Tensor, Error>>;

/// An operation at random arguments of these shapes, between these bounds.
struct Check {
    name: String,
    shapes: Vec<Vec<u32>>,
    bounds: (f64, f64),
    function: Function,
}

const ANY: (f64, f64) = (-2.0, 2.0);
const POSITIVE: (f64, f64) = (0.3, 3.0);

#[derive(Default)]
struct Table(Vec<Check>);

impl Table {
    fn add(
        &mut self,
        name: &str,
        shapes: &[&[u32]],
        bounds: (f64, f64),
        function: impl Fn(&[Tensor]) -> Result<Tensor, Error> + 'static,
    ) {
        let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
        self.0.push(Check { name: name.to_owned(), shapes, bounds, function: Box::new(function) });
    }
}

fn table() -> Table {
    let mut table = Table::default();
    elementwise(&mut table);
    products(&mut table);
    along_dimensions(&mut table);
    arrangements(&mut table);
    selections(&mut table);
    windows(&mut table);
    losses(&mut table);
    table
}

fn elementwise(table: &mut Table) {
    table.add("value", &[&[2, 3]], ANY, |x| Ok(x[0].clone()));
    for op in Unary::ALL {
        let bounds = match op {
            Unary::Log | Unary::Sqrt | Unary::Recip | Unary::Log1p => POSITIVE,
            Unary::Gelu | Unary::GeluTanh | Unary::Silu => (-4.0, 4.0),
            _ => ANY,
        };
        table.add(&format!("unary.{}", kebab(op)), &[&[3, 4]], bounds, move |x| x[0].unary(op));
    }
    let shapes: [(&[u32], &[u32]); 7] = [
        (&[2, 3], &[2, 3]),
        (&[2, 3], &[3]),
        (&[2, 1], &[1, 3]),
        (&[], &[2, 2]),
        (&[4], &[]),
        (&[2, 1, 3], &[4, 1]),
        (&[2, 3, 2], &[3, 1]),
    ];
    for op in Binary::ALL {
        let bounds = if matches!(op, Binary::Div | Binary::Pow) { POSITIVE } else { ANY };
        for (left, right) in shapes {
            let name = format!("binary.{}", kebab(op));
            table.add(&name, &[left, right], bounds, move |x| x[0].binary(op, &x[1]));
        }
        table.add(&format!("binary-scalar.{}", kebab(op)), &[&[2, 3]], bounds, move |x| x[0].binary_scalar(op, 1.5));
    }
    table.add("binary.mul", &[&[3]], ANY, |x| x[0].binary(Binary::Mul, &x[0]));
    table.add("clamp", &[&[4, 3]], ANY, |x| x[0].clamp(Some(-0.5), Some(1.0)));
    table.add("clamp", &[&[4, 3]], ANY, |x| x[0].clamp(None, Some(0.25)));
    table.add("leaky-relu", &[&[4, 3]], ANY, |x| x[0].leaky_relu(0.1));
    let condition = || tensor(&[2, 1], &[1.0, 0.0]);
    table.add("select", &[&[2, 3], &[3]], ANY, move |x| x[0].select(&condition(), &x[1]));
    table.add("select", &[&[], &[2, 3]], ANY, move |x| x[0].select(&condition(), &x[1]));
    table.add("dropout", &[&[4, 5]], ANY, |x| x[0].dropout(0.4, 7));
}

fn products(table: &mut Table) {
    let shapes: [(&[u32], &[u32]); 6] = [
        (&[2, 3], &[3, 4]),
        (&[5, 2, 3], &[3, 4]),
        (&[5, 2, 3], &[5, 3, 2]),
        (&[2, 3], &[4, 3, 2]),
        (&[2, 1, 2, 3], &[3, 3, 2]),
        (&[2, 1, 2, 1, 2], &[1, 2, 2, 2, 3]),
    ];
    for (left, right) in shapes {
        table.add("matmul", &[left, right], ANY, |x| x[0].matmul(&x[1]));
    }
    table.add("matmul", &[&[3, 2], &[4, 3]], ANY, |x| x[0].transpose(0, 1)?.matmul(&x[1].transpose(0, 1)?));
    table.add("matmul", &[&[3, 2, 4], &[2, 4, 3]], ANY, |x| {
        x[0].transpose(0, 1)?.matmul(&x[1])?.transpose(0, 2)?.matmul(&x[0])
    });
    table.add("linear", &[&[5, 3], &[3, 4]], ANY, |x| x[0].linear(&x[1], None));
    table.add("linear", &[&[5, 3], &[3, 4], &[4]], ANY, |x| x[0].linear(&x[1], Some(&x[2])));
    table.add("linear", &[&[2, 2, 3], &[3, 4], &[4]], ANY, |x| x[0].linear(&x[1], Some(&x[2])));
    table.add("linear", &[&[3], &[4, 3], &[4]], ANY, |x| x[0].linear(&x[1].transpose(0, 1)?, Some(&x[2])));
}

fn along_dimensions(table: &mut Table) {
    for op in Reduction::ALL {
        let name = format!("reduce.{}", kebab(op));
        for (dimension, keep) in [(None, false), (None, true), (Some(0), false), (Some(1), true), (Some(2), false)] {
            table.add(&name, &[&[2, 3, 4]], ANY, move |x| x[0].reduce(op, dimension, keep));
        }
        table.add(&name, &[&[]], ANY, move |x| x[0].reduce(op, None, true));
        table.add(&name, &[&[3, 19]], ANY, move |x| x[0].transpose(0, 1)?.reduce(op, Some(0), false));
    }
    table.add("softmax", &[&[3, 4]], ANY, |x| x[0].softmax(1));
    table.add("softmax", &[&[3, 4, 2]], ANY, |x| x[0].softmax(0));
    table.add("log-softmax", &[&[3, 4]], ANY, |x| x[0].log_softmax(1));
    table.add("log-softmax", &[&[3, 4, 2]], ANY, |x| x[0].log_softmax(1));
    table.add("cumulative-sum", &[&[3, 4]], ANY, |x| x[0].cumulative_sum(1));
    table.add("cumulative-sum", &[&[3, 4, 2]], ANY, |x| x[0].cumulative_sum(0));
    table.add("layer-norm", &[&[3, 5]], ANY, |x| x[0].layer_norm(None, None, 1e-5));
    table.add("layer-norm", &[&[2, 3, 5], &[5], &[5]], ANY, |x| x[0].layer_norm(Some(&x[1]), Some(&x[2]), 1e-5));
}

fn arrangements(table: &mut Table) {
    table.add("reshape", &[&[2, 6]], ANY, |x| x[0].reshape(&[3, 1, 4]));
    table.add("reshape", &[&[2, 6]], ANY, |x| x[0].transpose(0, 1)?.reshape(&[4, 3]));
    table.add("transpose", &[&[2, 3, 4]], ANY, |x| x[0].transpose(0, 2));
    table.add("permute", &[&[2, 3, 4]], ANY, |x| x[0].permute(&[2, 0, 1]));
    table.add("broadcast-to", &[&[2, 1]], ANY, |x| x[0].broadcast_to(&[3, 2, 4]));
    table.add("flip", &[&[2, 3, 2]], ANY, |x| x[0].flip(1));
    table.add("narrow", &[&[4, 3]], ANY, |x| x[0].narrow(0, 1, 2));
    table.add("narrow", &[&[2, 5]], ANY, |x| x[0].narrow(1, 0, 3));
    table.add("concat", &[&[2, 3], &[1, 3]], ANY, |x| Tensor::concat(&[&x[0], &x[1], &x[0]], 0));
    table.add("concat", &[&[2, 3], &[2, 1], &[2, 0]], ANY, |x| Tensor::concat(&[&x[0], &x[2], &x[1]], 1));
    table.add("cast", &[&[3]], ANY, |x| x[0].cast(ElementType::Float64));
}

/// An int64 tensor.
fn positions(shape: &[u32], positions: &[i64]) -> Tensor {
    let bytes: Vec<u8> = positions.iter().flat_map(|position| position.to_le_bytes()).collect();
    placed(Tensor::from_bytes(shape, ElementType::Int64, &bytes).unwrap())
}

fn selections(table: &mut Table) {
    table.add("index-select", &[&[3, 2]], ANY, |x| x[0].index_select(0, &[2, 0, 2, 2]));
    table.add("index-select", &[&[3, 2]], ANY, |x| x[0].transpose(0, 1)?.index_select(1, &[1, 0]));
    table.add("take", &[&[3, 2]], ANY, |x| x[0].take(0, &positions(&[2, 2], &[2, 0, 2, 1])));
    table.add("take", &[&[2, 3, 2]], ANY, |x| x[0].take(1, &positions(&[], &[2])));
    table.add("gather", &[&[3, 2]], ANY, |x| x[0].gather(1, &positions(&[3, 1], &[1, 0, 1])));
    table.add("gather", &[&[3, 2, 2]], ANY, |x| x[0].gather(0, &positions(&[4, 1, 2], &[1, 0, 1, 2, 2, 2, 0, 0])));
    table.add("scatter-add", &[&[3, 2], &[2, 2]], ANY, |x| {
        x[0].scatter_add(0, &positions(&[2, 2], &[1, 0, 1, 2]), &x[1])
    });
    table.add("scatter-add", &[&[2, 3], &[2, 4]], ANY, |x| {
        x[0].scatter_add(1, &positions(&[2, 4], &[1, 0, 1, 2, 0, 0, 0, 2]), &x[1])
    });
}

fn convolution(stride: &[u32], padding: &[u32], dilation: &[u32], groups: u32) -> Convolution {
    Convolution { stride: stride.to_vec(), padding: padding.to_vec(), dilation: dilation.to_vec(), groups }
}

fn windows(table: &mut Table) {
    let cases: [(&[u32], &[u32], Convolution); 7] = [
        (&[2, 3, 7], &[4, 3, 3], convolution(&[1], &[0], &[1], 1)),
        (&[2, 4, 7], &[2, 2, 3], convolution(&[2], &[1], &[2], 2)),
        (&[1, 2, 4, 5], &[3, 2, 2, 3], convolution(&[1, 1], &[0, 0], &[1, 1], 1)),
        (&[2, 2, 5, 4], &[4, 2, 3, 3], convolution(&[2, 1], &[1, 2], &[1, 1], 1)),
        (&[1, 2, 6, 5], &[2, 2, 2, 2], convolution(&[1, 2], &[0, 1], &[3, 2], 1)),
        (&[2, 4, 3, 3], &[4, 1, 2, 2], convolution(&[1, 1], &[1, 1], &[1, 1], 4)),
        (&[1, 1, 2, 2], &[1, 1, 2, 2], convolution(&[3, 3], &[4, 4], &[1, 1], 1)),
    ];
    for (input, kernels, how) in cases {
        let (outputs, with_bias) = ([kernels[0]], how.clone());
        table.add("convolve", &[input, kernels], ANY, move |x| x[0].convolve(&x[1], None, &how));
        table.add("convolve", &[input, kernels, &outputs], ANY, move |x| x[0].convolve(&x[1], Some(&x[2]), &with_bias));
    }
    let cases: [[&[u32]; 4]; 4] = [
        [&[2, 2, 7], &[3], &[2], &[1]],
        [&[1, 2, 4, 4], &[2, 2], &[2, 2], &[0, 0]],
        [&[1, 2, 5, 4], &[3, 2], &[1, 1], &[1, 1]],
        [&[1, 1, 5, 5], &[2, 3], &[3, 2], &[0, 1]],
    ];
    for [input, size, stride, padding] in cases {
        for op in Pooling::ALL {
            let window = Window { size: size.to_vec(), stride: stride.to_vec(), padding: padding.to_vec() };
            table.add(&format!("pool.{}", kebab(op)), &[input], ANY, move |x| x[0].pool(op, &window));
        }
    }
}

fn losses(table: &mut Table) {
    table.add("binary-cross-entropy", &[&[4], &[4], &[4]], (0.1, 0.9), |x| {
        binary_cross_entropy(&x[0], &x[1], Some(&x[2]))
    });
    table.add("binary-cross-entropy", &[&[2, 2], &[2, 2]], (-3.0, 3.0), |x| binary_cross_entropy(&x[0], &x[1], None));
    table.add("cross-entropy", &[&[3, 4]], (-3.0, 3.0), |x| cross_entropy(&x[0], &tensor(&[3], &[0.0, 3.0, 1.0])));
    table.add("cross-entropy", &[&[3, 4]], (-3.0, 3.0), |x| cross_entropy(&x[0], &positions(&[3], &[0, 3, 1])));
    for (name, distance) in [
        ("squared", Distance::Squared),
        ("absolute", Distance::Absolute),
        ("huber", Distance::Huber(0.7)),
        ("quantile", Distance::Quantile(0.2)),
    ] {
        let name = format!("regression-loss.{name}");
        table.add(&name, &[&[4, 2], &[4, 2]], ANY, move |x| regression_loss(distance, &x[0], &x[1], None));
        table.add(&name, &[&[8], &[8], &[8]], ANY, move |x| regression_loss(distance, &x[0], &x[1], Some(&x[2])));
    }
}

#[test]
fn of_every_operation_that_claims_one() {
    let Table(checks) = table();
    let mut checked: Vec<String> = checks.iter().map(|check| check.name.clone()).collect();
    let mut claimed = contract::with_gradient();
    checked.sort();
    checked.dedup();
    claimed.sort();
    assert_eq!(checked, claimed, "left what is checked here, right what the contract claims");
    for check in checks {
        let random = |(i, shape): (usize, &Vec<u32>)| {
            let uniform = placed(Tensor::uniform(shape, ElementType::Float64, i as u64 + 1).unwrap());
            let scaled = uniform.binary_scalar(Binary::Mul, check.bounds.1 - check.bounds.0).unwrap();
            scaled.binary_scalar(Binary::Add, check.bounds.0).unwrap()
        };
        let arguments: Vec<Tensor> = check.shapes.iter().enumerate().map(random).collect();
        check_at(&format!("{} of {:?}", check.name, check.shapes), &arguments, &check.function);
    }
}

fn check_at(name: &str, arguments: &[Tensor], function: &dyn Fn(&[Tensor]) -> Result<Tensor, Error>) {
    // A weighted sum, so that each element of the result matters differently.
    let loss = |arguments: &[Tensor]| -> Result<Tensor, Error> {
        let result = function(arguments)?;
        let weights = placed(Tensor::uniform(&result.shape(), ElementType::Float64, 99)?);
        result.binary(Binary::Mul, &weights)?.reduce(Reduction::Sum, None, false)
    };
    let variables: Vec<Variable> = arguments.iter().map(|argument| variable("x", argument)).collect();
    let tracked: Vec<Tensor> = variables.iter().map(Variable::value).collect();
    let loss_value = loss(&tracked).unwrap_or_else(|error| panic!("{name}: {error}"));
    let got = gradients(&loss_value, &variables.iter().collect::<Vec<_>>()).unwrap();
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

/// A cast to float32 and back rounds, which differences cannot see through; its gradient is exact all the same.
#[test]
fn of_cast() {
    let x = variable("x", &tensor(&[2], &[0.25, 4.0]));
    let single = x.value().cast(ElementType::Float32).unwrap().unary(Unary::Square).unwrap();
    let loss = single.reduce(Reduction::Sum, None, false).unwrap();
    let gradient = &gradients(&loss, &[&x]).unwrap()[0];
    assert_eq!((gradient.element_type(), values(gradient)), (ElementType::Float64, vec![0.5, 8.0]));
    let whole = x.value().cast(ElementType::Int64).unwrap().cast(ElementType::Float64).unwrap();
    let error = gradients(&whole.reduce(Reduction::Sum, None, false).unwrap(), &[&x]).unwrap_err();
    assert_eq!(error.to_string(), "`x` has no gradient, the loss does not depend on it");
}

/// At kinks and ties, where there is a choice: PyTorch's, but for `max` and `min` of several equal elements, where PyTorch
/// divides the gradient among all of them if it is over all dimensions, and not if it is over one.
#[test]
fn at_kinks() {
    let gradient = |at: &[f64], function: &dyn Fn(&Tensor) -> Result<Tensor, Error>| {
        let x = variable("x", &tensor(&[at.len() as u32], at));
        let loss = function(&x.value()).unwrap().reduce(Reduction::Sum, None, false).unwrap();
        values(&gradients(&loss, &[&x]).unwrap()[0])
    };
    assert_eq!(gradient(&[0.0, -0.0], &|x| x.unary(Unary::Relu)), [0.0, 0.0]);
    assert_eq!(gradient(&[0.0], &|x| x.unary(Unary::Abs)), [0.0]);
    assert_eq!(gradient(&[1.0, 3.0, 3.0], &|x| x.reduce(Reduction::Max, None, false)), [0.0, 1.0, 0.0]);
    assert_eq!(gradient(&[1.0, 2.0], &|x| x.binary_scalar(Binary::Maximum, 1.0)), [0.5, 1.0]);
    assert_eq!(gradient(&[-1000.0, 0.0, 1000.0], &|x| x.unary(Unary::Sigmoid)), [0.0, 0.25, 0.0]);
    assert_eq!(gradient(&[-1000.0, 0.0, 1000.0], &|x| x.unary(Unary::Softplus)), [0.0, 0.5, 1.0]);
    assert_eq!(gradient(&[-1.0, 0.0, 1.0], &|x| x.leaky_relu(0.25)), [0.25, 0.25, 1.0]);
    assert_eq!(gradient(&[-1.0, 0.0, 1.0, 2.0], &|x| x.clamp(Some(0.0), Some(1.0))), [0.0, 1.0, 1.0, 0.0]);
    assert_eq!(gradient(&[0.0, 3.0], &|x| x.binary_scalar(Binary::Pow, 2.0)), [0.0, 6.0]);
    assert_eq!(gradient(&[0.0, 3.0], &|x| x.binary_scalar(Binary::Pow, 0.0)), [0.0, 0.0]);
    let zero = || tensor(&[2], &[0.0, 1.0]);
    assert_eq!(gradient(&[0.0, 1.0], &|x| zero().binary(Binary::Pow, x)), [0.0, 0.0]);
    for distance in [Distance::Absolute, Distance::Quantile(0.3), Distance::Huber(1.0)] {
        assert_eq!(gradient(&[0.0, 1.0], &|x| regression_loss(distance, x, &zero(), None)), [0.0, 0.0]);
    }
    let window = || Window { size: vec![2], stride: vec![1], padding: vec![0] };
    assert_eq!(gradient(&[1.0, 1.0, 0.0], &|x| x.reshape(&[1, 1, 3])?.pool(Pooling::Max, &window())), [1.0, 1.0, 0.0]);
}

/// A whole network, so that paths join.
#[test]
fn of_a_network() {
    let shapes: [&[u32]; 4] = [&[5, 3], &[3, 4], &[4], &[4, 2]];
    let arguments: Vec<Tensor> = shapes
        .iter()
        .zip(0..)
        .map(|(shape, seed)| placed(Tensor::normal(shape, ElementType::Float64, seed).unwrap()))
        .collect();
    check_at("network", &arguments, &|x| {
        let hidden = x[0].matmul(&x[1])?.binary(Binary::Add, &x[2])?.unary(Unary::Gelu)?;
        let skip = hidden.binary(Binary::Add, &hidden.unary(Unary::Tanh)?)?;
        skip.matmul(&x[3])?.log_softmax(1)
    });
}
