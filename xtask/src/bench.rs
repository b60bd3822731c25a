//! What a benchmark measures, built: the binary and the benchmark with optimisations, the components of all languages; then
//! the benchmark itself.

use crate::{guests, places, shell};
use anyhow::{Context, Result, anyhow, bail};
use std::path::{Path, PathBuf};

const AREAS: [&str; 4] = ["sandbox", "kernels", "run", "serve"];

/// The same step in every language that has an SDK, and where it lies; Rust's is among the guests of the tests.
const Z_SCORES: [(&str, &str); 3] = [
    ("python", "sdk/python/examples/zscore.py"),
    ("javascript", "sdk/js/examples/zscore.js"),
    ("c", "sdk/c/examples/zscore.c"),
];

pub(crate) fn run(area: &str, beginning: Option<&str>) -> Result<()> {
    if !AREAS.contains(&area) {
        bail!("no area `{area}`; there is {}", AREAS.join(", "));
    }
    guests::build_all()?;
    let components = places::binaries()?;
    let build = ["build", "--release", "--workspace", "--bin", "stepwell", "--bin", "bench"];
    shell::run(shell::cargo(places::root(), &build).env("CARGO_TARGET_DIR", places::target()?))?;
    let release = places::target()?.join("release");
    let mut bench = std::process::Command::new(release.join("bench"));
    bench.arg(area);
    match area {
        "sandbox" => {
            z_scores(&components)?;
            bench.arg(release.join("stepwell")).arg(components);
        }
        "run" => {
            bench.arg(release.join("stepwell")).arg(components).arg(rivals("rivals-flows", "bench/rivals/flows.txt")?);
        }
        "serve" => {
            bench.arg(release.join("stepwell")).arg(components).arg(rivals("rivals-serve", "bench/rivals/serve.txt")?);
        }
        _ => {
            component("bench/guests/kernels.py", &components.join("kernels/python.wasm"))?;
            // As a server sets it for its workers: candle would take the cores that are physical.
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let python = rivals("rivals", "bench/rivals/requirements.txt")?;
            bench.env("RAYON_NUM_THREADS", threads.to_string()).arg(components).arg(python);
        }
    }
    shell::run(bench.args(beginning))
}

/// `languages/LANGUAGE.wasm` beside the plugins.
fn z_scores(components: &Path) -> Result<()> {
    let folder = components.join("languages");
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(components.join("test-guests/zscore.wasm"), folder.join("rust.wasm"))?;
    Z_SCORES.iter().try_for_each(|(language, source)| component(source, &folder.join(format!("{language}.wasm"))))
}

fn component(source: &str, to: &Path) -> Result<()> {
    let notes = |note: String| eprintln!("{note}");
    let tools = toolchain::Tools { cache: &places::cache(), notes: &notes };
    toolchain::build(&places::root().join(source), to, &tools).map_err(|fault| anyhow!(fault))?;
    Ok(())
}

/// The interpreter of an environment of this name that has the rivals pinned in a file; made anew when other versions are.
fn rivals(name: &str, pinned: &str) -> Result<PathBuf> {
    let (pinned, environment) = (places::root().join(pinned), places::cache().join(name));
    let (interpreter, installed) = (environment.join("bin/python"), environment.join("requirements.txt"));
    let wanted = std::fs::read(&pinned).context("nothing says which rivals")?;
    if std::fs::read(&installed).is_ok_and(|there| there == wanted) {
        return Ok(interpreter);
    }
    eprintln!("installing the rivals in {} (once; those of kernels have some GB)", environment.display());
    shell::run(shell::program("python3", &["-m", "venv", "--clear"]).arg(&environment))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    shell::run(shell::program(&interpreter, &pip).arg(&pinned))?;
    std::fs::write(&installed, wanted)?;
    Ok(interpreter)
}
