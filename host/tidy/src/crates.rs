//! Manifests: who owns a big dependency, and that the crates of the host depend in one direction.
//!
//! A manifest is read line by line: `toml` has its owner too.

use crate::Offence;
use crate::tree::File;

/// Family of crates -> the one crate of the host that may use it. Its types, bugs and build time stay behind that wall.
/// Landlock has two: processes are walled in where they are started, and two crates start those that a stranger feeds.
const OWNERS: [(&str, &str); 16] = [
    ("wit-component", "toolchain"),
    ("wit-bindgen", "toolchain"),
    ("wasmtime", "sandbox"),
    ("candle", "tensors"),
    ("arrow", "data"),
    ("datafusion", "query"),
    ("landlock", "toolchain"),
    ("landlock", "worker"),
    ("seccompiler", "worker"),
    ("sled", "store"),
    ("cron", "trigger"),
    ("toml", "manifest"),
    ("axum", "api"),
    ("tonic", "api"),
    ("prost", "serve"),
    ("clap", "cli"),
];

/// Vocabulary and tests, which turn nothing into anything.
const WITHOUT_ARROW: [&str; 3] = ["types", "ports", "tidy"];
/// Holds what an owner makes of its dependency against the dependency itself.
const MEASURES: &str = "bench";
/// Used by tests of crates that stand before it.
const TEST_ONLY: &str = "testkit";

/// A dependency as a manifest names it.
struct Dependency<'a> {
    name: &'a str,
    line: usize,
    dev: bool,
}

/// Big dependencies that another crate than their owner names, or that not even it does.
pub fn owners(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (family, owner) in OWNERS {
        let mut owned = false;
        for (name, manifest) in members(files).into_iter().filter(|(name, _)| *name != MEASURES) {
            for dependency in dependencies(manifest).filter(|dependency| !dependency.dev) {
                match is_of(dependency.name, family) {
                    true if name == owner => owned = true,
                    true if OWNERS.contains(&(family, name)) => (),
                    true => offences.push(Offence::new(
                        &manifest.path,
                        dependency.line,
                        format!("`{}` belongs to `{owner}` alone", dependency.name),
                    )),
                    false => (),
                }
            }
        }
        if !owned {
            offences.push(Offence::new(
                "Cargo.toml",
                1,
                format!("`{owner}` no longer names `{family}`: mend `tidy::crates`"),
            ));
        }
    }
    offences
}

fn is_of(dependency: &str, family: &str) -> bool {
    dependency.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

/// Dependencies on a crate of the workspace that stands later in it.
pub fn edges(files: &[File]) -> Vec<Offence> {
    let members = members(files);
    let position = |name: &str| members.iter().position(|(member, _)| *member == name);
    let mut offences = Vec::new();
    for (i, (name, manifest)) in members.iter().enumerate() {
        let downward = dependencies(manifest)
            .filter(|dependency| position(dependency.name).is_some_and(|j| j >= i))
            .filter(|dependency| !(dependency.dev && dependency.name == TEST_ONLY));
        offences.extend(downward.map(|dependency| {
            let what = format!("`{name}` depends on `{}`, which does not stand before it", dependency.name);
            Offence::new(&manifest.path, dependency.line, what)
        }));
    }
    offences
}

/// Crates whose description does not say what becomes what.
pub fn descriptions(files: &[File]) -> Vec<Offence> {
    let members = members(files).into_iter().filter(|(name, _)| !WITHOUT_ARROW.contains(name));
    let without = members.filter(|(_, manifest)| {
        !manifest.text.lines().any(|line| line.starts_with("description = ") && line.contains("->"))
    });
    without
        .map(|(name, manifest)| Offence::new(&manifest.path, 1, format!("`{name}` has no `description` with `->`")))
        .collect()
}

/// Name and manifest of the workspace's crates, in its order.
fn members(files: &[File]) -> Vec<(&str, &File)> {
    let Some(workspace) = files.iter().find(|file| file.path == "Cargo.toml") else { return Vec::new() };
    let list = workspace.text.lines().skip_while(|line| !line.starts_with("members = [")).skip(1);
    let folders = list.take_while(|line| !line.starts_with(']')).filter_map(|line| line.trim().strip_prefix('"'));
    folders
        .filter_map(|line| line.split('"').next())
        .filter_map(|folder| files.iter().find(|file| file.path == format!("{folder}/Cargo.toml")))
        .map(|manifest| (manifest.folder().rsplit('/').next().unwrap_or_default(), manifest))
        .collect()
}

/// What stands under `[dependencies]` and its like, also as a table of its own.
fn dependencies(manifest: &File) -> impl Iterator<Item = Dependency<'_>> {
    let mut section = "";
    manifest.lines().filter_map(move |(line, text)| {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = header;
            let (kind, name) = header.rsplit_once('.')?;
            return is_dependencies(kind).then(|| Dependency { name, line, dev: is_dev(kind) });
        }
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_')?;
        let named = is_dependencies(section) && end > 0;
        named.then(|| Dependency { name: &text[..end], line, dev: is_dev(section) })
    })
}

/// `dependencies`, `dev-dependencies`, `target.'cfg(unix)'.dependencies`.
fn is_dependencies(section: &str) -> bool {
    section.ends_with("dependencies")
}

fn is_dev(section: &str) -> bool {
    section.ends_with("dev-dependencies")
}

#[cfg(test)]
mod tests;
