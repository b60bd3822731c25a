//! Binary tensors <-> columns: values one after another, little-endian, a text or bytes after its length.

use crate::cell::Cell;
use crate::response::{bit, fixed};
use crate::tensor::Tensor;
use crate::{Datatype, ServeError};
use data::GuestColumn;
use half::{bf16, f16};
use types::DataType;

/// Bytes of a length before a text or bytes.
const LENGTH_BYTES: usize = 4;

type Cells<'a> = Box<dyn Iterator<Item = Result<Cell<'a>, String>> + 'a>;

/// The column of a tensor's bytes; the error is the first problem, a fragment: `has 12 bytes of values, 2 of FP64 are 16`.
pub(crate) fn column(tensor: &Tensor<'_>, bytes: &[u8]) -> Result<GuestColumn, String> {
    if let Some(size) = tensor.datatype.size() {
        let (count, datatype) = (tensor.elements(), tensor.datatype);
        if bytes.len() != count * size {
            return Err(format!("has {} bytes of values, {count} of {datatype} are {}", bytes.len(), count * size));
        }
    }
    tensor.flat(cells(tensor.datatype, bytes))
}

pub(crate) fn cells(datatype: Datatype, bytes: &[u8]) -> Cells<'_> {
    match datatype {
        Datatype::Bool => Box::new(bytes.iter().map(|byte| match byte {
            0 | 1 => Ok(Cell::Bool(*byte == 1)),
            other => Err(format!("is the byte {other}, no BOOL")),
        })),
        Datatype::Uint8 => numbers(bytes, |value| Cell::Integer(u8::from_le_bytes(value).into())),
        Datatype::Uint16 => numbers(bytes, |value| Cell::Integer(u16::from_le_bytes(value).into())),
        Datatype::Uint32 => numbers(bytes, |value| Cell::Integer(u32::from_le_bytes(value).into())),
        Datatype::Uint64 => numbers(bytes, |value| Cell::unsigned(u64::from_le_bytes(value))),
        Datatype::Int8 => numbers(bytes, |value| Cell::Integer(i8::from_le_bytes(value).into())),
        Datatype::Int16 => numbers(bytes, |value| Cell::Integer(i16::from_le_bytes(value).into())),
        Datatype::Int32 => numbers(bytes, |value| Cell::Integer(i32::from_le_bytes(value).into())),
        Datatype::Int64 => numbers(bytes, |value| Cell::Integer(i64::from_le_bytes(value))),
        Datatype::Fp16 => numbers(bytes, |value| Cell::Float(f16::from_le_bytes(value).into())),
        Datatype::Bf16 => numbers(bytes, |value| Cell::Float(bf16::from_le_bytes(value).into())),
        Datatype::Fp32 => numbers(bytes, |value| Cell::Float(f32::from_le_bytes(value).into())),
        Datatype::Fp64 => numbers(bytes, |value| Cell::Float(f64::from_le_bytes(value))),
        Datatype::Bytes => Box::new(Lengthy(bytes)),
    }
}

fn numbers<const N: usize>(bytes: &[u8], cell: fn([u8; N]) -> Cell<'static>) -> Cells<'_> {
    Box::new(fixed(bytes).map(move |value| Ok(cell(value))))
}

/// Texts or bytes, each after its length.
struct Lengthy<'a>(&'a [u8]);

impl<'a> Iterator for Lengthy<'a> {
    type Item = Result<Cell<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((length, rest)) = self.0.split_first_chunk::<LENGTH_BYTES>() else {
            self.0 = &[];
            return Some(Err("breaks off within the length of a value".to_owned()));
        };
        let length = u32::from_le_bytes(*length) as usize;
        let Some((value, rest)) = rest.split_at_checked(length) else {
            let left = std::mem::take(&mut self.0).len() - LENGTH_BYTES;
            return Some(Err(format!("is said to have {length} bytes, {left} are left")));
        };
        self.0 = rest;
        Some(Ok(Cell::Bytes(value)))
    }
}

/// A column as a tensor's bytes. It has no form of a row without a value.
pub(crate) fn bytes(column: &str, chunks: &[GuestColumn]) -> Result<Vec<u8>, ServeError> {
    let mut bytes = Vec::new();
    let mut start = 0;
    for chunk in chunks {
        let rows = chunk.length as usize;
        if let Some(validity) = &chunk.validity
            && let Some(row) = (0..rows).find(|row| !bit(validity, *row))
        {
            return Err(ServeError::NoValue { column: column.to_owned(), row: start + row as u64 });
        }
        match chunk.data_type {
            DataType::Boolean => bytes.extend((0..rows).map(|row| u8::from(bit(&chunk.data, row)))),
            DataType::Text | DataType::Bytes => lengthy(chunk).for_each(|value| {
                bytes.extend((value.len() as u32).to_le_bytes());
                bytes.extend(value);
            }),
            _ => bytes.extend(&chunk.data),
        }
        start += rows as u64;
    }
    Ok(bytes)
}

/// The values of a column of texts or bytes.
pub(crate) fn lengthy(chunk: &GuestColumn) -> impl Iterator<Item = &[u8]> {
    let ends = fixed(chunk.offsets.as_deref().unwrap_or_default()).map(|bytes| i32::from_le_bytes(bytes) as usize);
    ends.clone().zip(ends.skip(1)).map(|(start, end)| chunk.data.get(start..end).unwrap_or_default())
}

#[cfg(test)]
mod tests;
