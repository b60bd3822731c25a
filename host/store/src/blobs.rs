//! Bytes <-> files named by their digest, one folder a tenant. What stands under a name never changes.
//!
//! A worker's file is always copied, never renamed into place: the worker may be hostile and alive, hold the file open,
//! and write to it after any check. What is copied is hashed on its way, into a file that only this process ever opened.

use crate::disk::{Same, sync_folder};
use crate::open::{incoming_folder, tenant_folder};
use crate::{Error, Result, Store};
use ports::Blobs;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use types::{Digest, Fault, TenantId};

const CHUNK_BYTES: usize = 1 << 20;
/// Largest blob that is given as bytes: plans, reports, components; tables and models are opened by their path. A data folder
/// may hold a file of any length, which takes no disk if it is a hole.
const BYTES_MAX: u64 = 512 << 20;

impl Blobs for Store {
    fn put(&self, tenant: &TenantId, bytes: &[u8]) -> Result<Digest, Fault> {
        let digest = Digest::of(bytes);
        self.keep(tenant, bytes, bytes.len() as u64, digest, Path::new("memory"))?;
        Ok(digest)
    }

    fn adopt(&self, tenant: &TenantId, file: &Path, digest: Digest) -> Result<(), Fault> {
        let (opened, found) = open_regular(file).map_err(Error::of_leaver)?;
        self.keep(tenant, opened, found.len(), digest, file).map_err(Error::of_leaver)?;
        Ok(fs::remove_file(file).or_else(gone_is_fine).map_err(Error::io("remove", file))?)
    }

    fn get(&self, tenant: &TenantId, digest: Digest) -> Result<Vec<u8>, Fault> {
        let path = self.present(tenant, digest)?;
        let (mut file, found) = open_regular(&path)?;
        let length = found.len();
        if length > BYTES_MAX {
            return Err(Error::TooLong { path, got: length, most: BYTES_MAX }.into());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
        match Digest::of(&bytes) {
            got if got == digest => Ok(bytes),
            got => Err(Error::Digest { path, expected: digest, got }.into()),
        }
    }

    fn path(&self, tenant: &TenantId, digest: Digest) -> Result<PathBuf, Fault> {
        Ok(self.present(tenant, digest)?)
    }
}

impl Store {
    /// Keeps what a reader gives, `length` bytes at most, if it has the digest; a stranger's file says what it is.
    pub fn take_in(&self, tenant: &TenantId, source: impl Read, length: u64, digest: Digest) -> Result<(), Fault> {
        self.keep(tenant, source, length, digest, Path::new("the file")).map_err(Error::of_leaver)
    }

    /// Copies `source` into a file of our own and, if it has the digest, gives it its name. Durable when it returns, also
    /// if it was there: whoever put it may not have synced its name yet, unless that is known.
    fn keep(&self, tenant: &TenantId, source: impl Read, length: u64, digest: Digest, from: &Path) -> Result<()> {
        let _no_deletion = self.writing.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.entry(tenant)?;
        self.young.insert(tenant, digest);
        let place = self.place(tenant, digest);
        let folder = place.parent().expect("a blob lies in a folder");
        self.folders.ensure(folder)?;
        if let Some(same) = holds(&place, digest)? {
            let got = copy(source, length, &mut std::io::sink()).map_err(Error::io("read", from))?;
            expect(from, digest, got)?;
            return self.folders.settle(&place, same);
        }
        self.take_space(tenant, length)?;
        let incoming = incoming_folder(&self.data, tenant);
        self.folders.ensure(&incoming)?;
        let unborn = incoming.join(next_name());
        let born = write_new(&unborn, source, length, digest, from)
            .and_then(|()| fs::rename(&unborn, &place).map_err(Error::io("name", &place)));
        if born.is_err() {
            // The first error is the one to tell; a leftover goes at the next open.
            drop(fs::remove_file(&unborn));
            self.give_space_back(tenant, length);
        }
        born.and_then(|()| sync_folder(folder))
    }

