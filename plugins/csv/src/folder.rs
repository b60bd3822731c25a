//! Files of a folder as one source: in the order of their names, each as far as it goes.
//!
//! The columns and their types are those of the first file; every other one must have the same. A file that is new is read, one
//! that has grown is read on, and what is gone keeps the rows that it brought. If a file no longer begins with what was read of it,
//! reading starts again with all of them.

use crate::records::{Place, Source};
use crate::{Columns, Csv, Cursor, Params};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use stepwell::{Error, Field, Result};

/// Files that a cursor remembers; those that are gone are the first that it does not.
const FILES_MAX: usize = 4_000;

/// What a path with a `*` in its last part stands for: any run of characters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    pub(crate) folder: String,
    front: String,
    back: String,
}

impl Pattern {
    /// None of a path without a `*`, which is a file.
    pub(crate) fn parse(path: &str) -> Result<Option<Self>> {
        if !path.contains('*') {
            return Ok(None);
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        match name.split_once('*') {
            Some((front, back)) if !folder.contains('*') && !back.contains('*') => {
                Ok(Some(Self { folder: folder.to_owned(), front: front.to_owned(), back: back.to_owned() }))
            }
            _ => Err(Error::invalid("path", format!("expected one `*` at most, in the last part, got `{path}`"))),
        }
    }

    pub(crate) fn means(&self, name: &str) -> bool {
        name.strip_prefix(&self.front).is_some_and(|rest| rest.len() >= self.back.len() && rest.ends_with(&self.back))
    }

    fn path(&self, name: &str) -> String {
        if self.folder == "." { name.to_owned() } else { format!("{}/{name}", self.folder) }
    }
}

/// Where files lie: a granted folder, or a list in a test.
pub(crate) trait Shelf {
    type File: Source;
    /// All of them, sorted.
    fn names(&self) -> Result<Vec<String>>;
    fn open(&self, path: &str) -> Result<Self::File>;
}

/// How far one file was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    place: Place,
    row: u64,
    unterminated: bool,
}

/// Where the next page begins, and what its columns are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FolderCursor {
    /// Of this format; 1 is that of a single file.
    version: u32,
    columns: Vec<(String, String)>,
    files: BTreeMap<String, Read>,
}

impl FolderCursor {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let strange =
            |why: String| Error::invalid("cursor", format!("expected what this plugin gave for a folder, got {why}"));
        let cursor: Self = serde_json::from_slice(bytes).map_err(|error| strange(error.to_string()))?;
        if cursor.version == 2 { Ok(cursor) } else { Err(strange(format!("version {}", cursor.version))) }
    }

    pub(crate) fn fields(&self) -> Result<Vec<Field>> {
        crate::fields(&self.columns)
    }

    fn of(&self, read: &Read) -> Cursor {
        let Read { place, row, unterminated } = read.clone();
        Cursor { version: 1, place, row, unterminated, columns: self.columns.clone() }
    }
}

thread_local! {
    /// The cursor after the page read last, and the file that it is of: the next page of the same attempt begins there, and
    /// what lies before it need not be looked at again.
    static SEEN: RefCell<Option<(FolderCursor, String)>> = const { RefCell::new(None) };
}

/// The files under a step's parameters.
pub(crate) struct Folder<S> {
    params: Params,
    pattern: Pattern,
    shelf: S,
}

impl<S: Shelf> Folder<S> {
    pub(crate) fn new(params: Params, pattern: Pattern, shelf: S) -> Self {
        Self { params, pattern, shelf }
    }

    fn names(&self) -> Result<Vec<String>> {
        let mut names = self.shelf.names()?;
        names.retain(|name| self.pattern.means(name));
        Ok(names)
    }

    fn open(&self, name: &str) -> Result<Csv<S::File>> {
        let path = self.pattern.path(name);
        let file = self.shelf.open(&path)?;
        Csv::new(Params { path, ..self.params.clone() }, file)
    }

