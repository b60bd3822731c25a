//! `stepwell:data/tables`: handles to tables; bytes cross a column and a chunk at a time.

use crate::bindings::wit_tables::{Column, Field, Host, HostTable, HostTableWriter};
use crate::convert;
use crate::state::{Answer, Failure, State, amount};
use data::{Table, TableWriter};
use types::{Fault, LimitKind};
use wasmtime::component::Resource;

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

    fn read(&mut self, table: Resource<Table>, column: String, offset: u64, length: u32) -> Answer<Column> {
        self.enter()?;
        Ok(convert::column_out(self.resources.get(&table)?.read(&column, offset, length)?))
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
