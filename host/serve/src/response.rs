//! Predictions -> the protocol's answer. Floats are written so that they read back as the same bits.

use crate::binary::{self, lengthy};
use crate::{Datatype, Outputs, ServeError, shown};
use data::{GuestColumn, Table};
use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};
use types::{DataType, Field, Id, ModelName, PredictionId};

/// Rows that are read from a table at a time.
const CHUNK_ROWS: u32 = 8192;

#[derive(Serialize)]
struct InferResponse<'a> {
    model_name: &'a str,
    model_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    parameters: Parameters,
    outputs: Vec<ResponseOutput<'a>>,
}

/// What the protocol has no field for.
#[derive(Serialize)]
struct Parameters {
    /// What the rows' predictions are called, a comma between two: a parameter is one text.
    prediction_ids: String,
}

#[derive(Serialize)]
struct ResponseOutput<'a> {
    name: &'a str,
    shape: Vec<u64>,
    datatype: Datatype,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BinarySize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Finite>,
}

#[derive(Serialize)]
struct BinarySize {
    binary_data_size: usize,
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub body: Vec<u8>,
    /// Bytes of JSON, where those of binary tensors follow: the header `Inference-Header-Content-Length`.
    pub json_length: Option<usize>,
}

/// The answer: the outputs that are wanted in their order, all columns of `predictions` if none is named.
///
/// What the first row's prediction is called comes with the predictions. An unknown output is the caller's error; so that a
/// value is not lost, one that the asked form does not have is an error too.
pub fn response(
    model: &ModelName,
    version: u32,
    id: Option<&str>,
    (first, predictions): (PredictionId, &Table),
    outputs: &Outputs,
) -> Result<Answer, ServeError> {
    let (mut told, mut binary) = (Vec::new(), Vec::<u8>::new());
    for (field, is_binary) in wanted(predictions, outputs)? {
        let chunks = chunks(predictions, &field.name)?;
        let (parameters, data) = match is_binary {
            true => {
                let bytes = binary::bytes(&field.name, &chunks)?;
                binary.extend(&bytes);
                (Some(BinarySize { binary_data_size: bytes.len() }), None)
            }
            false => (None, Some(Finite::of(chunks, &field.name)?)),
        };
        let (shape, datatype) = (shape(predictions, field), Datatype::of(field.data_type));
        told.push(ResponseOutput { name: &field.name, shape, datatype, parameters, data });
    }
    let is_binary = told.iter().any(|output| output.parameters.is_some());
    let parameters = Parameters { prediction_ids: prediction_ids(first, predictions) };
    let (model_name, model_version) = (model.as_str(), version.to_string());
    let answer = InferResponse { model_name, model_version, id, parameters, outputs: told };
    let mut body = serde_json::to_vec(&answer).map_err(|error| ServeError::Host(error.to_string()))?;
    let json_length = is_binary.then_some(body.len());
    body.extend(binary);
    Ok(Answer { body, json_length })
}

/// What the rows' predictions are called, as one text.
pub(crate) fn prediction_ids(first: PredictionId, predictions: &Table) -> String {
    (0..predictions.rows()).map(|row| first.row(row).to_string()).collect::<Vec<_>>().join(",")
}

/// The columns that are wanted, and whether each is in binary.
pub(crate) fn wanted<'a>(predictions: &'a Table, outputs: &Outputs) -> Result<Vec<(&'a Field, bool)>, ServeError> {
    let schema = predictions.schema();
    if outputs.named.is_empty() {
        return Ok(schema.fields.iter().map(|field| (field, outputs.binary)).collect());
    }
    let mut problems = crate::Problems::default();
    let mut found = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (name, is_binary) in &outputs.named {
        match schema.field(name) {
            Some(_) if !seen.insert(name) => problems.push(format!("output {} is asked for twice", shown(name))),
            Some(field) => found.push((field, *is_binary)),
            None => problems.push(format!("output {} is unknown, there are {}", shown(name), names(&schema.fields))),
        }
    }
    problems.check()?;
    Ok(found)
}

fn names(fields: &[Field]) -> String {
    fields.iter().map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", ")
}

