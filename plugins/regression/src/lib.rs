//! Predicted numbers with the true ones -> errors, R2, and measures of quantiles and intervals; of forecasts too.
//!
//! An error is the prediction minus the truth. Values are scikit-learn's where it has them. A forecast's horizon and series are
//! columns of its rows, so they are slices; `group` names what is drawn together by the bootstrap, such as the series, whose rows
//! say much the same. What is undefined (MAPE with a truth of 0, R2 of equal truths) is left out, with a warning in the log.

mod measures;
mod seasonal;

use crate::measures::{Judged, Row};
use evaluation::{Bootstrap, Slices, numbers};
use serde::Deserialize;
use std::collections::BTreeMap;
use stepwell::{AnyColumn, Descriptor, Error, Evaluator, Inputs, Measure, Plugin, Result, Rng, Table};

const PARAMETERS: &str = r#"{
    "type": "object",
    "required": ["label"],
    "additionalProperties": false,
    "properties": {
        "label": {"type": "string", "description": "Column of the true number."},
        "prediction": {"type": "string", "default": "prediction", "description": "Column of the predicted number."},
        "quantiles": {"type": "object", "maxProperties": 20, "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "default": {}, "description": "Columns of predicted quantiles, each with the share of truths that is to lie below."},
        "interval": {"type": "object", "required": ["low", "high"], "additionalProperties": false, "properties": {"low": {"type": "string"}, "high": {"type": "string"}}, "description": "Columns of the ends of a predicted interval."},
        "scale": {"type": "string", "description": "Column of the error that counts as 1 in MASE: of a row's series the mean absolute error of the naive forecast over the rows that were learnt from."},
        "season": {"type": "integer", "minimum": 1, "maximum": 100000, "description": "Instead of `scale`: how many times back the naive forecast looks, 1 for the last. Its error is taken over the rows that are judged, series by series (`group`)."},
        "time": {"type": "string", "description": "With `season`: column of the time that a row is of, an `int64`, `date` or `timestamp`."},
        "group": {"type": "string", "description": "Column of what the bootstrap draws together, such as the series."},
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
    #[serde(default)]
    quantiles: BTreeMap<String, f64>,
    interval: Option<Ends>,
    scale: Option<String>,
    season: Option<usize>,
    time: Option<String>,
    group: Option<String>,
    #[serde(default = "evaluation::confidence")]
    confidence: f64,
    #[serde(default = "evaluation::resamples")]
    resamples: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    low: String,
    high: String,
}

fn prediction() -> String {
    "prediction".into()
}

impl Params {
    fn checked(self) -> Result<Self> {
        let wrong = |name: &str, reason: String| Err(Error::invalid(name, reason));
        if let Some((column, share)) = self.quantiles.iter().find(|(_, share)| !(**share > 0.0 && **share < 1.0)) {
            return wrong("quantiles", format!("expected more than 0 and less than 1 of `{column}`, got {share}"));
        }
        match (&self.scale, self.season, &self.time) {
            (Some(scale), Some(_), _) => wrong("season", format!("expected none beside `scale`, which is `{scale}`")),
            (_, Some(0), _) => wrong("season", "expected 1 or more, got 0".into()),
            (_, Some(_), None) => wrong("time", "expected the column of the rows' times, which `season` needs".into()),
            (_, None, Some(time)) => wrong("season", format!("expected how far back in `{time}` a season lies")),
            _ => Ok(self),
        }
    }

    /// The columns that are read; some perhaps twice.
    fn columns(&self) -> Vec<String> {
        let own = [&self.label].into_iter().chain(self.predicted());
        own.chain(&self.scale).chain(&self.time).chain(&self.group).cloned().collect()
    }

    /// Those of them that were predicted.
    fn predicted(&self) -> impl Iterator<Item = &String> {
        let ends = self.interval.iter().flat_map(|ends| [&ends.low, &ends.high]);
        [&self.prediction].into_iter().chain(self.quantiles.keys()).chain(ends)
    }

    fn judge(&self, table: &Table) -> Result<Judged> {
        let (truth, predicted) = (numbers(table, &self.label)?, numbers(table, &self.prediction)?);
        let rows = truth.iter().zip(&predicted).map(|(truth, predicted)| Row { truth: *truth, predicted: *predicted });
        let quantile = |(column, share): (&String, &f64)| Ok((*share, numbers(table, column)?));
        let ends = |ends: &Ends| Ok((numbers(table, &ends.low)?, numbers(table, &ends.high)?));
        let groups = self.group.as_ref().map(|group| evaluation::groups(table, group)).transpose()?;
        Ok(Judged::new(
            rows.collect(),
            self.quantiles.iter().map(quantile).collect::<Result<_>>()?,
            self.interval.as_ref().map(ends).transpose()?,
            self.scale(table, &truth, groups.as_ref())?,
            groups,
        ))
    }

    /// Of each row the error that counts as 1 in MASE, if there is to be one.
    fn scale(&self, table: &Table, truth: &[f64], groups: Option<&(Vec<usize>, usize)>) -> Result<Option<Vec<f64>>> {
        if let (Some(season), Some(time)) = (self.season, &self.time) {
            let one_series = vec![0; truth.len()];
            let series = groups.map_or(&one_series, |(series, _)| series);
            return seasonal::scales(series, &times(table, time)?, truth, season).map(Some);
        }
        self.scale.as_ref().map(|scale| numbers(table, scale)).transpose()
    }
}

/// When each row is, as a number that rises with time.
fn times(table: &Table, name: &str) -> Result<Vec<i64>> {
    match table.column(name)? {
        AnyColumn::Int64(column) => column.required(),
        AnyColumn::Date(column) => Ok(column.required()?.into_iter().map(|date| i64::from(date.0)).collect()),
        AnyColumn::Timestamp(column) => Ok(column.required()?.into_iter().map(|time| time.0).collect()),
        other => {
            let reason = format!("expected `int64`, `date` or `timestamp`, got `{}`", other.data_type().name());
            Err(Error::invalid(name, reason))
        }
    }
}

struct Regression;

impl Evaluator for Regression {
    fn evaluate(candidate: &Table, baseline: Option<&Table>, slice_columns: &[String]) -> Result<Vec<Measure>> {
        let params = stepwell::params::<Params>()?.checked()?;
        let bootstrap = Bootstrap::new(params.confidence, params.resamples)?;
        let judged = params.judge(candidate)?;
        let other = baseline.map(|baseline| params.judge(baseline)).transpose()?;
        if let (Some(table), Some(other)) = (baseline, &other) {
            evaluation::same(&judged.truths(), &other.truths(), &params.label)?;
            let predicted = |name: &str| params.predicted().any(|known| known == name);
            evaluation::same_order((candidate, table), &params.label, predicted, slice_columns)?;
        }
        let (slices, rng) = (Slices::read(candidate, slice_columns)?, Rng::from_seed(stepwell::seed()));
        Ok(evaluation::evaluate(&judged, other.as_ref(), &slices, bootstrap, &rng))
    }
}

impl Plugin for Regression {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        evaluation::described(stepwell::descriptor!().parameters(PARAMETERS), inputs, || {
            Ok(stepwell::params::<Params>()?.checked()?.columns())
        })
    }
}

stepwell::export!(Regression: Evaluator);
