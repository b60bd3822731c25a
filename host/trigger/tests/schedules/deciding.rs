//! `due`, jitter, backfills and clashes: a line a cell. The schedule is hourly and instants are hours of its first day.

use crate::support::{at, schedule, with_whose};
use trigger::{
    Choice, Draft, Expression, LOOKED_AT_MAX, Missed, Moment, Order, Overlap, Passed, Schedule, Standing, WAITING_MAX,
    Whose, backfill, due,
};
use types::{Id, PipelineName, TenantId};

const HOUR_US: i64 = 3_600_000_000;

fn midnight() -> i64 {
    at("2026-01-01")
}

/// What is decided about hourly instants that are settled until midnight, so many minutes after it.
fn decide(draft: Draft, running: &[i64], waiting: &[i64], minutes: i64) -> String {
    let schedule = schedule("@hourly", "UTC", draft);
    let instants = |hours: &[i64]| hours.iter().map(|hour| midnight() + hour * HOUR_US).collect::<Vec<_>>();
    let (running, waiting) = (instants(running), instants(waiting));
    let decision = with_whose(|whose| {
        let standing = Standing { whose, settled_us: midnight(), running: &running, waiting: &waiting };
        due(&schedule, standing, midnight() + minutes * 60_000_000)
    });
    let hours = |instants: &[i64]| {
        instants.iter().map(|at_us| ((at_us - midnight()) / HOUR_US).to_string()).collect::<Vec<_>>().join(" ")
    };
    let passed = |passed: &Passed| format!("{} {:?}", hours(&[passed.at_us]), passed.why);
    let parts = [
        ("fire", hours(&decision.fire)),
        ("pass", decision.passed.iter().map(passed).collect::<Vec<_>>().join(", ")),
        ("cancel", hours(&decision.cancel)),
        ("wait", hours(&decision.waiting)),
        ("wake", hours(&decision.wake_us.into_iter().collect::<Vec<_>>())),
    ];
    let said = parts.iter().filter(|(_, what)| !what.is_empty()).map(|(part, what)| format!("{part} {what}"));
    said.collect::<Vec<_>>().join("; ")
}

#[test]
fn what_was_missed() {
    let latest = "fire 3; pass 1 Superseded, 2 Superseded; wake 4";
    let none = "pass 1 Missed, 2 Missed, 3 Missed; wake 4";
    for (missed, late, on_time) in [
        (None, latest, latest),
        (Some(Missed::Latest), latest, latest),
        (Some(Missed::All), "fire 1; wait 2 3; wake 4", "fire 1; wait 2 3; wake 4"),
        (Some(Missed::None), none, "fire 3; pass 1 Missed, 2 Missed; wake 4"),
    ] {
        let draft = || Draft { missed, ..Draft::default() };
        assert_eq!(decide(draft(), &[], &[], 190), late, "{missed:?}");
        assert_eq!(decide(draft(), &[], &[], 180), on_time, "{missed:?}");
        assert_eq!(decide(draft(), &[], &[], 59), "wake 1", "{missed:?}");
        assert_eq!(decide(draft(), &[], &[], -500), "wake 1", "{missed:?}: a clock that went back");
    }
}

#[test]
fn what_is_too_old_to_be_made_up_for() {
    let all = Draft { missed: Some(Missed::All), catch_up_ms: Some(2 * 3_600_000), ..Draft::default() };
    assert_eq!(decide(all, &[], &[], 250), "fire 3; pass 1 TooOld, 2 TooOld; wait 4; wake 5");
    let latest = Draft { catch_up_ms: Some(5 * 60_000), ..Draft::default() };
    assert_eq!(decide(latest, &[], &[], 130), "pass 1 TooOld, 2 TooOld; wake 3");
}

