//! A parsed TOML table -> typed values; what is not of the type becomes a problem, and reading goes on.

use crate::place::File;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use types::{Id, IdError, OutputRef, PortName, Problem, StepName, nearest};

pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

/// Problems kept for one file. Beyond these nobody reads on, and a hostile file costs no more memory.
const PROBLEMS_MAX: usize = 500;

/// Collects the problems of one file.
pub(crate) struct Reader {
    pub(crate) file: Arc<File>,
    pub(crate) problems: Vec<Problem>,
    /// Where strings begin that could not be filled in: of what they say instead nothing is told.
    unfilled: BTreeSet<usize>,
}

/// The entries in the order of the file (the map itself is sorted by key).
pub(crate) fn entries<'v, 't>(table: &'v DeTable<'t>) -> Vec<(&'v str, Range<usize>, &'v Value<'t>)> {
    let mut entries: Vec<_> = table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value)).collect();
    entries.sort_by_key(|(_, span, _)| span.start);
    entries
}

/// `a`, `b`, `c`.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A text of the user's inside a message: one line, not too long.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect::<String>().replace("\\\"", "\"").replace("\\'", "'")
}

impl Reader {
    /// Parses the text and hands the document to `read`; syntax errors are problems, after which nothing is read.
    pub(crate) fn document<T>(
        file: Arc<File>,
        read: impl FnOnce(&mut Reader, &DeTable<'_>) -> Option<T>,
    ) -> (Option<T>, Vec<Problem>) {
        let (mut reader, table) = Reader::open(&file);
        let value = table.and_then(|table| read(&mut reader, table.get_ref()));
        (value, reader.problems)
    }

    /// Parses the text; none if it is not TOML, which is a problem.
    pub(crate) fn open(file: &Arc<File>) -> (Reader, Option<Spanned<DeTable<'_>>>) {
        let mut reader = Reader { file: file.clone(), problems: Vec::new(), unfilled: BTreeSet::new() };
        let (table, errors) = DeTable::parse_recoverable(&file.text);
        // Only the first: what follows a syntax error is mostly its echo.
        if let Some(error) = errors.iter().min_by_key(|error| error.span().map_or(usize::MAX, |span| span.start)) {
            let span = error.span().unwrap_or(file.text.len()..file.text.len());
            reader.wrong(span, format!("this is not TOML: {}", error.message()));
        }
        (reader, errors.is_empty().then_some(table))
    }

    pub(crate) fn wrong(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.push(span, Problem::new(message));
    }

    pub(crate) fn wrong_hinted(&mut self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.push(span, Problem::new(message).hinted(hint));
    }

    /// A problem with "did you mean" as its hint, or else what there is.
    pub(crate) fn unknown(&mut self, span: Range<usize>, message: String, word: &str, known: &[&str]) {
        let hint = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => return self.wrong(span, message),
            None => format!("expected one of {}", listed(known.iter().copied())),
        };
        self.wrong_hinted(span, message, hint);
    }

    pub(crate) fn push(&mut self, span: Range<usize>, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX && !self.unfilled.contains(&span.start) {
            self.problems.push(problem.at(Some(self.file.place(span))));
        }
    }

    /// The same of a string that stays as it is written.
    pub(crate) fn unfilled(&mut self, span: Range<usize>, problem: Problem) {
        self.push(span.clone(), problem);
        self.unfilled.insert(span.start);
    }

    pub(crate) fn wrong_type(&mut self, key: &str, value: &Value<'_>, expected: &str) {
        let got = match value.get_ref().type_str() {
            "integer" => "an integer".to_owned(),
            "array" => "an array".to_owned(),
            other => format!("a {other}"),
        };
        self.wrong(value.span(), format!("`{}` is {got}, expected {expected}", cut(key)));
    }

    /// Keys that the table may not have.
    pub(crate) fn keys(&mut self, table: &DeTable<'_>, what: &str, allowed: &[&str]) {
        for (key, span, _) in entries(table) {
            if !allowed.contains(&key) {
                self.unknown(span, format!("unknown key `{}` in {what}", cut(key)), key, allowed);
            }
        }
    }

