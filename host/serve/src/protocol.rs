//! The bodies of the Open Inference Protocol v2, as serde has them.
//!
//! The REST form; binary tensors follow their JSON (`request`).

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// More tensors than any model has columns, so that a list of nothing but names stays small.
pub(crate) const TENSORS_MAX: usize = 10_000;
/// More dimensions than any shape that is right.
pub(crate) const DIMENSIONS_MAX: usize = 8;

/// `POST /v2/models/NAME/infer`. Unknown keys are errors: an `output` for `outputs` would silently answer with everything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `inputs`")]
pub(crate) struct InferRequest<'a> {
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) parameters: Parameters,
    #[serde(borrow, deserialize_with = "at_most::<TENSORS_MAX, _, _>")]
    pub(crate) inputs: Vec<RequestInput<'a>>,
    #[serde(default, deserialize_with = "at_most::<TENSORS_MAX, _, _>")]
    pub(crate) outputs: Vec<RequestOutput>,
}

/// A tensor of the request. Its `data` may come before what says how to read it, and waits as text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestInput<'a> {
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    #[serde(deserialize_with = "at_most::<DIMENSIONS_MAX, _, _>")]
    pub(crate) shape: Vec<i64>,
    #[serde(borrow)]
    pub(crate) datatype: Cow<'a, str>,
    #[serde(default)]
    pub(crate) parameters: Parameters,
    #[serde(borrow, default)]
    pub(crate) data: Option<&'a RawValue>,
}

/// An output that the caller wants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestOutput {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) parameters: Parameters,
}

/// Parameters of a request, a tensor or an output. What the server has no word for is read over.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// Of an input: how many of the bytes behind the JSON are its values.
    pub(crate) binary_data_size: Option<usize>,
    /// Of an output: whether its values are to follow the JSON.
    pub(crate) binary_data: Option<bool>,
    /// Of a request: the same of the outputs that do not say.
    pub(crate) binary_data_output: Option<bool>,
    /// An extension that they ask for and that would change the answer, but which the server does not have.
    pub(crate) foreign: Option<&'static str>,
}

/// The extension that a parameter belongs to, if the server does not have it and an answer without it would be wrong.
pub(crate) fn foreign(parameter: &str) -> Option<&'static str> {
    match parameter {
        "classification" => Some("classification"),
        "shared_memory_region" => Some("shared memory"),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ParametersVisitor)
    }
}

struct ParametersVisitor;

impl<'de> Visitor<'de> for ParametersVisitor {
    type Value = Parameters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of parameters")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Parameters, A::Error> {
        let mut found = Parameters::default();
        while let Some(name) = entries.next_key::<String>()? {
            match name.as_str() {
                "binary_data_size" => found.binary_data_size = Some(entries.next_value()?),
                "binary_data" => found.binary_data = Some(entries.next_value()?),
                "binary_data_output" => found.binary_data_output = Some(entries.next_value()?),
                name => {
                    found.foreign = found.foreign.or(foreign(name));
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// A list that is refused at its first entry too many, not once all of them are in memory.
fn at_most<'de, const MAX: usize, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(AtMost::<MAX, T>(PhantomData))
}

struct AtMost<const MAX: usize, T>(PhantomData<T>);

impl<'de, const MAX: usize, T: Deserialize<'de>> Visitor<'de> for AtMost<MAX, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX}")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            if list.len() == MAX {
                return Err(A::Error::invalid_length(MAX + 1, &self));
            }
            list.push(entry);
        }
        Ok(list)
    }
}

/// The body of every answer that is no success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: String,
}

impl ErrorBody {
    /// The body as it is sent.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a text always has a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_text() {
        assert_eq!(ErrorBody { error: "no model `x`".to_owned() }.to_json(), br#"{"error":"no model `x`"}"#);
    }
}
