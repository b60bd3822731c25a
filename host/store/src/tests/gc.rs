//! Any runs, any of them forgotten, a sweep that ends anywhere: what remains is whole, and what does not remain is gone.

use super::records::{finished, registered, started, table};
use super::{folder, open, tenant};
use crate::Store;
use ports::{Blobs, Journal};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow::{self, Break, Continue};
use types::{Artifact, Attempt, Digest, Receipt, Record, RunId, RunState, StepCommit, TableRef, TenantId};

fn go_on(_: &crate::Swept) -> ControlFlow<()> {
    Continue(())
}

/// What one run leaves: a plan, which names a component, and two tables.
#[derive(Debug, Clone)]
struct Leaves {
    plan: u8,
    tables: Vec<u8>,
    pages: Vec<u8>,
    registers: bool,
    ends: bool,
}

fn leaves() -> impl Strategy<Value = Leaves> {
    let few = || prop::collection::vec(0u8..12, 0..3);
    (0u8..4, few(), few(), prop::bool::weighted(0.2), prop::bool::weighted(0.8))
        .prop_map(|(plan, tables, pages, registers, ends)| Leaves { plan, tables, pages, registers, ends })
}

fn stored(store: &Store, id: &TenantId, content: u8) -> TableRef {
    let parts = vec![store.put(id, &[b'A', content]).unwrap()];
    TableRef { parts, ..table(content.into()) }
}

fn component(store: &Store, id: &TenantId, content: u8) -> Digest {
    store.put(id, &[b'\0', content]).unwrap()
}

fn commit(table: TableRef) -> StepCommit {
    let outputs = [("table".parse().unwrap(), Artifact::Table(table))].into();
    let (receipt, key, taken) = (Receipt::default(), Some(Digest::of(b"work")), None);
    StepCommit { step: "fit".parse().unwrap(), attempt: Attempt(1), outputs, receipt, key, taken }
}

/// Writes a run as the server does: blobs first.
fn write(store: &Store, id: &TenantId, run: u64, leaves: &Leaves) {
    let plan = format!("{{\"component\":\"{}\"}}", component(store, id, leaves.plan));
    let Record::RunStarted(mut head) = started(run) else { unreachable!() };
    head.plan = store.put(id, plan.as_bytes()).unwrap();
    let mut records = vec![Record::RunStarted(head)];
    for content in &leaves.tables {
        let commit = commit(stored(store, id, *content));
        records.push(Record::StepCommitted { run: RunId(run), commit, at_us: 1 });
    }
    for content in &leaves.pages {
        let (step, cursor) = ("read".parse().unwrap(), String::new());
        let (source, table) = (Digest::of(b"source"), stored(store, id, *content));
        let page =
            Record::PageCommitted { run: RunId(run), step, source, table, cursor, more: false, restarted: false };
        records.push(page);
    }
    if leaves.registers {
        let Record::VersionRegistered { mut version, alias, step, commit } =
            registered(run, "benign", run as u32, None)
        else {
            unreachable!()
        };
        version.predictor.component = component(store, id, 100 + leaves.plan);
        records.push(Record::VersionRegistered { version, alias, step, commit });
    }
    if leaves.ends {
        records.push(finished(run, RunState::Succeeded));
    }
    store.append(id, &records).unwrap();
}

/// Every digest that is to be there: of runs that are known, sources and versions. As the records' types say it, not as texts.
fn expected(store: &Store, id: &TenantId) -> BTreeSet<Digest> {
    let mut named = BTreeSet::new();
    for run in store.runs(id).unwrap() {
        named.insert(run.head.plan);
        let plan = store.get(id, run.head.plan).expect("the plan of a run that is known");
        let plan: BTreeMap<String, Digest> = serde_json::from_slice(&plan).unwrap();
        named.extend(plan.into_values());
        for record in store.run_records(id, run.head.run).unwrap() {
            match record {
                Record::StepCommitted { commit, .. } => {
                    named.extend(commit.outputs.values().flat_map(Artifact::blobs));
                }
                Record::PageCommitted { table, .. } => named.extend(table.parts),
                _ => {}
            }
        }
    }
    let source = store.source(id, Digest::of(b"source")).unwrap().unwrap_or_default();
    named.extend(source.pages.into_iter().flat_map(|page| page.parts));
    let versions = store.versions(id, &"benign".parse().unwrap()).unwrap();
    named.extend(versions.into_iter().map(|version| version.predictor.component));
    named
}

