//! Starts runs and drives them to their end. One dispatcher a process: it is what keeps two runs from giving a model the same
//! version number, or from committing the same rows of a source twice.

use crate::course::{committed, expanded, items};
use crate::drive::Drive;
use crate::{CancelToken, Observer, RunEvent, RunView};
use plan::Plan;
use ports::{Blobs, Clock, Journal, StepRunner};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use types::{
    Cause, Chosen, Digest, Fault, Item, Record, RunHead, RunId, RunState, Settings, StepCommit, StepName, TenantId,
};

/// Turns plans into runs. Shared by all tenants and threads.
pub struct Dispatcher {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) runner: Arc<dyn StepRunner>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The most attempts of one run at a time.
    pub(crate) slots: usize,
    /// Held from looking something up in the journal to appending what follows from it.
    lookup_and_append: Mutex<()>,
    /// Runs that a thread of this process drives.
    driven: Claims,
    /// The last plan of which it is sure that it can be read back, with its stored form: mostly the next run has the same.
    sure: Mutex<Option<(StoredPlan, Vec<u8>)>>,
}

/// The longest name of who asked for a run.
pub const BY_CHARS_MAX: usize = 64;

/// What a run begins with.
#[derive(Debug, Clone)]
pub struct Begin<'a> {
    pub plan: &'a Plan,
    pub cause: Cause,
    /// Grants are relative to it.
    pub project_dir: &'a Path,
    /// What steps see as their time; none for the time of the start.
    pub logical_time_us: Option<i64>,
    pub deployment: Option<u32>,
    pub overrides: Settings,
    /// Who asked for it; cut at [`BY_CHARS_MAX`].
    pub by: Option<String>,
    /// What steps run for, where another run found that out.
    pub items: Vec<(StepName, Vec<Item>)>,
    /// The versions that steps answer with, where another run looked them up.
    pub chosen: Vec<(StepName, Option<Box<Chosen>>)>,
    /// What steps need not do, because it is there.
    pub taken: Vec<StepCommit>,
    /// Records that are to be true if and only if the run began.
    pub beside: Vec<Record>,
}

impl<'a> Begin<'a> {
    /// Because somebody asked for it, now.
    pub fn manual(plan: &'a Plan, project_dir: &'a Path) -> Self {
        let (overrides, by, items, chosen, taken, beside) = Default::default();
        let (cause, logical_time_us, deployment) = (Cause::Manual, None, None);
        Self { plan, cause, project_dir, logical_time_us, deployment, overrides, by, items, chosen, taken, beside }
    }
}

/// What a run is resumed from, stored as a blob: fields are only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredPlan {
    pub plan: Plan,
    /// The folder that the grants of its steps are relative to.
    pub project_dir: PathBuf,
}

impl StoredPlan {
    /// The plan behind [`RunHead::plan`].
    pub fn load(blobs: &dyn Blobs, tenant: &TenantId, digest: Digest) -> Result<Self, Fault> {
        let bytes = blobs.get(tenant, digest)?;
        let damaged = |reason: String| Fault::host(format!("stored plan {} is damaged: {reason}", digest.short()));
        let stored: Self = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        check_order(&stored.plan).map_err(damaged)?;
        Ok(stored)
    }
}

impl StoredPlan {
    /// The plan as a run carries it out: with the items of its steps, as far as they are known.
    pub fn expanded(&self, view: &RunView) -> Plan {
        expanded(&self.plan, view)
    }

    /// What a step runs for, once that is known; none of a step that runs once, or for the items of another.
    pub fn items(&self, view: &RunView, step: &StepName) -> Option<Vec<Item>> {
        items(&self.plan, view, step)
    }
}

/// A run that has just begun: what [`Dispatcher::drive`] would have to read. Nobody else drives it or ends it until this is dropped.
#[derive(Debug)]
pub struct Begun {
    pub run: RunId,
    claim: Claim,
    stored: StoredPlan,
    view: RunView,
}

