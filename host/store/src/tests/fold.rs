//! A journal that was folded: shorter, and for whoever reads it the same; after a crash at each step, too.

use super::records::{attempt, committed, finished, page, registered, started};
use super::{copied, create, everything, folder, open, reopen, tenant};
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

/// Bytes that this thread read so far, of whatever file.
fn read_so_far() -> u64 {
    let io = fs::read_to_string("/proc/thread-self/io").expect("the kernel counts");
    io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).expect("bytes read")
}

#[test]
fn a_record_of_a_folded_segment_is_read_without_the_rest_of_it() {
    let (data, id) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    store.append(&id, &[started(1), started(2)]).expect("appended");
    // One batch, one segment.
    let both: Vec<Record> = (0..8000).map(|at_us| attempt(1 + at_us / 4000, at_us as i64)).collect();
    store.append(&id, &both).expect("appended");
    store.append(&id, &[finished(1, RunState::Succeeded)]).expect("appended");
    store.forget_runs(&id, &[RunId(1)], 1).expect("forgotten");
    assert_eq!(fold(&store).segments, 1);
    let places = store.places(&id, RunId(2)).expect("places");
    let journal = journal_folder(data.path(), &id);
    let folded = fs::metadata(journal.join("00000002.segment")).expect("the segment of the batch").len();
    for place in [&places[1], &places[1000], places.last().expect("the last")] {
        let before = read_so_far();
        let records: Vec<Record> = journal::read(&journal, std::slice::from_ref(place)).expect("read");
        let read = read_so_far() - before;
        assert_eq!(records.len(), 1);
        assert!(read < 2048 && folded > 200 * 2048, "{read} bytes of {folded}");
    }
    assert_eq!(store.run_records(&id, RunId(2)).expect("records").len(), places.len());
}

#[test]
fn a_journal_that_ends_with_a_folded_segment_lost_what_followed() {
    let (data, heads) = forgotten(4, 2);
    let (store, _) = reopen(data.path());
    fold(&store);
    drop(store);
    let segments = crate::disk::entries(&journal_folder(data.path(), &tenant("acme"))).expect("listed");
    segments[1..].iter().for_each(|path| fs::remove_file(path).expect("removed"));
    let error = Store::open(data.path()).map(drop).expect_err("acknowledged records are gone").to_string();
    assert!(error.contains("it was folded, so that others followed; they are gone"), "{error}");
    assert!(!look(data.path(), &heads).is_sound());
}

/// A store whose tenant `acme` forgot a run, the tenant as it was opened, and its first closed segment.
fn about_to_fold(data: &Path) -> (Store, std::sync::Arc<crate::tenant::Tenant>, PathBuf) {
    let (store, _) = reopen(data);
    let open = store.tenant(&tenant("acme")).expect("opened");
    let end = open.end().expect("an end");
    let segment = journal::closed(&journal_folder(data, &tenant("acme")), &end).expect("listed").swap_remove(0);
    (store, open, segment)
}

#[test]
fn a_tenant_that_is_deleted_while_its_journal_is_folded_leaves_nothing() {
    let ((data, _), id) = (forgotten(4, 2), tenant("acme"));
    let (store, open, segment) = about_to_fold(data.path());
    std::thread::scope(|scope| {
        let deletion = std::sync::OnceLock::new();
        let is_spent = |record: &Record| {
            deletion.get_or_init(|| {
                let deletion = scope.spawn(|| store.delete(&id, types::Removed::default(), 8));
                while store.entry(&id).is_ok() {
                    std::thread::yield_now();
                }
                deletion
            });
            // The record of the deletion is on disk, and what it removes is there as long as we look.
            assert!(store.writing.try_write().is_err() && segment.exists());
            is_attempt_of_one(record)
        };
        let folded = store.fold_one((&id, &open), &segment, &is_spent, Some(7));
        assert!(folded.is_ok_and(|bytes| bytes.is_some()), "it was begun before");
        deletion.into_inner().expect("begun").join().expect("no panic").expect("deleted");
    });
    assert_eq!(store.remains(&id).expect("looked"), Vec::<PathBuf>::new());
    drop((store, open));
    let (store, recovery) = reopen(data.path());
    assert!(recovery.is_clean(), "{recovery}");
    assert!(store.entry(&id).is_err());
}

#[test]
fn a_fold_that_comes_late_leaves_a_new_tenant_of_the_name_alone() {
    let ((data, _), id) = (forgotten(4, 2), tenant("acme"));
    let (store, open, segment) = about_to_fold(data.path());
    let late = |store: &Store| {
        let folded = store.fold_one((&id, &open), &segment, &|_: &Record| true, Some(7));
        assert!(folded.expect_err("another tenant").is_no_tenant());
    };
    store.delete(&id, types::Removed::default(), 8).expect("deleted");
    late(&store);
    assert_eq!(store.remains(&id).expect("looked"), Vec::<PathBuf>::new(), "gone is gone");
    create(&store, "acme");
    late(&store);
    assert_eq!(store.remains(&id).expect("looked"), Vec::<PathBuf>::new(), "it never wrote");
    for run in 1..=3 {
        store.append(&id, &[started(run)]).expect("appended");
        for at_us in 0..i64::from(ATTEMPTS) {
            store.append(&id, &[attempt(run, at_us)]).expect("appended");
        }
    }
    let (read, before) = (everything(&store, &id), bytes(data.path()));
    assert!(segment.exists(), "of the same name as the old one's");
    late(&store);
    assert_eq!((everything(&store, &id), bytes(data.path())), (read, before));
}
