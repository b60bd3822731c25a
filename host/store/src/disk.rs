//! Folders and names that survive a power cut: a name is on disk only once the folder that holds it was synced.

use crate::{Error, Result};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Folders beneath a root that are known to be on disk, each with its name in its parent.
pub(crate) struct Folders {
    root: PathBuf,
    known: Mutex<BTreeSet<PathBuf>>,
}

impl Folders {
    /// Nothing is known yet beneath `root`, which is there.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), known: Mutex::default() }
    }

    /// Makes `folder` and what is missing above it, beneath the root, and syncs every name on the way.
    /// The lock is held over the syncs: whoever finds a folder known here may rely on it.
    pub(crate) fn ensure(&self, folder: &Path) -> Result<()> {
        let mut known = self.known.lock().expect("no holder of this lock panics");
        let missing: Vec<&Path> =
            folder.ancestors().take_while(|path| *path != self.root && !known.contains(*path)).collect();
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(Error::io("make folder", path)(error));
                }
                _ => sync_folder(path.parent().unwrap_or(&self.root))?,
            }
            known.insert(path.to_owned());
        }
        Ok(())
    }
}

impl Folders {
    /// Removes a folder with all that is in it, and its name for good. One that is not there is removed already.
    /// The lock is held meanwhile, so that nobody makes a part of it anew.
    pub(crate) fn remove(&self, folder: &Path) -> Result<()> {
        let mut known = self.known.lock().expect("no holder of this lock panics");
        known.retain(|path| !path.starts_with(folder));
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => {
                removed.map_err(Error::io("remove", folder))?;
                sync_folder(folder.parent().unwrap_or(&self.root))
            }
        }
    }
}

/// How many files lie in a folder, however deep, and their bytes. Links count as themselves.
pub(crate) fn measure(folder: &Path) -> Result<(u64, u64)> {
    let (mut files, mut bytes, mut folders) = (0, 0, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            match path.symlink_metadata() {
                Ok(found) if found.is_dir() => folders.push(path),
                // Saturating: holes can be of any length.
                Ok(found) => (files, bytes) = (files + 1, u64::saturating_add(bytes, found.len())),
                // Somebody removed it meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("examine", &path)(error)),
            }
        }
    }
    Ok((files, bytes))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(Error::io("sync folder", folder))
}

/// The entries of a folder, sorted; empty if there is no folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::io("list", folder))?,
    };
    let mut paths = listing
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(Error::io("list", folder))?;
    paths.sort();
    Ok(paths)
}
