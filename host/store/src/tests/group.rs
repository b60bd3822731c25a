//! Many appenders at once: everybody's batch is there once, whole and in its order; and a failing disk stops them all.

use super::records::{attempt, committed, page, started};
use super::{folder, open, tenant};
use crate::Store;
use ports::Journal;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use types::{Fault, FaultKind, Record, RunId, TenantId};

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

/// Appends attempts `at` to 9, each from where the one before was heard of.
fn chain(store: &Arc<Store>, acme: TenantId, run: u64, at: i64, heard: Sender<(u64, i64, Result<(), Fault>)>) {
    let (next, whose) = (Arc::clone(store), acme.clone());
    let then = move |result| {
        heard.send((run, at, result)).expect("the test listens");
        if at < 9 {
            chain(&next, whose, run, at + 1, heard);
        }
    };
    store.append_then(&acme, &[attempt(run, at)], Box::new(then));
}

#[test]
fn who_does_not_wait_hears_of_each_batch_once_and_in_order_beside_those_who_wait() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let store = Arc::new(store);
    let (heard, hears) = channel();
    std::thread::scope(|scope| {
        for run in 1..=APPENDERS {
            let (store, acme, heard) = (&store, &acme, heard.clone());
            scope.spawn(move || {
                store.append(acme, &[started(run)]).expect("appended");
                chain(store, acme.clone(), run, 0, heard);
                (0..BATCHES).for_each(|at| store.append(acme, &[attempt(run, 100 + at)]).expect("appended"));
            });
        }
    });
    drop(heard);
    let all: Vec<_> = hears.iter().collect();
    for run in 1..=APPENDERS {
        let of: Vec<_> = all.iter().filter(|heard| heard.0 == run).map(|heard| (heard.1, heard.2.clone())).collect();
        assert_eq!(of, (0..10).map(|at| (at, Ok(()))).collect::<Vec<_>>());
        let records = store.run_records(&acme, RunId(run)).expect("read");
        let of = |from, to| records.iter().filter(|record| (from..to).any(|at| **record == attempt(run, at))).count();
        assert_eq!((records.len(), of(0, 10), of(100, 120)), (31, 10, 20));
    }
}

#[test]
fn a_store_that_is_dropped_has_written_what_was_handed_in() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    store.append(&acme, &[started(1)]).expect("appended");
    let (heard, hears) = channel();
    for at in 0..50 {
        let heard = heard.clone();
        store.append_then(
            &acme,
            &[attempt(1, at)],
            Box::new(move |result| heard.send(result).expect("the test listens")),
        );
    }
    drop((store, heard));
    assert_eq!(hears.try_iter().collect::<Vec<_>>(), vec![Ok(()); 50]);
    let (store, recovery) = open(data.path());
    assert!(recovery.is_clean(), "{recovery}");
    assert_eq!(store.run_records(&acme, RunId(1)).expect("read").len(), 51);
}

#[test]
fn who_does_not_wait_hears_why_nothing_is_written() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    store.append(&acme, &[started(1)]).expect("appended");
    let (heard, hears) = channel();
    let append = |records: &[Record]| {
        let heard = heard.clone();
        store.append_then(&acme, records, Box::new(move |result| heard.send(result).expect("the test listens")));
        hears.recv().expect("it is told").map_err(|fault| (fault.kind, fault.message))
    };
    assert_eq!(append(&[]), Ok(()));
    let (kind, message) = append(&[committed(1, f64::NAN)]).expect_err("refused");
    assert!(kind == FaultKind::Host && message.starts_with("record does not survive"), "{message}");
    let (_, message) = append(&[started(1)]).expect_err("refused");
    assert!(message.contains("1"), "{message}");
    // One who panics harms nobody.
    store.append_then(&acme, &[attempt(1, 0)], Box::new(|_| panic!("a bug of whoever hears")));
    assert_eq!(append(&[attempt(1, 1)]), Ok(()));
    store.tenant(&acme).expect("a tenant").break_disk();
    for at in 2..4 {
        let (kind, message) = append(&[attempt(1, at)]).expect_err("the disk is broken");
        assert!(kind == FaultKind::Host && message.contains("takes no more records"), "{message}");
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
