//! `30 6 * * 1-5` -> the values of its five fields; or what is wrong with it, which field, and what to write instead.
//!
//! The syntax is Vixie cron's: lists, ranges, steps, names of months and weekdays in any case, Sunday as 0 or 7, and the
//! nicknames. If neither the day of the month nor the day of the week begins with `*`, a day that matches *either* counts;
//! else it must match both. So `0 6 13 * 5` is every 13th and every Friday, and `0 6 */2 * 1` the Mondays that are odd days.

use crate::field::{FIELDS, Values};
use std::fmt;
use types::Problem;

/// More than the longest that says something.
const CHARS_MAX: usize = 256;

/// Words for expressions.
pub const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A checked cron expression: one that comes, on some day of some year. Shown as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    text: String,
    pub(crate) minutes: Values,
    pub(crate) hours: Values,
    pub(crate) days: Values,
    pub(crate) months: Values,
    pub(crate) weekdays: Values,
    /// Whether a day counts that matches one of `days` and `weekdays`.
    pub(crate) either: bool,
}

impl Expression {
    /// Reads five fields or a nickname.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > CHARS_MAX {
            return Err(Problem::new(format!("the cron expression is longer than {CHARS_MAX} bytes")));
        }
        let fields = nickname(text)?.unwrap_or(text);
        let written: Vec<&str> = fields.split_ascii_whitespace().collect();
        let Ok(written): Result<[&str; 5], _> = written.as_slice().try_into() else {
            return Err(miscounted(&written));
        };
        let read = |index: usize| FIELDS[index].read(written[index]);
        let expression = Self {
            text: text.trim().to_owned(),
            minutes: read(0)?,
            hours: read(1)?,
            days: read(2)?,
            months: read(3)?,
            weekdays: read(4)?,
            either: !written[2].starts_with('*') && !written[4].starts_with('*'),
        };
        if expression.never_comes() {
            let hint = "no such month has that day; name a day that exists";
            return Err(Problem::new(format!("`{}` never comes", shown(text))).hinted(hint));
        }
        Ok(expression)
    }

    /// Whether it goes by real time: it runs every hour, or several times within an hour.
    pub(crate) fn is_rhythm(&self) -> bool {
        self.hours == FIELDS[1].all() || self.minutes.len() > 1
    }

    /// In leap years too.
    fn never_comes(&self) -> bool {
        let days = |month: u8| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let first = self.days.iter().next().unwrap_or(u8::MAX);
        !self.either && self.months.iter().all(|month| first > days(month))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a nickname stands for; none if the text is none.
fn nickname(text: &str) -> Result<Option<&'static str>, Problem> {
    let word = text.trim();
    if !word.starts_with('@') {
        return Ok(None);
    }
    if let Some((_, fields)) = NICKNAMES.iter().find(|(name, _)| *name == word) {
        return Ok(Some(fields));
    }
    let names: Vec<_> = NICKNAMES.iter().map(|(name, _)| format!("`{name}`")).collect();
    let names = names.join(", ");
    let hint = match word.split_ascii_whitespace().next() {
        Some("@reboot") => "a schedule is a matter of time; a server that starts makes up for what it missed",
        Some("@every") => "write it as fields: every five minutes is `*/5 * * * *`",
        _ => return Err(Problem::new(format!("`{}` is no nickname, expected one of {names}", shown(word)))),
    };
    Err(Problem::new(format!("`{}` is not supported, expected five fields or one of {names}", shown(word)))
        .hinted(hint))
}

fn miscounted(written: &[&str]) -> Problem {
    let order = "minute, hour, day of the month, month, day of the week";
    let fields = if written.len() == 1 { "field" } else { "fields" };
    let problem = Problem::new(format!("the cron expression has {} {fields}, expected 5: {order}", written.len()));
    match written {
        [_, rest @ ..] if rest.len() == 5 => {
            problem.hinted(format!("seconds are not part of it: write `{}`", shown(&rest.join(" "))))
        }
        [_, rest @ .., _] if rest.len() == 5 => {
            problem.hinted(format!("seconds and years are not part of it: write `{}`", shown(&rest.join(" "))))
        }
        _ => problem.hinted("`0 6 * * 1-5` is 06:00 from Monday to Friday"),
    }
}

