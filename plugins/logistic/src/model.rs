//! A trained model: its files, and its answers.
//!
//! A row's scores are summed in the guest, feature by feature in the model's order, so that their bits do not depend on how
//! many rows came with it.

use crate::rows::Score;
use serde::{Deserialize, Serialize};
use stepwell::{Class, Classes, Error, Result, SavedFiles, Table, Weights};

const HEADER: &str = "model.json";
const WEIGHTS: &str = "weights.safetensors";

/// Rows that are read at a time.
const BLOCK_ROWS: u64 = 4096;

/// What stands in `model.json`: of two classes `negative` and `positive`, of more `classes`. The numbers stand in
/// `weights.safetensors`, as scikit-learn shapes them: `coefficients` [scores, features] and `intercept` [scores]; of two
/// classes `coefficients` is [features].
#[derive(Serialize, Deserialize)]
struct Header {
    features: Vec<String>,
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    negative: Option<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    positive: Option<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<Classes>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) features: Vec<String>,
    pub(crate) label: String,
    pub(crate) classes: Classes,
    pub(crate) scores: Vec<Score>,
}

impl Model {
    pub(crate) fn save(&self) -> Result<SavedFiles> {
        let (negative, positive, classes) = match self.classes.all() {
            [negative, positive] => (Some(negative.clone()), Some(positive.clone()), None),
            _ => (None, None, Some(self.classes.clone())),
        };
        let (features, label) = (self.features.clone(), self.label.clone());
        let coefficients = self.scores.iter().flat_map(|score| score.coefficients.iter().copied()).collect();
        let intercepts = self.scores.iter().map(|score| score.intercept).collect();
        let weights = Weights::new().f64("coefficients", &self.shape(), coefficients).f64(
            "intercept",
            &[self.scores.len()],
            intercepts,
        );
        let files = SavedFiles::new().json(HEADER, &Header { features, label, negative, positive, classes })?;
        Ok(files.bytes(WEIGHTS, weights.finite()?.write()?))
    }

    pub(crate) fn load(files: &SavedFiles) -> Result<Self> {
        let Header { features, label, negative, positive, classes } = files.read_json(HEADER)?;
        let classes = match (negative, positive, classes) {
            (Some(negative), Some(positive), None) => Classes::new(vec![negative, positive])?,
            (None, None, Some(classes)) => Classes::new(classes.all().to_vec())?,
            _ => return Err(Error::invalid(HEADER, "expected `negative` and `positive`, or `classes`")),
        };
        let mut model = Self { features, label, scores: Vec::new(), classes };
        let mut weights = Weights::read(WEIGHTS, files.read(WEIGHTS)?)?;
        let (shape, count) = (model.shape(), model.classes.scores());
        let coefficients = weights.take_f64("coefficients", &shape)?;
        let intercepts = weights.take_f64("intercept", &[count])?;
        let score = |(place, intercept): (usize, f64)| {
            let start = place * model.features.len();
            Score { coefficients: coefficients[start..start + model.features.len()].to_vec(), intercept }
        };
        model.scores = intercepts.into_iter().enumerate().map(score).collect();
        Ok(model)
    }

    fn shape(&self) -> Vec<usize> {
        match self.classes.scores() {
            1 => vec![self.features.len()],
            scores => vec![scores, self.features.len()],
        }
    }

    /// Row-major: of two classes the log-odds of the positive one, of more a score each.
    pub(crate) fn scores(&self, rows: &Table) -> Result<Vec<f64>> {
        let intercepts: Vec<f64> = self.scores.iter().map(|score| score.intercept).collect();
        let mut scores = intercepts.repeat(rows.rows() as usize);
        let of_block = BLOCK_ROWS as usize * self.classes.scores();
        for (start, scores) in (0..rows.rows()).step_by(BLOCK_ROWS as usize).zip(scores.chunks_mut(of_block)) {
            let columns = rows.slice(start, BLOCK_ROWS).columns(&self.features)?;
            for (place, (feature, column)) in self.features.iter().zip(columns).enumerate() {
                let coefficients: Vec<f64> = self.scores.iter().map(|score| score.coefficients[place]).collect();
                add_feature(scores, feature, &coefficients, &column.into_f64()?.required()?, start)?;
            }
        }
        Ok(scores)
    }

    /// The mean log loss on rows, which need not be those that it was trained on.
    pub(crate) fn loss(&self, table: &Table) -> Result<f64> {
        let places = self.classes.places(table, &self.label)?.to_f64()?;
        let scores = self.scores(table)?;
        let rows = scores.chunks(self.classes.scores()).zip(&places);
        let sum: f64 = rows.map(|(scores, place)| self.classes.log_loss(scores, *place as usize)).sum();
        Ok(sum / places.len().max(1) as f64)
    }
}

/// `start` is the position of the block's first row.
fn add_feature(scores: &mut [f64], feature: &str, coefficients: &[f64], values: &[f64], start: u64) -> Result<()> {
    for (row, (scores, value)) in scores.chunks_mut(coefficients.len()).zip(values).enumerate() {
        if !value.is_finite() {
            let row = start + row as u64;
            let reason = format!("expected a finite number in every row, got {value} in row {row}");
            return Err(Error::invalid(feature, reason));
        }
        for (score, coefficient) in scores.iter_mut().zip(coefficients) {
            *score += coefficient * value;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(classes: &[&str]) -> Model {
        let classes = Classes::new(classes.iter().map(|class| Class::Text(class.to_string())).collect()).unwrap();
        let score = |place: usize| Score { coefficients: vec![0.1, place as f64 / 3.0], intercept: 1e-17 };
        let scores = (0..classes.scores()).map(score).collect();
        Model { features: vec!["a".into(), "b".into()], label: "bought".into(), classes, scores }
    }

    #[test]
    fn a_saved_model_is_the_same_model() {
        for classes in [&["no", "yes"][..], &["a", "b", "c"]] {
            assert_eq!(Model::load(&model(classes).save().unwrap()), Ok(model(classes)));
        }
    }

    #[test]
    fn files_of_two_classes_are_what_they_were() {
        let files = model(&["no", "yes"]).save().unwrap();
        let header = r#"{"features":["a","b"],"label":"bought","negative":"no","positive":"yes"}"#;
        assert_eq!(files.read(HEADER), Ok(header.as_bytes()));
        let weights = Weights::read(WEIGHTS, files.read(WEIGHTS).unwrap()).unwrap();
        assert_eq!((weights.shape("coefficients"), weights.shape("intercept")), (Ok(&[2][..]), Ok(&[1][..])));
    }

    #[test]
    fn a_number_that_is_none_names_its_column() {
        let error = add_feature(&mut [0.0, 0.0], "age", &[1.0], &[3.0, f64::NAN], 7).unwrap_err();
        assert_eq!(error, Error::invalid("age", "expected a finite number in every row, got NaN in row 8"));
        let mut scores = [0.0; 4];
        add_feature(&mut scores, "age", &[1.0, -2.0], &[3.0, 5.0], 0).unwrap();
        assert_eq!(scores, [3.0, -6.0, 5.0, -10.0]);
    }
}
