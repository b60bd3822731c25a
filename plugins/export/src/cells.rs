//! Rows -> lines of CSV that read back as the same values: quoted as RFC 4180 says, floats in their shortest exact form,
//! instants as RFC 3339 says, in UTC.
//!
//! A null is an empty cell, so an empty text is a quoted one. In a table of one column a null is quoted too, because
//! readers skip empty lines. Lines end with LF.

use stepwell::{AnyColumn, DataType, Date, Error, Field, Result, Timestamp};

/// How a table is written.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) delimiter: u8,
}

/// Whether every column has a form in CSV.
pub(crate) fn check(fields: &[Field]) -> Result<()> {
    let odd = |field: &&Field| matches!(field.data_type, DataType::Bytes | DataType::Vector(_));
    match fields.iter().find(odd) {
        None => Ok(()),
        Some(field) => {
            let reason =
                format!("`{}` has no form in CSV; leave the column out in an earlier step", field.data_type.name());
            Err(Error::invalid(&field.name, reason))
        }
    }
}

impl Style {
    /// The line that names the columns.
    pub(crate) fn header(self, fields: &[Field]) -> String {
        let mut line = String::new();
        for (position, field) in fields.iter().enumerate() {
            self.separate(&mut line, position);
            self.text(&mut line, &field.name);
        }
        line + "\n"
    }

    /// Columns of the same rows, as lines.
    pub(crate) fn rows(self, fields: &[Field], columns: &[AnyColumn]) -> Result<String> {
        check(fields)?;
        let mut lines = String::new();
        for row in 0..columns.first().map_or(0, AnyColumn::len) {
            for (position, (field, column)) in fields.iter().zip(columns).enumerate() {
                self.separate(&mut lines, position);
                let is_null =
                    !self.cell(&mut lines, column, row).map_err(|reason| Error::invalid(&field.name, reason))?;
                if is_null && columns.len() == 1 {
                    lines.push_str("\"\"");
                }
            }
            lines.push('\n');
        }
        Ok(lines)
    }

    fn separate(self, line: &mut String, position: usize) {
        if position > 0 {
            line.push(char::from(self.delimiter));
        }
    }

    /// Adds the value of a row; false if there is none.
    fn cell(self, line: &mut String, column: &AnyColumn, row: usize) -> Result<bool, String> {
        let written = match column {
            AnyColumn::Text(column) => {
                let Some(text) = column.get(row) else { return Ok(false) };
                self.text(line, text);
                return Ok(true);
            }
            AnyColumn::Boolean(column) => column.get(row).map(bool::to_string),
            AnyColumn::Int64(column) => column.get(row).map(i64::to_string),
            // `{:?}` is the shortest text that reads back to the same bits, with an exponent where that is shorter.
            AnyColumn::Float32(column) => column.get(row).map(|value| format!("{value:?}")),
            AnyColumn::Float64(column) => column.get(row).map(|value| format!("{value:?}")),
            AnyColumn::Timestamp(column) => column.get(row).map(|value| instant(*value)).transpose()?,
            AnyColumn::Date(column) => column.get(row).map(|value| day(*value)).transpose()?,
            AnyColumn::Bytes(_) | AnyColumn::Vector(..) => return Err("has no form in CSV".into()),
        };
        // With a delimiter such as `-` or `.` a number must be quoted too.
        written.as_deref().inspect(|text| self.text(line, text));
        Ok(written.is_some())
    }

    fn text(self, line: &mut String, text: &str) {
        let is_special = |byte: u8| byte == self.delimiter || matches!(byte, b'"' | b'\n' | b'\r');
        if !text.is_empty() && !text.bytes().any(is_special) {
            return line.push_str(text);
        }
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    }
}

/// `2024-02-29`.
fn day(Date(days): Date) -> Result<String, String> {
    let (year, month, day) = civil(i64::from(days));
    match year {
        0..=9999 => Ok(format!("{year:04}-{month:02}-{day:02}")),
        _ => Err(format!("expected a day of the years 0 to 9999, got one of {year}")),
    }
}

/// `2024-02-29T12:30:00Z`, with six digits of a second where they are not zero.
fn instant(Timestamp(micros): Timestamp) -> Result<String, String> {
    const DAY: i64 = 86_400_000_000;
    let date = day(Date(i32::try_from(micros.div_euclid(DAY)).map_err(|error| error.to_string())?))?;
    let (seconds, rest) = (micros.rem_euclid(DAY) / 1_000_000, micros.rem_euclid(1_000_000));
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:06}") };
    Ok(format!("{date}T{:02}:{:02}:{:02}{fraction}Z", seconds / 3600, seconds / 60 % 60, seconds % 60))
}

