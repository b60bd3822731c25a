//! SQL over tables that stay in the host: `query::run("select .. from rows", &[("rows", &table)])?`.

use crate::bindings::stepwell::data::query;
use crate::{Field, Result, Table};

/// Answers a query over tables, each under its name. What is wrong with the text is [`Error::InvalidInput`](crate::Error)
/// with line, column and a caret.
pub fn run(sql: &str, tables: &[(&str, &Table)]) -> Result<Table> {
    let tables: Vec<_> = tables.iter().map(|(name, table)| ((*name).to_owned(), *table)).collect();
    query::run(sql, &tables)
}

/// The columns that the answer has over tables of these columns, for `describe`: nothing is run.
pub fn columns(sql: &str, tables: &[(&str, &[Field])]) -> Result<Vec<Field>> {
    let tables: Vec<_> = tables.iter().map(|(name, fields)| ((*name).to_owned(), fields.to_vec())).collect();
    query::columns(sql, &tables)
}
