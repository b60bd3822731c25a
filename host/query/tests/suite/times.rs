//! The run's logical time is the only time.

use crate::made::{self, ask, bounds, small};
use data::Table;
use query::Bounds;
use types::DataType;

#[test]
fn now_is_the_logical_time() {
    let answer = ask(
        "select now() as n, current_timestamp as c, current_date as d, cast(current_time as text) as t, today() as y",
    )
    .unwrap();
    let row = &data::json_rows(&answer).unwrap()[0];
    let now = bounds().logical_time_us;
    assert_eq!((row["n"].as_i64(), row["c"].as_i64()), (Some(now), Some(now)));
    let day = now / 86_400_000_000;
    assert_eq!((row["d"].as_i64(), row["y"].as_i64()), (Some(day), Some(day)));
    assert!(row["t"].as_str().unwrap().starts_with("12:30:00"), "{row:?}");
}

#[test]
fn another_run_has_another_time() {
    let small = small();
    for logical_time_us in [0, -1, 1_000_000_000_000_000] {
        let bounds = Bounds { logical_time_us, ..bounds() };
        let answer = query::run("select now() as n", &[("t", &small)], &bounds).unwrap().table;
        assert_eq!(data::json_rows(&answer).unwrap()[0]["n"], logical_time_us);
    }
    // One that no calendar has is the first.
    let bounds = Bounds { logical_time_us: i64::MAX, ..bounds() };
    assert!(query::run("select now() as n", &[("t", &small)], &bounds).is_ok());
}

/// The column `ts` holds 1500-06-15T10:20:30.000001Z, 2026-03-01T12:30:00Z and 9999-12-31T23:59:59.999999Z, `d` their days.
fn far() -> Table {
    let instants = [-14_817_476_369_999_999_i64, 1_772_368_200_000_000, 253_402_300_799_999_999];
    let days = instants.map(|instant| instant.div_euclid(86_400_000_000) as i32);
    made::table(vec![
        ("ts", made::fixed(DataType::Timestamp, instants.map(i64::to_le_bytes))),
        ("d", made::fixed(DataType::Date, days.map(i32::to_le_bytes))),
    ])
}

/// As written, in each row.
fn texts(expression: &str) -> Vec<String> {
    let sql = format!("select cast({expression} as text) as x from i");
    let answer = made::run(&sql, &[("i", &far())]).unwrap_or_else(|error| panic!("{sql}: {error}"));
    data::json_rows(&answer)
        .unwrap()
        .iter()
        .map(|row| row["x"].as_str().unwrap_or("null").replace("+00:00", "Z"))
        .collect()
}

#[test]
fn an_instant_of_any_year_is_computed_with() {
    let at = |days: [&str; 3]| days.map(|day| format!("{day}Z"));
    for (expression, expected) in [
        ("date_trunc('year', ts)", at(["1500-01-01T00:00:00", "2026-01-01T00:00:00", "9999-01-01T00:00:00"])),
        ("date_trunc('quarter', ts)", at(["1500-04-01T00:00:00", "2026-01-01T00:00:00", "9999-10-01T00:00:00"])),
        ("date_trunc('month', ts)", at(["1500-06-01T00:00:00", "2026-03-01T00:00:00", "9999-12-01T00:00:00"])),
        // python: date(1500, 6, 15).weekday() is 4, date(9999, 12, 31).weekday() is 4
        ("date_trunc('week', ts)", at(["1500-06-11T00:00:00", "2026-02-23T00:00:00", "9999-12-27T00:00:00"])),
        ("date_trunc('hour', ts)", at(["1500-06-15T10:00:00", "2026-03-01T12:00:00", "9999-12-31T23:00:00"])),
        ("date_trunc('second', ts)", at(["1500-06-15T10:20:30", "2026-03-01T12:30:00", "9999-12-31T23:59:59"])),
        (
            "date_bin(interval '15 minutes', ts)",
            at(["1500-06-15T10:15:00", "2026-03-01T12:30:00", "9999-12-31T23:45:00"]),
        ),
        (
            "date_bin(interval '1 day', ts, timestamp '3000-01-01T06:00:00')",
            at(["1500-06-15T06:00:00", "2026-03-01T06:00:00", "9999-12-31T06:00:00"]),
        ),
        ("date_bin(interval '1 month', ts)", at(["1500-06-01T00:00:00", "2026-03-01T00:00:00", "9999-12-01T00:00:00"])),
        (
            "date_bin(interval '3 months', ts, timestamp '2000-01-31')",
            at(["1500-04-30T00:00:00", "2026-01-31T00:00:00", "9999-10-31T00:00:00"]),
        ),
        (
            "coalesce(ts, now())",
            at(["1500-06-15T10:20:30.000001", "2026-03-01T12:30:00", "9999-12-31T23:59:59.999999"]),
        ),
        ("extract(year from ts)", ["1500", "2026", "9999"].map(str::to_owned)),
        ("extract(epoch from d)", ["-14817513600.0", "1772323200.0", "253402214400.0"].map(str::to_owned)),
        (
            "extract(epoch from ts - timestamp '2000-01-01T00:00:00.5')",
            // python: timedelta.total_seconds
            ["-15764161170.499998", "825683399.5", "252455615999.5"].map(str::to_owned),
        ),
        ("ts < date '2000-01-01'", ["true", "false", "false"].map(str::to_owned)),
        ("ts < '2000-01-01'", ["true", "false", "false"].map(str::to_owned)),
        ("ts <= now()", ["true", "true", "false"].map(str::to_owned)),
        ("ts > d", ["true"; 3].map(str::to_owned)),
        ("ts between d and d + interval '1 day'", ["true"; 3].map(str::to_owned)),
        ("ts in (now(), timestamp '1500-06-15T10:20:30.000001')", ["true", "true", "false"].map(str::to_owned)),
        (
            "(select max(x) from (values (timestamp '1600-01-01'), (date '1700-01-01')) v(x)) < ts",
            ["false", "true", "true"].map(str::to_owned),
        ),
    ] {
        assert_eq!(texts(expression), expected, "{expression}");
    }
}

