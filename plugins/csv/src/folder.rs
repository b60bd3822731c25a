//! Files of a folder as one source: in the order of their names, each as far as it goes.
//!
//! The parameter `columns` says names and types of all columns: what a file among others has cannot be inferred from whichever
//! stands first today. Every file has those columns, in any order; one without a line is not there yet. A file that is new is read,
//! one that has grown is read on, and what is gone keeps the rows that it brought. If a file no longer begins with what was read of
//! it, reading starts again with all of them, unless rows of what is gone would be lost.

use crate::records::{Place, Source};
use crate::{Columns, Csv, Params, cells};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use stepwell::{Error, Field, Result};

/// Bytes of a cursor, which is recorded with every page; of files that are gone as much is forgotten as goes beyond.
const CURSOR_BYTES_MAX: usize = 256 << 10;

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
        let (folder, name) = match path.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some(divided) => divided,
            None => (".", path),
        };
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
        match self.folder.as_str() {
            "." => name.to_owned(),
            "/" => format!("/{name}"),
            folder => format!("{folder}/{name}"),
        }
    }
}

/// Where files lie: a granted folder, or a list in a test.
pub(crate) trait Shelf {
    type File: Source;
    /// All of them, sorted.
    fn names(&self) -> Result<Vec<String>>;
    fn open(&self, path: &str) -> Result<Self::File>;
}

/// Where the next page begins: how far each file was read, and under which columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FolderCursor {
    /// Of this format; 1 is that of a single file.
    version: u32,
    columns: BTreeMap<String, String>,
    files: BTreeMap<String, Place>,
}

impl FolderCursor {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let strange =
            |why: String| Error::invalid("cursor", format!("expected what this plugin gave for a folder, got {why}"));
        let cursor: Self = serde_json::from_slice(bytes).map_err(|error| strange(error.to_string()))?;
        if cursor.version == 2 { Ok(cursor) } else { Err(strange(format!("version {}", cursor.version))) }
    }
}

thread_local! {
    /// The cursor after the page read last, and the file that it ended in: the next page of the same attempt begins there, and
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

    /// The columns as the parameters say them. Who says none is told what the first file would have.
    pub(crate) fn fields(&self) -> Result<Vec<Field>> {
        let field = |(name, said): (&String, &String)| {
            Ok(Field::new(name, cells::readable(said, &format!("columns.{name}"))?).nullable())
        };
        if !self.params.columns.is_empty() {
            return self.params.columns.iter().map(field).collect();
        }
        let mut names = self.names()?.into_iter();
        let inferred = names.find_map(|name| self.open(&name).and_then(|file| file.start()).ok());
        let columns = inferred.map(|cursor| {
            let columns: Vec<_> = cursor.columns.iter().map(|(name, said)| format!("{name:?} = {said:?}")).collect();
            format!(": params = {{ columns = {{ {} }} }}", columns.join(", "))
        });
        let reason = format!(
            "with a `*` in `path` names and types of all columns are said, not inferred{}",
            columns.unwrap_or_default()
        );
        Err(Error::invalid("columns", reason))
    }

    /// The place to read from, and whether it is the start although a later one was asked for.
    pub(crate) fn resume(&self, cursor: Option<FolderCursor>) -> Result<(FolderCursor, bool)> {
        let start = || FolderCursor { version: 2, columns: self.params.columns.clone(), files: BTreeMap::new() };
        let Some(cursor) = cursor else { return Ok((start(), false)) };
        if seen(&cursor).is_some() {
            return Ok((cursor, false));
        }
        let names = self.names()?;
        let edited = self.edited(&cursor, &names)?;
        let gone = cursor.files.keys().find(|name| names.binary_search(name).is_err());
        match (edited, gone) {
            (None, _) => Ok((cursor, false)),
            (Some(_), None) => Ok((start(), true)),
            (Some(why), Some(gone)) => Err(Error::invalid(
                &self.params.path,
                format!(
                    "{why}, and to read all again would lose the rows of `{gone}`, which is gone: put that back, or mend the other"
                ),
            )),
        }
    }

    /// Why what was read does not stand any more as it was read.
    fn edited(&self, cursor: &FolderCursor, names: &[String]) -> Result<Option<String>> {
        if cursor.columns != self.params.columns {
            return Ok(Some("`columns` are others than they were".to_owned()));
        }
        for name in names {
            let Some(place) = cursor.files.get(name) else { continue };
            let file = self.open(name)?;
            if !file.ends_record(*place)? || !place.still_holds(&file.source)? {
                return Ok(Some(format!("`{name}` no longer begins with what was read of it")));
            }
        }
        Ok(None)
    }

    /// The columns of the page at a cursor, the cursor after it, and whether there is more.
    pub(crate) fn page(&self, mut cursor: FolderCursor) -> Result<(Columns, FolderCursor, bool)> {
        let fields = self.fields()?;
        let (names, mut last) = (self.names()?, seen(&cursor).unwrap_or_default());
        let (from, mut room, mut parts, mut more) = (last.clone(), self.params.page_rows()?, Vec::new(), false);
        for name in names.iter().filter(|name| **name >= from) {
            let file = self.open(name)?;
            let Some(header) = file.header_of(&fields)? else { continue };
            more = more || room == 0;
            if more {
                break;
            }
            let place = cursor.files.get(name).copied().unwrap_or(header.end);
            let (part, end, further) = file.part(place, &header, room)?;
            (room, more) = (room - part.records.len(), further);
            parts.push(part);
            cursor.files.insert(name.clone(), end);
            last.clone_from(name);
        }
        self.forget_gone(&mut cursor, &names)?;
        let columns = cells::columns(&fields, &parts, &self.params.null_values)?;
        SEEN.set(Some((cursor.clone(), last)));
        Ok((fields.into_iter().zip(columns).collect(), cursor, more))
    }

    fn forget_gone(&self, cursor: &mut FolderCursor, names: &[String]) -> Result<()> {
        let mut bytes = json_bytes(cursor);
        let gone: Vec<_> = cursor.files.keys().filter(|name| names.binary_search(name).is_err()).cloned().collect();
        for name in gone {
            if bytes <= CURSOR_BYTES_MAX {
                break;
            }
            // With the signs around them.
            bytes -= json_bytes(&name) + json_bytes(&cursor.files.remove(&name)) + 2;
        }
        match bytes <= CURSOR_BYTES_MAX {
            true => Ok(()),
            false => {
                let reason = format!("{} files are too many to remember; move away those that were read", names.len());
                Err(Error::invalid(&self.params.path, reason))
            }
        }
    }
}

