//! The plugins that a project can name: those that were added to its folder `plugins`, and those that come with this
//! installation.

use crate::catalog::{COMPONENT_BYTES_MAX, inside};
use crate::{Error, Inspected, Repin, Server, pins};
use manifest::{Lock, LockedPlugin};
use ports::Blobs;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use types::{Digest, Fault, FaultKind, Id, PluginName, Problem, Role, TenantId};

/// Where a project keeps the plugins that were added to it, `NAME.wasm` each. It belongs to the project and to git.
pub(crate) const FOLDER: &str = "plugins";

/// Those of the first-party plugins that `stepwell doctor` has misbehave: nobody is offered them.
const MISBEHAVING: [&str; 2] = ["abuse", "abuse-roles"];

/// A component that somebody wants in a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offered {
    /// A file of this machine.
    File(PathBuf),
    /// A blob of the tenant.
    Blob(Digest),
}

/// A plugin that a pipeline of the project can name now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Added {
    pub inspected: Inspected,
    /// Relative to the project's folder.
    pub file: String,
    /// What became of `stepwell.lock`.
    pub news: Vec<String>,
}

/// A plugin that a pipeline can name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// As a pipeline writes it.
    pub name: String,
    pub version: String,
    pub roles: Vec<Role>,
    pub digest: Digest,
    /// The project's file, relative to its folder; none of a first-party plugin.
    pub file: Option<String>,
    /// Whether it is the one that `stepwell.lock` pins; none if it pins none of this name.
    pub pinned: Option<bool>,
}

impl Server {
    /// Adds a component to a project under its own name, and pins it. One that replaces another may not ask for more of the
    /// world than that did, unless `accept` is set.
    pub fn add_plugin(
        &self,
        tenant: &TenantId,
        folder: &Path,
        offered: &Offered,
        accept: bool,
    ) -> Result<Added, Error> {
        let component = self.offered(tenant, offered)?;
        let inspected = self.inspect_bytes(tenant, &shown(offered), &component).map_err(theirs)?;
        let name = &inspected.descriptor.name;
        if self.first_party(name.as_str()).is_some() {
            let fault = Fault::invalid(format!("`{name}` is the name of a plugin that comes with Stepwell"));
            return Err(fault.hinted("a pipeline could not tell the two apart: give it a name of its own").into());
        }
        let plugin = LockedPlugin {
            name: name.clone(),
            version: inspected.descriptor.version.clone(),
            digest: inspected.digest,
            source: None,
            imports: inspected.descriptor.imports.clone(),
        };
        let repin = if accept { Repin::Any } else { Repin::AskingNoMore };
        let (lock, news) = pins::pinned(Lock::load(folder)?, &[(name.to_string(), plugin)], repin)?;
        let file = file_of(name);
        write(folder, &file, &component)?;
        // Last: a file that is not the pinned one is refused, should this end in between.
        pins::save(folder, &lock)?;
        Ok(Added { inspected, file, news })
    }

    fn offered(&self, tenant: &TenantId, offered: &Offered) -> Result<Vec<u8>, Error> {
        match offered {
            Offered::File(file) => manifest::read_file(file, COMPONENT_BYTES_MAX)
                .map_err(|error| Fault::invalid(format!("cannot read `{}`: {error}", shown(offered))).into()),
            Offered::Blob(digest) => match self.store.path(tenant, *digest) {
                Ok(_) => Ok(self.store.get(tenant, *digest)?),
                Err(_) => Err(Error::NotFound(format!("there is no component {digest} here"))),
            },
        }
    }

    /// All plugins that a pipeline of the project can name, the project's own first; or the project's that has the name of a
    /// first-party one.
    pub fn plugins(&self, tenant: &TenantId, folder: &Path) -> Result<Vec<Listed>, Error> {
        let lock = Lock::load(folder)?;
        let mut plugins = Vec::new();
        for name in components_in(&folder.join(FOLDER)) {
            if self.first_party(&name).is_some() {
                return Err(ambiguous(&name).into());
            }
            let file = format!("{FOLDER}/{name}.wasm");
            plugins.push(self.listed(tenant, &lock, name, &inside(folder, &file)?, Some(file))?);
        }
        for name in first_party(&self.options.plugins) {
            let file = self.options.plugins.join(format!("{name}.wasm"));
            plugins.push(self.listed(tenant, &lock, name, &file, None)?);
        }
        Ok(plugins)
    }

