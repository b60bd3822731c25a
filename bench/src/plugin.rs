//! A component, ready to be called, and the doors it is given.

use anyhow::{Context, Result, anyhow};
use ports::{Ask, Doors, Page, Told, Watched};
use sandbox::{Plugin, Sandbox};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;
use types::{Digest, Fault, SavedFile};

/// Native code of the component, in the folder.
pub(crate) fn compile(sandbox: &Sandbox, component: &Path, folder: &Path) -> Result<PathBuf> {
    let bytes = std::fs::read(component).with_context(|| format!("cannot read `{}`", component.display()))?;
    let file = folder.join(Digest::of(&bytes).to_string());
    std::fs::write(&file, sandbox.compile(&bytes).map_err(fault)?.code)?;
    Ok(file)
}

/// Native code of the component, loaded from the folder.
pub(crate) fn load(sandbox: &Sandbox, component: &Path, folder: &Path) -> Result<Plugin> {
    sandbox.load(&compile(sandbox, component, folder)?).map_err(fault)
}

pub(crate) fn fault(fault: Fault) -> anyhow::Error {
    anyhow!(fault)
}

/// A metric of a guest, and when it was reported.
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) value: f64,
}

/// Doors for a guest, and what it reports.
pub(crate) fn doors() -> (Box<dyn Doors>, Receiver<Heard>) {
    let (ear, heard) = channel();
    (Box::new(Shut(ear)), heard)
}

/// Doors that stay shut, and memory without end.
struct Shut(Sender<Heard>);

impl Doors for Shut {
    fn grow(&mut self, _: u64) -> bool {
        true
    }

    fn say(&mut self, event: Watched) {
        if let Watched::Metric { value, .. } = event {
            // Not every benchmark listens.
            let _ = self.0.send(Heard { at: Instant::now(), value: value.unwrap_or(f64::NAN) });
        }
    }

    fn open(&mut self, _: &str) -> Result<File, Fault> {
        Err(Fault::host("a benchmark opens nothing"))
    }

    fn ask(&mut self, _: Ask, _: &[u8]) -> Result<(Told, Vec<u8>, Option<File>), Fault> {
        Err(Fault::host("a benchmark asks nothing"))
    }

    fn page(&mut self, _: Page) -> Result<(), Fault> {
        Err(Fault::host("a benchmark collects nothing"))
    }

    /// Nothing resumes it.
    fn checkpoint(&mut self, _: Vec<u8>) -> Result<(), Fault> {
        Ok(())
    }

    fn blob(&self, _: &Digest) -> PathBuf {
        PathBuf::new()
    }

    fn scratch(&self) -> Option<PathBuf> {
        None
    }

    fn leave(&mut self, _: &[u8]) -> Result<SavedFile, Fault> {
        Err(Fault::host("a benchmark leaves nothing"))
    }
}
