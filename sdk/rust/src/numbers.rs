//! Columns of numbers gone through where they lie: in the bytes of a chunk, which is read, visited or changed, and let go.

use crate::bindings::stepwell::data::tables::{Column as Chunk, Table, TableWriter};
use crate::table::Pieces;
use crate::{DataType, Error, Field, Result, field};

impl Table {
    /// Goes through the numbers that are there (int64, float32, float64), as float64 and in the order of the rows: from `start` on, `fold`
    /// makes something of what came out so far and the next number, as `|(count, sum), age| (count + 1, sum + age)` does from `(0, 0.0)`
    /// on. One chunk is in memory at a time, and nothing of it is copied.
    pub fn fold_f64<A>(&self, name: &str, start: A, fold: impl Fn(A, f64) -> A) -> Result<A> {
        require_number(&self.schema(), name)?;
        let mut pieces = Pieces::of(self, vec![name.to_owned()], self.rows());
        pieces.try_fold(start, |so_far, chunks| {
            chunks?.iter().try_fold(so_far, |so_far, chunk| fold_chunk(name, chunk, so_far, &fold))
        })
    }

    /// This table with columns of numbers replaced, each by its function of the number as float64. A float32 column stays
    /// float32, an int64 column becomes float64, and nulls stay null. One chunk a column is in memory at a time.
    pub fn map_f64<N: AsRef<str>>(&self, columns: &[(N, impl Fn(f64) -> f64)]) -> Result<Table> {
        let (fields, rows) = (self.schema(), self.rows());
        if columns.is_empty() {
            return Ok(self.slice(0, rows));
        }
        let fields =
            columns.iter().map(|(name, _)| require_number(&fields, name.as_ref())).collect::<Result<Vec<_>>>()?;
        let writer = TableWriter::create(&fields.iter().map(replaced).collect::<Vec<_>>())?;
        for chunks in Pieces::of(self, fields.iter().map(|field| field.name.clone()).collect(), rows) {
            let mapped = chunks?.into_iter().zip(columns).map(|(chunk, (_, replace))| map(chunk, replace));
            writer.append(&mapped.collect::<Vec<_>>())?;
        }
        self.with_columns(&TableWriter::finish(writer)?)
    }
}

/// The field of a column of numbers, or an error that names it.
fn require_number<'a>(fields: &'a [Field], name: &str) -> Result<&'a Field> {
    let found = field::require(fields, name)?;
    match found.data_type.is_numeric() {
        true => Ok(found),
        false => {
            let got = found.data_type.name();
            Err(Error::invalid(name, format!("expected a number (`int64`, `float32`, `float64`), got `{got}`")))
        }
    }
}

fn replaced(field: &&Field) -> Field {
    let data_type = if field.data_type == DataType::Int64 { DataType::Float64 } else { field.data_type };
    Field { data_type, ..(*field).clone() }
}

fn fold_chunk<A>(name: &str, chunk: &Chunk, so_far: A, fold: &impl Fn(A, f64) -> A) -> Result<A> {
    let (rows, validity, data) = (chunk.length, chunk.validity.as_deref(), &chunk.data);
    Ok(match chunk.data_type {
        DataType::Float64 => fold_words(words(name, rows, data)?, validity, f64::from_le_bytes, so_far, fold),
        DataType::Float32 => {
            fold_words(words(name, rows, data)?, validity, |word| f64::from(f32::from_le_bytes(word)), so_far, fold)
        }
        _ => fold_words(words(name, rows, data)?, validity, |word| i64::from_le_bytes(word) as f64, so_far, fold),
    })
}

/// A function of its own in the component: beside calls of the host, what is folded would lie on the stack instead of in registers.
#[inline(never)]
fn fold_words<const N: usize, A>(
    words: &[[u8; N]],
    validity: Option<&[u8]>,
    number: impl Fn([u8; N]) -> f64,
    so_far: A,
    fold: &impl Fn(A, f64) -> A,
) -> A {
    match validity {
        None => words.iter().fold(so_far, |so_far, word| fold(so_far, number(*word))),
        Some(bits) => {
            let there = |row: usize| bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1);
            let present = words.iter().enumerate().filter(|(row, _)| there(*row));
            present.fold(so_far, |so_far, (_, word)| fold(so_far, number(*word)))
        }
    }
}

