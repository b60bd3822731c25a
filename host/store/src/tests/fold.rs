//! A journal that was folded: shorter, and for whoever reads it the same; after a crash at each step, too.

use super::records::{attempt, committed, finished, page, registered, started};
use super::{copied, everything, folder, open, reopen, tenant};
use crate::journal::{self, Fold};
use crate::open::journal_folder;
use crate::{Audited, Store, audit};
use ports::Journal;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use types::{Digest, InstallationRecord, Record, RunId, RunState};

/// Attempts of each run: so many that each has a segment or two.
const ATTEMPTS: u32 = 40;

/// A closed folder in which `acme` had these runs and forgot the first of them; with the journal's head after every batch.
fn forgotten(runs: u64, gone: u64) -> (TempDir, Vec<Digest>) {
    let (data, id, mut heads) = (folder(), tenant("acme"), Vec::new());
    let (store, _) = open(data.path());
    let mut append = |records: &[Record]| {
        store.append(&id, records).expect("appended");
        heads.push(store.tenant(&id).expect("opened").end().expect("an end").chain);
    };
    for run in 1..=runs {
        append(&[started(run), page(run, 1, 10 * run, false)]);
        for at_us in 0..i64::from(ATTEMPTS) {
            append(&[attempt(run, at_us), attempt(run, -at_us)]);
        }
        append(&[committed(run, 0.5), registered(run, "benign", run as u32, Some("champion"))]);
        append(&[finished(run, RunState::Succeeded)]);
    }
    append(&[Record::RunsForgotten { runs: (1..=gone).map(RunId).collect(), at_us: 1 }]);
    // The last segment is not a closed one.
    append(&[started(runs + 1)]);
    drop(store);
    (data, heads)
}

fn fold(store: &Store) -> crate::Folded {
    store.fold(&tenant("acme"), &BTreeSet::new(), false, 7).expect("folded")
}

fn bytes(data: &Path) -> u64 {
    crate::disk::measure(&journal_folder(data, &tenant("acme"))).expect("measured").1
}

/// Without blobs: the records here name some that were never put.
fn look(data: &Path, heads: &[Digest]) -> Audited {
    audit(data, heads, false)
}

#[track_caller]
fn sound(audited: &Audited) {
    assert!(audited.is_sound(), "{audited:#?}");
}

fn is_attempt_of_one(record: &Record) -> bool {
    record.run().is_some_and(|run| run.0 == 1) && matches!(record, Record::AttemptStarted { .. })
}

/// The first closed segment, and what it would be without these.
fn first(data: &Path, gone: &dyn Fn(&Record) -> bool) -> (PathBuf, Fold) {
    let (store, _) = reopen(data);
    let id = tenant("acme");
    let end = store.tenant(&id).expect("opened").end().expect("an end");
    let segments = journal::closed(&journal_folder(data, &id), &end).expect("listed");
    (segments[0].clone(), Fold::of(&segments[0], gone).expect("read"))
}

#[test]
fn what_was_folded_reads_the_same_and_keeps_every_head() {
    let (data, heads) = forgotten(6, 4);
    let before = bytes(data.path());
    let (store, _) = reopen(data.path());
    let (read, next) = (everything(&store, &tenant("acme")), store.next_run(&tenant("acme")).expect("a number"));
    let trial = store.fold(&tenant("acme"), &BTreeSet::new(), true, 7).expect("tried");
    assert_eq!(bytes(data.path()), before, "a trial changes nothing");
    let folded = fold(&store);
    assert_eq!(folded, trial);
    assert!(
        folded.segments > 2 && bytes(data.path()) * 3 < before * 2,
        "{folded:?}: {before} -> {}",
        bytes(data.path())
    );
    assert_eq!(everything(&store, &tenant("acme")), read, "beside the index that knows other places");
    sound(&store.audit(&heads, false).expect("looked"));
    assert_eq!(fold(&store), crate::Folded::default(), "there is nothing more to fold");
    drop(store);
    let found = look(data.path(), &heads);
    sound(&found);
    let acme = found.journals.iter().find(|journal| journal.tenant.is_some()).expect("its journal");
    // Of each forgotten run all attempts, its commit and its end.
    assert!(acme.folded > 4 * u64::from(ATTEMPTS), "{acme:?}");
    let (store, recovery) = reopen(data.path());
    assert!(recovery.is_clean(), "{recovery}");
    assert_eq!(everything(&store, &tenant("acme")), read);
    drop(store);
    fs::remove_dir_all(data.path().join("index")).expect("removed");
    let (store, _) = reopen(data.path());
    assert_eq!(everything(&store, &tenant("acme")), read, "an index that is made of what is left");
    assert_eq!(store.next_run(&tenant("acme")).expect("a number"), next, "a number is never given twice");
    // More is forgotten: gaps grow together.
    store.forget_runs(&tenant("acme"), &[RunId(5), RunId(6)], 8).expect("forgotten");
    let again = bytes(data.path());
    assert!(fold(&store).segments > 0 && bytes(data.path()) < again);
    drop(store);
    sound(&look(data.path(), &heads));
    fs::remove_dir_all(data.path().join("index")).expect("removed");
    let (store, _) = reopen(data.path());
    assert_eq!(store.runs(&tenant("acme")).expect("runs").len(), 1, "the one that nobody forgot");
}

