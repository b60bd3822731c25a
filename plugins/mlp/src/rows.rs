//! A table -> rows in the host, and batches of them. The guest never holds more than a batch's categories and the order of
//! the rows.

use crate::columns::{self, Input};
use crate::network::Batch;
use serde::{Deserialize, Serialize};
use stepwell::tensor::{Comparison, ElementType::Float32, binary_cross_entropy, cross_entropy};
use stepwell::{Classes, Error, Moments, Result, Table, Tensor, Training};

/// What a network's scores mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Meaning {
    /// A number, less `mean` and divided by `deviation`, so that a label of any size is learnt alike.
    Number {
        mean: f64,
        deviation: f64,
    },
    Classes(Classes),
}

/// Rows with what they are to be predicted as.
pub(crate) struct Rows {
    numbers: Option<Tensor>,
    places: Vec<Tensor>,
    /// [rows, 1] of float32: the scaled label, or the class's place.
    targets: Tensor,
    /// [rows, 1] of float32, of mean 1.
    weights: Option<Tensor>,
    pub(crate) count: usize,
}

/// Some of the rows.
pub(crate) struct Chosen {
    pub(crate) batch: Batch,
    targets: Tensor,
    weights: Option<Tensor>,
}

impl Meaning {
    pub(crate) fn of_numbers(training: &Training, label: &str) -> Result<Self> {
        let moments = Moments::of(&training.train, &[label.to_string()], training.weight.as_deref())?;
        let deviation = (moments.product(0, 0) / moments.weight).sqrt();
        Ok(Self::Number { mean: moments.means[0], deviation: if deviation > 0.0 { deviation } else { 1.0 } })
    }

    pub(crate) fn scores(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::Classes(classes) => classes.scores(),
        }
    }

    fn targets(&self, table: &Table, label: &str) -> Result<Tensor> {
        match self {
            Self::Number { mean, deviation } => {
                let column = [label.to_string()];
                // Centred in float64: a year has no digits left in float32 otherwise.
                let numbers = Tensor::from_table(table, &column, stepwell::tensor::ElementType::Float64)?;
                (&(&numbers - *mean)? * (1.0 / deviation))?.cast(Float32)
            }
            Self::Classes(classes) => classes.places(table, label)?.cast(Float32),
        }
    }
}

impl Rows {
    pub(crate) fn new(
        training: &Training,
        table: &Table,
        inputs: &[Input],
        label: &str,
        meaning: &Meaning,
    ) -> Result<Self> {
        let count = table.rows() as usize;
        if count == 0 {
            return Err(Error::invalid(label, "expected rows to learn from and to judge by, got none"));
        }
        let weights = match training.weights(table)? {
            Some(weights) => Some((&weights * (count as f64 / weights.sum()?.item()?))?.cast(Float32)?),
            None => None,
        };
        Ok(Self {
            numbers: columns::number_tensor(table, inputs)?,
            places: columns::place_tensors(table, inputs)?,
            targets: meaning.targets(table, label)?,
            weights,
            count,
        })
    }

    pub(crate) fn choose(&self, positions: &[u32]) -> Result<Chosen> {
        let of = |tensor: &Tensor| tensor.index_select(0, positions);
        let places = |tensor: &Tensor| {
            let places = of(tensor)?.to_f32()?;
            Ok(places.into_iter().map(|place| place as u32).collect())
        };
        let batch = Batch {
            numbers: self.numbers.as_ref().map(of).transpose()?,
            places: self.places.iter().map(places).collect::<Result<_>>()?,
        };
        Ok(Chosen { batch, targets: of(&self.targets)?, weights: self.weights.as_ref().map(of).transpose()? })
    }
}

impl Chosen {
    /// The mean loss of the rows' scores: squared error of the scaled label, or log loss.
    pub(crate) fn loss(&self, scores: &Tensor, meaning: &Meaning) -> Result<Tensor> {
        match (meaning, &self.weights) {
            (Meaning::Number { .. }, weights) => {
                let errors = (scores - &self.targets)?.square()?;
                weights.as_ref().map_or_else(|| errors.mean(), |weights| (&errors * weights)?.mean())
            }
            (Meaning::Classes(classes), weights) if classes.scores() == 1 => {
                binary_cross_entropy(scores, &self.targets, weights.as_ref())
            }
            (Meaning::Classes(_), None) => {
                let rows = self.targets.shape()[0];
                cross_entropy(scores, &self.targets.reshape(&[rows])?)
            }
            (Meaning::Classes(classes), Some(weights)) => {
                let each: Vec<f32> = (0..classes.scores()).map(|place| place as f32).collect();
                let one_hot = self.targets.compare(Comparison::Eq, &Tensor::from_f32(&each)?)?;
                let wanted = (&one_hot * weights)?;
                let rows = f64::from(self.targets.shape()[0]);
                &(&scores.log_softmax(1)? * &wanted)?.sum()? * (-1.0 / rows)
            }
        }
    }
}
