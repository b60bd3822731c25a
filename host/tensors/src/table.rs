//! Columns of numbers <-> a matrix [rows, columns], inside the host.

use crate::tensor::bytes;
use crate::{ElementType, Error, Tensor, shape};
use candle_core::{DType, Device, Tensor as Array, WithDType};
use data::{GuestColumn, Table};
use types::{DataType, Field, Schema};

impl Tensor {
    /// Columns of numbers as a matrix [rows, columns]. A null is an error that names the column. An int64 beyond 2^53 is
    /// rounded.
    pub fn from_table(table: &Table, columns: &[String], element_type: ElementType) -> Result<Self, Error> {
        if columns.is_empty() {
            return Err(Error::invalid("columns", "is empty, expected at least one column"));
        }
        let rows = usize::try_from(table.rows()).unwrap_or(usize::MAX);
        let shape = shape::within_limits(vec![rows, columns.len()])?;
        let value = match element_type {
            ElementType::Float32 => matrix(table, columns, shape, |value| value as f32),
            ElementType::Float64 => matrix(table, columns, shape, |value| value),
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
        };
        let field = |name: &String| Field { name: name.clone(), data_type, nullable: false };
        let schema = Schema { fields: columns.iter().map(field).collect() };
        let column = |i: usize| {
            let data = if rows == 0 { Vec::new() } else { bytes(&self.value.narrow(1, i, 1)?)? };
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
        match self.is_vacant() {
            true => Ok(Vec::new()),
            false => Ok(self.value.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?),
        }
    }

    /// A vector of float64.
    pub fn from_numbers(values: Vec<f64>) -> Result<Self, Error> {
        let shape = shape::within_limits(vec![values.len()])?;
        Ok(Self::constant(Array::from_vec(values, shape, &Device::Cpu)?))
    }
}

fn matrix<T: WithDType + Default>(
    table: &Table,
    columns: &[String],
    shape: Vec<usize>,
    convert: fn(f64) -> T,
) -> Result<Array, Error> {
    let mut values = vec![T::default(); shape.iter().product()];
    for (i, column) in columns.iter().enumerate() {
        let numbers = data::numbers(table, column).map_err(of_table)?;
        let places = values.iter_mut().skip(i).step_by(columns.len());
        places.zip(numbers).for_each(|(place, number)| *place = convert(number));
    }
    Ok(Array::from_vec(values, shape, &Device::Cpu)?)
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
