//! What is said of the server and its models, over HTTP and gRPC alike: the JSON has the names of the message's fields, but
//! where a comment says otherwise. The messages are those of the Open Inference Protocol's `inference` package with Triton's
//! extensions (both Apache-2.0 or BSD-3); only fields that the server fills in are written down.

use crate::Datatype;
use prost::Message;
use serde::{Serialize, Serializer};
use types::{Field, ModelName};

/// `<project>_<format>`, as the protocol asks; for information only.
const PLATFORM: &str = "stepwell_component";
/// What the server has beyond the protocol, in Triton's words.
const EXTENSIONS: [&str; 4] = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"];

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct ServerMetadata {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(string, repeated, tag = "3")]
    pub extensions: Vec<String>,
}

/// What the server says of itself.
pub fn server_metadata() -> ServerMetadata {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    ServerMetadata { name: "stepwell".to_owned(), version, extensions: EXTENSIONS.map(str::to_owned).to_vec() }
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Live {
    #[prost(bool, tag = "1")]
    pub live: bool,
}

/// Of the server or of a model. The JSON of a model's also has its name.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Ready {
    #[prost(bool, tag = "1")]
    pub ready: bool,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct ModelMetadata {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, repeated, tag = "2")]
    pub versions: Vec<String>,
    #[prost(string, tag = "3")]
    pub platform: String,
    #[prost(message, repeated, tag = "4")]
    pub inputs: Vec<TensorMetadata>,
    #[prost(message, repeated, tag = "5")]
    pub outputs: Vec<TensorMetadata>,
}

/// An input or output of a model; -1 stands for any number of rows.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct TensorMetadata {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub shape: Vec<i64>,
}

/// What a request to the model must bring and its answer has. `versions` are those that can be asked for.
pub fn metadata(model: &ModelName, versions: &[u32], request: &[Field], response: &[Field]) -> ModelMetadata {
    let tensor = |field: &Field| TensorMetadata {
        name: field.name.clone(),
        datatype: Datatype::of(field.data_type).name().to_owned(),
        shape: shape(field),
    };
    ModelMetadata {
        name: model.to_string(),
        versions: versions.iter().map(u32::to_string).collect(),
        platform: PLATFORM.to_owned(),
        inputs: request.iter().map(tensor).collect(),
        outputs: response.iter().map(tensor).collect(),
    }
}

fn shape(field: &Field) -> Vec<i64> {
    match field.data_type {
        types::DataType::Vector(length) => vec![-1, i64::from(length)],
        _ => vec![-1],
    }
}

/// A model's configuration as Triton has it, of which there is only what metadata says too.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct ModelConfig {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub platform: String,
    /// 0: the shapes say where the rows are.
    #[prost(int32, tag = "4")]
    pub max_batch_size: i32,
    #[prost(message, repeated, tag = "5")]
    pub input: Vec<ConfigInput>,
    #[prost(message, repeated, tag = "6")]
    pub output: Vec<ConfigOutput>,
    #[prost(string, tag = "17")]
    pub backend: String,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct ConfigInput {
    #[prost(string, tag = "1")]
    pub name: String,
    /// Of the enumeration `DataType`. In JSON its name.
    #[prost(int32, tag = "2")]
    #[serde(serialize_with = "type_name")]
    pub data_type: i32,
    #[prost(int64, repeated, tag = "4")]
    pub dims: Vec<i64>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct ConfigOutput {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "2")]
    #[serde(serialize_with = "type_name")]
    pub data_type: i32,
    #[prost(int64, repeated, tag = "3")]
    pub dims: Vec<i64>,
}

/// `inference.DataType`, in the order of its numbers, which begin at 1.
const TYPES: [(Datatype, &str); 14] = [
    (Datatype::Bool, "TYPE_BOOL"),
    (Datatype::Uint8, "TYPE_UINT8"),
    (Datatype::Uint16, "TYPE_UINT16"),
    (Datatype::Uint32, "TYPE_UINT32"),
    (Datatype::Uint64, "TYPE_UINT64"),
    (Datatype::Int8, "TYPE_INT8"),
    (Datatype::Int16, "TYPE_INT16"),
    (Datatype::Int32, "TYPE_INT32"),
    (Datatype::Int64, "TYPE_INT64"),
    (Datatype::Fp16, "TYPE_FP16"),
    (Datatype::Fp32, "TYPE_FP32"),
    (Datatype::Fp64, "TYPE_FP64"),
    (Datatype::Bytes, "TYPE_STRING"),
    (Datatype::Bf16, "TYPE_BF16"),
];

