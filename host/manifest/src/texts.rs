//! A project as texts alone: what a deployment stores, and is checked from without a folder.

use crate::project_file::PROJECT_FILE;
use crate::sources::{fill_queries, text_beneath, unreadable};
use crate::{MANIFEST_BYTES_MAX, Project, Sources, check_with};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use types::{Problem, Settings};

/// `stepwell.toml`, the pipelines, and the files of queries that they name, by their paths in the project's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    pub files: BTreeMap<String, String>,
}

/// The texts of a folder's project under its default settings.
pub fn texts(folder: &Path) -> Result<Texts, Vec<Problem>> {
    texts_with(folder, &Settings::new())
}

/// Likewise under these settings, which may say which files are named.
pub fn texts_with(folder: &Path, settings: &Settings) -> Result<Texts, Vec<Problem>> {
    let sources = Sources::read(folder)?;
    let mut project = check_with(&sources, settings)?;
    let mut files: BTreeMap<String, String> = [(PROJECT_FILE.to_owned(), sources.project)].into();
    files.extend(sources.pipelines.into_iter().map(|(stem, text)| (pipeline_path(&stem), text)));
    let problems = fill_queries(&mut project, &mut |path| {
        let text = text_beneath(folder, path).map_err(|error| unreadable(&format!("./{path}"), &error))?;
        files.insert(path.to_owned(), text.clone());
        Ok(text)
    });
    if problems.is_empty() { Ok(Texts { files }) } else { Err(problems) }
}

/// Checks the project of these texts. Whether step files that are no texts are there is not asked.
pub fn of_texts(texts: &Texts, settings: &Settings) -> Result<Project, Vec<Problem>> {
    let long = texts.files.iter().filter(|(_, text)| text.len() as u64 > MANIFEST_BYTES_MAX);
    let long: Vec<_> = long
        .map(|(path, _)| Problem::new(format!("`{path}` is longer than {} KiB", MANIFEST_BYTES_MAX >> 10)))
        .collect();
    if !long.is_empty() {
        return Err(long);
    }
    let Some(project) = texts.files.get(PROJECT_FILE) else {
        return Err(vec![Problem::new(format!("there is no `{PROJECT_FILE}` among the texts"))]);
    };
    let pipelines = texts.files.iter().filter_map(|(path, text)| Some((stem(path)?.to_owned(), text.clone())));
    let sources = Sources { project: project.clone(), pipelines: pipelines.collect() };
    let mut project = check_with(&sources, settings)?;
    let problems = fill_queries(&mut project, &mut |path| {
        let missing = || Problem::new(format!("`./{path}` is not among the texts"));
        texts.files.get(path).cloned().ok_or_else(missing)
    });
    if problems.is_empty() { Ok(project) } else { Err(problems) }
}

fn pipeline_path(stem: &str) -> String {
    format!("pipelines/{stem}.toml")
}

fn stem(path: &str) -> Option<&str> {
    path.strip_prefix("pipelines/")?.strip_suffix(".toml")
}
