//! The values that several tables share: limits, grants, parameters, aliases.

use crate::reader::{Reader, Value, cut, entries};
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use types::{
    Device, DeviceChoice, DeviceGrant, FileGrant, Grants, HttpGrant, HttpPattern, Id, IdError, LimitKind, LimitsPatch,
    ModelName, Quantity, parse_bytes, parse_duration, secret_name,
};

/// The most that a count may be: every reader of JSON has this number exactly.
const COUNT_MAX: u128 = 1 << 53;

/// A `limits` table. What is wrong in it is a problem and left out.
pub(crate) fn limits(reader: &mut Reader, value: &Value<'_>) -> LimitsPatch {
    let mut limits = LimitsPatch::default();
    let Some(table) = reader.table("limits", value) else { return limits };
    let keys: Vec<_> = LimitKind::ALL.iter().map(|kind| kind.key()).collect();
    reader.keys(table, "`limits`", &keys);
    for &kind in LimitKind::ALL {
        limits.set(kind, table.get(kind.key()).and_then(|value| limit(reader, kind, value)));
    }
    limits
}

/// Reads the text of a quantity.
type Parse = fn(&str) -> Result<u64, String>;

fn limit(reader: &mut Reader, kind: LimitKind, value: &Value<'_>) -> Option<u64> {
    let (parse, expected): (Parse, &str) = match kind.quantity(0) {
        Quantity::Count(_) => return reader.integer(kind.key(), value, 1..COUNT_MAX),
        Quantity::Bytes(_) => (bytes, "a size with its unit, such as \"512 MiB\""),
        Quantity::Milliseconds(_) => (milliseconds, "a duration with its unit, such as \"10 min\""),
    };
    let Some(text) = value.get_ref().as_str() else {
        reader.wrong_type(kind.key(), value, expected);
        return None;
    };
    let problem = match parse(text) {
        Ok(0) => format!("`{}` is zero, so no step could run", kind.key()),
        Ok(number) => return Some(number),
        Err(message) => message,
    };
    reader.wrong(value.span(), problem);
    None
}

fn bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text).map_err(|error| error.to_string())
}

