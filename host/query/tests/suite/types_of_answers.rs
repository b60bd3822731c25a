//! Each type of a table goes in and comes out as it is; the engine's others become one of ours, or are refused by name.

use crate::made::{self, ask, bounds, fixed, float64, int64, text, with_nulls};
use data::{GuestColumn, Table};
use query::Error;
use types::DataType;

fn every_type() -> Table {
    let bytes = GuestColumn { data_type: DataType::Bytes, ..text(["\0", "\u{1}\u{2}", ""]) };
    let booleans =
        GuestColumn { data_type: DataType::Boolean, length: 3, validity: None, offsets: None, data: vec![0b101] };
    let vectors = [[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]].map(|v| [v[0].to_le_bytes(), v[1].to_le_bytes()].concat());
    let vectors = GuestColumn {
        data_type: DataType::Vector(2),
        length: 3,
        validity: None,
        offsets: None,
        data: vectors.concat(),
    };
    let gap = |column| with_nulls(column, |row| row != 1);
    made::table(vec![
        ("boolean", gap(booleans)),
        ("int64", gap(int64([i64::MIN, 0, i64::MAX]))),
        ("float32", gap(fixed(DataType::Float32, [0.1f32, 0.0, f32::NAN].map(f32::to_le_bytes)))),
        ("float64", gap(float64([0.1, 0.0, -0.0]))),
        ("text", gap(text(["é", "", "z"]))),
        ("bytes", gap(bytes)),
        ("timestamp", gap(fixed(DataType::Timestamp, [-1i64, 0, 1_772_366_400_000_001].map(i64::to_le_bytes)))),
        ("date", gap(fixed(DataType::Date, [-1i32, 0, 20_000].map(i32::to_le_bytes)))),
        ("vector", gap(vectors)),
    ])
}

fn digest(table: &Table) -> types::Digest {
    data::write(table, |_| Ok(())).unwrap().digest
}

#[test]
fn a_table_passes_through_unchanged() {
    let table = every_type();
    for sql in [
        "select * from t",
        "select * from t where true",
        "select t.* from t order by \"int64\" nulls first limit 5 offset 0",
    ] {
        let answer = made::run(sql, &[("t", &table)]).unwrap();
        assert_eq!(answer.schema(), table.schema(), "{sql}");
    }
    assert_eq!(digest(&made::run("select * from t", &[("t", &table)]).unwrap()), digest(&table));
    let empty = Table::empty(table.schema().clone());
    assert_eq!(digest(&made::run("select * from t", &[("t", &empty)]).unwrap()), digest(&empty));
}

