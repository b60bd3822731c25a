//! A file that rows are added to while others read it: an Arrow IPC stream, a batch at a time. Any tool that reads Arrow
//! reads it.
//!
//! What a crash cuts short is its last batch: a reader takes the whole ones before it, and nobody writes to the file again.

use crate::parts::map;
use crate::{Error, Table, check_schema, decode};
use arrow::ipc::writer::StreamWriter;
use std::fs::File;
use std::path::Path;
use types::Schema;

/// Adds rows to a file of its own.
pub struct LogWriter {
    schema: Schema,
    writer: StreamWriter<File>,
}

/// What was read of a log.
pub struct LogRead {
    pub rows: Table,
    /// Bytes at the end that are no whole batch: one is being written, or a crash cut it short.
    pub torn_bytes: u64,
}

impl LogWriter {
    /// Of an empty file, for rows of these columns.
    pub fn create(file: File, schema: Schema) -> Result<Self, Error> {
        check_schema(&schema)?;
        let writer = StreamWriter::try_new(file, &crate::arrow_schema(&schema)).map_err(unwritten)?;
        Ok(Self { schema, writer })
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Adds rows. They are on the disk when it returns, or an error says that nobody knows.
    pub fn append(&mut self, rows: &Table) -> Result<(), Error> {
        if *rows.schema() != self.schema {
            return Err(Error::Shape("rows of other columns than the log's".to_owned()));
        }
        rows.batches().iter().try_for_each(|batch| self.writer.write(batch)).map_err(unwritten)?;
        self.writer.get_ref().sync_data().map_err(|source| Error::Io { path: "log".to_owned(), source })
    }

    /// Bytes of the file so far.
    pub fn bytes(&self) -> Result<u64, Error> {
        let length = self.writer.get_ref().metadata().map(|file| file.len());
        length.map_err(|source| Error::Io { path: "log".to_owned(), source })
    }
}

fn unwritten(error: arrow::error::ArrowError) -> Error {
    match error {
        arrow::error::ArrowError::IoError(_, source) => Error::Io { path: "log".to_owned(), source },
        other => Error::Shape(other.to_string()),
    }
}

/// Reads all whole batches of a log, mapped; none of one that does not hold so much as its columns.
pub fn open_log(path: &Path) -> Result<Option<LogRead>, Error> {
    let length =
        std::fs::metadata(path).map_err(|source| Error::Io { path: path.display().to_string(), source })?.len();
    if length == 0 {
        return Ok(None);
    }
    let Some(decode::Log { schema, batches, end }) = decode::log(&map(path)?)? else { return Ok(None) };
    check_schema(&schema)?;
    Ok(Some(LogRead { rows: Table::from_batches(schema, batches), torn_bytes: length.saturating_sub(end as u64) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GuestColumn, json_rows};
    use std::io::Write;
    use types::{DataType, Field};

    fn table(values: &[f64]) -> Table {
        let field = |name: &str, data_type| Field { name: name.to_owned(), data_type, nullable: false };
        let fields = vec![field("x", DataType::Float64), field("v", DataType::Vector(2)), field("t", DataType::Text)];
        let floats = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let offsets = (0..=values.len() as i32).flat_map(i32::to_le_bytes).collect();
        let length = values.len() as u32;
        let column = |data_type, offsets, data| GuestColumn { data_type, length, validity: None, offsets, data };
        let columns = vec![
            column(DataType::Float64, None, floats),
            column(DataType::Vector(2), None, vec![0; 8 * values.len()]),
            column(DataType::Text, Some(offsets), vec![b'a'; values.len()]),
        ];
        Table::from_columns(Schema { fields }, columns).unwrap()
    }

    fn written(batches: &[&[f64]]) -> (tempfile::NamedTempFile, Vec<u64>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut log = LogWriter::create(file.reopen().unwrap(), table(&[]).schema().clone()).unwrap();
        let mut ends = vec![log.bytes().unwrap()];
        for batch in batches {
            log.append(&table(batch)).unwrap();
            ends.push(log.bytes().unwrap());
        }
        (file, ends)
    }

    #[test]
    fn what_was_added_is_read_while_more_may_come() {
        let (file, _) = written(&[&[1.0], &[2.0, 3.0]]);
        let read = open_log(file.path()).unwrap().unwrap();
        assert_eq!((read.torn_bytes, read.rows.schema()), (0, table(&[]).schema()));
        assert_eq!(json_rows(&read.rows).unwrap(), json_rows(&table(&[1.0, 2.0, 3.0])).unwrap());
    }

    /// Cut anywhere, a log has the batches that are whole, and never another row.
    #[test]
    fn a_log_that_was_cut_short_has_its_whole_batches() {
        let (file, ends) = written(&[&[1.0], &[2.0, 3.0]]);
        let bytes = std::fs::read(file.path()).unwrap();
        for cut in 0..=bytes.len() as u64 {
            let mut short = tempfile::NamedTempFile::new().unwrap();
            short.write_all(&bytes[..cut as usize]).unwrap();
            let whole = ends.iter().rposition(|end| *end <= cut);
            let rows = whole.map(|whole| ([0, 1, 3][whole], cut - ends[whole]));
            let read = open_log(short.path()).unwrap();
            assert_eq!(read.map(|read| (read.rows.rows(), read.torn_bytes)), rows, "cut at {cut}");
        }
    }

    #[test]
    fn rows_of_other_columns_are_refused() {
        let (file, _) = written(&[]);
        let mut log = LogWriter::create(file.reopen().unwrap(), table(&[]).schema().clone()).unwrap();
        let other = table(&[1.0]).select(&["x".to_owned()]).unwrap();
        assert!(log.append(&other).is_err());
    }
}
