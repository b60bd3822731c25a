//! The plain route: rows as JSON objects in, predictions as JSON objects out. For callers that know no tensors.

use crate::cell::{Cell, ColumnBuilder};
use crate::request::ROWS_MAX;
use crate::response::Finite;
use crate::{Datatype, Problems, ServeError, shown};
use data::{GuestColumn, Table};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use types::{DataType, Field, ModelName, Schema};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `rows`")]
struct PlainRequest {
    rows: Vec<BTreeMap<String, Cell>>,
}

#[derive(Serialize)]
struct PlainResponse<'a> {
    model: &'a str,
    version: u32,
    predictions: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// Reads `{"rows": [{"column": value, ..}, ..]}`. A column that may be null may be left out. All problems are told together.
pub fn plain_table(request: &[u8], columns: &[Field]) -> Result<Table, ServeError> {
    let request: PlainRequest =
        serde_json::from_slice(request).map_err(|error| ServeError::Syntax(error.to_string()))?;
    let rows = request.rows;
    let mut problems = Problems::default();
    if !(1..=ROWS_MAX).contains(&rows.len()) {
        problems.push(format!("the request has {} rows, expected 1 to {ROWS_MAX}", rows.len()));
    }
    refuse_unknown(&rows, columns, &mut problems);
    let made: Vec<_> = columns
        .iter()
        .filter_map(|field| column(field, &rows).map_err(|problem| problems.push(problem)).ok())
        .collect();
    problems.check()?;
    Ok(Table::from_columns(Schema { fields: columns.to_vec() }, made)?)
}

fn refuse_unknown(rows: &[BTreeMap<String, Cell>], columns: &[Field], problems: &mut Problems) {
    let expected: BTreeSet<_> = columns.iter().map(|field| field.name.as_str()).collect();
    let mut told = BTreeSet::new();
    for (row, cells) in rows.iter().enumerate() {
        for name in cells.keys().filter(|name| !expected.contains(name.as_str())) {
            if told.insert(name.as_str()) {
                problems.push(format!("column {} is unknown, the model does not read it (row {row})", shown(name)));
            }
        }
    }
}

/// A column of all rows; the error is the one problem that is told of it.
fn column(field: &Field, rows: &[BTreeMap<String, Cell>]) -> Result<GuestColumn, String> {
    let name = &field.name;
    let datatype = Datatype::of(field.data_type);
    let mut builder = ColumnBuilder::new(field);
    for (row, cells) in rows.iter().enumerate() {
        let cell = match cells.get(name.as_str()) {
            Some(cell) => cell,
            None if field.nullable => &Cell::Null,
            None => return Err(format!("column `{name}` ({}) is missing (row {row})", field.data_type)),
        };
        let values = match (cell, field.data_type) {
            (Cell::List(values), DataType::Vector(length)) if values.len() == length as usize => values.as_slice(),
            (Cell::Null, _) => std::slice::from_ref(cell),
            (Cell::List(_), _) | (_, DataType::Vector(_)) => {
                return Err(format!("column `{name}` is {cell}, expected {} (row {row})", field.data_type));
            }
            _ => std::slice::from_ref(cell),
        };
        builder.push(values, datatype).map_err(|why| format!("column `{name}` {why} (row {row})"))?;
    }
    Ok(builder.finish())
}

/// `{"model": .., "version": .., "predictions": [{..}, ..]}`, a row each in the request's order.
pub fn plain_response(model: &ModelName, version: u32, predictions: &Table) -> Result<Vec<u8>, ServeError> {
    for field in &predictions.schema().fields {
        Finite::check(predictions, &field.name)?;
    }
    let predictions = data::json_rows(predictions)?;
    let response = PlainResponse { model: types::Id::as_str(model), version, predictions };
    serde_json::to_vec(&response).map_err(|error| ServeError::Host(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Id;

    fn columns() -> Vec<Field> {
        let field = |name: &str, data_type, nullable| Field { name: name.to_owned(), data_type, nullable };
        vec![
            field("age", DataType::Int64, false),
            field("score", DataType::Float64, true),
            field("name", DataType::Text, false),
            field("near", DataType::Vector(2), false),
        ]
    }

    #[test]
    fn rows_in_and_predictions_out() {
        let request = br#"{"rows": [{"age": 4, "score": 0.1, "name": "a", "near": [1, 0.5]},
                                    {"age": -1, "name": "\u00e9", "near": [0, 2]}]}"#;
        let table = plain_table(request, &columns()).unwrap();
        let answer = plain_response(&ModelName::parse("m").unwrap(), 3, &table).unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&answer).unwrap(),
            serde_json::json!({"model": "m", "version": 3, "predictions": [
                {"age": 4, "score": 0.1, "name": "a", "near": [1.0, 0.5]},
                {"age": -1, "score": null, "name": "é", "near": [0.0, 2.0]},
            ]})
        );
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let request = br#"{"rows": [{"age": 4.5, "score": "x", "near": [1]}, {"colour": 1}, {"colour": 1}]}"#;
        assert_eq!(
            plain_table(request, &columns()).unwrap_err().to_string(),
            "column `colour` is unknown, the model does not read it (row 1); \
             column `age` is 4.5, no INT64 (row 0); column `score` is the text `x`, no FP64 (row 0); \
             column `name` (text) is missing (row 0); column `near` is a list of 1, expected vector(2) (row 0)"
        );
    }

    #[test]
    fn no_rows_and_no_json_are_refused() {
        for (request, expected) in [
            (r#"{"rows": []}"#, "the request has 0 rows, expected 1 to 100000"),
            ("[]", "cannot read the request: invalid length 0, expected an object with `rows` at line 1 column 2"),
            (r#"{"row": []}"#, "cannot read the request: unknown field `row`, expected `rows` at line 1 column 6"),
        ] {
            let error = plain_table(request.as_bytes(), &columns()).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.status()), (expected, 400));
        }
    }
}
