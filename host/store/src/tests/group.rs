//! Many appenders at once: everybody's batch is there once, whole and in its order; and a failing disk stops them all.

use super::records::{attempt, committed, page, started};
use super::{folder, open, tenant};
use ports::Journal;
use types::{FaultKind, Record, RunId};

const APPENDERS: u64 = 8;
const BATCHES: i64 = 20;

#[test]
fn concurrent_batches_stay_whole() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    std::thread::scope(|scope| {
        for run in 1..=APPENDERS {
            let (store, acme) = (&store, &acme);
            scope.spawn(move || {
                store.append(acme, &[started(run)]).expect("appended");
                for at in 0..BATCHES {
                    store.append(acme, &[attempt(run, 2 * at), attempt(run, 2 * at + 1)]).expect("appended");
                    // What is appended can be read at once.
                    let seen = store.run_records(acme, RunId(run)).expect("read").len() as i64;
                    assert_eq!(seen, 1 + 2 * (at + 1));
                }
            });
        }
    });
    drop(store);
    let (store, recovery) = open(data.path());
    assert!(recovery.is_clean(), "{recovery}");
    for run in 1..=APPENDERS {
        let expected: Vec<Record> =
            std::iter::once(started(run)).chain((0..2 * BATCHES).map(|at| attempt(run, at))).collect();
        assert_eq!(store.run_records(&acme, RunId(run)).expect("read"), expected);
    }
}

#[test]
fn a_contradiction_is_refused_alone() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let results: Vec<bool> = std::thread::scope(|scope| {
        let rivals: Vec<_> =
            (0..6).map(|_| scope.spawn(|| store.append(&acme, &[attempt(1, 0), started(1)]).is_ok())).collect();
        rivals.into_iter().map(|rival| rival.join().expect("no panic")).collect()
    });
    assert_eq!(results.iter().filter(|won| **won).count(), 1);
    assert_eq!(store.run_records(&acme, RunId(1)), Ok(vec![attempt(1, 0), started(1)]));
}

#[test]
fn what_json_cannot_hold_is_refused_before_it_is_written() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let fault = store.append(&acme, &[started(1), committed(1, f64::NAN)]).expect_err("refused");
    assert!(fault.message.starts_with("record does not survive being written and read"), "{fault}");
    assert_eq!(store.run(&acme, RunId(1)), Ok(None));
    store.append(&acme, &[started(1)]).expect("the journal goes on");
}

#[test]
fn what_is_too_large_for_a_batch_is_its_guests_fault_and_harms_nobody() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let mut large = page(1, 1, 1, false);
    if let Record::PageCommitted { cursor, .. } = &mut large {
        *cursor = "ab".repeat(17 << 20);
    }
    let fault = store.append(&acme, &[started(1), large]).expect_err("refused");
    assert_eq!(fault.kind, FaultKind::Guest);
    assert!(fault.message.starts_with("records of "), "{fault}");
    assert_eq!(store.run(&acme, RunId(1)), Ok(None), "all or none");
    store.append(&acme, &[started(1)]).expect("the journal goes on");
}

#[test]
fn a_failed_write_poisons_the_journal() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    store.append(&acme, &[started(1)]).expect("appended");
    store.tenant(&acme).expect("a tenant").break_disk();
    for at in 0..2 {
        let fault = store.append(&acme, &[attempt(1, at)]).expect_err("the disk is broken");
        assert_eq!(fault.kind, FaultKind::Host);
        assert!(fault.message.contains("takes no more records until the store is opened again"), "{fault}");
    }
    assert_eq!(store.run_records(&acme, RunId(1)), Ok(vec![started(1)]), "what was there can be read");
    store.append(&tenant("ac"), &[started(1)]).expect("another tenant's journal goes on");
    drop(store);
    open(data.path()).0.append(&acme, &[attempt(1, 0)]).expect("opened again, it takes records");
}