#[test]
fn an_earlier_run_is_under_way() {
    for (overlap, idle, busy, two_wait) in [
        (None, "fire 1; wake 2", "pass 1 Overlap; wake 2", "fire -2; pass 1 Overlap; wait -1; wake 2"),
        (Some(Overlap::Skip), "fire 1; wake 2", "pass 1 Overlap; wake 2", "fire -2; pass 1 Overlap; wait -1; wake 2"),
        (Some(Overlap::BufferOne), "fire 1; wake 2", "wait 1; wake 2", "fire -2; pass -1 Superseded; wait 1; wake 2"),
        (Some(Overlap::BufferAll), "fire 1; wake 2", "wait 1; wake 2", "fire -2; wait -1 1; wake 2"),
        (
            Some(Overlap::CancelOther),
            "fire 1; wake 2",
            "cancel 0; wait 1; wake 2",
            "fire 1; pass -2 Superseded, -1 Superseded; wake 2",
        ),
        (Some(Overlap::Allow), "fire 1; wake 2", "fire 1; wake 2", "fire -2 -1 1; wake 2"),
    ] {
        let draft = || Draft { overlap, ..Draft::default() };
        assert_eq!(decide(draft(), &[], &[], 60), idle, "{overlap:?}");
        assert_eq!(decide(draft(), &[0], &[], 60), busy, "{overlap:?}");
        assert_eq!(decide(draft(), &[], &[-2, -1], 60), two_wait, "{overlap:?}");
    }
    let draft = |overlap| Draft { overlap: Some(overlap), ..Draft::default() };
    assert_eq!(decide(draft(Overlap::BufferOne), &[0], &[-1], 60), "pass -1 Superseded; wait 1; wake 2");
    assert_eq!(decide(draft(Overlap::CancelOther), &[-1], &[0], 30), "cancel -1; wait 0; wake 1", "told of again");
    assert_eq!(decide(draft(Overlap::CancelOther), &[0], &[], 30), "wake 1", "what runs is left alone");
}

#[test]
fn a_pause_passes_over_what_comes_and_keeps_what_waits() {
    let paused = || Draft { paused: true, missed: Some(Missed::All), ..Draft::default() };
    assert_eq!(decide(paused(), &[], &[-1], 130), "pass 1 Paused, 2 Paused; wait -1; wake 3");
    assert_eq!(decide(paused(), &[], &[-1], 30), "wait -1; wake 1");
}

#[test]
fn after_the_end_nothing_wakes() {
    let ended = Draft { end: Some(Moment::parse("2026-01-01T01:00").unwrap()), ..Draft::default() };
    assert_eq!(decide(ended, &[], &[], 60), "fire 1");
}

#[test]
fn long_absences_are_settled_piece_by_piece() {
    let schedule = schedule("* * * * *", "UTC", Draft::default());
    let now_us = midnight() + 2_500 * 60_000_000;
    let (mut settled_us, mut fates) = (midnight(), Vec::new());
    for _ in 0..3 {
        let decision =
            with_whose(|whose| due(&schedule, Standing { whose, settled_us, running: &[], waiting: &[] }, now_us));
        settled_us = decision.settled_us;
        fates.push((decision.fire.len(), decision.passed.len(), decision.wake_us.unwrap() <= now_us));
    }
    assert_eq!(fates, [(0, LOOKED_AT_MAX, true), (0, LOOKED_AT_MAX, true), (1, 499, false)]);
}

#[test]
fn only_so_many_wait() {
    let schedule = schedule("@hourly", "UTC", Draft { overlap: Some(Overlap::BufferAll), ..Draft::default() });
    let waiting: Vec<i64> = (1..=WAITING_MAX as i64).map(|back| midnight() - back).collect();
    let decision = with_whose(|whose| {
        let standing = Standing { whose, settled_us: midnight(), running: &[0], waiting: &waiting };
        due(&schedule, standing, midnight() + HOUR_US)
    });
    assert_eq!((decision.waiting.len(), decision.passed.len()), (WAITING_MAX, 1));
}

#[test]
fn jitter_is_the_same_every_time_and_unlike_the_neighbours() {
    let schedule = schedule("@hourly", "UTC", Draft { jitter_ms: Some(300_000), ..Draft::default() });
    let starts = |tenant: &str, pipeline: &str, hour: i64| {
        let (tenant, pipeline) = (TenantId::parse(tenant).unwrap(), PipelineName::parse(pipeline).unwrap());
        let at_us = midnight() + hour * HOUR_US;
        schedule.starts_us(Whose { tenant: &tenant, pipeline: &pipeline }, at_us) - at_us
    };
    let drawn = [
        starts("default", "train", 0),
        starts("default", "train", 1),
        starts("default", "score", 0),
        starts("acme", "train", 0),
    ];
    assert_eq!(
        drawn,
        [
            starts("default", "train", 0),
            starts("default", "train", 1),
            starts("default", "score", 0),
            starts("acme", "train", 0)
        ]
    );
    assert!(drawn.iter().all(|us| (0..300_000_000).contains(us)));
    let different: std::collections::BTreeSet<_> = drawn.into_iter().collect();
    assert_eq!(different.len(), 4);
    // The whole span is used.
    let all: Vec<_> = (0..200).map(|hour| starts("default", "train", hour)).collect();
    assert!(all.iter().any(|us| *us < 30_000_000) && all.iter().any(|us| *us > 270_000_000));
}

