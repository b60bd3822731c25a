//! Bytes of a file, a chunk at a time -> records of cells, as RFC 4180 says.
//!
//! Written here rather than taken from a library because a cursor needs the byte where each record ends, a message the
//! line where it begins, and a null whether the cell was quoted. Lines end with LF or CRLF; empty lines are skipped; a
//! quoted cell may hold delimiters, doubled quotes and line ends.

use serde::{Deserialize, Serialize};
use stepwell::{Error, Result};

/// Bytes asked for at once, the most that the contract gives.
const CHUNK_BYTES: u32 = 4 * 1024 * 1024;

/// The longest record. A quote that is never closed would otherwise take the rest of the file into memory.
const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where the bytes come from: a granted file, or a text in a test.
pub(crate) trait Source {
    /// Some bytes from `offset`; none at the end.
    fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>>;
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) quoted: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// The line, from 1, on which it begins.
    pub(crate) line: u64,
    pub(crate) cells: Vec<Cell>,
}

/// A byte of the file, and what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    /// From 1, for messages.
    pub(crate) line: u64,
    /// Of all bytes before (FNV-1a, 64 bits): shows an edit, not an attack.
    pub(crate) digest: u64,
}

impl Place {
    pub(crate) const START: Self = Self { offset: 0, line: 1, digest: 0xcbf2_9ce4_8422_2325 };

    fn after(self, byte: u8) -> Self {
        let digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self { offset: self.offset + 1, line: self.line + u64::from(byte == b'\n'), digest }
    }

    /// Whether the file still begins with the bytes that were read up to here.
    pub(crate) fn still_holds(self, source: &impl Source) -> Result<bool> {
        let mut place = Self::START;
        while place.offset < self.offset {
            let length = (self.offset - place.offset).min(u64::from(CHUNK_BYTES)) as u32;
            let chunk = source.read(place.offset, length)?;
            if chunk.is_empty() {
                return Ok(false);
            }
            place = chunk.into_iter().fold(place, Self::after);
        }
        Ok(place == self)
    }
}

/// Reads records from a place in a source.
pub(crate) struct Records<'a, S> {
    source: &'a S,
    path: &'a str,
    delimiter: u8,
    chunk: Vec<u8>,
    /// Of the next byte, in the chunk.
    next: usize,
    place: Place,
    /// The last record ended with the file, without a line end.
    unterminated: bool,
}

/// Where in a record the reader is.
#[derive(Clone, Copy, PartialEq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    /// After a quote within a quoted cell: its end, or the first of two.
    QuoteInQuoted,
}

impl<'a, S: Source> Records<'a, S> {
    /// From a place where a record begins.
    pub(crate) fn new(source: &'a S, path: &'a str, delimiter: u8, place: Place) -> Self {
        Self { source, path, delimiter, chunk: Vec::new(), next: 0, place, unterminated: false }
    }

    /// After the last record.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    pub(crate) fn unterminated(&self) -> bool {
        self.unterminated
    }

    /// Skips a byte order mark, which only stands at the start of a file.
    pub(crate) fn skip_byte_order_mark(&mut self) -> Result<()> {
        if self.peek()? == Some(0xef) && self.chunk.starts_with(b"\xef\xbb\xbf") {
            b"\xef\xbb\xbf".iter().for_each(|byte| self.bump(*byte));
        }
        Ok(())
    }

    /// The next byte, which is not consumed; none at the end of the file.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>> {
        if self.next == self.chunk.len() {
            self.next = 0;
            self.chunk = self.source.read(self.place.offset, CHUNK_BYTES)?;
        }
        Ok(self.chunk.get(self.next).copied())
    }

    fn bump(&mut self, byte: u8) {
        self.next += 1;
        self.place = self.place.after(byte);
    }

    fn error(&self, line: u64, reason: impl std::fmt::Display) -> Error {
        Error::invalid(self.path, format!("line {line}: {reason}"))
    }

    /// The next record; none at the end of the file.
    pub(crate) fn next_record(&mut self) -> Result<Option<Record>> {
        while let Some(byte @ (b'\n' | b'\r')) = self.peek()? {
            self.bump(byte);
        }
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let line = self.place.line;
        let mut cells = Vec::new();
        let (mut bytes, mut quoted, mut length) = (Vec::new(), false, 0);
        let mut state = State::CellStart;
        loop {
            let byte = self.peek()?;
            if let Some(byte) = byte {
                self.bump(byte);
            }
            length += 1;
            if length > RECORD_BYTES_MAX {
                return Err(self.error(line, "expected a record of at most 16 MiB, got more: is a quote not closed?"));
            }
            match self.step(state, byte, line)? {
                Step::Keep(next) => {
                    // Only what stands between the quotes, and one of two quotes, belongs to the cell.
                    let opening = state == State::CellStart && next == State::Quoted;
                    let perhaps_closing = next == State::QuoteInQuoted;
                    quoted |= opening;
                    bytes.extend(byte.filter(|_| !opening && !perhaps_closing));
                    state = next;
                }
                ended => {
                    let text = String::from_utf8(std::mem::take(&mut bytes)).map_err(|_| {
                        self.error(line, format!("cell {}: expected UTF-8, got other bytes", cells.len() + 1))
                    })?;
                    cells.push(Cell { text, quoted });
                    (state, quoted) = (State::CellStart, false);
                    if matches!(ended, Step::EndRecord) {
                        self.unterminated = byte.is_none();
                        return Ok(Some(Record { line, cells }));
                    }
                }
            }
        }
    }

    /// What a byte does; none is the end of the file.
    fn step(&mut self, state: State, byte: Option<u8>, line: u64) -> Result<Step> {
        Ok(match (state, byte) {
            (State::Quoted, None) => return Err(self.error(line, "expected a closing quote, got the end of the file")),
            (_, None) => Step::EndRecord,
            (State::Quoted, Some(b'"')) => Step::Keep(State::QuoteInQuoted),
            (State::Quoted, Some(_)) => Step::Keep(State::Quoted),
            (State::QuoteInQuoted, Some(b'"')) => Step::Keep(State::Quoted),
            (State::CellStart, Some(b'"')) => Step::Keep(State::Quoted),
            (_, Some(b'\n')) => Step::EndRecord,
            (_, Some(b'\r')) if matches!(self.peek()?, None | Some(b'\n')) => {
                if self.peek()?.is_some() {
                    self.bump(b'\n');
                }
                Step::EndRecord
            }
            (_, Some(byte)) if byte == self.delimiter => Step::EndCell,
            (State::QuoteInQuoted, Some(byte)) => {
                let got = char::from(byte);
                return Err(self.error(line, format!("expected a delimiter after a closing quote, got `{got}`")));
            }
            (State::CellStart | State::Plain, Some(_)) => Step::Keep(State::Plain),
        })
    }
}

