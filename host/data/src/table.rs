//! The table itself: immutable batches under a schema, and the writer that grows one a chunk at a time.

use crate::column::{GuestColumn, LentColumn, decode_all, encode};
use crate::schemas::{arrow_schema, sound};
use crate::{CHUNK_BYTES_MAX, Error};
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::SchemaRef;
use std::sync::Arc;
use types::{DataType, Field, Schema};

/// Rows that a piece of two tables has on average at least where they are joined without a copy: smaller ones cost whoever goes
/// through the table more than the copy.
const PIECE_ROWS: usize = 4096;

/// Rows under a schema. Cloning is cheap: batches are shared.
#[derive(Debug, Clone)]
pub struct Table {
    schema: Arc<Schema>,
    batches: Arc<[RecordBatch]>,
    rows: u64,
}

impl Table {
    /// Of batches that all have the schema's columns.
    pub(crate) fn from_batches(schema: impl Into<Arc<Schema>>, batches: Vec<RecordBatch>) -> Self {
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        Self { schema: schema.into(), batches: batches.into(), rows }
    }

    /// Without rows.
    pub fn empty(schema: Schema) -> Self {
        Self::from_batches(schema, Vec::new())
    }

    /// Columns given whole, as guests give them.
    pub fn from_columns(schema: impl Into<Arc<Schema>>, columns: Vec<GuestColumn>) -> Result<Self, Error> {
        let mut writer = TableWriter::create(schema)?;
        writer.append(columns)?;
        writer.finish()
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Of batches that a native kernel made of the schema's columns, which is checked.
    pub fn from_record_batches(schema: Schema, batches: Vec<RecordBatch>) -> Result<Self, Error> {
        check_schema(&schema)?;
        let arrow = arrow_schema(&schema);
        match batches.iter().find(|batch| batch.schema() != arrow) {
            Some(other) => Err(Error::Shape(format!("a batch has the columns {}, expected {arrow}", other.schema()))),
            None => Ok(Self::from_batches(schema, batches)),
        }
    }

    /// As native kernels read it.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Bytes that its rows take: not what lies around them in buffers that they share, such as a mapped file.
    pub fn bytes(&self) -> u64 {
        let arrays = self.batches.iter().flat_map(RecordBatch::columns);
        arrays.map(|array| row_bytes(array) as u64).fold(0, u64::saturating_add)
    }

    /// Bytes that it keeps in memory, those that lie around its rows included. Quicker to know than [`Self::bytes`].
    pub fn held_bytes(&self) -> usize {
        self.batches.iter().map(RecordBatch::get_array_memory_size).fold(0, usize::saturating_add)
    }

    fn position(&self, column: &str) -> Result<usize, Error> {
        self.schema.fields.iter().position(|field| field.name == column).ok_or_else(|| Error::Missing {
            column: column.to_owned(),
            present: self.schema.fields.iter().map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", "),
        })
    }

    /// A column of the whole table as one array.
    fn column_at(&self, position: usize) -> Result<ArrayRef, Error> {
        let field = &self.schema.fields[position];
        match &*self.batches {
            [] => Ok(arrow::array::new_empty_array(&crate::column::arrow_type(field.data_type))),
            [batch] => Ok(Arc::clone(batch.column(position))),
            batches => {
                let pieces: Vec<_> = batches.iter().map(|batch| batch.column(position).as_ref()).collect();
                concat(&pieces).map_err(|error| column_error(&field.name, error))
            }
        }
    }

    /// `length` rows of a column from row `offset`, as a guest sees them; fewer at the end.
    pub fn read(&self, column: &str, offset: u64, length: u32) -> Result<GuestColumn, Error> {
        self.lend(column, offset, length).map(GuestColumn::from)
    }

    /// As [`Self::read`], without a copy of what lies in the table as a guest sees it.
    pub fn lend(&self, column: &str, offset: u64, length: u32) -> Result<LentColumn, Error> {
        self.lend_at(self.position(column)?, offset, length)
    }

