//! This machine -> a Rust compiler for wasm32-unknown-unknown; installed if it is not there.
//!
//! In this order: the toolchain in use has the target; rustup can add it; Debian's packages, where rustup cannot reach its
//! server but apt can. A crate is built the same way with each.

use crate::Notes;
use crate::tool::finish;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use types::Fault;

/// Components of this target import our interfaces and nothing else: no WASI, the tightest sandbox.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";
/// Two numbers of eight bytes at a time. Every engine of ours has these instructions, and they give the same bits.
const FLAGS: &str = "-Ctarget-feature=+simd128";

const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// The library's source, which `rust-web-src` alone installs.
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src";

/// What compiles for wasm.
pub(super) enum Compiler {
    /// The one in use has the target.
    Own,
    /// Debian's compiler builds the standard library from source; `linker` is the own toolchain's.
    Debian { linker: PathBuf },
}

impl Compiler {
    /// `cargo build --release` of what is in a folder, for wasm.
    pub(super) fn build(&self, folder: &Path) -> Command {
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
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", FLAGS);
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
pub(super) fn find(notes: Notes<'_>) -> Result<Compiler, Fault> {
    if target_installed() || rustup_adds_target(notes) {
        return Ok(Compiler::Own);
    }
    if debian_installed() || debian_installs(notes) {
        return Ok(Compiler::Debian { linker: own_linker()? });
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