#[test]
fn a_text_of_any_year_is_an_instant() {
    for (expression, expected) in [
        ("timestamp '0001-01-01'", "0001-01-01T00:00:00"),
        ("cast('9999-12-31T23:59:59.9999999' as timestamp)", "9999-12-31T23:59:59.999999"),
        ("to_timestamp('1500-01-01')", "1500-01-01T00:00:00"),
        ("to_timestamp_micros('9999-01-01')", "9999-01-01T00:00:00"),
        ("to_timestamp(99999999999)", "5138-11-16T09:46:39"),
        ("to_timestamp(-1.5)", "1969-12-31T23:59:58.500"),
        ("cast(5 as timestamp)", "1970-01-01T00:00:05"),
        ("cast(to_date('1500-01-01') as timestamp)", "1500-01-01T00:00:00"),
        ("date_trunc('year', '1500-02-03')", "1500-01-01T00:00:00"),
        ("date_bin(interval '1 day', '1500-01-01T10:00:00')", "1500-01-01T00:00:00"),
    ] {
        assert_eq!(texts(expression)[0].trim_end_matches('Z'), expected, "{expression}");
    }
}

#[test]
fn instants_of_any_year_pass_through_tables_of_every_kind() {
    let count = |sql: &str| made::run(sql, &[("i", &far())]).unwrap_or_else(|error| panic!("{sql}: {error}")).rows();
    for (sql, rows) in [
        ("select ts from i union select now()", 3),
        ("select ts from i where extract(year from ts) = 1500", 1),
        ("select ts from i where date_trunc('year', ts) = timestamp '9999-01-01'", 1),
        ("select ts from i where exists (select 1 from (select timestamp '1600-01-01' as x) u where u.x < i.ts)", 2),
        ("select i.ts from i join (values (timestamp '1600-01-01'), (date '1700-01-01')) v(x) on i.ts > v.x", 4),
        (
            "select i.ts from i join generate_series(date '2020-01-01', date '2020-01-03', interval '1 day') g on i.ts < g.value",
            3,
        ),
        (
            "with recursive r(t) as (select timestamp '1500-01-01' union all \
             select t + interval '100 years' from r where t < timestamp '2500-01-01') select t from r",
            11,
        ),
        ("select ts, lag(ts, 1, timestamp '1000-01-01') over (order by ts) as l from i", 3),
        ("select date_trunc('year', ts) as y, count(*) as n from i group by date_trunc('year', ts)", 3),
    ] {
        assert_eq!(count(sql), rows, "{sql}");
    }
}

#[test]
fn what_reaches_not_so_far_says_so() {
    for (sql, says) in [
        ("select date_trunc('day', ts at time zone 'Europe/Berlin') as x from i", "at the time zone Europe/Berlin"),
        ("select ts - now() > interval '1 day' as x from i", "a time of more than 292 years"),
        (
            "select to_timestamp('1500-01-01 00:00', '%Y-%m-%d %H:%M') as x from i",
            "`cast(.. as timestamp)` takes any year",
        ),
        ("select * from generate_series(date '1500-01-01', date '1500-01-03', interval '1 day')", "from 1678 to 2261"),
        (
            "select * from generate_series(timestamp '1500-01-01', timestamp '1500-01-03', interval '1 day')",
            "before 1678",
        ),
        ("select extract(second from ts - now()) as x from i", "between instants ask for `epoch`"),
        ("select date_bin(interval '0 days', ts) as x from i", "greater than zero"),
        ("select date_bin(interval '-1 days', ts) as x from i", "greater than zero"),
        ("select date_bin(interval '1 month 1 day', ts) as x from i", "not of both"),
    ] {
        let error = made::run(sql, &[("i", &far())]).map(|table| table.rows()).unwrap_err().to_string();
        assert!(error.contains(says), "{sql}: {error}");
    }
}