    /// [`Self::lend`] of several columns, which together have no more bytes than one may have.
    pub fn lend_columns(&self, columns: &[String], offset: u64, length: u32) -> Result<Vec<LentColumn>, Error> {
        if columns.len() > self.schema.fields.len() {
            let (asked, present) = (columns.len(), self.schema.fields.len());
            return Err(Error::Shape(format!("{asked} columns were asked for at once, the table has {present}")));
        }
        let (mut lent, mut bytes, mut next) = (Vec::with_capacity(columns.len()), 0, 0);
        for column in columns {
            // Mostly they are asked for in the table's order.
            let follows = self.schema.fields.get(next).is_some_and(|field| field.name == *column);
            let position = if follows { next } else { self.position(column)? };
            let one = self.lend_at(position, offset, length)?;
            bytes += one.bytes();
            if bytes > CHUNK_BYTES_MAX {
                let (column, limit) = (column.clone(), CHUNK_BYTES_MAX);
                return Err(Error::Chunk { column, rows: length, bytes, limit });
            }
            lent.push(one);
            next = position + 1;
        }
        Ok(lent)
    }

    fn lend_at(&self, position: usize, offset: u64, length: u32) -> Result<LentColumn, Error> {
        let field = &self.schema.fields[position];
        let mut pieces = self.spans(offset, u64::from(length)).map(|(batch, start, count)| {
            // Whole, as a request's rows are, it need not be made anew.
            let column = batch.column(position);
            if count == column.len() { Arc::clone(column) } else { column.slice(start, count) }
        });
        let bytes = |piece: &ArrayRef| piece.get_array_memory_size().min(row_bytes(piece));
        let expect_few = |bytes: usize| match bytes > CHUNK_BYTES_MAX {
            true => Err(Error::Chunk { column: field.name.clone(), rows: length, bytes, limit: CHUNK_BYTES_MAX }),
            false => Ok(()),
        };
        match (pieces.next(), pieces.next()) {
            (Some(only), None) => {
                expect_few(bytes(&only))?;
                encode(field, std::slice::from_ref(&only))
            }
            (first, second) => {
                let pieces: Vec<_> = first.into_iter().chain(second).chain(pieces).collect();
                expect_few(pieces.iter().map(bytes).sum())?;
                encode(field, &pieces)
            }
        }
    }

    /// The columns that lack a value somewhere, each with the first row that does.
    pub fn gaps(&self) -> Vec<(&Field, u64)> {
        let first = |column: usize| {
            let mut before = 0;
            for batch in self.batches.iter() {
                let values = batch.column(column);
                if let Some(row) = (0..values.len()).find(|row| values.is_null(*row)) {
                    return Some(before + row as u64);
                }
                before += values.len() as u64;
            }
            None
        };
        let fields = self.schema.fields.iter().enumerate();
        fields.filter_map(|(column, field)| Some((field, first(column)?))).collect()
    }

