//! Runs of this process: started, resumed, followed, cancelled; each driven by a thread of its own.

use crate::follow::{Follow, LiveRun};
use crate::{Error, Notes, Server, locked};
use ports::Journal;
use run::{CancelToken, RunEvent};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use store::RunSummary;
use types::{Fault, PipelineName, Record, RunId, RunState, Settings, TenantId};

/// What is otherwise for one run of a folder than its files say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunOptions {
    /// Values of parameters, by `STEP.PARAMETER`.
    pub params: Settings,
    /// Values of what the project leaves open.
    pub settings: Settings,
    /// Every step is done, whatever is known of it.
    pub no_cache: bool,
    /// Where nothing can be taken from the cache, what differs from the pipeline's run before is told.
    pub explain: bool,
    /// Who asks.
    pub by: Option<String>,
}

/// A run that is to be driven.
pub(crate) enum Driving {
    Begun(Box<run::Begun>),
    /// By its records.
    Found(RunId),
}

impl Driving {
    fn run(&self) -> RunId {
        match self {
            Self::Begun(begun) => begun.run,
            Self::Found(run) => *run,
        }
    }
}

/// A run that was unfinished when the server started: whether it goes on; none if it began in another folder.
pub type Resumed = (TenantId, RunId, Option<Result<(), Error>>);

impl Server {
    /// Plans a pipeline of a project's folder and starts it. It goes on whether anybody follows or not.
    pub fn start(
        self: &Arc<Self>,
        tenant: &TenantId,
        folder: &Path,
        pipeline: Option<&str>,
        options: &RunOptions,
        notes: Notes<'_>,
    ) -> Result<RunId, Error> {
        let _hold = self.active(tenant)?;
        let mut plan = self.plan(tenant, folder, pipeline, options, notes)?;
        if options.no_cache {
            plan.steps.iter_mut().for_each(|step| step.cache = false);
        }
        let overrides = options.params.iter().chain(&options.settings);
        let overrides = overrides.map(|(name, value)| (name.clone(), value.clone())).collect();
        let begin = run::Begin { overrides, by: options.by.clone(), ..run::Begin::manual(&plan, folder) };
        let before = if options.explain { self.last_success(tenant, &plan.pipeline)? } else { None };
        self.begin(tenant, begin, before)
    }

    /// The newest run of a pipeline that succeeded.
    fn last_success(&self, tenant: &TenantId, pipeline: &PipelineName) -> Result<Option<RunId>, Error> {
        let wanted = |run: &RunSummary| run.head.pipeline == *pipeline && run.state == RunState::Succeeded;
        Ok(self.store.newest_runs(tenant, 1, &wanted)?.first().map(|run| run.head.run))
    }

    /// Begins a run and has a thread of its own drive it; what is done anew is held against the run `before`.
    pub(crate) fn begin(
        self: &Arc<Self>,
        tenant: &TenantId,
        begin: run::Begin<'_>,
        before: Option<RunId>,
    ) -> Result<RunId, Error> {
        let begun = std::sync::Mutex::new(Vec::new());
        let started = self.dispatcher.start(tenant, begin, &|event| locked(&begun).push(event.clone()))?;
        let (run, begun) = (started.run, std::mem::take(&mut *locked(&begun)));
        self.drive(tenant, Driving::Begun(Box::new(started)), begun, before)?;
        Ok(run)
    }

    /// Goes on with a run that a crash or a stop left unfinished. Steps that were committed are not repeated.
    pub fn resume(self: &Arc<Self>, tenant: &TenantId, run: RunId) -> Result<RunState, Error> {
        let _hold = self.active(tenant)?;
        let found = self.summary(tenant, run)?;
        if found.state == RunState::Running && !self.is_live(tenant, run) {
            self.drive(tenant, Driving::Found(run), Vec::new(), None)?;
            if found.head.deployment.is_some() {
                self.notify(tenant, &found.head, crate::notify::RESUMED, self.now_us());
            }
        }
        Ok(found.state)
    }

    /// Stops a run's attempts and ends it as cancelled; one that is interrupted is not gone on with for that.
    pub fn cancel(&self, tenant: &TenantId, run: RunId) -> Result<(), Error> {
        self.known(tenant)?;
        let live = locked(&self.live).get(&(tenant.clone(), run)).map(Arc::clone);
        if let Some(live) = live {
            // Whoever is told that it is cancelled finds it so after a crash, too.
            self.store.append(tenant, &[Record::CancelAsked { run, at_us: self.now_us() }])?;
            live.cancel.cancel();
            return Ok(());
        }
        let found = self.summary(tenant, run)?;
        if found.state != RunState::Running {
            return Err(Error::Conflict(format!("run {run} {} already", found.state.ended())));
        }
        let log = LiveRun::new(&self.log_file(tenant, run), CancelToken::default())?;
        let is_ended_here = std::cell::Cell::new(false);
        self.dispatcher.cancel(tenant, run, &|event| {
            is_ended_here.set(true);
            log.say(event);
        })?;
        // It may have gone on and ended meanwhile.
        if is_ended_here.get() {
            self.ended(tenant, run, RunState::Cancelled, None);
        }
        Ok(())
    }

