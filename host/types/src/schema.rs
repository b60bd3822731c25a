//! A plugin's JSON Schema as it comes in: a stranger's text, bounded before it is held.
//!
//! What it may hold is for `plan` to say, which evaluates it.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Bytes of the JSON Schema of a plugin's parameters.
pub const SCHEMA_BYTES_MAX: usize = 64 << 10;

/// Reads the text that a plugin gives; the error is a fragment.
pub fn read_schema(text: &str) -> Result<Value, String> {
    match text.len() {
        0..=SCHEMA_BYTES_MAX => serde_json::from_str(text).map_err(|error| error.to_string()),
        bytes => Err(format!("a JSON Schema of {bytes} bytes, at most {SCHEMA_BYTES_MAX} are taken")),
    }
}

/// The schema of a descriptor, from a worker that may be its guest's by now. It ends at the first value too many, before
/// that takes many times its bytes in memory. No text that [`read_schema`] takes is refused: a value counts no more than
/// the bytes of any text that it has.
pub(crate) fn within<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Bounded(&mut { SCHEMA_BYTES_MAX }).deserialize(deserializer)
}

/// Reads a value; holds the bytes that are left.
struct Bounded<'a>(&'a mut usize);

impl Bounded<'_> {
    fn count<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        let left = self.0.checked_sub(bytes);
        *self.0 = left.ok_or_else(|| E::custom(format!("a JSON Schema of more than {SCHEMA_BYTES_MAX} bytes")))?;
        Ok(())
    }

    fn counted<E: Error>(mut self, value: impl Into<Value>) -> Result<Value, E> {
        self.count(1)?;
        Ok(value.into())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON Schema")
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.counted(Value::Null)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.counted(value)
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.counted(value)
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.counted(value)
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.counted(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E: Error>(mut self, text: &str) -> Result<Value, E> {
        self.count(text.len())?;
        self.counted(text)
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        self.count(1)?;
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element_seed(Bounded(&mut *self.0))? {
            list.push(entry);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        self.count(1)?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.count(key.len())?;
            let value = entries.next_value_seed(Bounded(&mut *self.0))?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(text: &str) -> Result<Value, String> {
        within(&mut serde_json::Deserializer::from_str(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_fits_is_held_as_it_is() {
        let most = format!("[{}1]", "1,".repeat(SCHEMA_BYTES_MAX / 2 - 2));
        for text in [
            "{}",
            "true",
            "[null,-1,18446744073709551615,0.5,\"\\u00e9\"]",
            r#"{"type": "object", "properties": {"a": {"default": [1e3, {}]}}}"#,
            &most,
            &format!("\"{}\"", "x".repeat(SCHEMA_BYTES_MAX - 2)),
        ] {
            let read = read_schema(text).unwrap();
            assert_eq!(held(text).as_ref(), Ok(&read), "{}", &text[..text.len().min(80)]);
            assert_eq!(held(&read.to_string()), Ok(read), "a worker writes it anew");
        }
    }

    #[test]
    fn a_value_too_many_ends_the_reading() {
        for (begin, unit, end) in [("[", "0,", ""), ("{", "\"abc\":{},", ""), ("\"", "x", "\""), ("{\"", "x", "\":0}")]
        {
            let text = format!("{begin}{}{end}", unit.repeat(SCHEMA_BYTES_MAX));
            let long = format!("a JSON Schema of {} bytes, at most 65536 are taken", text.len());
            assert_eq!(read_schema(&text), Err(long));
            let error = held(&text).unwrap_err();
            assert!(error.starts_with("a JSON Schema of more than 65536 bytes"), "{begin}{unit}: {error}");
        }
    }
}
