//! Tables: handles to rows in the host, read a column at a time and built a column at a time.

pub use crate::bindings::stepwell::data::tables::Table;
use crate::bindings::stepwell::data::tables::{Column as Chunk, TableWriter};
use crate::column::{AnyColumn, Column, Date, Timestamp};
use crate::{Error, Field, Result, field};

/// Rows of one call to the host: 128 KiB of numbers, which stay in a core's cache while they are copied and decoded.
const CHUNK_ROWS: u32 = 16_384;
/// The most that one call brings to the host, far below the contract's 32 MiB.
const CHUNK_BYTES: usize = 8 << 20;

/// A typed reader: the column of that name, or an error that says which type it has.
macro_rules! typed {
    ($(#[$doc:meta])* $reader:ident -> $value:ty, $case:ident, $expected:literal) => {
        $(#[$doc])*
        pub fn $reader(&self, name: &str) -> Result<Column<$value>> {
            match self.column(name)? {
                AnyColumn::$case(column) => Ok(column),
                other => Err(other.mismatch($expected)),
            }
        }
    };
}

impl Table {
    /// A table to be made of columns.
    pub fn builder() -> TableBuilder {
        TableBuilder::default()
    }

    /// A whole column, gathered chunk by chunk.
    pub fn column(&self, name: &str) -> Result<AnyColumn> {
        self.columns(&[name]).map(|mut columns| columns.remove(0))
    }

    /// Several whole columns, in the order of their names. Of few rows much quicker than one by one: what the table has is
    /// looked up once.
    pub fn columns<N: AsRef<str>>(&self, names: &[N]) -> Result<Vec<AnyColumn>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let (fields, rows) = (self.schema(), self.rows());
        let fields = names.iter().map(|name| field::require(&fields, name.as_ref())).collect::<Result<Vec<_>>>()?;
        let mut pieces = Pieces::of(self, names.iter().map(|name| name.as_ref().to_owned()).collect(), rows);
        let mut columns = decode(&fields, &pieces.first()?)?;
        columns.iter_mut().for_each(|column| column.reserve(pieces.left()));
        for chunks in pieces {
            for (column, chunk) in columns.iter_mut().zip(decode(&fields, &chunks?)?) {
                column.append(chunk)?;
            }
        }
        Ok(columns)
    }

    /// A column some thousand rows at a time, for what need not be in memory as a whole.
    pub fn chunks(&self, name: &str) -> Result<Chunks<'_>> {
        let fields = self.schema();
        let nullable = field::require(&fields, name)?.nullable;
        Ok(Chunks { pieces: Pieces::of(self, vec![name.to_owned()], self.rows()), name: name.to_owned(), nullable })
    }

    /// Numbers of any type (int64, float32, float64) as float64.
    pub fn f64(&self, name: &str) -> Result<Column<f64>> {
        self.column(name)?.into_f64()
    }

    typed!(
        /// Integers.
        i64 -> i64, Int64, "`int64`"
    );
    typed!(
        /// Truth values.
        bool -> bool, Boolean, "`boolean`"
    );
    typed!(
        /// Texts.
        text -> String, Text, "`text`"
    );
    typed!(
        /// Instants.
        timestamps -> Timestamp, Timestamp, "`timestamp`"
    );
    typed!(
        /// Days.
        dates -> Date, Date, "`date`"
    );

    /// Embeddings, each of the column's width.
    pub fn vectors(&self, name: &str) -> Result<Column<Vec<f32>>> {
        match self.column(name)? {
            AnyColumn::Vector(column, _) => Ok(column),
            other => Err(other.mismatch("`vector`")),
        }
    }

    /// Values that name categories (boolean, int64, text, timestamp, date) as text.
    pub fn categories(&self, name: &str) -> Result<Column<String>> {
        self.column(name)?.into_categories()
    }

    /// This table with one column more, or replaced.
    pub fn with(&self, name: &str, column: impl Into<AnyColumn>) -> Result<Table> {
        self.with_columns(&Table::builder().column(name, column).finish()?)
    }
}

fn decode(fields: &[&Field], chunks: &[Chunk]) -> Result<Vec<AnyColumn>> {
    let named = fields.iter().zip(chunks);
    named.map(|(field, chunk)| AnyColumn::decode(&field.name, field.nullable, chunk)).collect()
}

