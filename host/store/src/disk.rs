//! Folders and names that survive a power cut: a name is on disk only once the folder that holds it was synced.

use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Files whose names are remembered to be on disk. When they are as many they are all forgotten: that costs a sync each.
const NAMES_MAX: usize = 4096;

/// Folders beneath a root that are known to be on disk, each with its name in its parent, and files likewise.
pub(crate) struct Folders {
    root: PathBuf,
    known: Mutex<BTreeSet<PathBuf>>,
    names: Mutex<BTreeMap<PathBuf, Same>>,
}

/// What no other file has that ever stands under the same name: its number, and when that last got a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Same {
    inode: u64,
    changed: (i64, i64),
}

impl Same {
    pub(crate) fn of(found: &Metadata) -> Self {
        Self { inode: found.ino(), changed: (found.ctime(), found.ctime_nsec()) }
    }
}

impl Folders {
    /// Nothing is known yet beneath `root`, which is there.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), known: Mutex::default(), names: Mutex::default() }
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
    /// Makes the name of a file durable, unless it is known to be. `same` is the file that was found under it.
    pub(crate) fn settle(&self, file: &Path, same: Same) -> Result<()> {
        if self.names.lock().expect("no holder of this lock panics").get(file) == Some(&same) {
            return Ok(());
        }
        sync_folder(file.parent().unwrap_or(&self.root))?;
        let mut names = self.names.lock().expect("no holder of this lock panics");
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(file.to_owned(), same);
        Ok(())
    }

    /// Removes a folder with all that is in it, and its name for good. One that is not there is removed already.
    /// The lock is held meanwhile, so that nobody makes a part of it anew.
    pub(crate) fn remove(&self, folder: &Path) -> Result<()> {
        let mut known = self.known.lock().expect("no holder of this lock panics");
        known.retain(|path| !path.starts_with(folder));
        self.names.lock().expect("no holder of this lock panics").retain(|path, _| !path.starts_with(folder));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_synced_once_and_anew_when_another_file_has_it() {
        let root = tempfile::tempdir().expect("made");
        let (folders, file) = (Folders::new(root.path()), root.path().join("blobs").join("a"));
        fs::create_dir(root.path().join("blobs")).expect("made");
        fs::write(&file, "a").expect("written");
        let same = Same::of(&fs::metadata(&file).expect("examined"));
        folders.settle(&file, same).expect("synced");
        // Without the folder there is nothing that could be synced.
        fs::remove_dir_all(root.path().join("blobs")).expect("removed");
        folders.settle(&file, same).expect("known");
        folders.settle(&file, Same { inode: same.inode + 1, ..same }).expect_err("another file");
        folders.remove(&root.path().join("blobs")).expect("removed");
        folders.settle(&file, same).expect_err("forgotten");
    }
}
