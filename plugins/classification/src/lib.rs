//! Predictions of two classes with the true labels -> how good they are and how well their probabilities are calibrated.
//!
//! `positive` (by default the greater class) is the one that precision, recall and `probability` speak of. The predicted class is
//! the column `prediction`, or with `threshold` whether the probability reaches it. Values are scikit-learn's, but a measure
//! that is undefined over some rows (the recall of no positives) is left out, with a warning in the log, where scikit-learn
//! says 0. Intervals and slices are those of every evaluator ([`evaluation`]).

mod measures;

use crate::measures::Judged;
use evaluation::{Bootstrap, Slices, probabilities};
use serde::Deserialize;
use std::collections::BTreeSet;
use stepwell::{Class, Descriptor, Error, Evaluator, Field, Inputs, Measure, Plugin, Result, Rng, Table, field};

const PARAMETERS: &str = r#"{
    "type": "object",
    "required": ["label"],
    "additionalProperties": false,
    "properties": {
        "label": {"type": "string", "description": "Column of the true class."},
        "prediction": {"type": "string", "default": "prediction", "description": "Column of the predicted class."},
        "probability": {"type": "string", "default": "probability", "description": "Column of the positive class's probability."},
        "positive": {"type": ["string", "boolean", "integer"], "description": "The positive class; by default the greater."},
        "threshold": {"type": "number", "minimum": 0, "maximum": 1, "description": "Predict the positive class from this probability on, instead of reading `prediction`."},
        "confidence": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95},
        "resamples": {"type": "integer", "minimum": 0, "maximum": 100000, "default": 1000, "description": "Of the bootstrap; 0 gives no intervals."}
    }
}"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    label: String,
    #[serde(default = "prediction")]
    prediction: String,
    #[serde(default = "probability")]
    probability: String,
    positive: Option<Class>,
    threshold: Option<f64>,
    #[serde(default = "evaluation::confidence")]
    confidence: f64,
    #[serde(default = "evaluation::resamples")]
    resamples: u32,
}

fn prediction() -> String {
    "prediction".into()
}

fn probability() -> String {
    "probability".into()
}

impl Params {
    fn checked(self) -> Result<Self> {
        match self.threshold {
            Some(got) if !(0.0..=1.0).contains(&got) => {
                Err(Error::invalid("threshold", format!("expected 0 to 1, got {got}")))
            }
            _ => Ok(self),
        }
    }

    /// The columns read on each port.
    fn columns(&self) -> Vec<&str> {
        let prediction = self.threshold.is_none().then_some(self.prediction.as_str());
        [self.label.as_str(), &self.probability].into_iter().chain(prediction).collect()
    }

    /// The same with their types, among those of a port. Where these are unknown before the run, as those of a model that
    /// learns its classes are, the rows themselves are held against the parameters, in the run.
    fn read(&self, fields: &[Field]) -> Result<Vec<Field>> {
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        self.columns().into_iter().map(|name| field::require(fields, name).cloned()).collect()
    }

    /// A table of predictions, row by row.
    fn judge(&self, table: &Table) -> Result<Judged> {
        let labels = table.classes(&self.label)?;
        let probabilities = probabilities(table, &self.probability)?;
        let predictions = match self.threshold {
            Some(_) => None,
            None => Some(table.classes(&self.prediction)?),
        };
        let positive = self.positive_class(labels.iter().chain(predictions.iter().flatten()))?;
        let predicted = match predictions {
            Some(predictions) => predictions.iter().map(|class| *class == positive).collect(),
            None => probabilities.iter().map(|probability| Some(*probability) >= self.threshold).collect(),
        };
        Ok(Judged::new(labels.iter().map(|class| *class == positive).collect(), predicted, probabilities))
    }

