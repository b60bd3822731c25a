//! What a benchmark measures, built: the binary and the benchmark with optimisations, the components of all languages; then
//! the benchmark itself.

use crate::{guests, places, shell};
use anyhow::{Result, anyhow, bail};
use std::path::Path;

const AREAS: [&str; 1] = ["sandbox"];

/// The same step in every language that has an SDK, and where it lies; Rust's is among the guests of the tests.
const Z_SCORES: [(&str, &str); 3] = [
    ("python", "sdk/python/examples/zscore.py"),
    ("javascript", "sdk/js/examples/zscore.js"),
    ("c", "sdk/c/examples/zscore.c"),
];

pub(crate) fn run(area: &str) -> Result<()> {
    if !AREAS.contains(&area) {
        bail!("no area `{area}`; there is {}", AREAS.join(", "));
    }
    guests::build_all()?;
    let components = places::binaries()?;
    z_scores(&components)?;
    let build = ["build", "--release", "--workspace", "--bin", "stepwell", "--bin", "bench"];
    shell::run(shell::cargo(places::root(), &build).env("CARGO_TARGET_DIR", places::target()?))?;
    let release = places::target()?.join("release");
    let mut bench = std::process::Command::new(release.join("bench"));
    shell::run(bench.arg(area).arg(release.join("stepwell")).arg(components))
}

/// `languages/LANGUAGE.wasm` beside the plugins.
fn z_scores(components: &Path) -> Result<()> {
    let folder = components.join("languages");
    std::fs::create_dir_all(&folder)?;
    let notes = |note: String| eprintln!("{note}");
    let tools = toolchain::Tools { cache: &places::cache(), notes: &notes };
    std::fs::copy(components.join("test-guests/zscore.wasm"), folder.join("rust.wasm"))?;
    for (language, source) in Z_SCORES {
        let to = folder.join(format!("{language}.wasm"));
        toolchain::build(&places::root().join(source), &to, &tools).map_err(|fault| anyhow!(fault))?;
    }
    Ok(())
}
