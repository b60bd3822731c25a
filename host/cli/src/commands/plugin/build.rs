//! `plugin build`: a plugin's source -> a component that runs here.

use crate::args::Args;
use crate::commands::print_json;
use crate::open::{Scratch, Temporary};
use crate::outcome::Failure;
use crate::{open, show};
use server::Inspected;
use std::path::{Path, PathBuf};
use std::time::Instant;
use toolchain::Tools;
use types::{Fault, FaultKind, TenantId};

pub(super) fn build(args: &Args, path: &Path, output: Option<&Path>) -> Result<u8, Failure> {
    let started = Instant::now();
    let here = open::project(args)?;
    let source = here.join(path);
    let scratch = open::scratch(args)?;
    let built = component(&source, path, &scratch.folder)?;
    let inspected = accepted(&scratch, &built, &path.display().to_string())?;
    let to = match output.map(|output| here.join(output)) {
        Some(folder) if folder.is_dir() => named_like(&built, &folder),
        Some(file) => file,
        None if source.is_dir() => named_like(&built, &source),
        None => named_like(&built, source.parent().unwrap_or(&here)),
    };
    place(&built, &to)?;
    let to = to.strip_prefix(&here).unwrap_or(&to);
    let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    if args.json {
        return print_json(&serde_json::json!({
            "path": to, "bytes": inspected.bytes, "digest": inspected.digest, "took_us": took_us,
            "contract": inspected.contract, "descriptor": inspected.descriptor,
        }));
    }
    print(to, &inspected, took_us);
    Ok(0)
}

/// Says what takes longer than a moment.
pub(super) fn note(note: String) {
    anstream::eprintln!("{}", show::faint(&show::tame(&note)));
}

/// The component of a source, in the folder; `shown` is what the person called the source.
pub(super) fn component(source: &Path, shown: &Path, folder: &Temporary) -> Result<PathBuf, Failure> {
    there(source, &shown.display().to_string())?;
    std::fs::create_dir_all(&folder.0).map_err(Failure::ours)?;
    let tools = Tools { cache: &open::cache(), notes: &note };
    Ok(toolchain::build_once(source, &folder.0, &tools)?)
}

/// An error if nothing is there, under the name by which it was asked for.
pub(super) fn there(file: &Path, shown: &str) -> Result<(), Failure> {
    file.metadata().map(drop).map_err(|error| Failure::user(format!("cannot read `{shown}`: {error}")))
}

/// What the component in a file is, if it runs here; `shown` is what the person called it.
pub(super) fn accepted(scratch: &Scratch, component: &Path, shown: &str) -> Result<Inspected, Failure> {
    there(component, shown)?;
    note("compiling and asking the component, in a sandbox".to_owned());
    scratch.server.inspect(&TenantId::default_tenant(), component).map_err(|error| match error {
        server::Error::Fault(fault) => refused(fault),
        other => Failure::ours(other),
    })
}

fn named_like(built: &Path, folder: &Path) -> PathBuf {
    folder.join(built.file_name().unwrap_or(built.as_os_str()))
}

/// Whole or not at all: a server may be reading it.
pub(super) fn place(built: &Path, to: &Path) -> Result<(), Failure> {
    let component = std::fs::read(built).map_err(Failure::ours)?;
    let folder = std::fs::create_dir_all(to.parent().unwrap_or(to));
    let written = folder.and_then(|()| server::write_file(to, &component));
    written.map_err(|error| Failure::user(format!("cannot write `{}`: {error}", to.display())))
}

/// A component that breaks the contract was made from what the author wrote: theirs to mend.
fn refused(fault: Fault) -> Failure {
    match fault.kind {
        FaultKind::Host | FaultKind::Crash => fault.into(),
        _ => Fault { kind: FaultKind::Invalid, ..fault }.into(),
    }
}

fn print(to: &Path, inspected: &Inspected, took_us: u64) {
    anstream::println!("built {} ({}) in {}", to.display(), show::bytes(inspected.bytes), show::duration(took_us));
    anstream::print!("{}", show::plugin_head(inspected));
    let reaches = types::reaching(&inspected.descriptor.imports);
    let words: Vec<&str> = reaches.iter().map(|interface| interface.short()).collect();
    anstream::println!("  imports  {}", if words.is_empty() { "none".to_owned() } else { words.join(", ") });
}
