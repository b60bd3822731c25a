//! The components that lie in a project's folder `plugins`, and those that come with this installation.

use std::path::Path;
use types::PluginName;

/// Where a project keeps the plugins that were added to it, `NAME.wasm` each. It belongs to the project and to git.
pub(crate) const FOLDER: &str = "plugins";

/// The file of an added plugin, relative to the project's folder.
pub(crate) fn file_of(name: &PluginName) -> String {
    format!("{FOLDER}/{name}.wasm")
}

/// The names of the components in a folder, sorted; none if there is no such folder.
pub(crate) fn components_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".wasm").map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
