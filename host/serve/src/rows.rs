//! Rows as JSON objects -> columns, each value as it is read. A row beyond the maximum ends the reading, and so do too
//! many unknown columns.

use crate::cell::{Cell, CellReader, ColumnBuilder};
use crate::request::ROWS_MAX;
use crate::{Datatype, Problems, ServeError, shown};
use data::Table;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use types::{DataType, Field};

/// Unknown columns that are read over, by name; the next one ends the reading.
const UNKNOWN_MAX: usize = 1000;
/// Values that may be null and that rows may leave out: two bytes of a row leave out as many as a model has columns.
const MISSED_MAX: usize = 2_000_000;

/// The rows so far, as columns.
pub(crate) struct Rows<'a> {
    fields: &'a [Field],
    /// Made once a row does not have its columns in the model's order.
    by_name: OnceCell<BTreeMap<&'a str, usize>>,
    columns: Vec<Column<'a>>,
    count: usize,
    /// Values that rows left out.
    missed: usize,
    unknown: BTreeSet<String>,
    problems: Problems,
}

/// A column so far, or the one problem that is told of it.
struct Column<'a> {
    field: &'a Field,
    made: Result<ColumnBuilder<'a>, Wrong>,
    /// The last row it stood in.
    last: Option<usize>,
}

/// What is wrong with a column first.
enum Wrong {
    /// A row leaves it out.
    Missing {
        row: usize,
    },
    Said(String),
}

impl<'a> Rows<'a> {
    /// Reads `{"rows": [{"column": value, ..}, ..]}`; the error is that of the JSON, or a row too many.
    pub(crate) fn read(request: &[u8], fields: &'a [Field]) -> Result<Self, ServeError> {
        let mut rows = Self::new(fields);
        let mut json = serde_json::Deserializer::from_slice(request);
        let read = json.deserialize_map(RequestReader(&mut rows)).and_then(|()| json.end());
        read.map_err(|error| ServeError::syntax(&error))?;
        Ok(rows)
    }

    fn new(fields: &'a [Field]) -> Self {
        let columns =
            fields.iter().map(|field| Column { field, made: Ok(ColumnBuilder::new(field)), last: None }).collect();
        Self {
            fields,
            by_name: OnceCell::new(),
            columns,
            count: 0,
            missed: 0,
            unknown: BTreeSet::new(),
            problems: Problems::default(),
        }
    }

    /// Takes note of a column that the model does not read; a name counts once, however many rows have it.
    fn unknown<E: Error>(&mut self, name: String) -> Result<(), E> {
        if self.unknown.contains(&name) {
            return Ok(());
        }
        if self.unknown.len() == UNKNOWN_MAX {
            let text = format!("more than {UNKNOWN_MAX} columns are unknown, {} is the next", shown(&name));
            return Err(E::custom(text));
        }
        let row = self.count;
        self.problems.push(format!("column {} is unknown, the model does not read it (row {row})", shown(&name)));
        self.unknown.insert(name);
        Ok(())
    }

    fn end_row<E: Error>(&mut self) -> Result<(), E> {
        let row = self.count;
        for column in self.columns.iter_mut().filter(|column| column.last != Some(row)) {
            column.miss(row);
            self.missed += 1;
        }
        self.count += 1;
        match self.missed > MISSED_MAX {
            true => Err(E::custom(format!("the rows leave out more than {MISSED_MAX} values together"))),
            false => Ok(()),
        }
    }

    /// The rows as a table, or every problem they have.
    pub(crate) fn table(self) -> Result<Table, ServeError> {
        let mut problems = Problems::default();
        if self.count == 0 {
            problems.push(format!("the request has 0 rows, expected 1 to {ROWS_MAX}"));
        }
        problems.extend(self.problems);
        let (mut made, mut missing) = (Vec::with_capacity(self.columns.len()), Vec::new());
        for Column { field, made: column, .. } in self.columns {
            match column {
                Ok(column) => made.push(column.finish()),
                Err(Wrong::Missing { row }) => missing.push((field, row)),
                Err(Wrong::Said(problem)) => problems.push(problem),
            }
        }
        let name = |(field, row): &(&Field, usize)| format!("`{}` ({}, row {row})", field.name, field.data_type);
        problems.missing("column", &missing, name, "every row is to bring a value");
        problems.check()?;
        Ok(Table::from_columns(data::schema(self.fields), made)?)
    }
}

