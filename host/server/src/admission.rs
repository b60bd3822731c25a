//! Attempts of all runs and tenants -> their turn, their quotas, their caps; then the pool. The loop around [`run::Share`].
//!
//! Whoever waits sleeps until it is woken by whoever gives it a slot, so a long queue costs nothing while nothing changes.

use crate::accounts::Accounts;
use crate::held::Held;
use crate::predictions::Predictions;
use crate::{examine, folder, locked};
use ports::{Call, Examination, Outcome, Page, StepRunner, Task, Turn, Watch, Watched};
use run::{Share, Ticket};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Thread;
use std::time::{Duration, Instant};
use store::{Store, TenantEntry};
use types::{Device, Fault, FaultKind, Quantity, QuotaKind, Receipt, TenantId};

/// How often one that waits asks whether it was cancelled, and how many of them ask within a second: a long queue must not be a
/// neighbour of its own.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: u32 = 500;
/// How long what was measured of a tenant's disk holds for requests.
const MEASURED: Duration = Duration::from_secs(1);
/// How often an attempt under a quota of CPU time is looked at.
pub(crate) const METER: Duration = Duration::from_millis(200);

/// Stands before the pool.
pub(crate) struct Admission {
    store: Arc<Store>,
    pool: Arc<worker::Pool>,
    accounts: Arc<Accounts>,
    predictions: Arc<Predictions>,
    layout: Box<dyn Fn(&TenantId) -> worker::Layout + Send + Sync>,
    queue: Mutex<Queue>,
    tickets: AtomicU64,
    /// What lay on tenants' disks, and until when that holds.
    measured: Mutex<BTreeMap<TenantId, (Instant, u64)>>,
}

struct Queue {
    share: Share,
    sleepers: BTreeMap<Ticket, Thread>,
    /// Tickets that got a slot and do not know it yet.
    called: BTreeSet<Ticket>,
    held: Held,
}

/// A slot. Dropped, it is the next one's.
struct Slot<'a> {
    admission: &'a Admission,
    tenant: &'a TenantId,
    turn: &'a Turn,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut queue = locked(&self.admission.queue);
        queue.share.end(self.tenant, self.turn);
        self.admission.settle(&mut queue);
    }
}

impl Admission {
    pub(crate) fn new(
        store: Arc<Store>,
        pool: Arc<worker::Pool>,
        (accounts, predictions): (Arc<Accounts>, Arc<Predictions>),
        layout: impl Fn(&TenantId) -> worker::Layout + Send + Sync + 'static,
        slots: usize,
    ) -> Self {
        let queue = Queue {
            share: Share::new(slots),
            sleepers: BTreeMap::new(),
            called: BTreeSet::new(),
            held: Held::default(),
        };
        let (layout, queue, tickets, measured) =
            (Box::new(layout), Mutex::new(queue), AtomicU64::new(0), Mutex::default());
        Self { store, pool, accounts, predictions, layout, queue, tickets, measured }
    }

    /// How many attempts of the tenant run.
    pub(crate) fn running(&self, tenant: &TenantId) -> usize {
        locked(&self.queue).share.running(tenant)
    }

    /// Bytes that the tenant's blobs, journal, prediction logs and native code take.
    pub(crate) fn storage_bytes(&self, tenant: &TenantId) -> Result<u64, Fault> {
        let layout = (self.layout)(tenant);
        let (_, compiled) = folder::measured(&layout.compiled)?;
        let beside = |name| folder::measured(&layout.blobs.with_file_name(name)).map(|(_, bytes)| bytes);
        let elsewhere = compiled.saturating_add(beside("journal")?).saturating_add(beside("predictions")?);
        Ok(self.store.storage_bytes(tenant, elsewhere)?)
    }

    /// The same for one of many requests: what lies on the disk is as it was a moment ago, so that measuring it takes little of the
    /// time, however many files there are.
    pub(crate) fn check_often(&self, tenant: &TenantId) -> Result<(), Fault> {
        self.check_storage(tenant, |tenant| {
            let known = locked(&self.measured).get(tenant).copied();
            if let Some((_, used)) = known.filter(|(until, _)| Instant::now() < *until) {
                return Ok(used);
            }
            let begun = Instant::now();
            let used = self.storage_bytes(tenant)?;
            let until = Instant::now() + MEASURED.max(begun.elapsed() * 50);
            locked(&self.measured).insert(tenant.clone(), (until, used));
            Ok(used)
        })
        .map(drop)
    }

