//! TOML text -> a checked [`Project`], or every problem with its place.
//!
//! ```text
//!  folder --Sources::read--> texts --toml--> spanned tables --(reader)--> drafts --(order, references)--> Project
//! ```
//! Only this crate names `toml`. Tables are walked by hand, not by serde, because serde stops at the first error and a
//! person wants all of them. What needs a plugin's word (its parameters, its ports, which keys its role allows) is
//! `plan`'s to check; [`Step::place_of`] lets it point at the line. What a schedule means is `trigger`'s.

mod budget;
mod builtin;
mod course;
mod course_table;
mod device;
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
mod settings;
mod sources;
mod step_table;
mod string;
mod texts;
mod traffic;
mod triggers_table;
mod value;

pub use course::{Course, Each, Notify, Occasion, Retention, Triggers, VALUES_MAX};
pub use fixture::{Fixture, Sample};
pub use lock::{LOCK_FILE, Lock, LockedPlugin};
pub use place::Places;
pub use policy::{grant_line, grant_lines, policy, policy_text};
pub use project::{BUILT, Builtin, Endpoint, LogSettings, Pipeline, PluginSource, Project, SQL_PLUGIN, Source, Step};
pub use sources::{MANIFEST_BYTES_MAX, Sources, read_file, write_file};
pub use texts::{Texts, of_texts, texts, texts_with};
pub use traffic::{Canary, Sticky, Traffic};

use pipeline_file::Around;
use std::collections::BTreeMap;
use std::path::Path;
use types::{Id, PipelineName, Problem, Settings};

/// Reads and checks the project in a folder: `stepwell.toml`, `pipelines/*.toml`, that the step files they name exist, and the
/// texts of queries.
pub fn load(folder: &Path) -> Result<Project, Vec<Problem>> {
    load_with(folder, &Settings::new())
}

/// The same with these values of its settings in place of the defaults.
pub fn load_with(folder: &Path, settings: &Settings) -> Result<Project, Vec<Problem>> {
    let sources = Sources::read(folder)?;
    sound(folder, checked(&sources, None, settings)?)
}

/// The same with one pipeline only, if there is one of this name: what is wrong with the others does not stop it.
pub fn load_one(folder: &Path, pipeline: &str) -> Result<Project, Vec<Problem>> {
    load_one_with(folder, pipeline, &Settings::new())
}

/// The same with these values of its settings in place of the defaults.
pub fn load_one_with(folder: &Path, pipeline: &str, settings: &Settings) -> Result<Project, Vec<Problem>> {
    let sources = Sources::read(folder)?;
    let only = Some(pipeline).filter(|name| sources.pipelines.contains_key(*name));
    sound(folder, checked(&sources, only, settings)?)
}

fn sound(folder: &Path, mut project: Project) -> Result<Project, Vec<Problem>> {
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

/// What `stepwell.toml` says, the project without its pipelines: what it is called and what it serves. What is wrong with a pipeline,
/// or between the two, does not stop it.
pub fn load_alone(folder: &Path) -> Result<Project, Vec<Problem>> {
    let text = sources::project_text(folder).map_err(|problem| vec![problem])?;
    let mut head = project_file::read(&text, &Settings::new());
    match head.project {
        Some(project) if head.problems.is_empty() => Ok(project),
        _ => {
            sort(&mut head.problems);
            Err(head.problems)
        }
    }
}

/// Checks a project's texts. Pure: the same texts, the same answer, wherever they came from.
pub fn check(sources: &Sources) -> Result<Project, Vec<Problem>> {
    check_with(sources, &Settings::new())
}

/// The same with these values of its settings in place of the defaults.
pub fn check_with(sources: &Sources, settings: &Settings) -> Result<Project, Vec<Problem>> {
    checked(sources, None, settings)
}

fn checked(sources: &Sources, only: Option<&str>, settings: &Settings) -> Result<Project, Vec<Problem>> {
    let mut head = project_file::read(&sources.project, settings);
    let mut problems = std::mem::take(&mut head.problems);
    let is_sound = problems.is_empty();
    let names: Vec<&str> = sources.pipelines.keys().map(String::as_str).collect();
    let mut pipelines = BTreeMap::new();
    for (stem, text) in sources.pipelines.iter().filter(|(stem, _)| only.is_none_or(|only| only == stem.as_str())) {
        let (settings, pools) = (head.settings.as_ref(), head.pools.as_ref());
        match pipeline_file::read(text, &Around { pipeline: stem, pipelines: &names, settings, pools }) {
            Ok(pipeline) => drop(pipelines.insert(pipeline.name.clone(), pipeline)),
            Err(wrong) => problems.extend(wrong),
        }
    }
    let all_are_known = pipelines.len() == names.len();
    problems.extend(circles(&pipelines));
    if all_are_known && !names.is_empty() {
        problems.extend(device::idle("the project", head.device_memory, pipelines.values()));
    }
    if let Some(project) = head.project.as_ref().filter(|_| is_sound) {
        problems.extend(budget::hand_out(project, &mut pipelines, all_are_known));
    }
    match head.project {
        Some(project) if problems.is_empty() => Ok(Project { pipelines, ..project }),
        _ => {
            sort(&mut problems);
            Err(problems)
        }
    }
}

/// Pipelines that would start each other without end.
fn circles(pipelines: &BTreeMap<PipelineName, Pipeline>) -> Vec<Problem> {
    let all: Vec<&Pipeline> = pipelines.values().collect();
    let position = |name: &PipelineName| all.iter().position(|pipeline| pipeline.name == *name);
    let after = |pipeline: &&Pipeline| pipeline.triggers.after.iter().filter_map(position).collect();
    let after: Vec<Vec<usize>> = all.iter().map(after).collect();
    let problem = |circle: Vec<usize>| {
        let (first, last) = (all[*circle.first()?], all[*circle.last()?]);
        let names: Vec<_> = circle.iter().chain(circle.first()).map(|at| format!("`{}`", all[*at].name)).collect();
        let message = format!("pipelines start each other in a circle: {}", names.join(" -> "));
        let at = first.triggers.after.iter().position(|name| name.as_str() == last.name.as_str())?;
        let place = first.place_of(&["triggers", "after", &at.to_string()]);
        Some(Problem::new(message).at(place).hinted("none of them would ever be the last to run"))
    };
    order::order(&after).1.into_iter().filter_map(problem).collect()
}

/// In the order in which a person reads: by file, then from top to bottom.
fn sort(problems: &mut [Problem]) {
    let key = |problem: &Problem| problem.place.as_ref().map(|place| (place.file.clone(), place.span.start));
    problems.sort_by_cached_key(key);
}
