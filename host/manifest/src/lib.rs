//! TOML text -> a checked [`Project`], or every problem with its place.
//!
//! ```text
//!  folder --Sources::read--> texts --toml--> spanned tables --(reader)--> drafts --(order, references)--> Project
//! ```
//! Only this crate names `toml`. Tables are walked by hand, not by serde, because serde stops at the first error and a
//! person wants all of them. What needs a plugin's word (its parameters, its ports, which keys its role allows) is
//! `plan`'s to check; [`Step::place_of`] lets it point at the line. What a schedule means is `trigger`'s.

mod builtin;
mod fixture;
mod lock;
mod order;
mod pipeline_file;
mod place;
mod policy;
mod project;
mod project_file;
mod reader;
mod schedule_table;
mod sources;
mod step_table;
mod string;
mod value;

pub use fixture::{Fixture, Sample};
pub use lock::{LOCK_FILE, Lock, LockedPlugin};
pub use place::Places;
pub use policy::{grant_line, grant_lines, policy, policy_text};
pub use project::{BUILT, Builtin, Endpoint, Pipeline, PluginSource, Project, SQL_PLUGIN, Source, Step};
pub use sources::{MANIFEST_BYTES_MAX, Sources, read_file, write_file};

use std::path::Path;
use types::Problem;

/// Reads and checks the project in a folder: `stepwell.toml`, `pipelines/*.toml`, that the step files they name exist, and the
/// texts of queries.
pub fn load(folder: &Path) -> Result<Project, Vec<Problem>> {
    sound(folder, &Sources::read(folder)?)
}

/// The same with one pipeline only, if there is one of this name: what is wrong with the others does not stop it.
pub fn load_one(folder: &Path, pipeline: &str) -> Result<Project, Vec<Problem>> {
    let mut sources = Sources::read(folder)?;
    if sources.pipelines.contains_key(pipeline) {
        sources.pipelines.retain(|name, _| name == pipeline);
    }
    sound(folder, &sources)
}

fn sound(folder: &Path, sources: &Sources) -> Result<Project, Vec<Problem>> {
    let mut project = check(sources)?;
    let mut problems = sources::missing_files(folder, &project);
    if problems.is_empty() {
        problems = sources::read_queries(folder, &mut project);
    }
    match problems.is_empty() {
        true => Ok(project),
        false => {
            sort(&mut problems);
            Err(problems)
        }
    }
}

/// Checks a project's texts. Pure: the same texts, the same answer, wherever they came from.
pub fn check(sources: &Sources) -> Result<Project, Vec<Problem>> {
    let (head, mut problems) = project_file::read(&sources.project);
    let mut pipelines = std::collections::BTreeMap::new();
    for (stem, text) in &sources.pipelines {
        match pipeline_file::read(stem, text) {
            Ok(pipeline) => drop(pipelines.insert(pipeline.name.clone(), pipeline)),
            Err(wrong) => problems.extend(wrong),
        }
    }
    match head {
        Some(head) if problems.is_empty() => Ok(Project { pipelines, ..head }),
        _ => {
            sort(&mut problems);
            Err(problems)
        }
    }
}

/// In the order in which a person reads: by file, then from top to bottom.
fn sort(problems: &mut [Problem]) {
    let key = |problem: &Problem| problem.place.as_ref().map(|place| (place.file.clone(), place.span.start));
    problems.sort_by_cached_key(key);
}