/// A duration under a key, in milliseconds.
pub(crate) fn duration(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> Option<u64> {
    let value = table.get(key)?;
    let text = reader.text(key, value)?;
    milliseconds(text).map_err(|message| reader.wrong(value.span(), message)).ok()
}

/// A size under a key, in bytes; nothing has none.
pub(crate) fn size(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> Option<u64> {
    let value = table.get(key)?;
    let text = reader.text(key, value)?;
    match bytes(text) {
        Ok(0) => reader.wrong(value.span(), format!("`{key}` is zero")),
        Ok(bytes) => return Some(bytes),
        Err(message) => reader.wrong(value.span(), message),
    }
    None
}

/// A duration, such as `"10 min"`.
pub(crate) fn milliseconds(text: &str) -> Result<u64, String> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    u64::try_from(duration.as_millis()).map_err(|_| format!("`{text}` is too long"))
}

/// A `grants` table. What is wrong in it is a problem and left out.
pub(crate) fn grants(reader: &mut Reader, value: &Value<'_>) -> Grants {
    reader.table("grants", value).map(|table| granted(reader, table)).unwrap_or_default()
}

/// The doors that a pipeline can ask for.
const DOORS: [&str; 5] = ["files", "http", "environment", "clock", "randomness"];

/// What such a table grants.
pub(crate) fn granted(reader: &mut Reader, table: &DeTable<'_>) -> Grants {
    reader.keys(table, "`grants`", &DOORS);
    doors(reader, table)
}

/// What a policy's allows: the same, and GPUs.
pub(crate) fn allowed(reader: &mut Reader, table: &DeTable<'_>) -> Grants {
    reader.keys(table, "`grants`", &[&DOORS[..], &["devices"]].concat());
    Grants { devices: list(reader, table, "devices", device_grant), ..doors(reader, table) }
}

fn device_grant(reader: &mut Reader, value: &Value<'_>) -> Option<DeviceGrant> {
    let text = reader.text("devices", value)?;
    let granted = DeviceGrant::parse(text);
    granted
        .map_err(|message| match DeviceChoice::meant(text) {
            Some(DeviceChoice::Device(near @ Device::Cuda(_))) => {
                reader.wrong_hinted(value.span(), message, format!("did you mean `{near}`?"));
            }
            Some(DeviceChoice::Device(Device::Cpu)) => {
                reader.wrong_hinted(value.span(), message, "remove it: nobody has to be allowed the processors");
            }
            _ => reader.wrong(value.span(), message),
        })
        .ok()
}

fn doors(reader: &mut Reader, table: &DeTable<'_>) -> Grants {
    Grants {
        files: list(reader, table, "files", file_grant),
        http: list(reader, table, "http", http_grant),
        environment: table.get("environment").and_then(|names| reader.names("environment", names)).unwrap_or_default(),
        clock: truth(reader, table, "clock"),
        randomness: truth(reader, table, "randomness"),
        devices: Vec::new(),
    }
}

fn list<T>(
    reader: &mut Reader,
    table: &DeTable<'_>,
    key: &str,
    element: fn(&mut Reader, &Value<'_>) -> Option<T>,
) -> Vec<T> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let elements = reader.array(key, value).unwrap_or_default();
    elements.iter().filter_map(|value| element(reader, value)).collect()
}

/// True or false; false if it is not written.
pub(crate) fn truth(reader: &mut Reader, table: &DeTable<'_>, key: &str) -> bool {
    table.get(key).and_then(|value| reader.boolean(key, value)).unwrap_or_default()
}

/// `"data"` or `{ path = "out", write = true }`.
fn file_grant(reader: &mut Reader, value: &Value<'_>) -> Option<FileGrant> {
    let (path, write) = match value.get_ref().as_table() {
        Some(table) => {
            reader.keys(table, "a grant of files", &["path", "write"]);
            let Some(path) = table.get("path") else {
                reader.wrong(value.span(), "a grant of files has no `path`");
                return None;
            };
            (reader.text("path", path)?, truth(reader, table, "write"))
        }
        None => (reader.text("files", value)?, false),
    };
    if path.is_empty() || path.split('/').any(|part| part == "..") || path.contains('\0') {
        let message = format!("granted path `{}` is empty or holds `..`", cut(path));
        reader.wrong_hinted(value.span(), message, "grant a folder of the project, or an absolute path");
        return None;
    }
    Some(FileGrant { path: path.to_owned(), write })
}

/// `"GET https://api.example.com/v1/"` or `{ allow = "..", secrets = ["TOKEN"], private = true }`.
fn http_grant(reader: &mut Reader, value: &Value<'_>) -> Option<HttpGrant> {
    let (allow, secrets, private) = match value.get_ref().as_table() {
        Some(table) => {
            reader.keys(table, "a grant of requests", &["allow", "secrets", "private"]);
            let Some(allow) = table.get("allow") else {
                reader.wrong(value.span(), "a grant of requests has no `allow`");
                return None;
            };
            let secrets = table.get("secrets").and_then(|names| reader.names("secrets", names)).unwrap_or_default();
            (reader.text("allow", allow)?, secrets, truth(reader, table, "private"))
        }
        None => (reader.text("http", value)?, Vec::new(), false),
    };
    match HttpPattern::parse(allow) {
        Ok(allow) => Some(HttpGrant { allow, secrets, private }),
        Err(message) => {
            reader.wrong(value.span(), message);
            None
        }
    }
}

/// The name of an alias: as strict as a model's, for it is part of a URL.
pub(crate) fn alias(reader: &mut Reader, text: &str, span: Range<usize>) -> Option<String> {
    named(reader, "registry alias", text, span)
}

/// A name by the rule of all names, of something that has no type of its own.
pub(crate) fn named(reader: &mut Reader, what: &'static str, text: &str, span: Range<usize>) -> Option<String> {
    match ModelName::parse(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => {
            reader.wrong_id(span, IdError { what, ..error });
            None
        }
    }
}

/// The name of a secret under the key `secret`.
pub(crate) fn secret(reader: &mut Reader, table: &DeTable<'_>) -> Option<String> {
    let value = table.get("secret")?;
    let name = reader.text("secret", value)?;
    if let Err(message) = secret_name(name) {
        reader.wrong(value.span(), message);
        return None;
    }
    Some(name.to_owned())
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
