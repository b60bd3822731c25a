//! Labels -> a model that looks at no feature (trainer), and the same answer for every row (predictor): what any other has to beat.
//!
//! Classes are answered with their shares among the training rows, and so with the most frequent one; numbers with their mean.
//! These are scikit-learn's `DummyClassifier(strategy = "prior")` and `DummyRegressor`. The model's file is `model.json`.

use serde::{Deserialize, Serialize};
use stepwell::{
    Classes, DataType, Descriptor, Error, Field, Inputs, Plugin, Predictor, Result, SavedFiles, Table, Trained,
    Trainer, Training, training,
};

const FILE: &str = "model.json";

const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "objective": {"enum": ["auto", "binary", "multiclass", "regression"], "default": "auto", "description": "auto: regression for a label of floats, binary for any other."}
    }
}"#;

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Objective {
    #[default]
    Auto,
    Binary,
    Multiclass,
    Regression,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Params {
    objective: Objective,
}

impl Objective {
    fn of(self, label: &DataType) -> Self {
        match (self, label) {
            (Self::Auto, DataType::Float64 | DataType::Float32) => Self::Regression,
            (Self::Auto, _) => Self::Binary,
            (said, _) => said,
        }
    }
}

/// What was learnt.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Dummy {
    Mean(f64),
    /// The classes and the scores of a row that has their shares: log-odds of two, logarithms of more.
    Shares {
        classes: Classes,
        scores: Vec<f64>,
    },
}

impl Dummy {
    /// From how often each class came, in the order of the classes; each came at least once.
    fn of_counts(classes: Classes, counts: &[f64]) -> Self {
        let scores = match counts {
            [negative, positive] => vec![(positive / negative).ln()],
            _ => counts.iter().map(|count| count.ln()).collect(),
        };
        Self::Shares { classes, scores }
    }

    fn outputs(&self) -> Vec<Field> {
        match self {
            Self::Mean(_) => vec![Field::new("prediction", DataType::Float64)],
            Self::Shares { classes, .. } => classes.outputs(),
        }
    }
}

fn mean(name: &str, values: &[f64]) -> Result<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    match mean.is_finite() {
        true => Ok(mean),
        false => Err(Error::invalid(name, format!("expected finite numbers, got a mean of {mean}"))),
    }
}

fn shares(table: &Table, label: &str, objective: Objective) -> Result<Dummy> {
    let classes = Classes::learn(table, label, None)?;
    if objective == Objective::Binary && classes.all().len() > 2 {
        let got = classes.all().len();
        let hint = "set `objective = \"multiclass\"`, or \"regression\" for the mean of whole numbers";
        return Err(Error::invalid(label, format!("expected two classes, got {got}; {hint}")));
    }
    let mut counts = vec![0.0; classes.all().len()];
    for class in table.classes(label)? {
        // Learnt from these very rows.
        counts.iter_mut().zip(classes.all()).filter(|(_, known)| **known == class).for_each(|(count, _)| *count += 1.0);
    }
    Ok(Dummy::of_counts(classes, &counts))
}

impl Trainer for Dummy {
    fn train(training: &Training) -> Result<Trained> {
        let (params, label) = (stepwell::params::<Params>()?, training.required_label()?);
        let fields = training.train.schema();
        let objective = params.objective.of(&stepwell::field::require(&fields, label)?.data_type);
        let model = match objective {
            Objective::Regression => Self::Mean(mean(label, &training.train.f64(label)?.required()?)?),
            _ => shares(&training.train, label, objective)?,
        };
        let files = SavedFiles::new().json(FILE, &model)?;
        Ok(Trained { files, inputs: training.reads()?, outputs: model.outputs(), measures: Vec::new() })
    }
}

impl Predictor for Dummy {
    fn load(files: &SavedFiles) -> Result<Self> {
        files.read_json(FILE)
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        let count = rows.rows() as usize;
        match self {
            Self::Mean(mean) => Table::builder().column("prediction", vec![*mean; count]).finish(),
            Self::Shares { classes, scores } => classes.answer(&scores.repeat(count)),
        }
    }
}

impl Plugin for Dummy {
    /// As any learner: the label and the features may be wired as ports. Features are read and not looked at.
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let params = if inputs.is_empty() { Params::default() } else { stepwell::params::<Params>()? };
        training::numeric(inputs.columns("features"))?;
        let label = inputs.columns("label").first();
        let read: Vec<Field> = inputs.columns("features").iter().chain(label).cloned().collect();
        let given = match label.map(|label| (params.objective.of(&label.data_type), label)) {
            Some((Objective::Regression, _)) => vec![Field::new("prediction", DataType::Float64)],
            Some((Objective::Binary, label)) => Classes::outputs_of_two(label.data_type),
            _ => Vec::new(),
        };
        let descriptor =
            stepwell::descriptor!().parameters(PARAMETERS).input("train", read).input("label", inputs.columns("label"));
        Ok(descriptor.output_same_rows("predictions", given, "train"))
    }
}

stepwell::export!(Dummy: Trainer + Predictor);

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell::Class;

    fn classes(count: i64) -> Classes {
        Classes::new((0..count).map(Class::Int64).collect()).unwrap()
    }

    #[test]
    fn scores_are_those_of_the_shares() {
        let Dummy::Shares { scores, .. } = Dummy::of_counts(classes(2), &[3.0, 1.0]) else { panic!("a mean") };
        assert!((1.0 / (1.0 + (-scores[0]).exp()) - 0.25).abs() < 1e-15, "a quarter is positive");
        let Dummy::Shares { scores, .. } = Dummy::of_counts(classes(3), &[2.0, 1.0, 5.0]) else { panic!("a mean") };
        let all: f64 = scores.iter().map(|score| score.exp()).sum();
        assert!((scores[2].exp() / all - 0.625).abs() < 1e-15);
    }

    #[test]
    fn the_label_says_what_is_learnt_unless_somebody_does() {
        assert_eq!(Objective::Auto.of(&DataType::Float64), Objective::Regression);
        assert_eq!(Objective::Auto.of(&DataType::Text), Objective::Binary);
        assert_eq!(Objective::Regression.of(&DataType::Int64), Objective::Regression);
        assert_eq!(mean("y", &[1.0, 2.0, 6.0]), Ok(3.0));
        assert!(mean("y", &[]).is_err());
    }
}