pub(crate) fn shape(predictions: &Table, field: &Field) -> Vec<u64> {
    match field.data_type {
        DataType::Vector(length) => vec![predictions.rows(), length.into()],
        _ => vec![predictions.rows()],
    }
}

/// A column as it is read from a table.
pub(crate) fn chunks(table: &Table, column: &str) -> Result<Vec<GuestColumn>, ServeError> {
    let starts = (0..table.rows()).step_by(CHUNK_ROWS as usize);
    starts.map(|start| Ok(table.read(column, start, CHUNK_ROWS)?)).collect()
}

/// A column whose floats JSON can hold, in chunks.
pub(crate) struct Finite(Vec<GuestColumn>);

impl Finite {
    /// The column of a table, unless a value is no finite number.
    pub(crate) fn check(table: &Table, column: &str) -> Result<Self, ServeError> {
        Self::of(chunks(table, column)?, column)
    }

    fn of(chunks: Vec<GuestColumn>, column: &str) -> Result<Self, ServeError> {
        let mut start = 0;
        for chunk in &chunks {
            if let Some((i, value)) = floats(chunk).enumerate().find(|(_, value)| !value.is_finite()) {
                let row = start + (i / width(chunk.data_type)) as u64;
                return Err(ServeError::NotFinite { column: column.to_owned(), row, value });
            }
            start += u64::from(chunk.length);
        }
        Ok(Self(chunks))
    }
}

/// Elements a row.
fn width(data_type: DataType) -> usize {
    match data_type {
        DataType::Vector(length) => length as usize,
        _ => 1,
    }
}

/// All floats of a chunk; none of a column of anything else.
fn floats(chunk: &GuestColumn) -> Box<dyn Iterator<Item = f64> + '_> {
    match chunk.data_type {
        DataType::Float64 => Box::new(fixed(&chunk.data).map(f64::from_le_bytes)),
        DataType::Float32 | DataType::Vector(_) => {
            Box::new(fixed(&chunk.data).map(|bytes| f64::from(f32::from_le_bytes(bytes))))
        }
        _ => Box::new(std::iter::empty()),
    }
}

pub(crate) fn fixed<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> + Clone + '_ {
    data.chunks_exact(N).map(|bytes| bytes.try_into().expect("a chunk of N bytes has N bytes"))
}

pub(crate) fn bit(bits: &[u8], row: usize) -> bool {
    bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
}

impl Serialize for Finite {
    /// The values one after another, row-major, as the protocol has it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(None)?;
        for chunk in &self.0 {
            let rows = chunk.length as usize;
            match chunk.data_type {
                DataType::Boolean => put(&mut sequence, chunk, (0..rows).map(|row| bit(&chunk.data, row)))?,
                DataType::Int64 | DataType::Timestamp => {
                    put(&mut sequence, chunk, fixed(&chunk.data).map(i64::from_le_bytes))?;
                }
                DataType::Date => put(&mut sequence, chunk, fixed(&chunk.data).map(i32::from_le_bytes))?,
                DataType::Float32 | DataType::Vector(_) => {
                    put(&mut sequence, chunk, fixed(&chunk.data).map(f32::from_le_bytes))?;
                }
                DataType::Float64 => put(&mut sequence, chunk, fixed(&chunk.data).map(f64::from_le_bytes))?,
                DataType::Text => put(&mut sequence, chunk, texts(chunk))?,
                DataType::Bytes => return Err(S::Error::custom("a column of bytes has no JSON form")),
            }
        }
        sequence.end()
    }
}

/// Null where a row has none: the protocol has no word for it, JSON has.
fn put<S: SerializeSeq, T: Serialize>(
    sequence: &mut S,
    chunk: &GuestColumn,
    values: impl Iterator<Item = T>,
) -> Result<(), S::Error> {
    let width = width(chunk.data_type);
    for (i, value) in values.enumerate() {
        match chunk.validity.as_ref().is_none_or(|bits| bit(bits, i / width)) {
            true => sequence.serialize_element(&value)?,
            false => sequence.serialize_element(&())?,
        }
    }
    Ok(())
}

fn texts(chunk: &GuestColumn) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    lengthy(chunk).map(String::from_utf8_lossy)
}

#[cfg(test)]
mod tests;