fn there(store: &Store, id: &TenantId) -> BTreeSet<Digest> {
    let folder = crate::open::tenant_folder(&store.data, id).join("blobs");
    let folders = crate::disk::entries(&folder).unwrap();
    let files = folders.iter().flat_map(|folder| crate::disk::entries(folder).unwrap());
    files
        .map(|file| {
            let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
            Digest::parse(&(name(file.parent().unwrap()) + &name(&file))).expect("a blob's name")
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_remains_is_whole_and_nothing_else_is_there(
        runs in prop::collection::vec(leaves(), 1..8),
        forgotten in prop::collection::btree_set(1u64..8, 0..8),
        ends_after in 0u64..30,
        young in prop::collection::vec(0u8..20, 0..4),
    ) {
        let (data, id) = (folder(), tenant("acme"));
        let (store, _) = open(data.path());
        for (number, leaves) in (1..).zip(&runs) {
            write(&store, &id, number, leaves);
        }
        store.put(&id, b"nobody's").unwrap();
        let ended = |run: &u64| runs.get(*run as usize - 1).is_some_and(|leaves| leaves.ends);
        let forgotten: BTreeSet<RunId> = forgotten.iter().filter(|run| ended(run)).map(|run| RunId(*run)).collect();
        // What a trial tells is what happens.
        let told = store.sweep(&id, &forgotten, true, &mut go_on).unwrap();
        store.forget_runs(&id, &forgotten.iter().copied().collect::<Vec<_>>(), 9).unwrap();
        // Crashes on its way, and somebody puts something meanwhile.
        let mut asked = 0;
        let mut stops = |_: &crate::Swept| {
            asked += 1;
            if asked > ends_after { Break(()) } else { Continue(()) }
        };
        let begun = store.sweep(&id, &BTreeSet::new(), false, &mut stops).unwrap();
        prop_assert!(expected(&store, &id).is_subset(&there(&store, &id)));
        drop(store);
        let (store, _) = open(data.path());
        prop_assert!(expected(&store, &id).is_subset(&there(&store, &id)), "and after it was opened again");
        let hold = store.hold(&id);
        let young: BTreeSet<Digest> = young.iter().map(|content| stored(&store, &id, *content).parts[0]).collect();
        let rest = store.sweep(&id, &BTreeSet::new(), false, &mut go_on).unwrap();
        let wanted: BTreeSet<Digest> = expected(&store, &id).union(&young).copied().collect();
        prop_assert_eq!(&there(&store, &id), &wanted);
        if young.is_empty() {
            prop_assert_eq!((begun.blobs + rest.blobs, begun.bytes + rest.bytes), (told.blobs, told.bytes));
        }
        for digest in &wanted {
            prop_assert!(store.get(&id, *digest).is_ok(), "it is what its name says");
        }
        drop(hold);
        store.sweep(&id, &BTreeSet::new(), false, &mut go_on).unwrap();
        prop_assert_eq!(there(&store, &id), expected(&store, &id), "what nobody holds any more is not young");
        let audited = store.audit(&[], true).unwrap();
        prop_assert!(audited.is_sound(), "what went is missed by no record: {:?}", audited.flaws);
    }
}

/// Its places lie with its head once it has ended, and under keys of their own until then.
#[test]
fn a_run_keeps_what_it_made_whether_it_has_ended_or_not() {
    for (tables, ends) in [(1, true), (1, false), (9, true), (9, false)] {
        let (data, id) = (folder(), tenant("acme"));
        let (store, _) = open(data.path());
        let leaves = Leaves { plan: 0, tables: (0..tables).collect(), pages: Vec::new(), registers: false, ends };
        write(&store, &id, 1, &leaves);
        let before = there(&store, &id);
        store.sweep(&id, &BTreeSet::new(), false, &mut go_on).unwrap();
        assert_eq!((there(&store, &id), expected(&store, &id)), (before.clone(), before), "{tables} {ends}");
    }
}

#[test]
fn what_is_held_or_found_is_kept_until_nobody_is_at_work() {
    let (data, id) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let before = store.put(&id, b"before").unwrap();
    let sweep = || store.sweep(&id, &BTreeSet::new(), false, &mut go_on).unwrap();
    let first = store.hold(&id);
    let second = store.hold(&id);
    let found = store.put(&id, b"while somebody is at work").unwrap();
    drop(first);
    assert_eq!(sweep().blobs, 1);
    assert!(store.path(&id, before).is_err() && store.path(&id, found).is_ok(), "the second one still counts on it");
    drop(second);
    assert_eq!(sweep().blobs, 1);
    assert!(store.get(&id, found).is_err());
}

/// Runs that come, end and go on with what earlier ones left, beside sweeps that forget all they can.
#[test]
fn a_sweep_beside_runs_takes_nothing_that_they_count_on() {
    let (data, id) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let (is_over, store) = (std::sync::atomic::AtomicBool::new(false), &store);
    std::thread::scope(|scope| {
        let workers = (0..3u64).map(|worker| {
            let id = id.clone();
            scope.spawn(move || {
                for round in 0..40u64 {
                    let run = 1 + worker + 3 * round;
                    let _hold = store.hold(&id);
                    let tables = vec![(run % 5) as u8, (run % 7) as u8 + 5];
                    let ends = round % 4 != 3;
                    write(
                        store,
                        &id,
                        run,
                        &Leaves { plan: (run % 3) as u8, tables, pages: vec![], registers: false, ends },
                    );
                    // One that has ended takes nothing more.
                    if !ends {
                        go_on_from(store, &id, run);
                    }
                }
            })
        });
        let workers: Vec<_> = workers.collect();
        let sweeper = scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                let ended = store.newest_runs(&id, 99, &|run| run.state == RunState::Succeeded).unwrap();
                store.forget_runs(&id, &ended.iter().map(|run| run.head.run).collect::<Vec<_>>(), 1).unwrap();
                store.sweep(&id, &BTreeSet::new(), false, &mut go_on).unwrap();
            }
        });
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        sweeper.join().unwrap();
    });
    store.sweep(&id, &BTreeSet::new(), false, &mut go_on).unwrap();
    assert_eq!(there(store, &id), expected(store, &id));
    assert!(!there(store, &id).is_empty(), "some runs have not ended");
}

