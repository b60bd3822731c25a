//! Where things lie: the repository, the target folder, the binary and what stands beside it.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    // Known at build time: cargo builds this program anew when the repository moves.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

/// The target folder of the host workspace. This program lies in it as `debug/xtask`, wherever the folder was put.
pub(crate) fn target() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find where this program lies")?;
    let target = program.ancestors().nth(2).context("expected this program to lie in `TARGET/debug`")?;
    Ok(target.to_owned())
}

/// The folder of the `stepwell` binary, which looks for `plugins/` beside itself.
pub(crate) fn binaries() -> Result<PathBuf> {
    Ok(target()?.join("debug"))
}

/// The binary that the demo and the tests run.
pub(crate) fn stepwell() -> Result<PathBuf> {
    Ok(binaries()?.join("stepwell"))
}

/// Target folder of everything built for wasm; within the host's, so that one cache holds all.
pub(crate) fn guest_target() -> Result<PathBuf> {
    Ok(target()?.join("plugins-build"))
}

/// Target folder of guest crates built for this machine, to run their own tests.
pub(crate) fn native_target() -> Result<PathBuf> {
    Ok(target()?.join("guests-native"))
}

/// Where the `stepwell` binary keeps its tools, too.
pub(crate) fn cache() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || of("HOME").map(|home| home.join(".cache"));
    of("XDG_CACHE_HOME").or_else(home).unwrap_or_else(std::env::temp_dir).join("stepwell")
}

/// A path as a person reads it: relative to the root if it is beneath it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
