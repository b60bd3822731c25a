//! Spans of schedules that somebody asked to run again -> their runs, in order, also after a restart: what has begun is read
//! from the causes that are used up.

use crate::deploy::Deployed;
use crate::fire::Spark;
use crate::{Error, Server, locked};
use ports::Journal;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::BackfillEntry;
use trigger::{Backfill, Choice, Moment, Order, Overlap, backfill};
use types::{BackfillAsked, Cause, Fault, PipelineName, Problem, ProjectName, Record, RunState, TenantId};

/// Runs of one backfill at once, where it lets them run beside each other.
const BESIDE_MAX: usize = 16;

/// What somebody asks for. Times are as a manifest writes them, in the schedule's zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    /// `PROJECT/PIPELINE`, or the pipeline alone where one project has it.
    pub pipeline: String,
    pub from: String,
    pub to: String,
    pub overlap: Option<String>,
    pub order: Option<String>,
}

/// A backfill, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillLine {
    pub asked: BackfillAsked,
    /// Runs that it is made of, and how many of them have begun.
    pub runs: usize,
    pub begun: usize,
    /// How many of those have failed, of the ones that are kept.
    #[serde(default)]
    pub failed: usize,
    /// None while runs of it are to begin.
    pub ended_us: Option<i64>,
}

impl Server {
    /// Takes a backfill of a deployed pipeline's schedule; its runs begin where schedules are kept.
    pub fn ask_backfill(&self, tenant: &TenantId, request: &BackfillRequest) -> Result<BackfillLine, Error> {
        let _hold = self.active(tenant)?;
        let (deployed, pipeline) = self.scheduled(tenant, &request.pipeline)?;
        let schedule = schedule_of(&deployed, &pipeline)?;
        let zone = schedule.zone();
        let moment = |option: &str, text: &str| {
            Moment::parse(text).map_err(|problem| Fault::invalid(format!("{option}: {}", problem.message)))
        };
        let (from_us, to_us) =
            (moment("--from", &request.from)?.begins_us(zone), moment("--to", &request.to)?.ends_us(zone));
        let overlap = chosen("--overlap", request.overlap.as_deref(), Overlap::BufferAll)?;
        let order = chosen("--order", request.order.as_deref(), Order::Oldest)?;
        let plan = backfill(schedule, from_us, to_us, overlap, order).map_err(wrong)?;
        if plan.instants().is_empty() {
            return Err(Fault::invalid(format!("the schedule of `{pipeline}` has no instant in that span")).into());
        }
        if plan.instants().iter().any(|instant| instant.at_us > self.now_us()) {
            let fault = Fault::invalid(format!("the span reaches beyond now, and `{pipeline}` has instants there"));
            return Err(fault.hinted("a backfill is of the past; what is to come the schedule runs itself").into());
        }
        let _alone = locked(&self.deploying);
        let number = self.store.backfills(tenant)?.last().map_or(0, |last| last.asked.number) + 1;
        let asked = BackfillAsked {
            project: deployed.deployment.project.clone(),
            pipeline,
            number,
            version: deployed.deployment.version,
            from_us,
            to_us,
            overlap: overlap.word().to_owned(),
            order: order.word().to_owned(),
            asked_us: self.now_us(),
        };
        self.store.append(tenant, &[Record::BackfillAsked(asked.clone())])?;
        self.bell.ring();
        Ok(BackfillLine { asked, runs: plan.instants().len(), begun: 0, failed: 0, ended_us: None })
    }

    /// Begins no more runs of a backfill.
    pub fn end_backfill(&self, tenant: &TenantId, number: u64) -> Result<BackfillLine, Error> {
        self.known(tenant)?;
        let _alone = locked(&self.deploying);
        let missing = || Error::NotFound(format!("there is no backfill {number}"));
        let found = |line: BackfillLine| (line.asked.number == number).then_some(line);
        let line = self.backfills(tenant)?.into_iter().find_map(found).ok_or_else(missing)?;
        if line.ended_us.is_some() {
            return Err(Error::Conflict(format!("backfill {number} has ended already")));
        }
        let at_us = self.now_us();
        self.store.append(tenant, &[Record::BackfillEnded { number, at_us }])?;
        Ok(BackfillLine { ended_us: Some(at_us), ..line })
    }

    /// All backfills, ascending.
    pub fn backfills(&self, tenant: &TenantId) -> Result<Vec<BackfillLine>, Error> {
        self.known(tenant)?;
        let line = |BackfillEntry { asked, ended_us }| {
            let plan = self.planned(tenant, &asked)?.1;
            let (runs, begun) = (plan.instants().len(), self.begun(tenant, &asked, &plan)?);
            let failed = self.failed(tenant, &asked)?;
            Ok(BackfillLine { asked, runs, begun, failed, ended_us })
        };
        self.store.backfills(tenant)?.into_iter().map(line).collect()
    }

    /// Begins what may begin now of every backfill that has not ended.
    pub(crate) fn go_on_with_backfills(self: &Arc<Self>, tenant: &TenantId) -> Result<(), Error> {
        let open = self.store.backfills(tenant)?.into_iter().filter(|entry| entry.ended_us.is_none());
        open.map(|entry| entry.asked).try_for_each(|asked| self.go_on(tenant, &asked))
    }

