//! `stepwell:data`: tables of every type of column, and queries.

use super::Calls;
use stepwell::{AnyColumn, Date, Field, Result, Table, Timestamp, query};

pub(super) fn call(calls: &mut Calls, rows: &Table) -> Result<()> {
    let typed = typed()?;
    calls.number("schema", typed.schema().len() as f64);
    calls.number("rows", typed.rows() as f64);
    calls.bytes("read", &rows.read("value", 1, 1)?.data);
    for column in typed.read_columns(&typed.schema().into_iter().map(|field| field.name).collect::<Vec<_>>(), 0, 2)? {
        calls.bytes("read-columns validity", &column.validity.unwrap_or_default());
        calls.bytes("read-columns offsets", &column.offsets.unwrap_or_default());
        calls.bytes("read-columns data", &column.data);
    }
    let mut values = |name: &str, table: Result<Table>| -> Result<()> {
        calls.numbers(name, &table?.f64("value")?.required()?);
        Ok(())
    };
    values("select", rows.select(&["value".to_owned()]))?;
    values("take", rows.take(&[1, 1, 0]))?;
    values("slice", Ok(rows.slice(1, 5)))?;
    values("with-columns", typed.with_columns(rows))?;
    values("run", query::run("select sum(value) as value from given", &[("given", rows)]))?;
    let columns = query::columns("select count(*) as many from given", &[("given", &rows.schema())])?;
    calls.is("columns", matches!(&columns[..], [Field { name, .. }] if name == "many"));
    Ok(())
}

fn typed() -> Result<Table> {
    let table = Table::builder().column("boolean", vec![true, false]).column("int64", vec![Some(-1_i64), None]);
    let table = table.column("float32", vec![0.5_f32, 1.0]).column("float64", vec![0.5, 1.0]);
    let table = table.column("text", vec!["a".to_owned(), String::new()]).column("bytes", vec![b"ab".to_vec(), vec![]]);
    let table = table.column("timestamp", vec![Timestamp(1), Timestamp(2)]).column("date", vec![Date(1), Date(2)]);
    table.column("vector", AnyColumn::Vector(vec![vec![1.0, 2.0], vec![3.0, 4.0]].into(), 2)).finish()
}
