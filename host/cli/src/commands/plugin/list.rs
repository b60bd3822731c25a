//! `plugin list` and `plugin remove`: the plugins that a project's pipelines can name.

use crate::args::Args;
use crate::commands::{path, print_json};
use crate::outcome::Failure;
use crate::{open, show};
use api::{Line, PluginsRequest};
use server::Listed;
use types::{Id, PluginName};

pub(super) async fn list(args: &Args) -> Result<u8, Failure> {
    let folder = open::project(args)?;
    let mut installation = open::installation(args).await?;
    let mut plugins: Vec<Listed> = Vec::new();
    let hear = |line| {
        if let Line::Plugins { plugins: heard } = line {
            plugins = heard;
        }
    };
    let request = PluginsRequest { folder: folder.clone() };
    let asked = installation.client.lines("POST", &path(args, "plugins"), &request, hear).await;
    asked.map_err(|trouble| Failure::from(trouble).in_folder(&folder))?;
    if args.json {
        return print_json(&plugins);
    }
    let rows = plugins.iter().map(|plugin| {
        let roles: Vec<String> = plugin.roles.iter().map(ToString::to_string).collect();
        let pinned = match plugin.pinned {
            Some(true) => "yes",
            Some(false) => "another",
            None => "no",
        };
        let source = plugin.file.clone().unwrap_or_else(|| "comes with stepwell".to_owned());
        vec![
            plugin.name.clone(),
            plugin.version.clone(),
            roles.join(", "),
            plugin.digest.short(),
            pinned.to_owned(),
            source,
        ]
    });
    anstream::print!("{}", show::table(&["name", "version", "roles", "digest", "pinned", "source"], rows.collect()));
    Ok(0)
}

pub(super) fn remove(args: &Args, name: &str) -> Result<u8, Failure> {
    let folder = open::project(args)?;
    let name = PluginName::parse(name).map_err(|error| Failure::user(error.to_string()))?;
    let file = server::remove_plugin(&folder, &name).map_err(|error| Failure::from(error).in_folder(&folder))?;
    if args.json {
        return print_json(&serde_json::json!({ "removed": name, "file": file }));
    }
    anstream::println!("removed `{name}` ({file})");
    Ok(0)
}
