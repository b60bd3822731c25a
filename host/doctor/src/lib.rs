//! A pool of workers -> which attempts to break out its walls held, on this machine, now.
//!
//! ```text
//!  ATTEMPTS --how--> calls --Ground (pool, store, doors)--> outcomes --judge--> Finding: held or not, by what, in how long
//! ```
//! The plugins that try are `plugins/abuse` and `plugins/abuse-roles`; components that are bytes only are made here. The same
//! list is printed by `stepwell doctor` and held by its test, so that what people are told is what is tested.

mod attempts;
mod components;
mod ground;
mod how;
mod lure;
mod verdict;

pub use attempts::{ATTEMPTS, Attempt};
pub use ground::{Ground, Options};
pub use verdict::Finding;

use rustix::process::geteuid;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Who may look into a folder, in a few words; `None` if nobody but its owner, us.
pub fn exposed(folder: &Path) -> Option<String> {
    let found = match std::fs::symlink_metadata(folder) {
        Ok(found) => found,
        // What is not there yet is made for our eyes only.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => return Some(format!("cannot be looked at: {error}")),
    };
    match (found.is_dir(), found.uid() == geteuid().as_raw(), found.mode() & 0o077) {
        (false, ..) => Some("is no folder".to_owned()),
        (_, false, _) => Some(format!("belongs to user {}", found.uid())),
        (.., 0) => None,
        _ => Some(format!("others may look into it (mode {:o})", found.mode() & 0o777)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_that_others_see_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert_eq!(exposed(&path), None);
        std::fs::create_dir(&path).unwrap();
        for (mode, expected) in [(0o700, None), (0o750, Some("others may look into it (mode 750)".to_owned()))] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(exposed(&path), expected);
        }
        std::fs::write(folder.path().join("b"), "").unwrap();
        assert_eq!(exposed(&folder.path().join("b")), Some("is no folder".to_owned()));
    }
}
