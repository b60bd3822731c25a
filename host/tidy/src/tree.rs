//! The repository -> its texts, by path from the root. Walked, not asked of git: an archive is checked like a clone.

use anyhow::{Context, Result};
use std::path::Path;

/// Folders that a build or a run makes.
const MADE: [&str; 3] = ["target", "__pycache__", "node_modules"];
/// The hidden folders that are ours.
const OURS: [&str; 3] = [".cargo", ".ci", ".github"];
/// A larger file is data.
const BYTES_MAX: u64 = 1 << 20;

/// A text file.
#[derive(Debug, Clone)]
pub struct File {
    /// From the root, with `/`.
    pub path: String,
    pub text: String,
}

impl File {
    /// A file that a test makes up.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Its lines, counted from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }

    /// Whether its name ends so.
    pub fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|end| end == extension)
    }

    /// Its name without the extension.
    pub fn stem(&self) -> &str {
        Path::new(&self.path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }

    /// Where it lies; empty for the root.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this crate is `host/tidy` of the repository")
}

/// Every text of the repository, in the order of paths.
pub fn read() -> Result<Vec<File>> {
    let mut files = Vec::new();
    walk(root(), &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<File>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let name = name.to_string_lossy();
        if kind.is_dir() && is_source_folder(&name) {
            walk(&entry.path(), files)?;
        // A linked worktree has a file `.git`, which says where the repository lies.
        } else if kind.is_file() && name != ".git" && entry.metadata()?.len() <= BYTES_MAX {
            files.extend(text_file(&entry.path()));
        }
    }
    Ok(())
}

fn is_source_folder(name: &str) -> bool {
    !MADE.contains(&name) && (!name.starts_with('.') || OURS.contains(&name))
}

/// None for what is no text, and for a file that went away while the tree was walked.
fn text_file(path: &Path) -> Option<File> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(File::new(path.strip_prefix(root()).ok()?.to_str()?, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_walked_and_builds_are_not() {
        for name in ["host", ".ci", "tests"] {
            assert!(is_source_folder(name), "{name}");
        }
        for name in ["target", ".git", ".stepwell", "__pycache__"] {
            assert!(!is_source_folder(name), "{name}");
        }
        let files = read().unwrap();
        assert!(files.iter().any(|file| file.path == "host/tidy/src/tree.rs"));
        assert!(files.iter().all(|file| !file.path.contains("target/") && !file.path.starts_with(".git/")));
    }

    #[test]
    fn parts_of_a_path() {
        let file = File::new("host/a/src/lib.rs", "");
        assert_eq!((file.stem(), file.folder(), file.is("rs")), ("lib", "host/a/src", true));
        assert_eq!(File::new("LICENSE", "").folder(), "");
    }
}
