//! `contract`: the pages of the contract, and the plugin that is kept for each of its versions.

use crate::pages;
use crate::places;
use anyhow::{Context, Result, anyhow, ensure};
use std::process::Command;

/// Where kept plugins lie, `VERSION/kept.wasm`, and the source of the next one.
const KEPT: &str = "host/sandbox/tests/contract";

/// Writes the pages; with `bless`, also compiles the kept plugin anew for the version that `wit/` has, and records what it
/// gives.
pub(crate) fn run(bless: bool) -> Result<()> {
    for page in pages::write()? {
        println!("wrote {page}");
    }
    if bless { keep() } else { Ok(()) }
}

fn keep() -> Result<()> {
    let folder = places::root().join(KEPT);
    let notes = |note| eprintln!("kept: {note}");
    let built = toolchain::rust::components(&folder.join("kept"), &places::guest_target()?, &notes)
        .map_err(|fault| anyhow!(fault.message))?;
    let component = built.get("kept").context("no crate made the component `kept`")?;
    let file = folder.join(pages::version()?).join("kept.wasm");
    std::fs::write(&file, component).with_context(|| format!("cannot write `{}`", places::shown(&file)))?;
    println!("wrote {} ({} kB)", places::shown(&file), component.len().div_ceil(1000));
    let stepwell = places::stepwell()?;
    let status = Command::new(&stepwell).args(["plugin", "test", "--bless"]).arg(&file).status();
    let status = status.with_context(|| format!("cannot start `{}`, expected it built", places::shown(&stepwell)))?;
    ensure!(status.success(), "what the kept plugin gives could not be recorded");
    Ok(())
}
