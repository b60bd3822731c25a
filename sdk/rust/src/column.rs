//! A column in the guest's memory: the contract's Arrow buffers <-> a plain `Vec` with nulls beside it.

use crate::bindings::stepwell::data::tables::Column as Chunk;
use crate::{DataType, Error, Result};

/// Microseconds since 1970-01-01T00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// The values of one column, with nulls. What stands in `values` under a null is the type's default.
#[derive(Clone, Debug, PartialEq)]
pub struct Column<T> {
    pub(crate) name: String,
    pub(crate) values: Vec<T>,
    /// Absent while every row has a value.
    pub(crate) validity: Option<Vec<bool>>,
    pub(crate) nullable: bool,
}

impl<T> Column<T> {
    /// What errors call this column.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of a row; none where it is null, or beyond the end.
    pub fn get(&self, row: usize) -> Option<&T> {
        let valid = self.validity.as_ref().is_none_or(|validity| validity.get(row) == Some(&true));
        if valid { self.values.get(row) } else { None }
    }

    /// Row by row; none where it is null.
    pub fn iter(&self) -> impl Iterator<Item = Option<&T>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The values that are there, in the order of their rows, handed one by one: quicker than a loop over rows.
    pub fn each_present(&self, mut visit: impl FnMut(&T)) {
        match &self.validity {
            None => self.values.iter().for_each(&mut visit),
            Some(validity) => {
                let there = self.values.iter().zip(validity).filter(|(_, valid)| **valid);
                there.for_each(|(value, _)| visit(value));
            }
        }
    }

    /// The first row without a value.
    pub fn first_null(&self) -> Option<usize> {
        self.validity.as_ref()?.iter().position(|valid| !valid)
    }

    /// A column of the same rows and nulls, each value replaced.
    pub fn map<U: Default>(self, mut replace: impl FnMut(T) -> U) -> Column<U> {
        let Self { name, values, validity, nullable } = self;
        let values = match &validity {
            None => values.into_iter().map(&mut replace).collect(),
            Some(validity) => {
                let rows = values.into_iter().zip(validity);
                rows.map(|(value, valid)| if *valid { replace(value) } else { U::default() }).collect()
            }
        };
        Column { name, values, validity, nullable }
    }

    /// The plain values; a null is an error that names the column and the row.
    pub fn required(self) -> Result<Vec<T>> {
        match self.first_null() {
            None => Ok(self.values),
            Some(row) => {
                let reason = format!("expected a value in every row, got null in row {row}; fill or drop nulls before");
                Err(Error::invalid(self.name, reason))
            }
        }
    }
}

/// Every row has a value, and the column says so.
impl<T> From<Vec<T>> for Column<T> {
    fn from(values: Vec<T>) -> Self {
        Self { name: String::new(), values, validity: None, nullable: false }
    }
}

/// The column is nullable, whether or not a null is among these rows.
impl<T: Default> From<Vec<Option<T>>> for Column<T> {
    fn from(values: Vec<Option<T>>) -> Self {
        let validity: Vec<bool> = values.iter().map(Option::is_some).collect();
        let validity = validity.contains(&false).then_some(validity);
        let values = values.into_iter().map(Option::unwrap_or_default).collect();
        Self { name: String::new(), values, validity, nullable: true }
    }
}

/// A column of any of the contract's types.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyColumn {
    /// `boolean`
    Boolean(Column<bool>),
    /// `int64`
    Int64(Column<i64>),
    /// `float32`
    Float32(Column<f32>),
    /// `float64`
    Float64(Column<f64>),
    /// `text`
    Text(Column<String>),
    /// `bytes`
    Bytes(Column<Vec<u8>>),
    /// `timestamp`
    Timestamp(Column<Timestamp>),
    /// `date`
    Date(Column<Date>),
    /// `vector(n)`, and its n
    Vector(Column<Vec<f32>>, u32),
}

/// Evaluates an expression over the typed column inside an [`AnyColumn`].
macro_rules! over {
    ($any:expr, $column:ident => $result:expr) => {
        match $any {
            AnyColumn::Boolean($column) => $result,
            AnyColumn::Int64($column) => $result,
            AnyColumn::Float32($column) => $result,
            AnyColumn::Float64($column) => $result,
            AnyColumn::Text($column) => $result,
            AnyColumn::Bytes($column) => $result,
            AnyColumn::Timestamp($column) => $result,
            AnyColumn::Date($column) => $result,
            AnyColumn::Vector($column, _) => $result,
        }
    };
}

