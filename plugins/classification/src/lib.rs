//! Predictions of two classes with the true labels -> how good they are and how well their probabilities are calibrated.
//!
//! `positive` (by default the greater class) is the one that precision, recall and `probability` speak of. The predicted class is
//! the column `prediction`, or with `threshold` whether the probability reaches it. Values are scikit-learn's, but a measure
//! that is undefined over some rows (the recall of no positives) is left out, with a warning in the log, where scikit-learn
//! says 0. Intervals and slices are those of every evaluator ([`evaluation`]).

mod calibration;
mod measures;

use crate::measures::Judged;
use evaluation::{Bootstrap, Slices, probabilities};
use serde::Deserialize;
use std::collections::BTreeSet;
use stepwell::{Class, Descriptor, Error, Evaluator, Inputs, Measure, Plugin, Result, Rng, Table};

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
        "beta": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000, "description": "Measures F-beta too, as `fbeta@BETA`: in it recall counts this many times as much as precision."},
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
    beta: Option<f64>,
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
        if let Some(got) = self.threshold.filter(|got| !(0.0..=1.0).contains(got)) {
            return Err(Error::invalid("threshold", format!("expected 0 to 1, got {got}")));
        }
        evaluation::checked_beta(self.beta)?;
        Ok(self)
    }

    /// The columns read on each port.
    fn columns(&self) -> Vec<String> {
        let prediction = self.threshold.is_none().then_some(&self.prediction);
        [&self.label, &self.probability].into_iter().chain(prediction).cloned().collect()
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
        let labels = labels.iter().map(|class| *class == positive).collect();
        Ok(Judged::new(labels, predicted, probabilities, self.beta))
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
        let other = baseline.map(|baseline| params.judge(baseline)).transpose()?;
        if let (Some(table), Some(other)) = (baseline, &other) {
            evaluation::same(judged.positive(), other.positive(), &params.label)?;
            let predicted = |name: &str| [&params.prediction, &params.probability].iter().any(|known| *known == name);
            evaluation::same_order((candidate, table), &params.label, predicted, slice_columns)?;
        }
        let (slices, rng) = (Slices::read(candidate, slice_columns)?, Rng::from_seed(stepwell::seed()));
        Ok(evaluation::evaluate(&judged, other.as_ref(), &slices, bootstrap, &rng))
    }
}

impl Plugin for Classification {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        evaluation::described(stepwell::descriptor!().parameters(PARAMETERS), inputs, || {
            Ok(stepwell::params::<Params>()?.checked()?.columns())
        })
    }
}

stepwell::export!(Classification: Evaluator);

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_predicted_class_is_read_where_no_threshold_makes_it() {
        let columns = |json: &str| params(json).unwrap().columns();
        assert_eq!(columns(r#"{"label": "y"}"#), ["y", "probability", "prediction"]);
        assert_eq!(columns(r#"{"label": "y", "threshold": 0.5}"#), ["y", "probability"]);
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for wrong in [r#"{}"#, r#"{"label": "y", "threshold": 1.5}"#, r#"{"label": "y", "beta": 0}"#] {
            assert!(params(wrong).is_err(), "{wrong}");
        }
    }
}
