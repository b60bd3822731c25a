//! Requests and what becomes of them: tables of cases, and properties of what strangers may send.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn field(name: &str, data_type: DataType) -> Field {
    Field { name: name.to_owned(), data_type, nullable: false }
}

fn one(data_type: DataType) -> Vec<Field> {
    vec![field("x", data_type)]
}

fn rows(request: &Value, columns: &[Field]) -> Result<Value, String> {
    let asked = request_table(request.to_string().as_bytes(), None, columns).map_err(|error| error.to_string())?;
    let rows = data::json_rows(&asked.rows).unwrap();
    Ok(rows.into_iter().map(|row| row["x"].clone()).collect())
}

fn tensor(datatype: &str, shape: &Value, data: &Value) -> Value {
    json!({"inputs": [{"name": "x", "datatype": datatype, "shape": shape, "data": data}]})
}

#[test]
fn a_tensor_is_read_flat_or_nested() {
    use DataType::{Boolean, Date, Float32, Float64, Int64, Text, Timestamp, Vector};
    for (column, datatype, shape, data, expected) in [
        (Boolean, "BOOL", json!([3]), json!([true, false, true]), json!([true, false, true])),
        (Int64, "INT64", json!([2]), json!([i64::MIN, i64::MAX]), json!([i64::MIN, i64::MAX])),
        (Int64, "UINT32", json!([1, 1]), json!([u32::MAX]), json!([u32::MAX])),
        (Int64, "INT8", json!([2, 1]), json!([[-128], [127]]), json!([-128, 127])),
        (Timestamp, "INT64", json!([1]), json!([7]), json!([7])),
        (Date, "INT32", json!([1]), json!([-7]), json!([-7])),
        (Float64, "FP64", json!([3]), json!([0.1, 1, -0.0]), json!([0.1, 1.0, -0.0])),
        (Float64, "INT32", json!([1]), json!([3]), json!([3.0])),
        (Float64, "FP32", json!([1]), json!([0.1]), json!([f64::from(0.1f32)])),
        (Float32, "FP32", json!([1]), json!([0.1]), json!([0.1f32])),
        (Float32, "UINT16", json!([1]), json!([65535]), json!([65535.0])),
        (Text, "BYTES", json!([2, 1]), json!(["é", ""]), json!(["é", ""])),
        (Vector(2), "FP32", json!([2, 2]), json!([1, 2, 3, 4]), json!([[1.0, 2.0], [3.0, 4.0]])),
        (Vector(2), "FP32", json!([2, 2]), json!([[1, 2], [3, 4]]), json!([[1.0, 2.0], [3.0, 4.0]])),
    ] {
        assert_eq!(
            rows(&tensor(datatype, &shape, &data), &one(column)),
            Ok(expected),
            "{column} from {datatype} {data}"
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_was_expected() {
    use DataType::{Bytes, Float32, Float64, Int64, Text, Vector};
    for (column, datatype, shape, data, expected) in [
        (
            Float32,
            "FP64",
            json!([1]),
            json!([1]),
            "has datatype `FP64`, its column of float32 takes UINT8, UINT16, INT8, INT16, FP16, BF16, FP32",
        ),
        (Text, "FP16", json!([1]), json!([1]), "has datatype `FP16`, its column of text takes BYTES"),
        (Bytes, "BYTES", json!([1]), json!([""]), "cannot come in JSON: the column holds bytes (row 0)"),
        (Float64, "FP16", json!([1]), json!([1]), "has FP16 in `data`, which is binary only"),
        (Int64, "INT8", json!([2]), json!([0, 128]), "is 128, no INT8 (row 1)"),
        (Int64, "UINT8", json!([1]), json!([-1]), "is -1, no UINT8 (row 0)"),
        (Int64, "INT64", json!([1]), json!([1.0]), "is 1.0, no INT64 (row 0)"),
        (Int64, "INT64", json!([1]), json!([u64::MAX]), "is 18446744073709551615, no INT64 (row 0)"),
        (Float64, "FP32", json!([1]), json!([1e39]), "is 1e39, no FP32 (row 0)"),
        (Float64, "INT32", json!([1]), json!([1u64 << 40]), "is 1099511627776, no INT32 (row 0)"),
        (Float64, "FP64", json!([1]), json!(["1"]), "is the text `1`, no FP64 (row 0)"),
        (Float64, "FP64", json!([1]), json!([true]), "is true, no FP64 (row 0)"),
        (Float64, "FP64", json!([2]), json!([1, null]), "is null, which the column does not allow (row 1)"),
        (Float64, "FP64", json!([2]), json!([1]), "has 1 values in `data`, its shape says 2"),
        (Float64, "FP64", json!([2, 1]), json!([[1]]), "has 1 lists in `data`, its shape says 2"),
        (
            Float64,
            "FP64",
            json!([2, 1]),
            json!([[1], [1, 2]]),
            "has `data` whose nesting is not that of its shape, first at element 1",
        ),
        (
            Float64,
            "FP64",
            json!([2, 1]),
            json!([1, [2]]),
            "has `data` whose nesting is not that of its shape, first at element 1",
        ),
        (
            Float64,
            "FP64",
            json!([1]),
            json!([[1]]),
            "has `data` whose nesting is not that of its shape, first at element 0",
        ),
        (Float64, "FP64", json!([1, 2]), json!([1, 2]), "has shape [1, 2], expected [n] or [n, 1]"),
        (Float64, "FP64", json!([]), json!([]), "has shape [], expected [n] or [n, 1]"),
        (Float64, "FP64", json!([0]), json!([]), "has 0 rows, expected 1 to 100000"),
        (Float64, "FP64", json!([-1]), json!([]), "has -1 rows, expected 1 to 100000"),
        (Float64, "FP64", json!([100_001]), json!([]), "has 100001 rows, expected 1 to 100000"),
        (Float64, "FP64", json!([1]), json!(null), "has no `data`"),
        (Vector(2), "FP32", json!([1]), json!([1, 2]), "has shape [1], expected [n, 2]"),
        (Vector(2), "FP32", json!([1, 2]), json!([1, null]), "is null, no FP32 (row 0)"),
    ] {
        let error = rows(&tensor(datatype, &shape, &data), &one(column)).unwrap_err();
        assert_eq!(error, format!("input `x` {expected}"), "{datatype} {data}");
    }
}

#[test]
fn data_that_is_no_tensor_is_refused_where_it_stops_to_be_one() {
    for (data, expected) in [
        ("\"x\"", "invalid type: string \"x\", expected a list of values at line 1 column 3"),
        ("[{}]", "invalid type: map, expected a number, a text, a truth value or a list of these at line 1 column 3"),
        (
            "[[[1]]]",
            "lists stand more than two deep, a tensor has rows and at most one more dimension at line 1 column 3",
        ),
        ("[1e999]", "number out of range at line 1 column 6"),
        // What comes after the first value too many is not looked at.
        ("[1,2,3,[[{}]]]", "more than the 2 values that its shape says at line 1 column 7"),
        ("[[1],[2],[3],{}]", "more than the 2 lists that its shape says at line 1 column 13"),
    ] {
        let request = format!(r#"{{"inputs":[{{"name":"x","data":{data},"datatype":"FP64","shape":[2,1]}}]}}"#);
        let error = request_table(request.as_bytes(), None, &one(DataType::Float64)).unwrap_err().to_string();
        assert_eq!(error, format!("input `x` has wrong `data`: {expected}"), "{data}");
    }
}

#[test]
fn every_problem_of_a_request_is_told_at_once() {
    let columns = ["a", "b", "c", "d"].map(|name| field(name, DataType::Float64));
    let input = |name: &str, data: Value| {
        let rows = data.as_array().map_or(0, Vec::len);
        json!({"name": name, "datatype": "FP64", "shape": [rows], "data": data})
    };
    let request = json!({"outputs": [{"name": "p", "parameters": {"classification": 3}}], "inputs": [
        input("b", json!([1, 2])), input("c", json!([1, 2, 3])), input("e", json!([1])), input("d", json!(["x", 1])),
        input("b", json!([1])),
    ]});
    assert_eq!(
        rows(&request, &columns).unwrap_err(),
        "`p` asks for the extension classification, which is not supported; input `e` is unknown, the model does not read it; \
         input `b` stands twice; input `a` (FP64) is missing: the request is to bring a tensor for it; input `d` is the text `x`, no FP64 (row 0); \
         input `c` has 3 rows, `b` has 2"
    );
}

#[test]
fn an_error_stays_short_whatever_is_sent() {
    let inputs: Vec<_> = (0..1000)
        .map(|i| json!({"name": format!("{i}{}", "é".repeat(500)), "datatype": "FP64", "shape": [1], "data": [1]}))
        .collect();
    let error = rows(&json!({ "inputs": inputs }), &one(DataType::Float64)).unwrap_err();
    assert!(error.ends_with("and 981 more problems"), "{error}");
    assert!(error.len() < 10_000, "{}", error.len());
}

#[test]
fn an_error_of_the_parser_quotes_little() {
    let long = "é".repeat(100_000);
    for body in [
        format!(r#"{{"inputs":[],"{long}":1}}"#),
        format!(r#"{{"inputs":"{long}"}}"#),
        format!(r#"{{"inputs":[{{"name":"x","shape":[1],"datatype":"FP64","data":"{long}"}}]}}"#),
    ] {
        let error = request_table(body.as_bytes(), None, &one(DataType::Float64)).unwrap_err().to_string();
        assert!(error.len() < 2000, "{}", error.len());
        assert!(error.contains(" .. at line 1 column "), "{error}");
    }
}

#[test]
fn more_tensors_than_any_model_has_are_refused_unread() {
    let mut body = br#"{"inputs":["#.to_vec();
    (0..10_001).for_each(|_| body.extend(br#"{"name":"","shape":[],"datatype":""},"#));
    body.extend(b"and no JSON");
    let error = request_table(&body, None, &one(DataType::Float64)).unwrap_err().to_string();
    assert!(error.contains("invalid length 10001, expected a list of at most 10000"), "{error}");
}

#[test]
fn a_body_that_is_no_request_says_where() {
    for (body, expected) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("[]", "invalid length 0, expected an object with `inputs` at line 1 column 2"),
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("{}", "missing field `inputs` at line 1 column 2"),
        (
            r#"{"inputs":[],"output":[]}"#,
            "unknown field `output`, expected one of `id`, `parameters`, `inputs`, `outputs` at line 1 column 21",
        ),
        (
            r#"{"inputs":[{"name":"x","shape":[1,1,1,1,1,1,1,1,1],"datatype":"FP64","data":[1]}]}"#,
            "invalid length 9, expected a list of at most 8 at line 1 column 50",
        ),
        (
            r#"{"inputs":[],"parameters":[]}"#,
            "invalid type: sequence, expected an object of parameters at line 1 column 26",
        ),
    ] {
        let error = request_table(body.as_bytes(), None, &one(DataType::Float64)).unwrap_err();
        assert_eq!((error.to_string(), error.status()), (format!("cannot read the request: {expected}"), 400));
    }
}

#[test]
fn id_and_outputs_are_kept() {
    let mut request = tensor("FP64", &json!([1]), &json!([1]));
    request["id"] = json!("42");
    request["outputs"] = json!([{"name": "probability", "parameters": {"binary_data": false}}]);
    let asked = request_table(request.to_string().as_bytes(), None, &one(DataType::Float64)).unwrap();
    let outputs = Outputs { named: vec![("probability".to_owned(), false)], binary: false };
    assert_eq!((asked.id.as_deref(), asked.outputs), (Some("42"), outputs));
}

#[test]
fn a_nullable_column_takes_nulls() {
    let columns = [Field { nullable: true, ..field("x", DataType::Text) }];
    let data = json!([null, "a", null]);
    assert_eq!(rows(&tensor("BYTES", &json!([3]), &data), &columns), Ok(data));
}

/// A null is two bytes of a request and sixteen thousand of this column.
#[test]
fn nulls_stand_for_no_more_than_a_body_may_have() {
    let columns = [Field { nullable: true, ..field("x", DataType::Vector(4000)) }];
    let plain = |rows: usize| {
        let body = json!({ "rows": vec![json!({}); rows] }).to_string();
        crate::plain_table(body.as_bytes(), &columns).map(|table| table.rows()).map_err(|error| error.to_string())
    };
    assert_eq!(plain(2_000), Ok(2_000));
    let error = plain(2_200).unwrap_err();
    assert!(error.contains("one null too many: they take more than 32 MiB"), "{error}");
}

/// A body of the binary extension: its JSON, and the bytes that follow.
fn with_bytes(json: &Value, bytes: &[u8]) -> (Vec<u8>, Option<usize>) {
    let json = json.to_string().into_bytes();
    let length = json.len();
    ([json.as_slice(), bytes].concat(), Some(length))
}

#[test]
fn bytes_behind_the_json_are_the_inputs_in_their_order() {
    let columns = [field("a", DataType::Int64), field("b", DataType::Text), field("c", DataType::Float64)];
    let input = |name: &str, datatype: &str, size: usize| json!({"name": name, "datatype": datatype, "shape": [2], "parameters": {"binary_data_size": size}});
    let request = json!({"parameters": {"binary_data_output": true}, "outputs": [
        {"name": "p"}, {"name": "q", "parameters": {"binary_data": false}},
    ], "inputs": [
        input("b", "BYTES", 11),
        {"name": "c", "datatype": "FP64", "shape": [2], "data": [0.5, 1]},
        input("a", "INT16", 4),
    ]});
    let (body, length) = with_bytes(&request, b"\x02\0\0\0\xc3\xa9\x01\0\0\0x\xff\xff\x07\0");
    let asked = request_table(&body, length, &columns).unwrap();
    let rows = data::json_rows(&asked.rows).unwrap();
    assert_eq!(
        Value::from(rows.into_iter().map(Value::Object).collect::<Vec<_>>()),
        json!([{"a": -1, "b": "é", "c": 0.5}, {"a": 7, "b": "x", "c": 1.0}])
    );
    let named = vec![("p".to_owned(), true), ("q".to_owned(), false)];
    assert_eq!(asked.outputs, Outputs { named, binary: true });
}

#[test]
fn bytes_that_do_not_add_up_are_refused() {
    let input = |parameters: Value| json!({"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "parameters": parameters}]});
    let mut both = tensor("FP64", &json!([1]), &json!([1]));
    both["inputs"][0]["parameters"] = json!({"binary_data_size": 8});
    for (request, bytes, expected) in [
        (input(json!({})), 0, "input `x` has no `data`"),
        (
            input(json!({"binary_data_size": 8})),
            7,
            "input `x` says `binary_data_size` 8, behind the JSON are 7 bytes left",
        ),
        (
            input(json!({"binary_data_size": 8})),
            9,
            "behind the JSON are 1 bytes that no input's `binary_data_size` counts",
        ),
        (input(json!({"binary_data_size": 4})), 4, "input `x` has 4 bytes of values, 1 of FP64 are 8"),
        (
            both,
            8,
            "behind the JSON are 8 bytes that no input's `binary_data_size` counts; \
             input `x` has both `data` and `binary_data_size`",
        ),
    ] {
        let (body, length) = with_bytes(&request, &vec![0; bytes]);
        let error = request_table(&body, length, &one(DataType::Float64)).unwrap_err().to_string();
        assert_eq!(error, expected, "{request}");
    }
    let error = request_table(b"{}", Some(3), &one(DataType::Float64)).unwrap_err();
    let expected = "cannot read the request: `Inference-Header-Content-Length` says 3 bytes, the body has 2";
    assert_eq!((error.to_string().as_str(), error.status()), (expected, 400));
    let error = request_table(b"{\"inputs\": []}", Some(5), &one(DataType::Float64)).unwrap_err();
    assert!(error.to_string().starts_with("cannot read the request: EOF"), "{error}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(request_table(&bytes, None, &one(DataType::Float64)));
        drop(request_table(&bytes, Some(bytes.len() / 2), &one(DataType::Float64)));
        drop(crate::plain_table(&bytes, &one(DataType::Float64)));
    }

    #[test]
    fn arbitrary_tensors_never_panic(
        datatype in prop::sample::select(vec!["BOOL", "INT8", "INT64", "UINT32", "FP32", "FP64", "BYTES", "FP16", "BF16"]),
        column in prop::sample::select(vec![
            DataType::Boolean, DataType::Int64, DataType::Float32, DataType::Float64, DataType::Text, DataType::Bytes,
            DataType::Timestamp, DataType::Date, DataType::Vector(2),
        ]),
        nullable in any::<bool>(),
        shape in prop::collection::vec(-1i64..4, 0..3),
        data in any_json(),
        bytes in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..40),
        size in 0usize..42,
    ) {
        let columns = [Field { nullable, ..field("x", column) }];
        let request = tensor(datatype, &json!(shape), &data);
        if let Ok(asked) = request_table(request.to_string().as_bytes(), None, &columns) {
            prop_assert_eq!(asked.rows.rows(), shape[0] as u64);
        }
        let mut request = request;
        request["inputs"][0]["parameters"] = json!({"binary_data_size": size});
        request["inputs"][0].as_object_mut().unwrap().remove("data");
        let (body, length) = with_bytes(&request, &bytes);
        match request_table(&body, length, &columns) {
            Ok(asked) => prop_assert_eq!(asked.rows.rows(), shape[0] as u64),
            Err(error) => prop_assert_eq!(error.status(), 400),
        }
        drop(crate::plain_table(json!({"rows": [{"x": data}]}).to_string().as_bytes(), &columns));
    }
}