fn json_bytes(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}

/// Where the header of a file ends, and the position of each column in it.
struct Header {
    end: Place,
    positions: Vec<usize>,
}

impl<S: Source> Csv<S> {
    /// Of a file that is to have these columns, in any order; none of one without any line.
    fn header_of(&self, fields: &[Field]) -> Result<Option<Header>> {
        let Some((names, records)) = self.header()? else { return Ok(None) };
        let position = |field: &Field| names.iter().position(|name| *name == field.name);
        let positions: Option<Vec<_>> = fields.iter().map(position).collect();
        match positions.filter(|positions| positions.len() == names.len()) {
            Some(positions) => Ok(Some(Header { end: records.place(), positions })),
            None => {
                let expected: Vec<_> = fields.iter().map(|field| &field.name).collect();
                let got: Vec<String> = names.iter().map(|name| name.chars().take(60).collect()).collect();
                Err(self.error(format!("expected the columns {expected:?} that `columns` says, got {got:?}")))
            }
        }
    }

    /// At most so many records from a place, their cells in the order of the fields; the place behind them, and whether there is more.
    fn part(&self, place: Place, header: &Header, most: usize) -> Result<(cells::Part, Place, bool)> {
        let mut records = self.records(place);
        let taken = crate::take(&mut records, most)?;
        let mut part = cells::Part { path: self.params.path.clone(), records: taken };
        part.expect_cells(header.positions.len())?;
        for record in &mut part.records {
            record.cells = header.positions.iter().map(|at| std::mem::take(&mut record.cells[*at])).collect();
        }
        Ok((part, records.place(), records.peek()?.is_some()))
    }

