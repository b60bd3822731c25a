//! Tensors by name <-> the bytes of a safetensors file: numbers under a header in JSON, and nothing that runs.
//!
//! The file is a stranger's. The `safetensors` crate checks that the parts lie side by side without overlap, fill the file and
//! have the lengths of their shapes; what is checked here first is what it allows to be large.

use crate::tensor::{TO_BYTES_MAX, bytes};
use crate::{ElementType, Error, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// The longest header: some ten thousand names.
pub(crate) const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a header's own length.
pub(crate) const LENGTH_BYTES: usize = 8;

/// One file of these tensors, in the order of their names; at most [`TO_BYTES_MAX`].
pub fn to_safetensors(tensors: &[(String, &Tensor)]) -> Result<Vec<u8>, Error> {
    let total: u64 = tensors.iter().map(|(_, tensor)| tensor.bytes()).sum();
    if total > TO_BYTES_MAX {
        return Err(Error::invalid("tensors", format!("are {total} bytes, at most {TO_BYTES_MAX} pass in one call")));
    }
    let mut parts: Vec<(String, &Tensor, Vec<u8>)> = Vec::new();
    for (name, tensor) in tensors {
        if parts.iter().any(|(other, ..)| other == name) {
            return Err(Error::invalid(name, "is the name of two tensors"));
        }
        parts.push((name.clone(), tensor, bytes(&tensor.value)?));
    }
    parts.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    let views = parts.iter().map(|(name, tensor, bytes)| {
        let view = TensorView::new(dtype(tensor.element_type()), tensor.dims().to_vec(), bytes);
        Ok((name.as_str(), view.map_err(|error| Error::Native(error.to_string()))?))
    });
    let file = safetensors::serialize(views.collect::<Result<Vec<_>, Error>>()?, None);
    file.map_err(|error| Error::Native(error.to_string()))
}

/// The tensors of a file by name, in the order of their names.
pub fn from_safetensors(data: &[u8]) -> Result<Vec<(String, Tensor)>, Error> {
    let header = data.first_chunk::<LENGTH_BYTES>().map(|&bytes| u64::from_le_bytes(bytes));
    if header.is_some_and(|length| length > HEADER_BYTES_MAX) {
        return Err(Error::invalid("data", format!("has a header of more than {HEADER_BYTES_MAX} bytes")));
    }
    let file = SafeTensors::deserialize(data)
        .map_err(|error| Error::invalid("data", format!("is no safetensors file: {error}")))?;
    let named = |(name, view): (&str, TensorView<'_>)| Ok((name.to_owned(), tensor(name, &view)?));
    let mut tensors = file.iter().map(named).collect::<Result<Vec<_>, Error>>()?;
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(tensors)
}

fn tensor(name: &str, view: &TensorView<'_>) -> Result<Tensor, Error> {
    let shape: Option<Vec<u32>> = view.shape().iter().map(|&length| u32::try_from(length).ok()).collect();
    let shape =
        shape.ok_or_else(|| Error::invalid(name, format!("has shape {:?}, which is too long", view.shape())))?;
    let half = |widen: fn([u8; 2]) -> f32| {
        let (halves, _) = view.data().as_chunks::<2>();
        let bytes: Vec<u8> = halves.iter().flat_map(|&half| widen(half).to_le_bytes()).collect();
        Tensor::from_bytes(&shape, ElementType::Float32, &bytes)
    };
    match view.dtype() {
        Dtype::F32 => Tensor::from_bytes(&shape, ElementType::Float32, view.data()),
        Dtype::F64 => Tensor::from_bytes(&shape, ElementType::Float64, view.data()),
        Dtype::I64 => Tensor::from_bytes(&shape, ElementType::Int64, view.data()),
        Dtype::BF16 => half(from_brain),
        Dtype::F16 => half(from_half),
        other => Err(Error::invalid(name, format!("is {other:?}, expected F32, F64, I64, F16 or BF16"))),
    }
}

/// bfloat16, exactly: the upper half of a float32.
pub(crate) fn from_brain(bytes: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
}

/// IEEE 754 half precision, exactly.
pub(crate) fn from_half(bytes: [u8; 2]) -> f32 {
    let bits = u16::from_le_bytes(bytes);
    let (sign, exponent, fraction) = (bits >> 15, (bits >> 10) & 0x1f, bits & 0x3ff);
    let magnitude = match exponent {
        0 => f32::from(fraction) * 2f32.powi(-24),
        0x1f if fraction == 0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => f32::from(fraction | 0x400) * 2f32.powi(i32::from(exponent) - 25),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

fn dtype(element_type: ElementType) -> Dtype {
    match element_type {
        ElementType::Float32 => Dtype::F32,
        ElementType::Float64 => Dtype::F64,
        ElementType::Int64 => Dtype::I64,
    }
}
