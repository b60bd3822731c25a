//! Values of a request -> a column, one at a time, and JSON's as such values. Each value is held against the type it claims before it becomes bytes, and none
//! is kept longer than its row: what a request costs is bounded by the rows it may have, not by what a stranger sends.

use crate::{Datatype, shown};
use data::GuestColumn;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use types::{DataType, Field};

/// A value of a tensor or of a plain row. A text is the request's own wherever JSON did not escape it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    /// An integer beyond those of `Integer`.
    Unsigned(u64),
    Float(f64),
    Text(Cow<'a, str>),
    /// A text or bytes of a binary tensor, which does not say which.
    Bytes(&'a [u8]),
}

impl Cell<'_> {
    pub(crate) fn unsigned(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Unsigned(value), Self::Integer)
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(text) => write!(f, "the text {}", shown(text)),
            Self::Bytes(_) => f.write_str("bytes"),
        }
    }
}

/// Reads a value, or a list of values, to the end of a row, and says how many the list had; none if it was no list.
/// Values that the row has no room for are read and dropped.
pub(crate) struct CellReader<'r, 'a> {
    row: &'r mut Vec<Cell<'a>>,
    room: usize,
    in_list: bool,
}

impl<'r, 'a> CellReader<'r, 'a> {
    /// A reader into a row of at most `room` values.
    pub(crate) fn new(row: &'r mut Vec<Cell<'a>>, room: usize) -> Self {
        Self { row, room, in_list: false }
    }

    fn keep(self, cell: Cell<'a>) -> Option<usize> {
        if self.row.len() < self.room {
            self.row.push(cell);
        }
        None
    }
}

impl<'de> DeserializeSeed<'de> for CellReader<'_, 'de> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellReader<'_, 'de> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, a truth value or a list of these")
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(self.keep(Cell::Null))
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.keep(Cell::Bool(value)))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(self.keep(Cell::Integer(value)))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(self.keep(Cell::unsigned(value)))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(self.keep(Cell::Float(value)))
    }
    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(self.keep(Cell::Text(Cow::Borrowed(value))))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.keep(Cell::Text(Cow::Owned(value.to_owned()))))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        if self.in_list {
            return Err(A::Error::custom(
                "lists stand more than two deep, a tensor has rows and at most one more dimension",
            ));
        }
        let mut length = 0;
        while values.next_element_seed(CellReader { row: &mut *self.row, room: self.room, in_list: true })?.is_some() {
            length += 1;
        }
        Ok(Some(length))
    }
}

/// The most bytes of a column that nulls may stand for: what a body may have.
const NOTHING_BYTES_MAX: usize = 32 << 20;

/// A column that grows a value at a time.
pub(crate) struct ColumnBuilder<'a> {
    field: &'a Field,
    length: u32,
    /// None until the first null.
    validity: Option<Vec<u8>>,
    offsets: Vec<u8>,
    data: Vec<u8>,
}

impl<'a> ColumnBuilder<'a> {
    pub(crate) fn new(field: &'a Field) -> Self {
        let mut new = Self { field, length: 0, validity: None, offsets: Vec::new(), data: Vec::new() };
        if new.is_text() {
            new.offsets.extend(0i32.to_le_bytes());
        }
        new
    }