impl Dispatcher {
    /// `slots` is the most attempts of one run at a time.
    pub fn new(
        journal: Arc<dyn Journal>,
        blobs: Arc<dyn Blobs>,
        runner: Arc<dyn StepRunner>,
        clock: Arc<dyn Clock>,
        slots: usize,
    ) -> Self {
        let (lookup_and_append, driven, sure) = Default::default();
        Self { journal, blobs, runner, clock, slots, lookup_and_append, driven, sure }
    }

    /// Records that a run began; [`Self::drive_begun`] does its work.
    pub fn start(&self, tenant: &TenantId, begin: Begin<'_>, observer: &dyn Fn(&RunEvent)) -> Result<Begun, Fault> {
        let Begin { plan, cause, project_dir, logical_time_us, deployment, overrides, by, .. } = begin;
        let (items, chosen, taken, beside) = (begin.items, begin.chosen, begin.taken, begin.beside);
        check_order(plan).map_err(Fault::host)?;
        let stored = StoredPlan { plan: plan.clone(), project_dir: project_dir.to_owned() };
        let blob = self.blobs.put(tenant, &self.to_json(&stored)?)?;
        let (run, now_us) = (self.journal.next_run(tenant)?, self.clock.now_us());
        // Before it can be seen: whoever finds it there would drive or cancel it.
        let claim = self.claim(tenant, run)?;
        let head = RunHead {
            run,
            project: plan.project.clone(),
            pipeline: plan.pipeline.clone(),
            plan: blob,
            cause,
            logical_time_us: logical_time_us.unwrap_or(now_us),
            started_us: now_us,
            deployment,
            overrides,
            by: by.map(|by| by.chars().take(BY_CHARS_MAX).collect()),
        };
        let told: Vec<_> = taken.iter().flat_map(|commit| committed(commit, now_us)).collect();
        let items = items.into_iter().map(|(step, items)| Record::StepExpanded { run, step, items });
        let chosen = chosen.into_iter().map(|(step, chosen)| Record::VersionChosen { run, step, chosen });
        let items = items.chain(chosen);
        let taken = taken.into_iter().map(|commit| Record::StepCommitted { run, commit, at_us: now_us });
        let records: Vec<_> = [Record::RunStarted(head)].into_iter().chain(items).chain(taken).chain(beside).collect();
        self.journal.append(tenant, &records)?;
        observer(&RunEvent::RunStarted {
            run,
            project: plan.project.clone(),
            pipeline: plan.pipeline.clone(),
            steps: plan.steps.iter().map(|step| step.name.clone()).collect(),
            at_us: now_us,
        });
        told.iter().for_each(observer);
        Ok(Begun { run, claim, stored, view: RunView::of(&records) })
    }

    /// Drives a run from wherever its records say it is to its end, and returns that. A run that ended is not touched.
    /// After [`CancelToken::leave`] it is `Running`; a fault is ours, and the run can be driven again. Where nothing can be
    /// taken from the cache it is told what differs from the run `before`.
    pub fn drive(
        &self,
        tenant: &TenantId,
        run: RunId,
        observer: Observer,
        cancel: CancelToken,
        before: Option<RunId>,
    ) -> Result<RunState, Fault> {
        let _claim = self.claim(tenant, run)?;
        let view = RunView::of(&self.journal.run_records(tenant, run)?);
        let Some(head) = &view.head else {
            return Err(Fault::invalid(format!("there is no run {run}")));
        };
        let stored = StoredPlan::load(self.blobs.as_ref(), tenant, head.plan)?;
        if let Some(state) = view.ended {
            return Ok(state);
        }
        Drive::new(self, tenant, run, stored, view, before).complete(observer, &cancel)
    }

    /// The same of a run that has just begun, without reading what is known.
    pub fn drive_begun(
        &self,
        tenant: &TenantId,
        begun: Begun,
        observer: Observer,
        cancel: CancelToken,
        before: Option<RunId>,
    ) -> Result<RunState, Fault> {
        let Begun { run, claim: _claim, stored, view } = begun;
        Drive::new(self, tenant, run, stored, view, before).complete(observer, &cancel)
    }

