//! Which workers of a tenant are at work, and the CPU time that they take: those beyond the tenant's share are held back,
//! so that a neighbour's come first. Who is beyond it the server decides.

use crate::scheduling::{HELD_BACK, QUICK, set_policy};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use types::TenantId;

/// All tenants' workers that are at work.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<TenantId, Account>>);

#[derive(Default)]
struct Account {
    /// By work that has ended.
    spent_us: u64,
    /// The oldest first.
    working: Vec<Working>,
    /// How many of them, the newest, are to be held back.
    held_back: usize,
}

struct Working {
    process: u32,
    before_us: u64,
    /// How the kernel schedules it.
    scheduling: i32,
    is_apart: bool,
}

impl Ledger {
    /// A worker begins something; it has taken so much CPU time in its life.
    pub(crate) fn begin(&self, tenant: &TenantId, process: u32, cpu_us: u64) {
        self.add(tenant, Working { process, before_us: cpu_us, scheduling: QUICK, is_apart: false });
    }

    /// The same of a worker that answers a request: its time counts, but it is none of those that are held back.
    pub(crate) fn begin_apart(&self, tenant: &TenantId, process: u32, cpu_us: u64) {
        self.add(tenant, Working { process, before_us: cpu_us, scheduling: QUICK, is_apart: true });
    }

    fn add(&self, tenant: &TenantId, working: Working) {
        let mut accounts = self.accounts();
        let account = accounts.entry(tenant.clone()).or_default();
        account.working.push(working);
        account.settle();
    }

    /// It has ended; false if the worker cannot be made as quick again as it was.
    pub(crate) fn end(&self, tenant: &TenantId, process: u32, cpu_us: u64) -> bool {
        let mut accounts = self.accounts();
        // Of one that nobody knows any more nobody knows how it is scheduled.
        let Some(account) = accounts.get_mut(tenant) else { return false };
        let Some(at) = account.working.iter().position(|working| working.process == process) else { return false };
        let mut ended = account.working.remove(at);
        account.spent_us += cpu_us.saturating_sub(ended.before_us);
        account.settle();
        ended.schedule(QUICK);
        ended.scheduling == QUICK
    }

    /// The server itself did something for a tenant, which took so much CPU time.
    pub(crate) fn charge(&self, tenant: &TenantId, cpu_us: u64) {
        self.accounts().entry(tenant.clone()).or_default().spent_us += cpu_us;
    }

    /// CPU time of a tenant's workers so far, and what was charged.
    pub(crate) fn cpu_us(&self, tenant: &TenantId) -> u64 {
        let accounts = self.accounts();
        let Some(account) = accounts.get(tenant) else { return 0 };
        let taken = |working: &Working| cpu_us(working.process).saturating_sub(working.before_us);
        account.spent_us + account.working.iter().map(taken).sum::<u64>()
    }

    /// From now on this many of a tenant's workers, the newest, are held back.
    pub(crate) fn hold_back(&self, tenant: &TenantId, count: usize) {
        let mut accounts = self.accounts();
        let account = accounts.entry(tenant.clone()).or_default();
        account.held_back = count;
        account.settle();
    }

    pub(crate) fn forget(&self, tenant: &TenantId) {
        self.accounts().remove(tenant);
    }

    fn accounts(&self) -> MutexGuard<'_, BTreeMap<TenantId, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn settle(&mut self) {
        let quick = self.working.iter().filter(|working| !working.is_apart).count().saturating_sub(self.held_back);
        for (at, working) in self.working.iter_mut().filter(|working| !working.is_apart).enumerate() {
            working.schedule(if at < quick { QUICK } else { HELD_BACK });
        }
    }
}

impl Working {
    /// Without privileges a process is held back for good, so this may fail.
    fn schedule(&mut self, scheduling: i32) {
        if self.scheduling == scheduling {
            return;
        }
        // It is quick if all of it is.
        if set_policy(self.process, scheduling) || scheduling == HELD_BACK {
            self.scheduling = scheduling;
        }
    }
}