/// Year, month and day of a day counted from 1970-01-01, in years that begin in March, so that the leap day is the last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Style = Style { delimiter: b',' };

    fn lines(style: Style, columns: Vec<AnyColumn>) -> Result<String> {
        let field = |(i, column): (usize, &AnyColumn)| Field::new(format!("c{i}"), column.data_type());
        let fields: Vec<_> = columns.iter().enumerate().map(field).collect();
        style.rows(&fields, &columns)
    }

    #[test]
    fn texts_are_quoted_where_they_must_be() {
        let texts =
            vec![Some("plain"), Some("a,b"), Some("say \"x\""), Some("two\nlines"), Some(""), None, Some(" é ")];
        let texts: Vec<_> = texts.into_iter().map(|text| text.map(str::to_owned)).collect();
        let ones = vec![1_i64; texts.len()];
        let written = lines(COMMA, vec![texts.into(), ones.into()]).unwrap();
        let expected = "plain,1\n\"a,b\",1\n\"say \"\"x\"\"\",1\n\"two\nlines\",1\n\"\",1\n,1\n é ,1\n";
        assert_eq!(written, expected);
        let header = COMMA.header(&[Field::new("a,b", DataType::Text), Field::new("c", DataType::Int64)]);
        assert_eq!(header, "\"a,b\",c\n");
    }

    #[test]
    fn a_delimiter_within_a_number_is_quoted() {
        let written = lines(Style { delimiter: b'-' }, vec![vec![-1_i64, 2].into(), vec![0.5, -2.5].into()]).unwrap();
        assert_eq!(written, "\"-1\"-0.5\n2-\"-2.5\"\n");
    }

    #[test]
    fn a_null_alone_on_its_line_is_quoted() {
        assert_eq!(lines(COMMA, vec![vec![Some(1_i64), None].into()]).unwrap(), "1\n\"\"\n");
        assert_eq!(lines(COMMA, vec![vec![None, Some(true)].into(), vec![1_i64, 2].into()]).unwrap(), ",1\ntrue,2\n");
    }

    #[test]
    fn floats_read_back_to_the_same_bits() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let random = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f64::from_bits(state)
        });
        let edges =
            [0.0, -0.0, 0.1, 1e300, 5e-324, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY, 1e23];
        let floats: Vec<f64> = edges.into_iter().chain(random.filter(|float| !float.is_nan()).take(10_000)).collect();
        let written = lines(COMMA, vec![floats.clone().into()]).unwrap();
        let read: Vec<u64> = written.lines().map(|line| line.parse::<f64>().unwrap().to_bits()).collect();
        assert_eq!(read, floats.iter().map(|float| float.to_bits()).collect::<Vec<_>>());
        let singles: Vec<f32> = floats.iter().map(|float| *float as f32).collect();
        let written = lines(COMMA, vec![singles.clone().into()]).unwrap();
        let read: Vec<u32> = written.lines().map(|line| line.parse::<f32>().unwrap().to_bits()).collect();
        assert_eq!(read, singles.iter().map(|float| float.to_bits()).collect::<Vec<_>>());
    }

    #[test]
    fn days_and_instants() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (11_016, "2000-02-29"),
            (20_088, "2024-12-31"),
            (-1, "1969-12-31"),
            (-719_162, "0001-01-01"),
            (2_932_896, "9999-12-31"),
        ] {
            assert_eq!(day(Date(days)).as_deref(), Ok(expected));
        }
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_500_000, "1970-01-01T00:00:01.500000Z"),
            (1_735_689_599_000_000, "2024-12-31T23:59:59Z"),
        ] {
            assert_eq!(instant(Timestamp(micros)).as_deref(), Ok(expected));
        }
        for beyond in [i64::MIN, i64::MAX, 253_402_300_800_000_000] {
            assert!(instant(Timestamp(beyond)).is_err(), "{beyond}");
        }
        assert!(day(Date(i32::MAX)).is_err() && day(Date(i32::MIN)).is_err());
    }

    #[test]
    fn what_has_no_form_is_refused() {
        for data_type in [DataType::Bytes, DataType::Vector(3)] {
            assert!(check(&[Field::new("x", data_type)]).is_err());
        }
        assert!(check(&[Field::new("x", DataType::Date)]).is_ok());
    }
}
