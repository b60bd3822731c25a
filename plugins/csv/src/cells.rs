//! Cells of text -> typed columns; and the types, where nobody said them.
//!
//! A type is inferred from the cells of the first rows: boolean (`true`, `false`), int64, float64, else text. A number
//! with needless leading zeros (`007`) is an identifier, so text. Every column is nullable: no number of first rows
//! shows that a later one lacks nothing.

use crate::records::{Cell, Record};
use std::collections::BTreeSet;
use stepwell::{AnyColumn, DataType, Date, Error, Field, Result, Timestamp};

/// What the cells of a column have been so far.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Nothing,
    Boolean,
    Integers,
    Floats,
    Text,
}

impl Seen {
    fn and(self, cell: &str) -> Self {
        match (self, looks_like(cell)) {
            (Self::Nothing, new) => new,
            (old, new) if old == new => old,
            (Self::Integers | Self::Floats, Self::Integers | Self::Floats) => Self::Floats,
            _ => Self::Text,
        }
    }
}

fn looks_like(cell: &str) -> Seen {
    let digits = cell.trim_start_matches(['-', '+']);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    let number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    match cell {
        "true" | "false" => Seen::Boolean,
        _ if !number || leading_zero => Seen::Text,
        _ if cell.parse::<i64>().is_ok() => Seen::Integers,
        // Whole, but beyond int64: as a float it would lose digits.
        _ if !whole && cell.parse::<f64>().is_ok() => Seen::Floats,
        _ => Seen::Text,
    }
}

/// A text among numbers: more likely a broken cell than a column of texts.
pub(crate) struct Odd {
    pub(crate) line: u64,
    pub(crate) text: String,
    /// How many cells of the column were numbers.
    pub(crate) numbers: usize,
}

/// Cells that must be numbers for each that is none, before that one is called odd.
const NUMBERS_FOR_ONE: usize = 50;

/// The cell of a column that makes it a text, if hardly any other does.
pub(crate) fn odd(records: &[Record], position: usize, nulls: &BTreeSet<String>) -> Option<Odd> {
    let cells = records.iter().filter_map(|record| Some((record.line, record.cells.get(position)?)));
    let cells: Vec<_> = cells.filter(|(_, cell)| !cell.quoted && !nulls.contains(&cell.text)).collect();
    let is_number = |text: &str| matches!(looks_like(text), Seen::Integers | Seen::Floats);
    let numbers = cells.iter().filter(|(_, cell)| is_number(&cell.text)).count();
    let others = cells.len() - numbers;
    let (line, cell) = cells.into_iter().find(|(_, cell)| !is_number(&cell.text))?;
    (numbers >= others * NUMBERS_FOR_ONE).then(|| Odd { line, text: cell.text.chars().take(60).collect(), numbers })
}

/// The types of `columns` columns, from their first records.
pub(crate) fn infer(records: &[Record], columns: usize, nulls: &BTreeSet<String>) -> Vec<DataType> {
    let mut seen = vec![Seen::Nothing; columns];
    for record in records {
        for (seen, cell) in seen.iter_mut().zip(&record.cells) {
            if !nulls.contains(&cell.text) {
                *seen = seen.and(&cell.text);
            }
        }
    }
    let data_type = |seen| match seen {
        Seen::Boolean => DataType::Boolean,
        Seen::Integers => DataType::Int64,
        Seen::Floats => DataType::Float64,
        Seen::Nothing | Seen::Text => DataType::Text,
    };
    seen.into_iter().map(data_type).collect()
}

/// The types that a column can be read as, by the names that `columns` may give.
pub(crate) fn readable(name: &str, parameter: &str) -> Result<DataType> {
    match DataType::parse(name, parameter)? {
        DataType::Bytes | DataType::Vector(_) => {
            let expected = "`boolean`, `int64`, `float32`, `float64`, `text`, `timestamp` or `date`";
            Err(Error::invalid(parameter, format!("expected {expected}, got `{name}`")))
        }
        data_type => Ok(data_type),
    }
}

/// Records of one file.
pub(crate) struct Part {
    pub(crate) path: String,
    pub(crate) records: Vec<Record>,
}

impl Part {
    /// Whether each record has so many cells.
    pub(crate) fn expect_cells(&self, expected: usize) -> Result<()> {
        match self.records.iter().find(|record| record.cells.len() != expected) {
            None => Ok(()),
            Some(Record { line, cells }) => {
                let got = cells.len();
                Err(Error::invalid(&self.path, format!("line {line}: expected {expected} cells, got {got}")))
            }
        }
    }
}