    /// Whether a record that ended at a place ends there still: it had a line end, or the file ends, or goes on with one.
    fn ends_record(&self, place: Place) -> Result<bool> {
        let before = if place.offset == 0 { Vec::new() } else { self.source.read(place.offset - 1, 1)? };
        let next = self.records(place).peek()?;
        Ok(matches!(before.first(), None | Some(b'\n' | b'\r')) || matches!(next, None | Some(b'\n' | b'\r')))
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

    fn params(page_rows: usize) -> Params {
        let columns = "\"columns\": {\"a\": \"int64\", \"b\": \"text\"}";
        stepwell::parse(&format!("{{\"path\": \"in/*.csv\", \"page_rows\": {page_rows}, {columns}}}")).unwrap()
    }

    fn folder(files: &Files, page_rows: usize) -> Folder<&Files> {
        let pattern = Pattern::parse("in/*.csv").unwrap().unwrap();
        Folder::new(params(page_rows), pattern, files)
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
        for page_rows in [1, 2, 3, 100] {
            let some = files(&[
                ("a.csv", "a,b\n1,x\n2,y\n3,z\n"),
                ("b.csv", "b,a\nx,4\n"),
                ("empty.csv", ""),
                ("none.csv", "a,b\n"),
                ("other.txt", "z\n9\n"),
            ]);
            let (values, cursor, restarted) = read(&some, page_rows, None).unwrap();
            assert_eq!((values.as_str(), restarted), ("1 2 3 4", false));
            assert_eq!(read(&some, page_rows, Some(cursor.clone())).unwrap(), (String::new(), cursor.clone(), false));
            // One grows, one comes between the others, one is gone.
            let later =
                [("a.csv", "a,b\n1,x\n2,y\n3,z\n5,q\n"), ("ab.csv", "a,b\n6,x\n7,"), ("none.csv", "a,b\n8,x\n")];
            let (values, cursor, restarted) = read(&files(&later), page_rows, Some(cursor)).unwrap();
            assert_eq!((values.as_str(), restarted), ("5 6 7 8", false));
            // It comes again as it was.
            let again = files(&[later[0], later[1], ("b.csv", "b,a\nx,4\n"), later[2]]);
            assert_eq!(read(&again, page_rows, Some(cursor)).unwrap().0, "");
        }
    }

    #[test]
    fn a_file_that_was_edited_has_all_read_again_unless_rows_would_be_lost() {
        let before = files(&[("a.csv", "a,b\n1,\n"), ("b.csv", "a,b\n2,x")]);
        let (_, cursor, _) = read(&before, 10, None).unwrap();
        for (text, values) in [("a,b\n7,\n", "7 2"), ("", "2"), ("a,b\n", "2")] {
            let edited = files(&[("a.csv", text), ("b.csv", "a,b\n2,x")]);
            let (got, _, restarted) = read(&edited, 10, Some(cursor.clone())).unwrap();
            assert_eq!((got.as_str(), restarted), (values, true));
        }
        // A last line that goes on was taken for whole.
        for (text, restarts) in [("a,b\n2,xy\n", true), ("a,b\n2,x\n", false), ("a,b\n2,x\r\n3,\n", false)] {
            let grown = files(&[("a.csv", "a,b\n1,\n"), ("b.csv", text)]);
            assert_eq!(read(&grown, 10, Some(cursor.clone())).unwrap().2, restarts, "{text:?}");
        }
        let lost = read(&files(&[("b.csv", "a,b\n2,xy\n")]), 10, Some(cursor)).unwrap_err();
        let reason = "`b.csv` no longer begins with what was read of it, and to read all again would lose the rows of `a.csv`, which \
                      is gone: put that back, or mend the other";
        assert_eq!(lost, Error::invalid("in/*.csv", reason));
    }

    #[test]
    fn columns_are_said_and_each_file_has_them() {
        let two = |text: &'static str| files(&[("a.csv", "a,b\n1,2\n"), ("b.csv", text)]);
        let other = read(&two("a,c\n1,2\n"), 10, None).unwrap_err();
        let reason = "expected the columns [\"a\", \"b\"] that `columns` says, got [\"a\", \"c\"]";
        assert_eq!(other, Error::invalid("in/b.csv", reason));
        let misfit = read(&two("b,a\ny,x\n"), 10, None).unwrap_err();
        assert_eq!(misfit, Error::invalid("in/b.csv", "line 2, column `a`: expected `int64`, got `x`"));
        let short = read(&two("b,a\ny\n"), 10, None).unwrap_err();
        assert_eq!(short, Error::invalid("in/b.csv", "line 2: expected 2 cells, got 1"));
        let unsaid = Params { columns: BTreeMap::new(), ..params(10) };
        let unsaid = |files: &Files| {
            Folder::new(unsaid.clone(), Pattern::parse("in/*.csv").unwrap().unwrap(), files).fields().unwrap_err()
        };
        let reason = "with a `*` in `path` names and types of all columns are said, not inferred";
        assert_eq!(unsaid(&files(&[])), Error::invalid("columns", reason));
        let inferred = format!("{reason}: params = {{ columns = {{ \"a\" = \"int64\", \"b\" = \"int64\" }} }}");
        assert_eq!(unsaid(&two("")), Error::invalid("columns", inferred));
        let (values, ..) = read(&files(&[("a.txt", "a\n1\n")]), 10, None).unwrap();
        assert_eq!(values, "", "no such file is no error: they may come");
        for path in ["in*/a.csv", "*/*", "a*b*c"] {
            assert!(Pattern::parse(path).is_err(), "{path}");
        }
        assert_eq!(Pattern::parse("in/a.csv").unwrap(), None);
        for (path, file) in [("*.csv", "a.csv"), ("/*.csv", "/a.csv"), ("in/deep/*", "in/deep/a.csv")] {
            assert_eq!(Pattern::parse(path).unwrap().unwrap().path("a.csv"), file);
        }
        assert_eq!(Pattern::parse("/*.csv").unwrap().unwrap().folder, "/");
        assert!(FolderCursor::parse(b"{}").is_err());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_gone_is_forgotten_first() {
        let names: Vec<&'static str> =
            (0..4000).map(|number| &*format!("{number:04}{}.csv", "x".repeat(60)).leak()).collect();
        let folder = |from: usize, to: usize| Files(names[from..to].iter().map(|name| (*name, "a,b\n1,x\n")).collect());
        let (_, cursor, _) = read(&folder(0, 2000), 10_000, None).unwrap();
        let (values, cursor, _) = read(&folder(1000, 3000), 10_000, Some(cursor)).unwrap();
        assert_eq!(values.split(' ').count(), 1000);
        assert!(
            json_bytes(&cursor) <= CURSOR_BYTES_MAX && cursor.files.contains_key(names[1000]),
            "{}",
            json_bytes(&cursor)
        );
        let many = read(&folder(0, 4000), 10_000, None).unwrap_err();
        assert_eq!(
            many,
            Error::invalid("in/*.csv", "4000 files are too many to remember; move away those that were read")
        );
    }
}