/// CPU time of all threads of a process so far; 0 once it is gone.
pub(crate) fn cpu_us(process: u32) -> u64 {
    let Ok(process) = i32::try_from(process) else { return 0 };
    // What `clock_getcpuclockid` makes of a process, by the kernel's `MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)`.
    clock_us((!process << 3) | 2)
}

/// CPU time of this thread so far.
pub(crate) fn own_cpu_us() -> u64 {
    clock_us(libc::CLOCK_THREAD_CPUTIME_ID)
}

#[expect(unsafe_code, reason = "rustix has no clock of another process, and `/proc` counts hundredths of a second")]
fn clock_us(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`, which is ours, or nothing.
    let refused = unsafe { libc::clock_gettime(clock, &mut time) };
    if refused == 0 { time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduling::attributes;
    use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
    use std::process::{Child, Command};

    /// A process that stands still: its clock does, too.
    fn idle() -> Child {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Pid::from_raw(child.id() as i32);
        kill_process(process.unwrap(), Signal::STOP).unwrap();
        waitpid(process, WaitOptions::UNTRACED).unwrap();
        child
    }

    #[test]
    fn the_time_of_a_process_is_counted_and_ends_with_it() {
        let own = || cpu_us(std::process::id());
        let before = own();
        while own() < before + 2_000 {}
        let mut other = idle();
        assert!(cpu_us(other.id()) < 1_000_000);
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(cpu_us(other.id()), 0);
    }

    fn scheduling(worker: &Child) -> i32 {
        attributes(worker.id() as i32).unwrap().sched_policy as i32
    }

    #[test]
    fn who_answers_requests_is_none_of_those_that_are_held_back() {
        let (ledger, tenant) = (Ledger::default(), TenantId::default_tenant());
        let mut workers = [idle(), idle()];
        ledger.begin(&tenant, workers[0].id(), 0);
        ledger.begin_apart(&tenant, workers[1].id(), cpu_us(workers[1].id()));
        ledger.hold_back(&tenant, 1);
        assert_eq!(workers.each_ref().map(scheduling), [HELD_BACK, QUICK], "the newest answers");
        let counted = ledger.cpu_us(&tenant);
        assert!(ledger.end(&tenant, workers[1].id(), cpu_us(workers[1].id()) + 250));
        assert_eq!(ledger.cpu_us(&tenant), counted + 250, "its time counts");
        assert!(!ledger.end(&tenant, workers[1].id(), 0), "nobody knows it any more");
        for worker in &mut workers {
            worker.kill().unwrap();
            worker.wait().unwrap();
        }
    }

    #[test]
    fn the_newest_beyond_the_share_are_held_back() {
        let (ledger, tenant) = (Ledger::default(), TenantId::default_tenant());
        let mut workers = [idle(), idle(), idle()];
        let begin = |worker: &Child| ledger.begin(&tenant, worker.id(), cpu_us(worker.id()));
        workers[..2].iter().for_each(begin);
        ledger.hold_back(&tenant, 1);
        assert_eq!(workers.each_ref().map(scheduling), [QUICK, HELD_BACK, QUICK]);
        begin(&workers[2]);
        assert_eq!(scheduling(&workers[2]), HELD_BACK, "also one that comes later");
        let later = |worker: &Child, us: u64| cpu_us(worker.id()) + us;
        assert_eq!(ledger.end(&tenant, workers[2].id(), later(&workers[2], 250)), scheduling(&workers[2]) == QUICK);
        assert_eq!(ledger.cpu_us(&tenant), 250, "nobody else did anything");
        let ended = later(&workers[0], 50);
        for worker in &mut workers {
            worker.kill().unwrap();
            worker.wait().unwrap();
        }
        assert!(ledger.end(&tenant, workers[0].id(), ended));
        assert_eq!(ledger.cpu_us(&tenant), 300);
    }
}
