//! `plugin add`: a component, or source that is built, -> a plugin of the project, pinned.

use super::build;
use crate::args::Args;
use crate::commands::{path, print_json};
use crate::open::{self, Temporary};
use crate::outcome::Failure;
use crate::show;
use api::{AddRequest, Line};
use server::Offered;
use std::path::Path;
use types::Digest;

pub(super) async fn add(args: &Args, component: &str, accept: bool) -> Result<u8, Failure> {
    // Before a minute goes into a build.
    let folder = open::inhabited(args)?;
    let (offered, _built) = offered(args, component)?;
    let mut installation = open::installation(args).await?;
    let request = AddRequest { folder: folder.clone(), offered, accept };
    let mut added = None;
    let hear = |line| match line {
        Line::Note { text } => build::note(text),
        Line::Added { added: heard } => added = Some(heard),
        _ => {}
    };
    let asked = installation.client.lines("POST", &path(args, "plugins/add"), &request, hear).await;
    asked.map_err(|trouble| Failure::from(trouble).in_folder(&folder))?;
    let added = added.ok_or_else(|| Failure::ours("the server did not say what it added"))?;
    if args.json {
        return print_json(&added);
    }
    let descriptor = &added.inspected.descriptor;
    anstream::println!("added `{}` as {}", descriptor.name, added.file);
    anstream::print!("{}\n{}", show::plugin_head(&added.inspected), show::capabilities(&descriptor.imports));
    anstream::println!("\nin a pipeline it is plugin = \"{}\"", descriptor.name);
    Ok(0)
}

/// What was named. Source is built into a folder that goes with what is given beside it.
fn offered(args: &Args, component: &str) -> Result<(Offered, Option<Temporary>), Failure> {
    let file = open::project(args)?.join(component);
    match Digest::parse(component) {
        Some(digest) if !file.exists() => Ok((Offered::Blob(digest), None)),
        _ if file.extension().is_some_and(|end| end == "wasm") => {
            build::there(&file, component)?;
            Ok((Offered::File(file), None))
        }
        _ => {
            let temporary = open::Temporary::new("scratch");
            let built = build::component(&file, Path::new(component), &temporary)?;
            Ok((Offered::File(built), Some(temporary)))
        }
    }
}
