//! Queries by crate `query` beside DuckDB: the same text over the same five million rows, as many threads.

use crate::figure::{Figure, LONG_ROUNDS, Wanted};
use crate::side;
use anyhow::{Context, Result, ensure};
use data::{GuestColumn, PART_ROWS, Table, TableWriter};
use query::Bounds;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use types::DataType::{self, Float64, Int64};
use types::{Field, Schema};

const THREADS: usize = 2;
/// Enough that no row leaves the memory, as none of the rival's does.
const MEMORY_BYTES: u64 = 8 << 30;
/// Task, figure, goal.
const QUERIES: [(&str, &str, f64); 3] = [
    ("groupby", "sql.groupby_vs_duckdb_ratio", 1.5),
    ("window", "sql.window_vs_duckdb_ratio", 1.5),
    ("join", "sql.join_vs_duckdb_ratio", 2.0),
];
const FACTS: [(&str, DataType); 5] = [("k", Int64), ("ts", Int64), ("a", Float64), ("b", Float64), ("c", Int64)];
const DIM: [(&str, DataType); 3] = [("k", Int64), ("w", Float64), ("g", Int64)];

pub(crate) fn measure(python: &Path, wanted: &Wanted) -> Result<()> {
    for (task, name, goal) in QUERIES.into_iter().filter(|(_, name, _)| wanted.has(name)) {
        let folder = tempfile::tempdir()?;
        let mut sides = side::both(task, THREADS, python, folder.path())?;
        let [ours, rival] = side::quickest(&mut sides, LONG_ROUNDS)?;
        ensure!(ours.rows == rival.rows, "`{task}` gives {:?} rows here and {:?} there", ours.rows, rival.rows);
        Figure { name, of: None, value: ours.seconds / rival.seconds, unit: "ratio", goal: Some(goal) }.print();
        let value = rival.seconds * 1e3;
        Figure { name: "sql.duckdb_ms", of: Some(task), value, unit: "ms", goal: None }.print();
    }
    Ok(())
}

/// Our side: the rival's text over the rival's rows.
pub(crate) fn turns(folder: &Path) -> Result<impl FnMut() -> Result<Value> + use<>> {
    let text = std::fs::read_to_string(folder.join("query.sql")).context("no query was left")?;
    let (facts, dim) = (table(folder, "facts", &FACTS)?, table(folder, "dim", &DIM)?);
    let bounds = Bounds {
        cores: THREADS,
        memory_bytes: MEMORY_BYTES,
        disk_bytes: 0,
        scratch: None,
        rows: u64::MAX,
        output_bytes: u64::MAX,
        logical_time_us: 0,
    };
    Ok(move || {
        let begin = Instant::now();
        let answered = query::run(&text, &[("facts", &facts), ("dim", &dim)], &bounds)?;
        Ok(json!({ "seconds": begin.elapsed().as_secs_f64(), "rows": answered.table.rows() }))
    })
}

/// A table of columns of eight bytes a row, in parts as a stored one has.
fn table(folder: &Path, name: &str, columns: &[(&str, DataType)]) -> Result<Table> {
    let field = |&(name, data_type): &(&str, DataType)| Field { name: name.to_owned(), data_type, nullable: false };
    let mut writer = TableWriter::create(Schema { fields: columns.iter().map(field).collect() })?;
    let read = |(column, data_type): &(&str, DataType)| {
        let file = format!("{name}.{column}.{data_type}");
        std::fs::read(folder.join(&file)).with_context(|| format!("no file `{file}`"))
    };
    let values = columns.iter().map(read).collect::<Result<Vec<_>>>()?;
    let rows = values.first().map_or(0, |values| values.len() / 8);
    for start in (0..rows).step_by(PART_ROWS) {
        let end = rows.min(start + PART_ROWS);
        let part = |((_, data_type), values): (&(&str, DataType), &Vec<u8>)| GuestColumn {
            data_type: *data_type,
            length: (end - start) as u32,
            validity: None,
            offsets: None,
            data: values[8 * start..8 * end].to_vec(),
        };
        writer.append(columns.iter().zip(&values).map(part).collect())?;
    }
    Ok(writer.finish()?)
}
