//! A project as it is deployed: read from a folder, and read again from its texts alone.

use manifest::{Project, Texts};
use std::path::Path;
use types::{Problem, ProjectName, Settings};

/// What the project in a folder is called, whatever its settings and its pipelines.
pub(crate) fn name(folder: &Path) -> Result<ProjectName, Vec<Problem>> {
    Ok(manifest::load_alone(folder)?.name)
}

/// The project in a folder under these settings, and its texts. What is checked is what the texts say, whatever becomes of
/// the folder meanwhile.
pub(crate) fn read(folder: &Path, settings: &Settings) -> Result<(Texts, Project), Vec<Problem>> {
    manifest::load_with(folder, settings)?;
    let texts = manifest::texts_with(folder, settings)?;
    let project = again(&texts, settings)?;
    Ok((texts, project))
}

/// The same project, from its texts alone.
pub(crate) fn again(texts: &Texts, settings: &Settings) -> Result<Project, Vec<Problem>> {
    manifest::of_texts(texts, settings)
}
