//! A trained model: its files, and its answers.
//!
//! A row's prediction is summed in the guest, feature by feature in the model's order, so that its bits do not depend on how
//! many rows came with it.

use serde::{Deserialize, Serialize};
use stepwell::{Error, Result, SavedFiles, Table, Weights, finite};

const HEADER: &str = "model.json";
const WEIGHTS: &str = "weights.safetensors";

/// What stands in `model.json`; the numbers stand in `weights.safetensors`, as `coefficients` [features] and `intercept` [1].
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) features: Vec<String>,
    pub(crate) label: String,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) header: Header,
    /// One a feature, in the features' own units.
    pub(crate) coefficients: Vec<f64>,
    pub(crate) intercept: f64,
}

impl Model {
    pub(crate) fn save(&self) -> Result<SavedFiles> {
        let weights = Weights::new().f64("coefficients", &[self.coefficients.len()], self.coefficients.clone()).f64(
            "intercept",
            &[1],
            vec![self.intercept],
        );
        Ok(SavedFiles::new().json(HEADER, &self.header)?.bytes(WEIGHTS, weights.finite()?.write()?))
    }

    pub(crate) fn load(files: &SavedFiles) -> Result<Self> {
        let header: Header = files.read_json(HEADER)?;
        let mut weights = Weights::read(WEIGHTS, files.read(WEIGHTS)?)?;
        let coefficients = weights.take_f64("coefficients", &[header.features.len()])?;
        let intercept = weights.take_f64("intercept", &[1])?[0];
        Ok(Self { header, coefficients, intercept })
    }

    pub(crate) fn predict(&self, rows: &Table) -> Result<Vec<f64>> {
        let mut predictions = vec![self.intercept; rows.rows() as usize];
        for (feature, coefficient) in self.header.features.iter().zip(&self.coefficients) {
            add_feature(&mut predictions, feature, *coefficient, &rows.f64(feature)?.required()?)?;
        }
        finite::check_rows("the prediction", &predictions)?;
        Ok(predictions)
    }

    /// The root of the mean squared error on rows that it was not trained on.
    pub(crate) fn error(&self, table: &Table) -> Result<f64> {
        let truth = table.f64(&self.header.label)?.required()?;
        let errors = self.predict(table)?.into_iter().zip(&truth).map(|(prediction, truth)| prediction - truth);
        Ok((errors.map(|error| error * error).sum::<f64>() / truth.len().max(1) as f64).sqrt())
    }
}

fn add_feature(predictions: &mut [f64], feature: &str, coefficient: f64, values: &[f64]) -> Result<()> {
    for (row, (prediction, value)) in predictions.iter_mut().zip(values).enumerate() {
        if !value.is_finite() {
            let reason = format!("expected a finite number in every row, got {value} in row {row}");
            return Err(Error::invalid(feature, reason));
        }
        *prediction += coefficient * value;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_model_is_the_same_model() {
        let header = Header { features: vec!["a".into(), "b".into()], label: "y".into() };
        let model = Model { header, coefficients: vec![0.1, -2.0 / 3.0], intercept: 1e-17 };
        assert_eq!(Model::load(&model.save().unwrap()), Ok(model));
    }

    #[test]
    fn a_number_that_is_none_names_its_column() {
        let error = add_feature(&mut [0.0, 0.0], "age", 1.0, &[3.0, f64::NAN]).unwrap_err();
        assert_eq!(error, Error::invalid("age", "expected a finite number in every row, got NaN in row 1"));
    }
}
