//! A project's folder -> its texts, bounded; and whether the step files that it names are there.

use crate::project::QUERY;
use crate::project_file::PROJECT_FILE;
use crate::{PluginSource, Project};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use types::Problem;

/// The longest manifest file. Places, problems and tables all grow with it.
pub const MANIFEST_BYTES_MAX: u64 = 256 << 10;

/// The texts that a project is checked from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// `stepwell.toml`.
    pub project: String,
    /// `pipelines/NAME.toml`, by NAME.
    pub pipelines: BTreeMap<String, String>,
}

impl Sources {
    /// Reads them. Files of `pipelines` that do not end with `.toml` or begin with a dot are none of ours.
    pub fn read(folder: &Path) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut sources = Self::default();
        match project_text(folder) {
            Ok(text) => sources.project = text,
            Err(problem) => problems.push(problem),
        }
        for stem in stems(&folder.join("pipelines"), &mut problems) {
            let name = format!("pipelines/{stem}.toml");
            match text_beneath(folder, &name) {
                Ok(text) => drop(sources.pipelines.insert(stem, text)),
                Err(error) => problems.push(unreadable(&name, &error)),
            }
        }
        if problems.is_empty() { Ok(sources) } else { Err(problems) }
    }
}

/// The text of `stepwell.toml`.
pub(crate) fn project_text(folder: &Path) -> Result<String, Problem> {
    text_beneath(folder, PROJECT_FILE).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Problem::new(format!("there is no `{PROJECT_FILE}` in `{}`", folder.display()))
            .hinted("go to the project's folder"),
        _ => unreadable(PROJECT_FILE, &error),
    })
}

fn stems(folder: &Path, problems: &mut Vec<Problem>) -> Vec<String> {
    let names = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>());
    let names = match names {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            problems.push(unreadable("pipelines", &error));
            Vec::new()
        }
    };
    // A name that is not UTF-8 is no pipeline's name; its replacement characters will say so.
    let names = names.iter().map(|name| name.to_string_lossy());
    let stem = |name: &str| name.strip_suffix(".toml").filter(|stem| !stem.starts_with('.')).map(str::to_owned);
    let mut stems: Vec<String> = names.filter_map(|name| stem(&name)).collect();
    stems.sort();
    stems
}

/// A text file, if it is one and not too long.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    utf8(read_file(path, MANIFEST_BYTES_MAX)?)
}

/// Likewise, of a project's folder. A link that leads out of it is not followed: problems quote the line that they are about, and
/// a stranger's project would have them quote any file of this machine.
pub(crate) fn text_beneath(folder: &Path, name: &str) -> io::Result<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let (flags, beneath) = (OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, ResolveFlags::BENEATH);
    let file = openat2(&folder, name, flags, Mode::empty(), beneath | ResolveFlags::NO_MAGICLINKS);
    let file = file.map_err(|error| match error {
        Errno::XDEV => io::Error::other("it is a link that leads out of the project"),
        error => error.into(),
    })?;
    utf8(bounded(file.into(), MANIFEST_BYTES_MAX)?)
}

fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        io::Error::other(format!("it is not UTF-8: byte {} begins no character", error.utf8_error().valid_up_to()))
    })
}

/// Writes a file of a project whole or not at all: beside its old self, then in its place, so that a reader never sees half of it.
/// A stranger's project may hold links under any name that can be foreseen: the draft is a file that was not there, and a link
/// in the file's place is replaced, not followed.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (draft, mut file) = draft(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn draft(path: &Path) -> io::Result<(PathBuf, fs::File)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..100 {
        let draft = path.with_file_name(format!(".{name}.{}-{number}", std::process::id()));
        match fs::File::create_new(&draft) {
            Ok(file) => return Ok((draft, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

/// The bytes of a regular file, at most so many. A stranger's project may have anything in a file's place: nothing waits at a
/// pipe or reads a device.
pub fn read_file(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    bounded(fs::File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?, bytes_max)
}

fn bounded(file: fs::File, bytes_max: u64) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= bytes_max {
        true => Ok(bytes),
        false if bytes_max < 1 << 20 => Err(io::Error::other(format!("it is longer than {} KiB", bytes_max >> 10))),
        false => Err(io::Error::other(format!("it is longer than {} MiB", bytes_max >> 20))),
    }
}

pub(crate) fn unreadable(name: &str, error: &io::Error) -> Problem {
    Problem::new(format!("`{name}` cannot be read: {error}"))
}

/// Step files that are not in the folder, or are elsewhere behind a link.
pub(crate) fn missing_files(folder: &Path, project: &Project) -> Vec<Problem> {
    let mut problems = Vec::new();
    for step in project.pipelines.values().flat_map(|pipeline| &pipeline.steps) {
        let Some(path) = step.plugin().and_then(|plugin| plugin.path()) else { continue };
        let message = match (folder.join(path).canonicalize(), folder.canonicalize()) {
            (Ok(file), Ok(folder)) if file.is_file() && file.starts_with(&folder) => continue,
            (Ok(file), Ok(_)) if file.is_file() => format!("`./{path}` leads out of the project"),
            (Ok(_), Ok(_)) => format!("`./{path}` is not a file"),
            (Err(error), _) | (_, Err(error)) => format!("`./{path}` cannot be read: {error}"),
        };
        problems.push(Problem::new(message).at(step.place_of(&["plugin"])));
    }
    problems
}

/// Fills in the queries of the steps whose plugin is a query's file.
pub(crate) fn read_queries(folder: &Path, project: &mut Project) -> Vec<Problem> {
    fill_queries(project, &mut |path| {
        text_beneath(folder, path).map_err(|error| unreadable(&format!("./{path}"), &error))
    })
}

/// Likewise, with the texts that `text` has.
pub(crate) fn fill_queries(
    project: &mut Project,
    text: &mut dyn FnMut(&str) -> Result<String, Problem>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for step in project.pipelines.values_mut().flat_map(|pipeline| &mut pipeline.steps) {
        let Some(PluginSource::Sql(path)) = step.plugin().cloned() else { continue };
        if step.params.get(QUERY).is_some() {
            let message = format!("step `{}` has two queries: `./{path}`, and this one", step.name);
            let problem = Problem::new(message).at(step.place_of_key(&["params", QUERY]));
            problems.push(problem.hinted("keep one: `plugin = \"sql\"` takes the query from `params`"));
            continue;
        }
        match (text(&path), step.params.as_object_mut()) {
            (Ok(query), Some(params)) => drop(params.insert(QUERY.to_owned(), query.into())),
            (Ok(_), None) => {}
            (Err(problem), _) => problems.push(problem.at(step.place_of(&["plugin"]))),
        }
    }
    problems
}
