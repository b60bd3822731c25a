//! The loops of a server that starts runs by itself: schedules, pipelines that follow others, and what missed a crash. One look
//! goes over all tenants; what fails for one is told once, tried again a minute later, and stops no other.

use crate::bell::Bell;
use crate::fire::Spark;
use crate::schedules::earliest;
use crate::{Error, Server, locked};
use ports::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use store::RunSummary;
use types::{Cause, Fault, Id, RunId, RunState, TenantId};

/// The longest sleep between two looks: an instant is late a minute after it, and clocks are set while nobody looks.
const SLEEP_MAX: Duration = Duration::from_secs(20);
const AGAIN_US: i64 = 30_000_000;
/// How long a run of a deployed version stands still before it is gone on with.
const STANDS_US: i64 = 60_000_000;
/// How long ago a run may have ended whose followers are still made up for.
const CATCH_UP_US: i64 = 7 * 86_400_000_000;

/// Hears what people should know.
pub(crate) type Say = Box<dyn Fn(String) + Send + Sync>;

/// What the loops share.
#[derive(Default)]
pub(crate) struct Triggers {
    say: OnceLock<Say>,
    is_leaving: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Runs that nobody has looked at since they ended, and why they failed.
    ended: Mutex<Vec<(TenantId, RunId, Option<String>)>>,
    keeping: Mutex<Keeping>,
    /// Runs that stand still, and since when or when they were last gone on with.
    standing: Mutex<BTreeMap<(TenantId, RunId), i64>>,
    /// Tenants whose runs that stand still are gone on with by the next look, however short they stood.
    resumed: Mutex<BTreeSet<TenantId>>,
    /// Wakes the loop that polls; rung when the server leaves.
    pub(crate) polling: Bell,
    /// The same of the loop that forgets.
    pub(crate) retaining: Bell,
}

/// What the last looks left.
#[derive(Default)]
struct Keeping {
    /// Tenants whose ended runs were all looked at.
    caught_up: BTreeSet<TenantId>,
    /// When to try again, and what was told.
    faults: BTreeMap<TenantId, (i64, String)>,
}

impl Triggers {
    /// Whether this process starts runs by itself.
    pub(crate) fn are_kept(&self) -> bool {
        self.say.get().is_some()
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// Whoever hears it, once: then runs that end are looked at.
    pub(crate) fn hear(&self, say: impl Fn(String) + Send + Sync + 'static) -> bool {
        self.say.set(Box::new(say)).is_ok()
    }

    pub(crate) fn ended(&self, tenant: &TenantId, run: RunId, why: Option<String>) {
        locked(&self.ended).push((tenant.clone(), run, why));
    }

    /// The tenant was suspended and is not any more: what stands still because of that stood long enough.
    pub(crate) fn stand_no_longer(&self, tenant: &TenantId) {
        locked(&self.resumed).insert(tenant.clone());
    }

    /// What a server that leaves does not get done is no news.
    pub(crate) fn say(&self, text: String) {
        if let Some(say) = self.say.get().filter(|_| !self.is_leaving()) {
            say(text);
        }
    }
}

impl Server {
    /// From now on starts runs by itself, until [`Server::leave`]. What people should know goes to `say`.
    pub fn keep_triggers(self: &Arc<Self>, say: impl Fn(String) + Send + Sync + 'static) {
        if !self.triggers.hear(say) {
            return;
        }
        let loops: [fn(&Arc<Self>); 5] =
            [Self::keep_schedules, Self::keep_watches, Self::keep_notifying, Self::keep_rollouts, Self::keep_retention];
        for work in loops {
            let server = Arc::clone(self);
            locked(&self.triggers.threads).push(std::thread::spawn(move || work(&server)));
        }
    }

    /// Ends the loops, and waits for them.
    pub(crate) fn leave_triggers(&self) {
        self.triggers.is_leaving.store(true, Ordering::Relaxed);
        let Self { bell, triggers, notifier, canaries, .. } = self;
        let bells = [bell, &triggers.polling, &triggers.retaining, &notifier.bell, canaries];
        bells.into_iter().for_each(Bell::ring);
        let threads = std::mem::take(&mut *locked(&self.triggers.threads));
        // One that panicked has nothing more to say.
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }

    fn keep_schedules(self: &Arc<Self>) {
        while !self.triggers.is_leaving() {
            let wake = self.look();
            let until = |wake: i64| Duration::from_micros(u64::try_from(wake - self.now_us()).unwrap_or(0));
            self.bell.sleep(wake.map_or(SLEEP_MAX, until).min(SLEEP_MAX));
        }
    }

    /// Goes on with runs of deployed versions that stand still though they have not ended: their disk was full, their tenant
    /// suspended, or there was no thread for them. One that stands still again is tried again as often.
    pub(crate) fn go_on_with_standing(self: &Arc<Self>, tenant: &TenantId) -> Result<(), Error> {
        let (now_us, mut still) = (self.now_us(), BTreeSet::new());
        // Those that somebody drives are not even read: this is done whenever a run ends.
        for run in self.store.open_runs(tenant)?.into_iter().filter(|run| !self.is_live(tenant, *run)) {
            if self.store.run(tenant, run)?.is_some_and(|run| run.head.deployment.is_some()) {
                still.insert(run);
            }
        }
        let mut standing = locked(&self.triggers.standing);
        standing.retain(|(whose, run), _| whose != tenant || still.contains(run));
        let at_once = locked(&self.triggers.resumed).remove(tenant);
        for run in still {
            let since_us = standing.entry((tenant.clone(), run)).or_insert(now_us);
            // A clock that went back makes none wait longer.
            if at_once || !(*since_us..*since_us + STANDS_US).contains(&now_us) {
                *since_us = now_us;
                self.resume(tenant, run)?;
            }
        }
        Ok(())
    }

