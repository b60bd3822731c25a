//! Files and guest columns <-> checked [`Table`]s. The only crate that names arrow; `query` has it with its engine.
//!
//! ```text
//!  guest column (bytes) --column::decode--> arrow array --\
//!                                                          Table --parts::write--> Arrow IPC files (blobs), canonical
//!  rows, again and again --log::LogWriter--> a growing Arrow IPC stream --log::open_log--> Table
//!  blobs (mapped files) --parts::open----> record batches -/         \--column::encode--> guest column (bytes)
//! ```
//! A table is a schema and batches. Its stored form is canonical (fixed rows a part, zero under nulls, no bitmap without
//! nulls), so equal rows have an equal digest whoever wrote them in whatever pieces.

mod column;
mod decode;
mod gather;
mod groups;
mod log;
mod message;
mod parts;
mod rows;
mod schemas;
mod table;

pub use column::{CHUNK_BYTES_MAX, GuestColumn, LentColumn};
pub use gather::Gathered;
pub use groups::groups;
pub use log::{LogRead, LogWriter, open_log};
pub use message::{open_message, to_message};
pub use parts::{PART_ROWS, StoredPart, check_kept, open, open_bytes, to_bytes, verify, write};
pub use rows::{column_as_text, json_rows, not_finite, numbers, numbers_as, numbers_or_nan, shown_rows, texts};
pub use schemas::{arrow_schema, schema};
pub use table::{Table, TableWriter, check_schema};

use types::DataType;

/// Why a table cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("column `{column}` is missing; there are {present}")]
    Missing { column: String, present: String },
    #[error("column `{column}` is {got}, expected {expected}")]
    Type { column: String, expected: String, got: DataType },
    #[error("column `{column}`: {reason}")]
    Column { column: String, reason: String },
    #[error("{rows} rows of column `{column}` are {bytes} bytes, at most {limit} pass in one call; read fewer")]
    Chunk { column: String, rows: u32, bytes: usize, limit: usize },
    #[error("{0}")]
    Shape(String),
    #[error("stored table is damaged: {0}")]
    Damaged(String),
    #[error("cannot read or write `{path}`: {source}")]
    Io { path: String, source: std::io::Error },
}
