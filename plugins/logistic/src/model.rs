//! A trained model: its files, and its answers.
//!
//! A row's score is summed in the guest, feature by feature in the model's order, so that its bits do not depend on how
//! many rows came with it.

use crate::weights;
use serde::{Deserialize, Serialize};
use stepwell::{AnyColumn, Class, Error, Result, SavedFiles, Table};

const HEADER: &str = "model.json";
const WEIGHTS: &str = "weights.safetensors";

/// What stands in `model.json`; the numbers stand in `weights.safetensors`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) features: Vec<String>,
    pub(crate) label: String,
    pub(crate) negative: Class,
    pub(crate) positive: Class,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) header: Header,
    /// One a feature, in the features' own units.
    pub(crate) coefficients: Vec<f64>,
    pub(crate) intercept: f64,
}

impl Model {
    pub(crate) fn save(&self) -> Result<SavedFiles> {
        let weights = weights::write(&[("coefficients", &self.coefficients), ("intercept", &[self.intercept])])?;
        Ok(SavedFiles::new().json(HEADER, &self.header)?.bytes(WEIGHTS, weights))
    }

    pub(crate) fn load(files: &SavedFiles) -> Result<Self> {
        let header: Header = files.read_json(HEADER)?;
        let content = files.read(WEIGHTS)?;
        let coefficients = weights::read(WEIGHTS, content, "coefficients")?;
        let intercept = weights::read(WEIGHTS, content, "intercept")?;
        if coefficients.len() != header.features.len() || intercept.len() != 1 {
            let (expected, got) = (header.features.len(), coefficients.len());
            return Err(Error::invalid(
                WEIGHTS,
                format!("expected {expected} coefficients and an intercept, got {got}"),
            ));
        }
        Ok(Self { header, coefficients, intercept: intercept[0] })
    }

    /// The log-odds of the positive class, a row a row.
    pub(crate) fn scores(&self, rows: &Table) -> Result<Vec<f64>> {
        let mut scores = vec![self.intercept; rows.rows() as usize];
        for (feature, coefficient) in self.header.features.iter().zip(&self.coefficients) {
            let values = rows.f64(feature)?.required()?;
            add_feature(&mut scores, feature, *coefficient, &values)?;
        }
        Ok(scores)
    }

    /// The class of each score, as a column of the label's type. A score of exactly 0 is the negative class.
    pub(crate) fn classes(&self, scores: &[f64]) -> Result<AnyColumn> {
        let Header { negative, positive, .. } = &self.header;
        match (negative, positive) {
            (Class::Boolean(no), Class::Boolean(yes)) => Ok(chosen(scores, no, yes).into()),
            (Class::Int64(no), Class::Int64(yes)) => Ok(chosen(scores, no, yes).into()),
            (Class::Text(no), Class::Text(yes)) => Ok(chosen(scores, no, yes).into()),
            _ => Err(Error::invalid(HEADER, format!("expected classes of one type, got {negative} and {positive}"))),
        }
    }
}

fn add_feature(scores: &mut [f64], feature: &str, coefficient: f64, values: &[f64]) -> Result<()> {
    for (row, (score, value)) in scores.iter_mut().zip(values).enumerate() {
        if !value.is_finite() {
            return Err(Error::invalid(
                feature,
                format!("expected a finite number in every row, got {value} in row {row}"),
            ));
        }
        *score += coefficient * value;
    }
    Ok(())
}

fn chosen<T: Clone>(scores: &[f64], negative: &T, positive: &T) -> Vec<T> {
    scores.iter().map(|score| if *score > 0.0 { positive.clone() } else { negative.clone() }).collect()
}

/// The probability of a score, without overflow on either side.
pub(crate) fn sigmoid(score: f64) -> f64 {
    if score >= 0.0 {
        1.0 / (1.0 + (-score).exp())
    } else {
        let odds = score.exp();
        odds / (1.0 + odds)
    }
}

/// The log loss of a score whose class is positive (1) or negative (0): log(1 + exp(score)) - score * target.
pub(crate) fn log_loss(score: f64, target: f64) -> f64 {
    score.max(0.0) - score * target + (-score.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        let (negative, positive) = (Class::Text("no".into()), Class::Text("yes".into()));
        let header = Header { features: vec!["a".into(), "b".into()], label: "bought".into(), negative, positive };
        Model { header, coefficients: vec![0.1, -2.0 / 3.0], intercept: 1e-17 }
    }

    #[test]
    fn a_saved_model_is_the_same_model() {
        let (saved, loaded) = (model(), Model::load(&model().save().unwrap()).unwrap());
        assert_eq!((saved.coefficients, saved.intercept), (loaded.coefficients, loaded.intercept));
        assert_eq!(loaded.header.positive, Class::Text("yes".into()));
    }

    #[test]
    fn a_score_of_zero_is_the_negative_class() {
        let classes = model().classes(&[0.0, 0.1]).unwrap();
        assert_eq!(classes, vec!["no".to_string(), "yes".to_string()].into());
    }

    #[test]
    fn the_tails_do_not_overflow() {
        assert_eq!((sigmoid(0.0), sigmoid(800.0), sigmoid(-800.0)), (0.5, 1.0, 0.0));
        assert_eq!((log_loss(-800.0, 0.0), log_loss(-800.0, 1.0)), (0.0, 800.0));
        assert!((log_loss(0.3, 1.0) + sigmoid(0.3).ln()).abs() < 1e-15);
    }

    #[test]
    fn a_number_that_is_none_names_its_column() {
        let error = add_feature(&mut [0.0, 0.0], "age", 1.0, &[3.0, f64::NAN]).unwrap_err();
        assert_eq!(error, Error::invalid("age", "expected a finite number in every row, got NaN in row 1"));
    }
}
