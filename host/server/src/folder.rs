//! The data folder: who owns it, and where everything in it lies; and what lies in the user's cache instead.
//!
//! ```text
//!  lock, socket              the owner, and where it listens
//!  mark                      says that the user made it, or trusts it
//!  index/                    the store's database
//!  tenants/NAME/journal/     the truth
//!  tenants/NAME/blobs/       tables, models, plugins
//!  tenants/NAME/scratch/     a folder a worker
//!  tenants/NAME/secrets/     a file a secret
//!  tenants/NAME/predictions/ENDPOINT/    what was predicted, and what became of it
//!  tenants/NAME/used.json    what counts against its quotas of a day
//!  tenants/NAME/logs/        what runs said, a file a run
//!  tenants/NAME/reports/     pages of runs that somebody looked at
//!
//!  CACHE/built/              components built from source, by digest of the source
//!  CACHE/built/ID/NAME/      those of another tenant than `default`
//!  CACHE/compiled/ID/NAME/   native code of a tenant's plugins, written by the server only; ID is the data folder's
//!
//!  STATE/data-folders/MARK   the marks of the user's data folders (`marks`)
//! ```
//! A data folder may have come with a stranger's project, so it is not opened before its mark is known, and nothing in it is
//! ever executed natively. The cache can be removed at any time: it is made again.

use crate::owner::{self, Owner};
use crate::{Options, marks, private};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use types::{Digest, Fault, TenantId};

/// Refuses a link and does not wait for a pipe.
pub(crate) const NOFOLLOW: i32 = (rustix::fs::OFlags::NOFOLLOW.bits() | rustix::fs::OFlags::NONBLOCK.bits()) as i32;

/// A locked data folder.
#[derive(Debug)]
pub struct Folder {
    // The lock lasts as long as the file is open.
    lock: File,
    /// Whether there was nothing in it.
    pub(crate) is_new: bool,
}

/// Who has the folder.
#[derive(Debug)]
pub enum LockedBy {
    /// Nobody had it; now we have.
    Us(Folder),
    /// Somebody else has it.
    Another(Owner),
}

impl Folder {
    /// Makes the folder if need be, for its owner's eyes only, and takes its lock, or says who has it. A folder that leads
    /// out of itself is refused before anything in it is touched.
    pub fn lock(data: &Path) -> Result<LockedBy, Fault> {
        let io =
            |error: std::io::Error| Fault::host(format!("cannot use the data folder `{}`: {error}", data.display()));
        private::ensure(data, "data folder", "remove it, or name another with --data")?;
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
        if let Some(owner) = owner::take(&mut lock).map_err(io)? {
            return Ok(LockedBy::Another(owner));
        }
        private::assert_closed(data)?;
        owner::sign(&mut lock).map_err(io)?;
        remove_scratch(data).map_err(io)?;
        let is_new = marks::is_new(data).map_err(io)?;
        Ok(LockedBy::Us(Self { lock, is_new }))
    }

    /// Tells others that whoever has the folder is to listen: they may wait for it.
    pub fn tell_serving(&self) -> Result<(), Fault> {
        owner::sign_serving(&self.lock).map_err(Fault::host)
    }

    /// Where the owner listens.
    pub fn socket(data: &Path) -> PathBuf {
        data.join("socket")
    }

    /// Whether a socket stands where an owner would listen; a link to another's is none.
    pub fn has_socket(data: &Path) -> bool {
        std::fs::symlink_metadata(Self::socket(data)).is_ok_and(|found| found.file_type().is_socket())
    }
}

/// What was to be removed and is not there is fine.
pub(crate) fn absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Removes what workers of an earlier process left, links and all, without following any.
fn remove_scratch(data: &Path) -> std::io::Result<()> {
    match std::fs::read_dir(data.join("tenants")) {
        Ok(mut tenants) => tenants.try_for_each(|tenant| {
            let scratch = tenant?.path().join("scratch");
            std::fs::remove_dir_all(scratch).or_else(absent)
        }),
        Err(error) => absent(error),
    }
}

pub(crate) fn tenant(data: &Path, tenant: &TenantId) -> PathBuf {
    data.join("tenants").join(tenant.to_string())
}

pub(crate) fn secrets(data: &Path, id: &TenantId) -> PathBuf {
    tenant(data, id).join("secrets")
}

/// Where native code of a tenant's plugins is kept: apart for each data folder, so that no project's worker, should it ever
/// break out, writes what another's executes.
fn compiled(options: &Options, tenant: &TenantId) -> PathBuf {
    options.cache.join("compiled").join(id(options)).join(tenant.to_string())
}

/// The data folder's name in the cache.
fn id(options: &Options) -> String {
    let data = options.data.canonicalize().unwrap_or_else(|_| options.data.clone());
    Digest::of(data.as_os_str().as_bytes()).to_string()[..16].to_owned()
}

/// Where the workers of a tenant may look. Absolute, because a worker works in another folder.
pub(crate) fn layout(options: &Options) -> impl Fn(&TenantId) -> worker::Layout + Send + Sync + 'static {
    let options = options.clone();
    move |id| {
        let folder = tenant(&options.data, id);
        worker::Layout {
            executable: options.executable.clone(),
            blobs: folder.join("blobs"),
            compiled: compiled(&options, id),
            scratch: folder.join("scratch"),
            walls: options.walls,
        }
    }
}

/// Where components built from a tenant's sources are kept: those of `default` for all the user's projects, a client's apart.
pub(crate) fn built(options: &Options, tenant: &TenantId) -> PathBuf {
    let built = options.cache.join("built");
    match tenant.is_default() {
        true => built,
        false => built.join(id(options)).join(tenant.to_string()),
    }
}

/// Where what is a client's lies outside its folder.
pub(crate) fn elsewhere(options: &Options, tenant: &TenantId) -> [PathBuf; 2] {
    [compiled(options, tenant), built(options, tenant)]
}

pub(crate) fn remove_all(folders: &[PathBuf]) -> Result<(), Fault> {
    folders.iter().try_for_each(|folder| match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::host(format!("cannot remove `{}`: {error}", folder.display())))
        }
        _ => Ok(()),
    })
}

/// Where a tenant's predictions are logged, a folder an endpoint.
pub(crate) fn predictions(data: &Path, whose: &TenantId) -> PathBuf {
    tenant(data, whose).join("predictions")
}

/// How many files lie in a folder and their bytes; none if it is not there.
pub(crate) fn measured(folder: &Path) -> Result<(u64, u64), Fault> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((0, 0)),
        entries => entries.map_err(Fault::host)?,
    };
    entries.flatten().try_fold((0, 0), |(files, bytes), entry| match entry.metadata() {
        Ok(found) if found.is_dir() => {
            measured(&entry.path()).map(|(more, larger)| (files + more, u64::saturating_add(bytes, larger)))
        }
        Ok(found) => Ok((files + 1, bytes.saturating_add(found.len()))),
        // Renamed or removed meanwhile.
        Err(_) => Ok((files, bytes)),
    })
}

/// The real time, in microseconds since 1970-01-01 UTC.
pub fn now_us() -> i64 {
    ports::Clock::now_us(&SystemClock)
}

/// The real time.
pub(crate) struct SystemClock;

impl ports::Clock for SystemClock {
    fn now_us(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}
