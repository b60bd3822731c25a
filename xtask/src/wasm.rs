//! This machine -> a Rust compiler for wasm32-unknown-unknown; installed if it is not there.
//!
//! In this order: the toolchain in use has the target; rustup can add it; Debian's packages, where rustup cannot reach its
//! server but apt can. A crate is built the same way with each, see [`Toolchain::build`].

use crate::shell;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Components of this target import our interfaces and nothing else: no WASI, the tightest sandbox.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// The library's source, which `rust-web-src` alone installs.
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src";

/// What compiles for wasm.
pub(crate) enum Toolchain {
    /// The one in use has the target.
    Own,
    /// Debian's compiler builds the standard library from source; `linker` is the own toolchain's.
    Debian { linker: PathBuf },
}

impl Toolchain {
    /// `cargo build --release` of the workspace in a folder, for wasm.
    pub(crate) fn build(&self, folder: &Path) -> Command {
        let arguments = ["build", "--release", "--workspace", "--target", TARGET];
        match self {
            Self::Own => shell::cargo(folder, &arguments),
            Self::Debian { linker } => {
                let mut command = shell::program(DEBIAN_CARGO, &arguments);
                shell::forget_caller(&mut command);
                command.args(["-Z", "build-std=std,panic_abort"]).current_dir(folder);
                // `-Z` is for nightly compilers; this switch is how Debian's own packages use it on a stable one.
                command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC);
                command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                command
            }
        }
    }
}

/// A compiler for wasm, or what to install.
pub(crate) fn toolchain() -> Result<Toolchain> {
    if target_installed() || rustup_adds_target() {
        return Ok(Toolchain::Own);
    }
    if debian_installed() || debian_installs() {
        return Ok(Toolchain::Debian { linker: own_linker()? });
    }
    bail!(
        "no Rust compiler for {TARGET}: install it with `rustup target add {TARGET}`; where rustup cannot reach its server, \
         on Debian or Ubuntu, with `apt-get install {}`",
        DEBIAN_PACKAGES.join(" ")
    )
}

/// Asks the compiler, not rustup: a distribution's Rust has the target without it.
fn target_installed() -> bool {
    let mut rustc = shell::program("rustc", &["--print", "target-libdir", "--target", TARGET]);
    shell::output(&mut rustc).is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

fn rustup_adds_target() -> bool {
    if !shell::succeeds(&mut shell::program("rustup", &["--version"])) {
        return false;
    }
    eprintln!("plugins: adding the target {TARGET} with rustup");
    match shell::run(&mut shell::program("rustup", &["target", "add", TARGET])) {
        Ok(()) => target_installed(),
        Err(error) => {
            eprintln!("plugins: {error}");
            false
        }
    }
}

fn debian_installed() -> bool {
    [DEBIAN_RUSTC, DEBIAN_CARGO, DEBIAN_SOURCE].iter().all(|path| Path::new(path).exists())
        || DEBIAN_PACKAGES.iter().all(|package| shell::succeeds(&mut shell::program("dpkg", &["-s", package])))
}

fn debian_installs() -> bool {
    let has_apt = shell::succeeds(&mut shell::program("apt-get", &["--version"]));
    let is_root = shell::output(&mut shell::program("id", &["-u"])).is_ok_and(|id| id.trim() == "0");
    if !has_apt || !is_root {
        return false;
    }
    eprintln!("plugins: installing Debian's compiler for wasm: {}", DEBIAN_PACKAGES.join(" "));
    let mut install = shell::program("apt-get", &["install", "-y", "--no-install-recommends"]);
    install.args(DEBIAN_PACKAGES).env("DEBIAN_FRONTEND", "noninteractive");
    let steps = [&mut shell::program("apt-get", &["update"]), &mut install];
    match steps.into_iter().try_for_each(shell::run) {
        Ok(()) => debian_installed(),
        Err(error) => {
            eprintln!("plugins: {error}");
            false
        }
    }
}

/// `rust-lld` of the toolchain in use: Debian's compiler for the web does not bring a linker of its own version.
fn own_linker() -> Result<PathBuf> {
    let sysroot = shell::output(&mut shell::program("rustc", &["--print", "sysroot"]))?;
    let about = shell::output(&mut shell::program("rustc", &["-vV"]))?;
    let Some(host) = about.lines().find_map(|line| line.strip_prefix("host: ")) else {
        bail!("`rustc -vV` does not say its host");
    };
    let linker = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
    match linker.is_file() {
        true => Ok(linker),
        false => bail!("the toolchain has no linker for wasm at `{}`", linker.display()),
    }
}
