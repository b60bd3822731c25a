//! The bodies of the Open Inference Protocol v2, as serde has them, and what is said of a model and of the server.
//!
//! The REST form with JSON tensors; the binary extension is refused in words (`request`), not half read.

use crate::Datatype;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use types::{Field, ModelName};

/// More tensors than any model has columns, so that a list of nothing but names stays small.
const TENSORS_MAX: usize = 10_000;
/// More dimensions than any shape that is right.
const DIMENSIONS_MAX: usize = 8;

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

/// Parameters of a request, of which one thing counts. The rest is read over.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// Whether they are about the binary extension.
    pub(crate) ask_binary: bool,
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
            match name.starts_with("binary_data") {
                true => found.ask_binary |= entries.next_value::<&RawValue>()?.get() != "false",
                false => drop(entries.next_value::<IgnoredAny>()?),
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

/// `GET /v2`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerMetadata {
    pub name: String,
    pub version: String,
    pub extensions: Vec<String>,
}

/// `GET /v2/health/live`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerLive {
    pub live: bool,
}

/// `GET /v2/health/ready`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerReady {
    pub ready: bool,
}

/// `GET /v2/models/NAME/ready`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelReady {
    pub name: String,
    pub ready: bool,
}

/// `GET /v2/models/NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelMetadata {
    pub name: String,
    pub versions: Vec<String>,
    pub platform: String,
    pub inputs: Vec<TensorMetadata>,
    pub outputs: Vec<TensorMetadata>,
}

/// An input or output of a model; -1 stands for any number of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorMetadata {
    pub name: String,
    pub datatype: Datatype,
    pub shape: Vec<i64>,
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

/// What the server says of itself.
pub fn server_metadata() -> ServerMetadata {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    ServerMetadata { name: "stepwell".to_owned(), version, extensions: Vec::new() }
}

/// What a request to the model must bring and its answer has. `versions` are those that can be asked for.
pub fn metadata(model: &ModelName, versions: &[u32], request: &[Field], response: &[Field]) -> ModelMetadata {
    ModelMetadata {
        name: model.to_string(),
        versions: versions.iter().map(u32::to_string).collect(),
        // `<project>_<format>`, as the protocol asks; for information only.
        platform: "stepwell_component".to_owned(),
        inputs: request.iter().map(tensor).collect(),
        outputs: response.iter().map(tensor).collect(),
    }
}

fn tensor(field: &Field) -> TensorMetadata {
    let shape = match field.data_type {
        types::DataType::Vector(length) => vec![-1, i64::from(length)],
        _ => vec![-1],
    };
    TensorMetadata { name: field.name.clone(), datatype: Datatype::of(field.data_type), shape }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{DataType, Id};

    #[test]
    fn a_model_says_its_columns_in_the_words_of_the_protocol() {
        let field = |name: &str, data_type| Field { name: name.to_owned(), data_type, nullable: false };
        let request = [field("age", DataType::Int64), field("embedding", DataType::Vector(3))];
        let response = [field("prediction", DataType::Text), field("probability", DataType::Float64)];
        let said = metadata(&ModelName::parse("iris").unwrap(), &[2, 3], &request, &response);
        assert_eq!(
            serde_json::to_value(said).unwrap(),
            serde_json::json!({
                "name": "iris", "versions": ["2", "3"], "platform": "stepwell_component",
                "inputs": [
                    {"name": "age", "datatype": "INT64", "shape": [-1]},
                    {"name": "embedding", "datatype": "FP32", "shape": [-1, 3]},
                ],
                "outputs": [
                    {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
                    {"name": "probability", "datatype": "FP64", "shape": [-1]},
                ],
            })
        );
    }

    #[test]
    fn an_error_is_one_text() {
        assert_eq!(ErrorBody { error: "no model `x`".to_owned() }.to_json(), br#"{"error":"no model `x`"}"#);
    }
}
