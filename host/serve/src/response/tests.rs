//! Answers as callers read them.

use super::*;
use crate::request_table;
use proptest::prelude::*;
use serde_json::{Value, json};
use types::Schema;

fn model() -> ModelName {
    ModelName::parse("iris").unwrap()
}

fn first() -> PredictionId {
    PredictionId::first(1_700_000_000_000_000, [1; 10])
}

/// What so many rows' predictions are called.
fn ids(rows: u64) -> String {
    (0..rows).map(|row| first().row(row).to_string()).collect::<Vec<_>>().join(",")
}

fn field(name: &str, data_type: DataType) -> Field {
    Field { name: name.to_owned(), data_type, nullable: false }
}

fn doubles(values: &[f64]) -> Table {
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let length = values.len() as u32;
    let column = GuestColumn { data_type: DataType::Float64, length, validity: None, offsets: None, data };
    Table::from_columns(Schema { fields: vec![field("p", DataType::Float64)] }, vec![column]).unwrap()
}

/// Two columns of three rows, one with a null.
fn predictions() -> Table {
    let request = json!({"rows": [{"class": "a", "p": 0.1}, {"p": 0.5}, {"class": "é\n", "p": 1}]});
    let columns = [Field { nullable: true, ..field("class", DataType::Text) }, field("p", DataType::Float32)];
    crate::plain_table(request.to_string().as_bytes(), &columns).unwrap()
}

fn named(outputs: &[&str], binary: bool) -> Outputs {
    Outputs { named: outputs.iter().map(|name| ((*name).to_owned(), binary)).collect(), binary }
}

fn answered(outputs: &[&str]) -> Result<Value, String> {
    let answer = response(&model(), 3, Some("42"), (first(), &predictions()), &named(outputs, false));
    let answer = answer.map_err(|error| error.to_string())?;
    assert_eq!(answer.json_length, None);
    Ok(serde_json::from_slice(&answer.body).unwrap())
}

#[test]
fn all_columns_are_answered_where_none_is_asked_for() {
    assert_eq!(
        answered(&[]).unwrap(),
        json!({"model_name": "iris", "model_version": "3", "id": "42", "parameters": {"prediction_ids": ids(3)}, "outputs": [
            {"name": "class", "shape": [3], "datatype": "BYTES", "data": ["a", null, "é\n"]},
            {"name": "p", "shape": [3], "datatype": "FP32", "data": [0.1, 0.5, 1.0]},
        ]})
    );
}

#[test]
fn outputs_come_as_asked_for_or_not_at_all() {
    assert_eq!(answered(&["p"]).unwrap()["outputs"].as_array().unwrap().len(), 1);
    assert_eq!(
        answered(&["p", "q", "p"]).unwrap_err(),
        "output `q` is unknown, there are `class`, `p`; output `p` is asked for twice"
    );
}

#[test]
fn without_an_id_none_is_said() {
    let body = response(&model(), 1, None, (first(), &doubles(&[0.5])), &Outputs::default()).unwrap().body;
    let expected = r#"{"model_name":"iris","model_version":"1","parameters":{"prediction_ids":"ID"},"outputs":[{"name":"p","shape":[1],"datatype":"FP64","data":[0.5]}]}"#
        .replace("ID", &ids(1));
    assert_eq!(String::from_utf8(body).unwrap(), expected);
}

#[test]
fn what_json_cannot_hold_is_the_models_error() {
    for (value, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let table = doubles(&[0.0, value]);
        let errors = [
            response(&model(), 1, None, (first(), &table), &Outputs::default()).unwrap_err(),
            crate::plain_response(&model(), 1, first(), &table).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.to_string(), format!("output `p` is {text} in row 1, which JSON cannot hold"));
            assert_eq!(error.status(), 500);
        }
    }
}

#[test]
fn many_rows_cross_in_chunks() {
    let values: Vec<f64> = (0..20_000).map(f64::from).collect();
    let body = response(&model(), 1, None, (first(), &doubles(&values)), &Outputs::default()).unwrap().body;
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["outputs"][0]["data"], json!(values));
}

#[test]
fn a_binary_tensor_follows_the_json_and_says_its_size() {
    let table = crate::plain_table(
        br#"{"rows": [{"class": "\u00e9", "p": 0.5}, {"class": "", "p": -1}]}"#,
        &[field("class", DataType::Text), field("p", DataType::Float32)],
    );
    let outputs = Outputs { named: vec![("class".to_owned(), true), ("p".to_owned(), false)], binary: false };
    let answer = response(&model(), 1, None, (first(), &table.unwrap()), &outputs).unwrap();
    let (json, bytes) = answer.body.split_at(answer.json_length.unwrap());
    assert_eq!(
        serde_json::from_slice::<Value>(json).unwrap()["outputs"],
        json!([
            {"name": "class", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 10}},
            {"name": "p", "shape": [2], "datatype": "FP32", "data": [0.5, -1.0]},
        ])
    );
    assert_eq!(bytes, b"\x02\0\0\0\xc3\xa9\0\0\0\0");
}

#[test]
fn binary_holds_what_json_cannot_and_no_missing_value() {
    let answer = response(&model(), 1, None, (first(), &doubles(&[f64::NAN])), &named(&[], true)).unwrap();
    assert_eq!(answer.body[answer.json_length.unwrap()..], f64::NAN.to_le_bytes());
    let error = response(&model(), 1, None, (first(), &predictions()), &named(&["class"], true)).unwrap_err();
    let expected = "output `class` has no value in row 1, which a binary tensor cannot say: ask for it as JSON";
    assert_eq!((error.to_string().as_str(), error.status()), (expected, 400));
}

fn finite() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite())
}

proptest! {
    /// As a client in any language sees it: shortest text there, the same bits here, and back.
    #[test]
    fn a_double_keeps_its_bits_through_request_and_response(values in prop::collection::vec(finite(), 1..50)) {
        let request = json!({"inputs": [{"name": "p", "datatype": "FP64", "shape": [values.len()], "data": values}]});
        let asked = request_table(request.to_string().as_bytes(), None, &[field("p", DataType::Float64)]).unwrap();
        let body = response(&model(), 1, None, (first(), &asked.rows), &Outputs::default()).unwrap().body;
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let back = answer["outputs"][0]["data"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap().to_bits());
        prop_assert!(back.eq(values.iter().map(|value| value.to_bits())));
        let plain: Value = serde_json::from_slice(&crate::plain_response(&model(), 1, first(), &asked.rows).unwrap()).unwrap();
        let back = plain["predictions"].as_array().unwrap().iter().map(|row| row["p"].as_f64().unwrap().to_bits());
        prop_assert!(back.eq(values.iter().map(|value| value.to_bits())));
    }

    #[test]
    fn a_float_keeps_its_bits(bits in any::<u32>()) {
        let value = f32::from_bits(bits);
        prop_assume!(value.is_finite());
        let request = json!({"inputs": [{"name": "p", "datatype": "FP32", "shape": [1], "data": [value]}]});
        let asked = request_table(request.to_string().as_bytes(), None, &[field("p", DataType::Float32)]).unwrap();
        let body = response(&model(), 1, None, (first(), &asked.rows), &Outputs::default()).unwrap().body;
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let back = answer["outputs"][0]["data"][0].as_f64().unwrap() as f32;
        prop_assert_eq!(back.to_bits(), bits);
    }
}