    /// The positive class among the labels and predictions, which have at most two between them.
    fn positive_class<'a>(&'a self, classes: impl Iterator<Item = &'a Class>) -> Result<Class> {
        let distinct: BTreeSet<&Class> = classes.chain(&self.positive).collect();
        if distinct.len() > 2 {
            let shown: Vec<String> = distinct.iter().take(10).map(ToString::to_string).collect();
            let reason =
                format!("expected two classes among labels, predictions and `positive`, got {}", shown.join(", "));
            return Err(Error::invalid(&self.label, reason));
        }
        match (&self.positive, distinct.last()) {
            (Some(positive), _) => Ok(positive.clone()),
            (None, Some(greater)) if distinct.len() == 2 => Ok((*greater).clone()),
            (None, only) => {
                let got = only.map_or("none".into(), ToString::to_string);
                Err(Error::invalid(
                    "positive",
                    format!("expected the positive class where there are not two, got {got}"),
                ))
            }
        }
    }
}

struct Classification;

impl Evaluator for Classification {
    fn evaluate(candidate: &Table, baseline: Option<&Table>, slice_columns: &[String]) -> Result<Vec<Measure>> {
        let params = stepwell::params::<Params>()?.checked()?;
        let bootstrap = Bootstrap::new(params.confidence, params.resamples)?;
        let judged = params.judge(candidate)?;
        let baseline = baseline.map(|baseline| params.judge(baseline)).transpose()?;
        if let Some(baseline) = &baseline {
            evaluation::same(judged.positive(), baseline.positive(), &params.label)?;
        }
        let (slices, rng) = (Slices::read(candidate, slice_columns)?, Rng::from_seed(stepwell::seed()));
        Ok(evaluation::evaluate(&judged, baseline.as_ref(), &slices, bootstrap, &rng))
    }
}

impl Plugin for Classification {
    /// `baseline` is optional, so it is named only where it is wired, or a person asks.
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let mut descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        if inputs.is_empty() {
            return Ok(descriptor.input("candidate", []).input("baseline", []));
        }
        let params = stepwell::params::<Params>()?.checked()?;
        for port in ["candidate", "baseline"] {
            let Some(fields) = inputs.port(port) else { continue };
            descriptor = descriptor.input(port, params.read(fields)?);
        }
        Ok(descriptor)
    }
}

stepwell::export!(Classification: Evaluator);

#[cfg(test)]
mod tests {
    use super::*;
    use stepwell::DataType;

    fn params(json: &str) -> Result<Params> {
        stepwell::parse::<Params>(json)?.checked()
    }

    #[test]
    fn the_positive_class_is_the_greater_unless_said() {
        let of = |json: &str, classes: &[i64]| {
            let classes: Vec<Class> = classes.iter().copied().map(Class::Int64).collect();
            params(json)?.positive_class(classes.iter())
        };
        let plain = r#"{"label": "y"}"#;
        assert_eq!(of(plain, &[10, 9, 9]), Ok(Class::Int64(10)));
        assert_eq!(of(r#"{"label": "y", "positive": 9}"#, &[10, 9]), Ok(Class::Int64(9)));
        assert_eq!(of(r#"{"label": "y", "positive": 9}"#, &[10]), Ok(Class::Int64(9)));
        assert!(of(plain, &[1, 1]).is_err());
        assert!(of(plain, &[1, 2, 3]).is_err());
        assert!(of(r#"{"label": "y", "positive": "9"}"#, &[9, 10]).is_err());
    }

    #[test]
    fn columns_that_are_unknown_before_the_run_are_no_error() {
        let [y, p] = ["y", "probability"].map(|name| Field::new(name, DataType::Float64));
        let read = |fields: &[Field]| params(r#"{"label": "y", "threshold": 0.5}"#)?.read(fields);
        assert_eq!(read(&[]), Ok(Vec::new()));
        assert_eq!(read(&[p.clone(), y.clone()]), Ok(vec![y.clone(), p]));
        assert_eq!(read(&[y]), Err(Error::invalid("probability", "expected a column of this name, got `y`")));
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for wrong in [r#"{}"#, r#"{"label": "y", "threshold": 1.5}"#] {
            assert!(params(wrong).is_err(), "{wrong}");
        }
    }
}