#[test]
fn a_crash_at_any_step_of_a_fold_loses_nothing() {
    let (data, heads) = forgotten(4, 2);
    let (store, _) = reopen(data.path());
    let read = everything(&store, &tenant("acme"));
    drop(store);
    for step in 0..4 {
        let data = copied(data.path());
        let (segment, fold_of_it) = first(data.path(), &is_attempt_of_one);
        let record = Record::SegmentFolded {
            segment: fold_of_it.segment,
            digest: fold_of_it.digest(),
            records: fold_of_it.gone,
            at_us: 7,
        };
        fold_of_it.draft().expect("drafted");
        if step == 0 {
            // The draft is only half written.
            let draft = segment.with_file_name("folded-segment");
            fs::write(&draft, &fs::read(&draft).expect("read")[..100]).expect("written");
        }
        if step >= 2 {
            let (store, _) = reopen(data.path());
            store.append(&tenant("acme"), &[record]).expect("appended");
            drop(store);
            fold_of_it.draft().expect("drafted");
        }
        if step >= 3 {
            fold_of_it.take().expect("taken");
        }
        sound(&look(data.path(), &heads));
        let (store, recovery) = reopen(data.path());
        assert!(recovery.is_clean(), "step {step}: {recovery}");
        assert_eq!(everything(&store, &tenant("acme")), read, "step {step}");
        assert!(fold(&store).segments > 0, "step {step}: the next one does it");
        assert_eq!(everything(&store, &tenant("acme")), read, "step {step}");
        drop(store);
        sound(&look(data.path(), &heads));
    }
}

#[test]
fn a_segment_that_somebody_else_folded_is_found() {
    let (data, heads) = forgotten(4, 2);
    let (_, by_nobody) = first(data.path(), &is_attempt_of_one);
    by_nobody.draft().expect("drafted");
    by_nobody.take().expect("taken");
    let found = look(data.path(), &heads);
    assert!(found.flaws.iter().any(|flaw| flaw.contains("no record says that it was folded")), "{found:#?}");
    // One that we folded, and of which somebody took more.
    let (data, heads) = forgotten(4, 2);
    let (store, _) = reopen(data.path());
    fold(&store);
    drop(store);
    sound(&look(data.path(), &heads));
    let (segment, again) = first(data.path(), &is_attempt_of_one);
    let (_, more) = first(data.path(), &|record| record.run().is_some());
    let mut bytes = fs::read(&segment).expect("read");
    bytes[70] ^= 1;
    fs::write(&segment, bytes).expect("written");
    assert!(!look(data.path(), &heads).is_sound(), "a changed byte");
    again.draft().expect("drafted");
    again.take().expect("taken");
    assert!(look(data.path(), &heads).is_sound(), "nothing more went: these are the bytes that we folded it to");
    more.draft().expect("drafted");
    more.take().expect("taken");
    assert!(!look(data.path(), &heads).is_sound(), "the head of the run went too");
}

#[test]
fn an_installation_that_somebody_folded_is_found() {
    let (data, heads) = forgotten(1, 0);
    let (store, _) = reopen(data.path());
    let suspended = InstallationRecord::TenantSuspended { tenant: tenant("acme"), at_us: 9 };
    store.administer(suspended).expect("suspended");
    drop(store);
    sound(&look(data.path(), &heads));
    let segment = data.path().join("installation").join("00000001.segment");
    let gone = |record: &InstallationRecord| !matches!(record, InstallationRecord::TenantCreated { .. });
    let by_nobody = Fold::of(&segment, &gone).expect("read");
    assert!(by_nobody.gone > 0);
    by_nobody.draft().expect("drafted");
    by_nobody.take().expect("taken");
    let found = look(data.path(), &heads);
    assert!(found.flaws.iter().any(|flaw| flaw.contains("no record says that it was folded")), "{found:#?}");
}
