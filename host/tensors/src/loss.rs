//! Predictions and truth -> one number to make small.

use crate::{Binary, ElementType, Error, Reduction, Tensor, Unary, tensor};
use candle_core::{Device, Tensor as Array};

/// Mean of log(1 + exp(x)) - x y over all elements, each times its weight; the weights are not normalised, as in PyTorch.
pub fn binary_cross_entropy(logits: &Tensor, targets: &Tensor, weights: Option<&Tensor>) -> Result<Tensor, Error> {
    expect_like(logits, "targets", targets)?;
    expect_elements(logits)?;
    let each = logits.softplus()?.binary(Binary::Sub, &logits.binary(Binary::Mul, targets)?)?;
    let weighted = match weights {
        Some(weights) => {
            expect_like(logits, "weights", weights)?;
            each.binary(Binary::Mul, weights)?
        }
        None => each,
    };
    weighted.reduce(Reduction::Mean, None, false)
}

/// Mean over rows of -log-softmax(logits [rows, classes]) at `targets` [rows], class positions held as numbers.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor, Error> {
    let [rows, classes] = *logits.dims() else {
        let got = format!("shape {:?}", logits.dims());
        return Err(Error::Shape { operation: "cross-entropy", expected: "logits [rows, classes]".to_owned(), got });
    };
    expect_elements(logits)?;
    targets.expect_type("targets", logits.element_type())?;
    if targets.dims() != [rows] {
        let got = format!("targets {:?}", targets.dims());
        return Err(Error::Shape { operation: "cross-entropy", expected: format!("targets [{rows}]"), got });
    }
    let positions = class_positions(targets, classes)?;
    let positions = Array::from_vec(positions, (rows, 1), &Device::Cpu)?;
    let picked = logits.log_softmax(1)?.gather(positions, 1)?;
    picked.reduce(Reduction::Mean, None, false)?.unary(Unary::Neg)
}

fn class_positions(targets: &Tensor, classes: usize) -> Result<Vec<u32>, Error> {
    let bytes = tensor::bytes(&targets.cast(ElementType::Float64)?.value)?;
    let (values, _) = bytes.as_chunks::<8>();
    let position = |(row, &bytes): (usize, &[u8; 8])| {
        let value = f64::from_le_bytes(bytes);
        match value >= 0.0 && value < classes as f64 && value.fract() == 0.0 {
            true => Ok(value as u32),
            false => {
                let reason = format!("holds {value} in row {row}, expected a class from 0 to {}", classes - 1);
                Err(Error::invalid("targets", reason))
            }
        }
    };
    values.iter().enumerate().map(position).collect()
}

fn expect_like(logits: &Tensor, name: &'static str, other: &Tensor) -> Result<(), Error> {
    other.expect_type(name, logits.element_type())?;
    match logits.dims() == other.dims() {
        true => Ok(()),
        false => Err(Error::Shape {
            operation: "binary-cross-entropy",
            expected: format!("{name} of shape {:?} as the logits", logits.dims()),
            got: format!("{:?}", other.dims()),
        }),
    }
}

fn expect_elements(logits: &Tensor) -> Result<(), Error> {
    match logits.is_vacant() {
        true => Err(Error::invalid("logits", format!("has shape {:?}, expected at least one element", logits.dims()))),
        false => Ok(()),
    }
}
