//! Good requests, one at least of each route and method that serves a model.

use crate::grpc::Call;
use crate::harness::serving::Serving;
use crate::messages::{Field, Held, message, text, varint};
use crate::requests::Request;
use serde_json::{Value, json};

const INFER: &str = "/v2/models/tumour/infer";
const FIRST: &str = "/v2/models/tumour/versions/1/infer";

pub(crate) fn over_http(serving: &Serving) -> Vec<Request> {
    let asked = json!({ "rows": [row(0), { "x": 2.5, "word": null }] });
    let answered = serving.post("/predict/tumour", asked.to_string()).good();
    let label = json!({ "prediction_id": answered["prediction_ids"][0], "label": 3.0 });
    let tensors = serving.infer_body(&[row(0), row(1)]);
    let wanted = json!({
        "id": "42", "parameters": { "priority": 1 }, "inputs": tensors["inputs"],
        "outputs": [{ "name": "multiplied", "parameters": { "binary_data": false } }],
    });
    let post = |path: &str, body: &Value| Request::post(path, body.to_string().as_bytes());
    let (binary, bytes) = as_bytes(&tensors);
    let mut requests = vec![
        post("/predict/tumour", &asked),
        post("/tenants/default/predict/tumour", &asked),
        post(INFER, &tensors),
        post(INFER, &wanted),
        post(FIRST, &tensors),
        post(INFER, &binary).with_tensors(&bytes),
        post(FIRST, &binary).with_tensors(&bytes),
        post("/labels/tumour", &json!({ "labels": [label] })),
        post("/v2/repository/index", &json!({ "ready": true })),
        post("/v2/repository/models/tumour/load", &json!({})),
        post("/v2/repository/models/spare/unload", &json!({ "parameters": { "unload_dependents": false } })),
    ];
    requests.extend(ABOUT.map(Request::get));
    requests
}

/// What is asked with `GET`.
const ABOUT: [&str; 18] = [
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/stats",
    "/v2/models/tumour",
    "/v2/models/tumour/ready",
    "/v2/models/tumour/config",
    "/v2/models/tumour/stats",
    "/v2/models/tumour/versions/1",
    "/v2/models/tumour/versions/1/ready",
    "/v2/models/tumour/versions/1/config",
    "/v2/models/tumour/versions/1/stats",
    "/tenants/default/v2",
    "/tenants/default/v2/models/tumour",
    "/openapi.json",
    "/docs",
    "/metrics",
    "/tenants/default/metrics",
];

/// A row with a value in every column, as the protocol's tensors have them.
fn row(at: i64) -> Value {
    json!({
        "x": 1.5 + at as f64, "whole": 2 - at, "flag": at == 0, "word": "é", "day": 19_000 + at,
        "at": 1_700_000_000_000_000_i64 + at, "half": 0.5,
    })
}

/// The same tensors with their values as bytes behind the JSON.
fn as_bytes(tensors: &Value) -> (Value, Vec<u8>) {
    let (mut inputs, mut bytes) = (tensors["inputs"].clone(), Vec::new());
    for input in inputs.as_array_mut().unwrap() {
        let before = bytes.len();
        let values = input.as_object_mut().unwrap().remove("data").unwrap();
        let datatype = input["datatype"].as_str().unwrap();
        values.as_array().unwrap().iter().for_each(|value| bytes.extend(raw(datatype, value)));
        input["parameters"] = json!({ "binary_data_size": bytes.len() - before });
    }
    (json!({ "inputs": inputs, "parameters": { "binary_data_output": true } }), bytes)
}

fn raw(datatype: &str, value: &Value) -> Vec<u8> {
    match datatype {
        "BOOL" => vec![u8::from(value.as_bool().unwrap())],
        "INT32" => (value.as_i64().unwrap() as i32).to_le_bytes().to_vec(),
        "INT64" => value.as_i64().unwrap().to_le_bytes().to_vec(),
        "FP32" => (value.as_f64().unwrap() as f32).to_le_bytes().to_vec(),
        "FP64" => value.as_f64().unwrap().to_le_bytes().to_vec(),
        "BYTES" => {
            let text = value.as_str().unwrap().as_bytes();
            [&(text.len() as u32).to_le_bytes()[..], text].concat()
        }
        other => panic!("a column of {other}"),
    }
}

pub(crate) fn over_grpc() -> Vec<Call> {
    let about = |method: &str, version: &str| Call::new(method, vec![vec![text(1, "tumour"), text(2, version)]]);
    let model = |method: &str, name: &str| Call::new(method, vec![vec![text(2, name)]]);
    vec![
        Call::new("ServerLive", vec![Vec::new()]),
        Call::new("ServerReady", vec![Vec::new()]),
        Call::new("ServerMetadata", vec![Vec::new()]),
        about("ModelReady", ""),
        about("ModelMetadata", "1"),
        about("ModelConfig", ""),
        about("ModelStatistics", "1"),
        Call::new("ModelInfer", vec![infer(true)]),
        Call::new("ModelInfer", vec![infer(false)]),
        Call::new("ModelStreamInfer", vec![infer(true), infer(false)]),
        Call::new("RepositoryIndex", vec![vec![varint(2, 1)]]),
        model("RepositoryModelLoad", "tumour"),
        model("RepositoryModelUnload", "spare"),
    ]
}

/// The columns of [`row`].
const COLUMNS: [(&str, &str); 7] = [
    ("x", "FP64"),
    ("whole", "INT64"),
    ("flag", "BOOL"),
    ("word", "BYTES"),
    ("day", "INT32"),
    ("at", "INT64"),
    ("half", "FP32"),
];

/// `ModelInferRequest` of two rows, whose values stand behind the inputs or in them.
fn infer(is_raw: bool) -> Vec<Field> {
    let rows = [row(0), row(1)];
    let mut fields = vec![text(1, "tumour"), text(3, "42")];
    for (name, datatype) in COLUMNS {
        let shape = Field(3, Held::Bytes(vec![2]));
        let mut tensor = vec![text(1, name), text(2, datatype), shape];
        if !is_raw {
            tensor.push(message(5, rows.iter().map(|row| content(datatype, &row[name])).collect()));
        }
        fields.push(message(5, tensor));
    }
    fields.push(message(6, vec![text(1, "multiplied")]));
    let values = |(name, datatype): (&str, &str)| rows.iter().flat_map(|row| raw(datatype, &row[name])).collect();
    fields.extend(COLUMNS.into_iter().filter(|_| is_raw).map(|column| Field(7, Held::Bytes(values(column)))));
    fields
}

/// A value in the field of `InferTensorContents` that its type has.
fn content(datatype: &str, value: &Value) -> Field {
    let raw = raw(datatype, value);
    match datatype {
        "BOOL" => varint(1, value.as_bool().unwrap().into()),
        "INT32" => varint(2, value.as_i64().unwrap() as u64),
        "INT64" => varint(3, value.as_i64().unwrap() as u64),
        "FP32" => Field(6, Held::Fixed32(raw.try_into().unwrap())),
        "FP64" => Field(7, Held::Fixed64(raw.try_into().unwrap())),
        _ => text(8, value.as_str().unwrap()),
    }
}
