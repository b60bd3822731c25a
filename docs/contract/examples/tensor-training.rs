use stepwell::tensor::{ElementType, Method, Optimiser, Sgd, Variable};
use stepwell::{Result, Tensor};

/// The weights [features, 1] of a linear model of `targets` [rows, 1], by gradient descent on the host's cores.
pub fn fitted(features: &Tensor, targets: &Tensor, width: u32) -> Result<Vec<f64>> {
    let weights = Variable::create("weights", &Tensor::full(&[width, 1], ElementType::Float64, 0.0)?)?;
    let method = Method::Sgd(Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0 });
    let optimiser = Optimiser::create(method, &[&weights])?;
    for _ in 0..100 {
        let errors = (&features.matmul(&weights.value()?)? - targets)?;
        optimiser.step(&errors.square()?.mean()?, 0.01, None)?;
    }
    weights.value()?.to_f64()
}
