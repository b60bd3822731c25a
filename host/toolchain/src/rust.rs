//! Crates of Rust plugins -> components, and this machine -> a Rust compiler for wasm32-unknown-unknown; installed if it
//! is not there.
//!
//! In this order: the toolchain in use has the target; rustup can add it; Debian's packages, where rustup cannot reach its
//! server but apt can. A crate is built the same way with each.
//!
//! Unlike other languages, cargo runs code of the plugin on this machine: build scripts and macros. A crate that nobody
//! trusts so far is not to be built, but taken as a component.

use crate::carried::{File, WIT};
use crate::component::componentize;
use crate::tool::{finish, follow};
use crate::{Language, Notes, Tools, language};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use types::{Fault, Role};

/// Components of this target import our interfaces and nothing else: no WASI, the tightest sandbox.
const TARGET: &str = "wasm32-unknown-unknown";

const SDK: &[File] = carried!("sdk/rust":
    "Cargo.toml" "README.md" "examples/density.rs" "examples/ratio.rs" "wit/sdk.wit" "src/bindings.rs" "src/class.rs"
    "src/column.rs" "src/descriptor.rs" "src/error.rs" "src/field.rs" "src/lib.rs" "src/random.rs" "src/report.rs"
    "src/roles.rs" "src/row_wise.rs" "src/saved.rs" "src/settings.rs" "src/table.rs" "src/tensor.rs");

pub(crate) static LANGUAGE: Language =
    Language { word: "rust", shown: "Rust", mark: "Cargo.toml", build, sdk: &[SDK, WIT], template };

fn template(role: Role) -> Vec<File> {
    let source = match role {
        Role::Collector => carried_text!("sdk/rust/template/collector.rs"),
        Role::Transformer => carried_text!("sdk/rust/template/transformer.rs"),
        Role::Fitted => carried_text!("sdk/rust/template/fitted.rs"),
        Role::Validator => carried_text!("sdk/rust/template/validator.rs"),
        Role::Trainer | Role::Predictor => carried_text!("sdk/rust/template/learner.rs"),
        Role::Evaluator => carried_text!("sdk/rust/template/evaluator.rs"),
    };
    vec![
        ("src/lib.rs", source),
        ("Cargo.toml", carried_text!("sdk/rust/template/Cargo.toml")),
        // The versions that the SDK is tested with; cargo adds the plugin's own package.
        ("Cargo.lock", carried_text!("sdk/rust/Cargo.lock")),
        ("README.md", carried_text!("sdk/rust/template/README.md")),
        (".gitignore", "/.stepwell-sdk\n/*.wasm\n/target\n"),
    ]
}

const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// The library's source, which `rust-web-src` alone installs.
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src";

fn build(folder: &Path, to: &Path, tools: &Tools<'_>) -> Result<(), Fault> {
    let shown = language::last_part(folder);
    let built = components(folder, &tools.cache.join("rust-target"), tools.notes)?;
    match built.into_iter().collect::<Vec<_>>().as_slice() {
        [(_, component)] => std::fs::write(to, component).map_err(Fault::host),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!("`{shown}` makes {} plugins: {}; expected one", names.len(), names.join(", "));
            Err(Fault::invalid(message).hinted("name the folder of one of them"))
        }
    }
}

