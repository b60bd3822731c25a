//! The component that a plugin's folder was built to last, kept in the cache while nothing in the folder changes: who tests
//! what was built a moment ago does not wait for it again. One a folder, so that the cache does not grow with every edit.

use crate::{draft, language, rust, vendored};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use types::Digest;

/// A folder with more than a plugin's sources is built every time.
const FILES_MAX: usize = 500;
const BYTES_MAX: u64 = 32 << 20;

/// Where the component of a folder, as it is now, is kept.
#[derive(Debug, PartialEq)]
pub(crate) struct Kept {
    folder: PathBuf,
    component: String,
    /// Of the plugin's file.
    name: String,
}

impl Kept {
    /// None of what has another judge of what changed, or cannot be looked through.
    pub(crate) fn of(source: &Path, cache: &Path) -> Option<Self> {
        let source = source.canonicalize().ok().filter(|source| source.is_dir())?;
        let language = language::of(&source).ok()?;
        // Cargo knows, also of what lies elsewhere.
        if language.word == rust::LANGUAGE.word {
            return None;
        }
        let mut found = Found::default();
        found.look(&source, &source)?;
        found.files.sort();
        let digest = Digest::of_json(&(language.word, (language.made_by)(), found.files));
        Some(Self {
            folder: cache.join("kept").join(Digest::of_json(&source.to_str()?).short()),
            component: format!("{digest}.wasm"),
            name: format!("{}.wasm", language::name(&source).ok()?),
        })
    }

    /// Copies the component to where a build would put it, if there is one.
    pub(crate) fn copy(&self, to: &Path) -> Option<PathBuf> {
        let to = if to.is_dir() { to.join(&self.name) } else { to.to_owned() };
        std::fs::copy(self.folder.join(&self.component), &to).ok().map(|_| to)
    }

    /// Keeps a component in place of the folder's former one. What cannot be kept is built again.
    pub(crate) fn keep(&self, component: &Path) {
        let _ = std::fs::remove_dir_all(&self.folder);
        let kept = self.folder.join(&self.component);
        let draft = kept.with_extension(draft());
        let _ = std::fs::create_dir_all(&self.folder)
            .and_then(|()| std::fs::copy(component, &draft))
            .and_then(|_| std::fs::rename(&draft, &kept));
    }
}

/// What a component may be made of: the files by their paths in the folder, and their digests.
#[derive(Default)]
struct Found {
    files: Vec<(String, Digest)>,
    bytes: u64,
}

impl Found {
    /// None if there is too much, or what only a build can judge: a link, packages of another source.
    fn look(&mut self, root: &Path, folder: &Path) -> Option<()> {
        for entry in std::fs::read_dir(folder).ok()? {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?;
            let there = path.symlink_metadata().ok()?;
            if there.is_symlink() || name == "node_modules" {
                return None;
            }
            match there.is_dir() {
                true if [vendored::FOLDER, "__pycache__", ".git"].contains(&name) => {}
                true => self.look(root, &path)?,
                false => self.take(path.strip_prefix(root).ok()?.to_str()?, &path, &there)?,
            }
        }
        Some(())
    }

    fn take(&mut self, name: &str, path: &Path, there: &Metadata) -> Option<()> {
        if is_beside(name) {
            return Some(());
        }
        self.bytes += there.len();
        if !there.is_file() || self.files.len() >= FILES_MAX || self.bytes > BYTES_MAX {
            return None;
        }
        let name = name.to_owned();
        self.files.push((name, Digest::of(&std::fs::read(path).ok()?)));
        Some(())
    }
}

/// What is no part of any component: what was built, and the fixtures of `plugin test`.
fn is_beside(name: &str) -> bool {
    let is_of_a_fixture = name.ends_with(".toml") || name.ends_with(".expected.json");
    name.ends_with(".wasm") || (name.starts_with("tests/") && is_of_a_fixture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_built_is_kept_until_something_changes() {
        let (plugin, cache, to) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |path: &str, text: &str| {
            let path = plugin.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let now = || Kept::of(plugin.path(), cache.path()).unwrap();
        write("step.py", "1");
        let first = now();
        assert_eq!(first.copy(to.path()), None);
        write("built.wasm", "component");
        write("tests/step.toml", "role = \"fitted\"");
        write(".stepwell-sdk/a.py", "");
        assert_eq!(now(), first, "neither a fixture nor what was built is a source");
        first.keep(&plugin.path().join("built.wasm"));
        let copied = first.copy(to.path()).unwrap();
        assert_eq!(copied, to.path().join(&first.name));
        assert_eq!(std::fs::read_to_string(&copied).unwrap(), "component");
        for (path, text) in [("step.py", "2"), ("more/data.json", "{}")] {
            write(path, text);
            assert_eq!(now().copy(to.path()), None, "{path}");
        }
        now().keep(&plugin.path().join("built.wasm"));
        assert_eq!(first.copy(to.path()), None, "one a folder");
        std::os::unix::fs::symlink("step.py", plugin.path().join("link")).unwrap();
        assert_eq!(Kept::of(plugin.path(), cache.path()), None);
    }

    #[test]
    fn cargo_and_files_by_themselves_are_built() {
        let plugin = tempfile::tempdir().unwrap();
        std::fs::write(plugin.path().join("step.py"), "").unwrap();
        assert_eq!(Kept::of(&plugin.path().join("step.py"), plugin.path()), None);
        std::fs::write(plugin.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(Kept::of(plugin.path(), plugin.path()), None);
    }
}
