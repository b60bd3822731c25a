//! A cause -> a run of a deployed version. The one door through which every trigger goes, so that what may start one run
//! only starts one.

use crate::deploy::{Deployed, never};
use crate::runs::Driving;
use crate::{Error, Server, locked};
use std::sync::Arc;
use types::{Cause, PipelineName, ProjectName, Record, RunId, RunState, TenantId};

/// What came of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fired {
    Begun(RunId),
    /// It had started this run before.
    Already(RunId),
}

impl Fired {
    pub fn run(self) -> RunId {
        match self {
            Self::Begun(run) | Self::Already(run) => run,
        }
    }
}

/// What a run begins with, beside the version's plan.
pub(crate) struct Spark {
    pub(crate) cause: Cause,
    /// What steps see as their time; none for the time of the start.
    pub(crate) logical_time_us: Option<i64>,
    /// To be true if and only if the run began.
    pub(crate) beside: Vec<Record>,
}

impl Spark {
    pub(crate) fn new(cause: Cause) -> Self {
        Self { cause, logical_time_us: None, beside: Vec::new() }
    }

    /// Of an instant of a schedule.
    pub(crate) fn at(cause: Cause, at_us: i64) -> Self {
        Self { logical_time_us: Some(at_us), ..Self::new(cause) }
    }

    pub(crate) fn beside(self, record: Record) -> Self {
        Self { beside: vec![record], ..self }
    }
}

impl Server {
    /// Starts a run of the current version, because somebody asked for it.
    pub fn start_deployed(
        self: &Arc<Self>,
        tenant: &TenantId,
        project: &ProjectName,
        pipeline: &PipelineName,
    ) -> Result<RunId, Error> {
        let deployed = self.current_deployment(tenant, project)?.ok_or_else(|| never(project))?;
        Ok(self.fire(tenant, &deployed, pipeline, Spark::new(Cause::Manual))?.run())
    }

    /// Starts a run of a version for a cause, or says which run the cause has started.
    pub(crate) fn fire(
        self: &Arc<Self>,
        tenant: &TenantId,
        deployed: &Deployed,
        pipeline: &PipelineName,
        spark: Spark,
    ) -> Result<Fired, Error> {
        let _hold = self.active(tenant)?;
        if self.triggers.is_leaving() {
            return Err(Error::Conflict("the server is leaving: it starts nothing more".to_owned()));
        }
        let (deployment, content) = (&deployed.deployment, &deployed.content);
        let plan = content.plans.get(pipeline).ok_or_else(|| {
            let known: Vec<_> = content.plans.keys().map(|name| format!("`{name}`")).collect();
            let (project, version) = (&deployment.project, deployment.version);
            let known = known.join(", ");
            Error::NotFound(format!("version {version} of `{project}` has no pipeline `{pipeline}`; it has {known}"))
        })?;
        let cause = spark.cause.clone();
        let fired = || self.store.fired(tenant, &deployment.project, pipeline, &cause);
        if let Some(run) = fired()? {
            return Ok(Fired::Already(run));
        }
        let Spark { cause: because, logical_time_us, beside } = spark;
        let version = Some(deployment.version);
        let manual = run::Begin::manual(plan, &content.project_dir);
        let by = (because != Cause::Manual).then(|| because.word().to_owned());
        let begin = run::Begin { cause: because, logical_time_us, deployment: version, by, beside, ..manual };
        let begun = std::sync::Mutex::new(Vec::new());
        match self.dispatcher.start(tenant, begin, &|event| locked(&begun).push(event.clone())) {
            Ok(started) => {
                let (run, begun) = (started.run, std::mem::take(&mut *locked(&begun)));
                self.drive(tenant, Driving::Begun(Box::new(started)), begun, None)?;
                Ok(Fired::Begun(run))
            }
            // Somebody was faster: the store takes a cause once.
            Err(fault) => match fired()? {
                Some(run) => Ok(Fired::Already(run)),
                None => Err(fault.into()),
            },
        }
    }

    /// Unfinished runs of deployed versions.
    pub(crate) fn under_way(&self, tenant: &TenantId) -> Result<Vec<types::RunHead>, Error> {
        let unfinished = self.store.unfinished(tenant)?.into_iter().map(|run| run.head);
        Ok(unfinished.filter(|head| head.deployment.is_some()).collect())
    }

    /// Told by a run's thread when it has ended, or stands still.
    pub(crate) fn ended(&self, tenant: &TenantId, run: RunId, state: RunState, why: Option<String>) {
        if state != RunState::Running && self.triggers.are_kept() {
            self.triggers.ended(tenant, run, why);
        }
        self.bell.ring();
    }
}