/// Against what DuckDB 2.0 says, but for what PostgreSQL alone has.
#[test]
fn times_are_compared_and_cut_as_they_are() {
    for (expression, expected) in [
        ("timestamp '2024-03-01' - timestamp '2024-01-01' > interval '1 day'", "true"),
        ("timestamp '2024-03-01' - timestamp '2024-01-01' = interval '60 days'", "true"),
        ("timestamp '2024-03-01' - timestamp '2024-01-01' between interval '1 month' and interval '61 days'", "true"),
        ("interval '48 hours' > interval '1 day'", "true"),
        ("interval '24 hours' is distinct from interval '1 day'", "false"),
        ("interval '1 month' <> interval '30 days'", "false"),
        ("cast(timestamp '2024-01-31T12:30:45.5' as timestamp(0)) = timestamp '2024-01-31T12:30:45.5'", "false"),
        ("cast(timestamp '1969-12-31T23:59:59.999999' as timestamp(0)) = timestamp '1969-12-31T23:59:59'", "true"),
        ("cast(timestamp '1500-06-15T10:20:30.000001' as timestamp(3)) = timestamp '1500-06-15T10:20:30'", "true"),
        ("to_timestamp_seconds(timestamp '1969-12-31T23:59:59.9') = timestamp '1969-12-31T23:59:59'", "true"),
        ("to_timestamp_millis('1969-12-31T23:59:59.9999') = timestamp '1969-12-31T23:59:59.999'", "true"),
        ("to_unixtime(timestamp '1969-12-31T23:59:59.9')", "-1"),
        ("to_timestamp(1e11) = timestamp '5138-11-16T09:46:40'", "true"),
        ("to_timestamp(-14817476370.5) = timestamp '1500-06-15T10:20:29.5'", "true"),
        ("to_timestamp(cast(1.5 as decimal(5, 1))) = timestamp '1970-01-01T00:00:01.5'", "true"),
        ("cast(cast(5 as smallint) as timestamp) = timestamp '1970-01-01T00:00:05'", "true"),
        ("try_cast(5 as timestamp) = cast(5 as timestamp)", "true"),
        ("try_cast(1e300 as timestamp)", "null"),
        ("extract(day from timestamp '2124-01-01' - timestamp '2024-01-01')", "36524"),
        ("cast(5.25 as timestamp) = timestamp '1970-01-01T00:00:05.25'", "true"),
        ("date_trunc('year', from_unixtime(99999999999)) = timestamp '5138-01-01'", "true"),
        ("extract(epoch from timestamp '9998-12-31T00:00:00.25' - timestamp '1900-01-01')", "255579667200.25"),
        ("extract(millisecond from timestamp '2024-01-02' - timestamp '2024-01-01')", "86400000"),
        ("date_trunc('day', timestamp '1500-06-15T10:20:30Z' at time zone 'Etc/UTC') = timestamp '1500-06-15'", "true"),
    ] {
        assert_eq!(texts(expression)[0], expected, "{expression}");
    }
    for (sql, says) in [
        ("select to_timestamp(cast('nan' as double)) as x from i", "NaN"),
        ("select to_timestamp(1e300) as x from i", "1e306"),
        ("select extract(millisecond from timestamp '2024-02-02' - timestamp '2024-01-01') as x from i", "`epoch`"),
        ("select extract(microsecond from timestamp '2024-01-02' - timestamp '2024-01-01') as x from i", "`epoch`"),
        ("select date_part('ms', timestamp '2024-02-02' - timestamp '2024-01-01') as x from i", "`epoch`"),
        ("select date_part('USECS', timestamp '2024-01-02' - timestamp '2024-01-01') as x from i", "`epoch`"),
        ("select now() at time zone 'Europe/Berln' as x from i", "there is no time zone `Europe/Berln`"),
    ] {
        let error = made::run(sql, &[("i", &far())]).map(|table| table.rows()).unwrap_err().to_string();
        assert!(error.contains(says), "{sql}: {error}");
    }
    // A filter is planned otherwise than what is shown.
    let kept = "select ts from i where cast(ts as timestamp(0)) = timestamp '1500-06-15T10:20:30.000001'";
    assert_eq!(made::run(kept, &[("i", &far())]).unwrap().rows(), 0);
    let kept = "select x from (values (timestamp '2026-01-01'), (timestamp '2026-11-29')) v(x) \
                where timestamp '2026-11-30' - x > interval '10 days'";
    assert_eq!(made::run(kept, &[("i", &far())]).unwrap().rows(), 1);
}
