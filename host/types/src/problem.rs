//! A problem in something a person wrote: where it stands, what is wrong, what to do.

use serde::{Deserialize, Serialize};

/// A place in a file of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Relative to the project's folder.
    pub file: String,
    /// Byte range in the file's text.
    pub span: std::ops::Range<usize>,
    /// Line and column of the start, from 1.
    pub line: usize,
    pub column: usize,
}

/// One problem of a project. They are collected and shown together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub place: Option<Place>,
    /// A lowercase fragment: what, expected, got.
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    /// A problem that stands nowhere in particular.
    pub fn new(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into(), hint: None }
    }

    /// The same at a place.
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    /// The same with a hint.
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
