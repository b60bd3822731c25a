//! Scales a column to zero mean and unit variance, as learnt from the training rows. Nulls stay nulls.

use serde::{Deserialize, Serialize};
use stepwell::{DataType, Descriptor, Field, Inputs, Plugin, Result, RowWise, Table, field};

const PARAMETERS: &str = r#"{
    "type": "object", "required": ["column"], "additionalProperties": false,
    "properties": {"column": {"type": "string", "description": "Column of numbers to scale."}}
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    column: String,
}

/// What was learnt. It is saved beside the model and used alike for training rows and requests.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ZScore {
    column: String,
    mean: f64,
    deviation: f64,
}

impl ZScore {
    fn learn(column: String, values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        // A constant column is moved, not scaled.
        let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        Self { column, mean, deviation }
    }

    fn of(&self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }
}

impl RowWise for ZScore {
    fn fit(rows: &Table) -> Result<Self> {
        let Params { column } = stepwell::params()?;
        let values: Vec<f64> = rows.f64(&column)?.iter().flatten().copied().collect();
        Ok(Self::learn(column, &values))
    }

    fn apply(&self, rows: &Table) -> Result<Table> {
        rows.with(&self.column, rows.f64(&self.column)?.map(|value| self.of(value)))
    }
}

impl Plugin for ZScore {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS).learns();
        if inputs.is_empty() {
            return Ok(descriptor.input("rows", []).output_same_rows("rows", [], "rows"));
        }
        let Params { column } = stepwell::params()?;
        let columns = inputs.columns("rows");
        let read = field::require(columns, &column)?.clone();
        let scaled = Field { data_type: DataType::Float64, ..read.clone() };
        Ok(descriptor.input("rows", [read]).output_same_rows("rows", field::with(columns, scaled), "rows"))
    }
}

stepwell::export!(ZScore: RowWise);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_scaled_as_learnt() {
        let learnt = ZScore::learn("x".into(), &[1.0, 3.0]);
        assert_eq!((learnt.mean, learnt.deviation), (2.0, 1.0));
        assert_eq!(learnt.of(5.0), 3.0);
        assert_eq!(ZScore::learn("x".into(), &[7.0, 7.0]).of(7.0), 0.0);
    }
}
