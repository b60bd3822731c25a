//! The values that several tables share: limits, grants, parameters, aliases.

use crate::reader::{Reader, Value, cut, entries};
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use types::{Id, IdError, LimitsPatch, ModelName, parse_bytes, parse_duration};

const LIMITS: [&str; 6] = ["guest_memory", "memory", "wall", "handles", "log_lines", "output"];

/// A `limits` table. What is wrong in it is a problem and left out.
pub(crate) fn limits(reader: &mut Reader, value: &Value<'_>) -> LimitsPatch {
    let Some(table) = reader.table("limits", value) else { return LimitsPatch::default() };
    reader.keys(table, "`limits`", &LIMITS);
    LimitsPatch {
        guest_memory_bytes: quantity(reader, table, "guest_memory", bytes),
        memory_bytes: quantity(reader, table, "memory", bytes),
        wall_ms: quantity(reader, table, "wall", milliseconds),
        handles: count(reader, table, "handles"),
        log_lines: count(reader, table, "log_lines"),
        output_bytes: quantity(reader, table, "output", bytes),
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text).map_err(|error| error.to_string())
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    u64::try_from(duration.as_millis()).map_err(|_| format!("`{text}` is too long"))
}

fn quantity(
    reader: &mut Reader,
    table: &DeTable<'_>,
    key: &str,
    parse: fn(&str) -> Result<u64, String>,
) -> Option<u64> {
    let value = table.get(key)?;
    let text = reader.text(key, value)?;
    let problem = match parse(text) {
        Ok(0) => format!("`{key}` is zero, so no step could run"),
        Ok(quantity) => return Some(quantity),
        Err(message) => message,
    };
    reader.wrong(value.span(), problem);
    None
}

fn count(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> Option<u32> {
    let value = table.get(key)?;
    reader.integer(key, value, 1..1 << 32).and_then(|count| u32::try_from(count).ok())
}

/// A `grants` table -> the granted files.
pub(crate) fn grants(reader: &mut Reader, value: &Value<'_>) -> Vec<String> {
    let Some(table) = reader.table("grants", value) else { return Vec::new() };
    reader.keys(table, "`grants`", &["files"]);
    let Some(files) = table.get("files") else { return Vec::new() };
    for element in files.get_ref().as_array().into_iter().flat_map(|array| array.iter()) {
        let name = element.get_ref().as_str().unwrap_or_default();
        if name.split('/').any(|part| part == "..") || name.contains('\0') {
            let message = format!("granted path `{}` may not hold `..`", cut(name));
            reader.wrong_hinted(element.span(), message, "grant a folder of the project, or an absolute path");
        }
    }
    reader.names("files", files).unwrap_or_default()
}

/// The name of an alias: as strict as a model's, for it is part of a URL.
pub(crate) fn alias(reader: &mut Reader, text: &str, span: Range<usize>) -> Option<String> {
    match ModelName::parse(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => {
            reader.wrong_id(span, IdError { what: "registry alias", ..error });
            None
        }
    }
}

/// TOML -> JSON. Datetimes become RFC 3339 texts; numbers that JSON has not are problems.
pub(crate) fn json(reader: &mut Reader, key: &str, value: &Value<'_>) -> Option<serde_json::Value> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.as_ref().into()),
        DeValue::Boolean(truth) => Some((*truth).into()),
        DeValue::Datetime(time) => Some(time.to_string().into()),
        DeValue::Float(_) => reader.number(key, value).map(Into::into),
        DeValue::Integer(integer) => {
            let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
            let json = number.and_then(|number| {
                i64::try_from(number).map(Into::into).or_else(|_| u64::try_from(number).map(Into::into)).ok()
            });
            if json.is_none() {
                reader.wrong(value.span(), format!("`{}` does not fit into 64 bits", cut(key)));
            }
            json
        }
        DeValue::Array(array) => {
            let elements: Vec<_> = array.iter().map(|element| json(reader, key, element)).collect();
            elements.into_iter().collect()
        }
        DeValue::Table(table) => object(reader, table).map(serde_json::Value::Object),
    }
}

/// A TOML table -> a JSON object.
pub(crate) fn object(reader: &mut Reader, table: &DeTable<'_>) -> Option<serde_json::Map<String, serde_json::Value>> {
    let pairs: Vec<_> = entries(table)
        .into_iter()
        .map(|(key, _, value)| json(reader, key, value).map(|value| (key.to_owned(), value)))
        .collect();
    pairs.into_iter().collect()
}