    /// An error if the tenant may not do more now: it is suspended, or a quota is used up.
    pub(crate) fn check(&self, tenant: &TenantId) -> Result<TenantEntry, Fault> {
        self.check_storage(tenant, |tenant| self.storage_bytes(tenant))
    }

    fn check_storage(
        &self,
        tenant: &TenantId,
        measure: impl Fn(&TenantId) -> Result<u64, Fault>,
    ) -> Result<TenantEntry, Fault> {
        let entry = self.store.entry(tenant)?;
        if entry.suspended {
            return Err(Fault::invalid(crate::Error::Suspended(tenant.clone()).to_string()));
        }
        if let Some(limit) = entry.quota.storage_bytes {
            let used = measure(tenant)?;
            if used >= limit {
                return Err(Fault::quota(QuotaKind::Storage, Quantity::Bytes(used).about(), Quantity::Bytes(limit)));
            }
        }
        match self.over_cpu(tenant, entry.quota.cpu_seconds) {
            Some(fault) => Err(fault),
            None => Ok(entry),
        }
    }

    fn over_cpu(&self, tenant: &TenantId, limit: Option<u64>) -> Option<Fault> {
        let limit = limit?;
        let used = self.accounts.used(tenant, self.pool.cpu_us(tenant));
        over(QuotaKind::Cpu, used.cpu_us, limit)
    }

    fn over_device(&self, tenant: &TenantId, limit: Option<u64>) -> Option<Fault> {
        let limit = limit?;
        let used = self.accounts.used(tenant, self.pool.cpu_us(tenant));
        over(QuotaKind::Device, used.device_us, limit)
    }

    /// Waits for no attempt of the tenant to run, and for nobody else to be at work for it: who builds or compiles a plugin would
    /// leave it behind. False if that takes too long.
    pub(crate) fn is_idle_within(&self, tenant: &TenantId, most: Duration) -> bool {
        let deadline = Instant::now() + most;
        while self.running(tenant) > 0 || self.store.is_held(tenant) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// A tenant that is gone has no turn, and no disk.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        let mut queue = locked(&self.queue);
        queue.share.forget(tenant);
        queue.held.forget(tenant);
        drop(queue);
        locked(&self.measured).remove(tenant);
    }

    /// Over an attempt that has just begun.
    #[cfg(test)]
    pub(crate) fn meter<'a>(&'a self, tenant: &'a TenantId, has_device: bool, seconds: Option<u64>) -> Meter<'a> {
        let (looked, is_over) = (Mutex::new(Instant::now()), AtomicBool::new(false));
        let watch = &crate::catalog::Aside;
        Meter { admission: self, tenant, limits: (None, seconds), has_device, watch, looked, is_over }
    }

    /// What was measured of a tenant's disk holds until then.
    #[cfg(test)]
    pub(crate) fn measured_until(&self, tenant: &TenantId, until: Instant) {
        locked(&self.measured).entry(tenant.clone()).and_modify(|measured| measured.0 = until);
    }

