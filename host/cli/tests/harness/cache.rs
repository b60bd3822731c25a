//! A cache folder a project, in its folder, so that tests share nothing but the tools that make components.

use std::path::{Path, PathBuf};

/// As `toolchain` pins it, and `cargo xtask test` installs it first. Were it another's, or not there, each test would install its own: slower,
/// not wrong.
const TOOL: &str = "componentize-py-0.25.1";
/// What the names of tools begin with, and of what they keep for all builds.
const TOOLS: [&str; 3] = [TOOL, "zig", "npm-"];

/// Where `stepwell` keeps its tools when nothing else is said.
pub(crate) fn users() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || of("HOME").map(|home| home.join(".cache"));
    of("XDG_CACHE_HOME").or_else(home).expect("HOME").join("stepwell")
}

/// What `XDG_CACHE_HOME` says to commands in this folder.
pub(crate) fn home(folder: &Path) -> PathBuf {
    let (home, users) = (folder.join(".cache"), users());
    if folder.join("stepwell.toml").exists() {
        std::fs::create_dir_all(home.join("stepwell")).unwrap();
    }
    if home.join("stepwell").exists() {
        // Python makes no environment behind a link: one that is not there yet is made where it is wanted.
        let is_whole = |name: &str| name != TOOL || users.join(TOOL).join("ready").exists();
        let is_tool =
            |name: &str| TOOLS.iter().any(|tool| name.starts_with(tool)) && !name.ends_with(".draft") && is_whole(name);
        let there = std::fs::read_dir(&users).into_iter().flatten().flatten().map(|entry| entry.file_name());
        for name in there.filter(|name| name.to_str().is_some_and(is_tool)) {
            // Another thread of the test, or an earlier command, may have been faster.
            let _ = std::os::unix::fs::symlink(users.join(&name), home.join("stepwell").join(&name));
        }
    }
    home
}

/// What `XDG_STATE_HOME` says to commands in this folder: in the cache folder, so that whoever copies a project copies that
/// its data folder is its own.
pub(crate) fn state(folder: &Path) -> PathBuf {
    folder.join(".cache/state")
}
