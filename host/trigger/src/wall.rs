//! An expression -> the wall-clock times that it names, as if no clock were ever changed. The one place that calls `cron`.
//!
//! `cron` is given lists of numbers only, in its own way of counting: seconds first, and weekdays from Sunday = 1. It wants
//! a day to match both of its fields; where either is to count, two of its schedules are merged.

use crate::expression::Expression;
use crate::field::{FIELDS, Values};
use chrono::{DateTime, Utc};
use std::str::FromStr;
use types::Problem;

/// Beyond the last year of `cron`.
const LAST: i64 = 140 * 366 * 86_400;

/// The times of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wall(Vec<cron::Schedule>);

impl Wall {
    /// An error is one of ours: `cron` refuses none of what an [`Expression`] lets through.
    pub(crate) fn new(expression: &Expression) -> Result<Self, Problem> {
        let (days, weekdays) = (list(expression.days, 2), list(expression.weekdays, 4));
        let kinds = match expression.either {
            true => vec![(days, "*".to_owned()), ("*".to_owned(), weekdays)],
            false => vec![(days, weekdays)],
        };
        let (minutes, hours, months) =
            (list(expression.minutes, 0), list(expression.hours, 1), list(expression.months, 3));
        let schedules = kinds.into_iter().map(|(days, weekdays)| {
            cron::Schedule::from_str(&format!("0 {minutes} {hours} {days} {months} {weekdays}"))
        });
        let schedules: Result<Vec<_>, _> = schedules.collect();
        schedules.map(Self).map_err(|error| Problem::new(format!("`{expression}` cannot be counted: {error}")))
    }

    /// The times from this one on, rising, until `cron` knows no further year. A time is seconds since 1970 as the clock on
    /// the wall shows it.
    pub(crate) fn times(&self, from: i64) -> impl Iterator<Item = i64> {
        // `cron` gives what comes after.
        let before = DateTime::<Utc>::from_timestamp(from.clamp(0, LAST) - 1, 0).unwrap_or_default();
        let times = |schedule| cron::Schedule::after(schedule, &before).map(|time| time.timestamp()).peekable();
        let mut kinds: Vec<_> = self.0.iter().map(times).collect();
        std::iter::from_fn(move || {
            let next = kinds.iter_mut().filter_map(|times| times.peek().copied()).min()?;
            for times in &mut kinds {
                times.next_if_eq(&next);
            }
            Some(next)
        })
    }
}

/// The values as `cron` reads them.
fn list(values: Values, index: usize) -> String {
    if values == FIELDS[index].all() {
        return "*".to_owned();
    }
    let of_cron = |value: u8| if index == 4 { value + 1 } else { value };
    values.iter().map(|value| of_cron(value).to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_either_kind_are_merged() {
        // 2026-02-13 is a Friday.
        for (text, expected) in [
            ("0 6 13 2 5", "06 13 20 27"),
            ("0 6 13 2 *", "13"),
            ("0 6 * 2 5", "06 13 20 27"),
            ("0 6 12 2 5", "06 12 13 20 27"),
            ("0 6 */2 2 1", "09 23"),
            ("0 6 * 2 0", "01 08 15 22"),
            ("0 6 * 2 6-7", "01 07 08 14 15 21 22 28"),
        ] {
            let wall = Wall::new(&Expression::parse(text).unwrap()).unwrap();
            let (from, to) = (1_769_904_000, 1_772_323_200);
            let day = |time| DateTime::from_timestamp(time, 0).unwrap().format("%d").to_string();
            let days: Vec<_> = wall.times(from).take_while(|time| *time < to).map(day).collect();
            assert_eq!(days.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn the_first_time_is_included_and_years_end() {
        let wall = Wall::new(&Expression::parse("0 0 29 2 *").unwrap()).unwrap();
        let leap_day = 951_782_400;
        assert_eq!(wall.times(leap_day).next(), Some(leap_day));
        assert_eq!(wall.times(leap_day + 1).next(), Some(1_078_012_800));
        assert_eq!(wall.times(i64::MIN).next(), Some(68_169_600));
        assert_eq!(wall.times(4_200_000_000).next(), None);
        assert_eq!(wall.times(i64::MAX).next(), None);
    }
}
