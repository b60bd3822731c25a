//! `stepwell:tensor/training`: variables, optimisers, gradients, losses.

use crate::bindings::stepwell::tensor::training::{self as wit, Host, HostOptimiser, HostVariable};
use crate::state::{Answer, State};
use tensors::{Optimiser, Tensor, Variable};
use wasmtime::component::Resource;

fn method_in(method: wit::Method) -> tensors::Method {
    match method {
        wit::Method::Sgd(wit::Sgd { momentum, nesterov, weight_decay }) => {
            tensors::Method::Sgd(tensors::Sgd { momentum, nesterov, weight_decay })
        }
        wit::Method::Adamw(wit::Adamw { beta1, beta2, epsilon, weight_decay }) => {
            tensors::Method::Adamw(tensors::Adamw { beta1, beta2, epsilon, weight_decay })
        }
    }
}

fn decay_in(decay: wit::Decay) -> tensors::Decay {
    match decay {
        wit::Decay::Constant => tensors::Decay::Constant,
        wit::Decay::Step(wit::StepDecay { every, factor }) => tensors::Decay::Step { every, factor },
        wit::Decay::Exponential(factor) => tensors::Decay::Exponential(factor),
        wit::Decay::Cosine(wit::CosineDecay { steps, last_rate }) => tensors::Decay::Cosine { steps, last_rate },
    }
}

fn distance_in(distance: wit::Distance) -> tensors::Distance {
    match distance {
        wit::Distance::Squared => tensors::Distance::Squared,
        wit::Distance::Absolute => tensors::Distance::Absolute,
        wit::Distance::Huber(delta) => tensors::Distance::Huber(delta),
        wit::Distance::Quantile(quantile) => tensors::Distance::Quantile(quantile),
    }
}

impl State {
    fn variables(&self, handles: &[Resource<Variable>]) -> Answer<Vec<Variable>> {
        handles.iter().map(|handle| Ok(self.resources.get(handle)?.clone())).collect()
    }
}

impl Host for State {
    fn gradients(
        &mut self,
        loss: Resource<Tensor>,
        variables: Vec<Resource<Variable>>,
    ) -> Answer<Vec<Resource<Tensor>>> {
        self.enter()?;
        let variables = self.variables(&variables)?;
        let made = tensors::gradients(self.resources.get(&loss)?, &variables.iter().collect::<Vec<_>>());
        let gradients = self.computed(made)?;
        gradients.into_iter().map(|gradient| self.hold(gradient)).collect()
    }

    fn binary_cross_entropy(
        &mut self,
        logits: Resource<Tensor>,
        targets: Resource<Tensor>,
        weights: Option<Resource<Tensor>>,
    ) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let weights = weights.map(|weights| self.resources.get(&weights)).transpose()?;
        let (logits, targets) = (self.resources.get(&logits)?, self.resources.get(&targets)?);
        let made = tensors::binary_cross_entropy(logits, targets, weights);
        let loss = self.computed(made)?;
        self.hold(loss)
    }

    fn regression_loss(
        &mut self,
        distance: wit::Distance,
        predictions: Resource<Tensor>,
        targets: Resource<Tensor>,
        weights: Option<Resource<Tensor>>,
    ) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let weights = weights.map(|weights| self.resources.get(&weights)).transpose()?;
        let (predictions, targets) = (self.resources.get(&predictions)?, self.resources.get(&targets)?);
        let made = tensors::regression_loss(distance_in(distance), predictions, targets, weights);
        let loss = self.computed(made)?;
        self.hold(loss)
    }

    fn learning_rate(&mut self, schedule: wit::Schedule, step: u64) -> Answer<f64> {
        self.enter()?;
        let wit::Schedule { rate, warm_up, decay } = schedule;
        Ok(tensors::learning_rate(tensors::Schedule { rate, warm_up, decay: decay_in(decay) }, step)?)
    }

    fn cross_entropy(&mut self, logits: Resource<Tensor>, targets: Resource<Tensor>) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let made = tensors::cross_entropy(self.resources.get(&logits)?, self.resources.get(&targets)?);
        let loss = self.computed(made)?;
        self.hold(loss)
    }
}

impl HostVariable for State {
    fn create(&mut self, name: String, initial: Resource<Tensor>) -> Answer<Resource<Variable>> {
        self.enter()?;
        let variable = Variable::create(&name, self.resources.get(&initial)?);
        let variable = self.computed(variable)?;
        self.hold(variable)
    }

    fn value(&mut self, variable: Resource<Variable>) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let value = self.resources.get(&variable)?.value();
        self.hold(value)
    }

    fn set(&mut self, variable: Resource<Variable>, value: Resource<Tensor>) -> Answer<()> {
        self.enter()?;
        let set = self.resources.get(&variable)?.set(self.resources.get(&value)?);
        self.computed(set)
    }

    fn drop(&mut self, variable: Resource<Variable>) -> wasmtime::Result<()> {
        self.let_go(variable)?;
        Ok(())
    }
}

impl HostOptimiser for State {
    fn create(&mut self, method: wit::Method, variables: Vec<Resource<Variable>>) -> Answer<Resource<Optimiser>> {
        self.enter()?;
        let variables = self.variables(&variables)?;
        let optimiser = Optimiser::create(method_in(method), &variables.iter().collect::<Vec<_>>());
        let optimiser = self.computed(optimiser)?;
        self.hold(optimiser)
    }

    fn step(
        &mut self,
        optimiser: Resource<Optimiser>,
        loss: Resource<Tensor>,
        learning_rate: f64,
        clip_norm: Option<f64>,
    ) -> Answer<f64> {
        self.enter()?;
        let loss = self.resources.get(&loss)?.clone();
        let stepped = self.resources.get_mut(&optimiser)?.step(&loss, learning_rate, clip_norm);
        self.computed(stepped)
    }

    fn apply(
        &mut self,
        optimiser: Resource<Optimiser>,
        gradients: Vec<Resource<Tensor>>,
        learning_rate: f64,
        clip_norm: Option<f64>,
    ) -> Answer<f64> {
        self.enter()?;
        let gradients = gradients.iter().map(|gradient| Ok(self.resources.get(gradient)?.clone()));
        let gradients = gradients.collect::<Answer<Vec<Tensor>>>()?;
        let gradients: Vec<&Tensor> = gradients.iter().collect();
        let stepped = self.resources.get_mut(&optimiser)?.apply(&gradients, learning_rate, clip_norm);
        self.computed(stepped)
    }

    fn save(&mut self, optimiser: Resource<Optimiser>) -> Answer<Vec<(String, Resource<Tensor>)>> {
        self.enter()?;
        let saved = self.resources.get(&optimiser)?.save();
        let state = self.computed(saved)?;
        self.hold_named(state)
    }

    fn restore(&mut self, optimiser: Resource<Optimiser>, state: Vec<(String, Resource<Tensor>)>) -> Answer<()> {
        self.enter()?;
        let state: Vec<(String, Tensor)> =
            self.named(&state)?.into_iter().map(|(name, tensor)| (name, tensor.clone())).collect();
        let state: Vec<(String, &Tensor)> = state.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
        let restored = self.resources.get_mut(&optimiser)?.restore(&state);
        self.computed(restored)
    }

    fn drop(&mut self, optimiser: Resource<Optimiser>) -> wasmtime::Result<()> {
        self.let_go(optimiser)?;
        Ok(())
    }
}
