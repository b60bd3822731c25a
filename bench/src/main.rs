//! An area -> its figures, a JSON line each; `cargo xtask bench AREA` builds what it needs and starts it.
//!
//! ```text
//!  sandbox: components --Probe--> step.*, component.*        in this process
//!           a Server   --noop---> worker.*, tenant.*         with real workers
//!  kernels: components --Probe--> kernel.*, train.*          in this process
//!           two sides  --turns--> mlp.*, gbdt.*, sql.*       a process each: ours, and a rival's in Python
//!  run:     `stepwell` --socket-> run.*, trigger.*, server.* the binary as a server, beside orchestrators in Python
//!  serve:   `stepwell` --HTTP---> serve.*                    the binary as a server, beside FastAPI with scikit-learn
//! ```
//! A figure is the best of its rounds, and what is compared takes turns within a round: single runs differ by up to two
//! times on a machine that does something else as well.

mod figure;
mod history;
mod installation;
mod kernels;
mod learners;
mod load;
mod ours;
mod plugin;
mod rivals;
mod run;
mod serve;
mod served;
mod side;
mod sql;
mod steps;
mod training;

use anyhow::{Context, Result, bail};
use figure::Wanted;
use std::path::{Path, PathBuf};

/// What was built for the benchmark, by `xtask`.
pub(crate) struct Built {
    /// The `stepwell` binary, built with optimisations.
    pub(crate) stepwell: PathBuf,
    /// Components: `plugins/NAME.wasm`, `test-guests/NAME.wasm`, `languages/LANGUAGE.wasm`.
    pub(crate) components: PathBuf,
}

fn main() -> Result<()> {
    if cfg!(debug_assertions) {
        bail!("built without optimisations: its figures would mean nothing");
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["sandbox", stepwell, components, beginning @ ..] => {
            let built = Built { stepwell: absolute(stepwell)?, components: absolute(components)? };
            let beginning = beginning.concat();
            let wanted = Wanted::beginning(&beginning);
            steps::measure(&built, &wanted)?;
            let figures = ["worker.dispatch_us", "worker.idle_pss_mib", "tenant.neighbour_p99_ratio"];
            if wanted.has_any(&figures) {
                installation::measure(&built)?;
            }
            wanted.met()
        }
        ["kernels", components, python, beginning @ ..] => {
            let (components, python) = (absolute(components)?, absolute(python)?);
            let beginning = beginning.concat();
            let wanted = Wanted::beginning(&beginning);
            kernels::measure(&components, &wanted)?;
            learners::measure(&components, &python, &wanted)?;
            sql::measure(&python, &wanted)?;
            wanted.met()
        }
        ["run", stepwell, components, python, beginning @ ..] => {
            let built = Built { stepwell: absolute(stepwell)?, components: absolute(components)? };
            let beginning = beginning.concat();
            let wanted = Wanted::beginning(&beginning);
            run::measure(&built, &absolute(python)?, &wanted)?;
            wanted.met()
        }
        ["serve", stepwell, components, python] => {
            let built = Built { stepwell: absolute(stepwell)?, components: absolute(components)? };
            serve::measure(&built, &absolute(python)?)
        }
        ["side", task, folder] => ours::take_turns(task, Path::new(folder)),
        _ => bail!("expected an area and what was built for it; `cargo xtask bench AREA` says it all"),
    }
}

fn absolute(path: &str) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("no path `{path}`"))
}
