//! The protocol's tensor types, and into which columns each goes without losing a bit.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use types::DataType;

/// An element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    /// Binary only, as `Bf16`: the protocol has no JSON form of 16-bit floats.
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    /// In JSON a text.
    Bytes,
}

impl Datatype {
    const ALL: [Self; 14] = [
        Self::Bool,
        Self::Uint8,
        Self::Uint16,
        Self::Uint32,
        Self::Uint64,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Fp16,
        Self::Bf16,
        Self::Fp32,
        Self::Fp64,
        Self::Bytes,
    ];

    /// The type of this name; none if there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|datatype| datatype.name() == name)
    }

    /// As the protocol writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Uint8 => "UINT8",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
            Self::Uint64 => "UINT64",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Fp16 => "FP16",
            Self::Bf16 => "BF16",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    /// The type that a column is offered and answered in.
    pub fn of(column: DataType) -> Self {
        match column {
            DataType::Boolean => Self::Bool,
            DataType::Int64 | DataType::Timestamp => Self::Int64,
            DataType::Date => Self::Int32,
            DataType::Float32 | DataType::Vector(_) => Self::Fp32,
            DataType::Float64 => Self::Fp64,
            DataType::Text | DataType::Bytes => Self::Bytes,
        }
    }

    /// Bytes of a value of a binary tensor; none of one that says its length itself.
    pub(crate) fn size(self) -> Option<usize> {
        match self {
            Self::Bool | Self::Uint8 | Self::Int8 => Some(1),
            Self::Uint16 | Self::Int16 | Self::Fp16 | Self::Bf16 => Some(2),
            Self::Uint32 | Self::Int32 | Self::Fp32 => Some(4),
            Self::Uint64 | Self::Int64 | Self::Fp64 => Some(8),
            Self::Bytes => None,
        }
    }

    /// Whether JSON has a form of it.
    pub(crate) fn has_json(self) -> bool {
        !matches!(self, Self::Fp16 | Self::Bf16)
    }

    /// Whether every value of this type is a value of the column.
    pub(crate) fn fits(self, column: DataType) -> bool {
        match column {
            DataType::Boolean => self == Self::Bool,
            DataType::Int64 | DataType::Timestamp => self.within(i64::MIN.into()..=i64::MAX.into()),
            DataType::Date => self.within(i32::MIN.into()..=i32::MAX.into()),
            // A float holds the integers to 2 to the power of its significand's bits.
            DataType::Float32 | DataType::Vector(_) => self.is_float32() || self.within(-(1 << 24)..=1 << 24),
            DataType::Float64 => self.is_float32() || self == Self::Fp64 || self.within(-(1 << 53)..=1 << 53),
            DataType::Text | DataType::Bytes => self == Self::Bytes,
        }
    }

    /// Whether its values are floats of 32 bits.
    fn is_float32(self) -> bool {
        matches!(self, Self::Fp16 | Self::Bf16 | Self::Fp32)
    }

    fn within(self, wider: RangeInclusive<i128>) -> bool {
        self.integers().is_some_and(|range| wider.contains(range.start()) && wider.contains(range.end()))
    }

    /// Its integers; none for a type of anything else.
    pub(crate) fn integers(self) -> Option<RangeInclusive<i128>> {
        match self {
            Self::Uint8 => Some(0..=u8::MAX.into()),
            Self::Uint16 => Some(0..=u16::MAX.into()),
            Self::Uint32 => Some(0..=u32::MAX.into()),
            Self::Uint64 => Some(0..=u64::MAX.into()),
            Self::Int8 => Some(i8::MIN.into()..=i8::MAX.into()),
            Self::Int16 => Some(i16::MIN.into()..=i16::MAX.into()),
            Self::Int32 => Some(i32::MIN.into()..=i32::MAX.into()),
            Self::Int64 => Some(i64::MIN.into()..=i64::MAX.into()),
            _ => None,
        }
    }

    /// Every type that the column takes, for an error.
    pub(crate) fn that_fit(column: DataType) -> String {
        let names: Vec<_> = Self::ALL.into_iter().filter(|datatype| datatype.fits(column)).map(Self::name).collect();
        names.join(", ")
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_exact_in_type_widens() {
        for (column, expected) in [
            (DataType::Boolean, "BOOL"),
            (DataType::Int64, "UINT8, UINT16, UINT32, INT8, INT16, INT32, INT64"),
            (DataType::Timestamp, "UINT8, UINT16, UINT32, INT8, INT16, INT32, INT64"),
            (DataType::Date, "UINT8, UINT16, INT8, INT16, INT32"),
            (DataType::Float32, "UINT8, UINT16, INT8, INT16, FP16, BF16, FP32"),
            (DataType::Float64, "UINT8, UINT16, UINT32, INT8, INT16, INT32, FP16, BF16, FP32, FP64"),
            (DataType::Text, "BYTES"),
            (DataType::Bytes, "BYTES"),
            (DataType::Vector(4), "UINT8, UINT16, INT8, INT16, FP16, BF16, FP32"),
        ] {
            assert_eq!(Datatype::that_fit(column), expected, "{column}");
        }
    }

    #[test]
    fn a_name_and_back_in_both_forms() {
        for datatype in Datatype::ALL {
            assert_eq!(Datatype::parse(datatype.name()), Some(datatype));
            assert_eq!(serde_json::to_string(&datatype).unwrap(), format!("\"{datatype}\""));
        }
        assert_eq!(Datatype::parse("FP8"), None);
        assert_eq!(Datatype::parse("fp32"), None);
    }
}
