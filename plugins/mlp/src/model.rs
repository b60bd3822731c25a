//! A trained model: its files, and its answers.
//!
//! Rows go through the layers in the guest, each sum in the order of its inputs, so that a row's bits do not depend on how
//! many rows came with it: the host's products of matrices do not promise that.

use crate::columns::{self, Input};
use crate::network::Architecture;
use crate::params::Activation;
use crate::rows::Meaning;
use serde::{Deserialize, Serialize};
use stepwell::{AnyColumn, DataType, Error, Field, Result, SavedFiles, Table, Weights, finite};

const HEADER: &str = "model.json";
const WEIGHTS: &str = "weights.safetensors";
/// Rows that go through the layers together, so that a layer's weights are read once for all.
const BLOCK_ROWS: usize = 64;

/// What stands in `model.json`; the numbers stand in `weights.safetensors`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) architecture: Architecture,
    pub(crate) label: String,
    pub(crate) meaning: Meaning,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) header: Header,
    /// In the order of the architecture's arrays.
    pub(crate) values: Vec<Vec<f32>>,
}

/// A column of a block of rows, as the first layer reads it.
enum Values {
    Numbers(Vec<f32>),
    Places(Vec<u32>),
}

impl Model {
    pub(crate) fn save(&self) -> Result<SavedFiles> {
        let arrays = self.header.architecture.arrays();
        let named = arrays.iter().zip(&self.values);
        let weights = named
            .fold(Weights::new(), |weights, (array, values)| weights.f32(&array.name, &array.shape, values.clone()));
        Ok(SavedFiles::new().json(HEADER, &self.header)?.bytes(WEIGHTS, weights.finite()?.write()?))
    }

    pub(crate) fn load(files: &SavedFiles) -> Result<Self> {
        let header: Header = files.read_json(HEADER)?;
        if header.architecture.outputs != header.meaning.scores() || header.architecture.width() == 0 {
            return Err(Error::invalid(HEADER, "expected an input at least, and as many outputs as scores"));
        }
        let mut weights = Weights::read(WEIGHTS, files.read(WEIGHTS)?)?;
        let arrays = header.architecture.arrays();
        let values = arrays.iter().map(|array| weights.take_f32(&array.name, &array.shape)).collect::<Result<_>>()?;
        Ok(Self { header, values })
    }

    pub(crate) fn predict(&self, rows: &Table) -> Result<Table> {
        let scores = self.scores(rows)?;
        match &self.header.meaning {
            Meaning::Classes(classes) => classes.answer(&scores),
            Meaning::Number { mean, deviation } => {
                let numbers: Vec<f64> = scores.iter().map(|score| mean + deviation * score).collect();
                finite::check_rows("the prediction", &numbers)?;
                Table::builder().column("prediction", numbers).finish()
            }
        }
    }

    /// Row-major.
    fn scores(&self, rows: &Table) -> Result<Vec<f64>> {
        let inputs = &self.header.architecture.inputs;
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let mut scores = Vec::with_capacity(rows.rows() as usize * self.header.architecture.outputs);
        for start in (0..rows.rows()).step_by(BLOCK_ROWS) {
            let block = rows.slice(start, BLOCK_ROWS as u64);
            let read = inputs.iter().zip(block.columns(&names)?);
            let columns = read.map(|(input, column)| values(column, input, start)).collect::<Result<Vec<_>>>()?;
            let entered = self.enter(&columns, block.rows() as usize);
            scores.extend(self.through(entered, block.rows() as usize).into_iter().map(f64::from));
        }
        Ok(scores)
    }

    /// What the first layer reads: the numbers, then the embeddings.
    fn enter(&self, columns: &[Values], rows: usize) -> Vec<f32> {
        let numbers = columns.iter().filter_map(|values| match values {
            Values::Numbers(numbers) => Some(numbers),
            Values::Places(_) => None,
        });
        let places = columns.iter().filter_map(|values| match values {
            Values::Places(places) => Some(places),
            Values::Numbers(_) => None,
        });
        let widths = columns::categories(&self.header.architecture.inputs).map(|(_, vocabulary)| vocabulary.width);
        let embedded: Vec<_> = places.zip(&self.values).zip(widths).collect();
        let numbers: Vec<_> = numbers.collect();
        let mut entered = Vec::with_capacity(rows * self.header.architecture.width());
        for row in 0..rows {
            entered.extend(numbers.iter().map(|numbers| numbers[row]));
            for ((places, embedding), width) in &embedded {
                let start = places[row] as usize * width;
                entered.extend_from_slice(&embedding[start..start + width]);
            }
        }
        entered
    }

    /// Row-major in, row-major out.
    fn through(&self, entered: Vec<f32>, rows: usize) -> Vec<f32> {
        let Architecture { hidden, activation, inputs, .. } = &self.header.architecture;
        let layers = self.values[columns::categories(inputs).count()..].as_chunks().0;
        let mut values = entered;
        for (layer, [weight, bias]) in layers.iter().enumerate() {
            values = dense(&values, weight, bias, rows);
            if layer < hidden.len() {
                values.iter_mut().for_each(|value| *value = active(*activation, *value));
            }
        }
        values
    }
}

/// What the predictor gives.
pub(crate) fn outputs(meaning: &Meaning) -> Vec<Field> {
    match meaning {
        Meaning::Number { .. } => vec![Field::new("prediction", DataType::Float64)],
        Meaning::Classes(classes) => classes.outputs(),
    }
}

