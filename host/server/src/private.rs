//! Folders that are ours alone, and a data folder that leads nowhere else.
//!
//! A data folder can come with a stranger's project. Nothing in it is executed (`folder::compiled` lies in the cache), but
//! it is written to: a link in it would be a way to files outside.

use rustix::fs::{Mode, OFlags};
use std::fs::{FileType, Metadata};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use types::Fault;

/// Makes a folder if need be, for its owner's eyes only; `what` names it, `hint` says what else to do. One that is there
/// must be ours, and no link; if others may look into it, they no longer may.
pub(crate) fn ensure(folder: &Path, what: &str, hint: &str) -> Result<(), Fault> {
    let shown = folder.display();
    let io = |error: std::io::Error| Fault::host(format!("cannot use the {what} `{shown}`: {error}"));
    let refused = |is: String| Err(Fault::invalid(format!("the {what} `{shown}` {is}")).hinted(hint));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
    if !std::fs::symlink_metadata(folder).map_err(io)?.is_dir() {
        return refused("is a link, expected a folder".to_owned());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags, Mode::empty()).map_err(|error| io(error.into()))?;
    let found = rustix::fs::fstat(&opened).map_err(|error| io(error.into()))?;
    match access(found.st_uid, found.st_mode, rustix::process::geteuid().as_raw()) {
        Access::Ours => Ok(()),
        Access::TooWide => rustix::fs::fchmod(&opened, Mode::RWXU).map_err(|error| io(error.into())),
        Access::Anothers { expected } => refused(format!("belongs to user {}, expected {expected}", found.st_uid)),
    }
}

/// A folder of our own beneath another, removed when this is dropped: what happens in two of them at once does not mix.
pub(crate) struct Fleeting(PathBuf);

impl Fleeting {
    pub(crate) fn new(beneath: &Path) -> std::io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = beneath.join(format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        // Of a process that had our number and was killed.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Fleeting {
    fn drop(&mut self) {
        // What stays is garbage in a cache.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Who may look into a folder.
#[derive(Debug, PartialEq)]
enum Access {
    Ours,
    TooWide,
    Anothers { expected: u32 },
}

fn access(owner: u32, mode: u32, us: u32) -> Access {
    match (owner == us, mode & 0o077) {
        (false, _) => Access::Anothers { expected: us },
        (true, 0) => Access::Ours,
        (true, _) => Access::TooWide,
    }
}

/// Refuses a data folder that holds anything but folders and files of its own, and the owner's socket. To be asked by the
/// holder of its lock, before anything is read from it or written to it.
pub(crate) fn assert_closed(data: &Path) -> Result<(), Fault> {
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        let io = |error: std::io::Error| Fault::host(format!("cannot look into `{}`: {error}", folder.display()));
        for entry in std::fs::read_dir(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let (path, found) = (entry.path(), entry.metadata().map_err(io)?);
            let below = path.strip_prefix(data).unwrap_or(&path);
            match foreign(below, &found) {
                Some(kind) => return Err(leads_out(data, below, kind)),
                None if found.is_dir() && !is_opaque(below) => folders.push(path),
                None => {}
            }
        }
    }
    Ok(())
}

/// What a data folder never holds.
fn foreign(below: &Path, found: &Metadata) -> Option<&'static str> {
    let kind: FileType = found.file_type();
    match () {
        () if kind.is_dir() => None,
        () if kind.is_symlink() => Some("link"),
        () if kind.is_file() => (found.nlink() > 1).then_some("file with a second name"),
        () if kind.is_socket() && below == Path::new("socket") => None,
        () if kind.is_socket() => Some("socket"),
        () if kind.is_fifo() => Some("pipe"),
        () => Some("device"),
    }
}

/// Folders whose content need not be looked at: blobs are many, are never written to, and are opened without following a
/// link; what workers left in their scratch folders is removed unread.
fn is_opaque(below: &Path) -> bool {
    let parts: Vec<&str> = below.iter().map(|part| part.to_str().unwrap_or_default()).collect();
    matches!(parts[..], ["tenants", _, "blobs", _] | ["tenants", _, "scratch"])
}

fn leads_out(data: &Path, below: &Path, kind: &str) -> Fault {
    let named = Path::new(data.file_name().unwrap_or_default()).join(below).display().to_string();
    let named: String = named.chars().filter(|c| !c.is_control()).take(300).collect();
    Fault::invalid(format!("`{named}` is a {kind}; a data folder holds none"))
        .hinted("remove the data folder if it came with a project from elsewhere, or name another with --data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_ours_alone() {
        for (owner, mode, expected) in [
            (7, 0o040_700, Access::Ours),
            (7, 0o040_755, Access::TooWide),
            (7, 0o040_701, Access::TooWide),
            (7, 0o040_770, Access::TooWide),
            (0, 0o040_700, Access::Anothers { expected: 7 }),
            (8, 0o040_777, Access::Anothers { expected: 7 }),
        ] {
            assert_eq!(access(owner, mode, 7), expected, "{owner} {mode:o}");
        }
    }

    #[test]
    fn only_blobs_and_leavings_are_not_looked_at() {
        for (below, expected) in [
            ("tenants/default/blobs/ab", true),
            ("tenants/default/scratch", true),
            ("tenants/default/blobs", false),
            ("tenants/default/logs", false),
            ("tenants", false),
            ("index", false),
            ("scratch", false),
        ] {
            assert_eq!(is_opaque(Path::new(below)), expected, "{below}");
        }
    }
}