#[test]
fn an_answer_s_types_are_those_of_the_rule() {
    for (expression, expected) in [
        ("1", DataType::Int64),
        ("cast(1 as tinyint)", DataType::Int64),
        ("cast(1 as int)", DataType::Int64),
        ("cast(1 as int unsigned)", DataType::Int64),
        ("count(*)", DataType::Int64),
        ("row_number() over ()", DataType::Int64),
        ("sum(a)", DataType::Int64),
        ("avg(a)", DataType::Float64),
        ("cast(1.5 as real)", DataType::Float32),
        ("1.5", DataType::Float64),
        ("cast(1.5 as decimal(10, 2))", DataType::Float64),
        ("'x'", DataType::Text),
        ("arrow_cast('x', 'Utf8View')", DataType::Text),
        ("arrow_cast('x', 'LargeUtf8')", DataType::Text),
        ("arrow_cast('x', 'Dictionary(Int32, Utf8)')", DataType::Text),
        ("arrow_cast('x', 'BinaryView')", DataType::Bytes),
        ("x'00ff'", DataType::Bytes),
        ("date '2026-01-01'", DataType::Date),
        ("arrow_cast(date '2026-01-01', 'Date64')", DataType::Date),
        ("timestamp '2026-01-01 00:00:00'", DataType::Timestamp),
        ("now()", DataType::Timestamp),
        ("to_timestamp_seconds(5)", DataType::Timestamp),
        ("true", DataType::Boolean),
        ("c is null", DataType::Boolean),
    ] {
        let grouped = if expression.contains("(a)") || expression.contains("count") { "" } else { " limit 1" };
        let column = expression.replace("(a)", "(t.a)");
        let sql = match expression {
            "c is null" => "select c is null as x from t limit 1".to_owned(),
            _ => format!("select {column} as x from t{grouped}"),
        };
        let answer = ask(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(answer.schema().fields[0].data_type, expected, "{sql}");
        let planned = query::columns(&sql, &[("t", made::small().schema())], &bounds()).unwrap();
        assert_eq!(planned, *answer.schema(), "{sql}: planned and answered");
    }
}

#[test]
fn instants_are_utc_and_cut_to_microseconds() {
    let sql = "select timestamp '2026-01-01 00:00:00.123456789' as a, to_timestamp_seconds(5) as b, \
               arrow_cast(timestamp '2026-07-01 12:00:00', 'Timestamp(Nanosecond, Some(\"+02:00\"))') as c";
    let row = &data::json_rows(&ask(sql).unwrap()).unwrap()[0];
    assert_eq!((row["a"].as_i64(), row["b"].as_i64()), (Some(1_767_225_600_123_456), Some(5_000_000)));
    // 12:00 at two hours east of Greenwich.
    assert_eq!(row["c"].as_i64(), Some(1_782_900_000_000_000));
}

#[test]
fn what_no_table_has_is_refused_by_name() {
    for expression in [
        "interval '1 day'",
        "cast('12:00' as time)",
        "now() - timestamp '2026-01-01 00:00:00'",
        "array_agg(a)",
        "named_struct('a', 1)",
        "null",
    ] {
        match ask(&format!("select {expression} as odd from t")) {
            Err(Error::Text { message, hint, .. }) => {
                assert!(message.contains("column `odd`") && hint.is_some(), "{expression}: {message}");
            }
            other => panic!("{expression}: {other:?}"),
        }
    }
}

#[test]
fn columns_are_planned_and_nothing_is_run() {
    let schema = made::small().schema().clone();
    let plan = |sql: &str| query::columns(sql, &[("t", &schema)], &bounds());
    // It would divide by zero, and recurse without end.
    let sql = "with recursive n(x) as (select 1 union all select 1 from n) select c, sum(a) / 0 as x, (select count(*) from n) as n from t group by c";
    let names: Vec<String> = plan(sql).unwrap().fields.into_iter().map(|field| field.name).collect();
    assert_eq!(names, ["c", "x", "n"]);
    assert!(matches!(plan("select d from t"), Err(Error::Text { .. })));
    assert!(matches!(plan("select upper(a, b) from t"), Err(Error::Text { .. })));
}

#[test]
fn digits_that_no_number_has_change_nothing() {
    for (expression, expected) in [
        ("round(1.5, 1)", 1.5),
        ("round(1.25, 400)", 1.25),
        ("trunc(1.25, 400)", 1.25),
        ("trunc(1.25, 4294967296)", 1.25),
        ("round(-1.25, -400)", 0.0),
        ("trunc(125.0, -400)", 0.0),
        ("round(cast(1e300 as double), 10)", 1e300),
        ("round(cast(1.5 as float), 60)", 1.5),
        ("round(b, 400)", 0.5),
        ("round(b, 3000000000)", 0.5),
        ("round(b, a + 3000000000)", 0.5),
        ("round(b, a - 3000000000)", 0.0),
        ("trunc(b, cast(a * 400 as bigint))", 0.5),
        ("round(cast('nan' as double), 2)", f64::NAN),
        ("round(cast('inf' as double), 2)", f64::INFINITY),
    ] {
        let answer = ask(&format!("select cast({expression} as double) as x from t order by a limit 1")).unwrap();
        let got = made::numbers(&answer)[0];
        assert!(got == expected || got.is_nan() && expected.is_nan(), "{expression}: {got}, not {expected}");
    }
    for null in [
        "round(cast(null as double), 400)",
        "trunc(cast(null as double), 2)",
        "trunc(null, a)",
        "round(null, a)",
        "trunc(b, null)",
    ] {
        let answer = ask(&format!("select {null} as x from t")).unwrap_or_else(|error| panic!("{null}: {error}"));
        assert!(data::json_rows(&answer).unwrap().iter().all(|row| row["x"].is_null()), "{null}");
    }
}
