//! What starts a tenant's deployed pipelines by themselves, a line a trigger: what it waits for, whether it can fire, and what it
//! started last.

use crate::deploy::Deployed;
use crate::{Error, Server};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use types::{Cause, Fault, PipelineName, ProjectName, RunHead, RunId, RunState, TenantId};

/// The triggers of a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerList {
    /// Whether this process starts runs by itself: one that only answers a command does not.
    pub are_kept: bool,
    pub triggers: Vec<TriggerLine>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerLine {
    pub project: ProjectName,
    pub pipeline: PipelineName,
    pub version: u32,
    pub kind: TriggerKind,
    /// What it waits for, in words: a cron expression, pipelines, files, a step, the path of a call.
    pub waits_for: String,
    pub state: TriggerState,
    /// The run that it started last, as far as that is kept.
    pub last: Option<Triggered>,
    /// Of a schedule that is not paused: when it comes next.
    pub next_us: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerKind {
    Schedule,
    After,
    Files,
    Source,
    Webhook,
}

impl TriggerKind {
    /// As the manifest calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::After => "after",
            Self::Files => "files",
            Self::Source => "source",
            Self::Webhook => "webhook",
        }
    }

    /// The kind of trigger behind a cause; none of what somebody asked for.
    fn of(cause: &Cause) -> Option<Self> {
        match cause {
            Cause::Schedule { .. } => Some(Self::Schedule),
            Cause::Upstream { .. } => Some(Self::After),
            Cause::Data { source: None, .. } => Some(Self::Files),
            Cause::Data { source: Some(_), .. } => Some(Self::Source),
            Cause::Event { .. } => Some(Self::Webhook),
            Cause::Manual | Cause::Backfill { .. } | Cause::Rerun { .. } | Cause::Replay { .. } => None,
        }
    }
}

/// Whether a trigger can fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum TriggerState {
    On,
    /// Held, by its manifest or by a person.
    Paused,
    /// Something that it needs is not there.
    Barred {
        why: String,
        hint: Option<String>,
    },
}

/// A run that a trigger started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Triggered {
    pub run: RunId,
    pub state: RunState,
    pub started_us: i64,
    pub cause: Cause,
}

/// Whose trigger it is, and of which kind: there is one at most.
type Place = (ProjectName, PipelineName, TriggerKind);

impl Server {
    /// All triggers of a tenant's deployed pipelines, by project and pipeline.
    pub fn trigger_list(&self, tenant: &TenantId) -> Result<TriggerList, Error> {
        self.known(tenant)?;
        let mut triggers = Vec::new();
        for deployed in self.all_deployed(tenant)? {
            for pipeline in deployed.content.plans.keys() {
                triggers.extend(self.scheduled_line(tenant, &deployed, pipeline)?);
                triggers.extend(self.triggered_lines(tenant, &deployed, pipeline)?);
            }
        }
        let mut last = self.last_triggered(tenant, triggers.iter().map(place).collect())?;
        triggers.iter_mut().for_each(|line| line.last = last.remove(&place(line)));
        Ok(TriggerList { are_kept: self.triggers.are_kept(), triggers })
    }

    fn scheduled_line(
        &self,
        tenant: &TenantId,
        deployed: &Deployed,
        pipeline: &PipelineName,
    ) -> Result<Option<TriggerLine>, Error> {
        if !deployed.schedules().any(|(name, _)| name == pipeline) {
            return Ok(None);
        }
        let schedule = self.schedule_line(tenant, deployed, pipeline)?;
        let state = if schedule.paused { TriggerState::Paused } else { TriggerState::On };
        let waits_for = format!("{} in {}", schedule.cron, schedule.zone);
        let line = line(deployed, pipeline, TriggerKind::Schedule, waits_for, state);
        Ok(Some(TriggerLine { next_us: schedule.next_us.filter(|_| !schedule.paused), ..line }))
    }

    fn triggered_lines(
        &self,
        tenant: &TenantId,
        deployed: &Deployed,
        pipeline: &PipelineName,
    ) -> Result<Vec<TriggerLine>, Error> {
        let manifest::Triggers { after, files, source, webhook, .. } = deployed.triggers(pipeline);
        let line = |kind, waits_for, state| line(deployed, pipeline, kind, waits_for, state);
        let mut lines = Vec::new();
        if !after.is_empty() {
            let names: Vec<_> = after.iter().map(|name| format!("`{name}`")).collect();
            lines.push(line(TriggerKind::After, format!("success of {}", names.join(", ")), TriggerState::On));
        }
        if !files.is_empty() {
            let state = match self.expect_allowed(tenant, &files) {
                Err(Error::Fault(Fault { message, hint, .. })) => TriggerState::Barred { why: message, hint },
                looked => looked.map(|()| TriggerState::On)?,
            };
            lines.push(line(TriggerKind::Files, files.join(", "), state));
        }
        if let Some((step, every_ms)) = source {
            let every = types::Quantity::Milliseconds(every_ms);
            lines.push(line(TriggerKind::Source, format!("`{step}`, asked every {every}"), TriggerState::On));
        }
        if let Some(secret) = webhook {
            let state = match self.key(tenant, &secret)? {
                Some(_) => TriggerState::On,
                None => TriggerState::Barred {
                    why: format!("the tenant has no secret `{secret}`"),
                    hint: Some(format!("stepwell secret set {secret}")),
                },
            };
            let beneath = if tenant.is_default() { String::new() } else { format!("/tenants/{tenant}") };
            let path = format!("POST {beneath}/hooks/{}/{pipeline}", deployed.deployment.project);
            lines.push(line(TriggerKind::Webhook, path, state));
        }
        Ok(lines)
    }

    /// The newest run of each of these places. Runs are read from the newest on, until nothing is looked for any more.
    fn last_triggered(&self, tenant: &TenantId, places: BTreeSet<Place>) -> Result<BTreeMap<Place, Triggered>, Error> {
        let (most, open) = (places.len(), RefCell::new(places));
        let is_first = |run: &store::RunSummary| place_of(&run.head).is_some_and(|at| open.borrow_mut().remove(&at));
        let runs = self.store.newest_runs(tenant, most, &is_first)?;
        let of = |run: store::RunSummary| {
            let at = place_of(&run.head)?;
            let RunHead { run: number, started_us, cause, .. } = run.head;
            Some((at, Triggered { run: number, state: run.state, started_us, cause }))
        };
        Ok(runs.into_iter().filter_map(of).collect())
    }
}

fn line(
    deployed: &Deployed,
    pipeline: &PipelineName,
    kind: TriggerKind,
    waits_for: String,
    state: TriggerState,
) -> TriggerLine {
    let (project, version) = (deployed.deployment.project.clone(), deployed.deployment.version);
    TriggerLine { project, pipeline: pipeline.clone(), version, kind, waits_for, state, last: None, next_us: None }
}

fn place(line: &TriggerLine) -> Place {
    (line.project.clone(), line.pipeline.clone(), line.kind)
}

fn place_of(head: &RunHead) -> Option<Place> {
    head.deployment?;
    Some((head.project.clone(), head.pipeline.clone(), TriggerKind::of(&head.cause)?))
}