    /// A slot, once it is the attempt's turn.
    fn slot<'a>(&'a self, tenant: &'a TenantId, turn: &'a Turn, watch: &dyn Watch) -> Result<Slot<'a>, Fault> {
        let mut queue = locked(&self.queue);
        // Under the lock: whoever comes later has a higher one.
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        queue.share.wait(tenant, ticket, turn);
        queue.sleepers.insert(ticket, std::thread::current());
        self.settle(&mut queue);
        let why = self.why(tenant, turn, &queue, ticket);
        if !why.is_empty() {
            // Whoever hears it may wait for a disk; nobody else waits for that.
            drop(queue);
            why.into_iter().for_each(|message| watch.hear(Watched::Log { level: "info".to_owned(), message }));
            queue = locked(&self.queue);
        }
        loop {
            if queue.called.remove(&ticket) {
                return Ok(Slot { admission: self, tenant, turn });
            }
            if watch.cancelled() {
                queue.share.leave(tenant, ticket, turn);
                queue.sleepers.remove(&ticket);
                self.settle(&mut queue);
                return Err(Fault::new(FaultKind::Cancelled, "was cancelled"));
            }
            let look = LOOK.max(Duration::from_secs(1) * queue.sleepers.len() as u32 / LOOKS);
            drop(queue);
            std::thread::park_timeout(look);
            queue = locked(&self.queue);
        }
    }

    /// An attempt that waits for its own tenant's says so: a quota or a pool, not a neighbour, is to blame.
    fn why(&self, tenant: &TenantId, turn: &Turn, queue: &Queue, ticket: Ticket) -> Vec<String> {
        let mut why = Vec::new();
        if queue.called.contains(&ticket) {
            return why;
        }
        let (most, running) = (self.most(tenant), queue.share.running(tenant));
        if running >= most {
            why.push(format!("waits: the tenant's quota `attempts` is used up: {running} of {most} at once"));
        }
        if let Some(pool) = turn.pool.as_ref().filter(|pool| queue.share.in_pool(tenant, pool) >= pool.most) {
            why.push(format!(
                "waits: {} of {} are in the pool `{}`",
                queue.share.in_pool(tenant, pool),
                pool.most,
                pool.name
            ));
        }
        why
    }

    /// Calls whoever has a slot now, and holds back the workers beyond their tenant's share.
    fn settle(&self, queue: &mut Queue) {
        while let Some((_, ticket)) = queue.share.start(|tenant| self.most(tenant)) {
            queue.called.insert(ticket);
            if let Some(sleeper) = queue.sleepers.remove(&ticket) {
                sleeper.unpark();
            }
        }
        self.hold(queue);
    }

    fn hold(&self, queue: &mut Queue) {
        let beyond = queue.share.beyond();
        for (tenant, count) in queue.held.settle(beyond, Instant::now()) {
            self.pool.hold_back(&tenant, count);
        }
    }

    /// Asked now and then by attempts that run: nothing else may happen for hours.
    fn let_go(&self) {
        let mut queue = locked(&self.queue);
        if queue.held.is_due(Instant::now()) {
            self.hold(&mut queue);
        }
    }

    fn most(&self, tenant: &TenantId) -> usize {
        let attempts = self.store.entry(tenant).ok().and_then(|entry| entry.quota.attempts);
        attempts.map_or(usize::MAX, |attempts| attempts as usize)
    }

    /// An attempt at once: whoever checks a project must not wait for its runs to end. To be used for what is short and what
    /// only the owner of the data folder can ask for.
    pub(crate) fn at_once(&self, tenant: &TenantId, call: &Call, watch: &dyn Watch) -> Outcome {
        self.attempt(tenant, call, watch).unwrap_or_else(|fault| failed(call, fault))
    }

    fn queued(&self, tenant: &TenantId, call: &Call, watch: &dyn Watch) -> Result<Outcome, Fault> {
        self.store.entry(tenant)?;
        let _slot = self.slot(tenant, &call.turn, watch)?;
        self.attempt(tenant, call, watch)
    }

    fn attempt(&self, tenant: &TenantId, call: &Call, watch: &dyn Watch) -> Result<Outcome, Fault> {
        let entry = self.check(tenant)?;
        if let Task::Feedback { endpoint, table, joined } = &call.assignment.task {
            let (columns, limits) = ((table, joined), entry.policy.capped(call.assignment.limits));
            let mut outcome = self.predictions.feedback(tenant, endpoint, columns, limits, self.store.as_ref());
            let named = |fault: Fault| Fault { message: format!("{}: {}", call.who, fault.message), ..fault };
            outcome.result = outcome.result.map_err(named);
            return Ok(outcome);
        }
        let mut call = call.clone();
        call.assignment.limits = entry.policy.capped(call.assignment.limits);
        let (began, is_over) = (Instant::now(), AtomicBool::new(false));
        let looked = Mutex::new(began);
        // Of one that computes on the processors alone no device is counted.
        let device = Some(entry.quota.device_seconds).filter(|_| call.assignment.device != Device::Cpu);
        if let Some(fault) = device.and_then(|limit| self.over_device(tenant, limit)) {
            return Err(fault);
        }
        let limits = (entry.quota.cpu_seconds, device.flatten());
        let has_device = device.is_some();
        let meter = Meter { admission: self, tenant, limits, has_device, watch, looked, is_over };
        let mut outcome = match &call.assignment.task {
            Task::Examine { examination } => self.examine(tenant, &call, examination, &meter),
            _ => self.pool.run(tenant, &call, &meter),
        };
        // One that was refused had no device.
        if outcome.receipt.wall_us > 0 {
            meter.count(&mut locked(&meter.looked));
        }
        if meter.is_over.load(Ordering::Relaxed)
            && let Some(fault) = meter.over()
        {
            outcome.result = outcome.result.or(Err(fault));
        }
        // A disk that does not take it loses what a crash would.
        let _ = self.accounts.save(tenant, self.pool.cpu_us(tenant));
        Ok(outcome)
    }

    fn examine(&self, tenant: &TenantId, call: &Call, asked: &Examination, watch: &dyn Watch) -> Outcome {
        let began = Instant::now();
        let mut receipt = Receipt { rows_in: asked.rows.rows, ..Receipt::default() };
        let result = examine::examine(&self.store, &self.pool, tenant, (asked, call.assignment.logical_time_us), watch);
        receipt.wall_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let named = |fault: Fault| Fault { message: format!("{}: {}", call.who, fault.message), ..fault };
        Outcome { result: result.map_err(named), receipt }
    }
}