impl AnyColumn {
    /// Rows.
    pub fn len(&self) -> usize {
        over!(self, column => column.len())
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the row lacks its value.
    pub fn is_null(&self, row: usize) -> bool {
        over!(self, column => column.get(row).is_none())
    }

    /// Bytes of every row's value on its way to the host, at most; none where they differ.
    pub(crate) fn width(&self) -> Option<usize> {
        match self {
            Self::Text(_) | Self::Bytes(_) => None,
            Self::Vector(_, width) => Some(*width as usize * 4),
            _ => Some(8),
        }
    }

    /// Bytes of one row's value on its way to the host.
    pub(crate) fn bytes_of(&self, row: usize) -> usize {
        match self {
            Self::Text(column) => column.values[row].len() + 4,
            Self::Bytes(column) => column.values[row].len() + 4,
            Self::Vector(_, width) => *width as usize * 4,
            _ => 8,
        }
    }

    /// Whether every vector has the width of its column; the guest's own slip, which no padding should hide.
    pub(crate) fn check_widths(&self, name: &str) -> Result<()> {
        let Self::Vector(column, width) = self else { return Ok(()) };
        match column.iter().flatten().find(|vector| vector.len() != *width as usize) {
            None => Ok(()),
            Some(vector) => {
                let got = vector.len();
                Err(Error::invalid(name, format!("expected vectors of {width} numbers, got one of {got}")))
            }
        }
    }

    pub(crate) fn nullable(&self) -> bool {
        over!(self, column => column.nullable)
    }

    /// The column's type.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Boolean(_) => DataType::Boolean,
            Self::Int64(_) => DataType::Int64,
            Self::Float32(_) => DataType::Float32,
            Self::Float64(_) => DataType::Float64,
            Self::Text(_) => DataType::Text,
            Self::Bytes(_) => DataType::Bytes,
            Self::Timestamp(_) => DataType::Timestamp,
            Self::Date(_) => DataType::Date,
            Self::Vector(_, width) => DataType::Vector(*width),
        }
    }

    /// Numbers of any type as float64; an int64 beyond 2^53 is rounded.
    pub fn into_f64(self) -> Result<Column<f64>> {
        match self {
            Self::Float64(column) => Ok(column),
            Self::Float32(column) => Ok(column.map(f64::from)),
            Self::Int64(column) => Ok(column.map(|value| value as f64)),
            other => Err(other.mismatch("a number (`int64`, `float32`, `float64`)")),
        }
    }

    /// Values of a type that names categories (boolean, int64, text, timestamp, date) as text.
    pub fn into_categories(self) -> Result<Column<String>> {
        match self {
            Self::Text(column) => Ok(column),
            Self::Boolean(column) => Ok(column.map(|value| value.to_string())),
            Self::Int64(column) => Ok(column.map(|value| value.to_string())),
            Self::Timestamp(column) => Ok(column.map(|value| value.0.to_string())),
            Self::Date(column) => Ok(column.map(|value| value.0.to_string())),
            other => Err(other.mismatch("categories (`boolean`, `int64`, `text`, `timestamp`, `date`)")),
        }
    }

    /// The error for a column of a type that the caller cannot use.
    pub(crate) fn mismatch(&self, expected: &str) -> Error {
        let name = over!(self, column => column.name.clone());
        Error::invalid(name, format!("expected {expected}, got `{}`", self.data_type().name()))
    }

    /// Reads the contract's buffers. The host checks them, so a wrong length here is the host's mistake; it is still an
    /// error and no panic.
    pub(crate) fn decode(name: &str, nullable: bool, chunk: &Chunk) -> Result<Self> {
        let rows = chunk.length as usize;
        let validity = chunk.validity.as_ref().map(|bitmap| bits(bitmap, rows));
        let column = Parts { name: name.into(), rows, validity, nullable };
        Ok(match chunk.data_type {
            DataType::Boolean => Self::Boolean(column.with(bits(&chunk.data, rows))?),
            DataType::Int64 => Self::Int64(column.with(words(&chunk.data, i64::from_le_bytes))?),
            DataType::Float32 => Self::Float32(column.with(words(&chunk.data, f32::from_le_bytes))?),
            DataType::Float64 => Self::Float64(column.with(words(&chunk.data, f64::from_le_bytes))?),
            DataType::Timestamp => {
                Self::Timestamp(column.with(words(&chunk.data, |word| Timestamp(i64::from_le_bytes(word))))?)
            }
            DataType::Date => Self::Date(column.with(words(&chunk.data, |word| Date(i32::from_le_bytes(word))))?),
            DataType::Bytes => Self::Bytes(column.with(pieces(chunk).into_iter().map(<[u8]>::to_vec).collect())?),
            DataType::Text => {
                let texts = pieces(chunk).into_iter().map(|piece| String::from_utf8_lossy(piece).into_owned());
                Self::Text(column.with(texts.collect())?)
            }
            DataType::Vector(width) => {
                let floats = words(&chunk.data, f32::from_le_bytes);
                let vectors = floats.chunks_exact((width as usize).max(1)).map(<[f32]>::to_vec);
                Self::Vector(column.with(vectors.collect())?, width)
            }
        })
    }

    /// Makes room for so many rows more.
    pub(crate) fn reserve(&mut self, rows: usize) {
        over!(self, column => column.values.reserve_exact(rows));
    }

    /// Appends the rows of another piece of the same column.
    pub(crate) fn append(&mut self, piece: Self) -> Result<()> {
        match (self, piece) {
            (Self::Boolean(all), Self::Boolean(piece)) => all.append(piece),
            (Self::Int64(all), Self::Int64(piece)) => all.append(piece),
            (Self::Float32(all), Self::Float32(piece)) => all.append(piece),
            (Self::Float64(all), Self::Float64(piece)) => all.append(piece),
            (Self::Text(all), Self::Text(piece)) => all.append(piece),
            (Self::Bytes(all), Self::Bytes(piece)) => all.append(piece),
            (Self::Timestamp(all), Self::Timestamp(piece)) => all.append(piece),
            (Self::Date(all), Self::Date(piece)) => all.append(piece),
            (Self::Vector(all, width), Self::Vector(piece, other)) if *width == other => all.append(piece),
            (all, piece) => return Err(piece.mismatch(&format!("`{}` as before", all.data_type().name()))),
        }
        Ok(())
    }

    /// The rows `start..end` as the contract's buffers.
    pub(crate) fn encode(&self, start: usize, end: usize) -> Chunk {
        let (data, offsets) = match self {
            Self::Boolean(column) => (bitmap(&column.values[start..end]), None),
            Self::Int64(column) => (column.bytes(start, end, |value| value.to_le_bytes()), None),
            Self::Float32(column) => (column.bytes(start, end, |value| value.to_le_bytes()), None),
            Self::Float64(column) => (column.bytes(start, end, |value| value.to_le_bytes()), None),
            Self::Timestamp(column) => (column.bytes(start, end, |value| value.0.to_le_bytes()), None),
            Self::Date(column) => (column.bytes(start, end, |value| value.0.to_le_bytes()), None),
            Self::Text(column) => joined(column.values[start..end].iter().map(String::as_bytes)),
            Self::Bytes(column) => joined(column.values[start..end].iter().map(Vec::as_slice)),
            Self::Vector(column, width) => {
                // A null's vector is empty here, but has its width in the buffer.
                let mut data = Vec::with_capacity((end - start) * *width as usize * 4);
                for vector in &column.values[start..end] {
                    let padded = vector.iter().chain(std::iter::repeat(&0.0)).take(*width as usize);
                    data.extend(padded.flat_map(|value| value.to_le_bytes()));
                }
                (data, None)
            }
        };
        let validity = over!(self, column => column.validity.as_ref().map(|validity| bitmap(&validity[start..end])));
        Chunk { data_type: self.data_type(), length: (end - start) as u32, validity, offsets, data }
    }
}