    fn go_on(self: &Arc<Self>, tenant: &TenantId, asked: &BackfillAsked) -> Result<(), Error> {
        let (deployed, plan) = self.planned(tenant, asked)?;
        let begun = self.begun(tenant, asked, &plan)?;
        let is_its = |cause: &Cause| matches!(cause, Cause::Backfill { backfill, .. } if *backfill == asked.number);
        let running = self.under_way(tenant)?.iter().filter(|head| is_its(&head.cause)).count();
        let now: Vec<_> = plan.due(begun, running).iter().take(BESIDE_MAX.saturating_sub(running)).collect();
        for instant in &now {
            let cause = Cause::Backfill { backfill: asked.number, at_us: instant.at_us };
            self.fire(tenant, &deployed, &asked.pipeline, Spark::at(cause, instant.at_us))?;
        }
        if begun + now.len() == plan.instants().len() {
            let ended = Record::BackfillEnded { number: asked.number, at_us: self.now_us() };
            self.store.append(tenant, &[ended])?;
        }
        Ok(())
    }

    fn planned(&self, tenant: &TenantId, asked: &BackfillAsked) -> Result<(Arc<Deployed>, Backfill), Error> {
        let deployed = self.version_deployed(tenant, &asked.project, asked.version)?;
        let overlap = chosen("overlap", Some(&asked.overlap), Overlap::BufferAll)?;
        let order = chosen("order", Some(&asked.order), Order::Oldest)?;
        let schedule = schedule_of(&deployed, &asked.pipeline)?;
        let plan = backfill(schedule, asked.from_us, asked.to_us, overlap, order).map_err(wrong)?;
        Ok((deployed, plan))
    }

    fn failed(&self, tenant: &TenantId, asked: &BackfillAsked) -> Result<usize, Error> {
        let (mut failed, its) = (0, format!("backfill {} ", asked.number));
        for (_, run) in self.store.fired_ever(tenant, &asked.project, &asked.pipeline, &its)? {
            let is_bad = |run: store::RunSummary| matches!(run.state, RunState::Failed | RunState::Rejected);
            failed += usize::from(self.store.run(tenant, run)?.is_some_and(is_bad));
        }
        Ok(failed)
    }

    /// They begin in order: the first that has not begun is looked for by halves.
    fn begun(&self, tenant: &TenantId, asked: &BackfillAsked, plan: &Backfill) -> Result<usize, Error> {
        let (mut low, mut high) = (0, plan.instants().len());
        while low < high {
            let middle = low.midpoint(high);
            let cause = Cause::Backfill { backfill: asked.number, at_us: plan.instants()[middle].at_us };
            match self.store.fired(tenant, &asked.project, &asked.pipeline, &cause)? {
                Some(_) => low = middle + 1,
                None => high = middle,
            }
        }
        Ok(low)
    }

    /// The deployed pipeline that a person means.
    pub(crate) fn scheduled(&self, tenant: &TenantId, text: &str) -> Result<(Arc<Deployed>, PipelineName), Error> {
        let (project, name) = match text.split_once('/') {
            Some((project, name)) => (Some(parsed::<ProjectName>(project)?), name),
            None => (None, text),
        };
        let pipeline: PipelineName = parsed(name)?;
        let is_meant = |deployed: &Arc<Deployed>| {
            project.as_ref().is_none_or(|project| deployed.project.name == *project)
                && deployed.content.plans.contains_key(&pipeline)
        };
        let mut found: Vec<_> = self.all_deployed(tenant)?.into_iter().filter(is_meant).collect();
        match (found.pop(), found.is_empty()) {
            (Some(deployed), true) => Ok((deployed, pipeline)),
            (Some(_), false) => {
                Err(Error::Conflict(format!("several projects have a pipeline `{pipeline}`: write PROJECT/{pipeline}")))
            }
            (None, _) => Err(Error::NotFound(format!("no deployed project has a pipeline `{text}`"))),
        }
    }
}

fn parsed<T: types::Id>(text: &str) -> Result<T, Error> {
    T::parse(text).map_err(|error| Fault::invalid(error.to_string()).into())
}

pub(crate) fn schedule_of<'a>(deployed: &'a Deployed, pipeline: &PipelineName) -> Result<&'a trigger::Schedule, Error> {
    let found = deployed.project.pipelines.get(pipeline).and_then(|pipeline| pipeline.schedule.as_ref());
    found.ok_or_else(|| Error::NotFound(format!("deployed pipeline `{pipeline}` has no schedule")))
}

fn chosen<T: Choice>(option: &str, word: Option<&str>, otherwise: T) -> Result<T, Error> {
    let Some(word) = word else { return Ok(otherwise) };
    let known = || T::ALL.iter().map(|choice| choice.word()).collect::<Vec<_>>().join(", ");
    let unknown = || {
        let shown: String = word.chars().filter(|c| !c.is_control()).take(40).collect();
        Fault::invalid(format!("{option}: `{shown}` is none of {}", known())).into()
    };
    T::parse(word).ok_or_else(unknown)
}

fn wrong(problem: Problem) -> Error {
    let fault = Fault::invalid(problem.message);
    match problem.hint {
        Some(hint) => fault.hinted(hint).into(),
        None => fault.into(),
    }
}
