//! Doors of which none opens, for tests of what a guest may do by itself.

use ports::{Ask, Doors, Page, Told, Watched};
use std::path::PathBuf;
use types::{Digest, Fault, SavedFile};

/// Nothing is beyond them.
pub(crate) struct Shut;

impl Doors for Shut {
    /// Its own memory is not the world's.
    fn grow(&mut self, _: u64) -> bool {
        true
    }

    fn say(&mut self, _: Watched) {}

    fn open(&mut self, _: &str) -> Result<std::fs::File, Fault> {
        Err(Fault::host("shut"))
    }

    fn ask(&mut self, _: Ask, _: &[u8]) -> Result<(Told, Vec<u8>, Option<std::fs::File>), Fault> {
        Err(Fault::host("shut"))
    }

    fn page(&mut self, _: Page) -> Result<(), Fault> {
        Err(Fault::host("shut"))
    }

    fn checkpoint(&mut self, _: Vec<u8>) -> Result<(), Fault> {
        Err(Fault::host("shut"))
    }

    fn blob(&self, _: &Digest) -> PathBuf {
        PathBuf::new()
    }

    fn scratch(&self) -> Option<PathBuf> {
        None
    }

    fn leave(&mut self, _: &[u8]) -> Result<SavedFile, Fault> {
        Err(Fault::host("shut"))
    }
}
