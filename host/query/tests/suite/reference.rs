//! The queries of `tests/reference/cases.json` against DuckDB's answers.

use crate::made;
use data::{GuestColumn, Table};
use serde_json::Value;
use types::DataType;

const CASES: &str = include_str!("../reference/cases.json");
/// Sums in another order differ in their last bits.
const TOLERANCE: f64 = 1e-9;

fn table(made_of: &Value) -> Table {
    let rows = made_of["rows"].as_array().unwrap();
    let columns = made_of["columns"].as_array().unwrap().iter().enumerate();
    let columns = columns.map(|(at, column)| {
        let values: Vec<&Value> = rows.iter().map(|row| &row[at]).collect();
        (column[0].as_str().unwrap(), guest_column(DataType::parse(column[1].as_str().unwrap()).unwrap(), &values))
    });
    made::table(columns.collect())
}

fn guest_column(data_type: DataType, values: &[&Value]) -> GuestColumn {
    let whole = |value: &&Value| value.as_i64().unwrap_or_default();
    let column = match data_type {
        DataType::Text => made::text(values.iter().map(|value| value.as_str().unwrap_or_default())),
        DataType::Float64 => made::float64(values.iter().map(|value| value.as_f64().unwrap_or_default())),
        DataType::Date => made::fixed(data_type, values.iter().map(|value| (whole(value) as i32).to_le_bytes())),
        DataType::Boolean => {
            let mut bits = vec![0u8; values.len().div_ceil(8)];
            let set = values.iter().enumerate().filter(|(_, value)| value.as_bool() == Some(true));
            set.for_each(|(row, _)| bits[row / 8] |= 1 << (row % 8));
            GuestColumn { data_type, length: values.len() as u32, validity: None, offsets: None, data: bits }
        }
        _ => made::fixed(data_type, values.iter().map(|value| whole(value).to_le_bytes())),
    };
    made::with_nulls(column, |row| !values[row].is_null())
}

fn alike(got: &Value, expected: &Value) -> bool {
    match (got.as_f64(), expected.as_f64()) {
        (Some(got), Some(expected)) => (got - expected).abs() <= TOLERANCE * expected.abs().max(1.0),
        _ => got == expected,
    }
}

/// The answer's columns are in the order of the case's, whatever they are called.
fn rows(table: &Table) -> Vec<Vec<Value>> {
    let names: Vec<&String> = table.schema().fields.iter().map(|field| &field.name).collect();
    data::json_rows(table)
        .unwrap()
        .into_iter()
        .map(|row| names.iter().map(|name| row[*name].clone()).collect())
        .collect()
}

#[test]
fn answers_are_those_of_duckdb() {
    let cases: Value = serde_json::from_str(CASES).unwrap();
    let tables: Vec<(&String, Table)> =
        cases["tables"].as_object().unwrap().iter().map(|(name, made_of)| (name, table(made_of))).collect();
    let tables: Vec<(&str, &Table)> = tables.iter().map(|(name, table)| (name.as_str(), table)).collect();
    let mut wrong = Vec::new();
    for case in cases["cases"].as_array().unwrap() {
        let (name, expected) = (case["name"].as_str().unwrap(), case["rows"].as_array().unwrap());
        let answer = match made::run(case["sql"].as_str().unwrap(), &tables) {
            Ok(answer) => rows(&answer),
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let same = |(got, expected): (&Vec<Value>, &Value)| {
            got.len() == expected.as_array().unwrap().len()
                && got.iter().zip(expected.as_array().unwrap()).all(|(got, expected)| alike(got, expected))
        };
        if answer.len() != expected.len() {
            wrong.push(format!("{name}: {} rows, expected {}", answer.len(), expected.len()));
        } else if let Some(at) = answer.iter().zip(expected).position(|pair| !same(pair)) {
            wrong.push(format!("{name}: row {at} is {:?}, expected {}", answer[at], expected[at]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
