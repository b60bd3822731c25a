//! An area -> its figures, a JSON line each; `cargo xtask bench AREA` builds what it needs and starts it.
//!
//! ```text
//!  sandbox: components --Probe--> step.*, component.*        in this process
//!           a Server   --noop---> worker.*, tenant.*         with real workers
//! ```
//! A figure is the best of its rounds, and what is compared takes turns within a round: single runs differ by up to two
//! times on a machine that does something else as well.

mod figure;
mod installation;
mod steps;

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// What was built for the benchmark, by `xtask`.
pub(crate) struct Built {
    /// The `stepwell` binary, built with optimisations.
    pub(crate) stepwell: PathBuf,
    /// Components: `plugins/NAME.wasm`, `test-guests/NAME.wasm`, `languages/LANGUAGE.wasm`.
    pub(crate) components: PathBuf,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [area, stepwell, components] = arguments.as_slice() else {
        bail!("usage: bench AREA STEPWELL COMPONENTS; `cargo xtask bench AREA` says it all");
    };
    if cfg!(debug_assertions) {
        bail!("built without optimisations: its figures would mean nothing");
    }
    let absolute = |path: &str| std::path::absolute(path).with_context(|| format!("no path `{path}`"));
    let built = Built { stepwell: absolute(stepwell)?, components: absolute(components)? };
    match area.as_str() {
        "sandbox" => {
            steps::measure(&built)?;
            installation::measure(&built)
        }
        other => bail!("no area `{other}`; there is `sandbox`"),
    }
}