/// `start` is the position of the block's first row.
fn values(column: AnyColumn, input: &Input, start: u64) -> Result<Values> {
    let Some(vocabulary) = &input.vocabulary else {
        let numbers = column.into_f64()?.required()?;
        return match numbers.iter().position(|number| !(*number as f32).is_finite()) {
            None => Ok(Values::Numbers(numbers.into_iter().map(|number| number as f32).collect())),
            Some(row) => {
                let (got, row) = (numbers[row], start + row as u64);
                let hint = if got.is_finite() { "; scale the column first, such as with `standardize`" } else { "" };
                let reason =
                    format!("expected a finite number of float32 in every row, got {got:e} in row {row}{hint}");
                Err(Error::invalid(&input.name, reason))
            }
        };
    };
    vocabulary.of_column(column).map(Values::Places)
}

/// Values [rows, inputs] times weight [inputs, outputs], plus bias. Each sum begins with the bias and goes on in the order of
/// the inputs, whatever the number of rows.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn dense(values: &[f32], weight: &[f32], bias: &[f32], rows: usize) -> Vec<f32> {
    let (inputs, outputs) = (values.len() / rows.max(1), bias.len());
    let mut sums = bias.repeat(rows);
    for (input, weight) in weight.chunks_exact(outputs).enumerate() {
        for (row, sums) in sums.chunks_exact_mut(outputs).enumerate() {
            let value = values[row * inputs + input];
            sums.iter_mut().zip(weight).for_each(|(sum, weight)| *sum += value * weight);
        }
    }
    sums
}

fn active(activation: Activation, value: f32) -> f32 {
    match activation {
        Activation::Relu => value.max(0.0),
        Activation::Tanh => value.tanh(),
        Activation::Sigmoid => sigmoid(value),
        Activation::Silu => value * sigmoid(value),
    }
}

/// Without overflow on either side.
fn sigmoid(value: f32) -> f32 {
    if value >= 0.0 {
        1.0 / (1.0 + (-value).exp())
    } else {
        let odds = value.exp();
        odds / (1.0 + odds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Vocabulary;
    use stepwell::{Class, Classes};

    fn model(activation: Activation) -> Model {
        let vocabulary = Vocabulary { categories: vec!["a".into(), "b".into()], width: 2 };
        let inputs = vec![
            Input { name: "city".into(), vocabulary: Some(vocabulary) },
            Input { name: "size".into(), vocabulary: None },
        ];
        let classes = Classes::new(vec![Class::Boolean(false), Class::Boolean(true)]).unwrap();
        let architecture = Architecture { inputs, hidden: vec![2], activation, outputs: 1 };
        let header = Header { architecture, label: "y".into(), meaning: Meaning::Classes(classes) };
        let values = vec![
            vec![0.5, 0.25, 1.0, -1.0, -0.5, 2.0],
            vec![0.1, -0.2, 0.3, 0.4, -0.5, 0.6],
            vec![0.01, -0.02],
            vec![1.5, -2.5],
            vec![0.125],
        ];
        Model { header, values }
    }

    fn columns() -> Vec<Values> {
        vec![Values::Places(vec![0, 2, 1]), Values::Numbers(vec![0.5, -1.0, 3.0])]
    }

    #[test]
    fn a_saved_model_is_the_same_model() {
        assert_eq!(Model::load(&model(Activation::Relu).save().unwrap()), Ok(model(Activation::Relu)));
        let broken = Model { values: vec![vec![0.0]], ..model(Activation::Relu) };
        assert!(broken.save().is_err());
    }

    #[test]
    fn scores_are_pytorchs() {
        let scores = |activation| {
            let model = model(activation);
            model.through(model.enter(&columns(), 3), 3)
        };
        // python, with E, W1, b1, W2, b2 the values above and x = torch.cat([size[:, None], E[[0, 2, 1]]], 1):
        // (torch.relu(x @ W1 + b1) @ W2 + b2).ravel(), and with torch.tanh, torch.sigmoid, torch.nn.functional.silu
        let expected = [
            (Activation::Relu, [-0.3225, -2.8250003, 1.79]),
            (Activation::Tanh, [-0.3128771, -3.2118125, 3.0187683]),
            (Activation::Sigmoid, [-0.4862639, -1.4507155, 0.4887844]),
            (Activation::Silu, [-0.1289598, -2.549047, 2.0041106]),
        ];
        for (activation, expected) in expected {
            let got = scores(activation);
            assert!(
                got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-6),
                "{activation:?} {got:?}"
            );
        }
    }

    #[test]
    fn a_number_beyond_float32_is_told_with_its_row() {
        let input = Input { name: "size".into(), vocabulary: None };
        let told = |numbers: Vec<f64>| match values(numbers.into(), &input, 64) {
            Err(Error::InvalidInput(error)) => (error.name, error.reason),
            _ => panic!("it was taken"),
        };
        let (name, reason) = told(vec![1.0, 1e300]);
        assert_eq!(name, "size");
        assert!(reason.contains("got 1e300 in row 65") && reason.contains("standardize"), "{reason}");
        assert!(!told(vec![f64::NAN]).1.contains("standardize"));
    }

    #[test]
    fn a_row_has_the_same_bits_alone() {
        let model = model(Activation::Silu);
        let whole = model.through(model.enter(&columns(), 3), 3);
        for row in 0..3 {
            let alone = columns().into_iter().map(|values| match values {
                Values::Places(places) => Values::Places(vec![places[row]]),
                Values::Numbers(numbers) => Values::Numbers(vec![numbers[row]]),
            });
            let entered = model.enter(&alone.collect::<Vec<_>>(), 1);
            assert_eq!(model.through(entered, 1)[0].to_bits(), whole[row].to_bits());
        }
    }
}
