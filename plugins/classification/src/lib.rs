//! Predictions with the true labels -> accuracy, precision, recall, F1, ROC AUC, log loss and Brier score, with intervals.
//!
//! Binary: `positive` (by default the greater class) is the one that precision, recall and `probability` speak of. The
//! predicted class is the column `prediction`, or with `threshold` whether the probability reaches it. Intervals are
//! bootstrap percentiles over rows, from the step's seed; every slice has its own stream, so one slice more changes no
//! other. Values are scikit-learn's, but a measure that is undefined over some rows (the recall of no positives) is left
//! out, with a warning in the log, where scikit-learn says 0.

mod measures;

use crate::measures::{Bootstrap, Judged, NAMES, estimate};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use stepwell::{
    Class, Descriptor, Error, Evaluator, Field, Inputs, Interval, Measure, Plugin, Result, Rng, Table, field, report,
};

/// Values of one slice column; more is an identifier, and no slice.
const SLICE_VALUES_MAX: usize = 100;

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
    #[serde(default = "confidence")]
    confidence: f64,
    #[serde(default = "resamples")]
    resamples: u32,
}

fn prediction() -> String {
    "prediction".into()
}

fn probability() -> String {
    "probability".into()
}

fn confidence() -> f64 {
    0.95
}

fn resamples() -> u32 {
    1_000
}

impl Params {
    fn checked(self) -> Result<Self> {
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            let got = self.confidence;
            return Err(Error::invalid("confidence", format!("expected more than 0 and less than 1, got {got}")));
        }
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
        let probabilities = probabilities(&self.probability, table.f64(&self.probability)?.required()?)?;
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

fn probabilities(name: &str, values: Vec<f64>) -> Result<Vec<f64>> {
    match values.iter().enumerate().find(|(_, value)| !(0.0..=1.0).contains(*value)) {
        None => Ok(values),
        Some((row, value)) => {
            Err(Error::invalid(name, format!("expected a probability from 0 to 1, got {value} in row {row}")))
        }
    }
}

/// The rows of each value of a slice column, by the slice's name.
fn slices(column: &str, values: impl Iterator<Item = Option<String>>) -> Result<BTreeMap<String, Vec<usize>>> {
    let mut slices: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, value) in values.enumerate() {
        let slice = format!("{column}={}", value.unwrap_or("null".into()));
        slices.entry(slice).or_default().push(row);
        if slices.len() > SLICE_VALUES_MAX {
            let reason = format!("expected a slice column of at most {SLICE_VALUES_MAX} values, got more by row {row}");
            return Err(Error::invalid(column, reason));
        }
    }
    Ok(slices)
}

/// Candidate and baseline on the same rows, and how to measure them.
struct Evaluation {
    candidate: Judged,
    baseline: Option<Judged>,
    bootstrap: Bootstrap,
    rng: Rng,
}

impl Evaluation {
    /// The measures over some rows, or over all.
    fn measures(&self, slice: Option<&str>, rows: Option<&[usize]>) -> Vec<Measure> {
        let pick = |judged: &Judged| rows.map_or_else(|| judged.clone(), |rows| judged.pick(rows));
        let (candidate, baseline) = (pick(&self.candidate), self.baseline.as_ref().map(pick));
        let rng = self.rng.fork(slice.unwrap_or_default());
        let mut measures = Vec::new();
        for (name, estimate) in NAMES.into_iter().zip(estimate(&candidate, baseline.as_ref(), self.bootstrap, rng)) {
            let Some(estimate) = estimate else {
                let place = slice.unwrap_or("all rows");
                report::warn(format!("{name} is left out for {place}: undefined over these {} rows", candidate.len()));
                continue;
            };
            let interval = |ends: Option<(f64, f64)>| ends.map(|(low, high)| Interval { low, high });
            measures.push(Measure {
                name: name.into(),
                slice: slice.map(Into::into),
                value: estimate.value,
                interval: interval(estimate.interval),
                baseline_value: estimate.baseline,
                difference_interval: interval(estimate.difference),
            });
        }
        measures
    }
}

struct Classification;

impl Evaluator for Classification {
    fn evaluate(candidate: &Table, baseline: Option<&Table>, slice_columns: &[String]) -> Result<Vec<Measure>> {
        let params = stepwell::params::<Params>()?.checked()?;
        let judged = params.judge(candidate)?;
        let baseline = baseline.map(|baseline| params.judge(baseline)).transpose()?;
        if baseline.as_ref().is_some_and(|baseline| baseline.positive() != judged.positive()) {
            let reason =
                format!("expected the same rows as the candidate's, with the same `{}`, got others", params.label);
            return Err(Error::invalid("baseline", reason));
        }
        let bootstrap = Bootstrap { resamples: params.resamples, confidence: params.confidence };
        let rng = Rng::from_seed(stepwell::seed());
        let evaluation = Evaluation { candidate: judged, baseline, bootstrap, rng };
        let mut measures = evaluation.measures(None, None);
        for (done, column) in slice_columns.iter().enumerate() {
            report::progress(done as u64, Some(slice_columns.len() as u64));
            let values = candidate.categories(column)?;
            for (slice, rows) in slices(column, values.iter().map(|value| value.cloned()))? {
                measures.extend(evaluation.measures(Some(&slice), Some(&rows)));
            }
        }
        Ok(measures)
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
    fn slices_name_column_and_value() {
        let values = [Some("b"), None, Some("a"), Some("b")].map(|value| value.map(String::from));
        let found: Vec<_> = slices("city", values.into_iter()).unwrap().into_iter().collect();
        let expected = [("city=a", vec![2]), ("city=b", vec![0, 3]), ("city=null", vec![1])];
        assert_eq!(found, expected.map(|(name, rows)| (name.to_string(), rows)));
        assert!(slices("id", (0..101).map(|id| Some(id.to_string()))).is_err());
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for wrong in [r#"{}"#, r#"{"label": "y", "confidence": 1}"#, r#"{"label": "y", "threshold": 1.5}"#] {
            assert!(params(wrong).is_err(), "{wrong}");
        }
        assert!(probabilities("p", vec![0.0, 1.0]).is_ok());
        let error = probabilities("p", vec![0.5, f64::NAN]).unwrap_err();
        assert_eq!(error, Error::invalid("p", "expected a probability from 0 to 1, got NaN in row 1"));
    }
}
