//! The bytes of a JSON file -> whether all of its numbers are finite, read once and never as a whole.
//!
//! JSON has no word for what is no finite number, but writers have: Python's write `NaN` and `Infinity`, and `1e999` is beyond
//! float64. Others write `null`, which may as well be a value that is meant to lack: whoever loads the file has to tell.

use crate::finite::{Finiteness, NAME_CHARS_MAX, NotFinite, PIECE_BYTES};
use std::io::{self, Read};

/// Objects and arrays within each other; as many as the readers of such files take.
const DEPTH_MAX: usize = 128;
/// Bytes of a number; a float64 whose decimals are all written has some 770.
const WORD_BYTES_MAX: usize = 2048;

/// Looks through a file; none if it is no JSON.
pub(crate) fn looked_through(file: &mut impl Read) -> io::Result<Option<Finiteness>> {
    let (mut scan, mut piece) = (Scan::default(), vec![0; PIECE_BYTES]);
    loop {
        let read = match file.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            return Ok(scan.ended());
        }
        if piece[..read].iter().any(|byte| scan.take(*byte).is_none()) {
            return Ok(None);
        }
    }
}

/// What is open at a place of a file, and where in it the place is.
enum Open {
    Array(u64),
    /// The last key; whether its value comes next.
    Object(String, bool),
}

#[derive(Default)]
enum Within {
    #[default]
    Nothing,
    Text,
    /// A backslash in a text.
    Escape,
    Word,
}

#[derive(Default)]
struct Scan {
    open: Vec<Open>,
    within: Within,
    /// Of the text or word so far.
    bytes: Vec<u8>,
    /// Whether there was anything but space.
    begun: bool,
    found: Finiteness,
}

impl Scan {
    /// The next byte; none where no JSON can have it.
    fn take(&mut self, byte: u8) -> Option<()> {
        match self.within {
            Within::Nothing => self.begin(byte)?,
            Within::Text if byte == b'\\' => self.within = Within::Escape,
            Within::Text if byte == b'"' => self.end_text(),
            Within::Text | Within::Escape => {
                self.within = Within::Text;
                // Of a longer key the beginning is told.
                if self.bytes.len() < NAME_CHARS_MAX {
                    self.bytes.push(byte);
                }
            }
            Within::Word if matches!(byte, b',' | b']' | b'}' | b':' | b' ' | b'\t' | b'\r' | b'\n') => {
                self.end_word()?;
                self.begin(byte)?;
            }
            Within::Word if self.bytes.len() == WORD_BYTES_MAX => return None,
            Within::Word => self.bytes.push(byte),
        }
        Some(())
    }

    fn begin(&mut self, byte: u8) -> Option<()> {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return Some(()),
            b'{' | b'[' if self.open.len() == DEPTH_MAX => return None,
            b'{' => self.open.push(Open::Object(String::new(), false)),
            b'[' => self.open.push(Open::Array(0)),
            b'}' => matches!(self.open.pop()?, Open::Object(..)).then_some(())?,
            b']' => matches!(self.open.pop()?, Open::Array(_)).then_some(())?,
            b',' => match self.open.last_mut()? {
                Open::Array(index) => *index += 1,
                Open::Object(_, has_key) => *has_key = false,
            },
            b':' => match self.open.last_mut()? {
                Open::Array(_) => return None,
                Open::Object(_, has_key) => *has_key = true,
            },
            // A file of one word or text keeps no weights; most that are no JSON are known by their first byte.
            _ if self.open.is_empty() => return None,
            b'"' => (self.within, self.bytes) = (Within::Text, Vec::new()),
            _ => (self.within, self.bytes) = (Within::Word, vec![byte]),
        }
        self.begun = true;
        Some(())
    }

    fn end_text(&mut self) {
        self.within = Within::Nothing;
        if let Some(Open::Object(key, false)) = self.open.last_mut() {
            *key = String::from_utf8_lossy(&self.bytes).into_owned();
        }
    }

    fn end_word(&mut self) -> Option<()> {
        self.within = Within::Nothing;
        let word = std::str::from_utf8(&self.bytes).ok()?;
        if matches!(word, "true" | "false" | "null") {
            return Some(());
        }
        let value: f64 = word.parse().ok()?;
        self.found.written += 1;
        if !value.is_finite() {
            self.found.bad += 1;
            let value = word.chars().take(NAME_CHARS_MAX).collect();
            let place = self.place();
            self.found.first.get_or_insert(NotFinite { place, value });
        }
        Some(())
    }

    /// Where it stands: "`trees[3][5].leaf`".
    fn place(&self) -> String {
        let part = |open: &Open| match open {
            Open::Array(index) => format!("[{index}]"),
            Open::Object(key, _) => format!(".{key}"),
        };
        let whole: String = self.open.iter().map(part).collect();
        let shown: String = whole.trim_start_matches('.').chars().take(NAME_CHARS_MAX).collect();
        format!("`{shown}`")
    }

    fn ended(self) -> Option<Finiteness> {
        (self.begun && self.open.is_empty()).then_some(self.found)
    }
}
