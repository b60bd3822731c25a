//! Sums and averages of the rows up to each: a frame has its own rows, whoever adds them up, the engine or we.

use crate::made::{self, bounds, float64, int64, with_nulls};
use query::Bounds;

const ROWS: i64 = 30_000;

/// Groups longer than a batch and shorter; every seventh value is missing. All sums are exact.
fn row(number: i64) -> (i64, i64, Option<f64>) {
    let key = if number < 20_000 { 0 } else { number % 97 };
    let value = (number % 1013) as f64 * 0.25;
    (key, number * 7919 % ROWS, (number % 7 != 0).then_some(value))
}

#[test]
fn a_frame_has_its_own_rows() {
    let table = made::table(vec![
        ("key", int64((0..ROWS).map(|number| row(number).0))),
        ("at", int64((0..ROWS).map(|number| row(number).1))),
        (
            "x",
            with_nulls(float64((0..ROWS).map(|number| row(number).2.unwrap_or(0.0))), |number| {
                row(number as i64).2.is_some()
            }),
        ),
    ]);
    let bounds = Bounds { cores: 2, ..bounds() };
    let mut rows: Vec<_> = (0..ROWS).map(row).collect();
    rows.sort_unstable_by_key(|(key, at, _)| (*key, *at));
    for (value, average, even) in
        [("avg(x)", true, false), ("sum(x)", false, false), ("avg(x) filter (where at % 2 = 0)", true, true)]
    {
        for before in [0, 2, 63, 64] {
            let sql = format!(
                "select {value} over (partition by key order by at rows between {before} preceding and current row) as v \
                 from t order by key, at"
            );
            let answered = query::run(&sql, &[("t", &table)], &bounds).unwrap_or_else(|error| panic!("{sql}: {error}"));
            for (i, got) in data::json_rows(&answered.table).unwrap().iter().enumerate() {
                let frame = rows[i.saturating_sub(before)..=i].iter().filter(|other| other.0 == rows[i].0);
                let there: Vec<f64> = frame.filter(|row| !even || row.1 % 2 == 0).filter_map(|row| row.2).collect();
                let sum = there.iter().sum::<f64>();
                let expected = if average { sum / there.len() as f64 } else { sum };
                let got = got.get("v").and_then(serde_json::Value::as_f64);
                assert_eq!(got, (!there.is_empty()).then_some(expected), "row {i}: {sql}");
            }
        }
    }
}
