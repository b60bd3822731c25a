//! Values for other eyes: numbers for tensors, text for a person, JSON for a caller.

use crate::column::GuestColumn;
use crate::{Error, Table};
use types::DataType;

/// A numeric column as float64, in row order. Nulls are an error: a tensor has no place for them.
pub fn numbers(table: &Table, column: &str) -> Result<Vec<f64>, Error> {
    let vectors = table.schema().fields.iter().find(|field| field.name == column).map(|field| field.data_type);
    if let Some(got @ DataType::Vector(_)) = vectors {
        return Err(Error::Type { column: column.to_owned(), expected: "a number".to_owned(), got });
    }
    numbers_as(table, column, |whole| whole as f64, Some)
}

/// The numbers of a column in a type of the caller's, row after row; of a vector, one after the other. A number with a
/// fraction for which there is none is an error, as are nulls.
pub fn numbers_as<T>(
    table: &Table,
    column: &str,
    of_whole: fn(i64) -> T,
    of_float: fn(f64) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut values = Vec::with_capacity(table.rows() as usize);
    for chunk in chunks(table, column) {
        let chunk = chunk?;
        if chunk.validity.is_some() {
            let reason = "holds nulls; fill or drop them in an earlier step".to_owned();
            return Err(Error::Column { column: column.to_owned(), reason });
        }
        append(&mut values, &chunk, column, of_whole, of_float)?;
    }
    Ok(values)
}

/// Whatever stands under nulls, too.
fn append<T>(
    values: &mut Vec<T>,
    chunk: &GuestColumn,
    column: &str,
    of_whole: fn(i64) -> T,
    of_float: fn(f64) -> Option<T>,
) -> Result<(), Error> {
    let float = |number: f64| {
        let reason = || format!("holds {number}, expected whole numbers");
        of_float(number).ok_or_else(|| Error::Column { column: column.to_owned(), reason: reason() })
    };
    match chunk.data_type {
        DataType::Float64 => {
            for bytes in fixed::<8>(&chunk.data) {
                values.push(float(f64::from_le_bytes(bytes))?);
            }
        }
        DataType::Float32 | DataType::Vector(_) => {
            for bytes in fixed::<4>(&chunk.data) {
                values.push(float(f32::from_le_bytes(bytes).into())?);
            }
        }
        DataType::Int64 => values.extend(fixed::<8>(&chunk.data).map(|bytes| of_whole(i64::from_le_bytes(bytes)))),
        DataType::Boolean => values.extend((0..chunk.length).map(|row| of_whole(i64::from(bit(&chunk.data, row))))),
        got => return Err(Error::Type { column: column.to_owned(), expected: "a number".to_owned(), got }),
    }
    Ok(())
}

/// `length` rows of a numeric column from row `offset`, as [`numbers`]; a null is not-a-number. Fewer at the end.
pub fn numbers_or_nan(table: &Table, column: &str, offset: u64, length: u32) -> Result<Vec<f64>, Error> {
    let chunk = table.read(column, offset, length)?;
    if let got @ DataType::Vector(_) = chunk.data_type {
        return Err(Error::Type { column: column.to_owned(), expected: "a number".to_owned(), got });
    }
    let mut values = Vec::with_capacity(chunk.length as usize);
    append(&mut values, &chunk, column, |whole| whole as f64, Some)?;
    if let Some(validity) = &chunk.validity {
        let nulls = (0..).zip(&mut values).filter(|(row, _)| !bit(validity, *row));
        nulls.for_each(|(_, value)| *value = f64::NAN);
    }
    Ok(values)
}

/// How many numbers of a table are infinite or not numbers at all, and the column and row of the first one; a null is neither.
pub fn not_finite(table: &Table) -> Result<(u64, Option<(String, u64)>), Error> {
    let (mut bad, mut first) = (0, None);
    let floats =
        |field: &&types::Field| matches!(field.data_type, DataType::Float32 | DataType::Float64 | DataType::Vector(_));
    for field in table.schema().fields.iter().filter(floats) {
        let mut row = 0;
        for chunk in chunks(table, &field.name) {
            let chunk = chunk?;
            let mut values = Vec::new();
            append(&mut values, &chunk, &field.name, |whole| whole as f64, Some)?;
            let width = if let DataType::Vector(length) = field.data_type { length.max(1) as usize } else { 1 };
            for (at, numbers) in (0..).zip(values.chunks(width)) {
                let is_there = chunk.validity.as_ref().is_none_or(|bits| bit(bits, at));
                let count = numbers.iter().filter(|number| is_there && !number.is_finite()).count() as u64;
                if count > 0 {
                    first.get_or_insert_with(|| (field.name.clone(), row + u64::from(at)));
                }
                bad += count;
            }
            row += u64::from(chunk.length);
        }
    }
    Ok((bad, first))
}