    /// Where a blob lies or would lie.
    pub(crate) fn place(&self, tenant: &TenantId, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        tenant_folder(&self.data, tenant).join("blobs").join(&name[..2]).join(&name[2..])
    }

    fn present(&self, tenant: &TenantId, digest: Digest) -> Result<PathBuf> {
        self.entry(tenant)?;
        // Before it is looked for: whoever finds it has it.
        self.young.insert(tenant, digest);
        let path = self.place(tenant, digest);
        match path.symlink_metadata() {
            Ok(found) if found.is_file() => Ok(path),
            Ok(found) => Err(Error::NotAFile { path, got: kind(found.file_type()) }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::NoBlob { tenant: tenant.clone(), digest })
            }
            Err(error) => Err(Error::io("find", &path)(error)),
        }
    }
}

/// The blob, if it is there, whole. A data folder may have come with a stranger's project: what stands under the name of a
/// first-party plugin need not be that plugin, and is replaced then.
fn holds(place: &Path, digest: Digest) -> Result<Option<Same>> {
    match open_regular(place) {
        Ok((file, found)) => {
            let got = copy(file, found.len(), &mut std::io::sink()).map_err(Error::io("read", place))?;
            Ok((got == digest).then_some(Same::of(&found)))
        }
        Err(Error::NotAFile { .. }) => Ok(None),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a stranger's file: not through a link of either kind, and without waiting at a pipe. The length that it has then
/// bounds what is read.
pub(crate) fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = match opened {
        Err(rustix::io::Errno::LOOP) => return Err(Error::NotAFile { path: path.to_owned(), got: "a symbolic link" }),
        other => File::from(other.map_err(|errno| Error::io("open", path)(errno.into()))?),
    };
    let found = file.metadata().map_err(Error::io("examine", path))?;
    match found.is_file() {
        true if found.nlink() > 1 => Err(Error::NotAFile { path: path.to_owned(), got: "a file with another name" }),
        true => Ok((file, found)),
        false => Err(Error::NotAFile { path: path.to_owned(), got: kind(found.file_type()) }),
    }
}

/// Writes a new read-only file, synced; fails if what went into it has another digest.
fn write_new(path: &Path, source: impl Read, length: u64, digest: Digest, from: &Path) -> Result<()> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o444).open(path).map_err(Error::io("make", path))?;
    let got = copy(source, length, &mut file).map_err(Error::io("copy to", path))?;
    expect(from, digest, got)?;
    file.sync_all().map_err(Error::io("sync", path))
}

/// Copies at most `length` bytes and returns the digest of what was copied.
pub(crate) fn copy(source: impl Read, length: u64, target: &mut impl Write) -> std::io::Result<Digest> {
    // Most blobs are a few kilobytes: a mebibyte of memory would cost more than copying them.
    let chunk = usize::try_from(length).unwrap_or(CHUNK_BYTES).clamp(1, CHUNK_BYTES);
    let (mut source, mut hasher, mut chunk) = (source.take(length), blake3::Hasher::new(), vec![0; chunk]);
    loop {
        match source.read(&mut chunk) {
            Ok(0) => return Ok(Digest::from_bytes(*hasher.finalize().as_bytes())),
            Ok(count) => {
                hasher.update(&chunk[..count]);
                target.write_all(&chunk[..count])?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn expect(path: &Path, expected: Digest, got: Digest) -> Result<()> {
    match expected == got {
        true => Ok(()),
        false => Err(Error::Digest { path: path.to_owned(), expected, got }),
    }
}

pub(crate) fn gone_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// A name that no other thread of this process takes; earlier processes' files are gone since open.
fn next_name() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("{}", LAST.fetch_add(1, Ordering::Relaxed))
}

fn kind(found: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match found {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_file() => "a file",
        _ => "a device",
    }
}
