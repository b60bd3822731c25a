//! The data folder: who owns it, and where everything in it lies.
//!
//! ```text
//!  lock, socket              the owner, and where it listens
//!  index/                    the store's database
//!  built/                    components built from source, by digest of the source
//!  tenants/NAME/journal/     the truth
//!  tenants/NAME/blobs/       tables, models, plugins
//!  tenants/NAME/compiled/    native code of plugins, written by the server only
//!  tenants/NAME/scratch/     a folder a worker
//!  tenants/NAME/secrets/     a file a secret
//!  tenants/NAME/used.json    what counts against its quotas of a day
//!  tenants/NAME/logs/        what runs said, a file a run
//!  tenants/NAME/reports/     a page a run, for people
//! ```

use crate::Options;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use types::{Fault, TenantId};

/// Refuses a link and does not wait for a pipe.
const NOFOLLOW: i32 = (rustix::fs::OFlags::NOFOLLOW.bits() | rustix::fs::OFlags::NONBLOCK.bits()) as i32;

/// A locked data folder.
#[derive(Debug)]
pub struct Folder {
    // The lock lasts as long as the file is open.
    _lock: File,
}

/// Who has the folder.
#[derive(Debug)]
pub enum LockedBy {
    /// Nobody had it; now we have.
    Us(Folder),
    /// Another process, by its number.
    Process(String),
}

impl Folder {
    /// Makes the folder if need be, for its owner's eyes only, and takes its lock, or says who has it.
    pub fn lock(data: &Path) -> Result<LockedBy, Fault> {
        let io =
            |error: std::io::Error| Fault::host(format!("cannot use the data folder `{}`: {error}", data.display()));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(io)?;
        // A folder that is a link, or a lock that is one, came with somebody's project and leads elsewhere.
        if !std::fs::symlink_metadata(data).map_err(io)?.is_dir() {
            let message = format!("the data folder `{}` is a link, expected a folder", data.display());
            return Err(Fault::invalid(message).hinted("remove it, or name another with --data"));
        }
        let path = data.join("lock");
        let mut options = File::options();
        let mut lock = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(NOFOLLOW)
            .open(path)
            .map_err(io)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                lock.set_len(0).and_then(|()| lock.rewind()).map_err(io)?;
                lock.write_all(std::process::id().to_string().as_bytes()).map_err(io)?;
                Ok(LockedBy::Us(Self { _lock: lock }))
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut owner = String::new();
                lock.read_to_string(&mut owner).map_err(io)?;
                Ok(LockedBy::Process(owner))
            }
            Err(error) => Err(io(error.into())),
        }
    }

    /// Where the owner listens.
    pub fn socket(data: &Path) -> PathBuf {
        data.join("socket")
    }
}

pub(crate) fn tenant(data: &Path, tenant: &TenantId) -> PathBuf {
    data.join("tenants").join(tenant.to_string())
}

pub(crate) fn secrets(data: &Path, id: &TenantId) -> PathBuf {
    tenant(data, id).join("secrets")
}

/// Where the workers of a tenant may look. Absolute, because a worker works in another folder.
pub(crate) fn layout(options: &Options) -> impl Fn(&TenantId) -> worker::Layout + Send + Sync + 'static {
    let options = options.clone();
    move |id| {
        let folder = tenant(&options.data, id);
        worker::Layout {
            executable: options.executable.clone(),
            blobs: folder.join("blobs"),
            compiled: folder.join("compiled"),
            scratch: folder.join("scratch"),
        }
    }
}

/// Where what is a tenant's lies outside its folder.
pub(crate) fn elsewhere(options: &Options, id: &TenantId) -> Vec<PathBuf> {
    let compiled = layout(options)(id).compiled;
    Some(compiled).filter(|folder| !folder.starts_with(tenant(&options.data, id))).into_iter().collect()
}

pub(crate) fn remove_all(folders: &[PathBuf]) -> Result<(), Fault> {
    folders.iter().try_for_each(|folder| match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::host(format!("cannot remove `{}`: {error}", folder.display())))
        }
        _ => Ok(()),
    })
}

/// How many files lie in a folder and their bytes; none if it is not there.
pub(crate) fn measured(folder: &Path) -> Result<(u64, u64), Fault> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((0, 0)),
        entries => entries.map_err(Fault::host)?,
    };
    entries.flatten().try_fold((0, 0), |(files, bytes), entry| match entry.metadata() {
        Ok(found) if found.is_dir() => measured(&entry.path()).map(|(more, larger)| (files + more, bytes + larger)),
        Ok(found) => Ok((files + 1, bytes + found.len())),
        // Renamed or removed meanwhile.
        Err(_) => Ok((files, bytes)),
    })
}

/// The real time.
pub(crate) struct SystemClock;

impl ports::Clock for SystemClock {
    fn now_us(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}
