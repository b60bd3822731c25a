//! What an audit finds, for each way to tamper; and what it cannot find without a head that was kept elsewhere.

use super::records::{finished, page, registered, started};
use super::{copied, folder, last_segment, open, reopen, tenant};
use crate::disk::Folders;
use crate::journal::{Log, Owner};
use crate::open::journal_folder;
use crate::{Audited, Store, audit};
use ports::{Blobs, Journal};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use types::{Digest, Record, RunId, RunState};

/// A run of `acme` with its blobs: a plan, a page of a source and a component.
fn run(store: &Store, number: u64) -> Vec<Record> {
    let id = tenant("acme");
    let put = |what: &str| store.put(&id, format!("{what} {number}").as_bytes()).expect("put");
    let Record::RunStarted(mut head) = started(number) else { unreachable!() };
    head.plan = put("plan");
    let mut paged = page(number, 1, number, false);
    if let Record::PageCommitted { table, .. } = &mut paged {
        table.parts = vec![put("page")];
    }
    let mut made = registered(number, "benign", number as u32, Some("champion"));
    if let Record::VersionRegistered { version, .. } = &mut made {
        version.predictor.component = put("component");
    }
    vec![Record::RunStarted(head), paged, made, finished(number, RunState::Succeeded)]
}

/// A closed folder in which `acme` had these runs, each in two batches.
fn runs(numbers: std::ops::RangeInclusive<u64>) -> TempDir {
    let data = folder();
    let (store, _) = open(data.path());
    for number in numbers {
        let records = run(&store, number);
        store.append(&tenant("acme"), &records[..2]).expect("appended");
        store.append(&tenant("acme"), &records[2..]).expect("appended");
    }
    data
}

fn look(data: &Path, heads: &[Digest]) -> Audited {
    audit(data, heads, true)
}

/// The head of `acme`.
fn head(audited: &Audited) -> Digest {
    let of_acme = audited.journals.iter().find(|journal| journal.tenant == Some(tenant("acme")));
    of_acme.expect("a journal of acme").head
}

#[track_caller]
fn flawed(audited: &Audited, says: &str) {
    assert!(!audited.is_sound() && audited.flaws.iter().any(|flaw| flaw.contains(says)), "{says}: {audited:#?}");
}

fn blob_of(data: &Path, content: &str) -> PathBuf {
    let name = Digest::of(content.as_bytes()).to_string();
    data.join("tenants/acme/blobs").join(&name[..2]).join(&name[2..])
}

fn replace(file: &Path, bytes: &[u8]) {
    fs::remove_file(file).expect("removed");
    fs::write(file, bytes).expect("written");
}

#[test]
fn what_nobody_touched_is_sound_open_or_closed() {
    let data = runs(1..=3);
    let closed = look(data.path(), &[]);
    assert!(closed.is_sound(), "{closed:#?}");
    // 2 tenants were created; each of the runs has 4 records and 3 blobs.
    let records: Vec<_> = closed.journals.iter().map(|journal| (journal.tenant.clone(), journal.records)).collect();
    assert_eq!((records, closed.blobs), (vec![(None, 2), (Some(tenant("acme")), 12)], 9));
    let (store, _) = reopen(data.path());
    let heads: Vec<_> = closed.journals.iter().map(|journal| journal.head).collect();
    assert_eq!(store.audit(&heads, true).expect("looked"), closed);
    let more = run(&store, 4);
    store.append(&tenant("acme"), &more).expect("appended");
    let grown = store.audit(&heads, true).expect("looked");
    assert!(grown.is_sound() && head(&grown) != head(&closed), "an earlier head lies in what grew: {grown:#?}");
    assert_eq!(store.audit(&heads, false).expect("looked").blobs, 0);
}

#[test]
fn a_changed_byte_is_found_and_the_rest_is_looked_at_all_the_same() {
    let data = runs(1..=3);
    let segment = last_segment(data.path()).with_file_name("00000001.segment");
    let mut bytes = fs::read(&segment).expect("read");
    let at = bytes.windows(7).position(|found| found == b"tumour\"").expect("a name in it");
    bytes[at] ^= 1;
    fs::write(&segment, bytes).expect("written");
    fs::remove_file(blob_of(data.path(), "plan 1")).expect("removed");
    let found = look(data.path(), &[]);
    flawed(&found, "checksum does not match");
    assert_eq!(found.flaws.len(), 1, "what lies behind the damage is not believed: {found:#?}");
}

#[test]
fn a_record_that_says_nothing_of_ours_is_found() {
    let data = runs(1..=1);
    let (journal, id) = (journal_folder(data.path(), &tenant("acme")), tenant("acme"));
    let (mut log, _) = Log::open(&Folders::new(data.path()), &journal, Owner::Tenant(&id), None).expect("opened");
    log.make_room(100).expect("room");
    let mut draft = log.draft();
    draft.add("{\"record\":\"nonsense\"}");
    log.write(&draft).expect("written, with a chain that holds");
    flawed(&look(data.path(), &[]), "unknown variant `nonsense`");
}