    fn listed(
        &self,
        tenant: &TenantId,
        lock: &Lock,
        name: String,
        component: &Path,
        file: Option<String>,
    ) -> Result<Listed, Error> {
        let Inspected { digest, descriptor, .. } = self.inspect(tenant, component).map_err(theirs)?;
        let pinned = lock.plugins.get(&name).map(|locked| locked.digest == digest);
        Ok(Listed { name, version: descriptor.version, roles: descriptor.roles, digest, file, pinned })
    }
}

/// The fault of a project's plugin that has the name of a first-party one.
pub(crate) fn ambiguous(name: &str) -> Fault {
    Fault::invalid(format!("`{FOLDER}/{name}.wasm` has the name of a plugin that comes with Stepwell"))
        .hinted(format!("give it a name of its own, or move it and name it by its path, such as \"./own/{name}.wasm\""))
}

/// Removes an added plugin and its pin, unless a step needs it.
pub fn remove_plugin(folder: &Path, name: &PluginName) -> Result<String, Error> {
    let project = manifest::load(folder)?;
    let file = file_of(name);
    let uses = |step: &&manifest::Step| match step.plugin() {
        Some(manifest::PluginSource::Named(used)) => used == name,
        Some(manifest::PluginSource::Wasm(path)) => *path == file,
        _ => false,
    };
    let problem = |pipeline: &manifest::Pipeline, step: &manifest::Step| {
        let message = format!("plugin `{name}` is used by step `{}` of pipeline `{}`", step.name, pipeline.name);
        Problem::new(message).at(step.place_of(&["plugin"]))
    };
    let used = project
        .pipelines
        .values()
        .flat_map(|pipeline| pipeline.steps.iter().filter(uses).map(move |step| problem(pipeline, step)));
    let used: Vec<Problem> = used.collect();
    if !used.is_empty() {
        return Err(Error::Problems(used));
    }
    match std::fs::remove_file(folder.join(&file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NotFound(format!("no plugin `{name}` was added to this project")));
        }
        removed => removed.map_err(|error| Fault::invalid(format!("cannot remove `{file}`: {error}")))?,
    }
    let mut lock = Lock::load(folder)?;
    if lock.plugins.remove(name.as_str()).is_some() {
        pins::save(folder, &lock)?;
    }
    Ok(file)
}

/// The file of an added plugin, relative to the project's folder.
pub(crate) fn file_of(name: &PluginName) -> String {
    format!("{FOLDER}/{name}.wasm")
}

/// The names of the components in a folder, sorted; none if there is no such folder.
pub(crate) fn components_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".wasm").map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The names of the plugins that come with Stepwell and are of use.
pub(crate) fn first_party(folder: &Path) -> impl Iterator<Item = String> {
    components_in(folder).into_iter().filter(|name| !MISBEHAVING.contains(&name.as_str()))
}

/// How an offered component is called in messages.
fn shown(offered: &Offered) -> String {
    match offered {
        Offered::File(file) => file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned(),
        Offered::Blob(digest) => digest.short(),
    }
}

/// A component that breaks the contract is the user's to replace.
fn theirs(error: Error) -> Error {
    match error {
        Error::Fault(fault) if !matches!(fault.kind, FaultKind::Host | FaultKind::Crash) => {
            Fault { kind: FaultKind::Invalid, ..fault }.into()
        }
        other => other,
    }
}

/// In the project, whatever `plugins` is a link to.
fn write(folder: &Path, file: &str, component: &[u8]) -> Result<(), Error> {
    let cannot = |error: io::Error| Fault::invalid(format!("cannot write `{file}`: {error}"));
    let name = Path::new(file).file_name().unwrap_or_default();
    std::fs::create_dir_all(folder.join(FOLDER)).map_err(cannot)?;
    let place = inside(folder, FOLDER)?.join(name);
    if manifest::read_file(&place, COMPONENT_BYTES_MAX).is_ok_and(|there| there == component) {
        return Ok(());
    }
    Ok(manifest::write_file(&place, component).map_err(cannot)?)
}