impl StepRunner for Admission {
    fn run(&self, tenant: &TenantId, call: &Call, watch: &dyn Watch) -> Outcome {
        self.queued(tenant, call, watch).unwrap_or_else(|fault| failed(call, fault))
    }

    fn host_work(
        &self,
        tenant: &TenantId,
        turn: &Turn,
        watch: &dyn Watch,
        work: Box<dyn FnOnce() + '_>,
    ) -> Result<Receipt, Fault> {
        self.store.entry(tenant)?;
        let _slot = self.slot(tenant, turn, watch)?;
        self.check(tenant)?;
        let took = self.pool.host_work(tenant, turn, watch, work);
        // A disk that does not take it loses what a crash would.
        let _ = self.accounts.save(tenant, self.pool.cpu_us(tenant));
        took
    }
}

fn failed(call: &Call, mut fault: Fault) -> Outcome {
    fault.message = format!("{}: {}", call.who, fault.message);
    Outcome { result: Err(fault), receipt: Receipt::default() }
}

/// A quota of a day's time that is used up.
fn over(quota: QuotaKind, used_us: u64, limit: u64) -> Option<Fault> {
    let used_ms = used_us / 1000;
    let (used, most) = (Quantity::Milliseconds(used_ms).about(), Quantity::Milliseconds(limit.saturating_mul(1000)));
    (used_ms / 1000 >= limit).then(|| Fault::quota(quota, format!("{used} today"), most))
}

/// Stops an attempt when its tenant's CPU time is used up, or its time with a device.
pub(crate) struct Meter<'a> {
    admission: &'a Admission,
    tenant: &'a TenantId,
    /// Seconds of CPU, and with a device.
    limits: (Option<u64>, Option<u64>),
    has_device: bool,
    watch: &'a dyn Watch,
    /// Up to then its time with a device is counted.
    looked: Mutex<Instant>,
    is_over: AtomicBool,
}

impl Meter<'_> {
    fn over(&self) -> Option<Fault> {
        let (cpu, device) = self.limits;
        let over_cpu = self.admission.over_cpu(self.tenant, cpu);
        over_cpu.or_else(|| self.admission.over_device(self.tenant, device))
    }

    /// It was looked at so much earlier.
    #[cfg(test)]
    pub(crate) fn looked_before(&self, time: Duration) {
        *locked(&self.looked) -= time;
    }

    /// Counts the time since the last look while it runs, so that attempts beside each other count together.
    fn count(&self, looked: &mut Instant) {
        let now = Instant::now();
        if self.has_device {
            self.admission.accounts.had_device(self.tenant, now.duration_since(*looked).as_micros() as u64);
        }
        *looked = now;
    }
}

impl Watch for Meter<'_> {
    fn hear(&self, event: Watched) {
        self.watch.hear(event);
    }

    fn cancelled(&self) -> bool {
        let mut looked = locked(&self.looked);
        if looked.elapsed() >= METER {
            self.count(&mut looked);
            self.admission.let_go();
            if self.limits != (None, None) {
                self.is_over.store(self.over().is_some(), Ordering::Relaxed);
            }
        }
        drop(looked);
        self.is_over.load(Ordering::Relaxed) || self.watch.cancelled()
    }

    fn page(&self, page: Page) -> Result<(), Fault> {
        self.watch.page(page)
    }

    fn checkpoint(&self, state: Vec<u8>) -> Result<(), Fault> {
        self.watch.checkpoint(state)
    }
}
