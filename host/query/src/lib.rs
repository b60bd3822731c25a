//! SQL and tables -> a table. The only crate that names datafusion; runs inside a worker process.
//!
//! ```text
//!  text --text::parse--> one query --session--> plan --steady--> operators in a fixed order --answer--> Table
//!                                       \--answer::schema_of--> columns, nothing run
//! ```
//! The engine is no wall: what a query may name is what it was given. It has no files, network, settings, clock or chance
//! ([`session`] closes each door), and its size is bounded before it is planned ([`text`]). Its memory is a share of the step's
//! and beyond that its rows lie in the worker's scratch folder ([`memory`], [`spill`]). It has no deadline of its own: whoever
//! runs the worker kills it.
//!
//! Instants count microseconds throughout, as columns do ([`instants`]), and some functions are ours ([`mended`]).
//!
//! The same text, tables and cores give the same bytes, also where the text asks for no order: [`steady`] says how.

mod answer;
mod calendar;
mod calls;
mod error;
mod exchange;
mod functions;
mod instants;
mod intervals;
mod lanes;
mod literals;
mod memory;
mod mended;
mod missing;
mod moving;
mod nesting;
mod operands;
mod place;
mod rounding;
mod rounds;
mod series;
mod session;
mod spill;
mod steady;
mod text;

pub use error::{Error, Limited};
pub use text::{
    EXPRESSION_DEPTH_MAX, GROUPING_SETS_MAX, READ_MAX, RELATIONS_MAX, SUBQUERY_DEPTH_MAX, TEXT_BYTES_MAX, TOKENS_MAX,
};

use data::Table;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use types::Schema;

/// The stack that planning has. Depth is bounded in [`text`]; this is what those bounds need.
const STACK_BYTES: usize = 16 << 20;
/// More would not be quicker: each has a share of the memory.
const CORES_MAX: usize = 16;

/// What a query may use.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Threads, and pieces that its work is divided into. Another number may order the rows otherwise.
    pub cores: usize,
    /// For what grows with the data while it computes; the answer is not in it.
    pub memory_bytes: u64,
    /// For rows that do not fit the memory.
    pub disk_bytes: u64,
    /// Where those lie; without it there are none.
    pub scratch: Option<PathBuf>,
    /// Of the answer.
    pub rows: u64,
    /// Of the answer.
    pub output_bytes: u64,
    /// What `now()` is.
    pub logical_time_us: i64,
}

/// An answer and what it took.
#[derive(Debug)]
pub struct Answered {
    pub table: Table,
    /// The most that lay in the scratch folder at once.
    pub spilled_bytes: u64,
}

/// The processors that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).clamp(1, CORES_MAX)
}

/// Words of SQL whose value is the logical time, alone or as a call.
const TIMES: [&str; 5] = ["now", "today", "current_date", "current_time", "current_timestamp"];

/// Whether the answer can depend on the logical time. True of some texts whose answer does not: of a column that is called so, and of what is
/// no SQL.
pub fn may_read_time(sql: &str) -> bool {
    let is_time = |word: &str| TIMES.iter().any(|time| time.eq_ignore_ascii_case(word));
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize();
    tokens.map_or(true, |tokens| tokens.iter().any(|token| matches!(token, Token::Word(word) if is_time(&word.value))))
}

/// Carries out a query over named tables.
pub fn run(sql: &str, tables: &[(&str, &Table)], bounds: &Bounds) -> Result<Answered, Error> {
    apart(|| {
        let runtime = runtime(bounds.cores)?;
        let disk = Arc::new(spill::Disk::new(bounds.scratch.clone(), bounds.disk_bytes));
        let answered = runtime.block_on(answer::answer(sql, tables, bounds, &disk));
        let table = answered.map_err(|error| error.of_disk(&disk))?;
        Ok(Answered { table, spilled_bytes: disk.peak() })
    })
}

/// The columns of the answer over tables of these columns. Plans and runs nothing.
pub fn columns(sql: &str, tables: &[(&str, &Schema)], bounds: &Bounds) -> Result<Schema, Error> {
    let empty: Vec<(&str, Table)> =
        tables.iter().map(|(name, schema)| (*name, Table::empty((*schema).clone()))).collect();
    let tables: Vec<(&str, &Table)> = empty.iter().map(|(name, table)| (*name, table)).collect();
    apart(|| runtime(1)?.block_on(answer::columns(sql, &tables, bounds)))
}

/// On a thread with room to recurse. The engine panics on some texts; that is its bug, and the query's end.
fn apart<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let contained = || catch_unwind(AssertUnwindSafe(work));
        let thread = std::thread::Builder::new().name("query".to_owned()).stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, contained).map_err(|error| Error::Host(error.to_string()))?;
        match thread.join() {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) | Err(panic) => Err(Error::Engine(said(panic.as_ref()))),
        }
    })
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Without a clock and without sockets: nothing here waits for either.
fn runtime(cores: usize) -> Result<tokio::runtime::Runtime, Error> {
    let threads = cores.clamp(1, CORES_MAX);
    let built =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).max_blocking_threads(threads).build();
    built.map_err(|error| Error::Host(format!("cannot start the threads of a query: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enough for small tables.
    pub(crate) fn bounds() -> Bounds {
        Bounds {
            cores: 4,
            memory_bytes: 256 << 20,
            disk_bytes: 0,
            scratch: None,
            rows: 1 << 20,
            output_bytes: 64 << 20,
            // 2026-03-01T12:00:00Z
            logical_time_us: 1_772_366_400_000_000,
        }
    }
}
