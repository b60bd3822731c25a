//! Who may have a GPU, and for how long: told before there is a worker that could see one.

use super::*;
use crate::admission::METER;
use crate::catalog::Aside;
use crate::{PolicyChange, QuotaChange};
use ports::{Assignment, Call, StepRunner, Task, Watch};
use types::{Device, Digest, Fault, FaultKind, Grants, Limits, QuotaKind};

/// How an attempt on the device fails.
fn refused(house: &House, device: Device) -> Fault {
    let assignment = Assignment {
        component: Digest::of(b"component"),
        parameters: serde_json::json!({}),
        seed: 0,
        logical_time_us: 0,
        limits: Limits::default(),
        device,
        checkpoint: None,
        task: Task::Discover,
    };
    let (who, base) = ("step `it`".to_owned(), house.folder.path().to_owned());
    let call = Call { who, assignment, grants: Grants::default(), base, turn: Default::default() };
    house.server.admission.run(&tenant(), &call, &Aside).result.unwrap_err()
}

#[test]
fn a_policy_and_a_quota_of_time_stand_before_a_gpu() {
    let (house, gpu) = (House::new(), Device::Cuda(0));
    let server = &house.server;
    assert_eq!(refused(&house, gpu).kind, FaultKind::Denied, "nobody was given one");
    let allowed = PolicyChange::Allow { lines: vec!["devices = [\"cuda:0\"]".to_owned()] };
    assert!(server.change_policy(&tenant(), allowed).unwrap().toml.contains("devices = [\"cuda:0\"]"));
    let absent = refused(&house, gpu);
    assert_eq!(absent.kind, FaultKind::Invalid);
    assert!(absent.message.starts_with("step `it`: there is no `cuda:0`: "), "{absent}");

    let quota = QuotaChange { device: Some("1 min".to_owned()), ..QuotaChange::default() };
    server.change_quota(&tenant(), &quota).unwrap();
    server.accounts.had_device(&tenant(), 59_000_000);
    assert_eq!(refused(&house, gpu).kind, FaultKind::Invalid, "there is a second left");
    server.accounts.had_device(&tenant(), 1_000_000);
    let used_up = refused(&house, gpu);
    assert_eq!(used_up.kind, FaultKind::Quota { quota: QuotaKind::Device });
    assert_eq!(used_up.message, "step `it`: the tenant's quota `device` is used up: 1 min today of 1 min");
    let shown = server.tenant(&tenant()).unwrap().quotas.into_iter().find(|line| line.quota == QuotaKind::Device);
    assert_eq!(shown.map(|line| (line.used, line.limit)), Some((60_000, Some(60_000))));
    // The processors are everybody's: the worker that cannot be started here is not told of.
    assert!(!matches!(refused(&house, Device::Cpu).kind, FaultKind::Quota { .. } | FaultKind::Denied));
    house.hands.0.fetch_add(24 * 60 * MINUTE_US, Ordering::SeqCst);
    assert_eq!(refused(&house, gpu).kind, FaultKind::Invalid, "another day");
}

#[test]
fn an_attempt_ends_when_the_tenants_time_with_a_gpu_does() {
    let (house, tenant) = (House::new(), tenant());
    let server = &house.server;
    let used_us = || server.accounts.used(&tenant, 0).device_us;
    let beside = || server.admission.meter(&tenant, true, Some(1));
    // Two at once share what is left.
    let (one, other) = (beside(), beside());
    server.accounts.had_device(&tenant, 999_999);
    assert!(!one.cancelled() && used_us() == 999_999, "it has just begun");
    other.looked_before(METER);
    assert!(other.cancelled() && used_us() >= 999_999 + METER.as_micros() as u64);
    one.looked_before(METER);
    assert!(one.cancelled());
    let counted = used_us();
    let without = server.admission.meter(&tenant, false, None);
    without.looked_before(METER);
    assert!(!without.cancelled() && used_us() == counted, "the processors are not counted");
}
