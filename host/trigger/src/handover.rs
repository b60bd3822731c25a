//! A schedule that gives way, or whose pause ends -> what is left of its time: everything up to now, by its own rules.

use crate::{Decision, Schedule, Standing, WAITING_MAX, Whose, due};
use types::{Passed, ScheduleState, Why};

/// Calls by which one schedule is settled: more than any that comes each minute for a year needs.
const ROUNDS_MAX: usize = 1_000;

/// What waits and what is passed over once everything up to now is settled. Nothing fires here; what was to fire is the first of
/// what waits. Runs under way are not asked for: what waits, waits for them.
pub fn hand_over(schedule: &Schedule, state: &ScheduleState, whose: Whose<'_>, now_us: i64) -> (Vec<i64>, Vec<Passed>) {
    let schedule = schedule.clone().with_paused(schedule.is_paused() || state.paused);
    let (mut settled_us, mut waiting, mut passed) = (state.settled_us, state.waiting.clone(), Vec::new());
    for _ in 0..ROUNDS_MAX {
        let standing = Standing { whose, settled_us, running: &[], waiting: &waiting };
        let Decision { fire, passed: over, waiting: rest, settled_us: upto, wake_us, .. } =
            due(&schedule, standing, now_us);
        settled_us = upto;
        waiting = fire.into_iter().chain(rest).collect();
        passed.extend(over);
        if wake_us.is_none_or(|wake| wake > now_us) {
            break;
        }
    }
    // What its jitter still held back.
    let held_back = schedule.instants(settled_us, now_us).map(|instant| instant.at_us);
    match schedule.is_paused() {
        true => passed.extend(held_back.map(|at_us| Passed { at_us, why: Why::Paused })),
        false => waiting.extend(held_back),
    }
    let beyond = waiting.split_off(waiting.len().min(WAITING_MAX));
    passed.extend(beyond.into_iter().map(|at_us| Passed { at_us, why: Why::Full }));
    passed.sort_by_key(|passed| passed.at_us);
    (waiting, passed)
}
