//! Recordings of plugin tests: JSON with a row a line, and how two of them differ.

use serde_json::Value;
use std::collections::BTreeSet;

/// JSON for people and for git: what holds no objects and is short stands on one line.
pub(crate) fn recording(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text.push('\n');
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let is_flat =
        |value: &Value| !value.is_object() && !value.as_array().is_some_and(|them| them.iter().any(is_nested));
    let (open, close, parts): (_, _, Vec<(String, &Value)>) = match value {
        value if is_flat(value) && value.to_string().len() <= 100 => return text.push_str(&value.to_string()),
        Value::Array(values) => ('[', ']', values.iter().map(|value| (String::new(), value)).collect()),
        Value::Object(map) => {
            ('{', '}', map.iter().map(|(key, value)| (format!("{}: ", Value::from(key.as_str())), value)).collect())
        }
        scalar => return text.push_str(&scalar.to_string()),
    };
    text.push(open);
    for (position, (key, part)) in parts.iter().enumerate() {
        let comma = if position == 0 { "" } else { "," };
        text.push_str(&format!("{comma}\n{}{key}", "  ".repeat(depth + 1)));
        write(part, depth + 1, text);
    }
    if !parts.is_empty() {
        text.push_str(&format!("\n{}", "  ".repeat(depth)));
    }
    text.push(close);
}

fn is_nested(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

/// Whether two recordings say the same; numbers may differ by a share of the expected one.
pub(crate) fn alike(expected: &Value, got: &Value, tolerance: f64) -> bool {
    match (expected, got) {
        (Value::Number(expected), Value::Number(got)) if expected != got => {
            let (Some(expected), Some(got)) = (expected.as_f64(), got.as_f64()) else { return false };
            (expected - got).abs() <= tolerance * expected.abs()
        }
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len() && expected.iter().zip(got).all(|(a, b)| alike(a, b, tolerance))
        }
        (Value::Object(expected), Value::Object(got)) => {
            let keys: BTreeSet<&String> = expected.keys().chain(got.keys()).collect();
            keys.into_iter().all(|key| match (expected.get(key), got.get(key)) {
                (Some(a), Some(b)) => alike(a, b, tolerance),
                _ => false,
            })
        }
        (expected, got) => expected == got,
    }
}

/// The lines that only one of two texts has: `-` what was expected, `+` what came, in their order.
pub(crate) fn differences(expected: &str, got: &str) -> String {
    let (expected, got): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), got.lines().collect());
    let head = expected.iter().zip(&got).take_while(|(a, b)| a == b).count();
    let tail = expected[head..].iter().rev().zip(got[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let line = |mark: char, line: &&str| format!("    {mark} {}\n", super::tame(line));
    let (gone, come) = (&expected[head..expected.len() - tail], &got[head..got.len() - tail]);
    if gone.len() != come.len() {
        return gone.iter().map(|it| line('-', it)).chain(come.iter().map(|it| line('+', it))).collect();
    }
    let changed = gone.iter().zip(come).filter(|(a, b)| a != b);
    changed.flat_map(|(a, b)| [line('-', a), line('+', b)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_is_a_line() {
        let value = json!({"b": {"rows": [[1, "x"], [null, "y"]], "empty": []}, "a": 1.5, "c": {}});
        let text = recording(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(text.contains("\n      [1,\"x\"],\n      [null,\"y\"]\n"), "{text}");
    }

    #[test]
    fn numbers_are_alike_within_their_tolerance() {
        for (expected, got, tolerance, same) in [
            (json!([1.0, "a"]), json!([1.0, "a"]), 0.0, true),
            (json!([1.0]), json!([1.001]), 0.0, false),
            (json!({"a": [100.0]}), json!({"a": [100.1]}), 0.01, true),
            (json!({"a": 1}), json!({"a": 1, "b": 1}), 1.0, false),
            (json!([1]), json!([1, 1]), 1.0, false),
            (json!(null), json!(0), 1.0, false),
        ] {
            assert_eq!(alike(&expected, &got, tolerance), same, "{expected} {got}");
        }
    }

    #[test]
    fn only_what_differs_is_shown() {
        assert_eq!(differences("a\nb\nc\n", "a\nx\nc\n"), "    - b\n    + x\n");
        assert_eq!(differences("a\nb\nc\nd\n", "a\nx\nc\ny\n"), "    - b\n    + x\n    - d\n    + y\n");
        assert_eq!(differences("a\nc\n", "a\nb\nc\n"), "    + b\n");
        assert_eq!(differences("a\n", "a\n"), "");
    }
}
