//! Damage that no crash explains: in a journal an error with its place, in an index a quarantine and equal reads.

use super::records::story;
use super::{copied, everything, folder, last_segment, once_let_go, open, tenant, written};
use crate::index::{Index, Op, SledIndex, Walls};
use crate::{Error, Store};
use std::fs;
use std::path::Path;

#[test]
fn a_flipped_bit_anywhere_in_a_journal_is_an_error() {
    let data = written(&story());
    let folder = last_segment(data.path()).parent().expect("a folder").to_owned();
    let segments = crate::disk::entries(&folder).expect("listed");
    assert!(segments.len() > 1, "the story spans segments");
    for segment in segments {
        let whole = fs::read(&segment).expect("read");
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&segment, bytes).expect("written");
            match Store::open(data.path()).map(|(_, recovery)| recovery) {
                Err(Error::Damaged { path, offset, .. }) => {
                    assert_eq!(path, segment);
                    assert!(offset <= at as u64, "flipped {at}, told {offset}");
                }
                other => panic!("flipped a bit at {at} of {segment:?}, got {other:?}"),
            }
        }
        fs::write(&segment, whole).expect("written");
    }
    assert!(open(data.path()).1.is_clean());
}

#[test]
fn a_missing_or_foreign_segment_is_an_error() {
    let data = written(&story());
    let first = last_segment(data.path()).with_file_name("00000001.segment");
    let kept = fs::read(&first).expect("read");
    fs::remove_file(&first).expect("removed");
    assert!(matches!(Store::open(data.path()), Err(Error::Damaged { offset: 0, .. })));
    fs::write(&first, kept).expect("written");
    let tenants = data.path().join("tenants");
    fs::rename(tenants.join("acme"), tenants.join("ac")).expect("renamed");
    assert!(matches!(Store::open(data.path()), Err(Error::Damaged { offset: 0, .. })), "chains are bound to tenants");
}