    /// Appends a row; `cells` are its values, one but for a vector. The error is a fragment: `is 300, no INT8`.
    pub(crate) fn push(&mut self, cells: &[Cell<'_>], datatype: Datatype) -> Result<(), String> {
        let valid = !cells.iter().all(|cell| *cell == Cell::Null);
        match valid {
            true => cells.iter().try_for_each(|cell| self.push_value(cell, datatype))?,
            false if !self.field.nullable => return Err("is null, which the column does not allow".to_owned()),
            false => self.push_nothing()?,
        }
        self.mark(valid);
        let end = i32::try_from(self.data.len()).map_err(|_| "brings more than 2 GiB of values".to_owned())?;
        if self.is_text() {
            self.offsets.extend(end.to_le_bytes());
        }
        self.length += 1;
        Ok(())
    }

    /// Takes note of whether the next row has a value.
    fn mark(&mut self, valid: bool) {
        let row = self.length as usize;
        if valid && self.validity.is_none() {
            return;
        }
        // Every row before had one.
        let full = |byte: usize| u8::MAX >> (8 - (row - 8 * byte).min(8));
        let bits = self.validity.get_or_insert_with(|| (0..row.div_ceil(8)).map(full).collect());
        bits.resize(row / 8 + 1, 0);
        bits[row / 8] |= u8::from(valid) << (row % 8);
    }

    fn push_value(&mut self, cell: &Cell<'_>, datatype: Datatype) -> Result<(), String> {
        let wrong = || match cell {
            // What only a binary tensor can bring.
            Cell::Float(value) if !value.is_finite() => format!("is {value}, which is no number"),
            _ => format!("is {cell}, no {datatype}"),
        };
        match self.field.data_type {
            DataType::Boolean => {
                let value = as_bool(cell).ok_or_else(wrong)?;
                self.push_bit(value);
            }
            DataType::Int64 | DataType::Timestamp => {
                let value = as_integer(cell, datatype).ok_or_else(wrong)?;
                self.data.extend(value.to_le_bytes());
            }
            DataType::Date => {
                let value = as_integer(cell, datatype).and_then(|value| i32::try_from(value).ok()).ok_or_else(wrong)?;
                self.data.extend(value.to_le_bytes());
            }
            DataType::Float32 | DataType::Vector(_) => {
                let value = as_float(cell, datatype).ok_or_else(wrong)? as f32;
                self.data.extend(value.to_le_bytes());
            }
            DataType::Float64 => self.data.extend(as_float(cell, datatype).ok_or_else(wrong)?.to_le_bytes()),
            DataType::Text => match cell {
                Cell::Text(text) => self.data.extend(text.as_bytes()),
                Cell::Bytes(bytes) if std::str::from_utf8(bytes).is_ok() => self.data.extend(*bytes),
                Cell::Bytes(_) => return Err("is no text in UTF-8".to_owned()),
                _ => return Err(wrong()),
            },
            DataType::Bytes => match cell {
                Cell::Bytes(bytes) => self.data.extend(*bytes),
                _ => return Err("cannot come in JSON: the column holds bytes".to_owned()),
            },
        }
        Ok(())
    }

    fn push_bit(&mut self, value: bool) {
        let row = self.length as usize;
        self.data.resize(row / 8 + 1, 0);
        self.data[row / 8] |= u8::from(value) << (row % 8);
    }

    /// What stands under a null.
    fn push_nothing(&mut self) -> Result<(), String> {
        let width = match self.field.data_type {
            DataType::Boolean => {
                self.push_bit(false);
                return Ok(());
            }
            DataType::Text | DataType::Bytes => 0,
            DataType::Float32 | DataType::Date => 4,
            DataType::Int64 | DataType::Float64 | DataType::Timestamp => 8,
            DataType::Vector(length) => 4 * length as usize,
        };
        // A few bytes of a request stand for as many as a vector has.
        if self.data.len() + width > NOTHING_BYTES_MAX {
            return Err(format!("is one null too many: they take more than {} MiB", NOTHING_BYTES_MAX >> 20));
        }
        self.data.resize(self.data.len() + width, 0);
        Ok(())
    }

    fn is_text(&self) -> bool {
        matches!(self.field.data_type, DataType::Text | DataType::Bytes)
    }

    pub(crate) fn finish(self) -> GuestColumn {
        let is_text = self.is_text();
        GuestColumn {
            data_type: self.field.data_type,
            length: self.length,
            validity: self.validity,
            offsets: is_text.then_some(self.offsets),
            data: self.data,
        }
    }
}

fn as_bool(cell: &Cell<'_>) -> Option<bool> {
    match cell {
        Cell::Bool(value) => Some(*value),
        _ => None,
    }
}

fn as_integer(cell: &Cell<'_>, datatype: Datatype) -> Option<i64> {
    match cell {
        Cell::Integer(value) => datatype.integers()?.contains(&i128::from(*value)).then_some(*value),
        _ => None,
    }
}

/// A number as the tensor has it. An FP32 is rounded to one first, whatever the column: that is the value that was sent.
fn as_float(cell: &Cell<'_>, datatype: Datatype) -> Option<f64> {
    let value = match (cell, datatype) {
        (Cell::Integer(_), _) if datatype.integers().is_some() => as_integer(cell, datatype)? as f64,
        (Cell::Integer(value), Datatype::Fp64) => *value as f64,
        (Cell::Integer(value), Datatype::Fp32) => f64::from(*value as f32),
        (Cell::Unsigned(value), Datatype::Fp64) => *value as f64,
        (Cell::Unsigned(value), Datatype::Fp32) => f64::from(*value as f32),
        (Cell::Float(value), Datatype::Fp64 | Datatype::Fp16 | Datatype::Bf16) => *value,
        (Cell::Float(value), Datatype::Fp32) => f64::from(*value as f32),
        _ => return None,
    };
    value.is_finite().then_some(value)
}
