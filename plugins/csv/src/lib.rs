//! A delimited text file -> rows, a page at a time; asked again with the last cursor, only the rows appended since.
//!
//! The first record names the columns. Types are inferred from the first 1,000 rows (`cells`) where `columns` does not
//! say them, and then stay: they travel in the cursor with the place. A row that does not fit is an error that says file,
//! line, column, what stands there and what was expected. A last line without a line end is a row.
//!
//! A path with a `*` in its last part stands for all such files of a folder (`folder`).
//!
//! The cursor holds a digest of all bytes before it. If the file no longer begins with them (a row was mended, the file
//! replaced), or goes on in a last line that was taken for whole, reading starts again and says so.

mod cells;
mod folder;
mod records;

use crate::folder::{Folder, FolderCursor, Pattern, Shelf};
use crate::records::{Place, Record, Records, Source};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use stepwell::{
    AnyColumn, Collector, DataType, Descriptor, Error, Field, Inputs, Page, Plugin, Result, Table,
    files::{self, File},
};

/// Rows from which types are inferred.
const SAMPLE_ROWS: usize = 1_000;

const PARAMETERS: &str = r#"{
    "type": "object",
    "required": ["path"],
    "additionalProperties": false,
    "properties": {
        "path": {"type": "string", "description": "File, relative to the project's folder, beneath a granted root; `*` in the last part stands for all such files."},
        "delimiter": {"type": "string", "minLength": 1, "maxLength": 1, "default": ","},
        "page_rows": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 10000},
        "columns": {
            "type": "object", "default": {},
            "additionalProperties": {"enum": ["boolean", "int64", "float32", "float64", "text", "timestamp", "date"]},
            "description": "Types of columns, where they are not to be inferred from the first 1,000 rows."
        },
        "null_values": {
            "type": "array", "items": {"type": "string"}, "default": [""],
            "description": "Cells that mean that there is no value."
        }
    }
}"#;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    path: String,
    #[serde(default = "comma")]
    delimiter: String,
    #[serde(default = "page_rows")]
    page_rows: usize,
    #[serde(default)]
    columns: BTreeMap<String, String>,
    #[serde(default = "empty")]
    null_values: BTreeSet<String>,
}

fn comma() -> String {
    ",".into()
}

fn page_rows() -> usize {
    10_000
}

fn empty() -> BTreeSet<String> {
    BTreeSet::from([String::new()])
}

impl Params {
    fn delimiter(&self) -> Result<u8> {
        match self.delimiter.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
            _ => Err(Error::invalid("delimiter", format!("expected one ASCII character, got `{}`", self.delimiter))),
        }
    }

    fn page_rows(&self) -> Result<usize> {
        match self.page_rows {
            1..=1_000_000 => Ok(self.page_rows),
            other => Err(Error::invalid("page_rows", format!("expected 1 to 1000000, got {other}"))),
        }
    }
}

/// Where the next page begins, and what its columns are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    /// Of this format.
    version: u32,
    place: Place,
    /// Rows before this place.
    row: u64,
    /// The last row was read without its line end.
    unterminated: bool,
    /// Names and types, in the file's order.
    columns: Vec<(String, String)>,
}

impl Cursor {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let cursor: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::invalid("cursor", format!("expected what this plugin gave, got: {error}")))?;
        match cursor.version {
            1 => Ok(cursor),
            other => Err(Error::invalid("cursor", format!("expected version 1, got {other}"))),
        }
    }

    fn fields(&self) -> Result<Vec<Field>> {
        fields(&self.columns)
    }
}

/// Of the names and types that a cursor says.
fn fields(columns: &[(String, String)]) -> Result<Vec<Field>> {
    let field =
        |(name, data_type): &(String, String)| Ok(Field::new(name, cells::readable(data_type, "cursor")?).nullable());
    columns.iter().map(field).collect()
}

/// A file under the step's parameters.
struct Csv<S> {
    params: Params,
    delimiter: u8,
    source: S,
}

