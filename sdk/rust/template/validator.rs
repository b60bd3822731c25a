//! Checks that a column lacks few enough of its values. A check that fails stops the run.

use serde::Deserialize;
use stepwell::{Descriptor, Finding, Inputs, Plugin, Result, Severity, Table, Validator, field};

const PARAMETERS: &str = r#"{
    "type": "object", "required": ["column"], "additionalProperties": false,
    "properties": {
        "column": {"type": "string", "description": "Column to check."},
        "most": {"type": "number", "minimum": 0, "maximum": 1, "default": 0, "description": "Share that may be null."}
    }
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    column: String,
    #[serde(default)]
    most: f64,
}

impl Params {
    fn judge(self, nulls: Vec<u64>, rows: usize) -> Finding {
        let share = nulls.len() as f64 / rows.max(1) as f64;
        Finding {
            check: "nulls".into(),
            column: Some(self.column),
            severity: Severity::Error,
            passed: share <= self.most,
            observed: format!("{share}"),
            expected: format!("at most {}", self.most),
            sample: nulls.into_iter().take(20).collect(),
        }
    }
}

struct Nulls;

impl Validator for Nulls {
    fn check(rows: &Table, _reference: Option<&Table>) -> Result<Vec<Finding>> {
        let params: Params = stepwell::params()?;
        let column = rows.column(&params.column)?;
        let nulls = (0..column.len()).filter(|row| column.is_null(*row)).map(|row| row as u64).collect();
        Ok(vec![params.judge(nulls, column.len())])
    }
}

impl Plugin for Nulls {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        if inputs.is_empty() {
            return Ok(descriptor.input("table", []).output_same_rows("table", [], "table"));
        }
        let params: Params = stepwell::params()?;
        let columns = inputs.columns("table");
        let read = field::require(columns, &params.column)?.clone();
        Ok(descriptor.input("table", [read]).output_same_rows("table", columns, "table"))
    }
}

stepwell::export!(Nulls: Validator);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_judged_with_the_rows_it_is_made_of() {
        let judge = |most, nulls: Vec<u64>, rows| Params { column: "x".into(), most }.judge(nulls, rows);
        assert!(judge(0.0, vec![], 0).passed);
        assert!(judge(0.5, vec![1], 2).passed);
        let failed = judge(0.25, vec![1], 2);
        assert_eq!((failed.passed, failed.observed.as_str(), failed.sample), (false, "0.5", vec![1]));
    }
}
