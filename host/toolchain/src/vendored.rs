//! The SDK of this binary -> `.stepwell-sdk` in a plugin's folder: native tests and editors find it there, and cargo.
//!
//! It stands in `.gitignore` and is written by `new` and again by every build that finds it different. So a plugin that is
//! cloned on another machine builds there, against the SDK of the `stepwell` that will run it; nobody has to review a copy of
//! the SDK in a repository, and none can hide something there. The other way, a path patched in by the build, would leave
//! `cargo test` and editors without the SDK, and a name that a stranger could take on the registry.

use crate::carried::{self, File};
use std::path::Path;
use types::Fault;

pub(crate) const FOLDER: &str = ".stepwell-sdk";

/// Whether a plugin's folder says that this is made for it.
pub(crate) fn is_asked_for(source: &Path) -> bool {
    let ignored = std::fs::read_to_string(source.join(".gitignore")).unwrap_or_default();
    ignored.lines().any(|line| line.trim().trim_matches('/') == FOLDER)
}

/// Writes the SDK beneath a plugin's folder, unless it is there already: what is written anew is also compiled anew.
pub(crate) fn renew(plugin: &Path, sdk: &[&[File]]) -> Result<(), Fault> {
    let folder = plugin.join(FOLDER);
    let there = std::fs::symlink_metadata(&folder);
    // A link leads out of the plugin's folder.
    let is_folder = there.as_ref().is_ok_and(std::fs::Metadata::is_dir);
    let is_same = |(path, text): &File| std::fs::read_to_string(folder.join(path)).is_ok_and(|there| there == *text);
    if is_folder && sdk.iter().copied().flatten().all(is_same) {
        return Ok(());
    }
    let draft = plugin.join(format!("{FOLDER}.{}", crate::draft()));
    carried::write(&draft, sdk)?;
    let removed = match there {
        Ok(_) if is_folder => std::fs::remove_dir_all(&folder),
        Ok(_) => std::fs::remove_file(&folder),
        Err(_) => Ok(()),
    };
    let placed = removed.and_then(|()| std::fs::rename(&draft, &folder));
    placed.map_err(|error| Fault::host(format!("cannot write `{}`: {error}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDK: &[&[File]] = &[&[("sdk/a", "one"), ("wit/b", "two")]];

    #[test]
    fn it_is_written_where_it_is_asked_for() {
        let plugin = tempfile::tempdir().unwrap();
        for (ignored, expected) in [("target\n", false), ("# .stepwell-sdk\n", false), ("a\n/.stepwell-sdk/\n", true)] {
            std::fs::write(plugin.path().join(".gitignore"), ignored).unwrap();
            assert_eq!(is_asked_for(plugin.path()), expected, "{ignored}");
        }
        assert!(!is_asked_for(&plugin.path().join("step.py")));
    }

    #[test]
    fn what_differs_is_written_anew_and_what_does_not_is_left() {
        let plugin = tempfile::tempdir().unwrap();
        let at = |path: &str| plugin.path().join(FOLDER).join(path);
        renew(plugin.path(), SDK).unwrap();
        assert_eq!(std::fs::read_to_string(at("wit/b")).unwrap(), "two");
        std::fs::write(at("more"), "").unwrap();
        renew(plugin.path(), SDK).unwrap();
        assert!(at("more").exists(), "nothing differed");
        std::fs::write(at("sdk/a"), "other").unwrap();
        renew(plugin.path(), SDK).unwrap();
        assert_eq!(std::fs::read_to_string(at("sdk/a")).unwrap(), "one");
        assert!(!at("more").exists());
        assert_eq!(std::fs::read_dir(plugin.path()).unwrap().count(), 1, "no drafts are left");
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let (plugin, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), plugin.path().join(FOLDER)).unwrap();
        renew(plugin.path(), SDK).unwrap();
        assert!(plugin.path().join(FOLDER).join("sdk/a").is_file());
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
