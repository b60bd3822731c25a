//! What people ask of deployed schedules, and how they hold them.

use crate::deploy::Deployed;
use crate::{Error, Server, backfills, locked};
use ports::Journal;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use trigger::{Whose, hand_over};
use types::{Cause, Passed, PipelineName, ProjectName, Record, RunId, RunState, ScheduleState, TenantId};

/// Runs that a history shows.
const RUNS_MAX: usize = 200;

/// A deployed schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleLine {
    pub project: ProjectName,
    pub pipeline: PipelineName,
    pub version: u32,
    pub cron: String,
    pub zone: String,
    /// By its manifest, or by a person.
    pub paused: bool,
    /// When it comes next, whether it is paused or not; none if it does not come any more.
    pub next_us: Option<i64>,
    /// Instants that wait for a run to end.
    pub waiting: Vec<i64>,
    /// Everything up to here is settled.
    pub settled_us: i64,
}

/// What became of a schedule's instants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleHistory {
    pub project: ProjectName,
    pub pipeline: PipelineName,
    /// The last ones, rising.
    pub runs: Vec<ScheduledRun>,
    /// Likewise.
    pub passed: Vec<Passed>,
}

/// A run for an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledRun {
    pub at_us: i64,
    pub run: RunId,
    /// None: it was forgotten.
    pub state: Option<RunState>,
    /// The backfill that it is of.
    pub backfill: Option<u64>,
    /// Likewise.
    pub started_us: Option<i64>,
}

impl Server {
    /// The deployed schedules of a tenant.
    pub fn schedules(&self, tenant: &TenantId) -> Result<Vec<ScheduleLine>, Error> {
        self.known(tenant)?;
        let mut lines = Vec::new();
        for deployed in self.all_deployed(tenant)? {
            for (pipeline, _) in deployed.schedules() {
                lines.push(self.schedule_line(tenant, &deployed, pipeline)?);
            }
        }
        Ok(lines)
    }

    /// Holds a schedule, or lets it go on: what came meanwhile is passed over.
    pub fn pause_schedule(&self, tenant: &TenantId, pipeline: &str, paused: bool) -> Result<ScheduleLine, Error> {
        let _hold = self.active(tenant)?;
        let _alone = locked(&self.deploying);
        let (deployed, pipeline) = self.scheduled(tenant, pipeline)?;
        let schedule = backfills::schedule_of(&deployed, &pipeline)?;
        let project = deployed.deployment.project.clone();
        let now_us = self.now_us();
        let state = self.state_of(tenant, &deployed, &pipeline)?;
        if state.paused == paused {
            let word = match (paused, schedule.is_paused()) {
                (true, _) => "paused already",
                (false, true) => "not paused by hand: its pipeline says `paused = true`",
                (false, false) => "not paused",
            };
            return Err(Error::Conflict(format!("schedule of `{project}/{pipeline}` is {word}")));
        }
        let mut records = Vec::new();
        if !paused {
            let whose = Whose { tenant, pipeline: &pipeline };
            let (waiting, passed) = hand_over(schedule, &state, whose, now_us);
            let (project, pipeline) = (project.clone(), pipeline.clone());
            let settled_us = now_us.max(state.settled_us);
            records.push(Record::ScheduleSettled { project, pipeline, settled_us, waiting, passed });
        }
        records.push(Record::SchedulePaused { project, pipeline: pipeline.clone(), paused, at_us: now_us });
        self.store.append(tenant, &records)?;
        self.bell.ring();
        self.schedule_line(tenant, &deployed, &pipeline)
    }

    /// What became of a schedule's last instants.
    pub fn schedule_history(&self, tenant: &TenantId, pipeline: &str) -> Result<ScheduleHistory, Error> {
        self.known(tenant)?;
        let (deployed, pipeline) = self.scheduled(tenant, pipeline)?;
        let project = deployed.deployment.project.clone();
        let fired = self.store.fired_ever(tenant, &project, &pipeline, "")?.into_iter();
        let mut fired: Vec<_> = fired.filter_map(|(key, run)| Some((run, Cause::instant_of(&key)?))).collect();
        fired.sort_by_key(|(run, _)| Reverse(*run));
        fired.truncate(RUNS_MAX);
        fired.sort_by_key(|(run, (at_us, _))| (*at_us, *run));
        let scheduled = |(run, (at_us, backfill))| {
            let found = self.store.run(tenant, run)?;
            let (state, started_us) = found.map(|found| (found.state, found.head.started_us)).unzip();
            Ok(ScheduledRun { at_us, run, state, backfill, started_us })
        };
        let runs = fired.into_iter().map(scheduled).collect::<Result<_, Error>>()?;
        let passed = self.store.passed(tenant, &project, &pipeline)?;
        Ok(ScheduleHistory { project, pipeline, runs, passed })
    }

    /// How far a schedule is; before it was looked at, as far as its deployment.
    pub(crate) fn state_of(
        &self,
        tenant: &TenantId,
        deployed: &Deployed,
        pipeline: &PipelineName,
    ) -> Result<ScheduleState, Error> {
        let deployment = &deployed.deployment;
        let state = self.store.schedule(tenant, &deployment.project, pipeline)?;
        let fresh = || ScheduleState { settled_us: deployment.deployed_us, ..ScheduleState::default() };
        Ok(state.unwrap_or_else(fresh))
    }

    pub(crate) fn schedule_line(
        &self,
        tenant: &TenantId,
        deployed: &Deployed,
        pipeline: &PipelineName,
    ) -> Result<ScheduleLine, Error> {
        let schedule = backfills::schedule_of(deployed, pipeline)?;
        let ScheduleState { settled_us, waiting, paused } = self.state_of(tenant, deployed, pipeline)?;
        let whose = Whose { tenant, pipeline };
        let after_us = settled_us.max(self.now_us());
        let next = schedule.instants(after_us, i64::MAX).next();
        Ok(ScheduleLine {
            project: deployed.deployment.project.clone(),
            pipeline: pipeline.clone(),
            version: deployed.deployment.version,
            cron: schedule.expression().to_string(),
            zone: schedule.zone().to_string(),
            paused: paused || schedule.is_paused(),
            next_us: next.map(|instant| schedule.starts_us(whose, instant.at_us)),
            waiting,
            settled_us,
        })
    }
}