/// Takes what the last run gave, if it is there, as a run does that finds its work done.
fn go_on_from(store: &Store, id: &TenantId, run: u64) {
    for record in store.run_records(id, RunId(run.saturating_sub(1))).unwrap() {
        let Record::StepCommitted { commit, .. } = record else { continue };
        let blobs: Vec<_> = commit.outputs.values().flat_map(Artifact::blobs).collect();
        if blobs.iter().all(|blob| store.path(id, *blob).is_ok()) {
            store.append(id, &[Record::StepCommitted { run: RunId(run), commit, at_us: 2 }]).unwrap();
        }
    }
}

#[test]
fn another_tenants_blobs_are_not_touched() {
    let (data, id) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let theirs = store.put(&tenant("ac"), b"theirs").unwrap();
    store.put(&id, b"ours").unwrap();
    assert_eq!(store.sweep(&id, &BTreeSet::new(), false, &mut go_on).unwrap().bytes, 4);
    assert!(store.get(&tenant("ac"), theirs).is_ok());
}

#[test]
fn the_newest_runs_are_read_from_the_end() {
    let (data, id) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    for run in 1..=300 {
        store.append(&id, &[started(run)]).unwrap();
    }
    let looked = std::cell::Cell::new(0);
    let numbers = |most: usize, wanted: &dyn Fn(u64) -> bool| -> Vec<u64> {
        looked.set(0);
        let wanted = |run: &crate::RunSummary| {
            looked.set(looked.get() + 1);
            wanted(run.head.run.0)
        };
        store.newest_runs(&id, most, &wanted).unwrap().iter().map(|run| run.head.run.0).collect()
    };
    assert_eq!((numbers(3, &|_| true), looked.get()), (vec![300, 299, 298], 3));
    assert_eq!((numbers(2, &|run| run % 100 == 0), looked.get()), (vec![300, 200], 101));
    assert_eq!((numbers(5, &|run| run < 3), looked.get()), (vec![2, 1], 300));
    assert_eq!(numbers(0, &|_| true), [0; 0]);
    assert_eq!(store.newest_runs(&tenant("ac"), 9, &|_| true), Ok(Vec::new()));
}
