//! Adds a column `ratio`: one column divided by another, null where either is null.

use serde::{Deserialize, Serialize};
use stepwell::{DataType, Descriptor, Field, Inputs, Plugin, Result, RowWise, Table, field};

#[derive(Serialize, Deserialize)]
struct Ratio {
    over: String,
    under: String,
}

impl RowWise for Ratio {
    fn fit(_rows: &Table) -> Result<Self> {
        stepwell::params()
    }

    fn apply(&self, rows: &Table) -> Result<Table> {
        let (over, under) = (rows.f64(&self.over)?, rows.f64(&self.under)?);
        let ratio: Vec<_> = over.iter().zip(under.iter()).map(|(a, b)| Some(a? / b?)).collect();
        rows.with("ratio", ratio)
    }
}

impl Plugin for Ratio {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let columns = inputs.columns("rows");
        let descriptor = stepwell::descriptor!().parameters(
            r#"{"type": "object", "required": ["over", "under"], "additionalProperties": false, "properties": {
                "over": {"type": "string", "description": "column that is divided"},
                "under": {"type": "string", "description": "column it is divided by"}}}"#,
        );
        if inputs.is_empty() {
            return Ok(descriptor);
        }
        let params: Ratio = stepwell::params()?;
        let ratio = Field::new("ratio", DataType::Float64).nullable();
        let read = [field::require(columns, &params.over)?.clone(), field::require(columns, &params.under)?.clone()];
        Ok(descriptor.input("rows", read).output_same_rows("rows", field::with(columns, ratio), "rows"))
    }
}

stepwell::export!(Ratio: RowWise);
