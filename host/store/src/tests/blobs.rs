//! Blobs: durable, verified, read-only; and nothing that a worker leaves in a file's place is taken for one.

use super::{folder, open, tenant};
use ports::Blobs;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use types::{Digest, FaultKind};

#[test]
fn put_get_and_put_again() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let digest = store.put(&acme, b"rows").expect("put");
    assert_eq!(digest, Digest::of(b"rows"));
    let path = store.path(&acme, digest).expect("there");
    let hex = digest.to_string();
    assert_eq!(path, data.path().join("tenants/acme/blobs").join(&hex[..2]).join(&hex[2..]));
    let before = fs::metadata(&path).expect("examined");
    assert_eq!(before.permissions().mode() & 0o777, 0o444);
    store.put(&acme, b"rows").expect("put again");
    let after = fs::metadata(&path).expect("examined");
    assert_eq!(before.modified().expect("a time"), after.modified().expect("a time"), "it was not written again");
    assert_eq!(store.get(&acme, digest).expect("get"), b"rows");
    assert_eq!(store.put(&acme, b"").and_then(|empty| store.get(&acme, empty)), Ok(Vec::new()));
}

#[test]
fn a_blob_that_rotted_is_told() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let digest = store.put(&acme, b"rows").expect("put");
    let path = store.path(&acme, digest).expect("there");
    fs::remove_file(&path).and_then(|()| fs::write(&path, b"rots")).expect("written");
    assert!(store.get(&acme, digest).expect_err("rotten").message.contains("has digest"));
    fs::remove_file(&path).and_then(|()| symlink("/etc/hostname", &path)).expect("linked");
    assert!(store.get(&acme, digest).expect_err("a link").message.contains("a symbolic link"));
    assert!(store.path(&acme, digest).is_err());
}

/// A data folder that came with a project may hold anything under the name of a plugin of ours.
#[test]
fn a_blob_that_is_not_what_its_name_says_is_replaced_when_it_is_put() {
    let (data, elsewhere, acme) = (folder(), folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let digest = store.put(&acme, b"rows").expect("put");
    let path = store.path(&acme, digest).expect("there");
    let other = elsewhere.path().join("other");
    fs::write(&other, b"other").expect("written");
    let forgeries: [&dyn Fn() -> std::io::Result<()>; 3] =
        [&|| fs::write(&path, b"evil"), &|| symlink(&other, &path), &|| fs::hard_link(&other, &path)];
    for forge in forgeries {
        fs::remove_file(&path).and_then(|()| forge()).expect("forged");
        assert!(store.get(&acme, digest).is_err());
        store.put(&acme, b"rows").expect("put again");
        assert_eq!(store.get(&acme, digest).expect("get"), b"rows");
    }
    assert_eq!(fs::read(&other).expect("untouched"), b"other");
}

#[test]
fn a_hole_of_any_length_is_not_read() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let digest = store.put(&acme, b"rows").expect("put");
    let path = store.path(&acme, digest).expect("there");
    fs::remove_file(&path).expect("removed");
    fs::File::create(&path).and_then(|file| file.set_len(10 << 40)).expect("a hole");
    let fault = store.get(&acme, digest).expect_err("too long");
    assert!(fault.message.contains("expected at most"), "{fault}");
}

#[test]
fn an_adopted_file_is_out_of_its_writers_reach() {
    let (data, scratch, acme) = (folder(), folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let left = scratch.path().join("left");
    let mut held = fs::File::create(&left).expect("made");
    held.write_all(b"rows").expect("written");
    store.adopt(&acme, &left, Digest::of(b"rows")).expect("adopted");
    assert!(!left.exists(), "what was adopted is no longer in the scratch folder");
    held.write_all(b" and more, by a worker that is still alive").expect("written");
    assert_eq!(store.get(&acme, Digest::of(b"rows")).expect("get"), b"rows");
    fs::write(&left, b"rows").expect("written");
    store.adopt(&acme, &left, Digest::of(b"rows")).expect("adopted again");
}

#[test]
fn what_is_no_file_of_this_digest_is_refused() {
    let (data, scratch, acme) = (folder(), folder(), tenant("acme"));
    let (store, _) = open(data.path());
    let at = |name: &str| scratch.path().join(name);
    let digest = Digest::of(b"rows");
    fs::write(at("wrong"), b"others").expect("written");
    fs::write(at("right"), b"rows").expect("written");
    symlink(at("right"), at("link")).expect("linked");
    fs::create_dir(at("folder")).expect("made");
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("made");
    fs::write(at("named"), b"rows").and_then(|()| fs::hard_link(at("named"), at("twice"))).expect("linked");
    for (name, expected) in [
        ("wrong", "has digest"),
        ("twice", "is a file with another name, expected a regular file"),
        ("link", "is a symbolic link, expected a regular file"),
        ("folder", "is a folder, expected a regular file"),
        ("pipe", "is a pipe, expected a regular file"),
        ("nothing", "cannot open"),
    ] {
        let fault = store.adopt(&acme, &at(name), digest).expect_err(name);
        assert!(fault.message.contains(expected), "{name}: {fault}");
        assert_eq!(fault.kind, FaultKind::Guest, "{name}");
        assert!(store.path(&acme, digest).is_err(), "{name} left a blob");
    }
    let incoming = crate::disk::entries(&crate::open::incoming_folder(data.path(), &acme)).expect("listed");
    assert!(incoming.is_empty(), "a refused file leaves nothing: {incoming:?}");
}

#[test]
fn what_a_crash_left_half_written_is_removed_at_open() {
    let (data, acme) = (folder(), tenant("acme"));
    let (store, _) = open(data.path());
    store.put(&acme, b"rows").expect("put");
    drop(store);
    let left = crate::open::incoming_folder(data.path(), &acme).join("7");
    fs::write(&left, b"ro").expect("written");
    open(data.path());
    assert!(!left.exists());
}

#[test]
fn a_link_in_place_of_a_folder_or_blob_is_not_followed() {
    let (data, outside, acme) = (folder(), folder(), tenant("acme"));
    let other = outside.path().join("other");
    fs::write(&other, b"rows").expect("written");
    let (store, _) = open(data.path());
    let digest = store.put(&acme, b"rows").expect("put");
    let path = store.path(&acme, digest).expect("there");
    fs::remove_file(&path).and_then(|()| symlink(&other, &path)).expect("linked");
    assert!(store.get(&acme, digest).expect_err("a link").message.contains("symbolic link"));
    drop(store);
    let incoming = crate::open::incoming_folder(data.path(), &acme);
    fs::remove_dir(&incoming).and_then(|()| symlink(outside.path(), &incoming)).expect("linked");
    let error = crate::Store::open(data.path()).map(|_| ()).expect_err("a link");
    assert!(error.to_string().contains("cannot empty"), "{error}");
    assert_eq!(fs::read(&other).expect("untouched"), b"rows");
}
