//! What the server does itself for a step is admitted and charged like an attempt.

use super::*;
use crate::QuotaChange;
use crate::catalog::Aside;
use ports::{Page, StepRunner, Turn, Watch, Watched};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use types::{Digest, Fault, FaultKind, QuotaKind, Receipt};

fn work(house: &House, watch: &dyn Watch, work: impl FnOnce()) -> Result<Receipt, Fault> {
    house.server.admission.host_work(&tenant(), &Turn::default(), watch, Box::new(work))
}

/// Lets the one before go as soon as it is told to wait for it.
struct Waits {
    heard: Mutex<Vec<String>>,
    go: Sender<()>,
}

impl Watch for Waits {
    fn hear(&self, event: Watched) {
        if let Watched::Log { message, .. } = event {
            self.heard.lock().unwrap().push(message);
            self.go.send(()).unwrap();
        }
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn page(&self, _: Page) -> Result<(), Fault> {
        Ok(())
    }

    fn checkpoint(&self, _: Vec<u8>) -> Result<(), Fault> {
        Ok(())
    }
}

#[test]
fn it_waits_for_its_tenants_quota_of_attempts() {
    let house = House::new();
    let quota = QuotaChange { attempts: Some("1".to_owned()), ..QuotaChange::default() };
    house.server.change_quota(&tenant(), &quota).unwrap();
    let ((go, gate), (begun, has_begun)) = (channel(), channel());
    let waits = Waits { heard: Mutex::default(), go };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            work(&house, &Aside, move || {
                begun.send(()).unwrap();
                gate.recv().unwrap();
            })
        });
        has_begun.recv().unwrap();
        assert_eq!(house.server.admission.running(&tenant()), 1);
        work(&house, &waits, || ()).unwrap();
        first.join().unwrap().unwrap();
    });
    assert_eq!(*waits.heard.lock().unwrap(), ["waits: the tenant's quota `attempts` is used up: 1 of 1 at once"]);
    assert_eq!(house.server.admission.running(&tenant()), 0);
}

#[test]
fn its_time_is_the_tenants() {
    let (house, tenant) = (House::new(), tenant());
    let server = &house.server;
    let used = || server.accounts.used(&tenant, server.pool.cpu_us(&tenant)).cpu_us;
    let (before, bytes) = (used(), vec![7; 1 << 20]);
    let took = work(&house, &Aside, || assert_ne!(Digest::of(&bytes), Digest::of(b""))).unwrap();
    assert!(took.cpu_us > 0 && took.wall_us > 0, "{took:?}");
    assert_eq!(used() - before, took.cpu_us);
    let quota = QuotaChange { cpu: Some("1 s".to_owned()), ..QuotaChange::default() };
    server.change_quota(&tenant, &quota).unwrap();
    work(&house, &Aside, || ()).unwrap();
    server.accounts.used(&tenant, server.pool.cpu_us(&tenant) + 1_000_000);
    let refused = work(&house, &Aside, || panic!("there is no time left")).unwrap_err();
    assert_eq!(refused.kind, FaultKind::Quota { quota: QuotaKind::Cpu });
    server.suspend_tenant(&tenant).unwrap();
    assert_eq!(work(&house, &Aside, || panic!("it is suspended")).unwrap_err().kind, FaultKind::Invalid);
}
