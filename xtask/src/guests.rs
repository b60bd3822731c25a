//! Guest crates -> components in a folder: `plugins/` beside the `stepwell` binary, and the guests of its tests.
//!
//! Every crate of a guest workspace that makes a `cdylib` is one component, under the name of its folder. A component is
//! written only when its bytes changed, so that nothing compiles it again; what no crate makes any more is removed.

use crate::wasm::Toolchain;
use crate::{places, shell, wasm};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Source folder -> folder beside the binary.
const WORKSPACES: [(&str, &str); 2] = [("plugins", "plugins"), ("host/cli/tests/guests", "test-guests")];

/// Builds all guest workspaces that there are.
pub(crate) fn build_all() -> Result<()> {
    let toolchain = wasm::toolchain()?;
    let there = |source: &str| places::root().join(source).join("Cargo.toml").is_file();
    for (source, name) in WORKSPACES.into_iter().filter(|(source, _)| there(source)) {
        let modules = core_modules(&toolchain, &places::root().join(source))?;
        let folder = places::binaries()?.join(name);
        let sizes = write_components(&modules, &folder)?;
        println!("{source} -> {}: {}", places::shown(&folder), sizes.join(", "));
    }
    Ok(())
}

/// Name -> core module of each guest of a workspace, built.
fn core_modules(toolchain: &Toolchain, workspace: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut build = toolchain.build(workspace);
    build.arg("--message-format=json-render-diagnostics").env("CARGO_TARGET_DIR", places::guest_target()?);
    let messages = shell::output(&mut build)?;
    let modules: BTreeMap<_, _> = messages.lines().filter_map(core_module).collect();
    match modules.is_empty() {
        true => bail!("no crate of `{}` makes a `cdylib` for wasm", places::shown(workspace)),
        false => Ok(modules),
    }
}

/// The module that a line of cargo's messages says was made.
fn core_module(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_guest = message["target"]["crate_types"].as_array()?.iter().any(|kind| kind == "cdylib");
    let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
    let module = files.map(PathBuf::from).find(|file| file.extension().is_some_and(|end| end == "wasm"))?;
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?.file_name()?.to_str()?;
    is_guest.then(|| (folder.to_owned(), module))
}

/// Wraps the modules and writes what changed. Says each component's size.
fn write_components(modules: &BTreeMap<String, PathBuf>, folder: &Path) -> Result<Vec<String>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let mut sizes = Vec::new();
    for (name, module) in modules {
        let bytes = std::fs::read(module).with_context(|| format!("cannot read `{}`", module.display()))?;
        let component = component(&bytes).with_context(|| format!("`{name}` makes no component"))?;
        write_if_changed(&folder.join(format!("{name}.wasm")), &component)?;
        sizes.push(format!("{name} {} kB", component.len().div_ceil(1000)));
    }
    remove_others(modules, folder)?;
    Ok(sizes)
}

fn component(module: &[u8]) -> Result<Vec<u8>> {
    wit_component::ComponentEncoder::default().module(module)?.validate(true).encode()
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

fn remove_others(modules: &BTreeMap<String, PathBuf>, folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stale = path.extension().is_some_and(|end| end == "wasm")
            && path.file_stem().and_then(|name| name.to_str()).is_some_and(|name| !modules.contains_key(name));
        if stale {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_guest_is_a_guest() {
        let said = |kind: &str, file: &str| {
            serde_json::json!({
                "reason": "compiler-artifact", "manifest_path": "/a/plugins/my-step/Cargo.toml",
                "target": {"name": "my_step", "crate_types": [kind]}, "filenames": ["/t/my_step.d", file],
            })
        };
        let module = PathBuf::from("/t/my_step.wasm");
        assert_eq!(core_module(&said("cdylib", "/t/my_step.wasm").to_string()), Some(("my-step".to_owned(), module)));
        assert_eq!(core_module(&said("lib", "/t/my_step.wasm").to_string()), None);
        assert_eq!(core_module(&said("cdylib", "/t/libmy_step.so").to_string()), None);
        assert_eq!(core_module("{\"reason\":\"build-finished\"}"), None);
        assert_eq!(core_module("warning: text"), None);
    }
}
