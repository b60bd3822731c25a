//! The values that stand in an input's message (`InferTensorContents`) -> a column, each as it is read.

use crate::cell::Cell;
use crate::protobuf::{Fields, Value, Varints};
use crate::tensor::Tensor;
use crate::{Datatype, ServeError};
use data::GuestColumn;

/// The fields of the message, in the order of their numbers, which begin at 1.
const FIELDS: [&str; 8] = [
    "bool_contents",
    "int_contents",
    "int64_contents",
    "uint_contents",
    "uint64_contents",
    "fp32_contents",
    "fp64_contents",
    "bytes_contents",
];

/// Where values of a type belong; none of one that comes in `raw_input_contents` only.
fn field_of(datatype: Datatype) -> Option<&'static str> {
    match datatype {
        Datatype::Bool => Some("bool_contents"),
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 => Some("int_contents"),
        Datatype::Int64 => Some("int64_contents"),
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => Some("uint_contents"),
        Datatype::Uint64 => Some("uint64_contents"),
        Datatype::Fp32 => Some("fp32_contents"),
        Datatype::Fp64 => Some("fp64_contents"),
        Datatype::Bytes => Some("bytes_contents"),
        Datatype::Fp16 | Datatype::Bf16 => None,
    }
}

/// The message, unread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents<'a>(pub(crate) &'a [u8]);

type Cells<'a> = Box<dyn Iterator<Item = Result<Cell<'a>, String>> + 'a>;

impl<'a> Contents<'a> {
    /// The column; the error is the first problem, a fragment: `has 1 values, its shape says 2`.
    pub(crate) fn column(self, tensor: &Tensor<'_>) -> Result<GuestColumn, String> {
        let datatype = tensor.datatype;
        let expected = field_of(datatype).ok_or_else(|| format!("has {datatype} outside of `raw_input_contents`"))?;
        tensor.flat(self.cells(datatype, expected))
    }

    fn cells(self, datatype: Datatype, expected: &'static str) -> impl Iterator<Item = Result<Cell<'a>, String>> {
        Fields(self.0).flat_map(move |field| match field {
            Ok((number, value)) => match FIELDS.get((number as usize).wrapping_sub(1)) {
                Some(name) if *name == expected => values(datatype, value),
                Some(other) => {
                    one(Err(format!("has values in `{other}`, those of {datatype} belong into `{expected}`")))
                }
                // Of a later version of the message.
                None => Box::new(std::iter::empty()),
            },
            Err(error) => one(Err(broken(&error))),
        })
    }
}

/// The values of one occurrence of the field: a single one, or many that are packed.
fn values(datatype: Datatype, value: Value<'_>) -> Cells<'_> {
    match (value, datatype) {
        (Value::Bytes(bytes), Datatype::Bytes) => one(Ok(Cell::Bytes(bytes))),
        (Value::Fixed32(bytes), Datatype::Fp32) => one(Ok(Cell::Float(f32::from_le_bytes(bytes).into()))),
        (Value::Fixed64(bytes), Datatype::Fp64) => one(Ok(Cell::Float(f64::from_le_bytes(bytes)))),
        (Value::Bytes(packed), Datatype::Fp32 | Datatype::Fp64) => crate::binary::cells(datatype, packed),
        (Value::Varint(value), _) => one(Ok(integer(datatype, value))),
        (Value::Bytes(packed), _) => {
            let cell = move |value: Result<u64, ServeError>| {
                value.map(|value| integer(datatype, value)).map_err(|error| broken(&error))
            };
            Box::new(Varints(packed).map(cell))
        }
        _ => one(Err("has values of another wire type".to_owned())),
    }
}

/// An integer as protobuf has it: of the width of its field, whatever stands above.
fn integer(datatype: Datatype, value: u64) -> Cell<'static> {
    match datatype {
        Datatype::Bool => Cell::Bool(value != 0),
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 => Cell::Integer((value as i32).into()),
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => Cell::Integer((value as u32).into()),
        Datatype::Int64 => Cell::Integer(value as i64),
        _ => Cell::unsigned(value),
    }
}

fn one<'a>(cell: Result<Cell<'a>, String>) -> Cells<'a> {
    Box::new(std::iter::once(cell))
}

fn broken(error: &ServeError) -> String {
    format!("has wrong `contents`: {error}")
}