/// The records of all parts as one column a field. A cell that does not parse is an error that says where it stands.
pub(crate) fn columns(fields: &[Field], parts: &[Part], nulls: &BTreeSet<String>) -> Result<Vec<AnyColumn>> {
    parts.iter().try_for_each(|part| part.expect_cells(fields.len()))?;
    let column = |(position, field)| Reader { field, position, parts, nulls }.column();
    fields.iter().enumerate().map(column).collect()
}

/// Reads one column out of the records.
struct Reader<'a> {
    field: &'a Field,
    position: usize,
    parts: &'a [Part],
    nulls: &'a BTreeSet<String>,
}

impl Reader<'_> {
    fn column(&self) -> Result<AnyColumn> {
        Ok(match self.field.data_type {
            DataType::Boolean => self.parse(boolean)?.into(),
            DataType::Int64 => self.parse(|cell| cell.parse::<i64>().ok())?.into(),
            DataType::Float32 => self.parse(|cell| cell.parse::<f32>().ok())?.into(),
            DataType::Float64 => self.parse(|cell| cell.parse::<f64>().ok())?.into(),
            DataType::Timestamp => self.parse(timestamp)?.into(),
            DataType::Date => self.parse(date)?.into(),
            _ => self.parse(|cell| Some(cell.to_string()))?.into(),
        })
    }

    fn parse<T>(&self, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<Option<T>>> {
        let value = |(path, record): (&str, &Record)| {
            let cell = &record.cells[self.position];
            if self.is_null(cell) {
                return Ok(None);
            }
            parse(&cell.text).map(Some).ok_or_else(|| self.error(path, record.line, &cell.text))
        };
        let records = self.parts.iter().flat_map(|part| part.records.iter().map(|record| (part.path.as_str(), record)));
        records.map(value).collect()
    }

    /// A quoted text is a text, even the empty one.
    fn is_null(&self, cell: &Cell) -> bool {
        self.nulls.contains(&cell.text) && !(cell.quoted && self.field.data_type == DataType::Text)
    }

    fn error(&self, path: &str, line: u64, cell: &str) -> Error {
        let (column, expected) = (&self.field.name, self.field.data_type.name());
        let shown: String = cell.chars().take(60).collect();
        Error::invalid(path, format!("line {line}, column `{column}`: expected `{expected}`, got `{shown}`"))
    }
}

