//! Columns -> the JSON Schemas of what requests bring and answers have. What may be null or left out here is what a request is
//! checked by: the columns are those that the served version reads requests with.

use serde_json::{Map, Value, json};
use types::{DataType, Field};

/// An object that has all of these and nothing else.
pub(super) fn object(properties: Value) -> Value {
    let required: Vec<_> = properties.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// A row of the plain route.
pub(super) fn columns(fields: &[Field]) -> Value {
    let properties: Map<_, _> = fields.iter().map(|field| (field.name.clone(), column(field))).collect();
    let required: Vec<_> = fields.iter().filter(|field| !field.nullable).map(|field| &field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn column(field: &Field) -> Value {
    let (kind, mut more) = value(field.data_type);
    more["type"] = or_null(field, kind);
    more
}

fn or_null(field: &Field, kind: &str) -> Value {
    if field.nullable { json!([kind, "null"]) } else { json!(kind) }
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

/// A request or an answer of the protocol: a tensor a column, and of a request, which is whole, each column's.
pub(super) fn tensors(list: &str, fields: &[Field], is_whole: bool) -> Value {
    let tensor = |field: &Field| {
        let (kind, shape) = match field.data_type {
            DataType::Vector(length) => ("number", json!([{ "type": "integer" }, { "const": length }])),
            other => (value(other).0, json!([{ "type": "integer" }])),
        };
        let kind = or_null(field, kind);
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
    let mut tensors = json!({ "type": "array", "items": { "oneOf": one_of } });
    if is_whole {
        tensors["minItems"] = json!(fields.len());
        tensors["maxItems"] = json!(fields.len());
    }
    json!({
        "type": "object",
        "required": [list],
        "properties": { "id": { "type": "string" }, list: tensors },
    })
}
