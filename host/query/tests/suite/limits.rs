//! What a query may use, and the name of the limit that it reaches.

use crate::made::{self, bounds, draws, float64, int64};
use data::Table;
use query::{Bounds, Error};
use types::LimitKind;

fn large(rows: i64) -> Table {
    made::table(vec![("a", int64(0..rows)), ("b", float64(draws(1).take(rows as usize).map(|n| n as f64)))])
}

fn limit_of(sql: &str, bounds: &Bounds) -> LimitKind {
    let large = large(200_000);
    match query::run(sql, &[("t", &large)], bounds) {
        Err(Error::Limit { limited }) => limited.limit,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn an_answer_has_a_limit_of_rows() {
    let bounds = Bounds { rows: 1000, ..bounds() };
    assert_eq!(limit_of("select a from t", &bounds), LimitKind::Rows);
    let large = large(5000);
    assert_eq!(query::run("select a from t limit 1000", &[("t", &large)], &bounds).unwrap().table.rows(), 1000);
}

#[test]
fn an_answer_has_a_limit_of_bytes() {
    let bounds = Bounds { output_bytes: 100_000, ..bounds() };
    assert_eq!(limit_of("select a, b from t", &bounds), LimitKind::Output);
}

#[test]
fn a_cross_join_of_large_tables_ends() {
    let bounds = Bounds { rows: 1_000_000, ..bounds() };
    assert_eq!(limit_of("select x.a from t x cross join t y", &bounds), LimitKind::Rows);
    let bounds = Bounds { memory_bytes: 4 << 20, ..bounds };
    assert_eq!(
        limit_of("select x.a, y.b, count(*) as n from t x cross join t y group by x.a, y.b", &bounds),
        LimitKind::Memory
    );
}

#[test]
fn what_cannot_be_put_aside_needs_memory() {
    let bounds = Bounds { memory_bytes: 1 << 20, ..bounds() };
    assert_eq!(limit_of("select x.a, y.b from t x join t y on x.a = y.a", &bounds), LimitKind::Memory);
    assert_eq!(limit_of("select a, sum(b) as s from t group by a", &bounds), LimitKind::Memory);
}

#[test]
fn rows_beyond_the_memory_go_to_the_disk_within_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds { memory_bytes: 20 << 20, scratch: Some(folder.path().to_owned()), ..bounds() };
    let (large, sql) = (large(200_000), "select a, sum(b) as s from t group by a order by s, a");
    let answered = query::run(sql, &[("t", &large)], &bounds).unwrap();
    assert_eq!(answered.table.rows(), 200_000);
    assert!(answered.spilled_bytes > 1 << 20, "{} bytes", answered.spilled_bytes);
    let bounds = Bounds { disk_bytes: 100_000, ..bounds };
    assert_eq!(limit_of(sql, &bounds), LimitKind::Disk);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "files were left behind");
}

#[test]
fn a_text_that_swells_needs_memory_or_room() {
    let bounds = Bounds { output_bytes: 1 << 20, ..bounds() };
    assert_eq!(limit_of("select repeat('x', 1000) as x from t", &bounds), LimitKind::Output);
}
