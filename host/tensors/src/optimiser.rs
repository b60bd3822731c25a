//! Gradients and a learning rate -> the next value of each variable.

use crate::array::{Elements, Real, array, by_real};
use crate::native::{Array, Native};
use crate::step::{Adamw, Memory, Remembered, Sgd, Stride};
use crate::variable::gradients_of;
use crate::{Device, Error, Tensor, Variable, beside};
use std::collections::BTreeMap;

/// How an optimiser steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    Sgd(Sgd),
    Adamw(Adamw),
}

impl Method {
    /// What is remembered of a variable, by the name that a saved state gives it.
    fn memories(self) -> &'static [&'static str] {
        match self {
            Self::Sgd(sgd) if sgd.momentum > 0.0 => &["momentum"],
            Self::Sgd(_) => &[],
            Self::Adamw(_) => &["mean", "square"],
        }
    }

    fn check(self) -> Result<(), Error> {
        match self {
            Self::Sgd(Sgd { momentum, nesterov, weight_decay }) => {
                within("momentum", momentum, 0.0, f64::INFINITY)?;
                within("weight-decay", weight_decay, 0.0, f64::INFINITY)?;
                match nesterov && momentum == 0.0 {
                    true => Err(Error::invalid("nesterov", "is true, expected a momentum above 0 with it")),
                    false => Ok(()),
                }
            }
            Self::Adamw(Adamw { beta1, beta2, epsilon, weight_decay }) => {
                within("beta1", beta1, 0.0, 1.0)?;
                within("beta2", beta2, 0.0, 1.0)?;
                within("epsilon", epsilon, 0.0, f64::INFINITY)?;
                within("weight-decay", weight_decay, 0.0, f64::INFINITY)
            }
        }
    }
}

/// Steps variables, and remembers what its method needs of each.
#[derive(Debug)]
pub struct Optimiser {
    method: Method,
    variables: Vec<Variable>,
    /// One a variable, from the first step on, with the parts that [`Method::memories`] names.
    memories: Vec<Option<Memory>>,
    steps: u64,
}

/// Name of the number of steps in a saved state.
const STEPS: &str = "steps";

impl Optimiser {
    /// For these variables, each once.
    pub fn create(method: Method, variables: &[&Variable]) -> Result<Self, Error> {
        method.check()?;
        if variables.is_empty() {
            return Err(Error::invalid("variables", "is empty, expected at least one variable"));
        }
        let repeated = |&i: &usize| variables[..i].iter().any(|earlier| earlier.is(variables[i]));
        if let Some(i) = (1..variables.len()).find(repeated) {
            return Err(Error::invalid(variables[i].name(), "stands twice among the variables"));
        }
        let variables: Vec<_> = variables.iter().map(|&variable| variable.clone()).collect();
        Ok(Self { method, memories: vec![None; variables.len()], variables, steps: 0 })
    }

    /// Bytes that the method remembers, from the first step on.
    pub fn bytes(&self) -> u64 {
        self.method.memories().len() as u64 * self.variables.iter().map(Variable::bytes).sum::<u64>()
    }

    /// Backward from a loss of one element, then one step of every variable; no variable changes if any has no gradient.
    /// Gradients whose norm together is above `clip_norm` are scaled down to it. Returns the norm before that.
    pub fn step(&mut self, loss: &Tensor, learning_rate: f64, clip_norm: Option<f64>) -> Result<f64, Error> {
        let gradients = gradients_of("step", loss, &self.variables.iter().collect::<Vec<_>>())?;
        self.apply(&gradients.iter().collect::<Vec<_>>(), learning_rate, clip_norm)
    }

    /// As [`Optimiser::step`], with a gradient a variable, in their order.
    pub fn apply(&mut self, gradients: &[&Tensor], learning_rate: f64, clip_norm: Option<f64>) -> Result<f64, Error> {
        within("learning-rate", learning_rate, 0.0, f64::INFINITY)?;
        if let Some(clip) = clip_norm {
            within("clip-norm", clip, f64::MIN_POSITIVE, f64::INFINITY)?;
        }
        if gradients.len() != self.variables.len() {
            let reason = format!("has {} tensors, expected one for each of {}", gradients.len(), self.variables.len());
            return Err(Error::invalid("gradients", reason));
        }
        for (variable, gradient) in self.variables.iter().zip(gradients) {
            gradient.expect_type(variable.name(), variable.value().element_type())?;
            gradient.expect_shape("apply", variable.name(), variable.array().dims())?;
        }
        let squares =
            gradients.iter().map(|gradient| by_real!(gradient.value, T => sum_of_squares::<T>(&gradient.value)));
        let norm = squares.sum::<Native<f64>>()?.sqrt();
        // As in PyTorch, epsilon included.
        let scale = clip_norm.map_or(1.0, |clip| (clip / (norm + 1e-6)).min(1.0));
        self.steps += 1;
        let stride = Stride { number: self.steps, rate: learning_rate, scale };
        for (i, gradient) in gradients.iter().enumerate() {
            by_real!(gradient.value, T => self.step_one::<T>(i, &gradient.value, stride))?;
        }
        Ok(norm)
    }

    fn step_one<T: Remembered>(&mut self, i: usize, gradient: &Array, stride: Stride) -> Native<()> {
        let (x, gradient) = (self.variables[i].array(), gradient.contiguous()?);
        if x.is_beside() {
            return self.step_beside(i, &x, &gradient, stride);
        }
        let parts = self.method.memories().len();
        let memory = self.memories[i].get_or_insert_with(|| Memory::new::<T>(parts, x.elem_count()));
        let (elements, gradient) = (Elements::<T>::of(&x)?, Elements::<T>::of(&gradient)?);
        let next = match self.method {
            Method::Sgd(sgd) => sgd.next(&elements, &gradient, memory, stride),
            Method::Adamw(adamw) => adamw.next(&elements, &gradient, memory, stride),
        };
        self.variables[i].replace(array(next, x.dims())?);
        Ok(())
    }

