//! Messages as a client of any language makes them, by the generated code's rules, and what becomes of strangers' bytes.

use super::*;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use types::DataType;

/// `ModelInferRequest` whole, as a client has it.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, tag = "1")]
    model_name: String,
    #[prost(string, tag = "2")]
    model_version: String,
    #[prost(string, tag = "3")]
    id: String,
    #[prost(message, repeated, tag = "5")]
    inputs: Vec<Tensor>,
    #[prost(message, repeated, tag = "6")]
    outputs: Vec<Output>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    raw_input_contents: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    datatype: String,
    #[prost(int64, repeated, tag = "3")]
    shape: Vec<i64>,
    #[prost(map = "string, bytes", tag = "4")]
    parameters: std::collections::HashMap<String, Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    contents: Option<AllContents>,
}

#[derive(Clone, PartialEq, Message)]
struct AllContents {
    #[prost(bool, repeated, tag = "1")]
    bools: Vec<bool>,
    #[prost(int32, repeated, tag = "2")]
    ints: Vec<i32>,
    #[prost(int64, repeated, tag = "3")]
    int64s: Vec<i64>,
    #[prost(uint32, repeated, tag = "4")]
    uints: Vec<u32>,
    #[prost(uint64, repeated, tag = "5")]
    uint64s: Vec<u64>,
    #[prost(float, repeated, tag = "6")]
    floats: Vec<f32>,
    // Not packed, which a reader must take too.
    #[prost(double, repeated, packed = "false", tag = "7")]
    doubles: Vec<f64>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    bytes: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Output {
    #[prost(string, tag = "1")]
    name: String,
}

fn field(name: &str, data_type: DataType) -> Field {
    Field { name: name.to_owned(), data_type, nullable: false }
}

fn tensor(datatype: &str, rows: i64, contents: Option<AllContents>) -> Tensor {
    let parameters = std::collections::HashMap::new();
    Tensor { name: "x".to_owned(), datatype: datatype.to_owned(), shape: vec![rows], parameters, contents }
}

fn of(inputs: Vec<Tensor>, raw_input_contents: Vec<Vec<u8>>) -> Request {
    Request { model_name: "iris".to_owned(), inputs, raw_input_contents, ..Request::default() }
}

fn rows(request: &Request, column: DataType) -> Result<Json, String> {
    let message = request.encode_to_vec();
    let asked = InferRequest::read(&message).and_then(|request| request.asked(&[field("x", column)]));
    let rows = data::json_rows(&asked.map_err(|error| error.to_string())?.rows).unwrap();
    Ok(rows.into_iter().map(|row| row["x"].clone()).collect())
}

#[test]
fn values_come_raw_or_in_the_field_of_their_type() {
    let raw = of(vec![tensor("INT32", 2, None)], vec![b"\xff\xff\xff\xff\x07\0\0\0".to_vec()]);
    assert_eq!(rows(&raw, DataType::Int64), Ok(json!([-1, 7])));
    let all = AllContents::default;
    for (column, datatype, contents, expected) in [
        (DataType::Boolean, "BOOL", AllContents { bools: vec![true, false], ..all() }, json!([true, false])),
        (DataType::Int64, "INT8", AllContents { ints: vec![-1, 7], ..all() }, json!([-1, 7])),
        (DataType::Int64, "INT64", AllContents { int64s: vec![i64::MIN, 7], ..all() }, json!([i64::MIN, 7])),
        (DataType::Int64, "UINT32", AllContents { uints: vec![u32::MAX, 7], ..all() }, json!([u32::MAX, 7])),
        (DataType::Float64, "FP32", AllContents { floats: vec![0.5, 7.0], ..all() }, json!([0.5, 7.0])),
        (DataType::Float64, "FP64", AllContents { doubles: vec![0.1, 7.0], ..all() }, json!([0.1, 7.0])),
        (DataType::Text, "BYTES", AllContents { bytes: vec!["é".into(), "".into()], ..all() }, json!(["é", ""])),
    ] {
        assert_eq!(
            rows(&of(vec![tensor(datatype, 2, Some(contents))], Vec::new()), column),
            Ok(expected),
            "{datatype}"
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_was_expected() {
    let all = AllContents::default;
    let shared =
        Tensor { parameters: [("shared_memory_region".to_owned(), Vec::new())].into(), ..tensor("INT8", 1, None) };
    for (column, request, expected) in [
        (DataType::Int64, of(vec![tensor("INT8", 1, None)], Vec::new()), "input `x` has no values"),
        (
            DataType::Int64,
            of(vec![tensor("INT8", 1, None)], vec![vec![1], vec![2]]),
            "`raw_input_contents` has 2 entries, there are 1 inputs",
        ),
        (
            DataType::Int64,
            of(vec![tensor("INT8", 1, Some(AllContents { ints: vec![1], ..all() }))], vec![vec![1]]),
            "input `x` has `contents` beside `raw_input_contents`",
        ),
        (
            DataType::Int64,
            of(vec![tensor("INT8", 1, Some(AllContents { int64s: vec![1], ..all() }))], Vec::new()),
            "input `x` has values in `int64_contents`, those of INT8 belong into `int_contents` (row 0)",
        ),
        (
            DataType::Int64,
            of(vec![tensor("INT8", 2, Some(AllContents { ints: vec![1, 300], ..all() }))], Vec::new()),
            "input `x` is 300, no INT8 (row 1)",
        ),
        (
            DataType::Float64,
            of(vec![tensor("FP16", 1, Some(all()))], Vec::new()),
            "input `x` has FP16 outside of `raw_input_contents`",
        ),
        (
            DataType::Int64,
            of(vec![shared], vec![vec![1]]),
            "`x` asks for the extension shared memory, which is not supported",
        ),
        (
            DataType::Int64,
            of(Vec::new(), Vec::new()),
            "input `x` (INT64) is missing: the request is to bring a tensor for it",
        ),
    ] {
        assert_eq!(rows(&request, column).unwrap_err(), expected);
    }
}

#[test]
fn lists_that_are_longer_than_any_model_has_columns_are_refused_unread() {
    let error = |message: &[u8]| InferRequest::read(message).unwrap_err().to_string();
    let entries = b"\x2a\0".repeat(20_000);
    assert!(error(&entries).contains("`inputs` has more than 10000 entries"), "{}", error(&entries));
    let deep = of(vec![Tensor { shape: vec![1; 9], ..tensor("INT8", 1, None) }], Vec::new()).encode_to_vec();
    assert!(error(&deep).contains("more than 8 dimensions"), "{}", error(&deep));
    let Err(long) = read::<ModelRequest>(&[0; 65_537]) else { panic!("a name of 64 KiB") };
    assert!(long.to_string().contains("more than 65536 bytes"), "{long}");
}

#[test]
fn an_answer_has_the_outputs_that_are_wanted_raw() {
    let columns = [field("class", DataType::Text), field("p", DataType::Float64)];
    let table = crate::plain_table(br#"{"rows": [{"class": "a", "p": 0.5}]}"#, &columns).unwrap();
    let outputs = Outputs { named: vec![("p".to_owned(), true), ("class".to_owned(), true)], binary: true };
    let model = ModelName::parse("iris").unwrap();
    let first = PredictionId::first(0, [1; 10]);
    let message = infer_response(&model, 3, Some("42"), (first, &table), &outputs).unwrap();
    let answer = InferResponse::decode(message.as_slice()).unwrap();
    assert_eq!((answer.model_name.as_str(), answer.model_version.as_str(), answer.id.as_str()), ("iris", "3", "42"));
    assert_eq!(answer.parameters["prediction_ids"].string_param, Some(first.to_string()));
    let told: Vec<_> = answer.outputs.iter().map(|output| (output.name.as_str(), output.datatype.as_str())).collect();
    assert_eq!(told, [("p", "FP64"), ("class", "BYTES")]);
    assert_eq!(answer.raw_output_contents, [0.5f64.to_le_bytes().to_vec(), b"\x01\0\0\0a".to_vec()]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = InferRequest::read(&bytes) {
            drop(request.asked(&[field("x", DataType::Float64)]));
        }
        drop(read::<ModelRequest>(&bytes));
        drop(read::<ControlRequest>(&bytes));
    }

    /// Messages that are nearly right, one byte of which is another.
    #[test]
    fn arbitrary_messages_never_panic_and_are_the_callers_fault(
        datatype in prop::sample::select(vec!["BOOL", "INT8", "UINT16", "INT64", "UINT64", "FP16", "FP32", "FP64", "BYTES"]),
        column in prop::sample::select(vec![
            DataType::Boolean, DataType::Int64, DataType::Float32, DataType::Float64, DataType::Text, DataType::Bytes,
            DataType::Date, DataType::Vector(2),
        ]),
        shape in prop::collection::vec(-1i64..4, 0..3),
        values in prop::collection::vec(any::<u64>(), 0..5),
        raw in any::<bool>(),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let contents = AllContents {
            ints: values.iter().map(|value| *value as i32).collect(),
            doubles: values.iter().map(|value| f64::from_bits(*value)).collect(),
            ..AllContents::default()
        };
        let input = Tensor { shape: shape.clone(), ..tensor(datatype, 0, (!raw).then_some(contents)) };
        let mut message = of(vec![input], if raw { vec![bytes] } else { Vec::new() }).encode_to_vec();
        if let Some((place, byte)) = damage {
            let place = place.index(message.len());
            message[place] = byte;
        }
        let asked = InferRequest::read(&message).and_then(|request| request.asked(&[field("x", column)]));
        if let Err(error) = asked {
            prop_assert_eq!(error.status(), 400, "{}", error);
        }
    }
}