/// The pieces of a column, in order.
pub struct Chunks<'a> {
    pieces: Pieces<'a>,
    name: String,
    nullable: bool,
}

impl Iterator for Chunks<'_> {
    type Item = Result<AnyColumn>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = match self.pieces.next()? {
            Ok(mut chunks) => chunks.pop()?,
            Err(error) => return Some(Err(error)),
        };
        Some(AnyColumn::decode(&self.name, self.nullable, &chunk))
    }
}

/// Some columns as the host sends them: some thousand rows of each at a time, in order.
pub(crate) struct Pieces<'a> {
    table: &'a Table,
    names: Vec<String>,
    next: u64,
    rows: u64,
    step: u32,
}

impl<'a> Pieces<'a> {
    /// Of a table of so many rows.
    pub(crate) fn of(table: &'a Table, names: Vec<String>, rows: u64) -> Self {
        let step = CHUNK_ROWS.min(rows_within(names.len() * size_of::<f64>()));
        Self { table, names, next: 0, rows, step }
    }

    /// The first of them; of no rows it tells the types.
    fn first(&mut self) -> Result<Vec<Chunk>> {
        self.next().unwrap_or_else(|| self.table.read_columns(&self.names, 0, 0))
    }

    /// The rows to come.
    fn left(&self) -> usize {
        (self.rows - self.next) as usize
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Vec<Chunk>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.rows {
            return None;
        }
        let mut length = u64::from(self.step).min(self.rows - self.next) as u32;
        let chunks = loop {
            match self.table.read_columns(&self.names, self.next, length) {
                // Long texts and wide vectors: fewer rows fit into one call.
                Err(Error::BudgetExceeded(_)) if length > 1 => length /= 2,
                chunks => break chunks,
            }
        };
        self.step = length.max(1);
        self.next += u64::from(length);
        Some(chunks)
    }
}

/// So many rows of so many bytes stay far below what one call may carry.
fn rows_within(row_bytes: usize) -> u32 {
    (CHUNK_BYTES / row_bytes.max(1)).max(1) as u32
}

/// Columns on their way to a table.
#[derive(Default)]
pub struct TableBuilder {
    fields: Vec<Field>,
    columns: Vec<AnyColumn>,
}

impl TableBuilder {
    /// Adds a column. A `Vec<T>` has a value in every row, a `Vec<Option<T>>` is nullable, a [`Column`] is as it was read.
    pub fn column(mut self, name: &str, column: impl Into<AnyColumn>) -> Self {
        let column = column.into();
        self.fields.push(Field { name: name.into(), data_type: column.data_type(), nullable: column.nullable() });
        self.columns.push(column);
        self
    }

    /// Writes the columns to the host, some thousand rows at a time. All must have as many rows as the first.
    pub fn finish(self) -> Result<Table> {
        let rows = self.columns.first().map_or(0, AnyColumn::len);
        for (field, column) in self.fields.iter().zip(&self.columns) {
            if column.len() != rows {
                let reason = format!("expected {rows} rows as in the first column, got {}", column.len());
                return Err(Error::invalid(&field.name, reason));
            }
            column.check_widths(&field.name)?;
        }
        let writer = TableWriter::create(&self.fields)?;
        let mut start = 0;
        while start < rows {
            let end = self.chunk_end(start, rows);
            let chunks: Vec<_> = self.columns.iter().map(|column| column.encode(start, end)).collect();
            writer.append(&chunks)?;
            start = end;
        }
        TableWriter::finish(writer)
    }

    /// Where a chunk from `start` ends, so that one call stays far below the contract's 32 MiB.
    fn chunk_end(&self, start: usize, rows: usize) -> usize {
        let most = rows.min(start + CHUNK_ROWS as usize);
        if let Some(width) = self.columns.iter().map(AnyColumn::width).sum::<Option<usize>>() {
            return most.min(start + rows_within(width) as usize);
        }
        let mut bytes = 0;
        for row in start..most {
            bytes += self.columns.iter().map(|column| column.bytes_of(row)).sum::<usize>();
            if bytes > CHUNK_BYTES && row > start {
                return row;
            }
        }
        most
    }
}