fn type_number(field: &Field) -> i32 {
    let datatype = Datatype::of(field.data_type);
    TYPES.iter().position(|(listed, _)| *listed == datatype).map_or(0, |position| position as i32 + 1)
}

fn type_name<S: Serializer>(number: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    let known = usize::try_from(*number - 1).ok().and_then(|position| TYPES.get(position));
    serializer.serialize_str(known.map_or("TYPE_INVALID", |(_, name)| name))
}

/// The same of a model as [`metadata`], in the form of a configuration.
pub fn config(model: &ModelName, request: &[Field], response: &[Field]) -> ModelConfig {
    let input =
        |field: &Field| ConfigInput { name: field.name.clone(), data_type: type_number(field), dims: shape(field) };
    let output =
        |field: &Field| ConfigOutput { name: field.name.clone(), data_type: type_number(field), dims: shape(field) };
    ModelConfig {
        name: model.to_string(),
        platform: PLATFORM.to_owned(),
        max_batch_size: 0,
        input: request.iter().map(input).collect(),
        output: response.iter().map(output).collect(),
        backend: "stepwell".to_owned(),
    }
}

/// A model in the repository. The JSON of an index is the list.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct ModelIndex {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub version: String,
    /// `READY` or `UNAVAILABLE`.
    #[prost(string, tag = "3")]
    pub state: String,
    /// Why it is unavailable.
    #[prost(string, tag = "4")]
    pub reason: String,
}

/// How often something was done, and how long it took together.
#[derive(Clone, Copy, PartialEq, Message, Serialize)]
pub struct Duration {
    #[prost(uint64, tag = "1")]
    pub count: u64,
    #[prost(uint64, tag = "2")]
    pub ns: u64,
}

/// What became of requests, and how long each part of those that were answered took.
#[derive(Clone, Copy, PartialEq, Message, Serialize)]
pub struct InferStatistics {
    #[prost(message, optional, tag = "1")]
    pub success: Option<Duration>,
    #[prost(message, optional, tag = "2")]
    pub fail: Option<Duration>,
    /// Waiting for their turn.
    #[prost(message, optional, tag = "3")]
    pub queue: Option<Duration>,
    /// Reading them.
    #[prost(message, optional, tag = "4")]
    pub compute_input: Option<Duration>,
    /// The model.
    #[prost(message, optional, tag = "5")]
    pub compute_infer: Option<Duration>,
    /// Writing the answers.
    #[prost(message, optional, tag = "6")]
    pub compute_output: Option<Duration>,
}

/// Of a model's version, since the server began.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct ModelStatistics {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub version: String,
    /// Milliseconds since 1970.
    #[prost(uint64, tag = "3")]
    pub last_inference: u64,
    /// Rows.
    #[prost(uint64, tag = "4")]
    pub inference_count: u64,
    /// Requests.
    #[prost(uint64, tag = "5")]
    pub execution_count: u64,
    #[prost(message, optional, tag = "6")]
    pub inference_stats: Option<InferStatistics>,
}

/// Of many models.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Statistics {
    #[prost(message, repeated, tag = "1")]
    pub model_stats: Vec<ModelStatistics>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{DataType, Id};

    fn field(name: &str, data_type: DataType) -> Field {
        Field { name: name.to_owned(), data_type, nullable: false }
    }

    #[test]
    fn a_model_says_its_columns_in_the_words_of_the_protocol() {
        let request = [field("age", DataType::Int64), field("embedding", DataType::Vector(3))];
        let response = [field("prediction", DataType::Text), field("probability", DataType::Float64)];
        let model = ModelName::parse("iris").unwrap();
        let said = metadata(&model, &[3], &request, &response);
        assert_eq!(
            serde_json::to_value(said).unwrap(),
            serde_json::json!({
                "name": "iris", "versions": ["3"], "platform": "stepwell_component",
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
        assert_eq!(
            serde_json::to_value(config(&model, &request, &response)).unwrap(),
            serde_json::json!({
                "name": "iris", "platform": "stepwell_component", "backend": "stepwell", "max_batch_size": 0,
                "input": [
                    {"name": "age", "data_type": "TYPE_INT64", "dims": [-1]},
                    {"name": "embedding", "data_type": "TYPE_FP32", "dims": [-1, 3]},
                ],
                "output": [
                    {"name": "prediction", "data_type": "TYPE_STRING", "dims": [-1]},
                    {"name": "probability", "data_type": "TYPE_FP64", "dims": [-1]},
                ],
            })
        );
    }
}
