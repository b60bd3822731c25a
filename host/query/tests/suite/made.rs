//! Tables and bounds for tests.

use data::{GuestColumn, Table};
use query::{Answered, Bounds, Error};
use types::{DataType, Field, Schema};

/// Plenty, without a disk.
pub(crate) fn bounds() -> Bounds {
    Bounds {
        cores: 4,
        memory_bytes: 256 << 20,
        disk_bytes: 1 << 30,
        scratch: None,
        rows: 10_000_000,
        output_bytes: 1 << 30,
        // 2026-03-01T12:30:00Z
        logical_time_us: 1_772_368_200_000_000,
    }
}

pub(crate) fn run(sql: &str, tables: &[(&str, &Table)]) -> Result<Table, Error> {
    query::run(sql, tables, &bounds()).map(|Answered { table, .. }| table)
}

/// The answer of a query over one small table `t` with the columns `a` (int64), `b` (float64) and `c` (text).
pub(crate) fn ask(sql: &str) -> Result<Table, Error> {
    run(sql, &[("t", &small())])
}

pub(crate) fn small() -> Table {
    let columns = vec![("a", int64([1, 2, 3])), ("b", float64([0.5, 1.5, 2.5])), ("c", text(["x", "y", "z"]))];
    table(columns)
}

pub(crate) fn table(columns: Vec<(&str, GuestColumn)>) -> Table {
    let field = |(name, column): &(&str, GuestColumn)| Field {
        name: (*name).to_owned(),
        data_type: column.data_type,
        nullable: true,
    };
    let fields = columns.iter().map(field).collect();
    Table::from_columns(Schema { fields }, columns.into_iter().map(|(_, column)| column).collect()).unwrap()
}

fn column(data_type: DataType, length: usize, data: Vec<u8>) -> GuestColumn {
    GuestColumn { data_type, length: length as u32, validity: None, offsets: None, data }
}

pub(crate) fn fixed<const N: usize>(data_type: DataType, values: impl IntoIterator<Item = [u8; N]>) -> GuestColumn {
    let values: Vec<[u8; N]> = values.into_iter().collect();
    column(data_type, values.len(), values.concat())
}

pub(crate) fn int64(values: impl IntoIterator<Item = i64>) -> GuestColumn {
    fixed(DataType::Int64, values.into_iter().map(i64::to_le_bytes))
}

pub(crate) fn float64(values: impl IntoIterator<Item = f64>) -> GuestColumn {
    fixed(DataType::Float64, values.into_iter().map(f64::to_le_bytes))
}

pub(crate) fn text<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> GuestColumn {
    let (mut offsets, mut data) = (vec![0i32], Vec::new());
    for value in values {
        data.extend_from_slice(value.as_ref().as_bytes());
        offsets.push(data.len() as i32);
    }
    let length = offsets.len() - 1;
    let offsets = Some(offsets.into_iter().flat_map(i32::to_le_bytes).collect());
    GuestColumn { offsets, ..column(DataType::Text, length, data) }
}

/// Some of these values missing, as the bits say.
pub(crate) fn with_nulls(column: GuestColumn, there: impl Fn(usize) -> bool) -> GuestColumn {
    let mut validity = vec![0u8; (column.length as usize).div_ceil(8)];
    (0..column.length as usize).filter(|row| there(*row)).for_each(|row| validity[row / 8] |= 1 << (row % 8));
    GuestColumn { validity: Some(validity), ..column }
}

/// Numbers that look like chance and are the same everywhere.
pub(crate) fn draws(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
}

/// A table's first column as numbers.
pub(crate) fn numbers(table: &Table) -> Vec<f64> {
    data::numbers(table, &table.schema().fields[0].name).unwrap()
}
