//! Two versions of a project -> how the newer one takes over their schedules. Pure.
//!
//! A schedule that stays the same goes on as if nothing had happened. One that changes has its time settled by its old rules
//! first, and what would have begun by them waits for the new version. One that is new begins now: nothing before counts.

use crate::deploy::Deployed;
use trigger::{Decision, Schedule, Standing, Whose, due};
use types::{Fault, Passed, PipelineName, Record, ScheduleState, TenantId, Why};

/// Calls by which one schedule is settled: more than any that comes each minute for a year needs.
const ROUNDS_MAX: usize = 1_000;

/// Reads how far a pipeline's schedule is.
type StateOf<'a> = dyn Fn(&PipelineName) -> Result<Option<ScheduleState>, Fault> + 'a;

/// What is to be true when the newer version is. The older one's runs under way are not asked for: what waits, waits for them.
pub(crate) fn records(
    tenant: &TenantId,
    old: Option<&Deployed>,
    new: &Deployed,
    state: &StateOf<'_>,
) -> Result<Vec<Record>, Fault> {
    let now_us = new.deployment.deployed_us;
    let mut records = Vec::new();
    for (pipeline, schedule) in new.schedules() {
        let before = old.and_then(|old| old.project.pipelines.get(pipeline)?.schedule.as_ref());
        let state = state(pipeline)?.unwrap_or_default();
        let (waiting, passed) = match before {
            Some(before) if before == schedule => continue,
            Some(before) => settled(before, &state, Whose { tenant, pipeline }, now_us),
            None => (Vec::new(), Vec::new()),
        };
        records.push(Record::ScheduleSettled {
            project: new.project.name.clone(),
            pipeline: pipeline.clone(),
            settled_us: now_us.max(state.settled_us),
            waiting,
            passed,
        });
    }
    Ok(records)
}

/// What waits and what is passed over once everything up to now is settled by these rules. Nothing fires here.
pub(crate) fn settled(
    schedule: &Schedule,
    state: &ScheduleState,
    whose: Whose<'_>,
    now_us: i64,
) -> (Vec<i64>, Vec<Passed>) {
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
    waiting.truncate(trigger::WAITING_MAX);
    (waiting, passed)
}