#[test]
fn a_segment_that_is_longer_than_any_of_ours_is_not_read() {
    let data = written(&story());
    let segment = last_segment(data.path());
    fs::OpenOptions::new().write(true).open(&segment).and_then(|file| file.set_len(1 << 40)).expect("sparse");
    match Store::open(data.path()).map(|(_, recovery)| recovery) {
        Err(Error::Damaged { path, what, .. }) => assert!(path == segment && what.contains("at most"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_journal_of_another_format_is_named() {
    let data = written(&story());
    let segment = last_segment(data.path());
    let mut bytes = fs::read(&segment).expect("read");
    bytes[8] = 9;
    let checksum = crc32fast::hash(&bytes[..60]).to_le_bytes();
    bytes[60..64].copy_from_slice(&checksum);
    fs::write(&segment, bytes).expect("written");
    assert!(matches!(Store::open(data.path()), Err(Error::Format { got: 9, expected: 3, .. })));
}

/// Opens a copy with a broken index: the reads must be those of the whole one.
fn check_rebuilt(data: &Path, is_quarantined: bool, break_index: impl FnOnce(&Path)) {
    let (store, _) = open(data);
    let before = everything(&store, &tenant("acme"));
    drop(store);
    let broken = copied(data);
    break_index(&broken.path().join("index"));
    let (store, recovery) = open(broken.path());
    assert_eq!(everything(&store, &tenant("acme")), before, "{recovery}");
    assert_eq!(recovery.rebuilt.is_some(), is_quarantined, "{recovery}");
    assert_eq!(broken.path().join("quarantine-1").exists(), is_quarantined);
    drop(store);
    assert_eq!(open(broken.path()).1, crate::Recovery::default(), "the second opening finds nothing to do");
}

#[test]
fn a_deleted_index_grows_again() {
    let data = written(&story());
    check_rebuilt(data.path(), false, |index| fs::remove_dir_all(index).expect("removed"));
    fs::remove_dir_all(data.path().join("index")).expect("removed");
    let (_, recovery) = open(data.path());
    assert!(recovery.missing && !recovery.is_clean(), "{recovery}");
    assert!(recovery.to_string().contains("there was none"), "{recovery}");
}

#[test]
fn an_index_that_makes_sled_panic_or_fail_is_quarantined() {
    let data = written(&story());
    for noise in 1..=4u32 {
        check_rebuilt(data.path(), true, |index| {
            let length = fs::metadata(index.join("db")).expect("examined").len() as u32;
            let noise: Vec<u8> =
                (0..length).map(|at| (at.wrapping_mul(2_654_435_761u32.wrapping_mul(noise)) >> 13) as u8).collect();
            fs::write(index.join("db"), noise).expect("written");
        });
    }
}

#[test]
fn an_index_that_lies_is_quarantined() {
    let data = written(&story());
    let lies: [fn(&SledIndex); 3] = [
        |index| change(index, |key| key.starts_with(b"acme\0run/"), |_| None),
        |index| change(index, |key| key.starts_with(b"acme\0alias/"), |_| Some(b"1".to_vec())),
        |index| change(index, |key| key == b"acme\0position", |_| None),
    ];
    for lie in lies {
        check_rebuilt(data.path(), true, |path| lie(&SledIndex::open(path).expect("opened")));
    }
}

/// Changes the first entry whose key fits.
fn change(index: &dyn Index, fits: fn(&[u8]) -> bool, to: fn(&[u8]) -> Option<Vec<u8>>) {
    let mut found = None;
    let mut look = |key: &[u8], value: &[u8]| {
        if fits(key) && found.is_none() {
            found = Some(Op { key: key.to_vec(), value: to(value) });
        }
    };
    index.scan(b"", &mut look).expect("scanned");
    index.commit(vec![found.expect("an entry")]).expect("committed");
}

#[test]
fn an_index_ahead_of_its_journal_is_quarantined() {
    let data = written(&story());
    check_rebuilt(data.path(), true, |path| {
        let walls = Walls::new(std::sync::Arc::new(SledIndex::open(path).expect("opened")), &tenant("acme"));
        let mut mark = walls.position().expect("read").expect("a position").mark;
        mark.sequence += 1;
        walls.commit(crate::index::Changes::new(), mark).expect("committed");
    });
}

#[test]
fn flipped_bits_in_the_database_never_change_a_read() {
    let data = written(&story());
    let (store, _) = open(data.path());
    let before = everything(&store, &tenant("acme"));
    drop(store);
    let length = fs::metadata(data.path().join("index/db")).expect("examined").len() as usize;
    let used = fs::read(data.path().join("index/db")).expect("read");
    let used = used.iter().rposition(|byte| *byte != 0).map_or(length, |at| at + 1);
    for flip in 0..24 {
        let broken = copied(data.path());
        let path = broken.path().join("index/db");
        let mut bytes = fs::read(&path).expect("read");
        let at = flip * used / 24 + flip;
        bytes[at.min(length - 1)] ^= 1 << (flip % 8);
        fs::write(&path, bytes).expect("written");
        let (store, recovery) = open(broken.path());
        assert_eq!(everything(&store, &tenant("acme")), before, "flipped byte {at}: {recovery}");
    }
}

#[test]
fn a_panic_within_the_index_is_an_error_and_the_last_word() {
    let data = folder();
    let index = SledIndex::open(data.path()).expect("opened");
    index.commit(vec![Op::put("key", b"value".to_vec())]).expect("committed");
    let panicked = index.scan(b"", &mut |_, _| panic!("as sled may"));
    assert_eq!(panicked.expect_err("caught").to_string().rsplit(": ").next(), Some("as sled may"));
    assert!(matches!(index.get(b"key"), Err(Error::Index { .. })));
}

#[test]
fn an_index_that_is_open_elsewhere_is_left_alone() {
    let data = written(&story());
    let _other = once_let_go(|| SledIndex::open(&data.path().join("index")));
    assert!(matches!(Store::open(data.path()), Err(Error::Busy { .. })));
    assert!(!data.path().join("quarantine-1").exists());
}