    /// Ends a run as cancelled that nobody drives, without going on with it; gives how it ended, if it had ended already.
    pub fn cancel(&self, tenant: &TenantId, run: RunId, observer: &dyn Fn(&RunEvent)) -> Result<RunState, Fault> {
        let _claim = self.claim(tenant, run)?;
        let view = RunView::of(&self.journal.run_records(tenant, run)?);
        if view.head.is_none() {
            return Err(Fault::invalid(format!("there is no run {run}")));
        }
        if let Some(state) = view.ended {
            return Ok(state);
        }
        let (state, at_us) = (RunState::Cancelled, self.clock.now_us());
        self.journal.append(tenant, &[Record::RunFinished { run, state, at_us, because: None }])?;
        observer(&RunEvent::RunFinished { run, state, at_us, because: None });
        Ok(state)
    }

    /// The folder that the run's grants are relative to.
    pub fn begun_in(&self, tenant: &TenantId, run: RunId) -> Result<PathBuf, Fault> {
        let view = RunView::of(&self.journal.run_records(tenant, run)?);
        let head = view.head.ok_or_else(|| Fault::invalid(format!("there is no run {run}")))?;
        Ok(StoredPlan::load(self.blobs.as_ref(), tenant, head.plan)?.project_dir)
    }

    /// Keeps runs from appending what follows from a lookup (versions, moves of aliases) until the guard is dropped.
    pub fn alone(&self) -> MutexGuard<'_, ()> {
        self.lookup_and_append.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored form of a plan, once it is sure that it can be read back: a number such as infinity has no JSON form. Reading it takes
    /// several times as long as writing it.
    fn to_json(&self, stored: &StoredPlan) -> Result<Vec<u8>, Fault> {
        let bytes =
            serde_json::to_vec(stored).map_err(|error| Fault::invalid(format!("plan cannot be stored: {error}")))?;
        let sure = || self.sure.lock().unwrap_or_else(PoisonError::into_inner);
        if sure().as_ref().is_some_and(|(plan, known)| *known == bytes && plan == stored) {
            return Ok(bytes);
        }
        // Nobody waits meanwhile: it is another tenant's plan as often as not.
        match serde_json::from_slice::<StoredPlan>(&bytes) {
            Ok(read) if read == *stored => *sure() = Some((read, bytes.clone())),
            Ok(_) => return Err(Fault::invalid("plan cannot be stored: it reads back as another")),
            Err(error) => return Err(Fault::invalid(format!("plan cannot be stored: {error}"))),
        }
        Ok(bytes)
    }

    /// Two loops on one run would commit its steps twice.
    fn claim(&self, tenant: &TenantId, run: RunId) -> Result<Claim, Fault> {
        let key = (tenant.clone(), run);
        let mut driven = self.driven.lock().unwrap_or_else(PoisonError::into_inner);
        match driven.insert(key.clone()) {
            true => Ok(Claim { driven: Arc::clone(&self.driven), key }),
            false => Err(Fault::invalid(format!("run {run} is being driven already"))),
        }
    }
}

/// Runs that somebody drives.
type Claims = Arc<Mutex<BTreeSet<(TenantId, RunId)>>>;

#[derive(Debug)]
struct Claim {
    driven: Claims,
    key: (TenantId, RunId),
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Whether every step stands after those it takes from, as `plan` promises.
fn check_order(plan: &Plan) -> Result<(), String> {
    let mut before = BTreeSet::new();
    for step in &plan.steps {
        if let Some(input) = step.needs().into_iter().find(|input| !before.contains(&input.step)) {
            return Err(format!("step `{}` takes from `{input}`, expected a step before it", step.name));
        }
        if !before.insert(&step.name) {
            return Err(format!("step `{}` stands twice", step.name));
        }
    }
    Ok(())
}