impl<T> Column<T> {
    fn append(&mut self, piece: Self) {
        let rows = self.values.len();
        if self.validity.is_some() || piece.validity.is_some() {
            let added = piece.validity.unwrap_or_else(|| vec![true; piece.values.len()]);
            self.validity.get_or_insert_with(|| vec![true; rows]).extend(added);
        }
        self.values.extend(piece.values);
    }

    fn bytes<const N: usize>(&self, start: usize, end: usize, to_bytes: impl Fn(&T) -> [u8; N]) -> Vec<u8> {
        // Of numbers the compiler makes one copy of memory.
        self.values[start..end].iter().map(to_bytes).collect::<Vec<_>>().into_flattened()
    }
}

/// Everything of a column but its values.
struct Parts {
    name: String,
    rows: usize,
    validity: Option<Vec<bool>>,
    nullable: bool,
}

impl Parts {
    fn with<T>(self, values: Vec<T>) -> Result<Column<T>> {
        let Self { name, rows, validity, nullable } = self;
        let valid = validity.as_ref().map_or(rows, Vec::len);
        if values.len() != rows || valid != rows {
            let got = format!("{} values and {valid} validity bits", values.len());
            return Err(Error::permanent(format!("column `{name}`: expected {rows} rows from the host, got {got}")));
        }
        Ok(Column { name, values, validity, nullable })
    }
}

fn bits(bitmap: &[u8], rows: usize) -> Vec<bool> {
    (0..rows.min(bitmap.len() * 8)).map(|row| bitmap[row / 8] >> (row % 8) & 1 == 1).collect()
}

fn bitmap(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |byte, (bit, set)| byte | u8::from(*set) << bit))
        .collect()
}

fn words<const N: usize, T>(data: &[u8], from_bytes: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks().0.iter().map(|word| from_bytes(*word)).collect()
}

