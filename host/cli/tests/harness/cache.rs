//! A cache folder a project, in its folder, so that tests share nothing but the tool that makes components of Python.

use std::path::{Path, PathBuf};

/// As `toolchain` pins it. Were it another's, each test would install its own: slower, not wrong.
const TOOL: &str = "componentize-py-0.25.1";

/// What `XDG_CACHE_HOME` says to commands in this folder.
pub(crate) fn home(folder: &Path) -> PathBuf {
    let home = folder.join(".cache");
    if folder.join("stepwell.toml").exists() && !home.join("stepwell").join(TOOL).exists() {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let users = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        let tool = users.expect("HOME").join("stepwell").join(TOOL);
        std::fs::create_dir_all(&tool).unwrap();
        std::fs::create_dir_all(home.join("stepwell")).unwrap();
        // Another thread of the test may have been faster.
        let _ = std::os::unix::fs::symlink(tool, home.join("stepwell").join(TOOL));
    }
    home
}
