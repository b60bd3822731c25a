//! Predictions of several classes with the true labels -> accuracy, averages over classes, and how good the probabilities are.
//!
//! A class is told by its plain text. The probability of class C is the column `probability_C`, as a classifier of more than two
//! classes gives it; a class without one has probability 0, and where there are no such columns nothing is measured of them.
//! Values are scikit-learn's: in averages the precision of a class that nobody predicted is 0. What is undefined of one class
//! is left out, with a warning in the log.

mod measures;

use crate::measures::{Judged, Scores};
use evaluation::{Bootstrap, Slices};
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
        "probability": {"type": "string", "default": "probability_", "description": "What the columns of the classes' probabilities begin with."},
        "top": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 1000}, "maxItems": 10, "default": [], "description": "Numbers k of top@k, the share of rows whose class is among the k likeliest."},
        "beta": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000, "description": "Measures F-beta too, as `fbeta_macro@BETA`, `fbeta_weighted@BETA` and `fbeta@BETA:CLASS`: in it recall counts this many times as much as precision."},
        "confidence": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95},
        "resamples": {"type": "integer", "minimum": 0, "maximum": 100000, "default": 1000, "description": "Of the bootstrap; 0 gives no intervals."}
    }
}"#;

/// More classes have too many measures to be read.
const CLASSES_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    label: String,
    #[serde(default = "prediction")]
    prediction: String,
    #[serde(default = "probability")]
    probability: String,
    #[serde(default)]
    top: Vec<usize>,
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
    "probability_".into()
}

/// The classes of rows as text.
fn texts(table: &Table, column: &str) -> Result<Vec<String>> {
    Ok(table.classes(column)?.iter().map(Class::plain).collect())
}

impl Params {
    /// The classes that a table has columns of probabilities for.
    fn scored(&self, table: &Table) -> Vec<String> {
        let names = table.schema().into_iter().map(|field| field.name);
        names.filter_map(|name| name.strip_prefix(&self.probability).map(String::from)).collect()
    }

    /// Every class that a label, a prediction or a column names.
    fn classes(&self, tables: &[&Table]) -> Result<Vec<String>> {
        let mut classes = BTreeSet::new();
        for table in tables {
            classes.extend(texts(table, &self.label)?);
            classes.extend(texts(table, &self.prediction)?);
            classes.extend(self.scored(table));
        }
        match classes.len() <= CLASSES_MAX {
            true => Ok(classes.into_iter().collect()),
            false => {
                let reason = format!("expected at most {CLASSES_MAX} classes, got {}", classes.len());
                Err(Error::invalid(&self.label, reason))
            }
        }
    }

    fn judge(&self, table: &Table, classes: &[String], with_scores: bool) -> Result<Judged> {
        let places = |column: &str| -> Result<Vec<usize>> {
            let texts = texts(table, column)?;
            Ok(texts.iter().filter_map(|text| classes.binary_search(text).ok()).collect())
        };
        let (label, predicted) = (places(&self.label)?, places(&self.prediction)?);
        let scored = self.scored(table);
        let of_class = |class: &String| match scored.contains(class) {
            true => evaluation::probabilities(table, &format!("{}{class}", self.probability)),
            false => Ok(vec![0.0; label.len()]),
        };
        let scores = match with_scores {
            true => Some(Scores::new(classes.iter().map(of_class).collect::<Result<_>>()?, &label, self.top.clone())),
            false => None,
        };
        Ok(Judged { classes: classes.to_vec(), label, predicted, scores, beta: self.beta })
    }
}

struct Multiclass;

impl Evaluator for Multiclass {
    fn evaluate(candidate: &Table, baseline: Option<&Table>, slice_columns: &[String]) -> Result<Vec<Measure>> {
        let params = stepwell::params::<Params>()?;
        evaluation::checked_beta(params.beta)?;
        let bootstrap = Bootstrap::new(params.confidence, params.resamples)?;
        let tables: Vec<&Table> = [candidate].into_iter().chain(baseline).collect();
        let classes = params.classes(&tables)?;
        let with_scores = !params.scored(candidate).is_empty();
        let judged = params.judge(candidate, &classes, with_scores)?;
        let other = baseline.map(|baseline| params.judge(baseline, &classes, with_scores)).transpose()?;
        if let (Some(table), Some(other)) = (baseline, &other) {
            evaluation::same(&judged.label, &other.label, &params.label)?;
            let predicted = |name: &str| name == params.prediction || name.starts_with(&params.probability);
            evaluation::same_order((candidate, table), &params.label, predicted, slice_columns)?;
        }
        let (slices, rng) = (Slices::read(candidate, slice_columns)?, Rng::from_seed(stepwell::seed()));
        Ok(evaluation::evaluate(&judged, other.as_ref(), &slices, bootstrap, &rng))
    }
}

impl Plugin for Multiclass {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        evaluation::described(stepwell::descriptor!().parameters(PARAMETERS), inputs, || {
            let Params { label, prediction, .. } = stepwell::params::<Params>()?;
            Ok(vec![label, prediction])
        })
    }
}

stepwell::export!(Multiclass: Evaluator);
