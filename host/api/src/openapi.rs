//! The public routes as an OpenAPI 3.1 document, each endpoint's columns as its schemas, and a page that shows it.

use crate::error::off_thread;
use crate::inference::{Answer, Public, told};
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use serve::ROWS_MAX;
use server::EndpointInfo;
use types::{DataType, Field};

/// The page asks this server and nobody else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'";

pub(crate) async fn document(State(public): State<Public>) -> Answer {
    let (room, _turn) = (public.room.clone(), public.turns.about().await?);
    let document = off_thread(move || Ok(described(&public.server.endpoints(&public.tenant)?)));
    told(&room, &document.await?)
}

pub(crate) async fn page() -> impl IntoResponse {
    let head = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, PAGE_POLICY)];
    (head, include_str!("openapi.html"))
}

fn described(endpoints: &[EndpointInfo]) -> Value {
    let (mut paths, mut schemas) = (of_server(), Map::new());
    schemas.insert("error".to_owned(), object(json!({ "error": { "type": "string" } })));
    for endpoint in endpoints {
        of_endpoint(endpoint, &mut paths, &mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stepwell",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Predictions of this server's endpoints: rows in, predictions out, and beside that the Open Inference Protocol v2.",
        },
        // From where this document lies: another tenant's routes are beneath its name.
        "servers": [{ "url": "./" }],
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

/// The routes that are the same whatever is served.
fn of_server() -> Map<String, Value> {
    let any = json!({ "type": "object" });
    let list = json!({ "type": "array", "items": any });
    let get = |summary: &str, schema: &Value| json!({ "get": operation("server", summary, None, schema) });
    let controlled = |summary: &str| {
        let mut operation = operation("server", summary, None, &any);
        operation["parameters"] =
            json!([{ "name": "endpoint", "in": "path", "required": true, "schema": { "type": "string" } }]);
        json!({ "post": operation })
    };
    let index = json!({ "type": "object", "properties": { "ready": { "type": "boolean", "default": false } } });
    let paths = [
        ("/v2", get("What the server is", &any)),
        ("/v2/health/live", get("Whether the server answers", &any)),
        ("/v2/health/ready", get("Whether every endpoint has a version", &any)),
        ("/v2/models/stats", get("What became of the requests of each endpoint", &any)),
        (
            "/v2/repository/index",
            json!({ "post": operation("server", "Which endpoints there are", Some(&index), &list) }),
        ),
        ("/v2/repository/models/{endpoint}/load", controlled("Loads the endpoint's version")),
        ("/v2/repository/models/{endpoint}/unload", controlled("Ends the endpoint's worker until it is loaded again")),
    ];
    paths.into_iter().map(|(path, item)| (path.to_owned(), item)).collect()
}

fn of_endpoint(info: &EndpointInfo, paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    let name = info.endpoint.to_string();
    let schema = |part: &str| json!({ "$ref": format!("#/components/schemas/{name}.{part}") });
    let rows = json!({ "type": "array", "minItems": 1, "maxItems": ROWS_MAX, "items": schema("row") });
    let predictions = json!({ "type": "array", "items": schema("prediction") });
    let ids = json!({ "type": "array", "items": { "type": "string" } });
    let answer = json!({
        "type": "object",
        "properties": {
            "model": { "type": "string" },
            "version": { "type": "integer" },
            "prediction_ids": ids,
            "predictions": predictions,
        },
        "required": ["model", "version", "prediction_ids", "predictions"],
    });
    for (part, made) in [
        ("row", columns(&info.request)),
        ("prediction", columns(&info.response)),
        ("request", object(json!({ "rows": rows }))),
        ("answer", answer),
        ("tensors", tensors("inputs", &info.request)),
        ("tensor-answer", tensors("outputs", &info.response)),
    ] {
        schemas.insert(format!("{name}.{part}"), made);
    }
    let (any, model) = (json!({ "type": "object" }), format!("/v2/models/{name}"));
    let get = |summary: &str| json!({ "get": operation(&name, summary, None, &any) });
    let post = |summary: &str, request: &str, answer: &str| json!({ "post": operation(&name, summary, Some(&schema(request)), &schema(answer)) });
    let plain = format!("Predictions for rows, by model `{}`, the version `{}`", info.model, info.alias);
    for (path, item) in [
        (format!("/predict/{name}"), post(&plain, "request", "answer")),
        (format!("{model}/infer"), post("The same for tensors, a tensor a column", "tensors", "tensor-answer")),
        (model.clone(), get("The columns that it reads and answers")),
        (format!("{model}/ready"), get("Whether it has a version to answer with")),
        (format!("{model}/stats"), get("What became of its requests")),
        (format!("{model}/config"), get("Its columns as a Triton configuration")),
    ] {
        paths.insert(path, item);
    }
}

fn operation(tag: &str, summary: &str, request: Option<&Value>, answer: &Value) -> Value {
    let of = |schema: &Value| json!({ "application/json": { "schema": schema } });
    let error = json!({ "description": "Why there is no answer", "content": of(&json!({ "$ref": "#/components/schemas/error" })) });
    let mut operation = json!({
        "tags": [tag],
        "summary": summary,
        "responses": { "200": { "description": "The answer", "content": of(answer) }, "default": error },
    });
    if let Some(request) = request {
        operation["requestBody"] = json!({ "required": true, "content": of(request) });
    }
    operation
}

/// An object that has all of these and nothing else.
fn object(properties: Value) -> Value {
    let required: Vec<_> = properties.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// A row of the plain route.
fn columns(fields: &[Field]) -> Value {
    let properties: Map<_, _> = fields.iter().map(|field| (field.name.clone(), column(field))).collect();
    let required: Vec<_> = fields.iter().filter(|field| !field.nullable).map(|field| &field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn column(field: &Field) -> Value {
    let (kind, mut more) = value(field.data_type);
    more["type"] = if field.nullable { json!([kind, "null"]) } else { json!(kind) };
    more
}

/// The JSON type of a value of a column, and what else a schema says of it.
fn value(data_type: DataType) -> (&'static str, Value) {
    match data_type {
        DataType::Boolean => ("boolean", json!({})),
        DataType::Int64 => ("integer", json!({ "format": "int64" })),
        DataType::Timestamp => ("integer", json!({ "format": "int64", "description": "microseconds since 1970" })),
        DataType::Date => ("integer", json!({ "format": "int32", "description": "days since 1970" })),
        DataType::Float32 => ("number", json!({ "format": "float" })),
        DataType::Float64 => ("number", json!({ "format": "double" })),
        DataType::Text => ("string", json!({})),
        DataType::Bytes => {
            ("string", json!({ "description": "bytes in hex; a request brings them as a binary tensor" }))
        }
        DataType::Vector(length) => {
            let items = json!({ "type": "number", "format": "float" });
            ("array", json!({ "items": items, "minItems": length, "maxItems": length }))
        }
    }
}

/// A request or an answer of the protocol: a tensor a column.
fn tensors(list: &str, fields: &[Field]) -> Value {
    let tensor = |field: &Field| {
        let (kind, shape) = match field.data_type {
            DataType::Vector(length) => ("number", json!([{ "type": "integer" }, { "const": length }])),
            other => (value(other).0, json!([{ "type": "integer" }])),
        };
        json!({
            "type": "object",
            "required": ["name", "datatype", "shape", "data"],
            "properties": {
                "name": { "const": field.name },
                "datatype": { "type": "string", "default": serve::Datatype::of(field.data_type).name() },
                "shape": { "type": "array", "prefixItems": shape, "description": "the number of rows, and of a vector its length" },
                "data": { "type": "array", "items": { "type": kind } },
            },
        })
    };
    let one_of: Vec<_> = fields.iter().map(tensor).collect();
    json!({
        "type": "object",
        "required": [list],
        "properties": { "id": { "type": "string" }, list: { "type": "array", "items": { "oneOf": one_of } } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{EndpointName, Id, ModelName};

    fn endpoint() -> EndpointInfo {
        let field = |name: &str, data_type, nullable| Field { name: name.to_owned(), data_type, nullable };
        EndpointInfo {
            endpoint: EndpointName::parse("iris").unwrap(),
            model: ModelName::parse("flowers").unwrap(),
            alias: "champion".to_owned(),
            version: Some(3),
            versions: vec![3],
            unloaded: false,
            trouble: None,
            request: vec![field("age", DataType::Int64, true), field("near", DataType::Vector(2), false)],
            response: vec![field("class", DataType::Text, false)],
        }
    }

    #[test]
    fn columns_are_schemas() {
        let said = described(&[endpoint()]);
        assert_eq!(
            said["components"]["schemas"]["iris.row"],
            json!({
                "type": "object", "required": ["near"], "additionalProperties": false,
                "properties": {
                    "age": { "type": ["integer", "null"], "format": "int64" },
                    "near": {
                        "type": "array", "minItems": 2, "maxItems": 2, "items": { "type": "number", "format": "float" },
                    },
                },
            })
        );
        let asked = &said["paths"]["/predict/iris"]["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(*asked, json!({ "$ref": "#/components/schemas/iris.request" }));
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(fields) => fields.iter().for_each(|(name, value)| match value.as_str() {
                    Some(target) if name == "$ref" => found.push(target),
                    _ => references(value, found),
                }),
                Value::Array(values) => values.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let said = described(&[endpoint()]);
        let mut found = Vec::new();
        references(&said, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for target in found {
            assert!(said.pointer(target.trim_start_matches('#')).is_some(), "{target}");
        }
    }
}
