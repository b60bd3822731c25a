//! A name of the IANA database -> how far its clocks stand from UTC, and when they change.

use chrono::{DateTime, FixedOffset, Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use std::fmt;
use std::ops::Range;

pub(crate) const DAY: i64 = 86_400;

/// A time zone. Shown by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

/// Clocks are changed: at this second, from one distance to UTC to another, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) at: i64,
    pub(crate) before: i64,
    pub(crate) after: i64,
}

/// Which of two instants with the same wall-clock time one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    First,
    Second,
}

impl Zone {
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of exactly this name, such as `Europe/Berlin`.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// All names that there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TZ_VARIANTS.iter().map(|zone| zone.name())
    }

    /// The zone that has this as its last part in any case: `berlin` is meant as `Europe/Berlin`.
    pub fn of_city(city: &str) -> Option<&'static str> {
        let city = city.trim().replace(' ', "_");
        let is_city = |name: &&str| name.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&city));
        Self::names().find(is_city)
    }

    /// Seconds by which its clocks are ahead of UTC then.
    pub(crate) fn offset(self, at: i64) -> i64 {
        let at = DateTime::from_timestamp(at, 0).unwrap_or_default();
        self.0.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc().into()
    }

    /// The instant as its clocks show it.
    pub(crate) fn local(self, at_us: i64) -> DateTime<FixedOffset> {
        let at = DateTime::from_timestamp_micros(at_us).unwrap_or_default();
        at.with_timezone(&self.0).fixed_offset()
    }

    /// The change in a day of UTC, counted from 1970. Since then no zone has two within six days.
    pub(crate) fn change_in(self, day: i64) -> Option<Change> {
        self.change_between(day * DAY - 1..(day + 1) * DAY - 1)
    }

    /// The change after the start and not after the end, if the two differ.
    fn change_between(self, span: Range<i64>) -> Option<Change> {
        let (before, after) = (self.offset(span.start), self.offset(span.end));
        let (mut low, mut high) = (span.start, span.end);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match self.offset(middle) == before {
                true => low = middle,
                false => high = middle,
            }
        }
        (before != after).then_some(Change { at: high, before, after })
    }

    /// The first and the last second at which its clocks show this time; where they never do, when they jump over it.
    pub(crate) fn showing(self, local: i64) -> (i64, i64) {
        let (from, to) = (local - DAY, local + DAY);
        let candidates = [self.offset(from), self.offset(to)].map(|offset| local - offset);
        let shows = |at: &i64| at + self.offset(*at) == local;
        let (first, last) =
            (candidates.iter().copied().filter(shows).min(), candidates.into_iter().filter(shows).max());
        match (first, last) {
            (Some(first), Some(last)) => (first, last),
            _ => {
                let jump = self.change_between(from..to).map_or(local, |change| change.at);
                (jump, jump)
            }
        }
    }
}

impl Change {
    /// The wall-clock times that it leaves out; empty unless clocks go forward.
    pub(crate) fn gap(self) -> Range<i64> {
        self.at + self.before..self.at + self.after
    }

    /// Whether the instant's wall-clock time comes twice because of it.
    pub(crate) fn pass(self, at: i64) -> Option<Pass> {
        let back = self.before - self.after;
        if (self.at - back..self.at).contains(&at) {
            return Some(Pass::First);
        }
        (self.at..self.at + back).contains(&at).then_some(Pass::Second)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_found_to_the_second() {
        let change = |zone: &str, day| Zone::parse(zone).unwrap().change_in(day);
        // 2026-03-29 01:00 UTC.
        let berlin = Change { at: 1_774_746_000, before: 3_600, after: 7_200 };
        assert_eq!(change("Europe/Berlin", 20_541), Some(berlin));
        assert_eq!((change("Europe/Berlin", 20_540), change("Europe/Berlin", 20_542)), (None, None));
        // The end of 2011-12-29 in Apia is the beginning of the 31st.
        let apia = Change { at: 1_325_239_200, before: -10 * 3_600, after: 14 * 3_600 };
        assert_eq!(change("Pacific/Apia", 15_338), Some(apia));
        // Liberia gave up 44 minutes and 30 seconds.
        assert_eq!(change("Africa/Monrovia", 736).map(|change| (change.at, change.before)), Some((63_593_070, -2_670)));
        assert_eq!(change("Asia/Kolkata", 20_541), None);
    }

    #[test]
    fn wall_clock_times_that_come_never_or_twice() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let local = |text: &str| chrono::NaiveDateTime::parse_from_str(text, "%F %R").unwrap().and_utc().timestamp();
        assert_eq!(berlin.showing(local("2026-03-29 02:30")), (1_774_746_000, 1_774_746_000));
        assert_eq!(berlin.showing(local("2026-10-25 02:30")), (1_792_888_200, 1_792_891_800));
        assert_eq!(berlin.showing(local("2026-10-25 03:30")), (1_792_895_400, 1_792_895_400));
    }

    /// Of those whose clocks change most and oddest; seen by the hour, so that no pair of changes within a day could hide.
    #[test]
    fn no_zone_changes_twice_within_a_day() {
        for name in ["Africa/Casablanca", "Pacific/Apia", "Antarctica/Troll", "Australia/Lord_Howe", "Africa/Cairo"] {
            let zone = Zone::parse(name).unwrap();
            let mut last: Option<i64> = None;
            for hour in 1..131 * 366 * 24_i64 {
                if zone.offset(hour * 3_600) != zone.offset(hour * 3_600 - 3_600) {
                    let near = last.replace(hour).is_some_and(|last| hour - last < 48);
                    assert!(!near, "{name} at {hour}");
                }
            }
        }
    }

    #[test]
    fn cities_are_found() {
        assert_eq!(Zone::of_city("berlin"), Some("Europe/Berlin"));
        assert_eq!(Zone::of_city("New York"), Some("America/New_York"));
        assert_eq!(Zone::of_city("Atlantis"), None);
        assert_eq!(Zone::parse("europe/berlin"), None);
        assert!(Zone::names().all(|name| Zone::parse(name).is_some()));
    }
}
