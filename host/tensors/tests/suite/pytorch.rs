//! Ours against PyTorch's, from `tests/reference/pytorch.json`, which `pytorch.py` beside it writes.

use crate::{assert_close, placed, tensor, values, variable};
use serde_json::Value;
use tensors::*;

/// Both sides compute in float64; they differ in the order of roundings alone.
const TOLERANCE: f64 = 1e-10;

fn reference() -> Value {
    serde_json::from_str(include_str!("../reference/pytorch.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn whole(value: &Value) -> Vec<u32> {
    numbers(value).into_iter().map(|number| number as u32).collect()
}

fn shown(value: &Value) -> Tensor {
    tensor(&whole(&value["shape"]), &numbers(&value["values"]))
}

fn compute(name: &str, settings: &Value, x: &[Tensor]) -> Result<Tensor, Error> {
    let number = settings["number"].as_f64().unwrap_or_default();
    let list = |name: &str| whole(&settings[name]);
    let regression = |distance| regression_loss(distance, &x[0], &x[1], None);
    match name {
        "convolve" => {
            let (stride, padding, dilation) = (list("stride"), list("padding"), list("dilation"));
            let groups = settings["groups"].as_u64().unwrap() as u32;
            x[0].convolve(&x[1], Some(&x[2]), &Convolution { stride, padding, dilation, groups })
        }
        "pool.max" | "pool.average" => {
            let op = if name == "pool.max" { Pooling::Max } else { Pooling::Average };
            x[0].pool(op, &Window { size: list("size"), stride: list("stride"), padding: list("padding") })
        }
        "layer-norm" => x[0].layer_norm(Some(&x[1]), Some(&x[2]), 1e-5),
        "linear" => x[0].linear(&x[1], Some(&x[2])),
        "log-softmax" => x[0].log_softmax(1),
        "cumulative-sum" => x[0].cumulative_sum(0),
        "reduce.variance" => x[0].reduce(Reduction::Variance, Some(1), false),
        "reduce.log-sum-exp" => x[0].reduce(Reduction::LogSumExp, Some(1), false),
        "squared" => regression(Distance::Squared),
        "absolute" => regression(Distance::Absolute),
        "huber" => regression(Distance::Huber(number)),
        "quantile" => regression(Distance::Quantile(number)),
        "binary-cross-entropy" => {
            let vector = |name: &str| tensor(&x[0].shape(), &numbers(&settings[name]));
            binary_cross_entropy(&x[0], &vector("targets"), Some(&vector("weights")))
        }
        "cross-entropy" => {
            let targets = numbers(&settings["targets"]);
            let targets = tensor(&[targets.len() as u32], &targets).cast(ElementType::Int64)?;
            cross_entropy(&x[0], &targets)
        }
        _ => {
            let unary = Unary::ALL.into_iter().find(|&op| name == format!("unary.{}", crate::contract::kebab(op)));
            x[0].unary(unary.unwrap_or_else(|| panic!("no case for {name}")))
        }
    }
}

#[test]
fn values_and_gradients() {
    let reference = reference();
    let cases = reference["cases"].as_array().unwrap();
    assert!(cases.len() >= 25);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let list = |name: &str| case[name].as_array().unwrap().iter().map(shown).collect::<Vec<_>>();
        let variables: Vec<Variable> = list("arguments").iter().map(|argument| variable("x", argument)).collect();
        let tracked: Vec<Tensor> = variables.iter().map(Variable::value).collect();
        let value = compute(name, &case["settings"], &tracked).unwrap();
        assert_eq!(value.shape(), whole(&case["value"]["shape"]), "{name}");
        assert_close(name, &values(&value), &numbers(&case["value"]["values"]), TOLERANCE);
        let count: u32 = value.shape().iter().product();
        let weights =
            placed(Tensor::arange(count, ElementType::Float64, 1.0, 1.0).unwrap()).reshape(&value.shape()).unwrap();
        let loss = value.binary(Binary::Mul, &weights).unwrap().reduce(Reduction::Sum, None, false).unwrap();
        let got = gradients(&loss, &variables.iter().collect::<Vec<_>>()).unwrap();
        for (i, (got, expected)) in got.iter().zip(list("gradients")).enumerate() {
            assert_close(&format!("{name}, gradient {i}"), &values(got), &values(&expected), TOLERANCE);
        }
    }
}

#[test]
fn optimisers_take_the_same_path() {
    for case in reference()["optimisers"].as_array().unwrap() {
        let number = |name: &str| case["settings"][name].as_f64().unwrap();
        let weight_decay = number("weight_decay");
        let method = match case["name"].as_str().unwrap() {
            "sgd" => {
                let nesterov = case["settings"]["nesterov"].as_bool().unwrap();
                Method::Sgd(Sgd { momentum: number("momentum"), nesterov, weight_decay })
            }
            _ => Method::Adamw(Adamw {
                beta1: number("beta1"),
                beta2: number("beta2"),
                epsilon: number("epsilon"),
                weight_decay,
            }),
        };
        let start: Vec<Tensor> = case["start"].as_array().unwrap().iter().map(shown).collect();
        let (w, b) = (variable("w", &start[2]), variable("b", &start[3]));
        let mut optimiser = Optimiser::create(method, &[&w, &b]).unwrap();
        for (step, expected) in case["path"].as_array().unwrap().iter().enumerate() {
            let made = start[0].linear(&w.value(), Some(&b.value())).unwrap().unary(Unary::Tanh).unwrap();
            let loss = regression_loss(Distance::Squared, &made, &start[1], None).unwrap();
            optimiser.step(&loss, number("rate"), case["clip"].as_f64()).unwrap();
            // Half way it is saved and goes on as another.
            if step == 4 {
                let state = optimiser.save().unwrap();
                let state: Vec<(String, &Tensor)> = state.iter().map(|(name, it)| (name.clone(), it)).collect();
                optimiser = Optimiser::create(method, &[&w, &b]).unwrap();
                optimiser.restore(&state).unwrap();
            }
            let got = [values(&w.value()), values(&b.value())].concat();
            assert_close(&format!("{} at step {step}", case["settings"]), &got, &numbers(expected), TOLERANCE);
        }
    }
}

#[test]
fn schedules_have_the_same_rates() {
    for case in reference()["schedules"].as_array().unwrap() {
        let (settings, name) = (&case["settings"], case["name"].as_str().unwrap());
        let number = |name: &str| settings[name].as_f64().unwrap();
        let decay = match name {
            "step" => Decay::Step { every: number("every") as u64, factor: number("factor") },
            "exponential" => Decay::Exponential(number("factor")),
            _ => Decay::Cosine { steps: number("steps") as u64, last_rate: number("last_rate") },
        };
        let rate = |step| learning_rate(Schedule { rate: 0.5, warm_up: 0, decay }, step).unwrap();
        assert_close(name, &(0..25).map(rate).collect::<Vec<_>>(), &numbers(&case["path"]), 1e-12);
    }
}

#[test]
fn a_file_of_pythons_safetensors_is_read() {
    let reference = reference();
    let hex = reference["safetensors"].as_str().unwrap();
    let file: Vec<u8> = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
    let read = from_safetensors(&file).unwrap();
    let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["bias", "classes", "half", "weights"]);
    let [bias, classes, half, weights] = [0, 1, 2, 3].map(|i| &read[i].1);
    assert_eq!((bias.element_type(), bias.shape(), bias.item()), (ElementType::Float64, vec![], Ok(0.1)));
    assert_eq!(classes.element_type(), ElementType::Int64);
    assert_eq!(classes.to_bytes().unwrap(), [(-1i64).to_le_bytes(), (1i64 << 62).to_le_bytes()].concat());
    assert_eq!(values(half), [0.5, -2.0, 65504.0, 2f64.powi(-24), f64::INFINITY]);
    assert_eq!((weights.shape(), values(weights)), (vec![2, 3], vec![0.0, 0.25, 0.5, 0.75, 1.0, 1.25]));
    // What we write of it, apart from the half precision, has the same numbers, and is read by us.
    let again: Vec<(String, &Tensor)> = read.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
    let twice = from_safetensors(&to_safetensors(&again).unwrap()).unwrap();
    let bytes = |read: &[(String, Tensor)]| read.iter().map(|(_, it)| it.to_bytes().unwrap()).collect::<Vec<_>>();
    assert_eq!(bytes(&twice), bytes(&read));
}
