//! The files of a saved state: a fitted transformer's or a model's.

pub use crate::bindings::stepwell::step::types::SavedFile;
use crate::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};

/// Files under their names, as the host stores them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedFiles(pub Vec<SavedFile>);

impl SavedFiles {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file. Names are 1 to 128 of `a-z 0-9 . _ -`.
    pub fn bytes(mut self, name: &str, content: Vec<u8>) -> Self {
        self.0.push(SavedFile { name: name.into(), content });
        self
    }

    /// Adds a value as a JSON file; finite floats keep their bits.
    pub fn json(self, name: &str, value: &impl Serialize) -> Result<Self> {
        let content = serde_json::to_vec(value).map_err(|error| Error::permanent(format!("`{name}`: {error}")))?;
        Ok(self.bytes(name, content))
    }

    /// The content of a file.
    pub fn read(&self, name: &str) -> Result<&[u8]> {
        let found = self.0.iter().find(|file| file.name == name);
        found.map(|file| file.content.as_slice()).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|file| file.name.as_str()).collect();
            Error::invalid(name, format!("expected a saved file of this name, got {names:?}"))
        })
    }

    /// The value in a JSON file.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_slice(self.read(name)?)
            .map_err(|error| Error::invalid(name, format!("expected what this plugin saved, got: {error}")))
    }
}
