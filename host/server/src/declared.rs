//! What a project says that matters once it is deployed: when it runs by itself, and who is told. The one place that knows
//! how `manifest` says it.

use manifest::{Pipeline, Project, Sources};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use types::{PipelineName, Problem, ProjectName, Settings, StepName};

/// The texts that a project is made of, by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Texts {
    pub(crate) files: BTreeMap<String, String>,
}

/// What starts a pipeline beside its schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Triggers {
    pub(crate) after: Vec<PipelineName>,
    pub(crate) files: Vec<String>,
    /// The collector's step, and how often it is asked, in milliseconds.
    pub(crate) source: Option<(StepName, u64)>,
    /// The name of the secret that signs.
    pub(crate) webhook: Option<String>,
}

/// Who is told of a run that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notify {
    pub(crate) url: String,
    /// The name of the secret that signs.
    pub(crate) secret: Option<String>,
    /// Of these: `failed`, `resumed`.
    pub(crate) on: Vec<String>,
}

/// What the project in a folder is called, whatever else is wrong with it.
pub(crate) fn name(folder: &Path) -> Result<ProjectName, Vec<Problem>> {
    Ok(manifest::load(folder)?.name)
}

/// The project in a folder under these settings, and its texts.
pub(crate) fn read(folder: &Path, settings: &Settings) -> Result<(Texts, Project), Vec<Problem>> {
    let texts = texts(folder)?;
    again(&texts, settings)?;
    Ok((texts, manifest::load(folder)?))
}

/// The same project, from its texts alone.
pub(crate) fn again(texts: &Texts, _settings: &Settings) -> Result<Project, Vec<Problem>> {
    let mut sources = Sources::default();
    for (name, text) in &texts.files {
        match name.strip_prefix("pipelines/").and_then(|name| name.strip_suffix(".toml")) {
            Some(stem) => drop(sources.pipelines.insert(stem.to_owned(), text.clone())),
            None => sources.project.clone_from(text),
        }
    }
    manifest::check(&sources)
}

fn texts(folder: &Path) -> Result<Texts, Vec<Problem>> {
    let sources = Sources::read(folder)?;
    let pipelines = sources.pipelines.into_iter().map(|(stem, text)| (format!("pipelines/{stem}.toml"), text));
    Ok(Texts { files: pipelines.chain([("stepwell.toml".to_owned(), sources.project)]).collect() })
}

pub(crate) fn triggers(_pipeline: &Pipeline) -> Triggers {
    Triggers::default()
}

pub(crate) fn notify(_project: &Project) -> Option<Notify> {
    None
}