impl Column<'_> {
    fn width(&self) -> usize {
        match self.field.data_type {
            DataType::Vector(length) => length as usize,
            _ => 1,
        }
    }

    /// Takes what stands in a row: a value, or as much of a list as the column may have.
    fn take(&mut self, row: usize, list: Option<usize>, cells: &[Cell<'_>]) {
        let twice = self.last.replace(row) == Some(row);
        let Ok(builder) = &mut self.made else { return };
        let data_type = self.field.data_type;
        let taken = match (list, data_type) {
            _ if twice => Err("stands twice".to_owned()),
            (Some(length), DataType::Vector(expected)) if length == expected as usize => {
                builder.push(cells, Datatype::of(data_type))
            }
            (Some(length), _) => Err(format!("is a list of {length}, expected {data_type}")),
            (None, DataType::Vector(_)) if cells != [Cell::Null] => {
                Err(format!("is {}, expected {data_type}", cells.first().unwrap_or(&Cell::Null)))
            }
            (None, _) => builder.push(cells, Datatype::of(data_type)),
        };
        if let Err(why) = taken {
            self.made = Err(Wrong::Said(format!("column `{}` {why} (row {row})", self.field.name)));
        }
    }

    /// Takes that nothing stands in a row.
    fn miss(&mut self, row: usize) {
        match self.field.nullable {
            true => self.take(row, None, &[Cell::Null]),
            false if self.made.is_ok() => self.made = Err(Wrong::Missing { row }),
            false => {}
        }
    }
}

/// `{"rows": ..}`
struct RequestReader<'r, 'a>(&'r mut Rows<'a>);

impl<'de> Visitor<'de> for RequestReader<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `rows`")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(name) = entries.next_key::<String>()? {
            match name.as_str() {
                "rows" if found => return Err(A::Error::duplicate_field("rows")),
                "rows" => entries.next_value_seed(RowsReader(&mut *self.0))?,
                other => return Err(A::Error::unknown_field(other, &["rows"])),
            }
            found = true;
        }
        if found { Ok(()) } else { Err(A::Error::missing_field("rows")) }
    }
}

/// `[{..}, ..]`
struct RowsReader<'r, 'a>(&'r mut Rows<'a>);

impl<'de> DeserializeSeed<'de> for RowsReader<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsReader<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while rows.next_element_seed(RowReader(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

/// `{"column": value, ..}`
struct RowReader<'r, 'a>(&'r mut Rows<'a>);

impl<'de> DeserializeSeed<'de> for RowReader<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.0.count == ROWS_MAX {
            return Err(D::Error::custom(format!("the request has more than {ROWS_MAX} rows")));
        }
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowReader<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row, an object with a value a column")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let rows = self.0;
        let (mut cells, mut next) = (Vec::new(), 0);
        while let Some(key) = entries.next_key_seed(KeyReader { rows: &*rows, next })? {
            match key {
                Ok(column) => {
                    next = column + 1;
                    let column = &mut rows.columns[column];
                    cells.clear();
                    let list = entries.next_value_seed(CellReader::new(&mut cells, column.width()))?;
                    column.take(rows.count, list, &cells);
                }
                Err(name) => {
                    rows.unknown::<A::Error>(name)?;
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        rows.end_row()
    }
}

/// The number of the column that a key names, most likely `next`; else the key.
struct KeyReader<'r, 'a> {
    rows: &'r Rows<'a>,
    next: usize,
}

impl<'de> DeserializeSeed<'de> for KeyReader<'_, '_> {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyReader<'_, '_> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column")
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let Rows { fields, by_name, .. } = self.rows;
        if fields.get(self.next).is_some_and(|field| field.name == name) {
            return Ok(Ok(self.next));
        }
        let made = || fields.iter().enumerate().map(|(i, field)| (field.name.as_str(), i)).collect();
        let by_name: &BTreeMap<_, _> = by_name.get_or_init(made);
        Ok(by_name.get(name).copied().ok_or_else(|| name.to_owned()))
    }
}
