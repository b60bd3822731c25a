//! A step's parameters against its plugin's JSON Schema: every violation, at the key that it concerns.
//!
//! Defaults are not filled in here: the guest does that, with the schema in its hand.

use crate::schema;
use crate::wiring::suggestion;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use manifest::Step;
use serde_json::Value;
use types::{Descriptor, Problem};

/// More than anybody mends at once.
const PROBLEMS_MAX: usize = 100;

/// Of a step, or of all its variants: each problem once.
pub(crate) fn check(variants: &[Step], descriptor: &Descriptor) -> Vec<Problem> {
    let Some(step) = variants.first() else { return Vec::new() };
    let unusable = |why: &str, hint: &str| {
        let message = format!("plugin `{}` has no usable schema of parameters: {why}", descriptor.name);
        vec![Problem::new(cut(&message)).at(step.place_of(&["plugin"])).hinted(hint)]
    };
    if let Some((why, hint)) = schema::refused(&descriptor.parameters) {
        return unusable(&why, hint);
    }
    let validator = match jsonschema::options().with_pattern_options(schema::patterns()).build(&descriptor.parameters) {
        Ok(validator) => validator,
        Err(error) => return unusable(&error.to_string(), "mend the JSON Schema in its `describe`"),
    };
    let mut found: Vec<Problem> = Vec::new();
    for step in variants {
        for problem in validator.iter_errors(&step.params).flat_map(|error| problems(step, descriptor, &error)) {
            if found.len() < PROBLEMS_MAX && !found.contains(&problem) {
                found.push(problem);
            }
        }
    }
    found
}

fn problems(step: &Step, descriptor: &Descriptor, error: &ValidationError<'_>) -> Vec<Problem> {
    let pointer = error.instance_path().as_str().to_owned();
    let keys: Vec<String> = pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
    let path: Vec<&str> = ["params"].into_iter().chain(keys.iter().map(String::as_str)).collect();
    let name = match keys.is_empty() {
        true => "the parameters".to_owned(),
        false => format!("parameter `{}`", keys.join(".")),
    };
    let of = |key: &str| keys.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".");
    let at = |message: String| Problem::new(cut(&format!("step `{}`: {message}", step.name))).at(step.place_of(&path));
    let value = error.instance().as_ref();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = properties(&descriptor.parameters, error);
            let unknown = |key: &String| {
                let message = format!("plugin `{}` has no parameter `{}`", descriptor.name, of(key));
                let place = step.place_of_key(&[&path[..], &[key]].concat());
                at(message).at(place).hinted(suggestion(key, &known, "there is"))
            };
            unexpected.iter().map(unknown).collect()
        }
        Kind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let place = step.place_of_key(&path);
            vec![at(format!("parameter `{}` is missing", of(key))).at(place).hinted(described(descriptor, error, key))]
        }
        Kind::Type { .. } => {
            vec![at(format!("{name} is {}, expected {}", noun(value), types(&descriptor.parameters, error)))]
        }
        Kind::Enum { options } => {
            let options: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
            let known: Vec<&str> = options.iter().map(String::as_str).collect();
            vec![at(format!("{name} is `{}`", plain(value))).hinted(suggestion(
                &plain(value),
                &known,
                "expected one of",
            ))]
        }
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            let said = around(&descriptor.parameters, error).and_then(|schema| schema.get("description")?.as_str());
            let problem = at(format!("{name} is `{}`, which it may not be", plain(value)));
            vec![problem.hinted(said.map_or_else(|| error.to_string(), cut))]
        }
        _ => vec![at(format!("{name}: {error}"))],
    }
}

/// The subschema that an error's keyword stands in.
fn around<'s>(schema: &'s Value, error: &ValidationError<'_>) -> Option<&'s Value> {
    let path = error.schema_path().as_str();
    schema.pointer(path.rsplit_once('/')?.0)
}

fn properties<'s>(schema: &'s Value, error: &ValidationError<'_>) -> Vec<&'s str> {
    let properties = around(schema, error).and_then(|schema| schema.get("properties")?.as_object());
    properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

/// What the schema says of a missing property, as a hint.
fn described(descriptor: &Descriptor, error: &ValidationError<'_>, key: &str) -> String {
    let property = around(&descriptor.parameters, error).and_then(|schema| schema.get("properties")?.get(key));
    match property.and_then(|property| property.get("description")?.as_str()) {
        Some(text) => format!("`{key}`: {}", cut(text)),
        None => format!("add `{key}` to the step's `params`"),
    }
}

/// The types that an error's schema allows.
fn types(schema: &Value, error: &ValidationError<'_>) -> String {
    match schema.pointer(error.schema_path().as_str()) {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().map(plain).collect::<Vec<_>>().join(" or "),
        _ => "another type".to_owned(),
    }
}

/// A JSON value for a sentence: a text without its quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text),
        other => cut(&other.to_string()),
    }
}

fn noun(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) if number.is_f64() => "a number with a point".to_owned(),
        Value::Number(_) => "an integer".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "a table".to_owned(),
    }
}

/// A stranger's text in a message of ours: one line, not too long.
fn cut(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(300).collect()
}
