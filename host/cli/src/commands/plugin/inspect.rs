//! `plugin inspect`: what a component is and asks for, and how that differs from another.

use super::build::accepted;
use crate::args::Args;
use crate::commands::print_json;
use crate::open::{self, Scratch};
use crate::outcome::Failure;
use crate::show;
use server::{Changes, Inspected};
use types::{Id, PluginName};

pub(super) fn inspect(args: &Args, component: &str, diff: Option<&str>) -> Result<u8, Failure> {
    let scratch = open::scratch(args)?;
    let inspected = at(args, &scratch, component)?;
    let changes = match diff {
        Some(old) => Some(Changes::between(&at(args, &scratch, old)?.descriptor, &inspected.descriptor)),
        None => None,
    };
    if args.json {
        let asks: Vec<_> = types::newly_asked(&[], &inspected.descriptor.imports).iter().map(|it| it.short()).collect();
        return print_json(&serde_json::json!({
            "bytes": inspected.bytes, "digest": inspected.digest, "contract": inspected.contract, "asks": asks,
            "descriptor": inspected.descriptor, "changes": changes,
        }));
    }
    anstream::print!("{}", show::plugin(&inspected));
    if let (Some(changes), Some(old)) = (changes, diff) {
        anstream::print!("\n{}", show::plugin_changes(&changes, old));
    }
    Ok(0)
}

/// The component in a file, or the plugin that a pipeline of the project would get under a name.
fn at(args: &Args, scratch: &Scratch, component: &str) -> Result<Inspected, Failure> {
    let project = open::project(args)?;
    let file = project.join(component);
    // A plugin that was added often has its source beside it, in a folder of its name.
    let named = PluginName::parse(component).ok().filter(|_| !file.is_file());
    let file = match named.map(|name| scratch.server.named(&project, &name)) {
        Some(Ok(named)) => named,
        _ if file.is_dir() => {
            let fault = Failure::user(format!("`{component}` is a folder, expected a component or a plugin's name"));
            return Err(fault.hinted(format!("`stepwell plugin build {component}` makes a component of it")));
        }
        Some(Err(fault)) => return Err(fault.into()),
        None => file,
    };
    accepted(scratch, &file, component)
}
