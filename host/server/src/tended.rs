//! Work that is done for each tenant, again and again: each tenant's on a thread that is kept, so that what takes long, or ends in
//! a panic, holds up nobody else's, and is done again.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use types::TenantId;

type Work = Arc<dyn Fn(&TenantId) + Send + Sync>;

/// The tenants that are tended. Dropped, it waits for what is being done.
pub(crate) struct Tended {
    name: &'static str,
    work: Work,
    /// Hears whose work ended in a panic: once, until it has gone well again.
    broken: Work,
    threads: BTreeMap<TenantId, Kept>,
    /// Of tenants that are tended no more, which may still be at it.
    ending: Vec<(TenantId, JoinHandle<()>)>,
}

struct Kept {
    ring: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Tended {
    pub(crate) fn new(
        name: &'static str,
        work: impl Fn(&TenantId) + Send + Sync + 'static,
        broken: impl Fn(&TenantId) + Send + Sync + 'static,
    ) -> Self {
        let (work, broken): (Work, Work) = (Arc::new(work), Arc::new(broken));
        Self { name, work, broken, threads: BTreeMap::new(), ending: Vec::new() }
    }

    /// Has the work of these tenants done, and of no others. Waits for none: who is still at it begins anew once that is done.
    pub(crate) fn look(&mut self, tenants: &BTreeSet<TenantId>) {
        self.ending.retain(|(_, thread)| !thread.is_finished());
        let gone: Vec<_> = self.threads.keys().filter(|tenant| !tenants.contains(*tenant)).cloned().collect();
        let ended = gone.into_iter().filter_map(|tenant| Some((tenant.clone(), self.threads.remove(&tenant)?.thread)));
        self.ending.extend(ended);
        for tenant in tenants {
            // Two threads of one tenant's would do the same beside each other.
            if self.ending.iter().any(|(whose, _)| whose == tenant) {
                continue;
            }
            if !self.threads.contains_key(tenant) {
                // Without a thread to be had, the next look tries again.
                let Ok(kept) = self.begin(tenant) else { continue };
                self.threads.insert(tenant.clone(), kept);
            }
            // One that was rung already and has not come to it will.
            let _ = self.threads[tenant].ring.try_send(());
        }
    }

    fn begin(&self, tenant: &TenantId) -> std::io::Result<Kept> {
        let (ring, rung) = sync_channel(1);
        let (tenant, work, broken) = (tenant.clone(), Arc::clone(&self.work), Arc::clone(&self.broken));
        let thread = Builder::new().name(self.name.to_owned()).spawn(move || keep(&tenant, &rung, &work, &broken))?;
        Ok(Kept { ring, thread })
    }
}

fn keep(tenant: &TenantId, rung: &Receiver<()>, work: &Work, broken: &Work) {
    let mut was_well = true;
    while rung.recv().is_ok() {
        let is_well = catch_unwind(AssertUnwindSafe(|| work(tenant))).is_ok();
        if was_well && !is_well {
            broken(tenant);
        }
        was_well = is_well;
    }
}

impl Drop for Tended {
    fn drop(&mut self) {
        let kept = std::mem::take(&mut self.threads).into_values().map(|Kept { thread, .. }| thread);
        let all: Vec<_> = self.ending.drain(..).map(|(_, thread)| thread).chain(kept).collect();
        // Each had its bell dropped.
        all.into_iter().for_each(|thread| drop(thread.join()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};
    use types::Id;

    const DEADLINE: Duration = Duration::from_secs(60);

    fn tenants(names: &[&str]) -> BTreeSet<TenantId> {
        names.iter().map(|name| TenantId::parse(name).unwrap()).collect()
    }

    #[track_caller]
    fn until(mut is_so: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !is_so() {
            assert!(begin.elapsed() < DEADLINE, "it does not come");
            std::thread::yield_now();
        }
    }

    /// The third time it goes well, and the fourth it does not again.
    #[test]
    fn work_that_ends_in_a_panic_is_told_of_and_done_again() {
        let (times, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, heard) = (Arc::clone(&times), Arc::clone(&told));
        let work = move |_: &TenantId| {
            let time = counted.fetch_add(1, Ordering::SeqCst);
            assert!(time == 2, "planned");
        };
        let mut tended = Tended::new("test", work, move |tenant| {
            assert_eq!(tenant.as_str(), "acme");
            heard.fetch_add(1, Ordering::SeqCst);
        });
        for done in 1..=4 {
            until(|| {
                tended.look(&tenants(&["acme"]));
                times.load(Ordering::SeqCst) >= done
            });
        }
        drop(tended);
        assert!(times.load(Ordering::SeqCst) >= 4);
        assert_eq!(told.load(Ordering::SeqCst), 2, "once for each time that it went wrong after it had been well");
    }

    #[test]
    fn who_is_slow_holds_up_nobody_and_keeps_one_thread() {
        let (begun, done) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        let (log, count, held) = (Arc::clone(&begun), Arc::clone(&done), Arc::clone(&gate));
        let work = move |tenant: &TenantId| {
            log.lock().unwrap().push(tenant.clone());
            if tenant.as_str() == "slow" {
                drop(held.lock().unwrap());
            } else {
                count.fetch_add(1, Ordering::SeqCst);
            }
        };
        let mut tended = Tended::new("test", work, |_| panic!("nothing is broken"));
        until(|| {
            tended.look(&tenants(&["quick", "slow"]));
            done.load(Ordering::SeqCst) >= 3 && begun.lock().unwrap().iter().any(|tenant| tenant.as_str() == "slow")
        });
        assert_eq!(begun.lock().unwrap().iter().filter(|tenant| tenant.as_str() == "slow").count(), 1);
        // Gone, and its thread with it once it is done.
        tended.look(&tenants(&["quick"]));
        assert_eq!((tended.threads.len(), tended.ending.len()), (1, 1));
        // Back before that: it begins anew, and not beside itself.
        tended.look(&tenants(&["quick", "slow"]));
        assert_eq!((tended.threads.len(), tended.ending.len()), (1, 1));
        drop(closed);
        until(|| {
            tended.look(&tenants(&["quick"]));
            tended.ending.is_empty()
        });
    }
}