enum Step {
    /// The byte belongs to the cell, or is one of its quotes.
    Keep(State),
    EndCell,
    EndRecord,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file in memory that gives three bytes at a time, so that everything crosses a chunk's end somewhere.
    pub(crate) struct Text<'a>(pub(crate) &'a [u8]);

    impl Source for Text<'_> {
        fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>> {
            let start = (offset as usize).min(self.0.len());
            let end = (start + length.min(3) as usize).min(self.0.len());
            Ok(self.0[start..end].to_vec())
        }
    }

    fn check(text: &str, expected: &[(u64, &[&str])]) {
        let source = Text(text.as_bytes());
        let mut records = Records::new(&source, "f.csv", b',', Place::START);
        let mut got = Vec::new();
        while let Some(record) = records.next_record().unwrap() {
            got.push((record.line, record.cells.into_iter().map(|cell| cell.text).collect::<Vec<_>>()));
        }
        let expected: Vec<_> =
            expected.iter().map(|(line, cells)| (*line, cells.iter().map(|cell| cell.to_string()).collect())).collect();
        assert_eq!(got, expected, "{text:?}");
        assert_eq!(records.place().offset, text.len() as u64);
        assert!(records.place().still_holds(&source).unwrap());
    }

    #[test]
    fn records_are_as_the_rfc_says() {
        check("", &[]);
        check("\n\r\n", &[]);
        check("a,b\n1,2\n", &[(1, &["a", "b"]), (2, &["1", "2"])]);
        check("a,b\r\n1,\r\n", &[(1, &["a", "b"]), (2, &["1", ""])]);
        check("a\n\n\nb", &[(1, &["a"]), (4, &["b"])]);
        check("\"a\nb\",c\nd,\"\"\n", &[(1, &["a\nb", "c"]), (3, &["d", ""])]);
        check("\"say \"\"hi\"\"\",\",\"\n", &[(1, &["say \"hi\"", ","])]);
        check("a\"b,c\n", &[(1, &["a\"b", "c"])]);
        check("a\rb\n", &[(1, &["a\rb"])]);
        check("a,b\r", &[(1, &["a", "b"])]);
        check(",\n", &[(1, &["", ""])]);
    }

    #[test]
    fn broken_text_says_where() {
        let fails = |text: &[u8]| {
            let source = Text(text);
            let mut records = Records::new(&source, "f.csv", b',', Place::START);
            loop {
                match records.next_record() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("no error in {text:?}"),
                    Err(error) => return error,
                }
            }
        };
        let says = |reason: &str| Error::invalid("f.csv", reason);
        assert_eq!(fails(b"a\n\"b\nc"), says("line 2: expected a closing quote, got the end of the file"));
        assert_eq!(fails(b"\"a\"b\n"), says("line 1: expected a delimiter after a closing quote, got `b`"));
        assert_eq!(fails(b"a,\xff\n"), says("line 1: cell 2: expected UTF-8, got other bytes"));
    }
}