    /// What a run said and says, from its start.
    pub fn follow(&self, tenant: &TenantId, run: RunId) -> Result<Follow, Error> {
        self.known(tenant)?;
        if let Some(live) = locked(&self.live).get(&(tenant.clone(), run)) {
            return Ok(Follow::live(Arc::clone(live)));
        }
        self.summary(tenant, run)?;
        Ok(Follow::past(&self.log_file(tenant, run)))
    }

    pub(crate) fn is_live(&self, tenant: &TenantId, run: RunId) -> bool {
        locked(&self.live).contains_key(&(tenant.clone(), run))
    }

    /// Resumes the unfinished runs of every tenant that is not suspended: what a server does when it starts. A run that
    /// began in another folder than `project`, and is of no deployed version, is none of its business: the data folder may have
    /// come with a stranger's project, and what a run may reach is relative to where it says that it began. Gives each, and
    /// whether it was resumed.
    pub fn resume_all(self: &Arc<Self>, project: &Path) -> Vec<Resumed> {
        let mut found = Vec::new();
        for tenant in self.store.tenants().into_iter().filter(|tenant| self.active(tenant).is_ok()) {
            // What of one tenant is damaged stops no other.
            for unfinished in self.store.unfinished(&tenant).unwrap_or_default() {
                let run = unfinished.head.run;
                let is_deployed = unfinished.head.deployment.is_some();
                let here =
                    is_deployed || self.dispatcher.begun_in(&tenant, run).is_ok_and(|folder| is_same(&folder, project));
                let resumed = here.then(|| self.resume(&tenant, run).map(drop));
                found.push((tenant.clone(), run, resumed));
            }
        }
        found
    }

    /// Stops every live run where it is, to be resumed by the next server, and waits for their threads.
    pub fn leave(&self) {
        self.leave_triggers();
        self.leave_runs(|_| true);
    }

    /// The same of these tenants' runs.
    pub(crate) fn leave_runs(&self, whose: impl Fn(&TenantId) -> bool) {
        let live: Vec<_> =
            locked(&self.live).iter().filter(|(key, _)| whose(&key.0)).map(|(_, run)| Arc::clone(run)).collect();
        live.iter().for_each(|run| run.cancel.leave());
        live.into_iter().for_each(|run| Follow::live(run).for_each(drop));
    }

    pub(crate) fn drive(
        self: &Arc<Self>,
        tenant: &TenantId,
        driving: Driving,
        said: Vec<RunEvent>,
        before: Option<RunId>,
    ) -> Result<(), Fault> {
        let run = driving.run();
        let cancel = CancelToken::default();
        let live = Arc::new(LiveRun::new(&self.log_file(tenant, run), cancel.clone())?);
        said.iter().for_each(|event| live.say(event));
        let key = (tenant.clone(), run);
        locked(&self.live).insert(key.clone(), Arc::clone(&live));
        let (server, hold) = (Arc::clone(self), self.store.hold(tenant));
        let (registered, kept) = (key.clone(), Arc::clone(&live));
        let drive = move || {
            let _hold = hold;
            let (dispatcher, told) = (&server.dispatcher, Arc::clone(&live));
            let say = Arc::new(move |event: &RunEvent| told.say(event));
            let driven = || match driving {
                Driving::Begun(begun) => dispatcher.drive_begun(&key.0, *begun, say, cancel, before),
                Driving::Found(run) => dispatcher.drive(&key.0, run, say, cancel, before),
            };
            // Whoever waits for its end hears of one, whatever happens.
            let driven = catch_unwind(AssertUnwindSafe(driven))
                .unwrap_or_else(|_| Err(Fault::host(format!("run {run}: its loop panicked; this is a bug of ours"))));
            let state = driven.unwrap_or_else(|fault| {
                // Ours: the run stays as it is and can be resumed; whoever follows is told why it stands still.
                live.say(&RunEvent::RunInterrupted { run, fault });
                RunState::Running
            });
            // Before anybody can see that it is over: who looks then finds it among those that ended.
            server.ended(&key.0, run, state, live.why());
            locked(&server.live).remove(&key);
            live.end();
        };
        let spawned = std::thread::Builder::new().spawn(drive);
        spawned.map(drop).map_err(|error| {
            locked(&self.live).remove(&registered);
            kept.end();
            Fault::host(format!("run {run} stands still: no thread for it: {error}"))
        })
    }
}

impl Server {
    /// A run as the list has it. That it was and is forgotten is told apart from that it never was.
    pub(crate) fn summary(&self, tenant: &TenantId, run: RunId) -> Result<RunSummary, Error> {
        match (self.store.run(tenant, run)?, self.store.last_run(tenant)?) {
            (Some(found), _) => Ok(found),
            (None, last) if (1..=last.0).contains(&run.0) => Err(Error::NotFound(format!(
                "run {run} is not there any more: `stepwell gc` or the project's [retention] forgot it"
            ))),
            (None, RunId(0)) => Err(Error::NotFound(format!("there is no run {run}, nor any other"))),
            (None, last) => Err(Error::NotFound(format!("there is no run {run}; the last one is {last}"))),
        }
    }
}

fn is_same(folder: &Path, other: &Path) -> bool {
    matches!((folder.canonicalize(), other.canonicalize()), (Ok(folder), Ok(other)) if folder == other)
}
