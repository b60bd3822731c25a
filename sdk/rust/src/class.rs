//! The values of a label: what a classifier tells apart.

use crate::{AnyColumn, DataType, Result, Table};
use serde::{Deserialize, Serialize};

/// A class, ordered within its type: `false` before `true`, numbers by size, texts by their bytes. In JSON it is the plain
/// value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Class {
    /// Of a `boolean` column.
    Boolean(bool),
    /// Of an `int64` column.
    Int64(i64),
    /// Of a `text` column.
    Text(String),
}

impl Class {
    /// The type of a column of such classes.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Boolean(_) => DataType::Boolean,
            Self::Int64(_) => DataType::Int64,
            Self::Text(_) => DataType::Text,
        }
    }

    /// The value as text: `true`, `-3`, or the text itself.
    pub fn plain(&self) -> String {
        match self {
            Self::Boolean(value) => value.to_string(),
            Self::Int64(value) => value.to_string(),
            Self::Text(value) => value.clone(),
        }
    }
}

/// The plain value in backticks, as messages show it.
impl std::fmt::Display for Class {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`{}`", self.plain())
    }
}

impl Table {
    /// The classes in a boolean, int64 or text column; a null is an error.
    pub fn classes(&self, name: &str) -> Result<Vec<Class>> {
        self.column(name)?.into_classes()
    }
}

impl AnyColumn {
    /// The values of a boolean, int64 or text column as classes; a null is an error.
    pub fn into_classes(self) -> Result<Vec<Class>> {
        match self {
            Self::Boolean(column) => Ok(column.required()?.into_iter().map(Class::Boolean).collect()),
            Self::Int64(column) => Ok(column.required()?.into_iter().map(Class::Int64).collect()),
            Self::Text(column) => Ok(column.required()?.into_iter().map(Class::Text).collect()),
            other => Err(other.mismatch("classes (`boolean`, `int64`, `text`)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_keeps_its_type_in_json() {
        for class in [Class::Boolean(true), Class::Int64(-3), Class::Text("3".into())] {
            let json = serde_json::to_string(&class).unwrap();
            assert_eq!(serde_json::from_str::<Class>(&json).unwrap(), class);
        }
        assert!(Class::Int64(9) < Class::Int64(10));
    }
}