#[test]
fn a_backfill_runs_all_of_its_span_in_its_order() {
    let paused = Draft { paused: true, start: Some(Moment::parse("2027-01-01").unwrap()), ..Draft::default() };
    let schedule = schedule("@hourly", "UTC", paused);
    let span = (midnight() + HOUR_US, midnight() + 3 * HOUR_US);
    let begin = |overlap, order, begun, running| {
        let backfill = backfill(&schedule, span.0, span.1, overlap, order).unwrap();
        assert_eq!(backfill.instants().len(), 3);
        let hour = |instant: &trigger::Instant| (instant.at_us - midnight()) / HOUR_US;
        backfill.due(begun, running).iter().map(hour).collect::<Vec<_>>()
    };
    for (overlap, order, begun, running, expected) in [
        (Overlap::BufferAll, Order::Oldest, 0, 0, &[1][..]),
        (Overlap::BufferAll, Order::Oldest, 1, 1, &[]),
        (Overlap::BufferAll, Order::Oldest, 1, 0, &[2]),
        (Overlap::BufferAll, Order::Newest, 0, 0, &[3]),
        (Overlap::BufferAll, Order::Newest, 2, 0, &[1]),
        (Overlap::BufferAll, Order::Newest, 3, 0, &[]),
        (Overlap::Allow, Order::Oldest, 0, 0, &[1, 2, 3]),
        (Overlap::Allow, Order::Newest, 1, 1, &[2, 1]),
        (Overlap::Allow, Order::Newest, 9, 0, &[]),
    ] {
        assert_eq!(begin(overlap, order, begun, running), expected, "{overlap:?} {order:?} {begun} {running}");
    }
    for overlap in [Overlap::Skip, Overlap::BufferOne, Overlap::CancelOther] {
        let problem = backfill(&schedule, span.0, span.1, overlap, Order::Oldest).unwrap_err();
        assert_eq!(
            problem.message,
            format!("a backfill with `{}` would drop instants that it was asked for", overlap.word())
        );
    }
    let problem = backfill(&schedule, 0, midnight(), Overlap::Allow, Order::Oldest).unwrap_err();
    assert_eq!(problem.message, "the span has more than 10000 instants");
}

#[test]
fn parts_that_contradict_each_other() {
    let clashes = |cron: &str, draft: Draft| {
        let clashes = Schedule::new(Expression::parse(cron).unwrap(), draft).err().unwrap_or_default();
        clashes.into_iter().map(|clash| format!("{}: {}", clash.key, clash.problem.message)).collect::<Vec<_>>()
    };
    let moment = |text: &str| Some(Moment::parse(text).unwrap());
    for overlap in [Overlap::Skip, Overlap::BufferOne, Overlap::CancelOther] {
        let draft = Draft { missed: Some(Missed::All), overlap: Some(overlap), ..Draft::default() };
        let word = overlap.word();
        assert_eq!(
            clashes("@daily", draft),
            [format!("overlap: `overlap = \"{word}\"` would drop what `missed = \"all\"` promises to run")]
        );
    }
    for overlap in [Overlap::BufferAll, Overlap::Allow] {
        let draft = Draft { missed: Some(Missed::All), overlap: Some(overlap), ..Draft::default() };
        assert!(clashes("@daily", draft).is_empty(), "{overlap:?}");
    }
    let draft = Draft { missed: Some(Missed::None), catch_up_ms: Some(1), ..Draft::default() };
    assert_eq!(clashes("@daily", draft), ["catch_up: `catch_up` does nothing beside `missed = \"none\"`"]);
    let draft = Draft { jitter_ms: Some(2 * 86_400_000), catch_up_ms: Some(u64::MAX), ..Draft::default() };
    assert_eq!(clashes("@daily", draft).len(), 2);
    let draft = Draft { start: moment("2026-03-02"), end: moment("2026-03-01"), ..Draft::default() };
    assert_eq!(clashes("@daily", draft), ["end: the schedule ends before it starts"]);
    let draft = Draft { start: moment("2026-03-02"), end: moment("2026-12-31"), ..Draft::default() };
    assert_eq!(clashes("0 0 1 1 *", draft), ["end: `0 0 1 1 *` never comes between start and end"]);
}