    /// These columns, in this order.
    pub fn select(&self, columns: &[String]) -> Result<Self, Error> {
        // As it is with most steps.
        if self.schema.fields.iter().map(|field| &field.name).eq(columns) {
            return Ok(self.clone());
        }
        let positions = columns.iter().map(|column| self.position(column)).collect::<Result<Vec<_>, _>>()?;
        let schema = Schema { fields: positions.iter().map(|&i| self.schema.fields[i].clone()).collect() };
        check_schema(&schema)?;
        let batches = self
            .batches
            .iter()
            .map(|batch| batch.project(&positions).map_err(|error| Error::Shape(error.to_string())))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { schema: Arc::new(schema), batches: batches.into(), rows: self.rows })
    }

    /// The same rows with other names of columns, and values that may be null where they might not be before.
    pub fn renamed(&self, schema: Schema) -> Result<Self, Error> {
        check_schema(&schema)?;
        let arrow = arrow_schema(&schema);
        let batch = |batch: &RecordBatch| RecordBatch::try_new(Arc::clone(&arrow), batch.columns().to_vec());
        let batches = self.batches.iter().map(batch).collect::<Result<Vec<_>, _>>();
        let batches = batches.map_err(|error| Error::Shape(error.to_string()))?;
        Ok(Self::from_batches(schema, batches))
    }

    /// The rows at these positions, in this order.
    pub fn take(&self, rows: &[u64]) -> Result<Self, Error> {
        if let Some(beyond) = rows.iter().find(|&&row| row >= self.rows) {
            return Err(Error::Shape(format!("row {beyond} is beyond the table's {} rows", self.rows)));
        }
        if rows.is_empty() {
            return Ok(Self::from_batches(Arc::clone(&self.schema), Vec::new()));
        }
        let columns =
            (0..self.schema.fields.len()).map(|i| self.take_column(i, rows)).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(self.arrow_schema(), columns, &options)
            .map_err(|error| Error::Shape(error.to_string()))?;
        Ok(Self::from_batches(Arc::clone(&self.schema), vec![batch]))
    }

    fn take_column(&self, position: usize, rows: &[u64]) -> Result<ArrayRef, Error> {
        let name = &self.schema.fields[position].name;
        if let [batch] = &*self.batches {
            let positions = UInt64Array::from(rows.to_vec());
            return take(batch.column(position), &positions, None).map_err(|error| column_error(name, error));
        }
        let mut starts = Vec::with_capacity(self.batches.len());
        let mut start = 0u64;
        for batch in self.batches.iter() {
            starts.push(start);
            start += batch.num_rows() as u64;
        }
        let places: Vec<(usize, usize)> = rows
            .iter()
            .map(|&row| {
                let batch = starts.partition_point(|&start| start <= row) - 1;
                (batch, (row - starts[batch]) as usize)
            })
            .collect();
        let arrays: Vec<_> = self.batches.iter().map(|batch| batch.column(position).as_ref()).collect();
        interleave(&arrays, &places).map_err(|error| column_error(name, error))
    }

    /// `length` rows from row `offset`; fewer at the end.
    pub fn slice(&self, offset: u64, length: u64) -> Self {
        let batches = self.spans(offset, length).map(|(batch, start, count)| batch.slice(start, count)).collect();
        Self::from_batches(Arc::clone(&self.schema), batches)
    }

    /// The batches in which these rows lie, each with the first of them and how many they are.
    fn spans(&self, offset: u64, length: u64) -> impl Iterator<Item = (&RecordBatch, usize, usize)> {
        let (mut skip, mut left) = (offset, length);
        self.batches.iter().filter_map(move |batch| {
            let rows = batch.num_rows() as u64;
            let start = skip.min(rows);
            let count = (rows - start).min(left);
            (skip, left) = (skip - start, left - count);
            (count > 0).then_some((batch, start as usize, count as usize))
        })
    }

    /// With the columns of another table of as many rows: the same name replaces, a new one is appended.
    pub fn with_columns(&self, other: &Self) -> Result<Self, Error> {
        if self.rows != other.rows {
            return Err(Error::Shape(format!(
                "columns of {} rows cannot join a table of {} rows",
                other.rows, self.rows
            )));
        }
        let (schema, places) = self.schema_with(other);
        let lengths = self.lengths_with(other);
        let mut columns = self.cut(&lengths)?;
        for (columns, theirs) in columns.iter_mut().zip(other.cut(&lengths)?) {
            for (&place, column) in places.iter().zip(theirs) {
                match columns.get_mut(place) {
                    Some(present) => *present = column,
                    None => columns.push(column),
                }
            }
        }
        let arrow = arrow_schema(&schema);
        let batch = |(columns, &length): (Vec<ArrayRef>, &usize)| {
            let options = RecordBatchOptions::new().with_row_count(Some(length));
            RecordBatch::try_new_with_options(Arc::clone(&arrow), columns, &options)
        };
        let batches = columns.into_iter().zip(&lengths).map(batch).collect::<Result<Vec<_>, _>>();
        Ok(Self::from_batches(schema, batches.map_err(|error| Error::Shape(error.to_string()))?))
    }

    /// The columns of both, and the places among them of the other's.
    fn schema_with(&self, other: &Self) -> (Arc<Schema>, Vec<usize>) {
        let (own, theirs) = (&self.schema.fields, &other.schema.fields);
        // Mostly they stand in the same places, and mostly they are the same.
        if theirs.len() <= own.len() && own.iter().zip(theirs).all(|(own, theirs)| own == theirs) {
            return (Arc::clone(&self.schema), (0..theirs.len()).collect());
        }
        let (mut fields, mut places) = (own.clone(), Vec::with_capacity(theirs.len()));
        for (i, field) in theirs.iter().enumerate() {
            let same = |present: &Field| present.name == field.name;
            let place = fields.get(i).is_some_and(same).then_some(i).or_else(|| fields.iter().position(same));
            match place {
                Some(place) => fields[place] = field.clone(),
                None => fields.push(field.clone()),
            }
            places.push(place.unwrap_or(fields.len() - 1));
        }
        (Arc::new(Schema { fields }), places)
    }

    /// The pieces in which rows of both tables lie together: those that both have, or one of all rows where these would be small.
    fn lengths_with(&self, other: &Self) -> Vec<usize> {
        let mut together: Vec<usize> = self.ends().chain(other.ends()).collect();
        together.sort_unstable();
        together.dedup();
        together.retain(|end| *end > 0);
        let rows = self.rows as usize;
        if rows < together.len() * PIECE_ROWS {
            together = if rows == 0 { Vec::new() } else { vec![rows] };
        }
        let starts = std::iter::once(0).chain(together.clone());
        together.iter().zip(starts).map(|(end, start)| end - start).collect()
    }

    /// The row behind each batch's last.
    fn ends(&self) -> impl Iterator<Item = usize> {
        self.batches.iter().scan(0, |end, batch| {
            *end += batch.num_rows();
            Some(*end)
        })
    }

    /// The columns of each piece of so many rows.
    fn cut(&self, lengths: &[usize]) -> Result<Vec<Vec<ArrayRef>>, Error> {
        if let [_] = lengths {
            return Ok(vec![(0..self.schema.fields.len()).map(|i| self.column_at(i)).collect::<Result<_, _>>()?]);
        }
        let (mut batches, mut taken) = (self.batches.iter().filter(|batch| batch.num_rows() > 0).peekable(), 0);
        let mut pieces = Vec::with_capacity(lengths.len());
        for &length in lengths {
            let short = || Error::Shape(format!("a table of {} rows has fewer", self.rows));
            let batch = batches.peek().ok_or_else(short)?;
            pieces.push(batch.columns().iter().map(|column| column.slice(taken, length)).collect());
            taken += length;
            if taken >= batch.num_rows() {
                (taken, _) = (0, batches.next());
            }
        }
        Ok(pieces)
    }

    /// The rows of tables of one schema, one after another.
    pub fn concat(tables: &[Self]) -> Result<Self, Error> {
        let Some(first) = tables.first() else {
            return Err(Error::Shape("no tables to put one after another".to_owned()));
        };
        if let Some(other) = tables.iter().find(|table| table.schema != first.schema) {
            let (expected, got) = (describe(&first.schema), describe(&other.schema));
            return Err(Error::Shape(format!("tables have different columns: {expected}, then {got}")));
        }
        let batches = tables.iter().flat_map(|table| table.batches.iter().cloned()).collect();
        Ok(Self::from_batches(Arc::clone(&first.schema), batches))
    }

    pub(crate) fn from_arrays(
        schema: impl Into<Arc<Schema>>,
        columns: Vec<ArrayRef>,
        rows: u64,
    ) -> Result<Self, Error> {
        let schema = schema.into();
        let options = RecordBatchOptions::new().with_row_count(Some(rows as usize));
        let batch = RecordBatch::try_new_with_options(arrow_schema(&schema), columns, &options)
            .map_err(|error| Error::Shape(error.to_string()))?;
        Ok(Self::from_batches(schema, if rows == 0 { Vec::new() } else { vec![batch] }))
    }

    /// Its columns, as native kernels read them.
    pub fn arrow_schema(&self) -> SchemaRef {
        arrow_schema(&self.schema)
    }
}