/// The values of a column at these rows as a person reads them, each cut at 80 characters. Rows beyond the end are left out.
pub fn column_as_text(table: &Table, column: &str, rows: &[u64]) -> Result<Vec<String>, Error> {
    let inside = rows.iter().filter(|&&row| row < table.rows());
    inside
        .map(|&row| {
            let chunk = table.read(column, row, 1)?;
            let is_text = matches!(chunk.data_type, DataType::Text | DataType::Bytes);
            let text = match shown_value(&chunk, 0) {
                serde_json::Value::String(text) if is_text => format!("{text:?}"),
                serde_json::Value::String(word) => word,
                other => other.to_string(),
            };
            Ok(text.chars().take(80).collect())
        })
        .collect()
}

/// The values of a column of text, row after row; none where a row has none.
pub fn texts(table: &Table, column: &str) -> Result<Vec<Option<String>>, Error> {
    let mut values = Vec::with_capacity(table.rows() as usize);
    for chunk in chunks(table, column) {
        let chunk = chunk?;
        if chunk.data_type != DataType::Text {
            let (column, expected) = (column.to_owned(), DataType::Text.to_string());
            return Err(Error::Type { column, expected, got: chunk.data_type });
        }
        let offsets: Vec<i32> =
            fixed::<4>(chunk.offsets.as_deref().unwrap_or_default()).map(i32::from_le_bytes).collect();
        values.extend((0..chunk.length).zip(offsets.windows(2)).map(|(row, ends)| {
            let is_there = chunk.validity.as_ref().is_none_or(|bits| bit(bits, row));
            let bytes = chunk.data.get(ends[0] as usize..ends[1] as usize).unwrap_or_default();
            is_there.then(|| String::from_utf8_lossy(bytes).into_owned())
        }));
    }
    Ok(values)
}

/// A table as JSON objects, a row each. Bytes are hexadecimal, a timestamp microseconds, a date days, NaN null.
pub fn json_rows(table: &Table) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, Error> {
    rows_of(table, json_value)
}

/// The same for a person: a number that JSON does not have is its word, `NaN`, `Infinity` or `-Infinity`, and no null.
pub fn shown_rows(table: &Table) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, Error> {
    rows_of(table, shown_value)
}

fn rows_of(
    table: &Table,
    value: fn(&GuestColumn, u32) -> serde_json::Value,
) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, Error> {
    let mut rows = vec![serde_json::Map::new(); table.rows() as usize];
    for field in &table.schema().fields {
        let mut row = rows.iter_mut();
        for chunk in chunks(table, &field.name) {
            let chunk = chunk?;
            for i in 0..chunk.length {
                if let Some(row) = row.next() {
                    row.insert(field.name.clone(), value(&chunk, i));
                }
            }
        }
    }
    Ok(rows)
}

pub(crate) fn chunks<'a>(table: &'a Table, column: &'a str) -> impl Iterator<Item = Result<GuestColumn, Error>> + 'a {
    const CHUNK_ROWS: u32 = 8192;
    (0..table.rows()).step_by(CHUNK_ROWS as usize).map(move |start| table.read(column, start, CHUNK_ROWS))
}

fn fixed<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    data.chunks_exact(N).map(|bytes| bytes.try_into().expect("a chunk of N bytes has N bytes"))
}

