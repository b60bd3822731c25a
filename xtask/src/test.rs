//! Every check of the repository, a stage after another: cheap ones first, and none after the first that fails.

use crate::{guests, places, shell};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::time::Instant;

type Stage = (&'static str, fn() -> Result<()>);

const STAGES: [Stage; 8] = [
    ("format", format),
    ("lints", lints),
    ("guests for wasm", guests::build_all),
    ("the binary", binary),
    ("host tests", host_tests),
    ("plugin and SDK tests", guest_tests),
    ("Python tests", python_tests),
    ("JavaScript tests", javascript_tests),
];

/// Runs all stages; the error names the one that failed.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    need_components()?;
    for (name, stage) in STAGES {
        println!("== {name}");
        let start = Instant::now();
        stage().with_context(|| format!("stage `{name}` failed"))?;
        println!("== {name}: ok, {:.1} s", start.elapsed().as_secs_f64());
    }
    println!("== all {} stages: ok, {:.1} s", STAGES.len(), start.elapsed().as_secs_f64());
    Ok(())
}

/// The parts of a toolchain that a minimal install leaves out.
fn need_components() -> Result<()> {
    for (component, tool) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let there = || shell::succeeds(&mut shell::cargo(places::root(), &[tool, "--version"]));
        if there() {
            continue;
        }
        eprintln!("test: adding the component {component} with rustup");
        let added = shell::run(&mut shell::program("rustup", &["component", "add", component]));
        if added.is_err() || !there() {
            bail!("`cargo {tool}` is missing: install it with `rustup component add {component}`");
        }
    }
    Ok(())
}

/// Every workspace of ours: the host's, the plugins', the SDK's, the test guests' once they exist.
fn workspaces() -> impl Iterator<Item = PathBuf> {
    let folders = [".", "plugins", "sdk/rust", "host/cli/tests/guests", "host/sandbox/tests/contract/kept"].into_iter();
    folders.map(|folder| places::root().join(folder)).filter(|folder| folder.join("Cargo.toml").is_file())
}

fn format() -> Result<()> {
    for folder in workspaces() {
        shell::run(&mut shell::cargo(&folder, &["fmt", "--all", "--check"]))
            .context("run `cargo fmt --all` in that folder")?;
    }
    Ok(())
}

fn lints() -> Result<()> {
    host(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

/// The binary that the end-to-end tests of `cli` run.
pub(crate) fn binary() -> Result<()> {
    // The whole workspace is selected, as the tests select it: another selection means other features, and building twice.
    host(&["build", "--workspace", "--bin", "stepwell"])
}

fn host_tests() -> Result<()> {
    let notes = |note: String| println!("{note}");
    toolchain::python::for_tests(&toolchain::Tools { cache: &places::cache(), notes: &notes })?;
    host(&["test", "--workspace"])
}

fn host(arguments: &[&str]) -> Result<()> {
    shell::run(shell::cargo(places::root(), arguments).env("CARGO_TARGET_DIR", places::target()?))
}

/// Guest crates run their unit tests on this machine, without wasm; the kept plugin's are the examples of the contract.
fn guest_tests() -> Result<()> {
    for folder in ["plugins", "sdk/rust", "host/sandbox/tests/contract/kept"] {
        let folder = places::root().join(folder);
        let mut test = shell::cargo(&folder, &["test", "--workspace"]);
        shell::run(test.env("CARGO_TARGET_DIR", places::native_target()?))?;
    }
    Ok(())
}

fn python_tests() -> Result<()> {
    python_suite(&places::root().join("sdk/python"), "tests")?;
    let examples = places::root().join("examples");
    let mut folders: Vec<_> = std::fs::read_dir(&examples)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    folders.sort();
    folders.iter().filter(|folder| folder.join("tests").is_dir()).try_for_each(|folder| python_suite(folder, "tests"))
}

/// The suite in a folder's subfolder. A package of tests is imported from the folder, loose files from their own.
fn python_suite(folder: &Path, tests: &str) -> Result<()> {
    let mut python = shell::program("python3", &["-m", "unittest", "discover", "-s", tests]);
    if folder.join(tests).join("__init__.py").is_file() {
        python.args(["-t", "."]);
    }
    shell::run(python.current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1"))
        .with_context(|| format!("Python tests of `{}`", places::shown(folder)))
}

/// The SDK's own tests, and that its types are what its examples and templates use.
fn javascript_tests() -> Result<()> {
    let notes = |note: String| println!("{note}");
    let tools = toolchain::Tools { cache: &places::cache(), notes: &notes };
    let (node, packages) = toolchain::javascript::for_tests(&tools)?;
    let sdk = places::root().join("sdk/js");
    let mut tests: Vec<_> =
        std::fs::read_dir(sdk.join("tests"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    tests.retain(|path| path.to_string_lossy().ends_with(".test.js"));
    tests.sort();
    shell::run(node.command(&sdk).arg("--test").args(tests)).context("JavaScript tests of `sdk/js`")?;
    let mut types = node.command(&sdk);
    types.arg(packages.join("node_modules/typescript/bin/tsc")).args(["-p", "tests"]);
    shell::run(&mut types).context("types of `sdk/js`")
}
