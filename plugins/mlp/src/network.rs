//! The layers: their arrays, how they begin, and what they make of a batch in the host.

use crate::columns::{self, Input, Vocabulary};
use crate::params::Activation;
use serde::{Deserialize, Serialize};
use stepwell::tensor::{Comparison, ElementType::Float32, Unary, Variable};
use stepwell::{Result, Rng, Tensor};

/// What a network is, without its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Architecture {
    pub(crate) inputs: Vec<Input>,
    pub(crate) hidden: Vec<usize>,
    pub(crate) activation: Activation,
    pub(crate) outputs: usize,
}

/// An array of learnt numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
}

/// Rows on their way through the network.
pub(crate) struct Batch {
    /// [rows, numbers]
    pub(crate) numbers: Option<Tensor>,
    /// Of each categorical feature the rows' places in its vocabulary.
    pub(crate) places: Vec<Vec<u32>>,
}

/// What is left out of a training step.
#[derive(Clone, Copy)]
pub(crate) struct Dropout {
    pub(crate) share: f64,
    pub(crate) seed: u64,
}

impl Architecture {
    /// The arrays in their order: an embedding a categorical feature, then weights [inputs, outputs] and bias of each layer.
    pub(crate) fn arrays(&self) -> Vec<Array> {
        let embedding = |(name, vocabulary): (&str, &Vocabulary)| Array {
            name: format!("embedding.{name}"),
            shape: vec![vocabulary.rows(), vocabulary.width],
        };
        let mut arrays: Vec<Array> = columns::categories(&self.inputs).map(embedding).collect();
        let mut width = self.width();
        for (number, outputs) in self.layers().enumerate() {
            arrays.push(Array { name: format!("layer{}.weight", number + 1), shape: vec![width, outputs] });
            arrays.push(Array { name: format!("layer{}.bias", number + 1), shape: vec![outputs] });
            width = outputs;
        }
        arrays
    }

    /// Numbers that the first layer reads.
    pub(crate) fn width(&self) -> usize {
        let embedded: usize = columns::categories(&self.inputs).map(|(_, vocabulary)| vocabulary.width).sum();
        columns::numbers(&self.inputs).len() + embedded
    }

    fn layers(&self) -> impl Iterator<Item = usize> {
        self.hidden.iter().copied().chain([self.outputs])
    }

    /// Numbers that are learnt.
    pub(crate) fn numbers(&self) -> u64 {
        let count =
            |array: &Array| array.shape.iter().fold(1_u64, |count, length| count.saturating_mul(*length as u64));
        self.arrays().iter().map(count).fold(0, u64::saturating_add)
    }

    /// Random numbers to begin with, as PyTorch's layers do: weights and biases uniform within 1 / sqrt(inputs). Embeddings are
    /// normal with a deviation of 0.1, so that a category says little before it is learnt.
    pub(crate) fn begin(&self, seed: u64) -> Result<Vec<Tensor>> {
        let mut random = Rng::from_seed(seed).fork("begin");
        let mut inputs = 1;
        let mut begin = |Array { name, shape }: &Array| {
            let lengths: Vec<u32> = shape.iter().map(|length| *length as u32).collect();
            let seed = random.next_u64();
            if name.starts_with("embedding.") {
                return &Tensor::normal(&lengths, Float32, seed)? * 0.1;
            }
            // A layer's weights stand before its bias.
            if shape.len() == 2 {
                inputs = shape[0];
            }
            (&Tensor::uniform(&lengths, Float32, seed)? - 0.5)
                .and_then(|centred| &centred * (2.0 / (inputs as f64).sqrt()))
        };
        self.arrays().iter().map(&mut begin).collect()
    }
}

/// The scores of a batch, [rows, outputs], from variables in the order of the arrays.
pub(crate) fn scores(
    architecture: &Architecture,
    variables: &[Variable],
    batch: &Batch,
    dropout: Option<Dropout>,
) -> Result<Tensor> {
    let (embeddings, layers) = variables.split_at(batch.places.len());
    let embedded = embeddings.iter().zip(&batch.places);
    let embedded = embedded.map(|(embedding, places)| embedding.value()?.index_select(0, places));
    let embedded = embedded.collect::<Result<Vec<_>>>()?;
    let parts: Vec<&Tensor> = batch.numbers.iter().chain(&embedded).collect();
    let mut values = Tensor::concat(&parts, 1)?;
    for (layer, [weight, bias]) in layers.as_chunks().0.iter().enumerate() {
        values = (&values.matmul(&weight.value()?)? + &bias.value()?)?;
        if layer < architecture.hidden.len() {
            values = active(architecture.activation, &values)?;
            if let Some(Dropout { share, seed }) = dropout.filter(|dropout| dropout.share > 0.0) {
                values = dropped(&values, share, seed.wrapping_add(layer as u64))?;
            }
        }
    }
    Ok(values)
}

fn active(activation: Activation, values: &Tensor) -> Result<Tensor> {
    match activation {
        Activation::Relu => values.unary(Unary::Relu),
        Activation::Tanh => values.unary(Unary::Tanh),
        Activation::Sigmoid => values.unary(Unary::Sigmoid),
        Activation::Silu => values * &values.unary(Unary::Sigmoid)?,
    }
}

/// Each element with this chance 0, else larger by as much, so that the mean stays.
fn dropped(values: &Tensor, share: f64, seed: u64) -> Result<Tensor> {
    let drawn = Tensor::uniform(&values.shape(), Float32, seed)?;
    let kept = drawn.compare(Comparison::Ge, &Tensor::full(&[1], Float32, share)?)?;
    &(values * &kept)? * (1.0 / (1.0 - share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_follow_from_columns_and_layers() {
        let vocabulary = Vocabulary { categories: vec!["a".into(), "b".into()], width: 4 };
        let architecture = Architecture {
            inputs: vec![
                Input { name: "city".into(), vocabulary: Some(vocabulary) },
                Input { name: "size".into(), vocabulary: None },
            ],
            hidden: vec![7],
            activation: Activation::Relu,
            outputs: 1,
        };
        let expected = [
            ("embedding.city", vec![3, 4]),
            ("layer1.weight", vec![5, 7]),
            ("layer1.bias", vec![7]),
            ("layer2.weight", vec![7, 1]),
            ("layer2.bias", vec![1]),
        ];
        let expected = expected.map(|(name, shape)| Array { name: name.into(), shape });
        assert_eq!(architecture.arrays(), expected);
        assert_eq!(architecture.numbers(), 12 + 35 + 7 + 7 + 1);
    }
}
