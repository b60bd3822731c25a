//! Scored items with their relevance, by query -> NDCG, MAP, MRR, hit rate, precision and recall at k, as means over queries.
//!
//! A query is the rows with one value of `group`. Where scores are equal the less relevant item stands first, so that a ranker
//! that tells nothing apart gains nothing from the order of the rows; NDCG takes the mean over all orders of them, as
//! scikit-learn's. A query without a relevant item says nothing of a ranking and counts in none of the measures. The bootstrap
//! draws queries.

mod measures;

use crate::measures::{Cutoffs, Item, Judged};
use evaluation::{Bootstrap, Slices, numbers};
use serde::Deserialize;
use stepwell::{Descriptor, Error, Evaluator, Inputs, Measure, Plugin, Result, Rng, Table};

const PARAMETERS: &str = r#"{
    "type": "object",
    "required": ["label", "group"],
    "additionalProperties": false,
    "properties": {
        "label": {"type": "string", "description": "Column of the relevance: 0 for an item that does not matter, more for one that does."},
        "group": {"type": "string", "description": "Column of the query, user or session whose items are ranked."},
        "prediction": {"type": "string", "default": "prediction", "description": "Column of the score; the highest stands first."},
        "k": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 10000}, "minItems": 1, "maxItems": 10, "default": [10], "description": "How many items from the top are looked at."},
        "confidence": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95},
        "resamples": {"type": "integer", "minimum": 0, "maximum": 100000, "default": 1000, "description": "Of the bootstrap; 0 gives no intervals."}
    }
}"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    label: String,
    group: String,
    #[serde(default = "prediction")]
    prediction: String,
    #[serde(default = "cutoffs")]
    k: Vec<usize>,
    #[serde(default = "evaluation::confidence")]
    confidence: f64,
    #[serde(default = "evaluation::resamples")]
    resamples: u32,
}

fn prediction() -> String {
    "prediction".into()
}

fn cutoffs() -> Vec<usize> {
    vec![10]
}

impl Params {
    fn judge(&self, table: &Table) -> Result<Judged> {
        let (relevance, scores) = (numbers(table, &self.label)?, numbers(table, &self.prediction)?);
        if let Some(row) = relevance.iter().position(|relevance| *relevance < 0.0) {
            let reason = format!("expected a relevance of 0 or more, got {} in row {row}", relevance[row]);
            return Err(Error::invalid(&self.label, reason));
        }
        let item = |(relevance, score): (&f64, &f64)| Item { relevance: *relevance, score: *score };
        let items = relevance.iter().zip(&scores).map(item).collect();
        Ok(Judged::new(items, evaluation::groups(table, &self.group)?, Cutoffs(self.k.clone())))
    }
}

struct Ranking;

impl Evaluator for Ranking {
    fn evaluate(candidate: &Table, baseline: Option<&Table>, slice_columns: &[String]) -> Result<Vec<Measure>> {
        let params = stepwell::params::<Params>()?;
        let bootstrap = Bootstrap::new(params.confidence, params.resamples)?;
        let judged = params.judge(candidate)?;
        let other = baseline.map(|baseline| params.judge(baseline)).transpose()?;
        if let (Some(table), Some(other)) = (baseline, &other) {
            evaluation::same(&judged.relevances(), &other.relevances(), &params.label)?;
            evaluation::same(judged.groups(), other.groups(), &params.group)?;
            let predicted = |name: &str| name == params.prediction;
            evaluation::same_order((candidate, table), &params.label, predicted, slice_columns)?;
        }
        let (slices, rng) = (Slices::read(candidate, slice_columns)?, Rng::from_seed(stepwell::seed()));
        Ok(evaluation::evaluate(&judged, other.as_ref(), &slices, bootstrap, &rng))
    }
}

impl Plugin for Ranking {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        evaluation::described(stepwell::descriptor!().parameters(PARAMETERS), inputs, || {
            let Params { label, group, prediction, .. } = stepwell::params::<Params>()?;
            Ok(vec![label, group, prediction])
        })
    }
}

stepwell::export!(Ranking: Evaluator);
