//! The operating system's walls round a worker: what it gives up at its start, for ever, and the memory it may grow by.
//!
//! ```text
//!  no-new-privileges   nothing executed gains rights, and those of root are given up
//!  resources           core dumps, descriptors, file sizes
//!  files               Landlock: blobs and compiled code are read, the scratch folder is written, nothing else is opened
//!  network             Landlock: no TCP
//!  scope               Landlock: no signal and no abstract socket beyond the worker
//!  system-calls        seccomp: what a worker needs; the rest does not exist, and what only an attacker calls kills
//! ```
//! The first two stand everywhere or there is no worker. A kernel can lack the others: [`Walls`] says which, and
//! [`WallPolicy`] whether that is borne.

mod calls;
mod files;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use types::Fault;

/// One wall, by the name that people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    pub name: String,
    pub state: WallState,
}

/// Whether a wall stands, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum WallState {
    Stands,
    Missing { reason: String },
}

/// All walls round a worker.
pub type Walls = Vec<Wall>;

/// What is done where a wall is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WallPolicy {
    /// Steps run behind the others.
    #[default]
    BestEffort,
    /// No step runs.
    Required,
}

/// What a worker may open.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// Read.
    pub blobs: &'a Path,
    /// Read.
    pub compiled: &'a Path,
    /// Read and written; files only, no folders, links or sockets.
    pub scratch: &'a Path,
}

impl Wall {
    fn new(name: &str, state: WallState) -> Self {
        Self { name: name.to_owned(), state }
    }

    fn missing(name: &str, reason: impl ToString) -> Self {
        Self::new(name, WallState::Missing { reason: reason.to_string() })
    }

    /// Why it does not stand.
    pub fn reason(&self) -> Option<&str> {
        match &self.state {
            WallState::Stands => None,
            WallState::Missing { reason } => Some(reason),
        }
    }
}

impl WallPolicy {
    /// Refuses a worker without a wall, if walls are required.
    pub(crate) fn admit(self, walls: &[Wall]) -> Result<(), Fault> {
        let missing = walls.iter().find_map(|wall| Some((&wall.name, wall.reason()?)));
        match (self, missing) {
            (Self::Required, Some((name, reason))) => {
                let message = format!("the wall `{name}` round workers is required, but missing: {reason}");
                Err(Fault::invalid(message).hinted("do without it: `--walls best-effort`"))
            }
            _ => Ok(()),
        }
    }
}

/// Raises the walls round this process, which must have no second thread yet: Landlock holds the thread that asks for it,
/// and those that it starts. What is open stays open.
pub fn raise(places: Places<'_>) -> Result<Walls, Fault> {
    let wall = |name: &str, error: rustix::io::Errno| Fault::host(format!("cannot set the wall `{name}`: {error}"));
    rustix::thread::set_no_new_privs(true).map_err(|error| wall("no-new-privileges", error))?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(|error| wall("no-new-privileges", error))?;
    let hard = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    for (resource, limit) in [(Resource::Core, 0), (Resource::Nofile, 256), (Resource::Fsize, 64 << 30)] {
        setrlimit(resource, hard(limit)).map_err(|error| wall("resources", error))?;
    }
    let mut walls: Walls = ["no-new-privileges", "resources"].map(|name| Wall::new(name, WallState::Stands)).into();
    walls.extend(match threads()? {
        1 => files::confine(places),
        threads => files::missing(format!("the process had {threads} threads already")),
    });
    walls.push(calls::confine());
    Ok(walls)
}

/// The threads of this process.
fn threads() -> Result<usize, Fault> {
    Ok(std::fs::read_dir("/proc/self/task").map_err(Fault::host)?.count())
}

/// How large this process is, as the kernel says; open, because behind the walls it cannot be opened.
pub(crate) struct Size {
    pages: File,
    page_bytes: u64,
}

impl Size {
    pub(crate) fn open() -> Result<Self, Fault> {
        let pages = File::open("/proc/self/statm").map_err(Fault::host)?;
        Ok(Self { pages, page_bytes: rustix::param::page_size() as u64 })
    }

    /// From now on the process may turn so many bytes more writable, whoever asks: guest, tensors, thread stacks.
    /// `RLIMIT_DATA`, because wasmtime reserves address space by the gigabyte and `RLIMIT_AS` would count that.
    pub(crate) fn cap_data(&self, more: u64) -> Result<(), Fault> {
        let used = self.data_bytes()?;
        // The soft limit, so that the next assignment can set another.
        let maximum = getrlimit(Resource::Data).maximum;
        let limit = Rlimit { current: Some(used.saturating_add(more).min(maximum.unwrap_or(u64::MAX))), maximum };
        setrlimit(Resource::Data, limit)
            .map_err(|error| Fault::host(format!("cannot set the wall `RLIMIT_DATA`: {error}")))
    }

    /// What is writable and its own, the first thread's stack included; the sixth number of seven.
    fn data_bytes(&self) -> Result<u64, Fault> {
        let mut text = [0; 256];
        let length = self.pages.read_at(&mut text, 0).map_err(Fault::host)?;
        let text = String::from_utf8_lossy(&text[..length]);
        let pages = text.split_whitespace().nth(5).and_then(|pages| pages.parse::<u64>().ok());
        let pages = pages.ok_or_else(|| Fault::host("cannot read the size of the worker"))?;
        Ok(pages.saturating_mul(self.page_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_grows_with_what_is_mapped() {
        let size = Size::open().unwrap();
        let before = size.data_bytes().unwrap();
        let held = vec![1_u8; 64 << 20];
        let grown = size.data_bytes().unwrap() - before;
        assert!(grown >= held.len() as u64, "{grown}");
        assert!(threads().unwrap() >= 1);
    }

    #[test]
    fn only_required_walls_refuse_a_worker() {
        let stands = vec![Wall::new("files", WallState::Stands)];
        let missing = [stands.clone(), vec![Wall::missing("network", "an old kernel")]].concat();
        for (policy, walls, admitted) in [
            (WallPolicy::BestEffort, &stands, true),
            (WallPolicy::BestEffort, &missing, true),
            (WallPolicy::Required, &stands, true),
            (WallPolicy::Required, &missing, false),
        ] {
            let refused = policy.admit(walls);
            assert_eq!(refused.is_ok(), admitted, "{policy:?} {walls:?}");
            assert!(refused.err().is_none_or(|fault| fault.message.contains("`network`")));
        }
    }
}
