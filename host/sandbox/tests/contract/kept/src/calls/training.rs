//! `stepwell:tensor/training`: every loss, optimiser and schedule once.

use super::Calls;
use stepwell::tensor::{
    Adamw, CosineDecay, Decay, Distance, Method, Optimiser, Schedule, Sgd, StepDecay, Variable, binary_cross_entropy,
    cross_entropy, gradients, learning_rate, regression_loss,
};
use stepwell::{Result, Tensor};

pub(super) fn call(calls: &mut Calls) -> Result<()> {
    rates(calls)?;
    losses(calls)?;
    let weights = Variable::create("weights", &Tensor::from_f64(&[1.0, -2.0])?)?;
    weights.set(&Tensor::from_f64(&[2.0, -1.0])?)?;
    let loss = || weights.value()?.square()?.sum();
    gradients(&loss()?, &[&weights])?.into_iter().for_each(|tensor| calls.tensor("gradients", Ok(tensor)));
    for method in [
        Method::Sgd(Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.1 }),
        Method::Adamw(Adamw { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 }),
    ] {
        let optimiser = Optimiser::create(method, &[&weights])?;
        calls.number("step", optimiser.step(&loss()?, 0.1, Some(1.0))?);
        let state = optimiser.save()?;
        let state: Vec<_> = state.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
        optimiser.restore(&state)?;
        calls.number("apply", optimiser.apply(&[&weights.value()?], 0.1, None)?);
        calls.tensor("value", weights.value());
    }
    Ok(())
}

fn rates(calls: &mut Calls) -> Result<()> {
    for decay in [
        Decay::Constant,
        Decay::Step(StepDecay { every: 2, factor: 0.5 }),
        Decay::Exponential(0.5),
        Decay::Cosine(CosineDecay { steps: 8, last_rate: 0.1 }),
    ] {
        calls.number("learning-rate", learning_rate(Schedule { rate: 1.0, warm_up: 1, decay }, 5)?);
    }
    Ok(())
}

fn losses(calls: &mut Calls) -> Result<()> {
    let (scores, targets) = (Tensor::from_f64(&[0.5, -1.5])?, Tensor::from_f64(&[1.0, 0.0])?);
    calls.tensor("binary-cross-entropy", binary_cross_entropy(&scores, &targets, Some(&targets)));
    for distance in [Distance::Squared, Distance::Absolute, Distance::Huber(1.0), Distance::Quantile(0.9)] {
        calls.tensor("regression-loss", regression_loss(distance, &scores, &targets, None));
    }
    calls.tensor("cross-entropy", cross_entropy(&scores.reshape(&[1, 2])?, &Tensor::from_i64(&[1])?));
    Ok(())
}
