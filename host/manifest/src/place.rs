//! Byte spans of a text -> places that a person finds; and which key of a step stands where.

use crate::reader::{Value, entries};
use crate::string;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};
use types::{Place, Spot};

/// A text of the project, under the name that problems show.
#[derive(Debug, PartialEq)]
pub(crate) struct File {
    name: String,
    pub(crate) text: String,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl File {
    pub(crate) fn new(name: &str, text: &str) -> Arc<Self> {
        let after_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = [0].into_iter().chain(after_ends).collect();
        Arc::new(Self { name: name.to_owned(), text: text.to_owned(), lines })
    }

    /// The span as a place; columns count characters. A span beyond the text is moved to its end.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.ceil_char_boundary(span.end).max(start);
        let line = self.lines.partition_point(|begin| *begin <= start);
        let before = self.text.get(self.lines[line - 1]..start).unwrap_or_default();
        Place { file: self.name.clone(), span: start..end, line, column: before.chars().count() + 1 }
    }

    /// The word at a spot of the text; a spot beyond it is moved to its end.
    pub(crate) fn place_at(&self, spot: Spot) -> Place {
        let begin = self.lines.get(spot.line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let line = self.text[begin..].lines().next().unwrap_or_default();
        let before: usize = line.chars().take(spot.column.saturating_sub(1)).map(char::len_utf8).sum();
        self.word_at(begin + before)
    }

    /// The word that begins at a byte.
    fn word_at(&self, start: usize) -> Place {
        let rest = self.text.get(start..).unwrap_or_default();
        let word = rest.chars().take_while(|c| c.is_alphanumeric() || "_.".contains(*c));
        self.place(start..start + word.map(char::len_utf8).sum::<usize>().max(1))
    }
}

/// Where the keys and values of a table stand, by their path: `["params", "columns", "0"]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    file: Arc<File>,
    marks: Arc<Marks>,
    /// A path that nobody wrote, and where what stands for it was written.
    standing: Option<(Vec<String>, Vec<String>)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Mark {
    key: Range<usize>,
    value: Range<usize>,
}

impl Places {
    /// Of a value under a key and of everything in it.
    pub(crate) fn of(file: &Arc<File>, key: Range<usize>, value: &Value<'_>) -> Self {
        let mut marks = BTreeMap::new();
        mark(&mut marks, &mut Vec::new(), key, value);
        Self { file: file.clone(), marks: Arc::new(marks), standing: None }
    }

    /// Of all keys of a document.
    pub(crate) fn of_document(file: &Arc<File>, document: &DeTable<'_>) -> Self {
        let mut marks = BTreeMap::new();
        for (name, span, value) in entries(document) {
            mark(&mut marks, &mut vec![name.to_owned()], span, value);
        }
        Self { file: file.clone(), marks: Arc::new(marks), standing: None }
    }

    /// The same, where what is written at one path stands for another.
    pub(crate) fn standing_for(&self, path: &[&str], written: &[&str]) -> Self {
        let owned = |path: &[&str]| path.iter().map(|key| (*key).to_owned()).collect();
        Self { standing: Some((owned(path), owned(written))), ..self.clone() }
    }

    /// The value at the path, or the nearest value around it.
    pub fn value(&self, path: &[&str]) -> Option<Place> {
        self.nearest(path).map(|(mark, _)| self.file.place(mark.value.clone()))
    }

    /// The key at the end of the path, or the nearest value around it.
    pub fn key(&self, path: &[&str]) -> Option<Place> {
        let (mark, whole) = self.nearest(path)?;
        Some(self.file.place(if whole { mark.key.clone() } else { mark.value.clone() }))
    }

    /// The word at a spot of the string at the path, if one was written there.
    pub(crate) fn within(&self, path: &[&str], spot: Spot) -> Option<Place> {
        let (mark, true) = self.nearest(path)? else { return None };
        let written = self.file.text.get(mark.value.clone())?;
        Some(self.file.word_at(mark.value.start + string::offset(written, spot)))
    }

    /// Whether the path was written.
    pub fn contains(&self, path: &[&str]) -> bool {
        self.nearest(path).is_some_and(|(_, whole)| whole)
    }

    fn nearest(&self, path: &[&str]) -> Option<(&Mark, bool)> {
        let mut path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        if let Some((from, written)) = &self.standing
            && path.starts_with(from)
        {
            path.splice(..from.len(), written.iter().cloned());
        }
        let whole = path.len();
        loop {
            if let Some(mark) = self.marks.get(&path) {
                return Some((mark, path.len() == whole));
            }
            path.pop()?;
        }
    }
}

type Marks = BTreeMap<Vec<String>, Mark>;

fn mark(marks: &mut Marks, path: &mut Vec<String>, key: Range<usize>, value: &Value<'_>) {
    marks.insert(path.clone(), Mark { key, value: value.span() });
    match value.get_ref() {
        DeValue::Table(table) => {
            for (name, span, value) in entries(table) {
                path.push(name.to_owned());
                mark(marks, path, span, value);
                path.pop();
            }
        }
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                path.push(index.to_string());
                mark(marks, path, value.span(), value);
                path.pop();
            }
        }
        _ => {}
    }
}
