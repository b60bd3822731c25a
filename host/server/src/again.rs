//! Runs of what ran: from a step on, or all of it to be compared; and how two runs differ.

use crate::diff::{Known, diff};
use crate::replay::compare;
use crate::{Error, Replayed, RunDiff, Server, rerun};
use ports::{Blobs, Journal};
use run::{Begin, RunView, StoredPlan};
use std::sync::Arc;
use types::{Artifact, Cause, RunHead, RunId, StepCommit, StepName, TenantId};

/// A run as its records have it.
struct Past {
    head: RunHead,
    stored: StoredPlan,
    view: RunView,
}

impl Server {
    /// Runs the plan of a run again from a step on. What that run had before the step stands, and so do its logical time and
    /// what was set for it.
    pub fn rerun(
        self: &Arc<Self>,
        tenant: &TenantId,
        run: RunId,
        from: &StepName,
        by: Option<String>,
    ) -> Result<RunId, Error> {
        let _hold = self.active(tenant)?;
        let past = self.past(tenant, run)?;
        let again = rerun::before(&past.stored.plan, &past.view, run, from)?;
        self.expect_compared(tenant, run, &again)?;
        let rerun::Again { plan, taken, chosen } = again;
        let cause = Cause::Rerun { of: run, from: from.clone() };
        let begin = Begin { chosen, ..past.begin(&plan, cause, taken, by) };
        self.expect_there(tenant, run, &begin.taken)?;
        self.begin(tenant, begin, None)
    }

    /// Computes again what a run computed, to be compared with it once it has ended: [`Server::replayed`].
    pub fn replay(self: &Arc<Self>, tenant: &TenantId, run: RunId, by: Option<String>) -> Result<RunId, Error> {
        let _hold = self.active(tenant)?;
        let past = self.past(tenant, run)?;
        if past.view.ended.is_none() {
            return Err(Error::Conflict(format!("run {run} has not ended; what has no end cannot be replayed")));
        }
        let again = rerun::replay(&past.stored.plan, &past.view, run);
        if !again.computes(&past.view) {
            let why = "the outside world has a say in each of its steps, or came before it";
            return Err(Error::Conflict(format!("nothing of run {run} can be computed again: {why}")));
        }
        let rerun::Again { plan, taken, chosen } = again;
        let begin = Begin { chosen, ..past.begin(&plan, Cause::Replay { of: run }, taken, by) };
        self.expect_there(tenant, run, &begin.taken)?;
        self.begin(tenant, begin, None)
    }

    /// A replay beside the run that it replays.
    pub fn replayed(&self, tenant: &TenantId, run: RunId) -> Result<Replayed, Error> {
        self.known(tenant)?;
        let replay = self.past(tenant, run)?;
        let Cause::Replay { of } = replay.head.cause else {
            return Err(Error::Conflict(format!(
                "run {run} replays no other; begin with `stepwell runs replay {run}`"
            )));
        };
        let past = self.past(tenant, of)?;
        Ok(compare(&past.stored.expanded(&past.view), (of, &past.view), (run, &replay.view, &replay.stored.plan)))
    }

    /// How two runs differ, of what pipelines they may be.
    pub fn diff(&self, tenant: &TenantId, a: RunId, b: RunId) -> Result<RunDiff, Error> {
        self.known(tenant)?;
        let known = |run: RunId| -> Result<Known, Error> {
            let Past { head, stored, view } = self.past(tenant, run)?;
            let plan = stored.expanded(&view);
            Ok((head, plan, view))
        };
        Ok(diff(&known(a)?, &known(b)?))
    }

    fn past(&self, tenant: &TenantId, run: RunId) -> Result<Past, Error> {
        let head = self.summary(tenant, run)?.head;
        let stored = StoredPlan::load(self.store.as_ref(), tenant, head.plan)?;
        let view = RunView::of(&self.store.run_records(tenant, run)?);
        Ok(Past { head, stored, view })
    }

    /// A gate must not let a version through because of what it was compared with when another served.
    fn expect_compared(&self, tenant: &TenantId, run: RunId, again: &rerun::Again) -> Result<(), Error> {
        for (step, model, alias, then) in again.compared() {
            let now = self.store.alias(tenant, model, alias)?;
            if now != then {
                let said = |version: Option<u32>| {
                    version.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"))
                };
                let (then, now) = (said(then), said(now));
                return Err(Error::Conflict(format!(
                    "in run {run} the gate compared with {then} of `{model}`, and `{alias}` is {now} by now; \
                     take --from {step}, which looks it up anew, or run the pipeline again"
                )));
            }
        }
        Ok(())
    }

    /// What a new run takes must be there until its own records say so: what is found is kept.
    fn expect_there(&self, tenant: &TenantId, run: RunId, taken: &[StepCommit]) -> Result<(), Error> {
        let lost = |commit: &&StepCommit| {
            let blobs = commit.outputs.values().flat_map(Artifact::blobs);
            blobs.into_iter().any(|blob| self.store.path(tenant, blob).is_err())
        };
        match taken.iter().find(lost) {
            None => Ok(()),
            Some(commit) => {
                Err(Error::Conflict(format!("what step `{}` gave in run {run} is no longer there", commit.step)))
            }
        }
    }
}

impl Past {
    fn begin<'a>(
        &'a self,
        plan: &'a plan::Plan,
        cause: Cause,
        taken: Vec<StepCommit>,
        by: Option<String>,
    ) -> Begin<'a> {
        let kept = |step: &StepName| taken.iter().any(|commit| commit.step == *step);
        let expanded = self.view.steps.iter().filter(|(step, _)| kept(step));
        let items = expanded.filter_map(|(step, view)| Some((step.clone(), view.items.clone()?))).collect();
        Begin {
            cause,
            logical_time_us: Some(self.head.logical_time_us),
            deployment: self.head.deployment,
            overrides: self.head.overrides.clone(),
            by,
            items,
            taken,
            ..Begin::manual(plan, &self.stored.project_dir)
        }
    }
}
