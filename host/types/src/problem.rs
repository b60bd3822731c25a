//! A problem in something a person wrote: where it stands, what is wrong, what to do.

use serde::{Deserialize, Serialize};
use std::fmt;

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

/// A place in a text that stands in another: a query in a manifest, in a file or in a guest's call. Line and column in
/// characters, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    pub line: usize,
    pub column: usize,
}

impl Spot {
    /// The first character.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The spot that a message begins with, `line 2, column 8: ..`, and the rest of it.
    pub fn of(message: &str) -> Option<(Self, &str)> {
        let (line, rest) = message.strip_prefix("line ")?.split_once(", column ")?;
        let (column, rest) = rest.split_once(": ")?;
        Some((Self { line: line.parse().ok()?, column: column.parse().ok()? }, rest))
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_is_read_as_it_is_written() {
        let spot = Spot { line: 2, column: 8 };
        assert_eq!(Spot::of(&format!("{spot}: there is no table `t`")), Some((spot, "there is no table `t`")));
        for other in ["", "line 2", "line x, column 8: y", "line 2, column 8", "line -1, column 8: y"] {
            assert_eq!(Spot::of(other), None, "{other}");
        }
    }
}
