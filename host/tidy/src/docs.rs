//! ARCHITECTURE.md and README.md -> what they name that is not there. A map that lies is worse than none.
//!
//! Looked at is what stands in backticks outside of fenced blocks: a path (`host/serve`, `src/lib.rs`) and a name of a crate
//! of the host (`serve::response`, `run::Dispatcher::drive`).

use crate::Offence;
use crate::tree::File;

const DOCUMENTS: [&str; 2] = ["ARCHITECTURE.md", "README.md"];
/// A path that begins so is one of the tree.
const FOLDERS: [&str; 8] = ["host/", "plugins/", "sdk/", "wit/", "examples/", "xtask/", ".ci/", ".github/"];
/// Marks of a pattern or of a name to be put in: `plugins/NAME`, `host/*/src`.
const PATTERNS: [&str; 6] = ["*", "<", "{", "NAME", "..", "$"];
const KEYWORDS: [&str; 9] = ["fn", "struct", "enum", "trait", "type", "const", "static", "mod", "macro_rules!"];

/// Paths that do not exist.
pub fn paths(files: &[File]) -> Vec<Offence> {
    let exists = |path: &str| {
        let path = path.trim_end_matches('/');
        files.iter().any(|file| file.path == path || file.path.starts_with(&format!("{path}/")))
    };
    check(files, |span| {
        let path = as_path(span)?;
        (!exists(path)).then(|| format!("there is no `{path}`"))
    })
}

/// Names of a crate that its sources do not define.
pub fn names(files: &[File]) -> Vec<Offence> {
    check(files, |span| {
        let (krate, name) = as_name(span)?;
        let folder = format!("host/{krate}/src/");
        let sources: Vec<_> = files.iter().filter(|file| file.path.starts_with(&folder)).collect();
        if sources.is_empty() {
            return None; // Of another crate: `std::fs`.
        }
        let missing = name.split("::").find(|part| !sources.iter().any(|file| defines(file, part)))?;
        Some(format!("`{krate}` has no `{missing}`"))
    })
}

/// Each backticked span of each document, under a rule that says what is wrong with it.
fn check(files: &[File], rule: impl Fn(&str) -> Option<String>) -> Vec<Offence> {
    let mut offences = Vec::new();
    for name in DOCUMENTS {
        match files.iter().find(|file| file.path == name) {
            Some(document) => offences.extend(
                spans(document).into_iter().filter_map(|(line, span)| Some(Offence::new(name, line, rule(span)?))),
            ),
            None => offences.push(Offence::new(name, 1, "does not exist")),
        }
    }
    offences
}

/// What stands in single backticks, with its line.
fn spans(document: &File) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut spans = Vec::new();
    for (n, line) in document.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            spans.extend(line.split('`').skip(1).step_by(2).map(|span| (n, span)));
        }
    }
    spans
}

/// The path that a span is, without a line number or an anchor.
fn as_path(span: &str) -> Option<&str> {
    let path = span.split([':', '#']).next()?;
    let of_tree = FOLDERS.iter().any(|folder| path.starts_with(folder));
    let is_path = of_tree || (path.contains('/') && path.ends_with(".rs"));
    let is_pattern = PATTERNS.iter().any(|mark| path.contains(mark)) || path.contains(' ');
    (is_path && !is_pattern && !span.contains("::")).then_some(path)
}

/// Crate and name, for a span like `plan::build` or `run::Dispatcher::drive(..)`.
fn as_name(span: &str) -> Option<(&str, &str)> {
    let span = span.split('(').next()?;
    let is_name = span.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':');
    span.split_once("::").filter(|(krate, name)| is_name && !krate.is_empty() && !name.is_empty())
}

/// Whether a line of the source defines the name: as an item, a case of an enum, a type that a macro makes, or the file itself.
fn defines(file: &File, name: &str) -> bool {
    file.stem() == name
        || file.folder().ends_with(&format!("/{name}"))
        || file.text.lines().any(|line| line_defines(line, name))
}

fn line_defines(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    if line.strip_prefix(name).is_some_and(|rest| name.starts_with(char::is_uppercase) && starts_case(rest)) {
        return true;
    }
    KEYWORDS.iter().any(|keyword| {
        let after = line.split_once(&format!("{keyword} ")).filter(|(before, _)| is_modifiers(before));
        after.is_some_and(|(_, after)| after.strip_prefix(name).is_some_and(ends))
    })
}

/// What follows the name of a case, or of a type in the call of a macro: `Compile,`, `Table(..)`, `State {`.
fn starts_case(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([',', '(']) || rest.starts_with(" {")
}

fn is_modifiers(before: &str) -> bool {
    before
        .split_whitespace()
        .all(|word| word.starts_with("pub") || matches!(word, "const" | "async" | "unsafe" | "static"))
}

#[cfg(test)]
mod tests;
