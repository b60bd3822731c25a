//! A crash within the last write: what was acknowledged stays, what was not goes whole, and the recovery says so.

use super::records::{attempt, story};
use super::{copied, everything, folder, last_segment, open, tenant, written};
use crate::Store;
use ports::Journal;
use std::fs::{self, OpenOptions};
use std::path::Path;
use types::RunId;

/// The story, closed; the length of its last segment before the last batch, and everything that was read then.
fn told() -> (tempfile::TempDir, u64, String) {
    let mut batches = story();
    let last = batches.pop().expect("a last batch");
    let data = written(&batches);
    let (store, _) = open(data.path());
    // However long the story has grown, the last batch stands behind others of its segment.
    let begun = segments(data.path());
    while segments(data.path()) == begun {
        store.append(&tenant("acme"), &[attempt(3, 99)]).expect("appended");
    }
    let (before, length) = (everything(&store, &tenant("acme")), length_of(&last_segment(data.path())));
    let segments = segments(data.path());
    store.append(&tenant("acme"), &last).expect("appended");
    assert_eq!(segments, self::segments(data.path()), "the last batch must not begin a segment");
    drop(store);
    (data, length, before)
}

fn length_of(path: &Path) -> u64 {
    fs::metadata(path).expect("examined").len()
}

fn segments(data: &Path) -> usize {
    crate::disk::entries(last_segment(data).parent().expect("a folder")).expect("listed").len()
}

/// Opens a copy whose last segment was changed and whose index went with the crash.
fn after_crash(data: &Path, change: impl FnOnce(&Path)) -> (tempfile::TempDir, Store, crate::Recovery) {
    let data = copied(data);
    fs::remove_dir_all(data.path().join("index")).expect("removed");
    change(&last_segment(data.path()));
    let (store, recovery) = open(data.path());
    (data, store, recovery)
}

#[test]
fn cut_at_every_byte_of_the_last_batch() {
    let (data, start, before) = told();
    let whole = length_of(&last_segment(data.path()));
    assert!(whole - start > 300);
    for cut in start..whole {
        let (_data, store, recovery) = after_crash(data.path(), |segment| {
            OpenOptions::new().write(true).open(segment).and_then(|file| file.set_len(cut)).expect("cut");
        });
        assert_eq!(recovery.truncated_bytes, cut - start, "cut at {cut}");
        assert_eq!(recovery.torn.len(), usize::from(cut > start));
        assert!(recovery.rebuilt.is_none());
        assert_eq!(everything(&store, &tenant("acme")), before, "cut at {cut}");
    }
}

#[test]
fn a_hole_in_the_last_batch_is_a_torn_tail() {
    let (data, start, before) = told();
    let whole = length_of(&last_segment(data.path())) as usize;
    for (from, to) in [(0, 64), (100, 200), (whole - start as usize - 20, whole - start as usize)] {
        let (_data, store, recovery) = after_crash(data.path(), |segment| {
            let mut bytes = fs::read(segment).expect("read");
            bytes[start as usize + from..start as usize + to].fill(0);
            fs::write(segment, bytes).expect("written");
        });
        assert_eq!((recovery.torn.len(), recovery.truncated_bytes), (1, whole as u64 - start), "hole {from}..{to}");
        assert_eq!(everything(&store, &tenant("acme")), before);
    }
}

#[test]
fn zeros_behind_the_last_batch_go_and_appending_goes_on() {
    let (data, ..) = told();
    let acme = tenant("acme");
    let (data, store, recovery) = after_crash(data.path(), |segment| {
        let grown = length_of(segment) + 100;
        OpenOptions::new().write(true).open(segment).and_then(|file| file.set_len(grown)).expect("grown");
    });
    assert_eq!(recovery.truncated_bytes, 100);
    let before = store.run_records(&acme, RunId(3)).expect("records").len();
    store.append(&acme, &[attempt(3, 99)]).expect("appended");
    drop(store);
    let (store, recovery) = open(data.path());
    assert!(recovery.is_clean(), "{recovery}");
    assert_eq!(store.run_records(&acme, RunId(3)).expect("records").len(), before + 1);
}

#[test]
fn a_segment_without_its_name_holds_nothing() {
    let data = written(&story());
    fs::write(last_segment(data.path()).with_file_name("new-segment"), b"step").expect("written");
    assert!(open(data.path()).1.is_clean());
}

#[test]
fn killed_after_any_batch_all_of_it_is_there() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    for batch in story() {
        store.append(&acme, &batch).expect("appended");
        // What a kill leaves: the files as they are, with whatever sled still had in memory missing.
        let left = copied(data.path());
        let (again, recovery) = open(left.path());
        assert!(recovery.is_clean(), "{recovery}");
        assert_eq!(everything(&again, &acme), everything(&store, &acme));
    }
}
