//! Whose a data folder is: it has a mark, and the user's state folder remembers the marks of those that this user made.
//!
//! What a data folder holds is believed, its tenants' policies and what its runs were granted among it. One that came with a
//! project from elsewhere would let that project do whatever it likes. Its owner says nothing: what was downloaded belongs
//! to whoever downloaded it.

use crate::private;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use types::{Digest, Fault};

const MARK: &str = "mark";
const MARK_BYTES_MAX: u64 = 64;
/// A mark that is being made.
const DRAFT: &str = "mark.draft";

/// Whether a folder whose lock was just taken holds nothing to be believed.
pub(crate) fn is_new(data: &Path) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(data)? {
        let name = entry?.file_name();
        if name != "lock" && name != DRAFT {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Refuses a data folder that is not the user's. A new one becomes the user's, and so does one that is trusted.
pub(crate) fn expect_own(data: &Path, state: &Path, is_new: bool, is_trusted: bool) -> Result<(), Fault> {
    let known = state.join("data-folders");
    match () {
        () if mark_of(data).is_some_and(|mark| known.join(mark.to_string()).is_file()) => Ok(()),
        () if is_new || is_trusted => mark(data, &known),
        () => Err(Fault::invalid(format!(
            "the data folder `{}` was not made by you here, and what it says would be believed: which files and hosts steps \
             may reach, for one",
            data.display()
        ))
        .hinted(
            "remove it if it came with a project from elsewhere; if it is yours (moved from another machine, or made by an \
             earlier version), say so once with --trust-data",
        )),
    }
}

/// The folder's mark, if it has one.
fn mark_of(data: &Path) -> Option<Digest> {
    let text = manifest::read_file(&data.join(MARK), MARK_BYTES_MAX).ok()?;
    // Parsed, because it becomes a file's name.
    Digest::parse(std::str::from_utf8(&text).ok()?)
}

/// Gives the folder a new mark, which nobody else has seen, and remembers it.
fn mark(data: &Path, known: &Path) -> Result<(), Fault> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(Fault::host)?;
    let mark = Digest::of(&random).to_string();
    let cannot =
        |error: std::io::Error| Fault::host(format!("cannot mark the data folder `{}`: {error}", data.display()));
    private::ensure(known, "folder of marks", "remove it, or name another parent in XDG_STATE_HOME")?;
    // Remembered first: a mark that is nobody's harms nothing. Where it was made is for people.
    write(&known.join(&mark), data.as_os_str().as_bytes()).map_err(cannot)?;
    let draft = data.join(DRAFT);
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
        _ => {}
    }
    write(&draft, mark.as_bytes()).and_then(|()| std::fs::rename(&draft, data.join(MARK))).map_err(cannot)
}

/// Writes a file that was not there, for its owner's eyes only, onto the disk.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_or_trusted_here_is_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let (data, state) = (folder.path().join("data"), folder.path().join("state"));
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("lock"), "").unwrap();
        assert!(is_new(&data).unwrap());
        expect_own(&data, &state, true, false).unwrap();
        assert!(!is_new(&data).unwrap());
        expect_own(&data, &state, false, false).unwrap();
        let made = mark_of(&data).unwrap();
        // As it comes to somebody else.
        let elsewhere = folder.path().join("elsewhere");
        let refused = expect_own(&data, &elsewhere, false, false).unwrap_err();
        assert!(refused.message.contains("was not made by you here"), "{refused:?}");
        assert!(refused.hint.unwrap().contains("--trust-data"));
        expect_own(&data, &elsewhere, false, true).unwrap();
        expect_own(&data, &elsewhere, false, false).unwrap();
        assert_ne!(mark_of(&data).unwrap(), made, "whoever sent it has seen that one");
    }

    #[test]
    fn a_mark_that_is_none_is_no_way_to_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let (data, state) = (folder.path().join("data"), folder.path().join("state"));
        std::fs::create_dir(&data).unwrap();
        std::fs::create_dir_all(state.join("data-folders")).unwrap();
        for name in ["known", "0123456789abcdef"] {
            std::fs::write(state.join("data-folders").join(name), "").unwrap();
        }
        std::fs::write(state.join("file"), "").unwrap();
        for mark in ["", "known", "0123456789abcdef", "../file", "/etc/passwd", &"A".repeat(64), &"0".repeat(1 << 20)] {
            std::fs::write(data.join(MARK), mark).unwrap();
            assert!(expect_own(&data, &state, false, false).is_err(), "{}", &mark[..mark.len().min(20)]);
        }
    }
}