/// In place: what stands under a null is changed too, and is ignored by whoever gets the chunk.
fn map(mut chunk: Chunk, replace: &impl Fn(f64) -> f64) -> Chunk {
    match chunk.data_type {
        DataType::Float64 => replace_words(&mut chunk.data, f64::from_le_bytes, replace, f64::to_le_bytes),
        DataType::Float32 => {
            let single = |word| f64::from(f32::from_le_bytes(word));
            replace_words(&mut chunk.data, single, replace, |value| (value as f32).to_le_bytes())
        }
        _ => replace_words(&mut chunk.data, |word| i64::from_le_bytes(word) as f64, replace, f64::to_le_bytes),
    }
    if chunk.data_type == DataType::Int64 {
        chunk.data_type = DataType::Float64;
    }
    chunk
}

/// A function of its own: only so is it plain that the bytes are nothing that `replace` reads, and that two numbers can be replaced at once.
#[inline(never)]
fn replace_words<const N: usize>(
    bytes: &mut [u8],
    number: impl Fn([u8; N]) -> f64,
    replace: &impl Fn(f64) -> f64,
    word: impl Fn(f64) -> [u8; N],
) {
    bytes.as_chunks_mut().0.iter_mut().for_each(|place| *place = word(replace(number(*place))));
}

/// The numbers of a chunk as the host sent them: one a row, or it is the host's mistake, and an error all the same.
fn words<'a, const N: usize>(name: &str, rows: u32, bytes: &'a [u8]) -> Result<&'a [[u8; N]]> {
    let words = bytes.as_chunks().0;
    match words.len() == rows as usize {
        true => Ok(words),
        false => {
            let got = words.len();
            Err(Error::permanent(format!("column `{name}`: expected {rows} numbers from the host, got {got}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyColumn;

    fn chunk(column: impl Into<AnyColumn>) -> Chunk {
        let column = column.into();
        column.encode(0, column.len())
    }

    fn visited(chunk: &Chunk) -> Vec<f64> {
        fold_chunk("a", chunk, Vec::new(), &|visited, value| [visited, vec![value]].concat()).unwrap()
    }

    #[test]
    fn each_number_that_is_there_is_gone_through_in_its_order() {
        assert_eq!(visited(&chunk(vec![2.5_f64, -1.0, 0.25])), [2.5, -1.0, 0.25]);
        assert_eq!(visited(&chunk(vec![2.5_f32, -1.0])), [2.5, -1.0]);
        assert_eq!(visited(&chunk(vec![3_i64, -4])), [3.0, -4.0]);
        let sparse: Vec<_> = (0..20_i64).map(|row| (row % 3 == 0).then_some(row)).collect();
        assert_eq!(visited(&chunk(sparse)), [0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0]);
    }

    #[test]
    fn numbers_are_replaced_where_they_lie() {
        let double = |value: f64| value * 2.0;
        assert_eq!(map(chunk(vec![2.5_f64, -1.0]), &double), chunk(vec![5.0_f64, -2.0]));
        assert_eq!(map(chunk(vec![2.5_f32, -1.0]), &double), chunk(vec![5.0_f32, -2.0]));
        assert_eq!(map(chunk(vec![3_i64, -4]), &double), chunk(vec![6.0_f64, -8.0]));
        assert_eq!(map(chunk(vec![Some(3.0), None]), &double), chunk(vec![Some(6.0), None]));
    }

    #[test]
    fn fewer_numbers_than_rows_are_an_error() {
        let short = Chunk { length: 3, ..chunk(vec![2.5_f64, -1.0]) };
        assert!(fold_chunk("a", &short, (), &|(), _| ()).is_err());
    }

    #[test]
    fn what_is_no_number_is_named() {
        let fields = [Field::new("a", DataType::Text)];
        let reason = "expected a number (`int64`, `float32`, `float64`), got `text`";
        assert_eq!(require_number(&fields, "a"), Err(Error::invalid("a", reason)));
    }
}