    pub(crate) fn table<'v, 't>(&mut self, key: &str, value: &'v Value<'t>) -> Option<&'v DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, "a table");
        }
        table
    }

    pub(crate) fn array<'v, 't>(&mut self, key: &str, value: &'v Value<'t>) -> Option<&'v [Value<'t>]> {
        let array = value.get_ref().as_array();
        if array.is_none() {
            self.wrong_type(key, value, "an array");
        }
        array.map(|array| &array[..])
    }

    pub(crate) fn text<'v>(&mut self, key: &str, value: &'v Value<'_>) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, value, "a string");
        }
        text
    }

    pub(crate) fn boolean(&mut self, key: &str, value: &Value<'_>) -> Option<bool> {
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        truth
    }

    /// A whole number within bounds.
    pub(crate) fn integer(&mut self, key: &str, value: &Value<'_>, bounds: Range<u128>) -> Option<u64> {
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "an integer");
            return None;
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let inside = number.and_then(|number| u128::try_from(number).ok()).filter(|number| bounds.contains(number));
        if inside.is_none() {
            let (low, high) = (bounds.start, bounds.end - 1);
            self.wrong(value.span(), format!("`{key}` is {}, expected {low} to {high}", cut(&integer.to_string())));
        }
        inside.and_then(|number| u64::try_from(number).ok())
    }

    /// A finite number, written with or without a point.
    pub(crate) fn number(&mut self, key: &str, value: &Value<'_>) -> Option<f64> {
        let number = match value.get_ref() {
            DeValue::Float(float) => float.as_str().parse().ok(),
            DeValue::Integer(integer) => {
                i128::from_str_radix(integer.as_str(), integer.radix()).ok().map(|number| number as f64)
            }
            _ => {
                self.wrong_type(key, value, "a number");
                return None;
            }
        };
        let finite = number.filter(|number: &f64| number.is_finite());
        if finite.is_none() {
            self.wrong(value.span(), format!("`{key}` is not a finite number"));
        }
        finite
    }

    /// Names of columns: texts that are not empty, each once.
    pub(crate) fn names(&mut self, key: &str, value: &Value<'_>) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        let mut whole = true;
        for element in self.array(key, value)? {
            match self.text(key, element) {
                Some("") => self.wrong(element.span(), format!("a name in `{key}` is empty")),
                Some(name) if names.iter().any(|known| known == name) => {
                    self.wrong(element.span(), format!("`{}` stands twice in `{key}`", cut(name)));
                }
                Some(name) => {
                    names.push(name.to_owned());
                    continue;
                }
                None => {}
            }
            whole = false;
        }
        whole.then_some(names)
    }

    pub(crate) fn id<T: Id>(&mut self, text: &str, span: Range<usize>) -> Option<T> {
        T::parse(text).map_err(|error| self.wrong_id(span, error)).ok()
    }

    /// The name of a step that somebody writes: those of items are made from it.
    pub(crate) fn step(&mut self, text: &str, span: Range<usize>) -> Option<StepName> {
        let step = self.id::<StepName>(text, span.clone())?;
        if step.is_item() {
            self.wrong_id(span, IdError { what: "step name", text: text.to_owned() });
            return None;
        }
        Some(step)
    }

    pub(crate) fn wrong_id(&mut self, span: Range<usize>, error: IdError) {
        self.wrong(span, IdError { text: cut(&error.text), ..error }.to_string());
    }

    /// `step.port`.
    pub(crate) fn output(&mut self, key: &str, value: &Value<'_>) -> Option<OutputRef> {
        let text = self.text(key, value)?;
        let Some((step, port)) = text.split_once('.').filter(|(_, port)| !port.contains('.')) else {
            let message = format!("`{}` is not an output, expected `step.port`", cut(text));
            self.wrong_hinted(value.span(), message, "name the step and one of its ports, such as \"parts.train\"");
            return None;
        };
        let step = self.step(step, value.span());
        let port = self.id::<PortName>(port, value.span());
        Some(OutputRef { step: step?, port: port? })
    }
}
