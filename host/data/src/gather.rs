//! A few rows now and a few then -> one table: their values are copied as they come, and nothing of where they came from is kept.

use crate::column::{GuestColumn, LentColumn, encode, number_bytes};
use crate::rows::bit;
use crate::{Error, Table};
use arrow::array::Array;
use std::sync::Arc;
use types::{DataType, Schema};

/// Rows of the same columns, put one behind another.
pub struct Gathered {
    schema: Arc<Schema>,
    columns: Vec<Growing>,
    rows: u32,
}

/// A column so far. Bits and offsets are as in a [`GuestColumn`].
#[derive(Default)]
struct Growing {
    /// None until the first null.
    validity: Option<Vec<u8>>,
    offsets: Vec<u8>,
    data: Vec<u8>,
}

impl Gathered {
    pub fn new(schema: Arc<Schema>) -> Self {
        let columns = schema.fields.iter().map(|_| Growing::default()).collect();
        Self { schema, columns, rows: 0 }
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Adds the rows of a table with these columns, unless there would be more than a table may have.
    pub fn add(&mut self, table: &Table) -> Result<(), Error> {
        if *table.schema() != *self.schema {
            return Err(Error::Shape("rows of other columns are gathered".to_owned()));
        }
        let too_much = || Error::Shape("more is gathered than a table may have".to_owned());
        let rows =
            u32::try_from(table.rows()).ok().and_then(|more| self.rows.checked_add(more)).ok_or_else(too_much)?;
        let bytes = usize::try_from(table.bytes()).map_err(|_| too_much())?;
        if self.columns.iter().any(|column| column.data.len() + bytes > i32::MAX as usize) {
            return Err(too_much());
        }
        let mut start = self.rows as usize;
        for batch in table.batches() {
            let end = start + batch.num_rows();
            for ((field, array), column) in self.schema.fields.iter().zip(batch.columns()).zip(&mut self.columns) {
                match number_bytes(array).filter(|_| array.null_count() == 0) {
                    Some(values) => column.add_numbers(values, start, end),
                    None => column.add(&encode(field, std::slice::from_ref(array))?, start),
                }
            }
            start = end;
        }
        self.rows = rows;
        Ok(())
    }

    /// All rows so far.
    pub fn table(self) -> Result<Table, Error> {
        let Self { schema, columns, rows } = self;
        let columns = schema.fields.iter().zip(columns).map(|(field, column)| column.whole(field.data_type, rows));
        let columns = columns.collect();
        Table::from_columns(schema, columns)
    }
}

impl Growing {
    fn add_numbers(&mut self, values: &[u8], start: usize, end: usize) {
        self.data.extend_from_slice(values);
        if let Some(validity) = &mut self.validity {
            append_bits(validity, start, end, |_| true);
        }
    }

    fn add(&mut self, more: &LentColumn, start: usize) {
        let end = start + more.length as usize;
        if more.validity.is_some() && self.validity.is_none() {
            let mut full = Vec::new();
            append_bits(&mut full, 0, start, |_| true);
            self.validity = Some(full);
        }
        if let Some(validity) = &mut self.validity {
            append_bits(validity, start, end, |row| more.validity.as_deref().is_none_or(|bits| bit(bits, row)));
        }
        if let Some(offsets) = &more.offsets {
            self.add_offsets(offsets);
        }
        match more.data_type {
            DataType::Boolean => append_bits(&mut self.data, start, end, |row| bit(&more.data, row)),
            _ => self.data.extend_from_slice(&more.data),
        }
    }

    /// Those of the next values, behind the values that are there: fewer than an offset can tell, which was looked at.
    fn add_offsets(&mut self, offsets: &[u8]) {
        if self.offsets.is_empty() {
            self.offsets.extend_from_slice(&0i32.to_le_bytes());
        }
        for offset in offsets.as_chunks::<4>().0.iter().skip(1) {
            let offset = i32::from_le_bytes(*offset) + self.data.len() as i32;
            self.offsets.extend_from_slice(&offset.to_le_bytes());
        }
    }

