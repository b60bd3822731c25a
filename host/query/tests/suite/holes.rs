//! What a query must not reach, whatever it says.

use crate::made::{ask, bounds, small};
use query::Error;

fn refused(sql: &str) -> Error {
    match ask(sql) {
        Err(error) => error,
        Ok(answer) => panic!("`{sql}` was answered with {} rows", answer.rows()),
    }
}

fn refused_as_text(sql: &str) -> String {
    match refused(sql) {
        Error::Text { message, .. } => message,
        other => panic!("`{sql}`: {other:?}"),
    }
}

#[test]
fn nothing_but_a_query_is_carried_out() {
    for sql in [
        "create table x as select 1",
        "create external table x (a int) stored as csv location '/etc/passwd'",
        "create view v as select 1",
        "create function f() returns int return 1",
        "drop table t",
        "alter table t add column z int",
        "insert into t values (1, 2, 'x')",
        "update t set a = 2",
        "delete from t",
        "truncate table t",
        "copy t to '/tmp/x.csv' stored as csv",
        "copy (select 1) to '/tmp/x.csv'",
        "set datafusion.execution.batch_size = 1",
        "reset datafusion.execution.batch_size",
        "set search_path to other",
        "show tables",
        "show all",
        "show datafusion.execution.batch_size",
        "show columns from t",
        "describe t",
        "explain select 1",
        "explain analyze select 1",
        "prepare p as select 1",
        "execute p",
        "begin",
        "commit",
        "use other",
        "grant select on t to public",
        "analyze t",
        "call f()",
        "load 'x'",
        "attach database 'x' as x",
        "vacuum",
        "declare c cursor for select 1",
        "select 1; drop table t",
        "select 1; select 2",
        "",
        "-- only a comment",
        ";",
    ] {
        let message = refused_as_text(sql);
        assert!(!message.is_empty(), "{sql}");
    }
}

#[test]
fn a_query_that_makes_or_changes_something_is_none() {
    for sql in [
        "select a into other from t",
        "with gone as (delete from t returning a) select * from gone",
        "with more as (insert into t values (1, 2, 'x') returning a) select * from more",
        "select * from (insert into t values (1, 2, 'x'))",
    ] {
        refused(sql);
    }
}

#[test]
fn no_address_is_a_table() {
    let here = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
    std::fs::write(here.path(), "a,b\n1,2\n").unwrap();
    let there = here.path().display().to_string();
    for address in
        ["/etc/passwd", "file:///etc/passwd", "http://localhost/x.csv", "s3://bucket/x.csv", "./x.json", &there]
    {
        let quoted = refused_as_text(&format!("select * from '{address}'"));
        let named = refused_as_text(&format!("select * from \"{address}\""));
        assert!(quoted.contains("there is no table") && named.contains("there is no table"), "{quoted} {named}");
    }
    for sql in [
        "select * from read_csv('/etc/passwd')",
        "select * from read_parquet('x')",
        "select * from parquet_metadata('x')",
        "select * from csv('/etc/passwd')",
        "select * from table('/etc/passwd')",
        "select input_file_name()",
    ] {
        refused(sql);
    }
}

#[test]
fn nothing_is_told_of_the_engine_and_the_machine() {
    for sql in [
        "select * from information_schema.tables",
        "select * from information_schema.df_settings",
        "select * from datafusion.information_schema.columns",
        "select * from pg_catalog.pg_tables",
        "select version()",
        "select current_setting('x')",
        "select @@version",
        "select @x",
        "select $1",
        "select current_user",
        "select session_id()",
    ] {
        refused(sql);
    }
}

#[test]
fn another_s_tables_are_not_there() {
    for sql in [
        "select * from u",
        "select * from public.u",
        "select * from datafusion.public.u",
        "select * from other.public.t",
    ] {
        assert!(refused_as_text(sql).contains("there is no table"), "{sql}");
    }
    // One query's tables, and what it names, are gone with it.
    query::run("with u as (select 1 as x) select * from u", &[("w", &small())], &bounds()).unwrap();
    refused("select * from w");
    refused("select * from u");
}

#[test]
fn nothing_is_left_to_chance() {
    for name in ["random()", "uuid()", "gen_random_uuid()", "rand()"] {
        match refused(&format!("select {name} as x from t")) {
            Error::Text { spot, message, hint, .. } => {
                assert_eq!((spot.line, spot.column), (1, 8), "{message}");
                assert!(message.contains("there is no function") && hint.is_some(), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    refused("select * from t tablesample (10 percent)");
}

/// The engine's answers to these are wrong where both sides name the same column.
#[test]
fn no_comparison_is_with_any_or_all() {
    for comparison in ["> all", "= any", "<> some"] {
        let message = refused_as_text(&format!("select a from t where a {comparison} (select a from t)"));
        assert!(message.starts_with("the query compares with `any`, `some` or `all`"), "{comparison}: {message}");
    }
}

#[test]
fn no_series_is_endless() {
    for sql in [
        "select count(*) as n from generate_series(1, 9000000000000000000)",
        "select * from range(100000000000)",
        "select * from generate_series(0, -9000000000000000000, -1)",
        "select * from generate_series(timestamp '1900-01-01', timestamp '2100-01-01', interval '1 second')",
        "select * from range(date '0001-01-01', date '2200-01-01', interval '1 millisecond')",
        "select * from unnest(generate_series(1, 100000000000))",
    ] {
        refused(sql);
    }
    let days =
        ask("select value from generate_series(date '2026-01-01', date '2026-12-31', interval '1 day')").unwrap();
    assert_eq!(days.rows(), 365);
    assert_eq!(ask("select count(*) as n from range(5)").unwrap().rows(), 1);
}

#[test]
fn recursion_ends() {
    let endless = "with recursive n(x) as (select 1 union all select 1 from n) select count(*) as c from n";
    match refused(endless) {
        Error::Value(message) => assert!(message.contains("10000 rounds"), "{message}"),
        other => panic!("{other:?}"),
    }
    let growing = "with recursive n(x) as (select 1 union all select a.x + b.a from n a cross join t b) select count(*) as c from n";
    assert!(matches!(refused(growing), Error::Limit { .. }), "{growing}");
}
