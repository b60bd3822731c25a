//! JSON that is changed in one of its values, as text: what no tree of values can say (numbers of any size, a name twice) is among it.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

/// What becomes of one value of a document.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// This text in its place.
    Replaced(&'static str),
    /// A list in a list in a list.
    Deep(usize),
    Long(usize),
    /// A member or an element twice.
    Twice,
    Wrapped,
    Removed,
}

const TEXTS: [&str; 26] = [
    "null",
    "true",
    "-1",
    "0",
    "-0.0",
    "0.5",
    "1e400",
    "-1e400",
    "1e-400",
    "NaN",
    "Infinity",
    "-Infinity",
    "9007199254740993",
    "18446744073709551616",
    "-9223372036854775809",
    "2147483648",
    "\"\"",
    "\"NaN\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"é\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{\"x\":1}",
];

pub(crate) fn change() -> impl Strategy<Value = (Index, Change)> {
    let change = prop_oneof![
        6 => prop::sample::select(TEXTS.as_slice()).prop_map(Change::Replaced),
        1 => (1..300_usize).prop_map(Change::Deep),
        1 => (1..5_000_usize).prop_map(Change::Long),
        2 => Just(Change::Twice),
        1 => Just(Change::Wrapped),
        2 => Just(Change::Removed),
    ];
    (any::<Index>(), change)
}

/// Stands where a text is to stand.
const MARK: &str = "\u{1}";

/// The document with one of its values changed; what is none stays.
pub(crate) fn changed(text: &[u8], (at, change): &(Index, Change)) -> Vec<u8> {
    let Ok(mut document) = serde_json::from_slice::<Value>(text) else { return text.to_vec() };
    let mut paths = Vec::new();
    walk(&document, &mut String::new(), &mut paths);
    let path = &paths[at.index(paths.len())];
    let value = std::mem::replace(document.pointer_mut(path).expect("it was found there"), Value::from(MARK));
    let key = path.rsplit('/').next().unwrap_or_default();
    let is_member = |list: &str| document.pointer(list).is_some_and(Value::is_object);
    let in_object = path.rfind('/').is_some_and(|end| is_member(&path[..end]));
    let instead = match change {
        Change::Replaced(text) => (*text).to_owned(),
        Change::Deep(depth) => format!("{}{}", "[".repeat(*depth), "]".repeat(*depth)),
        Change::Long(length) => format!("\"{}\"", "a".repeat(*length)),
        Change::Twice if in_object => format!("{value},\"{key}\":{value}"),
        Change::Twice => format!("{value},{value}"),
        Change::Wrapped => format!("[{value}]"),
        Change::Removed => return without(document, path),
    };
    document.to_string().replace(&Value::from(MARK).to_string(), &instead).into_bytes()
}

/// The places of all values, as JSON pointers; no name here has a character that these escape.
fn walk(value: &Value, path: &mut String, paths: &mut Vec<String>) {
    paths.push(path.clone());
    let length = path.len();
    let mut inner = |key: &str, value: &Value| {
        path.push('/');
        path.push_str(key);
        walk(value, path, paths);
        path.truncate(length);
    };
    match value {
        Value::Array(list) => list.iter().enumerate().for_each(|(at, value)| inner(&at.to_string(), value)),
        Value::Object(members) => members.iter().for_each(|(key, value)| inner(key, value)),
        _ => {}
    }
}

fn without(mut document: Value, path: &str) -> Vec<u8> {
    let Some((parent, key)) = path.rsplit_once('/') else { return Vec::new() };
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => drop(members.remove(key)),
        Some(Value::Array(list)) => drop(list.remove(key.parse().expect("a number"))),
        _ => {}
    }
    document.to_string().into_bytes()
}