    fn whole(mut self, data_type: DataType, length: u32) -> GuestColumn {
        let is_text = matches!(data_type, DataType::Text | DataType::Bytes);
        if is_text && self.offsets.is_empty() {
            self.offsets.extend_from_slice(&0i32.to_le_bytes());
        }
        let offsets = is_text.then_some(self.offsets);
        GuestColumn { data_type, length, validity: self.validity, offsets, data: self.data }
    }
}

/// Bits for the rows from `start` to `end`; `is_set` is asked by their place among these.
fn append_bits(bits: &mut Vec<u8>, start: usize, end: usize, is_set: impl Fn(u32) -> bool) {
    bits.resize(end.div_ceil(8), 0);
    (start..end).filter(|row| is_set((row - start) as u32)).for_each(|row| bits[row / 8] |= 1 << (row % 8));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_rows;
    use proptest::prelude::*;
    use types::Field;

    const TYPES: [DataType; 9] = [
        DataType::Boolean,
        DataType::Int64,
        DataType::Float32,
        DataType::Float64,
        DataType::Text,
        DataType::Bytes,
        DataType::Timestamp,
        DataType::Date,
        DataType::Vector(2),
    ];

    /// A column of `rows` values that follow from the seed; about one in three is null.
    fn column(data_type: DataType, rows: u32, seed: u8) -> GuestColumn {
        let bytes = |width: u32| (0..rows * width).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect::<Vec<_>>();
        let bits = || (0..rows.div_ceil(8)).map(|i| seed.rotate_left(i) ^ 0x5a).collect::<Vec<_>>();
        let texts = || (0..=rows as i32).flat_map(|row| (row * 2).to_le_bytes()).collect();
        let (offsets, data) = match data_type {
            DataType::Boolean => (None, bits()),
            DataType::Text => (Some(texts()), vec![b'a' + seed % 26; 2 * rows as usize]),
            DataType::Bytes => (Some(texts()), bytes(2)),
            DataType::Float32 | DataType::Date => (None, bytes(4)),
            DataType::Vector(_) => (None, bytes(8)),
            DataType::Int64 | DataType::Float64 | DataType::Timestamp => (None, bytes(8)),
        };
        GuestColumn { data_type, length: rows, validity: seed.is_multiple_of(3).then(bits), offsets, data }
    }

    fn schema() -> Arc<Schema> {
        let field =
            |(i, data_type): (usize, &DataType)| Field { name: format!("c{i}"), data_type: *data_type, nullable: true };
        Arc::new(Schema { fields: TYPES.iter().enumerate().map(field).collect() })
    }

    fn table(rows: u32, seed: u8) -> Table {
        let columns = TYPES.iter().enumerate().map(|(i, data_type)| column(*data_type, rows, seed ^ i as u8)).collect();
        Table::from_columns(schema(), columns).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_gathered_is_what_came_in_its_order(
            pieces in proptest::collection::vec((0..20u32, any::<u8>(), 0..4u64), 0..8),
        ) {
            // Slices begin anywhere in their buffers.
            let pieces: Vec<_> = pieces.into_iter().map(|(rows, seed, skip)| table(rows, seed).slice(skip, 20)).collect();
            let mut gathered = Gathered::new(schema());
            pieces.iter().try_for_each(|piece| gathered.add(piece)).unwrap();
            let expected: Vec<_> = pieces.iter().flat_map(|piece| json_rows(piece).unwrap()).collect();
            prop_assert_eq!(json_rows(&gathered.table().unwrap()).unwrap(), expected);
        }
    }

    #[test]
    fn rows_of_other_columns_are_refused() {
        let mut gathered = Gathered::new(schema());
        assert!(gathered.add(&table(3, 1).select(&["c0".to_owned()]).unwrap()).is_err());
    }
}