impl<S: Source> Csv<S> {
    fn new(params: Params, source: S) -> Result<Self> {
        Ok(Self { delimiter: params.delimiter()?, params, source })
    }

    fn records(&self, place: Place) -> Records<'_, S> {
        Records::new(&self.source, &self.params.path, self.delimiter, place)
    }

    fn error(&self, reason: impl Into<String>) -> Error {
        Error::invalid(&self.params.path, reason)
    }

    /// The names of the columns, and the records after them; none of a file without any line.
    fn header(&self) -> Result<Option<(Vec<String>, Records<'_, S>)>> {
        let mut records = self.records(Place::START);
        records.skip_byte_order_mark()?;
        let Some(header) = records.next_record()? else { return Ok(None) };
        let names: Vec<String> = header.cells.into_iter().map(|cell| cell.text).collect();
        let mut distinct = BTreeSet::new();
        for (position, name) in names.iter().enumerate() {
            if name.is_empty() || !distinct.insert(name) {
                let position = position + 1;
                return Err(self.error(format!("column {position}: expected a name of its own, got `{name}`")));
            }
        }
        Ok(Some((names, records)))
    }

    /// The cursor before the first row: it says the columns.
    fn start(&self) -> Result<Cursor> {
        let empty = || self.error("expected a first line that names the columns, got an empty file");
        let (names, mut records) = self.header()?.ok_or_else(empty)?;
        let (place, unterminated) = (records.place(), records.unterminated());
        if let Some(name) = self.params.columns.keys().find(|name| !names.contains(name)) {
            let reason = format!("expected one of the file's columns {names:?}, got `{name}`");
            return Err(Error::invalid(format!("columns.{name}"), reason));
        }
        let sample = take(&mut records, SAMPLE_ROWS)?;
        self.refuse_odd(&names, &sample)?;
        let inferred = cells::infer(&sample, names.len(), &self.params.null_values);
        let data_type = |(name, inferred): (String, DataType)| match self.params.columns.get(&name) {
            Some(said) => Ok((cells::readable(said, &format!("columns.{name}"))?, name)),
            None => Ok((inferred, name)),
        };
        let typed = names.into_iter().zip(inferred).map(data_type).collect::<Result<Vec<_>>>()?;
        let columns = typed.into_iter().map(|(data_type, name)| (name, data_type.name())).collect();
        Ok(Cursor { version: 1, place, row: 0, unterminated, columns })
    }

    /// A broken cell would silently make a column of numbers one of texts.
    fn refuse_odd(&self, names: &[String], sample: &[Record]) -> Result<()> {
        for (position, name) in names.iter().enumerate().filter(|(_, name)| !self.params.columns.contains_key(*name)) {
            if let Some(odd) = cells::odd(sample, position, &self.params.null_values) {
                let (line, text, numbers) = (odd.line, odd.text, odd.numbers);
                return Err(self.error(format!(
                    "line {line}, column `{name}`: expected a number like the {numbers} others, got `{text}`; mend the cell, \
                     or say that the column is text: params = {{ columns = {{ {name} = \"text\" }} }}"
                )));
            }
        }
        Ok(())
    }

    /// Whether the rows before a cursor still stand in the file as they were read, and with the types now said.
    fn holds(&self, cursor: &Cursor) -> Result<bool> {
        let next = self.records(cursor.place).peek()?;
        if cursor.unterminated && !matches!(next, None | Some(b'\n' | b'\r')) {
            return Ok(false);
        }
        let said =
            |(name, said): (&String, &String)| cursor.columns.iter().any(|(old, read)| old == name && read == said);
        if !self.params.columns.iter().all(said) {
            return Ok(false);
        }
        Ok(SEEN.get() == Some(cursor.place) || cursor.place.still_holds(&self.source)?)
    }

    /// The place to read from, and whether it is the start although a later one was asked for.
    fn resume(&self, cursor: Option<Cursor>) -> Result<(Cursor, bool)> {
        match cursor {
            Some(cursor) if self.holds(&cursor)? => Ok((cursor, false)),
            asked => Ok((self.start()?, asked.is_some())),
        }
    }

    /// The columns of the page at a cursor, and the cursor after it, with whether there is more.
    fn page(&self, cursor: Cursor) -> Result<(Columns, Cursor, bool)> {
        let fields = cursor.fields()?;
        let mut records = self.records(cursor.place);
        let rows = take(&mut records, self.params.page_rows()?)?;
        let count = rows.len() as u64;
        let part = cells::Part { path: self.params.path.clone(), records: rows };
        let columns = cells::columns(&fields, &[part], &self.params.null_values)?;
        let more = records.peek()?.is_some();
        let place = records.place();
        let unterminated = if place == cursor.place { cursor.unterminated } else { records.unterminated() };
        let next = Cursor { place, row: cursor.row + count, unterminated, ..cursor };
        Ok((fields.into_iter().zip(columns).collect(), next, more))
    }
}

