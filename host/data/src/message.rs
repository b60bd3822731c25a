//! A small table <-> one message: its columns as guests give them, one after another. What a request to a serving worker and
//! its answer carry: of one row of thirty numbers, a tenth of an Arrow stream's bytes and of its time.
//!
//! ```text
//!  rows: u32 | a column: lengths of validity, offsets and data: 3 x u32 | their bytes | the next column ..
//! ```
//! Both ends know the columns, so their names and types do not cross. Whoever opens one checks it as it checks a guest's.

use crate::column::{GuestColumn, LentColumn, encode, number_bytes};
use crate::table::describe;
use crate::{Error, Table};
use arrow::array::{Array, ArrayRef};
use types::Schema;

/// The length of a part that a column does not have.
const NONE: u32 = u32::MAX;

/// The message of a table that has these columns.
pub fn to_message(table: &Table, expected: &Schema) -> Result<Vec<u8>, Error> {
    if table.schema() != expected {
        let (expected, got) = (describe(expected), describe(table.schema()));
        return Err(Error::Shape(format!("the columns are {got}, expected {expected}")));
    }
    let rows = u32::try_from(table.rows()).map_err(|_| Error::Shape("holds too many rows for a message".to_owned()))?;
    let mut bytes = Vec::with_capacity(4 + expected.fields.len() * (12 + 8 * rows as usize));
    bytes.extend_from_slice(&rows.to_le_bytes());
    for (i, field) in expected.fields.iter().enumerate() {
        let too_long = |_| Error::Shape(format!("column `{}` is too long", field.name));
        let pieces = || table.batches().iter().map(|batch| batch.column(i));
        if let Some(length) = plain_numbers(pieces()) {
            let length = u32::try_from(length).map_err(too_long)?;
            [NONE, NONE, length].iter().for_each(|length| bytes.extend_from_slice(&length.to_le_bytes()));
            pieces().filter_map(|piece| number_bytes(piece)).for_each(|values| bytes.extend_from_slice(values));
            continue;
        }
        let pieces: Vec<_> = pieces().cloned().collect();
        let LentColumn { validity, offsets, data, .. } = encode(field, &pieces)?;
        let parts = [validity.as_deref(), offsets.as_deref(), Some(&data)];
        for part in parts {
            let length = part.map_or(Ok(NONE), |part| u32::try_from(part.len())).map_err(too_long)?;
            bytes.extend_from_slice(&length.to_le_bytes());
        }
        parts.into_iter().flatten().for_each(|part| bytes.extend_from_slice(part));
    }
    Ok(bytes)
}

/// How many bytes a column has of numbers of which none is null: nothing has to be put together. Of no rows nobody knows whether they
/// are numbers.
fn plain_numbers<'a>(mut pieces: impl Iterator<Item = &'a ArrayRef>) -> Option<usize> {
    let length =
        |piece: &'a ArrayRef| number_bytes(piece).filter(|_| piece.null_count() == 0).map(|values| values.len());
    let first = length(pieces.next()?)?;
    pieces.try_fold(first, |sum, piece| Some(sum + length(piece)?))
}

/// [`to_message`], back, for whoever knows the columns.
pub fn open_message(bytes: &[u8], schema: &Schema) -> Result<Table, Error> {
    let mut rest = bytes;
    let length = number(&mut rest)?;
    let mut columns = Vec::with_capacity(schema.fields.len());
    for field in &schema.fields {
        let [validity, offsets, data] = [number(&mut rest)?, number(&mut rest)?, number(&mut rest)?];
        let validity = part(&mut rest, validity)?;
        let offsets = part(&mut rest, offsets)?;
        let data = part(&mut rest, data)?.ok_or_else(cut)?;
        columns.push(GuestColumn { data_type: field.data_type, length, validity, offsets, data });
    }
    match rest.is_empty() {
        true => Table::from_columns(crate::schema(&schema.fields), columns),
        false => Err(Error::Damaged("a message goes on after its last column".to_owned())),
    }
}

fn number(rest: &mut &[u8]) -> Result<u32, Error> {
    let (number, after) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    *rest = after;
    Ok(u32::from_le_bytes(*number))
}

/// The next bytes, if the column has this part.
fn part(rest: &mut &[u8], length: u32) -> Result<Option<Vec<u8>>, Error> {
    if length == NONE {
        return Ok(None);
    }
    let (part, after) = rest.split_at_checked(length as usize).ok_or_else(cut)?;
    *rest = after;
    Ok(Some(part.to_vec()))
}

fn cut() -> Error {
    Error::Damaged("a message is shorter than it says".to_owned())
}
