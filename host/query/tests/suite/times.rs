//! The run's logical time is the only time.

use crate::made::{ask, bounds, small};
use query::Bounds;

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