/// The components of all crates in a folder that make a `cdylib`, by the names of their folders. `target` is cargo's
/// folder of what it made; it may be shared between plugins.
pub fn components(folder: &Path, target: &Path, notes: Notes<'_>) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
    let shown = language::last_part(folder);
    let toolchain = toolchain(notes)?;
    let cannot = |error: std::io::Error| Fault::host(format!("cannot use `{}`: {error}", target.display()));
    std::fs::create_dir_all(target).map_err(cannot)?;
    // Two plugins of one name leave their modules in the same place: held until the modules are read.
    let lock = std::fs::File::create(target.join("stepwell.lock")).map_err(cannot)?;
    lock.lock().map_err(cannot)?;
    let mut cargo = toolchain.build(folder);
    cargo.arg("--message-format=json-render-diagnostics").env("CARGO_TARGET_DIR", target);
    let messages = follow(cargo, &format!("building `{shown}`"), |line| {
        if is_progress(line) {
            notes(line.trim().to_owned());
        }
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

/// What cargo says while it works, without the errors, which are said once, at the end.
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

/// What compiles for wasm.
enum Toolchain {
    /// The one in use has the target.
    Own,
    /// Debian's compiler builds the standard library from source; `linker` is the own toolchain's.
    Debian { linker: PathBuf },
}

impl Toolchain {
    /// `cargo build --release` of what is in a folder, for wasm.
    fn build(&self, folder: &Path) -> Command {
        let mut command = match self {
            Self::Own => Command::new("cargo"),
            Self::Debian { linker } => {
                let mut command = Command::new(DEBIAN_CARGO);
                // `-Z` is for nightly compilers; this switch is how Debian's own packages use it on a stable one.
                command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC);
                command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                command
            }
        };
        command.args(["build", "--release", "--target", TARGET]).current_dir(folder);
        if let Self::Debian { .. } = self {
            command.args(["-Z", "build-std=std,panic_abort"]);
        }
        forget_caller(&mut command);
        command
    }
}

/// Takes away what a cargo that runs this process says of it: for a package built by an inner cargo it would be false.
/// All else of the kind the inner cargo sets itself.
fn forget_caller(command: &mut Command) {
    for name in ["CARGO_PRIMARY_PACKAGE", "CARGO_MANIFEST_LINKS", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
        command.env_remove(name);
    }
}

/// A compiler for wasm, or what to install.
fn toolchain(notes: Notes<'_>) -> Result<Toolchain, Fault> {
    if target_installed() || rustup_adds_target(notes) {
        return Ok(Toolchain::Own);
    }
    if debian_installed() || debian_installs(notes) {
        return Ok(Toolchain::Debian { linker: own_linker()? });
    }
    let fault = Fault::invalid(format!("there is no Rust compiler for {TARGET}"));
    Err(fault.hinted(format!(
        "install it with `rustup target add {TARGET}`; where rustup cannot reach its server, on Debian or Ubuntu, with \
         `apt-get install {}`",
        DEBIAN_PACKAGES.join(" ")
    )))
}

/// Asks the compiler, not rustup: a distribution's Rust has the target without it.
fn target_installed() -> bool {
    let folder = output("rustc", &["--print", "target-libdir", "--target", TARGET]);
    folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

fn rustup_adds_target(notes: Notes<'_>) -> bool {
    if !succeeds("rustup", &["--version"]) {
        return false;
    }
    notes(format!("adding the target {TARGET} with rustup (once)"));
    match output("rustup", &["target", "add", TARGET]) {
        Ok(_) => target_installed(),
        Err(fault) => {
            notes(fault.message);
            false
        }
    }
}

fn debian_installed() -> bool {
    [DEBIAN_RUSTC, DEBIAN_CARGO, DEBIAN_SOURCE].iter().all(|path| Path::new(path).exists())
        || DEBIAN_PACKAGES.iter().all(|package| succeeds("dpkg", &["-s", package]))
}

fn debian_installs(notes: Notes<'_>) -> bool {
    let is_root = || output("id", &["-u"]).is_ok_and(|id| id.trim() == "0");
    if !succeeds("apt-get", &["--version"]) || !is_root() {
        return false;
    }
    notes(format!("installing Debian's compiler for wasm (once): {}", DEBIAN_PACKAGES.join(" ")));
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "--no-install-recommends"]).args(DEBIAN_PACKAGES);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    let installed = output("apt-get", &["update"]).and_then(|_| finish(install, "installing a compiler"));
    match installed {
        Ok(_) => debian_installed(),
        Err(fault) => {
            notes(fault.message);
            false
        }
    }
}

/// `rust-lld` of the toolchain in use: Debian's compiler for the web does not bring a linker of its own version.
fn own_linker() -> Result<PathBuf, Fault> {
    let sysroot = output("rustc", &["--print", "sysroot"])?;
    let about = output("rustc", &["-vV"])?;
    let Some(host) = about.lines().find_map(|line| line.strip_prefix("host: ")) else {
        return Err(Fault::invalid("`rustc -vV` does not say its host"));
    };
    let linker = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
    match linker.is_file() {
        true => Ok(linker),
        false => Err(Fault::invalid(format!("the toolchain has no linker for wasm at `{}`", linker.display()))),
    }
}

fn output(program: &str, arguments: &[&str]) -> Result<String, Fault> {
    let mut command = Command::new(program);
    command.args(arguments);
    finish(command, &format!("`{program} {}`", arguments.join(" ")))
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_sdk_is_carried() {
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust");
        for folder in ["src", "examples", "wit"] {
            for entry in std::fs::read_dir(sdk.join(folder)).unwrap() {
                let name = format!("sdk/rust/{folder}/{}", entry.unwrap().file_name().into_string().unwrap());
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