fn pieces(chunk: &Chunk) -> Vec<&[u8]> {
    let offsets: Vec<i32> = words(chunk.offsets.as_deref().unwrap_or_default(), i32::from_le_bytes);
    offsets
        .windows(2)
        .map_while(|ends| chunk.data.get(usize::try_from(ends[0]).ok()?..usize::try_from(ends[1]).ok()?))
        .collect()
}

fn joined<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut data = Vec::new();
    let mut offsets = 0_i32.to_le_bytes().to_vec();
    for piece in pieces {
        data.extend_from_slice(piece);
        offsets.extend_from_slice(&(data.len() as i32).to_le_bytes());
    }
    (data, Some(offsets))
}

/// `From` for every typed column, and for plain and optional vectors of its values.
macro_rules! into_any {
    ($($value:ty => $case:ident),* $(,)?) => {$(
        impl From<Column<$value>> for AnyColumn {
            fn from(column: Column<$value>) -> Self {
                Self::$case(column)
            }
        }

        impl From<Vec<$value>> for AnyColumn {
            fn from(values: Vec<$value>) -> Self {
                Self::$case(values.into())
            }
        }

        impl From<Vec<Option<$value>>> for AnyColumn {
            fn from(values: Vec<Option<$value>>) -> Self {
                Self::$case(values.into())
            }
        }
    )*};
}

into_any!(bool => Boolean, i64 => Int64, f32 => Float32, f64 => Float64, String => Text, Vec<u8> => Bytes,
    Timestamp => Timestamp, Date => Date);

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written to the host in two pieces is read back as the same column.
    fn round_trip(mut column: AnyColumn, split: usize) {
        over!(&mut column, column => column.name = "a".into());
        let pieces = [column.encode(0, split), column.encode(split, column.len())];
        let mut read = AnyColumn::decode("a", column.nullable(), &pieces[0]).unwrap();
        read.append(AnyColumn::decode("a", column.nullable(), &pieces[1]).unwrap()).unwrap();
        assert_eq!(read.len(), column.len());
        assert!((0..column.len()).all(|row| read.is_null(row) == column.is_null(row)), "{read:?} {column:?}");
        over!(&mut read, read => read.validity = None);
        over!(&mut column, column => column.validity = None);
        assert_eq!(read, column);
    }

    #[test]
    fn columns_survive_the_boundary() {
        let texts = || vec!["é".to_string(), String::new(), "abc".into()];
        round_trip(vec![1.5, -0.0, f64::MAX].into(), 1);
        round_trip(vec![Some(1_i64), None, Some(-1)].into(), 1);
        round_trip(vec![Some(1_i64), Some(2), None].into(), 2);
        round_trip(texts().into(), 2);
        round_trip(texts().into_iter().map(Some).chain([None]).collect::<Vec<_>>().into(), 0);
        round_trip((0..20).map(|row| row % 3 == 0).collect::<Vec<bool>>().into(), 11);
        round_trip(vec![vec![1_u8, 2], vec![]].into(), 1);
        round_trip(vec![Date(-1), Date(3)].into(), 2);
        round_trip(vec![Some(Timestamp(7)), None].into(), 1);
        round_trip(AnyColumn::Vector(vec![vec![1.0, 2.0], vec![3.0, 4.0]].into(), 2), 1);
    }

    #[test]
    fn buffers_that_contradict_themselves_are_an_error() {
        let good = AnyColumn::from(vec!["ab".to_string(), "c".into()]).encode(0, 2);
        let fails = |chunk: Chunk| assert!(AnyColumn::decode("a", false, &chunk).is_err(), "{chunk:?}");
        fails(Chunk { length: 3, ..good.clone() });
        fails(Chunk { data: vec![b'a'], ..good.clone() });
        fails(Chunk { offsets: None, ..good.clone() });
        fails(Chunk { validity: Some(vec![]), ..good.clone() });
        fails(Chunk { data_type: DataType::Float64, ..good });
    }

    #[test]
    fn a_null_is_not_mapped_and_not_required() {
        let mut column = Column::from(vec![Some(4.0), None]).map(f64::sqrt);
        assert_eq!(column.iter().collect::<Vec<_>>(), [Some(&2.0), None]);
        column.name = "a".into();
        let error = Error::invalid("a", "expected a value in every row, got null in row 1; fill or drop nulls before");
        assert_eq!(column.required(), Err(error));
    }

    #[test]
    fn a_type_that_does_not_fit_is_named() {
        let mut column = AnyColumn::from(vec![true]);
        over!(&mut column, column => column.name = "a".into());
        let reason = "expected a number (`int64`, `float32`, `float64`), got `boolean`";
        assert_eq!(column.into_f64(), Err(Error::invalid("a", reason)));
    }
}
