//! Native code in a project's cache: found, and taken along when the project is copied.

use std::path::{Path, PathBuf};
use types::Digest;

/// Where native code of the project's plugins lies.
pub(crate) fn folder_of(project: &Path) -> PathBuf {
    let data = project.join(".stepwell").canonicalize().unwrap();
    let id = &Digest::of(data.to_str().unwrap().as_bytes()).to_string()[..16];
    project.join(".cache/stepwell/compiled").join(id)
}

/// Makes the native code of a project, copied with the project, that of the copy.
pub(crate) fn moved(from: &Path, to: &Path) {
    let name = folder_of(from);
    std::fs::rename(folder_of(to).with_file_name(name.file_name().unwrap()), folder_of(to)).unwrap();
}
