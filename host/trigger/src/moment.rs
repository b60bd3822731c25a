//! `2026-03-01`, `2026-03-01T06:00` or `2026-03-01T06:00:00+01:00` -> when that begins and ends in a zone.

use crate::YEAR_MAX;
use crate::expression::shown;
use crate::zone::{DAY, Zone};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use types::Problem;

/// A day, a wall-clock time or an instant, as a person writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Day(NaiveDate),
    Wall(NaiveDateTime),
    Instant(DateTime<chrono::FixedOffset>),
}

/// Longer than any that is meant.
const BYTES_MAX: usize = 64;

impl Moment {
    /// Reads a date, or a date and a time of day, with or without its distance to UTC.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let kind = (text.len() <= BYTES_MAX).then(|| read(&text.trim().replacen(' ', "T", 1))).flatten();
        match kind {
            Some(kind) if (1970..=YEAR_MAX).contains(&kind.year()) => Ok(Self(kind)),
            Some(_) => Err(Problem::new(format!("`{}` is not in the years 1970 to {YEAR_MAX}", shown(text)))),
            None => {
                let forms = "a date such as 2026-03-01, also with a time: 2026-03-01T06:00:00, or 2026-03-01T06:00:00Z";
                Err(Problem::new(format!("`{}` is no point in time, expected {forms}", shown(text))))
            }
        }
    }

    /// Its first microsecond: of a day its midnight, of a time that comes twice the first.
    pub fn begins_us(&self, zone: Zone) -> i64 {
        match self.0 {
            Kind::Day(day) => micros(zone.showing(seconds(day.and_time(NaiveTime::MIN))).0),
            Kind::Wall(time) => micros(zone.showing(seconds(time)).0),
            Kind::Instant(time) => time.timestamp_micros(),
        }
    }

    /// Its last microsecond: of a day the one before the next day, of a time that comes twice the second.
    pub fn ends_us(&self, zone: Zone) -> i64 {
        match self.0 {
            Kind::Day(day) => micros(zone.showing(seconds(day.and_time(NaiveTime::MIN)) + DAY).0) - 1,
            Kind::Wall(time) => micros(zone.showing(seconds(time)).1),
            Kind::Instant(time) => time.timestamp_micros(),
        }
    }
}

impl Kind {
    fn year(&self) -> i32 {
        match self {
            Self::Day(day) => day.year(),
            Self::Wall(time) => time.year(),
            Self::Instant(time) => time.year(),
        }
    }
}

fn read(text: &str) -> Option<Kind> {
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Kind::Day);
    let wall = |form| NaiveDateTime::parse_from_str(text, form).ok().map(Kind::Wall);
    let instant = || DateTime::parse_from_rfc3339(text).ok().map(Kind::Instant);
    // Without seconds, which RFC 3339 wants.
    let short = || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%#z").ok().map(Kind::Instant);
    let walls = || wall("%Y-%m-%dT%H:%M").or_else(|| wall("%Y-%m-%dT%H:%M:%S"));
    day().or_else(walls).or_else(instant).or_else(short)
}

fn seconds(wall: NaiveDateTime) -> i64 {
    wall.and_utc().timestamp()
}

fn micros(seconds: i64) -> i64 {
    seconds * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_begins_and_ends() {
        let utc = |us: i64| DateTime::from_timestamp_micros(us).unwrap().format("%F %T%.f").to_string();
        for (zone, text, begins, ends) in [
            ("UTC", "2026-03-01", "2026-03-01 00:00:00", "2026-03-01 23:59:59.999999"),
            ("Europe/Berlin", "2026-03-29", "2026-03-28 23:00:00", "2026-03-29 21:59:59.999999"),
            ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:00:00", "2026-03-29 01:00:00"),
            ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25 00:30:00", "2026-10-25 01:30:00"),
            ("Europe/Berlin", "2026-03-01T06:00:00+03:00", "2026-03-01 03:00:00", "2026-03-01 03:00:00"),
            ("Europe/Berlin", "2026-03-01T06:00Z", "2026-03-01 06:00:00", "2026-03-01 06:00:00"),
            ("Europe/Berlin", "2026-03-01 06:00+03:00", "2026-03-01 03:00:00", "2026-03-01 03:00:00"),
            ("Europe/Berlin", "2026-03-01T06:00:00Z", "2026-03-01 06:00:00", "2026-03-01 06:00:00"),
            ("Pacific/Apia", "2011-12-29", "2011-12-29 10:00:00", "2011-12-30 09:59:59.999999"),
            ("Pacific/Apia", "2011-12-30", "2011-12-30 10:00:00", "2011-12-30 09:59:59.999999"),
        ] {
            let (moment, zone) = (Moment::parse(text).unwrap(), Zone::parse(zone).unwrap());
            assert_eq!(
                (utc(moment.begins_us(zone)), utc(moment.ends_us(zone))),
                (begins.into(), ends.into()),
                "{text}"
            );
        }
        for wrong in ["", "now", "2026-02-30", "2026-3", "06:00", "1969-12-31", "2100-01-01", &"2".repeat(100)] {
            assert!(Moment::parse(wrong).is_err(), "{wrong}");
        }
    }
}
