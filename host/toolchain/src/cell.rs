//! A stranger's source and the tools that build it -> a process that opens what the build needs, and no more.
//!
//! What a compiler reads ends in the component, and its languages name files in more ways than we could look for: the kernel
//! says which it opens. Who takes a tool over by what it reads finds itself behind the same wall.
//!
//! ```text
//!  the source, the SDK    read
//!  the tool, the system   read, run
//!  the cell's folder      read, written, and gone with the cell
//! ```

mod kernel;
mod limits;

pub(crate) use kernel::bind;

use crate::Tools;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use types::{Digest, Fault};

/// Of the system: libraries, and what a tool that was installed with it is made of. Some machines lack some.
const SYSTEM: [&str; 9] = [
    "/usr",
    "/lib",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/openssl.cnf",
    "/dev/urandom",
];
const NOWHERE: &str = "/dev/null";

/// What a tool learns of the environment. There may be secrets in the rest.
const VARIABLES: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL"];

/// Each wall, and the version of Landlock that has all of it.
const WALLS: [(&str, ABI); 2] = [("files", ABI::V3), ("network", ABI::V4)];

/// The most that is taken of what a tool left; no component may be larger.
const LEFT_BYTES_MAX: u64 = 256 << 20;

/// Where a build happens.
pub(crate) struct Cell {
    folder: PathBuf,
    places: Vec<(PathBuf, BitFlags<AccessFs>)>,
}

impl Cell {
    /// A cell for what becomes `to`, which is this build's alone. Says which walls this machine lacks.
    pub(crate) fn new(to: &Path, tools: &Tools<'_>) -> Result<Self, Fault> {
        if let Some(note) = missing(kernel::landlock_version()) {
            (tools.notes)(note);
        }
        let folder = tools.cache.join("work").join(Digest::of(to.as_os_str().as_encoded_bytes()).short());
        std::fs::create_dir_all(&folder).map_err(|error| cannot_use(&folder, error))?;
        let cell = Self { folder: folder.clone(), places: Vec::new() };
        Ok(cell.writes(folder).allows(NOWHERE.into(), AccessFs::ReadFile | AccessFs::WriteFile))
    }

    /// For what lies between the source and the component.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn reads(self, place: impl Into<PathBuf>) -> Self {
        self.allows(place.into(), read())
    }

    pub(crate) fn runs(self, place: impl Into<PathBuf>) -> Self {
        self.allows(place.into(), read() | AccessFs::Execute)
    }

    pub(crate) fn writes(self, place: impl Into<PathBuf>) -> Self {
        self.allows(place.into(), write())
    }

    /// A program, and its libraries where they lie beside it, as in `bin` and `lib`.
    pub(crate) fn runs_program(self, program: &Path) -> Result<Self, Fault> {
        let program = program.canonicalize().map_err(|error| cannot_use(program, error))?;
        let libraries = program.ancestors().nth(2).unwrap_or(&program).join("lib");
        let cell = if libraries.is_dir() { self.runs(libraries) } else { self };
        Ok(cell.runs(program))
    }

    /// What any program of the system needs that is not linked in one piece.
    pub(crate) fn runs_system(self) -> Self {
        let there = SYSTEM.iter().filter(|place| Path::new(place).exists());
        there.fold(self, |cell, place| cell.runs(*place))
    }

    fn allows(mut self, place: PathBuf, access: BitFlags<AccessFs>) -> Self {
        self.places.push((place, access));
        self
    }

    /// A program in this cell, in its folder.
    pub(crate) fn command(&self, program: &Path) -> Result<Command, Fault> {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env_clear().env("HOME", &self.folder).env("TMPDIR", &self.folder);
        command.envs(VARIABLES.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        kernel::confine(&mut command, self.wall()?, &limits::LIMITS);
        Ok(command)
    }

    /// Nothing where the kernel has no Landlock.
    fn wall(&self) -> Result<Option<OwnedFd>, Fault> {
        let cannot = |error: landlock::RulesetError| Fault::host(format!("cannot wall a build in: {error}"));
        let whole = Ruleset::default().handle_access(AccessFs::from_all(ABI::V9));
        let whole = whole.and_then(|wall| wall.handle_access(AccessNet::from_all(ABI::V9)));
        let whole = whole.and_then(|wall| wall.scope(Scope::from_all(ABI::V9)));
        let mut wall = whole.and_then(Ruleset::create).map_err(cannot)?;
        for (place, access) in &self.places {
            let opened = PathFd::new(place).map_err(|error| cannot_use(place, error))?;
            // A file has no entries to list or to make.
            let access = if place.is_dir() { *access } else { *access & AccessFs::from_file(ABI::V9) };
            wall = wall.add_rule(PathBeneath::new(opened, access)).map_err(cannot)?;
        }
        Ok(wall.into())
    }

    /// What a tool left in the folder. It is neither followed, if it is a link, nor taken when it is too large.
    pub(crate) fn take(&self, name: impl AsRef<Path>, what: &str) -> Result<Vec<u8>, Fault> {
        let path = self.folder.join(name);
        let shown = path.file_name().unwrap_or_default().display();
        let cannot = |error: std::io::Error| Fault::invalid(format!("{what}: cannot read `{shown}`: {error}"));
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| cannot(error.into()))?);
        let there = file.metadata().map_err(cannot)?;
        if !there.is_file() || there.len() > LEFT_BYTES_MAX {
            let most = LEFT_BYTES_MAX >> 20;
            return Err(Fault::invalid(format!("{what}: `{shown}` is larger than {most} MiB, or no file")));
        }
        let mut bytes = Vec::new();
        file.take(LEFT_BYTES_MAX).read_to_end(&mut bytes).map_err(cannot)?;
        Ok(bytes)
    }

    /// Of a tool that ended at a limit, says which.
    pub(crate) fn told(&self, fault: Fault) -> Fault {
        limits::told(fault)
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // A cache that cannot be emptied is no reason to refuse what was built in it.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn read() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// Files, folders and links; no devices and no sockets.
fn write() -> BitFlags<AccessFs> {
    let files = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Refer;
    read() | files | AccessFs::MakeDir | AccessFs::RemoveDir | AccessFs::MakeSym
}

fn cannot_use(place: &Path, error: impl std::fmt::Display) -> Fault {
    Fault::host(format!("cannot build with `{}`: {error}", place.display()))
}

/// Which walls a kernel with this version of Landlock, or none, does not put round a build.
fn missing(version: i32) -> Option<String> {
    let lacks: Vec<_> = WALLS.iter().filter(|(_, needs)| version < *needs as i32).map(|(name, _)| *name).collect();
    let reason = match version {
        0 => "the kernel has no Landlock, or it is switched off".to_owned(),
        version => format!("Landlock is of version {version}"),
    };
    let walls = lacks.join("` and `");
    (!lacks.is_empty()).then(|| format!("the tools of a build run without the walls `{walls}`: {reason}"))
}

#[cfg(test)]
mod tests;
