//! Keeps the first row of each value of a column. Nulls are a value of their own.

use serde::Deserialize;
use std::collections::BTreeSet;
use stepwell::{Descriptor, Inputs, Plugin, Result, Tables, Transformer, field};

const PARAMETERS: &str = r#"{
    "type": "object", "required": ["column"], "additionalProperties": false,
    "properties": {"column": {"type": "string", "description": "Column whose values are to come once."}}
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    column: String,
}

/// The positions at which a value comes for the first time.
fn firsts<T: Ord>(values: impl Iterator<Item = T>) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    (0..).zip(values).filter_map(|(row, value)| seen.insert(value).then_some(row)).collect()
}

struct Distinct;

impl Transformer for Distinct {
    fn run(inputs: Tables) -> Result<Tables> {
        let Params { column } = stepwell::params()?;
        let table = inputs.get("table")?;
        let rows = firsts(table.categories(&column)?.iter());
        Ok(Tables::new().and("table", table.take(&rows)?))
    }
}

impl Plugin for Distinct {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        if inputs.is_empty() {
            return Ok(descriptor.input("table", []).output_subset("table", [], "table"));
        }
        let Params { column } = stepwell::params()?;
        let columns = inputs.columns("table");
        let read = field::require(columns, &column)?.clone();
        Ok(descriptor.input("table", [read]).output_subset("table", columns, "table"))
    }
}

stepwell::export!(Distinct: Transformer);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_of_a_value_stays() {
        let values = [Some("b"), None, Some("a"), Some("b"), None];
        assert_eq!(firsts(values.into_iter()), [0, 1, 2]);
    }
}