fn boolean(cell: &str) -> Option<bool> {
    match cell {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// `2024-02-29`.
fn date(cell: &str) -> Option<Date> {
    let mut parts = cell.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let valid = parts.next().is_none()
        && (1..=12).contains(&month)
        && (1..=days[(month as usize).clamp(1, 12) - 1]).contains(&day);
    // Days since 1970-01-01 of a year that begins in March, so that the leap day is its last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let century = shifted.div_euclid(100);
    valid.then(|| {
        Date((365 * shifted + shifted.div_euclid(4) - century + century.div_euclid(4) + day_of_year - 719_468) as i32)
    })
}

/// `2024-02-29T12:30:00.5Z`, `2024-02-29 12:30:00+02:00`; without an offset it is UTC; or a date alone.
fn timestamp(cell: &str) -> Option<Timestamp> {
    let Some((day, time)) = cell.split_once(['T', ' ']) else {
        return Some(Timestamp(i64::from(date(cell)?.0) * 86_400_000_000));
    };
    let (time, offset) = match time.strip_suffix('Z') {
        Some(time) => (time, 0),
        None => match time.rfind(['+', '-']) {
            Some(sign) => (&time[..sign], offset_minutes(&time[sign..])?),
            None => (time, 0),
        },
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 || !(1..=9).contains(&fraction.len()) {
        return None;
    }
    let micros = digits(fraction, fraction.len())? * 1_000_000 / 10_i64.pow(fraction.len() as u32);
    let minutes = i64::from(date(day)?.0) * 1_440 + hour * 60 + minute - offset;
    Some(Timestamp((minutes * 60 + second) * 1_000_000 + micros))
}

fn offset_minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let sign = if text.starts_with('-') { -1 } else { 1 };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let only_digits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: u64, cells: &[&str]) -> Record {
        let cells = cells.iter().map(|text| Cell { text: text.to_string(), quoted: false }).collect();
        Record { line, cells }
    }

    fn nulls() -> BTreeSet<String> {
        BTreeSet::from([String::new()])
    }

    #[test]
    fn one_text_among_many_numbers_is_odd() {
        let records = |texts: Vec<&str>| -> Vec<Record> {
            let cell = |text: &str| Cell { text: text.to_owned(), quoted: false };
            let line = |(i, text)| Record { line: i as u64 + 2, cells: vec![cell(text)] };
            texts.into_iter().enumerate().map(line).collect()
        };
        let mostly = |odd: &'static str, numbers: usize| [vec!["1.5"; numbers], vec![odd]].concat();
        let found = odd(&records(mostly("x17", 50)), 0, &nulls()).unwrap();
        assert_eq!((found.line, found.text.as_str(), found.numbers), (52, "x17", 50));
        assert!(odd(&records(mostly("x17", 49)), 0, &nulls()).is_none());
        assert!(odd(&records(mostly("", 50)), 0, &nulls()).is_none());
        assert!(odd(&records(vec!["a", "b"]), 0, &nulls()).is_none());
    }

    #[test]
    fn types_are_the_narrowest_that_fit() {
        let inferred = |cells: &[&str]| {
            let records: Vec<Record> = cells.iter().map(|cell| record(1, &[cell])).collect();
            infer(&records, 1, &nulls())[0].name()
        };
        assert_eq!(inferred(&["true", "", "false"]), "boolean");
        assert_eq!(inferred(&["1", "-2", "+3", "0"]), "int64");
        assert_eq!(inferred(&["1", "2.5", ""]), "float64");
        assert_eq!(inferred(&["1e3", ".5", "-0.25"]), "float64");
        for text in
            [&["007"][..], &["1", "true"], &["nan"], &["inf"], &["99999999999999999999"], &["1 "], &["", ""], &[]]
        {
            assert_eq!(inferred(text), "text", "{text:?}");
        }
    }

    fn part(records: Vec<Record>) -> Part {
        Part { path: "f.csv".to_owned(), records }
    }

    #[test]
    fn a_broken_cell_says_where_it_stands() {
        let fields = [Field::new("a", DataType::Int64), Field::new("b", DataType::Boolean)];
        let fails = |cells: &[&str]| columns(&fields, &[part(vec![record(7, cells)])], &nulls()).unwrap_err();
        assert_eq!(fails(&["1"]), Error::invalid("f.csv", "line 7: expected 2 cells, got 1"));
        let wrong = Error::invalid("f.csv", "line 7, column `b`: expected `boolean`, got `yes`");
        assert_eq!(fails(&["1", "yes"]), wrong);
    }

    #[test]
    fn only_an_unquoted_empty_text_is_null() {
        let mut records = vec![record(1, &[""]), record(2, &[""])];
        records[1].cells[0].quoted = true;
        let parts = [part(records)];
        let texts = columns(&[Field::new("a", DataType::Text)], &parts, &nulls()).unwrap();
        assert_eq!(texts, [vec![None, Some(String::new())].into()]);
        let numbers = columns(&[Field::new("a", DataType::Float64)], &parts, &nulls()).unwrap();
        assert_eq!(numbers, [vec![None::<f64>, None].into()]);
    }

    #[test]
    fn days_and_instants() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("2000-02-29", 11_016),
            ("2024-12-31", 20_088),
            ("1969-12-31", -1),
            ("0001-01-01", -719_162),
        ] {
            assert_eq!(date(text), Some(Date(days)), "{text}");
        }
        for text in ["2023-02-29", "2024-13-01", "2024-00-10", "2024-1-1", "2024-01-01-01", "", "2024"] {
            assert_eq!(date(text), None, "{text}");
        }
        let second = |text| timestamp(text).map(|instant| instant.0);
        assert_eq!(second("1970-01-01T00:00:01.5Z"), Some(1_500_000));
        assert_eq!(second("1970-01-01 02:00:00+02:00"), Some(0));
        assert_eq!(second("1970-01-02"), Some(86_400_000_000));
        assert_eq!(second("1970-01-01T00:01"), Some(60_000_000));
        for text in ["1970-01-01T24:00:00", "1970-01-01T00:00:00.", "1970-01-01T00:00:00+é", "x", "1970-01-01T"] {
            assert_eq!(second(text), None, "{text}");
        }
    }
}
