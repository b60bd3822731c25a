//! The bytes of a file in which weights are kept, safetensors or JSON -> whether all of its numbers are finite, read a piece at a time:
//! what a file holds may be larger than memory.

use crate::saved::{HEADER_BYTES_MAX, LENGTH_BYTES};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::io::{self, Read};

/// Bytes that are looked at together; whole numbers of every type.
pub(crate) const PIECE_BYTES: usize = 64 << 10;
/// Characters of a place and of a value that are told.
pub(crate) const NAME_CHARS_MAX: usize = 80;

/// What was found in a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finiteness {
    pub tensors: u64,
    /// In tensors, of types that have numbers which are not finite.
    pub numbers: u64,
    /// Those that are written in a JSON file.
    pub written: u64,
    pub bad: u64,
    pub first: Option<NotFinite>,
}

/// A number that is none.
#[derive(Debug, Clone, PartialEq)]
pub struct NotFinite {
    /// "`w`[0, 3]" of a tensor, "`[3][5].leaf`" of a JSON file.
    pub place: String,
    pub value: String,
}

/// Looks through a file; none if it is neither a whole safetensors file nor JSON. Complex numbers and those of 8 bits are not looked
/// at.
pub fn finiteness(file: &mut impl Read) -> io::Result<Option<Finiteness>> {
    let mut head = Vec::new();
    file.by_ref().take(LENGTH_BYTES as u64).read_to_end(&mut head)?;
    // No text begins with so small a number.
    let length = head.first_chunk::<LENGTH_BYTES>().map(|&bytes| u64::from_le_bytes(bytes));
    let found = match length.filter(|length| *length <= HEADER_BYTES_MAX) {
        Some(length) => looked_through(length, file),
        None => crate::written::looked_through(&mut head.chain(file)),
    };
    match found {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        found => found,
    }
}

/// A safetensors file behind the length of its header.
fn looked_through(length: u64, file: &mut impl Read) -> io::Result<Option<Finiteness>> {
    let mut header = Vec::new();
    file.by_ref().take(length).read_to_end(&mut header)?;
    let Ok(metadata) = serde_json::from_slice::<Metadata>(&header) else { return Ok(None) };
    let mut found = Finiteness::default();
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        found.tensors += 1;
        look(file, &name, info, &mut found)?;
    }
    Ok(Some(found))
}

/// One tensor, which begins where the file is now.
fn look(file: &mut impl Read, name: &str, info: &TensorInfo, found: &mut Finiteness) -> io::Result<()> {
    let mut left = info.data_offsets.1 - info.data_offsets.0;
    let (mut piece, mut index) = (vec![0; PIECE_BYTES], 0);
    while left > 0 {
        let piece = &mut piece[..left.min(PIECE_BYTES)];
        file.read_exact(piece)?;
        left -= piece.len();
        for value in values(info.dtype, piece) {
            if !value.is_finite() {
                found.bad += 1;
                found.first.get_or_insert_with(|| {
                    let at: Vec<String> = position(&info.shape, index).iter().map(u64::to_string).collect();
                    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
                    NotFinite { place: format!("`{name}`[{}]", at.join(", ")), value: value.to_string() }
                });
            }
            index += 1;
        }
    }
    found.numbers += index;
    Ok(())
}

/// The numbers of a piece, in a type that keeps whether they are finite and else as much as fits.
fn values(dtype: Dtype, piece: &[u8]) -> Box<dyn Iterator<Item = f32> + '_> {
    match dtype {
        Dtype::F64 => Box::new(piece.as_chunks().0.iter().map(|&bytes| narrow(f64::from_le_bytes(bytes)))),
        Dtype::F32 => Box::new(piece.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes))),
        Dtype::F16 => Box::new(piece.as_chunks().0.iter().map(|&bytes| crate::saved::from_half(bytes))),
        Dtype::BF16 => Box::new(piece.as_chunks().0.iter().map(|&bytes| crate::saved::from_brain(bytes))),
        _ => Box::new(std::iter::empty()),
    }
}

/// A large float64 is no infinity.
fn narrow(value: f64) -> f32 {
    if value.is_finite() { value.clamp(f32::MIN.into(), f32::MAX.into()) as f32 } else { value as f32 }
}

/// Where the number of this index stands in a tensor of this shape, the last dimension running fastest.
fn position(shape: &[usize], index: u64) -> Vec<u64> {
    let mut rest = index;
    let mut at: Vec<u64> = shape
        .iter()
        .rev()
        .map(|&length| {
            let here = rest % (length as u64).max(1);
            rest /= (length as u64).max(1);
            here
        })
        .collect();
    at.reverse();
    at
}
