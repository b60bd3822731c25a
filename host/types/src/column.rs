//! The columns of a table: names and types, without values.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The type of a column, as the contract has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    Boolean,
    Int64,
    Float32,
    Float64,
    Text,
    Bytes,
    /// Microseconds since 1970-01-01T00:00 UTC.
    Timestamp,
    /// Days since 1970-01-01.
    Date,
    /// So many float32 a value.
    Vector(u32),
}

impl DataType {
    /// From the name that [`fmt::Display`] gives it.
    pub fn parse(name: &str) -> Option<Self> {
        let plain = [
            Self::Boolean,
            Self::Int64,
            Self::Float32,
            Self::Float64,
            Self::Text,
            Self::Bytes,
            Self::Timestamp,
            Self::Date,
        ];
        let vector = || name.strip_prefix("vector(")?.strip_suffix(')')?.parse().ok().map(Self::Vector);
        plain.into_iter().find(|kind| kind.to_string() == name).or_else(vector)
    }

    /// A number, or a truth value that counts as 0 or 1.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Boolean | Self::Int64 | Self::Float32 | Self::Float64)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Boolean => "boolean",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Vector(length) => return write!(f, "vector({length})"),
        };
        f.pad(name)
    }
}

/// A column's name, type and whether it may hold nulls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub data_type: DataType,
    pub nullable: bool,
}

/// Columns in order, with unique names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    pub fields: Vec<Field>,
}

impl Schema {
    /// The column of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The first name that stands twice.
    pub fn duplicate(&self) -> Option<&str> {
        let mut seen = std::collections::HashSet::new();
        self.fields.iter().map(|field| field.name.as_str()).find(|name| !seen.insert(*name))
    }
}
