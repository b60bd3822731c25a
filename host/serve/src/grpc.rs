//! Messages of the protocol's gRPC form: requests -> what they ask, answers -> bytes.
//!
//! The messages are written down here and in `about`, by hand: what a stranger sends most of (`ModelInferRequest`) is read in
//! place instead of being made into objects, and the rest is a page.

use crate::contents::Contents;
use crate::protobuf::{Fields, Value, Varints, no_message};
use crate::protocol::{DIMENSIONS_MAX, TENSORS_MAX, foreign};
use crate::request::{Input, Values, table};
use crate::response::{chunks, prediction_ids, shape, wanted};
use crate::{Asked, Datatype, ModelConfig, ModelIndex, Outputs, Problems, ServeError, binary, shown};
use data::Table;
use prost::Message;
use std::collections::HashMap;
use types::{Field, Id, ModelName, PredictionId};

/// The most bytes of a request that is about a model and not for it.
const REQUEST_BYTES_MAX: usize = 64 << 10;

/// `ModelInferRequest`, its values where they lie.
#[derive(Debug, Default)]
pub struct InferRequest<'a> {
    pub model: &'a str,
    /// Empty for whichever there is.
    pub version: &'a str,
    id: &'a str,
    inputs: Vec<InputTensor<'a>>,
    outputs: Vec<OutputTensor<'a>>,
    /// An input's values each, in their order; none if the inputs have theirs.
    raw: Vec<&'a [u8]>,
}

#[derive(Debug, Default)]
struct InputTensor<'a> {
    name: &'a str,
    datatype: &'a str,
    shape: Vec<i64>,
    contents: Option<Contents<'a>>,
    foreign: Option<&'static str>,
}

#[derive(Debug, Default)]
struct OutputTensor<'a> {
    name: &'a str,
    foreign: Option<&'static str>,
}

impl<'a> InferRequest<'a> {
    /// Reads a message; the error says why it is none.
    pub fn read(message: &'a [u8]) -> Result<Self, ServeError> {
        let mut request = Self::default();
        for field in Fields(message) {
            match field? {
                (1, value) => request.model = value.text()?,
                (2, value) => request.version = value.text()?,
                (3, value) => request.id = value.text()?,
                (5, value) => push(&mut request.inputs, "inputs", InputTensor::read(value.bytes()?)?)?,
                (6, value) => push(&mut request.outputs, "outputs", OutputTensor::read(value.bytes()?)?)?,
                (7, value) => push(&mut request.raw, "raw_input_contents", value.bytes()?)?,
                _ => {}
            }
        }
        Ok(request)
    }

    /// What it asks of a model that expects these columns. All problems are told together.
    pub fn asked(&self, columns: &[Field]) -> Result<Asked, ServeError> {
        let mut problems = Problems::default();
        let of_inputs = self.inputs.iter().map(|input| (input.name, input.foreign));
        for (name, foreign) in of_inputs.chain(self.outputs.iter().map(|output| (output.name, output.foreign))) {
            if let Some(extension) = foreign {
                problems.push(format!("{} asks for the extension {extension}, which is not supported", shown(name)));
            }
        }
        if !self.raw.is_empty() && self.raw.len() != self.inputs.len() {
            let (got, expected) = (self.raw.len(), self.inputs.len());
            problems.push(format!("`raw_input_contents` has {got} entries, there are {expected} inputs"));
        }
        let inputs: Vec<_> = self.inputs.iter().enumerate().map(|(i, input)| self.input(i, input)).collect();
        let rows = table(&inputs, columns, problems)?;
        let named = self.outputs.iter().map(|output| (output.name.to_owned(), true)).collect();
        let id = (!self.id.is_empty()).then(|| self.id.to_owned());
        Ok(Asked { id, rows, outputs: Outputs { named, binary: true } })
    }

    fn input<'b>(&'b self, position: usize, input: &'b InputTensor<'a>) -> Input<'b> {
        let values = match (self.raw.get(position), input.contents) {
            (Some(_), Some(_)) => Err("has `contents` beside `raw_input_contents`".to_owned()),
            (Some(bytes), None) => Ok(Values::Binary(bytes)),
            (None, Some(contents)) => Ok(Values::Contents(contents)),
            (None, None) => Err("has no values".to_owned()),
        };
        Input { name: input.name, datatype: input.datatype, shape: &input.shape, values }
    }
}

impl<'a> InputTensor<'a> {
    fn read(message: &'a [u8]) -> Result<Self, ServeError> {
        let mut input = Self::default();
        for field in Fields(message) {
            match field? {
                (1, value) => input.name = value.text()?,
                (2, value) => input.datatype = value.text()?,
                (3, Value::Varint(length)) => input.dimension(length)?,
                (3, value) => Varints(value.bytes()?).try_for_each(|length| input.dimension(length?))?,
                (4, value) => input.foreign = input.foreign.or(foreign_key(value.bytes()?)?),
                (5, _) if input.contents.is_some() => return Err(no_message("an input has `contents` twice")),
                (5, value) => input.contents = Some(Contents(value.bytes()?)),
                _ => {}
            }
        }
        Ok(input)
    }

    fn dimension(&mut self, length: u64) -> Result<(), ServeError> {
        match self.shape.len() < DIMENSIONS_MAX {
            true => self.shape.push(length as i64),
            false => return Err(no_message(&format!("a shape has more than {DIMENSIONS_MAX} dimensions"))),
        }
        Ok(())
    }
}