    /// The cursor before the first row of the first file: it says the columns.
    pub(crate) fn start(&self) -> Result<FolderCursor> {
        let names = self.names()?;
        let Some(first) = names.first() else {
            return Err(Error::invalid(&self.params.path, "expected at least one such file, got none"));
        };
        Ok(FolderCursor { version: 2, columns: self.open(first)?.start()?.columns, files: BTreeMap::new() })
    }

    /// The place to read from, and whether it is the start although a later one was asked for.
    pub(crate) fn resume(&self, cursor: Option<FolderCursor>) -> Result<(FolderCursor, bool)> {
        match cursor {
            Some(cursor) if self.holds(&cursor)? => Ok((cursor, false)),
            asked => Ok((self.start()?, asked.is_some())),
        }
    }

    fn holds(&self, cursor: &FolderCursor) -> Result<bool> {
        if seen(cursor).is_some() {
            return Ok(true);
        }
        for name in self.names()? {
            if let Some(read) = cursor.files.get(&name)
                && !self.open(&name)?.holds(&cursor.of(read))?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The columns of the page at a cursor, the cursor after it, and whether there is more. A page is of one file.
    pub(crate) fn page(&self, mut cursor: FolderCursor) -> Result<(Columns, FolderCursor, bool)> {
        let (names, from) = (self.names()?, seen(&cursor).unwrap_or_default());
        let mut ahead = names.iter().filter(|name| **name >= from).peekable();
        let mut found = None;
        while let Some(name) = ahead.next() {
            let file = self.open(name)?;
            let at = match cursor.files.get(name) {
                Some(read) => cursor.of(read),
                None => file.begin(&cursor.columns)?,
            };
            let (columns, next, more) = file.page(at)?;
            let came = next.row > cursor.files.get(name).map_or(0, |read| read.row);
            let Cursor { place, row, unterminated, .. } = next;
            cursor.files.insert(name.clone(), Read { place, row, unterminated });
            found = Some((columns, name.clone(), more || ahead.peek().is_some()));
            if came {
                break;
            }
        }
        self.forget_gone(&mut cursor, &names)?;
        let Some((columns, name, more)) = found else { return Ok((crate::no_rows(cursor.fields()?)?, cursor, false)) };
        SEEN.set(Some((cursor.clone(), name)));
        Ok((columns, cursor, more))
    }

    fn forget_gone(&self, cursor: &mut FolderCursor, names: &[String]) -> Result<()> {
        while cursor.files.len() > FILES_MAX {
            let gone = cursor.files.keys().find(|name| names.binary_search(name).is_err()).cloned();
            let many = || {
                let reason = format!("expected at most {FILES_MAX} such files; move away those that were read");
                Error::invalid(&self.params.path, reason)
            };
            cursor.files.remove(&gone.ok_or_else(many)?);
        }
        Ok(())
    }
}

/// The file that the page before ended in, if it was of the same attempt.
fn seen(cursor: &FolderCursor) -> Option<String> {
    SEEN.with_borrow(|seen| seen.as_ref().filter(|(after, _)| after == cursor).map(|(_, name)| name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::Text;

    /// Files by name.
    struct Files(BTreeMap<&'static str, &'static str>);

    impl Shelf for &Files {
        type File = Text<'static>;

        fn names(&self) -> Result<Vec<String>> {
            Ok(self.0.keys().map(|name| (*name).to_owned()).collect())
        }

        fn open(&self, path: &str) -> Result<Self::File> {
            let name = path.strip_prefix("in/").ok_or_else(|| Error::invalid(path, "another folder"))?;
            Ok(Text(self.0[name].as_bytes()))
        }
    }

    fn folder(files: &Files, page_rows: usize) -> Folder<&Files> {
        let params: Params =
            stepwell::parse(&format!("{{\"path\": \"in/*.csv\", \"page_rows\": {page_rows}}}")).unwrap();
        let pattern = Pattern::parse(&params.path).unwrap().unwrap();
        Folder::new(params, pattern, files)
    }

    /// All pages from a cursor on, the first column joined by blanks; the last cursor; whether it started again.
    fn read(files: &Files, page_rows: usize, cursor: Option<FolderCursor>) -> Result<(String, FolderCursor, bool)> {
        let folder = folder(files, page_rows);
        let (mut cursor, restarted) = folder.resume(cursor)?;
        let (mut all, mut more) = (Vec::new(), true);
        while more {
            let (mut columns, next, further) = folder.page(cursor)?;
            let values = columns.remove(0).1.into_categories()?;
            all.extend(values.iter().map(|value| value.cloned().unwrap_or("null".into())));
            // As an attempt that begins now has it.
            let stored = serde_json::to_vec(&next).unwrap();
            (cursor, more) = (FolderCursor::parse(&stored).unwrap(), further);
        }
        SEEN.set(None);
        Ok((all.join(" "), cursor, restarted))
    }

    fn files(all: &[(&'static str, &'static str)]) -> Files {
        Files(all.iter().copied().collect())
    }

    #[test]
    fn files_come_in_the_order_of_their_names_each_once() {
        for page_rows in [1, 2, 100] {
            let two =
                files(&[("a.csv", "a\n1\n2\n3\n"), ("b.csv", "a\n4\n"), ("none.csv", "a\n"), ("other.txt", "z\n9\n")]);
            let (values, cursor, restarted) = read(&two, page_rows, None).unwrap();
            assert_eq!((values.as_str(), restarted), ("1 2 3 4", false));
            assert_eq!(read(&two, page_rows, Some(cursor.clone())).unwrap(), (String::new(), cursor.clone(), false));
            // One grows, one comes between the others, one is gone.
            let later = files(&[("a.csv", "a\n1\n2\n3\n5\n"), ("ab.csv", "a\n6\n7"), ("none.csv", "a\n8\n")]);
            let (values, cursor, restarted) = read(&later, page_rows, Some(cursor)).unwrap();
            assert_eq!((values.as_str(), restarted), ("5 6 7 8", false));
            // It comes again as it was.
            let again = files(&[
                ("a.csv", "a\n1\n2\n3\n5\n"),
                ("ab.csv", "a\n6\n7"),
                ("b.csv", "a\n4\n"),
                ("none.csv", "a\n8\n"),
            ]);
            assert_eq!(read(&again, page_rows, Some(cursor)).unwrap().0, "");
        }
    }

    #[test]
    fn a_file_that_was_edited_has_all_read_again() {
        let (_, cursor, _) = read(&files(&[("a.csv", "a\n1\n"), ("b.csv", "a\n2\n")]), 10, None).unwrap();
        let edited = files(&[("a.csv", "a\n7\n"), ("b.csv", "a\n2\n")]);
        let (values, _, restarted) = read(&edited, 10, Some(cursor)).unwrap();
        assert_eq!((values.as_str(), restarted), ("7 2", true));
    }

    #[test]
    fn other_columns_no_files_and_patterns_that_mean_nothing_are_refused() {
        let other = read(&files(&[("a.csv", "a,b\n1,2\n"), ("b.csv", "a,c\n1,2\n")]), 10, None).unwrap_err();
        let reason = "expected the columns [\"a\", \"b\"] of the files before it, got [\"a\", \"c\"]";
        assert_eq!(other, Error::invalid("in/b.csv", reason));
        let misfit = read(&files(&[("a.csv", "a\n1\n"), ("b.csv", "a\nx\n")]), 10, None).unwrap_err();
        assert_eq!(misfit, Error::invalid("in/b.csv", "line 2, column `a`: expected `int64`, got `x`"));
        let none = read(&files(&[("a.txt", "a\n1\n")]), 10, None).unwrap_err();
        assert_eq!(none, Error::invalid("in/*.csv", "expected at least one such file, got none"));
        for path in ["in*/a.csv", "*/*", "a*b*c"] {
            assert!(Pattern::parse(path).is_err(), "{path}");
        }
        assert_eq!(Pattern::parse("in/a.csv").unwrap(), None);
        assert_eq!(Pattern::parse("*.csv").unwrap().unwrap().path("a.csv"), "a.csv");
        assert!(FolderCursor::parse(b"{}").is_err());
    }
}
