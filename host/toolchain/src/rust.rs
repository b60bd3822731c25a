//! Crates of Rust plugins -> components.
//!
//! Unlike other languages, cargo runs code of the plugin on this machine: build scripts and macros. A crate that nobody
//! trusts so far is not to be built, but taken as a component.

mod compiler;

use crate::carried::{File, WIT};
use crate::component::componentize;
use crate::tool::follow;
use crate::{Language, Notes, Tools, language};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use types::{Digest, Fault, Role};

const SDK: &[File] = carried!("sdk/rust":
    "Cargo.toml" "README.md" "examples/announce.rs" "examples/density.rs" "examples/ratio.rs" "examples/zscore.rs"
    "wit/sdk.wit" "src/bindings.rs" "src/class.rs" "src/classes.rs" "src/column.rs" "src/descriptor.rs" "src/error.rs"
    "src/field.rs" "src/finite.rs" "src/lib.rs" "src/moments.rs" "src/numbers.rs" "src/query.rs" "src/random.rs" "src/report.rs" "src/roles.rs"
    "src/row_wise.rs" "src/saved.rs" "src/settings.rs" "src/table.rs" "src/tensor.rs" "src/tensor/index.rs" "src/training.rs"
    "src/weights.rs");

pub(crate) static LANGUAGE: Language = Language {
    word: "rust",
    shown: "Rust",
    mark: "Cargo.toml",
    build,
    sdk: &[SDK, WIT],
    template,
    example: EXAMPLE,
    made_by,
};

/// What is the same for every plugin: the versions in the lock file are those that the SDK is tested with; cargo adds the
/// plugin's own package.
const CARGO_TOML: File = ("Cargo.toml", carried_text!("sdk/rust/template/Cargo.toml"));
const CARGO_LOCK: File = ("Cargo.lock", carried_text!("sdk/rust/Cargo.lock"));
const IGNORED: File = (".gitignore", "/.stepwell-sdk\n/*.wasm\n/target\n");

const EXAMPLE: &[File] =
    &[("src/lib.rs", carried_text!("sdk/rust/examples/zscore.rs")), CARGO_TOML, CARGO_LOCK, IGNORED];

/// A crate is no file by itself: cargo knows when it is to be built anew.
fn made_by() -> Digest {
    Digest::of_json(&(SDK, WIT))
}

/// The step of a role, and its fixture.
macro_rules! carried_step {
    ($role:literal) => {
        (carried_text!("sdk/rust/template/", $role, ".rs"), carried_fixture!("rust", $role))
    };
}

fn template(role: Role) -> Vec<File> {
    let (source, fixture) = match role {
        Role::Collector => carried_step!("collector"),
        Role::Transformer => carried_step!("transformer"),
        Role::Fitted => carried_step!("fitted"),
        Role::Validator => carried_step!("validator"),
        Role::Trainer | Role::Predictor => carried_step!("learner"),
        Role::Evaluator => carried_step!("evaluator"),
        Role::Sink => carried_step!("sink"),
    };
    let readme = ("README.md", carried_text!("sdk/rust/template/README.md"));
    let own = [("src/lib.rs", source), CARGO_TOML, CARGO_LOCK, readme, IGNORED];
    own.into_iter().chain(fixture).collect()
}

/// Cargo tells crates apart by their names and by their paths within a workspace, so two plugins that shared a target folder
/// could be given each other's modules and local dependencies as fresh: each has its own, as cargo would have it.
fn build(folder: &Path, to: &Path, tools: &Tools<'_>) -> Result<(), Fault> {
    let shown = language::last_part(folder);
    (tools.notes)(format!("building `{shown}` with cargo"));
    let built = components(folder, &folder.join("target"), tools.notes)?;
    match built.into_iter().collect::<Vec<_>>().as_slice() {
        [(_, component)] => std::fs::write(to, component).map_err(Fault::host),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!("`{shown}` makes {} plugins: {}; expected one", names.len(), names.join(", "));
            Err(Fault::invalid(message).hinted("name the folder of one of them"))
        }
    }
}

/// The components of all crates in a folder that make a `cdylib`, by the names of their folders. `target` is where cargo
/// keeps what it made.
pub fn components(folder: &Path, target: &Path, notes: Notes<'_>) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
    let shown = language::last_part(folder);
    let mut cargo = compiler::find(notes)?.build(folder);
    cargo.arg("--message-format=json-render-diagnostics").env("CARGO_TARGET_DIR", target);
    let messages = follow(cargo, &format!("building `{shown}`"), |line| {
        let is_progress = is_progress(line);
        if is_progress {
            notes(line.trim().to_owned());
        }
        is_progress
    })?;
    let modules: BTreeMap<_, _> = messages.lines().filter_map(core_module).collect();
    if modules.is_empty() {
        let fault = Fault::invalid(format!("`{shown}` makes no plugin: no crate in it is a `cdylib`"));
        return Err(fault.hinted("its Cargo.toml needs: [lib] crate-type = [\"cdylib\"]"));
    }
    let component = |(name, module): (String, PathBuf)| component(&name, &module).map(|bytes| (name, bytes));
    modules.into_iter().map(component).collect()
}

fn component(name: &str, module: &Path) -> Result<Vec<u8>, Fault> {
    let bytes =
        std::fs::read(module).map_err(|error| Fault::host(format!("cannot read `{name}` as built: {error}")))?;
    componentize(&bytes, None).map_err(|fault| Fault { message: format!("`{name}`: {}", fault.message), ..fault })
}

/// What cargo says while it works.
fn is_progress(line: &str) -> bool {
    ["Compiling", "Downloading", "Downloaded", "Updating", "Blocking", "Locking"]
        .iter()
        .any(|verb| line.trim_start().starts_with(verb))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_sdk_is_carried() {
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust");
        for folder in ["src", "src/tensor", "examples", "wit"] {
            let entries = std::fs::read_dir(sdk.join(folder)).unwrap().map(|entry| entry.unwrap());
            for file in entries.filter(|entry| entry.file_type().unwrap().is_file()) {
                let name = format!("sdk/rust/{folder}/{}", file.file_name().into_string().unwrap());
                assert!(SDK.iter().any(|(carried, _)| *carried == name), "{name}");
            }
        }
    }

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
