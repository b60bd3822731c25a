//! Gradients and a learning rate -> the next value of each variable.

use crate::{Error, Tensor, Variable, gradients};
use candle_core::{DType, Result as Native, Tensor as Array};

/// Stochastic gradient descent as in PyTorch: g += weight-decay x; v = momentum v + g; x -= rate (g + momentum v if nesterov,
/// else v).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    pub momentum: f64,
    pub nesterov: bool,
    pub weight_decay: f64,
}

/// AdamW (Loshchilov and Hutter, 2019) as in PyTorch: x -= rate weight-decay x; m and v are the running means of g and g^2;
/// x -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adamw {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

/// How an optimiser steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    Sgd(Sgd),
    Adamw(Adamw),
}

/// Steps variables, and remembers what its method needs of each.
#[derive(Debug)]
pub struct Optimiser {
    method: Method,
    variables: Vec<Variable>,
    /// One a variable: momentum, or the means of the gradient and of its square.
    memories: Vec<Memory>,
    steps: u64,
}

#[derive(Debug, Clone, Default)]
struct Memory {
    first: Option<Array>,
    second: Option<Array>,
}

impl Optimiser {
    /// For these variables, each once.
    pub fn create(method: Method, variables: &[&Variable]) -> Result<Self, Error> {
        check_method(method)?;
        if variables.is_empty() {
            return Err(Error::invalid("variables", "is empty, expected at least one variable"));
        }
        let repeated = |&i: &usize| variables[..i].iter().any(|earlier| earlier.is(variables[i]));
        if let Some(i) = (1..variables.len()).find(repeated) {
            return Err(Error::invalid(variables[i].name(), "stands twice among the variables"));
        }
        let variables: Vec<_> = variables.iter().map(|&variable| variable.clone()).collect();
        Ok(Self { method, memories: vec![Memory::default(); variables.len()], variables, steps: 0 })
    }

    /// Bytes that the method remembers, from the first step on.
    pub fn bytes(&self) -> u64 {
        let copies = match self.method {
            Method::Sgd(sgd) => u64::from(sgd.momentum > 0.0),
            Method::Adamw(_) => 2,
        };
        copies * self.variables.iter().map(Variable::bytes).sum::<u64>()
    }

    /// Backward from a loss of one element, then one step of every variable; no variable changes if any has no gradient.
    /// Gradients whose norm together is above `clip_norm` are scaled down to it. Returns the norm before that.
    pub fn step(&mut self, loss: &Tensor, learning_rate: f64, clip_norm: Option<f64>) -> Result<f64, Error> {
        within("learning-rate", learning_rate, 0.0, f64::INFINITY)?;
        if let Some(clip) = clip_norm {
            within("clip-norm", clip, f64::MIN_POSITIVE, f64::INFINITY)?;
        }
        let gradients = gradients(loss, &self.variables.iter().collect::<Vec<_>>())?;
        let squares = gradients.iter().map(|gradient| sum_of_squares(&gradient.value)).collect::<Native<Vec<_>>>()?;
        let norm = squares.iter().sum::<f64>().sqrt();
        // As in PyTorch, epsilon included.
        let scale = clip_norm.map(|clip| clip / (norm + 1e-6)).filter(|&scale| scale < 1.0);
        self.steps += 1;
        for ((variable, memory), gradient) in self.variables.iter().zip(&mut self.memories).zip(gradients) {
            let gradient = match scale {
                Some(scale) => (gradient.value * scale)?,
                None => gradient.value,
            };
            if gradient.elem_count() > 0 {
                let value = next(self.method, memory, self.steps, learning_rate, variable.array(), gradient)?;
                variable.replace(value);
            }
        }
        Ok(norm)
    }
}

fn check_method(method: Method) -> Result<(), Error> {
    match method {
        Method::Sgd(Sgd { momentum, nesterov, weight_decay }) => {
            within("momentum", momentum, 0.0, f64::INFINITY)?;
            within("weight-decay", weight_decay, 0.0, f64::INFINITY)?;
            match nesterov && momentum == 0.0 {
                true => Err(Error::invalid("nesterov", "is true, expected a momentum above 0 with it")),
                false => Ok(()),
            }
        }
        Method::Adamw(Adamw { beta1, beta2, epsilon, weight_decay }) => {
            within("beta1", beta1, 0.0, 1.0)?;
            within("beta2", beta2, 0.0, 1.0)?;
            within("epsilon", epsilon, 0.0, f64::INFINITY)?;
            within("weight-decay", weight_decay, 0.0, f64::INFINITY)
        }
    }
}

/// A number from `low` to just below `high`. NaN is in no range.
fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), Error> {
    match value >= low && value < high {
        true => Ok(()),
        false => Err(Error::invalid(name, format!("is {value}, expected a number from {low} to below {high}"))),
    }
}

/// In float64: the square of a float32 gradient may overflow its type.
fn sum_of_squares(gradient: &Array) -> Native<f64> {
    if gradient.elem_count() == 0 {
        return Ok(0.0);
    }
    gradient.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()
}

fn next(method: Method, memory: &mut Memory, steps: u64, rate: f64, x: Array, g: Array) -> Native<Array> {
    match method {
        Method::Sgd(sgd) => sgd_next(sgd, memory, rate, x, g),
        Method::Adamw(adamw) => adamw_next(adamw, memory, steps, rate, x, g),
    }
}

fn sgd_next(sgd: Sgd, memory: &mut Memory, rate: f64, x: Array, g: Array) -> Native<Array> {
    let g = if sgd.weight_decay > 0.0 { (g + (&x * sgd.weight_decay)?)? } else { g };
    let direction = if sgd.momentum > 0.0 {
        let velocity = match &memory.first {
            Some(velocity) => ((velocity * sgd.momentum)? + &g)?,
            None => g.clone(),
        };
        memory.first = Some(velocity.clone());
        if sgd.nesterov { (g + (velocity * sgd.momentum)?)? } else { velocity }
    } else {
        g
    };
    x - (direction * rate)?
}

fn adamw_next(adamw: Adamw, memory: &mut Memory, steps: u64, rate: f64, x: Array, g: Array) -> Native<Array> {
    let Adamw { beta1, beta2, epsilon, weight_decay } = adamw;
    let mean = running_mean(&memory.first, &g, beta1)?;
    let square = running_mean(&memory.second, &g.sqr()?, beta2)?;
    let unbiased = |beta: f64| 1.0 - beta.powf(steps as f64);
    let step = (&mean / unbiased(beta1))?;
    let spread = ((&square / unbiased(beta2))?.sqrt()? + epsilon)?;
    (memory.first, memory.second) = (Some(mean), Some(square));
    (x * (1.0 - rate * weight_decay))? - ((step / spread)? * rate)?
}

/// beta before + (1 - beta) now, from 0.
fn running_mean(before: &Option<Array>, now: &Array, beta: f64) -> Native<Array> {
    match before {
        Some(before) => (before * beta)? + (now * (1.0 - beta))?,
        None => now * (1.0 - beta),
    }
}