impl<'a> OutputTensor<'a> {
    fn read(message: &'a [u8]) -> Result<Self, ServeError> {
        let mut output = Self::default();
        for field in Fields(message) {
            match field? {
                (1, value) => output.name = value.text()?,
                (2, value) => output.foreign = output.foreign.or(foreign_key(value.bytes()?)?),
                _ => {}
            }
        }
        Ok(output)
    }
}

/// The extension that an entry of parameters belongs to, as [`foreign`] has it.
fn foreign_key(entry: &[u8]) -> Result<Option<&'static str>, ServeError> {
    for field in Fields(entry) {
        if let (1, value) = field? {
            return Ok(foreign(value.text()?));
        }
    }
    Ok(None)
}

fn push<T>(list: &mut Vec<T>, name: &str, entry: T) -> Result<(), ServeError> {
    match list.len() < TENSORS_MAX {
        true => list.push(entry),
        false => return Err(no_message(&format!("`{name}` has more than {TENSORS_MAX} entries"))),
    }
    Ok(())
}

#[derive(Clone, PartialEq, Message)]
struct InferResponse {
    #[prost(string, tag = "1")]
    model_name: String,
    #[prost(string, tag = "2")]
    model_version: String,
    #[prost(string, tag = "3")]
    id: String,
    #[prost(map = "string, message", tag = "4")]
    parameters: HashMap<String, Parameter>,
    #[prost(message, repeated, tag = "5")]
    outputs: Vec<ResponseTensor>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    raw_output_contents: Vec<Vec<u8>>,
}

/// One that is a text.
#[derive(Clone, PartialEq, Message)]
struct Parameter {
    #[prost(string, optional, tag = "3")]
    string_param: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ResponseTensor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    datatype: String,
    #[prost(int64, repeated, tag = "3")]
    shape: Vec<i64>,
}

/// `ModelInferResponse`, its values in `raw_output_contents`: the outputs that are wanted, as [`crate::response`] has them.
pub fn infer_response(
    model: &ModelName,
    version: u32,
    id: Option<&str>,
    (first, predictions): (PredictionId, &Table),
    outputs: &Outputs,
) -> Result<Vec<u8>, ServeError> {
    let (mut told, mut raw) = (Vec::new(), Vec::new());
    for (field, _) in wanted(predictions, outputs)? {
        raw.push(binary::bytes(&field.name, &chunks(predictions, &field.name)?)?);
        told.push(ResponseTensor {
            name: field.name.clone(),
            datatype: Datatype::of(field.data_type).name().to_owned(),
            shape: shape(predictions, field).into_iter().map(u64::cast_signed).collect(),
        });
    }
    let ids = Parameter { string_param: Some(prediction_ids(first, predictions)) };
    let answer = InferResponse {
        model_name: model.as_str().to_owned(),
        model_version: version.to_string(),
        id: id.unwrap_or_default().to_owned(),
        parameters: [("prediction_ids".to_owned(), ids)].into(),
        outputs: told,
        raw_output_contents: raw,
    };
    Ok(answer.encode_to_vec())
}

#[derive(Clone, PartialEq, Message)]
struct StreamResponse {
    #[prost(string, tag = "1")]
    error_message: String,
    /// A `ModelInferResponse`.
    #[prost(bytes = "vec", optional, tag = "2")]
    infer_response: Option<Vec<u8>>,
}

/// `ModelStreamInferResponse`: one answer of a stream, or why there is none.
pub fn stream_response(answer: Result<Vec<u8>, String>) -> Vec<u8> {
    let (error_message, infer_response) = match answer {
        Ok(response) => (String::new(), Some(response)),
        Err(error) => (error, None),
    };
    StreamResponse { error_message, infer_response }.encode_to_vec()
}

/// `ModelReadyRequest`, `ModelMetadataRequest`, `ModelConfigRequest`, `ModelStatisticsRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct ModelRequest {
    #[prost(string, tag = "1")]
    pub name: String,
    /// Empty for whichever there is.
    #[prost(string, tag = "2")]
    pub version: String,
}

/// `RepositoryIndexRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct IndexRequest {
    /// Whether those that are not ready are left out.
    #[prost(bool, tag = "2")]
    pub ready: bool,
}

/// `RepositoryModelLoadRequest`, `RepositoryModelUnloadRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct ControlRequest {
    #[prost(string, tag = "2")]
    pub model_name: String,
    /// Entries of parameters, unread.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub parameters: Vec<Vec<u8>>,
}

/// `RepositoryIndexResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct IndexResponse {
    #[prost(message, repeated, tag = "1")]
    pub models: Vec<ModelIndex>,
}

/// `ModelConfigResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct ConfigResponse {
    #[prost(message, optional, tag = "1")]
    pub config: Option<ModelConfig>,
}

/// Reads a request that has no values.
pub fn read<T: Message + Default>(message: &[u8]) -> Result<T, ServeError> {
    if message.len() > REQUEST_BYTES_MAX {
        return Err(no_message(&format!("it has more than {REQUEST_BYTES_MAX} bytes")));
    }
    T::decode(message).map_err(|error| no_message(&error.to_string()))
}

/// A message as it is sent.
pub fn encoded(message: &impl Message) -> Vec<u8> {
    message.encode_to_vec()
}

#[cfg(test)]
mod tests;
