//! The baseline of every regression: a model that answers with the mean of the label, whatever the features.
//!
//! A learner is two roles in one plugin: the trainer saves what the predictor loads.

use serde::{Deserialize, Serialize};
use stepwell::{
    DataType, Descriptor, Error, Field, Inputs, Plugin, Predictor, Result, SavedFiles, Table, Trained, Trainer,
    Training, field,
};

const MODEL: &str = "model.json";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mean {
    mean: f64,
}

impl Mean {
    /// None of no values.
    fn of(values: &[f64]) -> Option<Self> {
        let sum: f64 = values.iter().sum();
        (!values.is_empty()).then(|| Self { mean: sum / values.len() as f64 })
    }
}

fn outputs() -> Vec<Field> {
    vec![Field::new("prediction", DataType::Float64)]
}

impl Trainer for Mean {
    fn train(training: &Training) -> Result<Trained> {
        let label = training.label.as_deref().ok_or_else(|| Error::invalid("label", "expected one, got none"))?;
        let values = training.train.f64(label)?.required()?;
        let model = Mean::of(&values).ok_or_else(|| Error::invalid(label, "expected rows to learn from, got none"))?;
        let fields = training.train.schema();
        let inputs = training.features.iter().map(|name| field::require(&fields, name).cloned());
        Ok(Trained {
            files: SavedFiles::new().json(MODEL, &model)?,
            inputs: inputs.collect::<Result<_>>()?,
            outputs: outputs(),
            measures: vec![("mean".into(), model.mean)],
        })
    }
}

impl Predictor for Mean {
    fn load(files: &SavedFiles) -> Result<Self> {
        files.read_json(MODEL)
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        let prediction: Vec<f64> = (0..rows.rows()).map(|_| self.mean).collect();
        Table::builder().column("prediction", prediction).finish()
    }
}

impl Plugin for Mean {
    /// A learner is shown the columns it may read as the ports `features` and `label`; one that names the latter needs it.
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let read: Vec<Field> = inputs.columns("features").iter().chain(inputs.columns("label")).cloned().collect();
        let descriptor = stepwell::descriptor!().input("train", read).input("label", inputs.columns("label"));
        Ok(descriptor.output_same_rows("predictions", outputs(), "train"))
    }
}

stepwell::export!(Mean: Trainer + Predictor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_what_is_loaded() {
        let model = Mean::of(&[1.0, 2.0, 6.0]).unwrap();
        assert_eq!(model.mean, 3.0);
        assert_eq!(Mean::of(&[]), None);
        let files = SavedFiles::new().json(MODEL, &model).unwrap();
        assert_eq!(Mean::load(&files), Ok(model));
    }
}
