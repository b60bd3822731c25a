//! Deployed schedules and the time -> runs. The loop around `trigger::due`: it reads how far each schedule is, carries out
//! what is decided, and writes that down in the batch in which the run begins.
//!
//! What is written first is what a crash cannot take back: of several instants that fire at once, those that have not begun
//! stand among the waiting ones until they have.

use crate::deploy::Deployed;
use crate::fire::{Fired, Spark};
use crate::{Error, Server, locked};
use ports::Journal;
use std::sync::Arc;
use trigger::{Decision, Schedule, Standing, Whose, believed, due};
use types::{Cause, Passed, PipelineName, Record, RunHead, ScheduleState, TenantId};

/// Decisions on one schedule in one look; the next look goes on.
const ROUNDS_MAX: usize = 100;
/// Runs of one schedule at once, where it lets them run beside each other; others wait for one of them to end.
const BESIDE_MAX: usize = 16;

/// A schedule of a tenant's deployed pipeline.
#[derive(Clone, Copy)]
struct Kept<'a> {
    tenant: &'a TenantId,
    deployed: &'a Deployed,
    pipeline: &'a PipelineName,
    schedule: &'a Schedule,
}

impl Server {
    /// Settles the schedules and backfills of a tenant, and says when to look again.
    pub(crate) fn settle(self: &Arc<Self>, tenant: &TenantId) -> Result<Option<i64>, Error> {
        // Neither another version nor a pause comes between what is read and what is recorded.
        let _alone = locked(&self.deploying);
        let mut wake = None;
        let (all, damaged) = self.deployed_and_damaged(tenant)?;
        for deployed in all {
            for (pipeline, schedule) in deployed.schedules() {
                let kept = Kept { tenant, deployed: &deployed, pipeline, schedule };
                wake = earliest(wake, self.settle_schedule(kept)?);
            }
        }
        self.go_on_with_backfills(tenant)?;
        self.go_on_with_standing(tenant)?;
        damaged.map_or(Ok(wake), Err)
    }

    fn settle_schedule(self: &Arc<Self>, kept: Kept<'_>) -> Result<Option<i64>, Error> {
        for _ in 0..ROUNDS_MAX {
            let now_us = self.now_us();
            let recorded = self.state_of(kept.tenant, kept.deployed, kept.pipeline)?;
            let state = believed(recorded.clone(), kept.deployed.deployment.deployed_us, now_us);
            let schedule = kept.schedule.clone().with_paused(kept.schedule.is_paused() || state.paused);
            let under_way = self.under_way(kept.tenant)?;
            let running: Vec<_> = under_way.iter().filter_map(|head| instant_of(kept, head)).collect();
            let whose = Whose { tenant: kept.tenant, pipeline: kept.pipeline };
            let standing = Standing { whose, settled_us: state.settled_us, running: &running, waiting: &state.waiting };
            let decision = few(due(&schedule, standing, now_us), running.len());
            let wake = decision.wake_us;
            self.cancel_instants(kept, &decision.cancel, &under_way);
            self.carry_out(kept, &recorded, decision)?;
            if wake.is_none_or(|wake| wake > now_us) {
                return Ok(wake);
            }
        }
        Ok(Some(self.now_us()))
    }

    /// Begins what fires, each with the record of what is still to begin; writes down the rest.
    fn carry_out(self: &Arc<Self>, kept: Kept<'_>, recorded: &ScheduleState, decision: Decision) -> Result<(), Error> {
        let Decision { fire, mut passed, waiting, settled_us, .. } = decision;
        for (index, &at_us) in fire.iter().enumerate() {
            let rest = fire[index + 1..].iter().chain(&waiting).copied().collect();
            let settled = kept.settled(settled_us, rest, std::mem::take(&mut passed));
            let spark = Spark::at(Cause::Schedule { at_us }, at_us).beside(settled.clone());
            match self.fire(kept.tenant, kept.deployed, kept.pipeline, spark)? {
                Fired::Begun(_) => {}
                Fired::Already(_) => self.store.append(kept.tenant, &[settled])?,
            }
        }
        let is_news = (settled_us, &waiting) != (recorded.settled_us, &recorded.waiting) || !passed.is_empty();
        if fire.is_empty() && is_news {
            self.store.append(kept.tenant, &[kept.settled(settled_us, waiting, passed)])?;
        }
        Ok(())
    }

    /// They are told of again until they have ended: one that cannot be cancelled now can be later.
    fn cancel_instants(&self, kept: Kept<'_>, instants: &[i64], under_way: &[RunHead]) {
        let meant = |head: &&RunHead| instant_of(kept, head).is_some_and(|at_us| instants.contains(&at_us));
        for head in under_way.iter().filter(meant) {
            let _ = self.cancel(kept.tenant, head.run);
        }
    }
}

impl Kept<'_> {
    fn settled(&self, settled_us: i64, waiting: Vec<i64>, passed: Vec<Passed>) -> Record {
        let (project, pipeline) = (self.deployed.deployment.project.clone(), self.pipeline.clone());
        Record::ScheduleSettled { project, pipeline, settled_us, waiting, passed }
    }
}

/// The decision with no more to begin than may run beside what runs already.
fn few(mut decision: Decision, running: usize) -> Decision {
    let more = decision.fire.split_off(decision.fire.len().min(BESIDE_MAX.saturating_sub(running)));
    decision.waiting.splice(0..0, more);
    decision
}

/// The instant of this schedule for which a run is.
fn instant_of(kept: Kept<'_>, head: &RunHead) -> Option<i64> {
    let is_its = head.project == kept.deployed.deployment.project && head.pipeline == *kept.pipeline;
    match head.cause {
        Cause::Schedule { at_us } if is_its => Some(at_us),
        _ => None,
    }
}

pub(crate) fn earliest(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}
