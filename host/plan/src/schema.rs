//! What a plugin's JSON Schema may hold, so that checking parameters against it takes the time and memory that its size says.
//!
//! The schema is a stranger's, and it is this process that evaluates it. Its bytes are bounded where it is taken in
//! (`types::SCHEMA_BYTES_MAX`); what multiplies them is refused here.

use jsonschema::PatternOptions;
use serde_json::Value;

/// Keywords that evaluate another part of the schema: sixty of them, each naming the next twice, never end.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];
/// Keywords that evaluate what stands beside them once more, so that one beneath another doubles the work.
const UNEVALUATED: [&str; 2] = ["unevaluatedProperties", "unevaluatedItems"];
const UNEVALUATED_MAX: usize = 4;
const PATTERNS_MAX: usize = 32;
const PATTERN_CHARS_MAX: usize = 256;
/// Of a compiled pattern, and of what matching keeps of it.
const PATTERN_BYTES_MAX: usize = 512 << 10;

/// Patterns match in linear time, and stay small: `^\p{L}{100}x$` would take 6 MB.
pub(crate) fn patterns() -> PatternOptions<jsonschema::Regex> {
    PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX)
}

/// The first thing in a schema that is not taken: what it is, and what to do about it.
pub(crate) fn refused(schema: &Value) -> Option<(String, &'static str)> {
    let mut seen = Seen::default();
    let mut ahead = vec![schema];
    while let Some(value) = ahead.pop() {
        match value {
            Value::Object(entries) => {
                if let Some(refused) = entries.iter().find_map(|(key, value)| seen.entry(key, value)) {
                    return Some(refused);
                }
                ahead.extend(entries.values());
            }
            Value::Array(entries) => ahead.extend(entries),
            _ => {}
        }
    }
    None
}

/// What counts, so far.
#[derive(Default)]
struct Seen {
    patterns: usize,
    unevaluated: usize,
}

impl Seen {
    /// Any entry may be a keyword's: where a schema's data looks like one, it counts as one.
    fn entry(&mut self, key: &str, value: &Value) -> Option<(String, &'static str)> {
        match value {
            Value::String(_) if REFERENCES.contains(&key) => {
                let hint = "write the schema out where it is referred to";
                Some((format!("it refers to another schema with `{key}`, which is not followed"), hint))
            }
            Value::String(pattern) if key == "pattern" => self.pattern(pattern),
            Value::Object(patterns) if key == "patternProperties" => {
                patterns.keys().find_map(|pattern| self.pattern(pattern))
            }
            _ if UNEVALUATED.contains(&key) => self.unevaluated(key),
            _ => None,
        }
    }

    fn pattern(&mut self, pattern: &str) -> Option<(String, &'static str)> {
        self.patterns += 1;
        let hint = "check such texts in the plugin itself";
        let chars = pattern.chars().count();
        match () {
            () if chars > PATTERN_CHARS_MAX => {
                Some((format!("it has a pattern of {chars} characters, at most {PATTERN_CHARS_MAX} are taken"), hint))
            }
            () if self.patterns > PATTERNS_MAX => Some((format!("it has more than {PATTERNS_MAX} patterns"), hint)),
            () => None,
        }
    }

    fn unevaluated(&mut self, key: &str) -> Option<(String, &'static str)> {
        self.unevaluated += 1;
        let text = || format!("it says `{key}` and the like more than {UNEVALUATED_MAX} times");
        (self.unevaluated > UNEVALUATED_MAX).then(|| (text(), "say `additionalProperties` or `items` instead"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_multiplies_is_refused() {
        let patterns = |count: usize| Value::from_iter((0..count).map(|i| (format!("p{i}"), json!({"pattern": "^a"}))));
        let keys = |count: usize| Value::from_iter((0..count).map(|i| (format!("^{i}"), json!({}))));
        let nested = |depth: usize| {
            (0..depth).fold(json!({}), |inner, _| json!({"allOf": [inner], "unevaluatedProperties": false}))
        };
        let long = |chars: usize| json!({"properties": {"a": {"type": "string", "pattern": "é".repeat(chars)}}});
        for (schema, expected) in [
            (json!(true), None),
            (json!({"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}}), None),
            (json!({"$defs": {"a": {}}, "$anchor": "a", "default": {"a": [1]}}), None),
            (json!({"$ref": "#"}), Some("`$ref`")),
            (json!({"items": {"anyOf": [{}, {"$ref": "#/$defs/a"}]}}), Some("`$ref`")),
            (json!({"$dynamicRef": "#a"}), Some("`$dynamicRef`")),
            (json!({"not": {"$recursiveRef": "#"}}), Some("`$recursiveRef`")),
            (json!({"properties": patterns(32)}), None),
            (json!({"properties": patterns(33)}), Some("more than 32 patterns")),
            (json!({"patternProperties": keys(32)}), None),
            (json!({"patternProperties": keys(33)}), Some("more than 32 patterns")),
            (json!({"properties": patterns(16), "patternProperties": keys(17)}), Some("more than 32 patterns")),
            (long(256), None),
            (long(257), Some("a pattern of 257 characters, at most 256 are taken")),
            (nested(4), None),
            (nested(5), Some("more than 4 times")),
        ] {
            match (refused(&schema), expected) {
                (None, None) => {}
                (Some((text, _)), Some(expected)) => assert!(text.contains(expected), "{schema}: {text}"),
                (got, _) => panic!("{schema}: {got:?}"),
            }
        }
    }
}