thread_local! {
    /// The end of the page read last: the next page of the same attempt need not digest all before it again.
    static SEEN: Cell<Option<Place>> = const { Cell::new(None) };
}

/// The columns of a page, under their fields.
type Columns = Vec<(Field, AnyColumn)>;

fn take<S: Source>(records: &mut Records<'_, S>, count: usize) -> Result<Vec<Record>> {
    let mut taken = Vec::new();
    while taken.len() < count {
        match records.next_record()? {
            Some(record) => taken.push(record),
            None => break,
        }
    }
    Ok(taken)
}

impl Source for File {
    fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>> {
        File::read(self, offset, length)
    }
}

/// A granted folder.
struct Granted(String);

impl Shelf for Granted {
    type File = File;

    fn names(&self) -> Result<Vec<String>> {
        files::list_files(&self.0)
    }

    fn open(&self, path: &str) -> Result<File> {
        files::open(path)
    }
}

/// What the parameters name.
enum Named {
    File(Csv<File>),
    Folder(Folder<Granted>),
}

fn open() -> Result<Named> {
    let params: Params = stepwell::params()?;
    params.delimiter()?;
    Ok(match Pattern::parse(&params.path)? {
        None => {
            let file = files::open(&params.path)?;
            Named::File(Csv::new(params, file)?)
        }
        Some(pattern) => {
            let shelf = Granted(pattern.folder.clone());
            Named::Folder(Folder::new(params, pattern, shelf))
        }
    })
}

fn page(columns: Columns, next: &impl Serialize, more: bool, restarted: bool) -> Result<Page> {
    let mut table = Table::builder();
    for (field, column) in columns {
        table = table.column(&field.name, column);
    }
    let next_cursor = serde_json::to_vec(next).map_err(|error| Error::permanent(error.to_string()))?;
    Ok(Page { table: table.finish()?, next_cursor, more, restarted })
}

struct Plug;

impl Collector for Plug {
    fn discover() -> Result<Vec<Field>> {
        match open()? {
            Named::File(csv) => csv.start()?.fields(),
            Named::Folder(folder) => folder.fields(),
        }
    }

    fn read(cursor: Option<Vec<u8>>) -> Result<Page> {
        match open()? {
            Named::File(csv) => {
                let (cursor, restarted) = csv.resume(cursor.map(|bytes| Cursor::parse(&bytes)).transpose()?)?;
                let (columns, next, more) = csv.page(cursor)?;
                SEEN.set(Some(next.place));
                page(columns, &next, more, restarted)
            }
            Named::Folder(folder) => {
                let (cursor, restarted) =
                    folder.resume(cursor.map(|bytes| FolderCursor::parse(&bytes)).transpose()?)?;
                let (columns, next, more) = folder.page(cursor)?;
                page(columns, &next, more, restarted)
            }
        }
    }
}

impl Plugin for Plug {
    /// The columns stand in the file, so `discover` says them.
    fn describe(_inputs: &Inputs) -> Result<Descriptor> {
        Ok(stepwell::descriptor!().parameters(PARAMETERS).output("table", []))
    }
}

stepwell::export!(Plug: Collector);

#[cfg(test)]
mod tests;