    fn step_beside(&mut self, i: usize, x: &Array, gradient: &Array, stride: Stride) -> Native<()> {
        let parts = self.method.memories().len();
        if x.elem_count() == 0 {
            return Ok(());
        }
        let before = match &self.memories[i] {
            Some(Memory::Beside(parts)) => parts.clone(),
            _ => (0..parts).map(|_| beside::zeros_like(x)).collect::<Native<Vec<_>>>()?,
        };
        let (next, memory) = match self.method {
            Method::Sgd(sgd) => sgd.next_beside(x, gradient, before, stride),
            Method::Adamw(adamw) => adamw.next_beside(x, gradient, before, stride),
        }?;
        self.memories[i] = Some(Memory::Beside(memory));
        self.variables[i].replace(next);
        Ok(())
    }

    /// What it remembers, by name.
    pub fn save(&self) -> Result<Vec<(String, Tensor)>, Error> {
        let steps = Tensor::constant(array(vec![self.steps as i64], &[])?);
        let mut state = BTreeMap::from([(STEPS.to_owned(), steps)]);
        for (variable, memory) in self.variables.iter().zip(&self.memories) {
            let x = variable.array();
            for (i, name) in self.method.memories().iter().enumerate() {
                let part = remembered(&x, memory.as_ref(), i)?;
                if state.insert(format!("{}.{name}", variable.name()), Tensor::constant(part)).is_some() {
                    return Err(Error::invalid(
                        variable.name(),
                        "is the name of two variables, which no state can hold",
                    ));
                }
            }
        }
        Ok(state.into_iter().collect())
    }

    /// Takes back what `save` of an optimiser of the same method and variables gave.
    pub fn restore(&mut self, state: &[(String, &Tensor)]) -> Result<(), Error> {
        let given: BTreeMap<&str, &Tensor> = state.iter().map(|(name, tensor)| (name.as_str(), *tensor)).collect();
        let expected = self.save()?;
        for (name, like) in &expected {
            let Some(tensor) = given.get(name.as_str()) else {
                return Err(Error::invalid(name, "is missing from the state of the optimiser"));
            };
            tensor.expect_type(name, like.element_type())?;
            tensor.expect_shape("restore", name, like.dims())?;
        }
        if let Some((name, _)) =
            state.iter().find(|(name, _)| expected.binary_search_by(|(it, _)| it.cmp(name)).is_err())
        {
            return Err(Error::invalid(name, "is in the state, but this optimiser remembers no such thing"));
        }
        let steps = given.get(STEPS).map_or(Ok(0.0), |steps| steps.item())?;
        if !(0.0..=(1u64 << 53) as f64).contains(&steps) {
            return Err(Error::invalid(STEPS, format!("is {steps}, expected a number of steps")));
        }
        for i in 0..self.variables.len() {
            let names = self.method.memories().iter().map(|name| format!("{}.{name}", self.variables[i].name()));
            let parts: Vec<&Array> = names.filter_map(|name| given.get(name.as_str()).map(|it| &it.value)).collect();
            let x = self.variables[i].array();
            self.memories[i] = Some(match x.is_beside() {
                true => Memory::Beside(parts.iter().map(|part| part.on(&x.device())).collect::<Native<_>>()?),
                false => by_real!(x, T => Memory::from_parts::<T>(&parts))?,
            });
        }
        self.steps = steps as u64;
        Ok(())
    }
}

/// A part of what is remembered of a variable; zeros before the first step.
fn remembered(x: &Array, memory: Option<&Memory>, part: usize) -> Native<Array> {
    match memory {
        Some(Memory::Beside(parts)) => parts.get(part).map_or_else(|| beside::zeros_like(x), |part| Ok(part.clone())),
        _ if x.is_beside() => beside::zeros_like(x),
        memory => by_real!(x, T => {
            let part = memory.cloned().and_then(|mut memory| Some(T::parts(&mut memory)?[part].clone()));
            array(part.unwrap_or_else(|| vec![T::default(); x.elem_count()]), x.dims())
        }),
    }
}

/// A number from `low` to just below `high`. NaN is in no range.
pub(crate) fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), Error> {
    match value >= low && value < high {
        true => Ok(()),
        false => Err(Error::invalid(name, format!("is {value}, expected a number from {low} to below {high}"))),
    }
}

/// In float64: the square of a float32 gradient may overflow its type.
fn sum_of_squares<T: Real>(gradient: &Array) -> Native<f64> {
    if gradient.elem_count() == 0 {
        return Ok(0.0);
    }
    let gradient = gradient.contiguous()?;
    if gradient.is_beside() {
        let wide = gradient.reshape(gradient.elem_count())?.as_type(candle_core::DType::F64)?;
        let sum = wide.times(&wide)?.sum(0)?.on(&Device::default())?;
        return Ok(Elements::<f64>::of(&sum)?.first().copied().unwrap_or_default());
    }
    let elements = Elements::<T>::of(&gradient)?;
    let (chunks, rest) = elements.as_chunks::<8>();
    let mut sides = [0.0; 8];
    for chunk in chunks {
        sides.iter_mut().zip(chunk).for_each(|(side, value)| *side += value.wide() * value.wide());
    }
    Ok(sides.iter().sum::<f64>() + rest.iter().map(|value| value.wide() * value.wide()).sum::<f64>())
}
