//! JSON values -> a column. Each value is held against the type it claims before it becomes bytes.

use crate::{Datatype, shown};
use data::GuestColumn;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use std::fmt;
use types::{DataType, Field};

/// A value of a tensor, a list of them where `data` is nested, or a value of a plain row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    /// Of values that are no lists.
    List(Vec<Cell>),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(text) => write!(f, "the text {}", shown(text)),
            Self::List(values) => write!(f, "a list of {}", values.len()),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, a truth value or a list of these")
    }
    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Bool(value))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Integer(value.into()))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Integer(value.into()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Float(value))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Cell, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            if matches!(value, Cell::List(_)) {
                return Err(A::Error::custom(
                    "lists stand more than two deep, a tensor has rows and at most one more dimension",
                ));
            }
            list.push(value);
        }
        Ok(Cell::List(list))
    }
}

/// A column that grows a value at a time.
pub(crate) struct ColumnBuilder<'a> {
    field: &'a Field,
    length: u32,
    validity: Vec<u8>,
    has_nulls: bool,
    offsets: Vec<u8>,
    data: Vec<u8>,
}

impl<'a> ColumnBuilder<'a> {
    pub(crate) fn new(field: &'a Field) -> Self {
        let offsets = 0i32.to_le_bytes().to_vec();
        Self { field, length: 0, validity: Vec::new(), has_nulls: false, offsets, data: Vec::new() }
    }

    /// Appends a row; `cells` are its values, one but for a vector. The error is a fragment: `is 300, no INT8`.
    pub(crate) fn push(&mut self, cells: &[Cell], datatype: Datatype) -> Result<(), String> {
        let valid = !cells.iter().all(|cell| *cell == Cell::Null);
        match valid {
            true => cells.iter().try_for_each(|cell| self.push_value(cell, datatype))?,
            false if !self.field.nullable => return Err("is null, which the column does not allow".to_owned()),
            false => self.push_nothing(),
        }
        let row = self.length as usize;
        self.validity.resize(row / 8 + 1, 0);
        self.validity[row / 8] |= u8::from(valid) << (row % 8);
        self.has_nulls |= !valid;
        let end = i32::try_from(self.data.len()).map_err(|_| "brings more than 2 GiB of values".to_owned())?;
        self.offsets.extend(end.to_le_bytes());
        self.length += 1;
        Ok(())
    }

    fn push_value(&mut self, cell: &Cell, datatype: Datatype) -> Result<(), String> {
        let wrong = || format!("is {cell}, no {datatype}");
        match self.field.data_type {
            DataType::Boolean => {
                let value = as_bool(cell).ok_or_else(wrong)?;
                self.push_bit(value);
            }
            DataType::Int64 | DataType::Timestamp => {
                let value = as_integer(cell, datatype).and_then(|value| i64::try_from(value).ok()).ok_or_else(wrong)?;
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
                _ => return Err(wrong()),
            },
            DataType::Bytes => return Err("cannot come in JSON: the column holds bytes".to_owned()),
        }
        Ok(())
    }

    fn push_bit(&mut self, value: bool) {
        let row = self.length as usize;
        self.data.resize(row / 8 + 1, 0);
        self.data[row / 8] |= u8::from(value) << (row % 8);
    }

    /// What stands under a null.
    fn push_nothing(&mut self) {
        let width = match self.field.data_type {
            DataType::Boolean => return self.push_bit(false),
            DataType::Text | DataType::Bytes => 0,
            DataType::Float32 | DataType::Date => 4,
            DataType::Int64 | DataType::Float64 | DataType::Timestamp => 8,
            DataType::Vector(length) => 4 * length as usize,
        };
        self.data.resize(self.data.len() + width, 0);
    }

    pub(crate) fn finish(self) -> GuestColumn {
        let is_text = matches!(self.field.data_type, DataType::Text | DataType::Bytes);
        GuestColumn {
            data_type: self.field.data_type,
            length: self.length,
            validity: self.has_nulls.then_some(self.validity),
            offsets: is_text.then_some(self.offsets),
            data: self.data,
        }
    }
}

fn as_bool(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Bool(value) => Some(*value),
        _ => None,
    }
}

fn as_integer(cell: &Cell, datatype: Datatype) -> Option<i128> {
    match cell {
        Cell::Integer(value) => datatype.integers()?.contains(value).then_some(*value),
        _ => None,
    }
}

/// A number as the tensor has it. An FP32 is rounded to one first, whatever the column: that is the value that was sent.
fn as_float(cell: &Cell, datatype: Datatype) -> Option<f64> {
    let value = match (cell, datatype) {
        (Cell::Integer(_), _) if datatype.integers().is_some() => as_integer(cell, datatype)? as f64,
        (Cell::Integer(value), Datatype::Fp64) => *value as f64,
        (Cell::Integer(value), Datatype::Fp32) => f64::from(*value as f32),
        (Cell::Float(value), Datatype::Fp64) => *value,
        (Cell::Float(value), Datatype::Fp32) => f64::from(*value as f32),
        _ => return None,
    };
    value.is_finite().then_some(value)
}