pub(crate) fn bit(bits: &[u8], row: u32) -> bool {
    bits.get(row as usize / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
}

pub(crate) fn json_value(chunk: &GuestColumn, row: u32) -> serde_json::Value {
    value(chunk, row, serde_json::Value::from)
}

fn shown_value(chunk: &GuestColumn, row: u32) -> serde_json::Value {
    value(chunk, row, |number| match number {
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        _ if number.is_nan() => "NaN".into(),
        _ => number.into(),
    })
}

fn value(chunk: &GuestColumn, row: u32, of_float: fn(f64) -> serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    if chunk.validity.as_ref().is_some_and(|bits| !bit(bits, row)) {
        return Value::Null;
    }
    let i = row as usize;
    let eight = || fixed::<8>(&chunk.data).nth(i).unwrap_or_default();
    let four = || fixed::<4>(&chunk.data).nth(i).unwrap_or_default();
    match chunk.data_type {
        DataType::Boolean => Value::from(bit(&chunk.data, row)),
        DataType::Int64 | DataType::Timestamp => Value::from(i64::from_le_bytes(eight())),
        DataType::Float64 => of_float(f64::from_le_bytes(eight())),
        DataType::Float32 => of_float(f32::from_le_bytes(four()).into()),
        DataType::Date => Value::from(i32::from_le_bytes(four())),
        DataType::Vector(length) => {
            let floats = fixed::<4>(&chunk.data).skip(i * length as usize).take(length as usize);
            Value::from(floats.map(|bytes| of_float(f32::from_le_bytes(bytes).into())).collect::<Vec<_>>())
        }
        DataType::Text => Value::from(String::from_utf8_lossy(value_bytes(chunk, i)).into_owned()),
        DataType::Bytes => Value::from(value_bytes(chunk, i).iter().map(|b| format!("{b:02x}")).collect::<String>()),
    }
}

fn value_bytes(chunk: &GuestColumn, row: usize) -> &[u8] {
    let offsets = chunk.offsets.as_deref().unwrap_or_default();
    let mut ends = fixed::<4>(offsets).skip(row).map(i32::from_le_bytes);
    match (ends.next(), ends.next()) {
        (Some(start), Some(end)) => chunk.data.get(start as usize..end as usize).unwrap_or_default(),
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Field, Schema};

    fn column(data_type: DataType, length: u32, validity: Option<Vec<u8>>, data: Vec<u8>) -> GuestColumn {
        GuestColumn { data_type, length, validity, offsets: None, data }
    }

    #[test]
    fn the_first_number_that_is_not_finite_is_named_and_nulls_are_none() {
        let doubles = |numbers: &[f64]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        let singles = |numbers: &[f32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        let nan = f64::NAN;
        for (data_type, validity, data, expected) in [
            (DataType::Float64, None, doubles(&[0.0, 1.0, -2.5]), (0, None)),
            (DataType::Float64, None, doubles(&[0.0, nan, f64::INFINITY]), (2, Some(1))),
            (DataType::Float64, Some(vec![0b101]), doubles(&[0.0, nan, nan]), (1, Some(2))),
            (DataType::Float32, None, singles(&[0.0, 1.0, f32::NEG_INFINITY]), (1, Some(2))),
            (DataType::Vector(2), None, singles(&[0.0, 1.0, f32::NAN, f32::NAN, 4.0, 5.0]), (2, Some(1))),
            (DataType::Int64, None, vec![0xff; 24], (0, None)),
        ] {
            let field = Field { name: "x".to_owned(), data_type, nullable: true };
            let columns = vec![column(data_type, 3, validity, data)];
            let table = Table::from_columns(Schema { fields: vec![field] }, columns).unwrap();
            let (count, row): (u64, Option<u64>) = expected;
            assert_eq!(not_finite(&table).unwrap(), (count, row.map(|row| ("x".to_owned(), row))), "{data_type}");
        }
    }

    #[test]
    fn a_person_is_shown_which_number_it_is_that_json_does_not_have() {
        let numbers = [0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0];
        let data = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let field = Field { name: "x".to_owned(), data_type: DataType::Float64, nullable: true };
        let columns = vec![column(DataType::Float64, 5, Some(vec![0b01111]), data)];
        let table = Table::from_columns(Schema { fields: vec![field] }, columns).unwrap();
        let values = |rows: Vec<serde_json::Map<String, serde_json::Value>>| -> Vec<serde_json::Value> {
            rows.into_iter().map(|row| row["x"].clone()).collect()
        };
        let null = serde_json::Value::Null;
        let shown = ["NaN", "Infinity", "-Infinity"].map(serde_json::Value::from);
        assert_eq!(
            values(shown_rows(&table).unwrap()),
            [&[0.5.into()][..], &shown, std::slice::from_ref(&null)].concat()
        );
        assert_eq!(values(json_rows(&table).unwrap()), [0.5.into(), null.clone(), null.clone(), null.clone(), null]);
        let text = column_as_text(&table, "x", &[0, 1, 2, 3, 4]).unwrap();
        assert_eq!(text, ["0.5", "NaN", "Infinity", "-Infinity", "null"]);
    }
}