#[test]
fn a_tail_that_was_cut_off_shows_against_a_head_and_only_so() {
    let data = folder();
    let (store, _) = open(data.path());
    let first = run(&store, 1);
    store.append(&tenant("acme"), &first).expect("appended");
    let early = store.audit(&[], true).expect("looked");
    let kept = fs::read(last_segment(data.path())).expect("read");
    let segment = last_segment(data.path());
    store.append(&tenant("acme"), &[finished(1, RunState::Failed)]).expect("appended");
    let late = store.audit(&[], true).expect("looked");
    drop(store);
    fs::write(segment, kept).expect("cut");
    assert!(look(data.path(), &[]).is_sound(), "the chain holds as far as it goes");
    assert!(look(data.path(), &[head(&early)]).is_sound());
    flawed(&look(data.path(), &[head(&late)]), &head(&late).to_string());
}

#[test]
fn what_is_cut_within_a_batch_looks_like_a_crash_and_shows_against_a_head() {
    let data = runs(1..=1);
    let whole = look(data.path(), &[]);
    let segment = last_segment(data.path());
    let bytes = fs::read(&segment).expect("read");
    fs::write(&segment, &bytes[..bytes.len() - 10]).expect("cut");
    let cut = look(data.path(), &[]);
    let torn = cut.journals.iter().find(|journal| journal.tenant.is_some()).expect("acme").torn_bytes;
    assert!(cut.is_sound() && torn > 0, "{cut:#?}");
    assert_eq!(fs::read(&segment).expect("read").len(), bytes.len() - 10, "nothing is mended");
    flawed(&look(data.path(), &[head(&whole)]), "cut off or written anew");
}

#[test]
fn a_journal_written_anew_from_a_point_on_shows_against_a_head_and_only_so() {
    let data = runs(1..=3);
    let early = head(&look(runs(1..=1).path(), &[]));
    let late = head(&look(data.path(), &[]));
    // A forger has the code: the same first run, then other ones, with a chain of their own.
    let forged = folder();
    let (store, _) = open(forged.path());
    for (number, name) in [(1, "benign"), (2, "forged")] {
        let records: Vec<_> = run(&store, number)
            .into_iter()
            .map(|record| match record {
                Record::VersionRegistered { mut version, alias: _, step, commit } => {
                    version.model = name.parse().expect("a name");
                    let alias = Some(super::records::moved(name, "champion", version.version));
                    Record::VersionRegistered { version, alias, step, commit }
                }
                other => other,
            })
            .collect();
        store.append(&tenant("acme"), &records[..2]).expect("appended");
        store.append(&tenant("acme"), &records[2..]).expect("appended");
    }
    drop(store);
    let (real, false_one) =
        (journal_folder(data.path(), &tenant("acme")), journal_folder(forged.path(), &tenant("acme")));
    fs::remove_dir_all(&real).expect("removed");
    fs::rename(false_one, &real).expect("put in its place");
    let found = look(data.path(), &[]);
    assert!(found.is_sound(), "the chain holds in itself: {found:#?}");
    assert!(look(data.path(), &[early]).is_sound(), "up to there nothing was changed");
    flawed(&look(data.path(), &[early, late]), &late.to_string());
}

#[test]
fn a_blob_that_was_changed_or_removed_is_found() {
    let data = runs(1..=2);
    replace(&blob_of(data.path(), "component 1"), b"component x");
    fs::remove_file(blob_of(data.path(), "page 2")).expect("removed");
    let found = look(data.path(), &[]);
    flawed(&found, "its bytes were changed");
    flawed(&found, &format!("blob {}, which is not there", Digest::of(b"page 2")));
    assert_eq!((found.flaws.len(), found.blobs), (2, 4));
}

#[test]
fn a_link_in_the_place_of_a_blob_leads_nowhere() {
    let data = runs(1..=1);
    let (blob, elsewhere) = (blob_of(data.path(), "plan 1"), data.path().join("elsewhere"));
    fs::rename(&blob, &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, &blob).expect("linked");
    flawed(&look(data.path(), &[]), "symbolic link");
}

#[test]
fn a_journal_that_is_gone_or_nobodys_is_found() {
    let data = runs(1..=1);
    let whole = look(data.path(), &[]);
    let heads: Vec<_> = whole.journals.iter().map(|journal| journal.head).collect();
    let other = copied(data.path());
    fs::rename(other.path().join("tenants/acme"), other.path().join("tenants/stranger")).expect("renamed");
    let found = look(other.path(), &heads);
    flawed(&found, "no record says that it was created");
    flawed(&found, &head(&whole).to_string());
    fs::remove_dir_all(data.path().join("installation")).expect("removed");
    flawed(&look(data.path(), &heads), "no record says that it was created");
}

#[test]
fn what_forgotten_runs_pointed_at_may_be_gone() {
    let data = runs(1..=2);
    let (store, _) = reopen(data.path());
    store.forget_runs(&tenant("acme"), &[RunId(1)], 5).expect("forgotten");
    store
        .sweep(&tenant("acme"), &Default::default(), false, &mut |_| std::ops::ControlFlow::Continue(()))
        .expect("swept");
    assert!(!blob_of(data.path(), "plan 1").exists(), "its plan went");
    let found = store.audit(&[], true).expect("looked");
    assert!(found.is_sound(), "{found:#?}");
    // Its page stays with the source, its component with the version.
    assert_eq!(found.blobs, 5);
}
