//! Whatever the text and whatever the time: a schedule or a problem, never a panic, and never more than is bounded.

use crate::support::{schedule, with_whose};
use proptest::prelude::*;
use trigger::{Draft, Expression, Moment, Order, Overlap, Schedule, Standing, Zone, backfill, due, preview};

fn try_text(text: &str) {
    if let Ok(expression) = Expression::parse(text) {
        let schedule = Schedule::new(expression, Draft::default()).unwrap();
        assert!(schedule.instants(i64::MIN, i64::MAX).next().is_some(), "{text} never comes");
    }
    let _ = Zone::of_city(text);
    for zone in [Zone::parse(text).unwrap_or(Zone::UTC), Zone::parse("Pacific/Apia").unwrap()] {
        if let Ok(moment) = Moment::parse(text) {
            assert!(moment.begins_us(zone) <= moment.ends_us(zone) + 1, "{text}");
        }
    }
}

const PIECES: [&str; 28] = [
    "*", "*/", "*/5", "-", ",", "/", " ", " ", " ", " ", "0", "7", "31", "59", "60", "99", "mon", "SUN", "jan", "L",
    "W", "#", "?", "@daily", "@every", "2026-", "T06:00", "é",
];

fn any_us() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -10_i64..10, 0..4_200_000_000_000_000_i64, Just(i64::MIN), Just(i64::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_any_text(text in any::<String>()) {
        try_text(&text);
    }

    #[test]
    fn on_pieces(pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..16)) {
        try_text(&pieces.concat());
    }

    #[test]
    fn on_any_dates(year in 0..10_000, month in 0..14, day in 0..33, hour in 0..26, minute in 0..62, offset in "Z|[+-][0-9]{2}:[0-9]{2}|") {
        try_text(&format!("{year:04}-{month:02}-{day:02}"));
        try_text(&format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00{offset}"));
    }

    #[test]
    fn at_any_time(from in any_us(), to in any_us(), now in any_us(), zone in proptest::sample::select(&["UTC", "Pacific/Apia"][..]), jitter_ms in 0..86_400_001_u64) {
        for cron in ["* * * * *", "0 0 29 2 *"] {
            let schedule = schedule(cron, zone, Draft { jitter_ms: Some(jitter_ms), ..Draft::default() });
            assert!(schedule.instants(from, to).take(10).all(|instant| from < instant.at_us && instant.at_us <= to));
            with_whose(|whose| {
                assert!(preview(&schedule, whose, from, to, 10).rows.len() <= 10);
                let standing = Standing { whose, settled_us: from, running: &[to], waiting: &[to] };
                let decision = due(&schedule, standing, now);
                assert!(decision.passed.len() + decision.fire.len() <= trigger::LOOKED_AT_MAX + 1);
            });
            let _ = backfill(&schedule, from, to, Overlap::Allow, Order::Newest);
        }
    }
}