/// Columns and types in one line, for an error.
pub(crate) fn describe(schema: &Schema) -> String {
    let columns: Vec<_> = schema.fields.iter().map(|field| format!("`{}` {}", field.name, field.data_type)).collect();
    columns.join(", ")
}

fn row_bytes(array: &ArrayRef) -> usize {
    // What most columns are, without a look at their buffers.
    if let Some(width) = array.data_type().primitive_width() {
        return array.len() * width + array.nulls().map_or(0, |_| array.len().div_ceil(8));
    }
    // `get_array_memory_size` counts whole buffers even of a slice; what crosses is only the slice.
    array.to_data().get_slice_memory_size().unwrap_or(usize::MAX)
}

fn column_error(column: &str, error: arrow::error::ArrowError) -> Error {
    Error::Column { column: column.to_owned(), reason: error.to_string() }
}

/// Grows a table a chunk at a time.
#[derive(Debug)]
pub struct TableWriter {
    schema: Arc<Schema>,
    batches: Vec<RecordBatch>,
    bytes: u64,
}

impl TableWriter {
    /// For rows under this schema.
    pub fn create(schema: impl Into<Arc<Schema>>) -> Result<Self, Error> {
        Ok(Self { schema: sound(schema.into())?, batches: Vec::new(), bytes: 0 })
    }