/// A text of the user's inside a message: one line, not too long.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, index: usize) -> Vec<u8> {
        let read = Expression::parse(text).unwrap();
        [read.minutes, read.hours, read.days, read.months, read.weekdays][index].iter().collect()
    }

    #[test]
    fn fields_are_read_as_people_write_them() {
        let cases: [(&str, usize, &[u8]); 16] = [
            ("5 * * * *", 0, &[5]),
            ("05,07 * * * *", 0, &[5, 7]),
            ("*/20 * * * *", 0, &[0, 20, 40]),
            ("10-14/2 * * * *", 0, &[10, 12, 14]),
            ("*/59 * * * *", 0, &[0, 59]),
            ("0 22-23,0-2 * * *", 1, &[0, 1, 2, 22, 23]),
            ("0 0 1,31 * *", 2, &[1, 31]),
            ("0 0 1 jan,Jun-AUG *", 3, &[1, 6, 7, 8]),
            ("0 0 * * 1-5", 4, &[1, 2, 3, 4, 5]),
            ("0 0 * * 0", 4, &[0]),
            ("0 0 * * 7", 4, &[0]),
            ("0 0 * * 5-7", 4, &[0, 5, 6]),
            ("0 0 * * sat-sun", 4, &[0, 6]),
            ("0 0 * * */2", 4, &[0, 2, 4, 6]),
            ("@weekly", 4, &[0]),
            (" 0\t0 *  * MON ", 4, &[1]),
        ];
        for (text, index, expected) in cases {
            assert_eq!(values(text, index), expected, "{text}");
        }
        for (name, fields) in NICKNAMES {
            let (name, fields) = (Expression::parse(name).unwrap(), Expression::parse(fields).unwrap());
            assert_eq!((name.minutes, name.hours, name.days), (fields.minutes, fields.hours, fields.days));
        }
        assert_eq!(Expression::parse(" @daily ").unwrap().to_string(), "@daily");
    }

    #[test]
    fn days_count_by_either_field_unless_one_begins_with_a_star() {
        for (text, either) in [
            ("0 0 13 * 5", true),
            ("0 0 1-31 * 5", true),
            ("0 0 * * 5", false),
            ("0 0 13 * *", false),
            ("0 0 */2 * 1", false),
            ("0 0 13 * */2", false),
        ] {
            assert_eq!(Expression::parse(text).unwrap().either, either, "{text}");
        }
    }

    #[test]
    fn a_rhythm_runs_hourly_or_several_times_an_hour() {
        for (text, rhythm) in [
            ("@hourly", true),
            ("15 0-23 * * *", true),
            ("15 */1 * * *", true),
            ("*/15 1-3 * * *", true),
            ("0,30 1 * * *", true),
            ("30 2 * * *", false),
            ("0 */2 * * *", false),
            ("0 1-3 * * *", false),
        ] {
            assert_eq!(Expression::parse(text).unwrap().is_rhythm(), rhythm, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_names_the_field() {
        for (text, message, hint) in [
            ("60 * * * *", "the minute is `60`, expected 0 to 59", ""),
            ("-1 * * * *", "the minute is `-1`, expected 0 to 59", ""),
            ("* 24 * * *", "the hour is `24`, expected 0 to 23", ""),
            ("* * 0 * *", "the day of the month is `0`, expected 1 to 31", ""),
            ("* * * 13 *", "the month is `13`, expected 1 to 12 or jan to dec", ""),
            ("* * * june *", "the month is `june`, expected 1 to 12 or jan to dec", ""),
            ("* * * * 8", "the day of the week is `8`, expected 0 to 7 or sun to sat", ""),
            ("* * * * 100", "the day of the week is `100`, expected 0 to 7 or sun to sat", ""),
            ("1, * * * *", "the minute is `1,`, expected a value on both sides of each comma", ""),
            ("*/0 * * * *", "the minute is `*/0`, expected a step of 1 to 59", ""),
            ("*/60 * * * *", "the minute is `*/60`, expected a step of 1 to 59", ""),
            ("*/ * * * *", "the minute is `*/`, expected a step of 1 to 59", ""),
            ("5/15 * * * *", "the minute is `5/15`, a step follows `*` or a range", "write where it ends: `5-59/15`"),
            ("* 22-2 * * *", "the hour is `22-2`, expected a range from low to high", "write it as two: `22-23,0-2`"),
            (
                "0 0 * * fri-mon",
                "the day of the week is `fri-mon`, expected a range from low to high",
                "write it as two: `5-6,0-1`",
            ),
            ("0 0 ? * 1", "the day of the month is `?`, expected 1 to 31", "`?` is not part of cron: write `*`"),
            (
                "0 0 L * *",
                "the day of the month is `L`, expected 1 to 31",
                "`L`, the last day, is not part of cron: run on day 1 for the month before",
            ),
            (
                "0 0 15W * *",
                "the day of the month is `15W`, expected 1 to 31",
                "`W`, the nearest working day, is not part of cron: write days 1-5",
            ),
            (
                "0 0 * * FRI#2",
                "the day of the week is `FRI#2`, expected 0 to 7 or sun to sat",
                "`#`, the nth weekday of a month, is not part of cron: run weekly and let a step decide",
            ),
        ] {
            let problem = Expression::parse(text).unwrap_err();
            assert_eq!((problem.message.as_str(), problem.hint.as_deref().unwrap_or("")), (message, hint), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_at_all() {
        let order = "expected 5: minute, hour, day of the month, month, day of the week";
        let names = "`@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`";
        let example = "`0 6 * * 1-5` is 06:00 from Monday to Friday";
        for (text, message, hint) in [
            ("", format!("the cron expression has 0 fields, {order}"), example),
            ("*", format!("the cron expression has 1 field, {order}"), example),
            (
                "0 30 6 * * 1",
                format!("the cron expression has 6 fields, {order}"),
                "seconds are not part of it: write `30 6 * * 1`",
            ),
            (
                "0 30 6 * * 1 2030",
                format!("the cron expression has 7 fields, {order}"),
                "seconds and years are not part of it: write `30 6 * * 1`",
            ),
            (
                "@reboot",
                format!("`@reboot` is not supported, expected five fields or one of {names}"),
                "a schedule is a matter of time; a server that starts makes up for what it missed",
            ),
            (
                "@every 5m",
                format!("`@every 5m` is not supported, expected five fields or one of {names}"),
                "write it as fields: every five minutes is `*/5 * * * *`",
            ),
            ("@dayly", format!("`@dayly` is no nickname, expected one of {names}"), ""),
            ("0 0 31 2 *", "`0 0 31 2 *` never comes".to_owned(), "no such month has that day; name a day that exists"),
            (
                "0 0 31 4,6 *",
                "`0 0 31 4,6 *` never comes".to_owned(),
                "no such month has that day; name a day that exists",
            ),
        ] {
            let problem = Expression::parse(text).unwrap_err();
            assert_eq!((problem.message.as_str(), problem.hint.as_deref().unwrap_or("")), (&*message, hint), "{text}");
        }
        for comes in ["0 0 29 2 *", "0 0 31 2,3 *", "0 0 31 2 1", "0 0 29 2 1"] {
            assert!(Expression::parse(comes).is_ok(), "{comes}");
        }
        assert!(Expression::parse(&"1,".repeat(200)).unwrap_err().message.contains("longer than 256 bytes"));
    }
}
