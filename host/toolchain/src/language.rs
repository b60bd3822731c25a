//! What lies at a path -> its language and the plugin's name. Looks at names of files only.

use crate::carried::File;
use crate::{Tools, c, javascript, python, rust};
use std::path::{Path, PathBuf};
use types::{Digest, Fault, Role};

/// A language that plugins are written in: how it is told from others, and all there is to do in it.
#[derive(Debug)]
pub struct Language {
    /// As it is typed: `rust`.
    pub word: &'static str,
    /// As it is read: `Rust`.
    pub shown: &'static str,
    /// The file that a plugin's folder holds. With a `*`, a file of its kind is a plugin by itself, too.
    pub(crate) mark: &'static str,
    /// Builds the plugin in a folder, or in a file, to a file.
    pub(crate) build: fn(source: &Path, to: &Path, tools: &Tools<'_>) -> Result<(), Fault>,
    /// What a plugin's folder is given for its native tests and for editors.
    pub(crate) sdk: &'static [&'static [File]],
    /// The files of a new plugin, under their paths in its folder. Of paths and texts `my-plugin` becomes the plugin's name.
    pub(crate) template: fn(Role) -> Vec<File>,
    /// The z-score among the SDK's examples, the same small step in every language, as the files of a plugin.
    pub(crate) example: &'static [File],
    /// Names all that makes a component of a source: the tool, the SDK, the contract.
    pub(crate) made_by: fn() -> Digest,
}

/// In the order in which a source is tried for them.
pub static LANGUAGES: [&Language; 5] =
    [&rust::LANGUAGE, &python::LANGUAGE, &javascript::JAVASCRIPT, &javascript::TYPESCRIPT, &c::LANGUAGE];

/// The language of a plugin's folder, or of a file that is a plugin by itself.
pub(crate) fn of(source: &Path) -> Result<&'static Language, Fault> {
    let (is_folder, names) = match source.is_dir() {
        true => (true, names_in(source)?),
        false => (false, vec![last_part(source)]),
    };
    let may_be = |language: &Language| is_folder || language.mark.starts_with('*');
    let marked = |language: &Language| may_be(language) && names.iter().any(|name| matches(name, language.mark));
    LANGUAGES.into_iter().find(|language| marked(language)).ok_or_else(|| unknown(source))
}

/// Names what a build makes of a file that is a plugin by itself: its name, which the plugin takes, its text, and all that makes
/// a component of it.
pub fn digest(file: &Path, text: &[u8]) -> Result<Digest, Fault> {
    Ok(Digest::of_json(&(last_part(file), Digest::of(text), (of(file)?.made_by)())))
}

/// The file of the folder's one plugin, for languages whose plugins are a file.
pub(crate) fn only_file(source: &Path, mark: &str) -> Result<PathBuf, Fault> {
    if !source.is_dir() {
        return Ok(source.to_owned());
    }
    let names: Vec<String> = names_in(source)?.into_iter().filter(|name| matches(name, mark)).collect();
    match names.as_slice() {
        [only] => Ok(source.join(only)),
        _ => {
            let message = format!("`{}` has {} files `{mark}`: {}", last_part(source), names.len(), names.join(", "));
            Err(Fault::invalid(message).hinted("name the one to build"))
        }
    }
}

/// All files of its kind in a folder, in the order of their names, for languages whose plugins are several; a file is alone.
pub(crate) fn files(source: &Path, mark: &str) -> Result<Vec<PathBuf>, Fault> {
    match source.is_dir() {
        true => Ok(names_in(source)?.iter().filter(|name| matches(name, mark)).map(|name| source.join(name)).collect()),
        false => Ok(vec![source.to_owned()]),
    }
}

/// The name of the component's file: the source's own.
pub(crate) fn name(source: &Path) -> Result<String, Fault> {
    let name = if source.is_dir() { source.file_name() } else { source.file_stem() };
    let name = name.and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| Fault::invalid(format!("`{}` has no name that is text", source.display())))
}

/// How a source is called in messages: the last part of its path.
pub(crate) fn last_part(source: &Path) -> String {
    source.file_name().unwrap_or(source.as_os_str()).to_string_lossy().into_owned()
}

fn names_in(folder: &Path) -> Result<Vec<String>, Fault> {
    let cannot = |error| Fault::invalid(format!("cannot read `{}`: {error}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(cannot)?;
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn matches(name: &str, mark: &str) -> bool {
    match mark.strip_prefix('*') {
        Some(end) => name.len() > end.len() && name.ends_with(end) && !name.starts_with('.'),
        None => name == mark,
    }
}

fn unknown(source: &Path) -> Fault {
    let known: Vec<String> = LANGUAGES.iter().map(|known| format!("`{}` ({})", known.mark, known.shown)).collect();
    let what = if source.is_dir() { "holds no plugin" } else { "is no plugin by itself" };
    let message = format!("`{}` {what}: expected a folder with {}", last_part(source), known.join(" or "));
    Fault::invalid(message).hinted("`stepwell plugin new` makes a folder that builds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_there_says_the_language() {
        for (files, expected) in [
            (&["Cargo.toml", "src.rs"][..], Some("rust")),
            (&["Cargo.toml", "tool.py"], Some("rust")),
            (&["step.py"], Some("python")),
            (&["a.c", "b.c", "b.h"], Some("c")),
            (&["step.js", "package.json"], Some("javascript")),
            (&["step.ts", "tsconfig.json"], Some("typescript")),
            (&["README.md", ".py", ".hidden.py"], None),
            (&[], None),
        ] {
            let folder = tempfile::tempdir().unwrap();
            files.iter().for_each(|file| std::fs::write(folder.path().join(file), "").unwrap());
            assert_eq!(of(folder.path()).ok().map(|found| found.word), expected, "{files:?}");
        }
    }

    #[test]
    fn a_file_is_a_plugin_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        for (file, expected) in [("a.py", true), ("a.txt", false), ("Cargo.toml", false)] {
            let file = folder.path().join(file);
            std::fs::write(&file, "").unwrap();
            assert_eq!(of(&file).is_ok(), expected, "{file:?}");
        }
        let digest = |file: &str, text: &[u8]| digest(&folder.path().join(file), text).ok();
        let of_a = digest("a.py", b"1").unwrap();
        for (file, text, same) in
            [("a.py", b"1", true), ("a.py", b"2", false), ("b.py", b"1", false), ("a.js", b"1", false)]
        {
            assert_eq!(digest(file, text) == Some(of_a), same, "{file} {text:?}");
        }
        assert!(digest("a.txt", b"1").is_none());
        assert_eq!(only_file(&folder.path().join("a.py"), "*.py"), Ok(folder.path().join("a.py")));
        assert_eq!(only_file(folder.path(), "*.py"), Ok(folder.path().join("a.py")));
        std::fs::write(folder.path().join("b.py"), "").unwrap();
        assert!(only_file(folder.path(), "*.py").unwrap_err().message.contains("a.py, b.py"));
    }
}
