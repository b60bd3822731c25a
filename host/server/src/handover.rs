//! Two versions of a project -> how the newer one takes over their schedules. Pure.
//!
//! A schedule that stays the same goes on as if nothing had happened. One that changes has its time settled by its old rules
//! first, and what would have begun by them waits for the new version. One that is new begins now: nothing before counts.

use crate::deploy::Deployed;
use trigger::{Whose, hand_over};
use types::{Fault, PipelineName, Record, ScheduleState, TenantId};

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
            Some(before) => hand_over(before, &state, Whose { tenant, pipeline }, now_us),
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
