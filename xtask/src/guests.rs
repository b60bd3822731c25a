//! Guest crates -> components in a folder: `plugins/` beside the `stepwell` binary, and the guests of its tests.
//!
//! Every crate of a guest workspace that makes a `cdylib` is one component, under the name of its folder. A component is
//! written only when its bytes changed, so that nothing compiles it again; what no crate makes any more is removed.

use crate::places;
use anyhow::{Context, Result, anyhow};
use std::collections::BTreeMap;
use std::path::Path;

/// Source folder -> folder beside the binary.
const WORKSPACES: [(&str, &str); 2] = [("plugins", "plugins"), ("host/cli/tests/guests", "test-guests")];

/// Builds all guest workspaces that there are.
pub(crate) fn build_all() -> Result<()> {
    let there = |source: &str| places::root().join(source).join("Cargo.toml").is_file();
    for (source, name) in WORKSPACES.into_iter().filter(|(source, _)| there(source)) {
        let notes = |note| eprintln!("{source}: {note}");
        let components = toolchain::rust::components(&places::root().join(source), &places::guest_target()?, &notes)
            .map_err(|fault| {
                anyhow!(fault.hint.iter().fold(fault.message, |all, hint| format!("{all}\nhint: {hint}")))
            })?;
        let folder = places::binaries()?.join(name);
        let sizes = write_components(&components, &folder)?;
        println!("{source} -> {}: {}", places::shown(&folder), sizes.join(", "));
    }
    Ok(())
}

/// Writes what changed. Says each component's size.
fn write_components(components: &BTreeMap<String, Vec<u8>>, folder: &Path) -> Result<Vec<String>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let mut sizes = Vec::new();
    for (name, component) in components {
        write_if_changed(&folder.join(format!("{name}.wasm")), component)?;
        sizes.push(format!("{name} {} kB", component.len().div_ceil(1000)));
    }
    remove_others(components, folder)?;
    Ok(sizes)
}

/// Whole or not at all: a server may be reading it.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let unfinished = path.with_extension("wasm.new");
    std::fs::write(&unfinished, bytes).with_context(|| format!("cannot write `{}`", unfinished.display()))?;
    std::fs::rename(&unfinished, path).with_context(|| format!("cannot write `{}`", path.display()))
}

fn remove_others(components: &BTreeMap<String, Vec<u8>>, folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stale = path.extension().is_some_and(|end| end == "wasm")
            && path.file_stem().and_then(|name| name.to_str()).is_some_and(|name| !components.contains_key(name));
        if stale {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
    }
    Ok(())
}
