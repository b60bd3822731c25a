//! Gradients -> the next values, by the formulas of the host's optimisers. What they remember lies in plain tensors here,
//! because a checkpoint has to hold it.

use crate::params::{Method, Params};
use stepwell::tensor::{Unary, Variable, gradients};
use stepwell::{Error, Result, Tensor};

/// AdamW's (Loshchilov and Hutter, 2019) usual rates of forgetting, and what keeps it from dividing by 0.
const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// What is remembered of each variable.
pub(crate) struct Optimiser {
    method: Method,
    momentum: f64,
    weight_decay: f64,
    clip_norm: Option<f64>,
    /// sgd: one tensor a variable, its velocity. adamw: two, the mean gradient and the mean squared one.
    pub(crate) memory: Vec<Vec<Tensor>>,
}

impl Optimiser {
    /// Tensors that are remembered of a variable.
    pub(crate) fn depth(method: Method) -> usize {
        match method {
            Method::Adamw => 2,
            Method::Sgd => 1,
        }
    }

    /// That remembers nothing yet.
    pub(crate) fn new(params: &Params, variables: &[Variable]) -> Result<Self> {
        let zeros = |variable: &Variable| {
            let value = variable.value()?;
            let zero = || Tensor::full(&value.shape(), value.element_type(), 0.0);
            (0..Self::depth(params.optimiser)).map(|_| zero()).collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            method: params.optimiser,
            momentum: params.momentum(),
            weight_decay: params.weight_decay,
            clip_norm: params.clip_norm,
            memory: variables.iter().map(zeros).collect::<Result<_>>()?,
        })
    }

    /// One step down from a loss; `step` counts from 0.
    pub(crate) fn step(&mut self, loss: &Tensor, variables: &[Variable], rate: f64, step: u64) -> Result<()> {
        let mut slopes = gradients(loss, &variables.iter().collect::<Vec<_>>())?;
        if let Some(most) = self.clip_norm {
            let squares = slopes.iter().map(|slope| slope.square()?.sum()?.item()).collect::<Result<Vec<_>>>()?;
            let norm = squares.iter().sum::<f64>().sqrt();
            if norm > most {
                slopes = slopes.iter().map(|slope| slope * (most / norm)).collect::<Result<_>>()?;
            }
        }
        for ((variable, memory), slope) in variables.iter().zip(&mut self.memory).zip(&slopes) {
            let value = variable.value()?;
            let next = match (self.method, memory.as_mut_slice()) {
                (Method::Sgd, [velocity]) => {
                    let pull = (slope + &(&value * self.weight_decay)?)?;
                    *velocity = (&(&*velocity * self.momentum)? + &pull)?;
                    (&value - &(&*velocity * rate)?)?
                }
                (Method::Adamw, [mean, square]) => {
                    *mean = blended(mean, slope, BETAS[0])?;
                    *square = blended(square, &slope.square()?, BETAS[1])?;
                    let [seen, seen_square] = BETAS.map(|beta| 1.0 - beta.powf((step + 1) as f64));
                    let spread = (&(&*square * (1.0 / seen_square))?.unary(Unary::Sqrt)? + EPSILON)?;
                    let stride = (&*mean / &spread)?;
                    (&(&value * (1.0 - rate * self.weight_decay))? - &(&stride * (rate / seen))?)?
                }
                _ => return Err(Error::permanent("expected what the optimiser remembers of each variable")),
            };
            variable.set(&next)?;
        }
        Ok(())
    }
}

fn blended(old: &Tensor, new: &Tensor, beta: f64) -> Result<Tensor> {
    &(old * beta)? + &(new * (1.0 - beta))?
}
