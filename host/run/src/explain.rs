//! Why a step could take nothing from the cache: what differs from an earlier run of the same step.

use crate::cache::WorkName;
use crate::course::{Course, expanded};
use crate::{Dispatcher, RunView, StoredPlan};
use types::{RunId, StepName, TenantId};

/// In words; none if that run knows nothing of the step, or differs in nothing.
pub(crate) fn difference(
    dispatcher: &Dispatcher,
    tenant: &TenantId,
    before: RunId,
    course: &Course,
    step: &StepName,
) -> Option<String> {
    let view = RunView::of(&dispatcher.journal.run_records(tenant, before).ok()?);
    let stored = StoredPlan::load(dispatcher.blobs.as_ref(), tenant, view.head.as_ref()?.plan).ok()?;
    let plan = expanded(&stored.plan, &view);
    let then = WorkName::of(plan.step(step)?, &view).ok()?;
    let now = WorkName::of(course.plan().step(step)?, course.view()).ok()?;
    let differs = now.differs_from(&then);
    if differs.is_empty() {
        return view.commit(step).is_none().then(|| format!("run {before} did not come to its end"));
    }
    Some(format!("other than in run {before}: {}", differs.join(", ")))
}