    /// One look at everything; says when the next is due.
    pub(crate) fn look(self: &Arc<Self>) -> Option<i64> {
        let mut keeping = locked(&self.triggers.keeping);
        let ended = std::mem::take(&mut *locked(&self.triggers.ended));
        for (tenant, run, why) in ended {
            // What could not be followed up is found by catching up.
            if self.follow_up_run(&tenant, run, why).is_err() {
                keeping.caught_up.remove(&tenant);
            }
        }
        let mut wake = None;
        for tenant in self.store.tenants() {
            if self.active(&tenant).is_err() {
                keeping.caught_up.remove(&tenant);
                continue;
            }
            let now_us = self.now_us();
            let again = keeping.faults.get(&tenant).map(|(again, _)| *again);
            // Beyond a minute from now it is only after the clock went back.
            if let Some(again) = again.filter(|again| (now_us + 1..=now_us + AGAIN_US).contains(again)) {
                wake = earliest(wake, Some(again));
                continue;
            }
            let looked = catch_unwind(AssertUnwindSafe(|| self.look_at(&tenant, &mut keeping.caught_up)));
            match looked.unwrap_or_else(|_| Err(Fault::host("looking at it panicked; this is a bug of ours").into())) {
                Ok(next) => {
                    keeping.faults.remove(&tenant);
                    wake = earliest(wake, next);
                }
                Err(error) => {
                    let again = now_us + AGAIN_US;
                    let (text, told) = (in_words(&error), keeping.faults.remove(&tenant));
                    if told.is_none_or(|(_, told)| told != text) {
                        self.triggers.say(format!("tenant `{tenant}`: nothing starts by itself for now: {text}"));
                    }
                    keeping.faults.insert(tenant, (again, text));
                    wake = earliest(wake, Some(again));
                }
            }
        }
        wake
    }

    fn look_at(self: &Arc<Self>, tenant: &TenantId, caught_up: &mut BTreeSet<TenantId>) -> Result<Option<i64>, Error> {
        if !caught_up.contains(tenant) {
            self.catch_up(tenant)?;
            caught_up.insert(tenant.clone());
        }
        self.settle(tenant)
    }

    /// Looks at what ended while nobody did.
    fn catch_up(self: &Arc<Self>, tenant: &TenantId) -> Result<(), Error> {
        let since_us = self.now_us() - CATCH_UP_US;
        let recent = |run: &RunSummary| run.finished_us.is_some_and(|at_us| at_us >= since_us);
        let ended = self.store.runs(tenant)?.into_iter().rev().filter(|run| run.head.deployment.is_some());
        ended.filter(recent).try_for_each(|run| self.follow_up(tenant, &run))
    }

    fn follow_up_run(self: &Arc<Self>, tenant: &TenantId, run: RunId, why: Option<String>) -> Result<(), Error> {
        let Some(run) = self.store.run(tenant, run)? else { return Ok(()) };
        self.take_note(tenant, &run, why.as_deref());
        self.follow_up(tenant, &run)
    }

    /// Starts what follows a run that has ended, and tells who is to be told.
    fn follow_up(self: &Arc<Self>, tenant: &TenantId, ended: &RunSummary) -> Result<(), Error> {
        let RunSummary { head, state, finished_us } = ended;
        let (Some(version), Some(finished_us)) = (head.deployment, *finished_us) else { return Ok(()) };
        // One that is run again to be compared is nobody's news.
        if matches!(head.cause, Cause::Replay { .. }) {
            return Ok(());
        }
        if *state == RunState::Failed {
            self.notify(tenant, head, crate::notify::FAILED, finished_us);
        }
        let Some(current) = self.current_deployment(tenant, &head.project)? else { return Ok(()) };
        if *state != RunState::Succeeded {
            return Ok(());
        }
        for follower in current.content.plans.keys() {
            if !current.triggers(follower).after.contains(&head.pipeline) {
                continue;
            }
            let cause = Cause::Upstream { pipeline: head.pipeline.clone(), run: head.run };
            if self.store.fired(tenant, &head.project, follower, &cause)?.is_some() {
                continue;
            }
            // A version that came later does not make followers of what ran before it.
            let ran = self.version_deployed(tenant, &head.project, version)?;
            if ran.triggers(follower).after.contains(&head.pipeline) {
                self.fire(tenant, &current, follower, Spark::new(cause))?;
            }
        }
        Ok(())
    }

    pub(crate) fn now_us(&self) -> i64 {
        Clock::now_us(self.clock.as_ref())
    }
}

/// An error with what to do about it, in a line.
pub(crate) fn in_words(error: &Error) -> String {
    match error {
        Error::Fault(Fault { message, hint: Some(hint), .. }) => format!("{message} ({hint})"),
        error => error.to_string(),
    }
}

/// A name for a message's identity.
pub(crate) fn of_run(tenant: &TenantId, run: RunId) -> String {
    format!("{}_{run}", tenant.as_str())
}
