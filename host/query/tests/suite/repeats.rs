//! The same text, tables and cores: the same bytes, at each of 100 repeats, with the pieces of the work running in any order.

use crate::made::{self, bounds, draws, float64, int64, text, with_nulls};
use data::Table;
use query::Bounds;
use types::Digest;

const REPEATS: usize = 100;

/// Enough rows that every core has some, with keys that repeat and sums that depend on their order.
fn facts(rows: usize) -> Table {
    let number = |seed| draws(seed).take(rows);
    made::table(vec![
        ("id", int64(0..rows as i64)),
        ("key", int64(number(1).map(|n| (n % 997) as i64))),
        ("few", text(number(2).map(|n| format!("k{}", n % 5)))),
        ("x", with_nulls(float64(number(3).map(|n| n as f64 / 1e4 - 1e5)), |row| row % 11 != 0)),
        ("tie", int64(number(4).map(|n| (n % 10) as i64))),
    ])
}

fn others() -> Table {
    let rows = 25_000;
    made::table(vec![
        ("key", int64(draws(5).take(rows).map(|n| (n % 20_000) as i64))),
        ("y", float64(draws(6).take(rows).map(|n| n as f64 / 3.0))),
    ])
}

fn names() -> Table {
    made::table(vec![
        ("few", text((0..7).map(|n| format!("k{n}")))),
        ("label", text((0..7).map(|n| format!("name {n}")))),
    ])
}

fn digest(sql: &str, bounds: &Bounds, tables: &[(&str, &Table)]) -> (Digest, u64, u64) {
    let answered = query::run(sql, tables, bounds).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let reference = data::write(&answered.table, |_| Ok(())).unwrap();
    (reference.digest, reference.rows, answered.spilled_bytes)
}

fn each_repeat_is_the_same(facts: &Table, queries: &[&str], bounds: &Bounds, spills: bool) {
    let (others, names) = (others(), names());
    let tables = [("facts", facts), ("others", &others), ("names", &names)];
    for sql in queries {
        let first = digest(sql, bounds, &tables);
        assert!(first.1 > 0, "{sql}: no rows");
        assert_eq!(first.2 > 0, spills, "{sql}: {} bytes were spilled", first.2);
        for repeat in 1..REPEATS {
            assert_eq!(digest(sql, bounds, &tables).0, first.0, "{sql}: repeat {repeat} differs");
        }
    }
}

#[test]
fn joins() {
    let queries = [
        "select f.id, o.y from facts f join others o on f.key = o.key where f.tie < 3",
        "select f.few, o.key, f.x, o.y from facts f full join others o on f.key = o.key and f.id < o.y / 1e5",
        "select f.id, n.label from facts f left join names n on f.few = n.few",
        "select n.label, f.id from names n left join facts f on f.few = n.few and f.tie = 3",
        "select n.label, f.id from names n full join facts f on f.few = n.few and f.tie > 7",
        "select n.label, f.id from names n left join facts f on length(n.label) > f.tie + 4 and f.id < 3000",
        "select key from others where key not in (select key from facts where tie = 1)",
        "select n.few from names n where exists (select 1 from facts f where f.few = n.few and f.x > 0)",
        "select f.id from facts f join names n on f.few = n.few limit 17",
    ];
    each_repeat_is_the_same(&facts(26_000), &queries, &bounds(), false);
}

#[test]
fn groupings() {
    let queries = [
        "select key, sum(x) as s, avg(x) as m, count(*) as n from facts group by key",
        "select few, stddev(x) as s, median(x) as m, string_agg(few, '') as all_of_them from facts group by few",
        "select sum(x) as s, corr(x, tie) as c, sum(distinct x / 7) as d from facts",
        "select distinct key, few from facts",
        "select few, tie, sum(x) as s, grouping(few) as g from facts group by cube (few, tie)",
        "select key, count(distinct few) as n, approx_distinct(tie) as t from facts group by key",
        "select key, first_value(id) as f, min(x) as m from facts group by key limit 100",
    ];
    each_repeat_is_the_same(&facts(26_000), &queries, &bounds(), false);
}

#[test]
fn windows_orders_and_unions() {
    let queries = [
        "select id, row_number() over (partition by few order by tie) as n from facts",
        "select id, sum(x) over (partition by key order by id) as s from facts",
        "select id, avg(x) over (order by tie rows between 3 preceding and current row) as s from facts",
        "select id, tie from facts order by tie limit 25",
        "select id, tie from facts order by tie desc",
        "select few, x from facts where tie = 2 union all select few, x from facts where tie = 4",
        "select key from facts union select key from others",
        "with recursive n(x) as (select 1 union all select x + 1 from n where x < 30) select n.x, count(*) as c from n join facts f on f.key = n.x group by n.x",
    ];
    each_repeat_is_the_same(&facts(26_000), &queries, &bounds(), false);
}

#[test]
fn what_does_not_fit_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    for (mebibytes, sql) in [
        (10, "select id, sum(x) as s, count(*) as n from facts group by id"),
        (20, "select id, key, few, x from facts order by x, key"),
    ] {
        let bounds = Bounds { memory_bytes: mebibytes << 20, scratch: Some(folder.path().to_owned()), ..bounds() };
        each_repeat_is_the_same(&facts(60_000), &[sql], &bounds, true);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "files were left behind");
}

#[test]
fn rows_come_in_the_table_s_order_where_nothing_moves_them() {
    let facts = facts(26_000);
    let answer = made::run("select id, x * 2 as twice from facts where tie = 3", &[("facts", &facts)]).unwrap();
    assert!(made::numbers(&answer).is_sorted() && answer.rows() > 1000);
}
