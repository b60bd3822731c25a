//! The plain route: rows as JSON objects in, predictions as JSON objects out. For callers that know no tensors.

use crate::ServeError;
use crate::response::Finite;
use crate::rows::Rows;
use data::Table;
use serde::Serialize;
use types::{Field, ModelName, PredictionId};

#[derive(Serialize)]
struct PlainResponse<'a> {
    model: &'a str,
    version: u32,
    prediction_ids: Vec<PredictionId>,
    predictions: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// Reads `{"rows": [{"column": value, ..}, ..]}`. A column that may be null may be left out. All problems are told together.
pub fn plain_table(request: &[u8], columns: &[Field]) -> Result<Table, ServeError> {
    Rows::read(request, columns)?.table()
}

/// `{"model": .., "version": .., "prediction_ids": [.., ..], "predictions": [{..}, ..]}`, a row each in the request's order.
/// `first` is what the first one is called.
pub fn plain_response(
    model: &ModelName,
    version: u32,
    first: PredictionId,
    predictions: &Table,
) -> Result<Vec<u8>, ServeError> {
    for field in &predictions.schema().fields {
        Finite::check(predictions, &field.name)?;
    }
    let prediction_ids = (0..predictions.rows()).map(|row| first.row(row)).collect();
    let predictions = data::json_rows(predictions)?;
    let response = PlainResponse { model: types::Id::as_str(model), version, prediction_ids, predictions };
    serde_json::to_vec(&response).map_err(|error| ServeError::Host(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{DataType, Id};

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
        let first = PredictionId::first(0, [0; 10]);
        let answer = plain_response(&ModelName::parse("m").unwrap(), 3, first, &table).unwrap();
        let ids = [first, first.row(1)];
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&answer).unwrap(),
            serde_json::json!({"model": "m", "version": 3, "prediction_ids": ids, "predictions": [
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
             column `near` is a list of 1, expected vector(2) (row 0); \
             column `name` (text, row 0) is missing: every row is to bring a value for it"
        );
    }

    #[test]
    fn what_is_missing_is_told_as_one_problem() {
        let columns = |count| {
            let column = |i| Field { name: format!("c{i}"), data_type: DataType::Float64, nullable: false };
            (0..count).map(column).collect::<Vec<_>>()
        };
        for (request, count, expected) in [
            (
                r#"{"rows": [{"c0": 1, "c1": null}, {"c2": 2}]}"#,
                3,
                "column `c1` is null, which the column does not allow (row 0); 2 columns are missing: \
                 `c0` (float64, row 1), `c2` (float64, row 0): every row is to bring a value for each",
            ),
            (
                r#"{"rows": [{}]}"#,
                30,
                "30 columns are missing: `c0` (float64, row 0), `c1` (float64, row 0), `c2` (float64, row 0), \
                 `c3` (float64, row 0), `c4` (float64, row 0), `c5` (float64, row 0), `c6` (float64, row 0), \
                 `c7` (float64, row 0), `c8` (float64, row 0), `c9` (float64, row 0) and 20 more: \
                 every row is to bring a value for each",
            ),
        ] {
            assert_eq!(plain_table(request.as_bytes(), &columns(count)).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn where_a_request_has_no_value_is_said_of_a_dozen_columns() {
        let column = |i| Field { name: format!("c{i}"), data_type: DataType::Float64, nullable: true };
        let columns: Vec<_> = (0..12).map(column).collect();
        let gaps = |request: &str| crate::Asked::of(plain_table(request.as_bytes(), &columns).unwrap()).gaps();
        let full: Vec<_> = (0..12).map(|i| format!("\"c{i}\": 1")).collect();
        let full = full.join(", ");
        assert_eq!(gaps(&format!(r#"{{"rows": [{{{full}}}]}}"#)), None);
        let said =
            gaps(&format!(r#"{{"rows": [{{{full}}}, {{{}}}]}}"#, full.replace("\"c3\": 1", "\"c3\": null"))).unwrap();
        assert!(said.contains("for `c3` (row 1): send"), "{said}");
        let said = gaps(r#"{"rows": [{}]}"#).unwrap();
        assert!(said.contains("for `c0` (row 0), ") && said.contains("`c9` (row 0) and 2 more: send"), "{said}");
    }

    #[test]
    fn a_row_too_many_is_refused_and_the_rest_not_read() {
        let columns = [Field { name: "age".to_owned(), data_type: DataType::Int64, nullable: true }];
        let rows = |count: usize| vec!["{}"; count].join(",");
        let most = format!(r#"{{"rows": [{}]}}"#, rows(100_000));
        assert_eq!(plain_table(most.as_bytes(), &columns).unwrap().rows(), 100_000);
        let more = format!(r#"{{"rows": [{}, and no JSON"#, rows(100_001));
        let error = plain_table(more.as_bytes(), &columns).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read the request: the request has more than 100000 rows at line 1"),
            "{error}"
        );
    }

    /// Two bytes of a row would stand for as many nulls as the model has columns.
    #[test]
    fn rows_that_leave_out_too_much_are_refused_and_the_rest_not_read() {
        let column = |i| Field { name: format!("c{i}"), data_type: DataType::Float64, nullable: true };
        let columns: Vec<_> = (0..2_000).map(column).collect();
        let rows = |count: usize| vec!["{}"; count].join(",");
        let most = format!(r#"{{"rows": [{}]}}"#, rows(1_000));
        assert_eq!(plain_table(most.as_bytes(), &columns).unwrap().rows(), 1_000);
        let more = format!(r#"{{"rows": [{}, and no JSON"#, rows(1_001));
        let error = plain_table(more.as_bytes(), &columns).unwrap_err().to_string();
        assert!(error.contains("the rows leave out more than 2000000 values together"), "{error}");
    }

    #[test]
    fn a_column_twice_in_a_row_is_refused() {
        let request = br#"{"rows": [{"age": 1, "age": 2, "score": 1, "name": "a", "near": [1, 2, 3]}]}"#;
        assert_eq!(
            plain_table(request, &columns()).unwrap_err().to_string(),
            "column `age` stands twice (row 0); column `near` is a list of 3, expected vector(2) (row 0)"
        );
    }

    #[test]
    fn an_error_stays_short_however_many_columns_are_unknown() {
        let row = |count| {
            let cells: Vec<_> = (0..count).map(|i| format!("\"{i}{}\": [[[]]]", "x".repeat(200))).collect();
            format!("{{{}}}", cells.join(","))
        };
        // A name counts once.
        let request = format!(r#"{{"rows": [{0}, {0}]}}"#, row(1000));
        let error = plain_table(request.as_bytes(), &columns()).unwrap_err().to_string();
        assert!(error.ends_with("and 981 more problems"), "{error}");
        assert!(error.len() < 10_000, "{}", error.len());
        let more = format!(r#"{{"rows": [{}, and no JSON"#, row(1001));
        let error = plain_table(more.as_bytes(), &columns()).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read the request: more than 1000 columns are unknown, `1000xxx"),
            "the rest is not read: {error}"
        );
        assert!(error.len() < 1_000, "{}", error.len());
    }

    #[test]
    fn no_rows_and_no_json_are_refused() {
        for (request, expected) in [
            (r#"{"rows": []}"#, "the request has 0 rows, expected 1 to 100000"),
            (
                "[]",
                "cannot read the request: invalid type: sequence, expected an object with `rows` at line 1 column 0",
            ),
            ("{}", "cannot read the request: missing field `rows` at line 1 column 2"),
            (r#"{"rows": [], "rows": []}"#, "cannot read the request: duplicate field `rows` at line 1 column 19"),
            (r#"{"row": []}"#, "cannot read the request: unknown field `row`, expected `rows` at line 1 column 6"),
        ] {
            let error = plain_table(request.as_bytes(), &columns()).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.status()), (expected, 400));
        }
    }
}
