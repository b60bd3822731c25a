//! `stepwell:data/tables`: handles to tables; bytes cross a column and a chunk at a time.

use crate::bindings::WitError;
use crate::bindings::wit_tables::{Column, DataType, Field, Host, HostTable, HostTableWriter};
use crate::convert;
use crate::state::{Answer, Failure, State, amount};
use bytes::Bytes;
use data::{LentColumn, Table, TableWriter};
use types::{CONTRACT, Fault, LimitKind};
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower, Resource};

/// [`Column`], whose bytes lie where the table's do: one copy, into the guest's memory, where the bindings' own type needs two.
/// Most of what a guest works on comes this way.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Lent {
    #[component(name = "data-type")]
    data_type: DataType,
    length: u32,
    validity: Option<Bytes>,
    offsets: Option<Bytes>,
    data: Bytes,
}

impl From<LentColumn> for Lent {
    fn from(lent: LentColumn) -> Self {
        let LentColumn { data_type, length, validity, offsets, data } = lent;
        Self { data_type: convert::type_out(data_type), length, validity, offsets, data }
    }
}

/// Which column or columns of a table are asked for, from which row, and how many rows.
type Asked<Columns> = (Resource<Table>, Columns, u64, u32);

/// Puts the reading of columns in the place of what the bindings made for it.
pub(crate) fn read_lent(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut tables = linker.instance(&format!("stepwell:data/tables@{CONTRACT}"))?;
    tables.func_wrap("[method]table.read", |mut store: StoreContextMut<'_, State>, asked| {
        told(store.data_mut().lend(asked))
    })?;
    tables.func_wrap("[method]table.read-columns", |mut store: StoreContextMut<'_, State>, asked| {
        told(store.data_mut().lend_columns(asked))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// An answer as a function of the linker gives it.
fn told<T>(answer: Answer<T>) -> wasmtime::Result<(Result<T, WitError>,)> {
    match answer {
        Ok(given) => Ok((Ok(given),)),
        Err(Failure::Told(error)) => Ok((Err(error),)),
        Err(Failure::Trap(trap)) => Err(trap),
    }
}

/// For a call that never gets to what the bindings made for it.
fn stands_behind() -> Failure {
    Failure::Trap(wasmtime::Error::msg("columns are read through `read_lent`"))
}

impl State {
    fn lend(&mut self, (table, column, offset, length): Asked<String>) -> Answer<Lent> {
        self.enter()?;
        Ok(self.resources.get(&table)?.lend(&column, offset, length)?.into())
    }

    fn lend_columns(&mut self, (table, columns, offset, length): Asked<Vec<String>>) -> Answer<Vec<Lent>> {
        self.enter()?;
        let lent = self.resources.get(&table)?.lend_columns(&columns, offset, length)?;
        Ok(lent.into_iter().map(Lent::from).collect())
    }
}

impl Host for State {}

impl HostTable for State {
    fn schema(&mut self, table: Resource<Table>) -> wasmtime::Result<Vec<Field>> {
        self.enter()?;
        Ok(self.resources.get(&table)?.schema().fields.iter().map(convert::field_out).collect())
    }

    fn rows(&mut self, table: Resource<Table>) -> wasmtime::Result<u64> {
        self.enter()?;
        Ok(self.resources.get(&table)?.rows())
    }

    fn read(&mut self, _: Resource<Table>, _: String, _: u64, _: u32) -> Answer<Column> {
        Err(stands_behind())
    }

    fn read_columns(&mut self, _: Resource<Table>, _: Vec<String>, _: u64, _: u32) -> Answer<Vec<Column>> {
        Err(stands_behind())
    }

    fn select(&mut self, table: Resource<Table>, columns: Vec<String>) -> Answer<Resource<Table>> {
        self.enter()?;
        let selected = self.resources.get(&table)?.select(&columns)?;
        self.hold(selected)
    }

    fn take(&mut self, table: Resource<Table>, rows: Vec<u64>) -> Answer<Resource<Table>> {
        self.enter()?;
        let taken = self.resources.get(&table)?.take(&rows)?;
        self.hold(taken)
    }

    fn slice(&mut self, table: Resource<Table>, offset: u64, length: u64) -> wasmtime::Result<Resource<Table>> {
        self.enter()?;
        let slice = self.resources.get(&table)?.slice(offset, length);
        // The contract has no error for this call.
        self.hold(slice).map_err(Failure::into_trap)
    }

    fn with_columns(&mut self, table: Resource<Table>, columns: Resource<Table>) -> Answer<Resource<Table>> {
        self.enter()?;
        let joined = self.resources.get(&table)?.with_columns(self.resources.get(&columns)?)?;
        self.hold(joined)
    }

    fn drop(&mut self, table: Resource<Table>) -> wasmtime::Result<()> {
        self.let_go(table)?;
        Ok(())
    }
}

impl HostTableWriter for State {
    fn create(&mut self, schema: Vec<Field>) -> Answer<Resource<TableWriter>> {
        self.enter()?;
        let fields: Vec<_> = schema.into_iter().map(convert::field_in).collect();
        self.hold(TableWriter::create(data::schema(&fields))?)
    }

    fn append(&mut self, writer: Resource<TableWriter>, columns: Vec<Column>) -> Answer<()> {
        self.enter()?;
        let columns = columns.into_iter().map(convert::column_in).collect();
        let writer = self.resources.get_mut(&writer)?;
        writer.append(columns)?;
        let (rows, bytes, limits) = (writer.rows(), writer.bytes(), self.limits);
        if rows > limits.rows {
            self.usage.rows_out = self.usage.rows_out.max(rows);
            let done = format!("wrote {rows} rows of a table");
            return Err(self.trip(Fault::beyond(LimitKind::Rows, done, limits.rows)).into());
        }
        if bytes > limits.output_bytes {
            self.usage.bytes_out = self.usage.bytes_out.max(bytes);
            let done = format!("wrote {} of a table", amount(bytes));
            return Err(self.trip(Fault::beyond(LimitKind::Output, done, limits.output_bytes)).into());
        }
        Ok(())
    }

    fn finish(&mut self, writer: Resource<TableWriter>) -> Answer<Resource<Table>> {
        self.enter()?;
        let table = self.let_go(writer)?.finish()?;
        self.hold(table)
    }

    fn drop(&mut self, writer: Resource<TableWriter>) -> wasmtime::Result<()> {
        self.let_go(writer)?;
        Ok(())
    }
}
