//! Columns of numbers <-> a matrix [rows, columns], inside the host.

use crate::array::{Elements, Number, array, by_type};
use crate::native::Array;
use crate::tensor::bytes;
use crate::{Device, ElementType, Error, Tensor, shape};
use data::{GuestColumn, Table};
use types::{DataType, Field, Schema};

impl Tensor {
    /// Columns of numbers as a matrix [rows, columns]; a vector is as many columns as it is long. A null is an error that names
    /// the column, as is a fraction where int64 is asked for. As a float, an int64 beyond 2^53 is rounded.
    pub fn from_table(table: &Table, columns: &[String], element_type: ElementType) -> Result<Self, Error> {
        if columns.is_empty() {
            return Err(Error::invalid("columns", "is empty, expected at least one column"));
        }
        let rows = usize::try_from(table.rows()).unwrap_or(usize::MAX);
        let widths: Vec<usize> = columns.iter().map(|column| width(table, column)).collect();
        let width = widths.iter().fold(0usize, |sum, &width| sum.saturating_add(width));
        let shape = shape::within_limits(vec![rows, width])?;
        let value = match element_type {
            ElementType::Float32 => matrix(table, columns, &widths, &shape, |x| x as f32, |x| Some(x as f32)),
            ElementType::Float64 => matrix(table, columns, &widths, &shape, |x| x as f64, Some),
            ElementType::Int64 => matrix(table, columns, &widths, &shape, |x| x, whole),
        }?;
        Ok(Self::constant(value))
    }

    /// The columns of a matrix [rows, columns] as a table of that many columns.
    pub fn to_table(&self, columns: &[String]) -> Result<Table, Error> {
        let [rows, width] = *self.dims() else {
            let got = format!("shape {:?}", self.dims());
            return Err(Error::Shape { operation: "to-table", expected: "a matrix [rows, columns]".to_owned(), got });
        };
        if columns.len() != width {
            let (expected, got) = (format!("{width} column names"), columns.len().to_string());
            return Err(Error::Shape { operation: "to-table", expected, got });
        }
        // Lossless where the table has columns: rows are then at most `ELEMENTS_MAX`.
        let length = if width == 0 { 0 } else { rows as u32 };
        let data_type = match self.element_type() {
            ElementType::Float32 => DataType::Float32,
            ElementType::Float64 => DataType::Float64,
            ElementType::Int64 => DataType::Int64,
        };
        let value = self.value.on(&Device::default())?;
        let field = |name: &String| Field { name: name.clone(), data_type, nullable: false };
        let schema = Schema { fields: columns.iter().map(field).collect() };
        let column = |i: usize| {
            let data = if rows == 0 { Vec::new() } else { bytes(&value.narrow(1, i, 1)?)? };
            Ok(GuestColumn { data_type, length, validity: None, offsets: None, data })
        };
        let columns = (0..width).map(column).collect::<Result<_, Error>>()?;
        Table::from_columns(schema, columns).map_err(of_table)
    }
}

/// Numbers <-> a tensor, for crates of the host that compute with neither.
impl Tensor {
    /// All values, row-major.
    pub fn numbers(&self) -> Result<Vec<f64>, Error> {
        if self.is_vacant() {
            return Ok(Vec::new());
        }
        let value = self.value.on(&Device::default())?.contiguous()?;
        by_type!(value, T => Ok(Elements::<T>::of(&value)?.iter().map(|number| number.wide()).collect()))
    }

    /// A vector of float64.
    pub fn from_numbers(values: Vec<f64>) -> Result<Self, Error> {
        let shape = shape::within_limits(vec![values.len()])?;
        Ok(Self::constant(array(values, &shape)?))
    }
}

/// Columns of the matrix that a column of the table makes.
fn width(table: &Table, column: &str) -> usize {
    let field = table.schema().fields.iter().find(|field| field.name == column);
    match field.map(|field| field.data_type) {
        Some(DataType::Vector(length)) => length as usize,
        _ => 1,
    }
}

/// The same number, if int64 has it.
fn whole(number: f64) -> Option<i64> {
    // 2^63 is the first number above all of them.
    let fits = number.fract() == 0.0 && (-(2f64.powi(63))..2f64.powi(63)).contains(&number);
    fits.then_some(number as i64)
}

fn matrix<T: Number>(
    table: &Table,
    columns: &[String],
    widths: &[usize],
    shape: &[usize],
    of_whole: fn(i64) -> T,
    of_float: fn(f64) -> Option<T>,
) -> Result<Array, Error> {
    let mut values = vec![T::default(); shape.iter().product()];
    let mut start = 0;
    for (column, &width) in columns.iter().zip(widths) {
        let numbers = data::numbers_as(table, column, of_whole, of_float).map_err(of_table)?;
        let rows = values.chunks_exact_mut(shape[1].max(1));
        rows.zip(numbers.chunks_exact(width.max(1))).for_each(|(row, numbers)| {
            row[start..start + width].copy_from_slice(numbers);
        });
        start += width;
    }
    array(values, shape)
}

/// An error of the table as one of an argument, named by the column where there is one.
fn of_table(error: data::Error) -> Error {
    match error {
        data::Error::Missing { column, present } => Error::invalid(column, format!("is missing; there are {present}")),
        data::Error::Type { column, expected, got } => Error::invalid(column, format!("is {got}, expected {expected}")),
        data::Error::Column { column, reason } => Error::invalid(column, reason),
        other => Error::invalid("table", other.to_string()),
    }
}
