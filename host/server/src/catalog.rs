//! What a manifest calls a plugin -> a stored component and what it says of itself.

use crate::{Notes, Server, folder, plugins, private};
use manifest::PluginSource;
use ports::{Answer, Assignment, Blobs, Call, Page, Task, Watch, Watched};
use std::path::{Path, PathBuf};
use types::{Descriptor, Digest, Fault, FaultKind, Id, Limits, PluginName, Port, TenantId};

/// Largest component that is read: a Python one has 19 MB.
pub(crate) const COMPONENT_BYTES_MAX: u64 = 256 << 20;
/// Longest source file that is built: a long module has 200 kB.
const STEP_BYTES_MAX: u64 = 16 << 20;
/// Describing and discovering look at little; what takes longer is broken.
pub(crate) const DESCRIBE_LIMITS: Limits = Limits {
    guest_memory_bytes: 512 << 20,
    memory_bytes: 1 << 30,
    wall_ms: 30_000,
    handles: 1000,
    log_lines: 1000,
    output_bytes: 64 << 20,
    ..Limits::DEFAULT
};

/// A component in the tenant's blobs.
pub(crate) struct Component {
    pub(crate) digest: Digest,
    /// Of the text that it was built from, if it was built here.
    pub(crate) source: Option<Digest>,
}

impl Server {
    /// Finds the component and stores it; a source file is built first.
    pub(crate) fn component(
        &self,
        tenant: &TenantId,
        project: &Path,
        source: &PluginSource,
        notes: Notes<'_>,
    ) -> Result<Component, Fault> {
        let (file, built_from) = match source {
            PluginSource::Named(name) => (self.named(project, name)?, None),
            PluginSource::Wasm(path) => (inside(project, path)?, None),
            PluginSource::Sql(path) => {
                let text = manifest::read_file(&inside(project, path)?, manifest::MANIFEST_BYTES_MAX)
                    .map_err(|error| Fault::invalid(format!("cannot read `{path}`: {error}")))?;
                let name = PluginName::parse(manifest::SQL_PLUGIN).map_err(Fault::host)?;
                (self.named(project, &name)?, Some(Digest::of(&text)))
            }
            PluginSource::Built(path) => {
                let step = inside(project, path)?;
                let (file, digest) = self.built(tenant, &step, path, notes)?;
                (file, Some(digest))
            }
        };
        let digest = self.blob_of(tenant, &file, source)?;
        Ok(Component { digest, source: built_from })
    }

    /// The component that a name stands for: the project's own, or a first-party one. One that is both is neither: a project from
    /// elsewhere would have its own `csv` run where everybody reads the first-party one.
    pub fn named(&self, project: &Path, name: &PluginName) -> Result<PathBuf, Fault> {
        let (own, first_party) = (plugins::file_of(name), self.first_party(name.as_str()));
        match (project.join(&own).exists(), first_party) {
            (true, Some(_)) => Err(plugins::ambiguous(name.as_str())),
            (true, None) => inside(project, &own),
            (false, Some(file)) => Ok(file),
            (false, None) => Err(self.unknown(project, name)),
        }
    }

    /// The plugin of this name that comes with the installation.
    pub(crate) fn first_party(&self, name: &str) -> Option<PathBuf> {
        let file = self.options.plugins.join(format!("{name}.wasm"));
        file.is_file().then_some(file)
    }

    /// The component of a source file, by its digest; built unless it was before.
    fn built(&self, tenant: &TenantId, step: &Path, path: &str, notes: Notes<'_>) -> Result<(PathBuf, Digest), Fault> {
        let text = manifest::read_file(step, STEP_BYTES_MAX)
            .map_err(|error| Fault::invalid(format!("cannot read `{path}`: {error}")))?;
        let digest = toolchain::digest(step, &text)?;
        let file = folder::built(&self.options, tenant).join(format!("{digest}.wasm"));
        if !file.exists() {
            // What is built is what the digest names, whatever becomes of the step's file meanwhile.
            let io = |error: std::io::Error| Fault::host(format!("cannot build `{path}`: {error}"));
            let source = private::Fleeting::new(&self.options.cache.join("source")).map_err(io)?;
            let name = step.file_name().unwrap_or_default();
            let copy = source.folder().join(name);
            std::fs::write(&copy, &text).map_err(io)?;
            // The tool knows the file's name, people know its path.
            let as_written = |text: String| text.replacen(&format!("`{}`", name.display()), &format!("`{path}`"), 1);
            let notes = |note| notes(as_written(note));
            let tools = toolchain::Tools { cache: &self.options.cache, notes: &notes };
            toolchain::build(&copy, &file, &tools).map_err(|fault| {
                let message = as_written(fault.message);
                Fault { message, ..fault }
            })?;
        }
        Ok((file, digest))
    }