    /// Appends rows: a column a field, in the schema's order, all of one length. Everything is checked.
    pub fn append(&mut self, columns: Vec<GuestColumn>) -> Result<(), Error> {
        if columns.len() != self.schema.fields.len() {
            let (got, expected) = (columns.len(), self.schema.fields.len());
            return Err(Error::Shape(format!("{got} columns were appended, the schema has {expected}")));
        }
        let rows = columns.first().map_or(0, |column| column.length);
        if let Some((field, column)) = self.schema.fields.iter().zip(&columns).find(|(_, column)| column.length != rows)
        {
            let reason = format!("has {} rows, the first column has {rows}", column.length);
            return Err(Error::Column { column: field.name.clone(), reason });
        }
        let arrays = decode_all(&self.schema.fields, columns)?;
        let chunk = Table::from_arrays(Arc::clone(&self.schema), arrays, u64::from(rows))?;
        self.bytes += chunk.bytes();
        self.batches.extend(chunk.batches.iter().cloned());
        Ok(())
    }

    /// Rows appended so far.
    pub fn rows(&self) -> u64 {
        self.batches.iter().map(|batch| batch.num_rows() as u64).sum()
    }

    /// Bytes appended so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn finish(self) -> Result<Table, Error> {
        Ok(Table::from_batches(self.schema, self.batches))
    }
}

/// Whether a table may have these columns: not too many, each name once and not too long, no vector of nothing.
pub fn check_schema(schema: &Schema) -> Result<(), Error> {
    if let Some(oversized) = schema.oversized() {
        return Err(Error::Shape(oversized));
    }
    let column = |column: &str, reason: &str| Error::Column { column: column.to_owned(), reason: reason.to_owned() };
    if let Some(name) = schema.duplicate() {
        return Err(column(name, "stands twice"));
    }
    match schema.fields.iter().find(|field| !sane_vector(field.data_type)) {
        Some(field) => Err(column(&field.name, "a vector has 1 to 65,536 elements")),
        None => Ok(()),
    }
}

fn sane_vector(data_type: DataType) -> bool {
    !matches!(data_type, DataType::Vector(length) if !(1..=65_536).contains(&length))
}
