//! Our learners in the sandbox beside the libraries people know: the same rows, the same work, as many threads.

use crate::figure::{Figure, LONG_ROUNDS, Wanted};
use crate::ours;
use crate::plugin::{self, fault};
use crate::side::{self, Side, Turn};
use anyhow::{Result, ensure};
use sandbox::Sandbox;
use std::path::Path;

/// How far apart the areas under the two curves may be for the times to be comparable.
const AUC_DIFFERENCE_MAX: f64 = 0.002;
const THREADS: [(usize, &str); 2] = [(1, "1 thread"), (2, "2 threads")];

pub(crate) fn measure(components: &Path, python: &Path, wanted: &Wanted) -> Result<()> {
    if wanted.has("mlp.vs_pytorch_ratio") {
        mlp(&components.join("plugins/mlp.wasm"), python)?;
    }
    if !wanted.has_any(&["gbdt.vs_lightgbm_ratio", "gbdt.vs_lightgbm_memory_ratio"]) {
        return Ok(());
    }
    THREADS.into_iter().try_for_each(|(count, of)| gbdt(&components.join("plugins/gbdt.wasm"), python, count, of))
}

/// The quickest turns of ours and the rival, and how much memory each took.
fn compare(task: &str, component: &Path, python: &Path, threads: usize) -> Result<([Turn; 2], [f64; 2])> {
    let folder = tempfile::tempdir()?;
    let code = plugin::compile(&Sandbox::new().map_err(fault)?, component, folder.path())?;
    std::fs::rename(code, folder.path().join(ours::CODE))?;
    let mut sides = side::both(task, threads, python, folder.path())?;
    let turns = side::quickest(&mut sides, LONG_ROUNDS)?;
    let [ours, rival] = sides.each_ref().map(Side::grown_mib);
    Ok((turns, [ours?, rival?]))
}

fn mlp(component: &Path, python: &Path) -> Result<()> {
    let ([ours, rival], _) = compare("mlp", component, python, 2)?;
    let figure = |name, value, unit, goal| Figure { name, of: None, value, unit, goal }.print();
    figure("mlp.vs_pytorch_ratio", ours.seconds / rival.seconds, "ratio", Some(1.5));
    figure("mlp.pytorch_epoch_ms", rival.seconds * 1e3, "ms", None);
    Ok(())
}

fn gbdt(component: &Path, python: &Path, threads: usize, of: &str) -> Result<()> {
    let ([ours, rival], [our_mib, rival_mib]) = compare("gbdt", component, python, threads)?;
    let figure = |name, value, unit, goal| Figure { name, of: Some(of), value, unit, goal }.print();
    let apart = (ours.auc.unwrap_or(f64::NAN) - rival.auc.unwrap_or(f64::NAN)).abs();
    figure("gbdt.auc_difference", apart, "AUC", Some(AUC_DIFFERENCE_MAX));
    ensure!(apart <= AUC_DIFFERENCE_MAX, "the models are not equally good: {:?} and {:?}", ours.auc, rival.auc);
    figure("gbdt.vs_lightgbm_ratio", ours.seconds / rival.seconds, "ratio", Some(2.0));
    figure("gbdt.vs_lightgbm_memory_ratio", our_mib / rival_mib, "ratio", Some(2.0));
    figure("gbdt.lightgbm_ms", rival.seconds * 1e3, "ms", None);
    figure("gbdt.lightgbm_mib", rival_mib, "MiB", None);
    Ok(())
}