    fn blob_of(&self, tenant: &TenantId, file: &Path, source: &PluginSource) -> Result<Digest, Fault> {
        let bytes = manifest::read_file(file, COMPONENT_BYTES_MAX)
            .map_err(|error| Fault::invalid(format!("cannot read plugin `{source}`: {error}")))?;
        self.store.put(tenant, &bytes)
    }

    fn unknown(&self, project: &Path, name: &PluginName) -> Fault {
        let name = name.as_str();
        let mut known: Vec<String> = plugins::first_party(&self.options.plugins).collect();
        known.extend(plugins::components_in(&project.join(plugins::FOLDER)));
        let fault = Fault::invalid(format!("there is no plugin `{name}`; there are {}", known.join(", ")));
        match types::nearest(name, known.iter().map(String::as_str)) {
            Some(near) => {
                fault.hinted(format!("did you mean `{near}`? A plugin of your own is a path: \"./steps/{name}.py\""))
            }
            None => fault.hinted(format!("a plugin of your own is a path, such as \"./steps/{name}.py\"")),
        }
    }

    /// What the component says of itself under these settings; a collector is also asked what is at its source.
    pub(crate) fn describe(
        &self,
        tenant: &TenantId,
        step: &manifest::Step,
        project: &Path,
        component: Digest,
        inputs: &[Port],
    ) -> Result<Descriptor, Fault> {
        let task = Task::Describe { inputs: inputs.to_vec() };
        let mut descriptor = self.ask(tenant, step, project, component, step.params.clone(), task)?;
        if descriptor.roles.contains(&types::Role::Collector) {
            let call = describing(step, project, component, step.params.clone(), Task::Discover);
            match self.admission.at_once(tenant, &call, &Aside).result? {
                Answer::Discovered { columns } => {
                    descriptor.outputs.iter_mut().for_each(|output| output.columns.clone_from(&columns));
                }
                _ => return Err(Fault::host("a worker answered a discovery with something else")),
            }
        }
        Ok(descriptor)
    }

    /// What the component is, whatever its settings: asked without inputs, and again without parameters should these be
    /// wrong, so that they can be checked against its schema.
    pub(crate) fn describe_alone(
        &self,
        tenant: &TenantId,
        step: &manifest::Step,
        project: &Path,
        component: Digest,
    ) -> Result<Descriptor, Fault> {
        let nothing = || Task::Describe { inputs: Vec::new() };
        let asked = self.ask(tenant, step, project, component, step.params.clone(), nothing());
        match asked {
            Err(Fault { kind: FaultKind::Invalid, .. }) => {
                let bare = self.ask(tenant, step, project, component, serde_json::json!({}), nothing());
                bare.or(asked)
            }
            asked => asked,
        }
    }

    fn ask(
        &self,
        tenant: &TenantId,
        step: &manifest::Step,
        project: &Path,
        component: Digest,
        parameters: serde_json::Value,
        task: Task,
    ) -> Result<Descriptor, Fault> {
        let call = describing(step, project, component, parameters, task);
        self.described.or_ask(tenant, &call, || match self.admission.at_once(tenant, &call, &Aside).result? {
            Answer::Described { descriptor } => Ok(*descriptor),
            _ => Err(Fault::host("a worker answered a description with something else")),
        })
    }

    pub(crate) fn log_file(&self, tenant: &TenantId, run: types::RunId) -> PathBuf {
        folder::tenant(&self.options.data, tenant).join("logs").join(format!("{run}.ndjson"))
    }
}

fn describing(
    step: &manifest::Step,
    project: &Path,
    component: Digest,
    parameters: serde_json::Value,
    task: Task,
) -> Call {
    let assignment = Assignment {
        component,
        parameters,
        seed: step.seed,
        logical_time_us: 0,
        limits: DESCRIBE_LIMITS,
        device: Default::default(),
        checkpoint: None,
        task,
    };
    Call {
        who: format!("step `{}`", step.name),
        assignment,
        grants: step.grants.clone(),
        base: project.to_owned(),
        turn: Default::default(),
    }
}

/// A path of the project that stays in it, whatever links it goes through.
pub(crate) fn inside(project: &Path, path: &str) -> Result<PathBuf, Fault> {
    let missing = |error: std::io::Error| Fault::invalid(format!("cannot read `{path}`: {error}"));
    let (root, file) = (project.canonicalize().map_err(missing)?, project.join(path).canonicalize().map_err(missing)?);
    match file.starts_with(&root) {
        true => Ok(file),
        false => Err(Fault::invalid(format!("`{path}` leads out of the project"))),
    }
}

/// Describing says nothing worth hearing and commits nothing.
pub(crate) struct Aside;

impl Watch for Aside {
    fn hear(&self, _: Watched) {}

    fn cancelled(&self) -> bool {
        false
    }

    fn page(&self, _: Page) -> Result<(), Fault> {
        Err(Fault::host("a page came where none was asked for"))
    }

    fn checkpoint(&self, _: Vec<u8>) -> Result<(), Fault> {
        Err(Fault::host("a checkpoint came where none was asked for"))
    }
}
