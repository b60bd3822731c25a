//! A table by the values of one of its columns.

use crate::rows::{chunks, json_value};
use crate::{Error, Table};
use serde_json::Value;
use std::collections::BTreeMap;
use types::DataType;

/// In the order in which groups stand: none, no before yes, numbers by size, texts by their characters.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Null,
    Truth(bool),
    Number(i64),
    Text(String),
}

impl Key {
    fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Truth(truth) => truth.into(),
            Self::Number(number) => number.into(),
            Self::Text(text) => text.into(),
        }
    }
}

/// The values that a column of booleans, whole numbers, texts or dates has, rising, and at which rows. An error beyond `most` of
/// them.
pub fn groups(table: &Table, column: &str, most: usize) -> Result<Vec<(Value, Vec<u64>)>, Error> {
    let field = table.schema().field(column).ok_or_else(|| Error::Shape(format!("there is no column `{column}`")))?;
    if !matches!(field.data_type, DataType::Boolean | DataType::Int64 | DataType::Text | DataType::Date) {
        let message =
            format!("column `{column}` is {}, expected booleans, whole numbers, texts or dates", field.data_type);
        return Err(Error::Shape(message));
    }
    let (mut groups, mut row) = (BTreeMap::<Key, Vec<u64>>::new(), 0);
    for chunk in chunks(table, column) {
        let chunk = chunk?;
        for i in 0..chunk.length {
            let key = match json_value(&chunk, i) {
                Value::Bool(truth) => Key::Truth(truth),
                Value::Number(number) => Key::Number(number.as_i64().unwrap_or_default()),
                Value::String(text) => Key::Text(text),
                _ => Key::Null,
            };
            groups.entry(key).or_default().push(row);
            row += 1;
        }
        if groups.len() > most {
            return Err(Error::Shape(format!("column `{column}` has more than {most} values")));
        }
    }
    Ok(groups.into_iter().map(|(key, rows)| (key.value(), rows)).collect())
}
