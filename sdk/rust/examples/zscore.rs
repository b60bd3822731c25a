//! Scales columns to mean 0 and deviation 1, as learnt from the training rows. Nulls are left out of learning and stay null.
//! The same step stands in the examples of every SDK, and saves the same state.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stepwell::{DataType, Descriptor, Error, Field, Inputs, Plugin, Result, RowWise, Table};

const PARAMETERS: &str = r#"{
    "type": "object", "required": ["columns"], "additionalProperties": false,
    "properties": {
        "columns": {
            "type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true,
            "description": "Columns to scale."
        }
    }
}"#;

#[derive(Deserialize)]
struct Params {
    columns: Vec<String>,
}

/// What was learnt, by column.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct ZScore(BTreeMap<String, Scale>);

#[derive(Serialize, Deserialize)]
struct Scale {
    mean: f64,
    /// The standard deviation, or 1 for a column that does not vary.
    scale: f64,
}

fn learnt(column: &str, values: &[f64]) -> Result<Scale> {
    let count = values.len().max(1) as f64;
    let mean = values.iter().fold(0.0, |sum, value| sum + value) / count;
    let variance = values.iter().fold(0.0, |sum, value| sum + (value - mean) * (value - mean)) / count;
    // scikit-learn's bound: a variance that rounding alone can make is none.
    let slack = count * mean * f64::EPSILON;
    let scale = if variance <= count * f64::EPSILON * variance + slack * slack { 1.0 } else { variance.sqrt() };
    match mean.is_finite() && variance.is_finite() {
        true => Ok(Scale { mean, scale }),
        false => Err(Error::invalid(column, "expected numbers of a finite mean and deviation to learn from")),
    }
}

impl RowWise for ZScore {
    fn fit(rows: &Table) -> Result<Self> {
        let Params { columns } = stepwell::params()?;
        let scale = |name: String| {
            let values: Vec<f64> = rows.f64(&name)?.iter().flatten().copied().collect();
            learnt(&name, &values).map(|scale| (name, scale))
        };
        columns.into_iter().map(scale).collect::<Result<_>>().map(Self)
    }

    fn apply(&self, rows: &Table) -> Result<Table> {
        let mut scaled = Table::builder();
        for (name, Scale { mean, scale }) in &self.0 {
            scaled = scaled.column(name, rows.f64(name)?.map(|value| (value - mean) / scale));
        }
        rows.with_columns(&scaled.finish()?)
    }
}

impl Plugin for ZScore {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS).learns();
        let Some(rows) = inputs.port("rows") else {
            return Ok(descriptor.input("rows", []).output_same_rows("rows", [], "rows"));
        };
        let Params { columns } = stepwell::params()?;
        let reads: Vec<Field> =
            columns.iter().map(|name| Field::new(name.as_str(), DataType::Float64).nullable()).collect();
        Ok(descriptor.input("rows", reads).output_same_rows("rows", rows.to_vec(), "rows"))
    }
}

stepwell::export!(ZScore: RowWise);
