//! Names and types of columns.

pub use crate::bindings::stepwell::data::tables::{DataType, Field};
use crate::{Error, Result};

impl Field {
    /// A column in which every row has a value.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type, nullable: false }
    }

    /// The same column, where a row may lack its value.
    pub fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }
}

impl DataType {
    /// The type as parameters and messages write it: `boolean`, `int64`, `float32`, `float64`, `text`, `bytes`,
    /// `timestamp`, `date`, `vector(768)`.
    pub fn name(&self) -> String {
        match self {
            Self::Boolean => "boolean".into(),
            Self::Int64 => "int64".into(),
            Self::Float32 => "float32".into(),
            Self::Float64 => "float64".into(),
            Self::Text => "text".into(),
            Self::Bytes => "bytes".into(),
            Self::Timestamp => "timestamp".into(),
            Self::Date => "date".into(),
            Self::Vector(width) => format!("vector({width})"),
        }
    }

    /// The type of a [`name`](Self::name); `parameter` is what the error calls it.
    pub fn parse(name: &str, parameter: &str) -> Result<Self> {
        let scalars = [
            Self::Boolean,
            Self::Int64,
            Self::Float32,
            Self::Float64,
            Self::Text,
            Self::Bytes,
            Self::Timestamp,
            Self::Date,
        ];
        if let Some(found) = scalars.into_iter().find(|candidate| candidate.name() == name) {
            return Ok(found);
        }
        let width = name.strip_prefix("vector(").and_then(|rest| rest.strip_suffix(')'));
        match width.and_then(|width| width.parse().ok()) {
            Some(width) if (1..=65_536).contains(&width) => Ok(Self::Vector(width)),
            _ => Err(Error::invalid(
                parameter,
                format!("expected the name of a type (such as `float64`, `text`, `vector(8)`), got `{name}`"),
            )),
        }
    }

    /// Whether a column of this type is read by [`Table::f64`](crate::Table::f64).
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Int64 | Self::Float32 | Self::Float64)
    }
}

/// The column of this name; none where it is absent.
pub fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name == name)
}

/// The column of this name, or an error that lists what there is.
pub fn require<'a>(fields: &'a [Field], name: &str) -> Result<&'a Field> {
    find(fields, name).ok_or_else(|| {
        let names: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
        let found = if names.is_empty() { "no columns".into() } else { names.join(", ") };
        Error::invalid(name, format!("expected a column of this name, got {found}"))
    })
}

/// These columns and one more, which replaces one of the same name: what [`Table::with`](crate::Table::with) does to rows.
pub fn with(fields: &[Field], added: Field) -> Vec<Field> {
    let mut fields = fields.to_vec();
    match fields.iter_mut().find(|field| field.name == added.name) {
        Some(replaced) => *replaced = added,
        None => fields.push(added),
    }
    fields
}

/// The columns of these names, in the order of `fields`; names that are not there are left out.
pub fn pick(fields: &[Field], names: &[impl AsRef<str>]) -> Vec<Field> {
    fields.iter().filter(|field| names.iter().any(|name| name.as_ref() == field.name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for data_type in [DataType::Boolean, DataType::Timestamp, DataType::Vector(768)] {
            assert_eq!(DataType::parse(&data_type.name(), "type"), Ok(data_type));
        }
        for wrong in ["double", "vector(0)", "vector(65537)", "vector(x)", ""] {
            assert!(DataType::parse(wrong, "type").is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_absent_column_is_named_with_those_there_are() {
        let fields = [Field::new("a", DataType::Text), Field::new("b", DataType::Int64)];
        assert_eq!(require(&fields, "c"), Err(Error::invalid("c", "expected a column of this name, got `a`, `b`")));
    }
}
