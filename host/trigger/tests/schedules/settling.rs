//! `due` under ticks at random times, restarts in the middle, runs that end when they like: no instant is lost, none
//! doubled, and a tick too many changes nothing.

use crate::support::{at, schedule, with_whose};
use proptest::prelude::*;
use std::collections::BTreeMap;
use trigger::{Decision, Draft, Expression, Missed, Overlap, Schedule, Standing, Zone, due};

const OVERLAPS: [Overlap; 5] =
    [Overlap::Skip, Overlap::BufferOne, Overlap::BufferAll, Overlap::CancelOther, Overlap::Allow];
const CRONS: [&str; 8] = [
    "*/15 * * * *",
    "* * * * *",
    "30 * * * *",
    "30 2 * * *",
    "0,30 1-3 * * *",
    "0 */6 * * *",
    "0 0 * * 1",
    "17 3 13 * 5",
];
/// A zone, and a day shortly before its clocks change.
const PLACES: [(&str, &str); 6] = [
    ("Australia/Lord_Howe", "2026-10-03"),
    ("Africa/Casablanca", "2026-02-13"),
    ("America/New_York", "2026-10-31"),
    ("Europe/Berlin", "2026-03-28"),
    ("Asia/Kolkata", "2026-05-01"),
    ("Pacific/Apia", "2011-12-28"),
];

/// A schedule, when it was deployed, and what happens: how long until the next look, and what happens then.
#[derive(Debug, Clone)]
struct Story {
    schedule: Schedule,
    overlap: Overlap,
    begins_us: i64,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
struct Step {
    pause_s: i64,
    /// The server stops after it decided and before it wrote that down.
    crashes: bool,
    /// How many of the runs under way end before.
    ended: usize,
}

fn step() -> impl Strategy<Value = Step> {
    let pause = prop_oneof![2 => 0..90_i64, 3 => 300..4_000_i64, 1 => 10_000..200_000_i64];
    (pause, proptest::bool::weighted(0.2), 0..3_usize).prop_map(|(pause_s, crashes, ended)| Step {
        pause_s,
        crashes,
        ended,
    })
}

prop_compose! {
    fn story()(
        cron in proptest::sample::select(&CRONS[..]),
        (zone, day) in proptest::sample::select(&PLACES[..]),
        missed in proptest::sample::select(&[Missed::Latest, Missed::All, Missed::None][..]),
        overlap in proptest::sample::select(&OVERLAPS[..]),
        jitter_ms in prop_oneof![Just(0_u64), Just(300_000), Just(3_600_000)],
        catch_up_h in 1..50_u64,
        paused in proptest::bool::weighted(0.1),
        steps in proptest::collection::vec(step(), 1..40),
    ) -> Story {
        let kept = matches!(overlap, Overlap::BufferAll | Overlap::Allow);
        let missed = if missed == Missed::All && !kept { Missed::Latest } else { missed };
        let catch_up_ms = (missed != Missed::None).then_some(catch_up_h * 3_600_000);
        let draft = Draft {
            zone: Zone::parse(zone), missed: Some(missed), overlap: Some(overlap), jitter_ms: Some(jitter_ms), catch_up_ms, paused,
            ..Draft::default()
        };
        let schedule = Schedule::new(Expression::parse(cron).unwrap(), draft).unwrap();
        Story { schedule, overlap, begins_us: at(day), steps }
    }
}

#[derive(Default)]
struct World {
    now_us: i64,
    settled_us: i64,
    running: Vec<i64>,
    waiting: Vec<i64>,
    /// How often each instant fired or was passed over.
    fates: BTreeMap<i64, usize>,
}

impl World {
    fn decide(&self, schedule: &Schedule, now_us: i64) -> Decision {
        with_whose(|whose| {
            let (running, waiting) = (&self.running[..], &self.waiting[..]);
            due(schedule, Standing { whose, settled_us: self.settled_us, running, waiting }, now_us)
        })
    }

    fn write_down(&mut self, decision: Decision) {
        let gone = decision.fire.iter().copied().chain(decision.passed.iter().map(|passed| passed.at_us));
        gone.for_each(|at_us| *self.fates.entry(at_us).or_default() += 1);
        self.running.retain(|at_us| !decision.cancel.contains(at_us));
        self.running.extend(decision.fire);
        self.waiting = decision.waiting;
        self.settled_us = decision.settled_us;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_instant_is_lost_and_none_doubled(story in story()) {
        let Story { schedule, overlap, begins_us, steps } = story;
        let mut world = World { now_us: begins_us, settled_us: begins_us, ..World::default() };
        for step in steps {
            world.now_us += step.pause_s * 1_000_000;
            world.running.drain(..step.ended.min(world.running.len()));
            let decision = world.decide(&schedule, world.now_us);
            if step.crashes {
                continue;
            }
            prop_assert!(decision.settled_us <= world.now_us.max(world.settled_us));
            for at_us in &decision.fire {
                let starts_us = with_whose(|whose| schedule.starts_us(whose, *at_us));
                prop_assert!((*at_us..=world.now_us).contains(&starts_us) && starts_us - at_us < 3_600_000_000);
            }
            if overlap != Overlap::Allow {
                prop_assert!(decision.fire.len() <= 1 && (world.running.is_empty() || decision.fire.is_empty()));
            }
            if let Some(wake_us) = decision.wake_us.filter(|wake| *wake > world.now_us) {
                // Until then there is nothing to settle, and then there is.
                let mut later = World { fates: BTreeMap::new(), running: world.running.clone(), ..World::default() };
                later.settled_us = world.settled_us;
                later.waiting = world.waiting.clone();
                later.write_down(decision.clone());
                let before = later.decide(&schedule, wake_us - 1);
                prop_assert_eq!(before.settled_us, later.settled_us);
                prop_assert!(before.passed.is_empty());
                prop_assert!(later.decide(&schedule, wake_us).settled_us > later.settled_us);
            }
            world.write_down(decision);
        }
        world.waiting.iter().for_each(|at_us| *world.fates.entry(*at_us).or_default() += 1);
        let expected: Vec<_> = schedule.instants(begins_us, world.settled_us).map(|instant| instant.at_us).collect();
        prop_assert!(world.fates.values().all(|times| *times == 1), "doubled");
        prop_assert_eq!(world.fates.into_keys().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn who_looks_in_time_has_all_run((zone, day) in proptest::sample::select(&PLACES[..]), cron in proptest::sample::select(&CRONS[..]), jitter_ms in prop_oneof![Just(0_u64), Just(300_000)], late_us in 0..59_000_000_i64) {
        let schedule = schedule(cron, zone, Draft { jitter_ms: Some(jitter_ms), overlap: Some(Overlap::Allow), ..Draft::default() });
        let begins_us = at(day);
        let mut world = World { now_us: begins_us, settled_us: begins_us, ..World::default() };
        let mut fired = Vec::new();
        for _ in 0..100 {
            let decision = world.decide(&schedule, world.now_us);
            prop_assert!(decision.passed.is_empty() && decision.waiting.is_empty());
            fired.extend(decision.fire.iter().copied());
            world.now_us = decision.wake_us.unwrap() + late_us;
            world.write_down(decision);
        }
        let expected: Vec<_> = schedule.instants(begins_us, world.settled_us).map(|instant| instant.at_us).collect();
        prop_assert_eq!(fired, expected);
    }
}
