//! Instants against a reader of clocks: minute by minute of UTC, what the clock on the wall shows, and by hand what should
//! come of it. Over odd zones, most often near a change of their clocks; and from any point in the middle.

use crate::support::schedule;
use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Timelike};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use trigger::{Draft, Fold, Gap, Instant, Oddity};

const ZONES: [&str; 8] = [
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Pacific/Apia",
    "Antarctica/Troll",
    "America/St_Johns",
];

fn offset(zone: &str, at: i64) -> i64 {
    let zone: chrono_tz::Tz = zone.parse().unwrap();
    let at = DateTime::from_timestamp(at, 0).unwrap().naive_utc();
    zone.offset_from_utc_datetime(&at).fix().local_minus_utc().into()
}

/// Days in which clocks change, from 2005 to 2040, a list a zone.
static CHANGES: LazyLock<Vec<Vec<i64>>> = LazyLock::new(|| {
    let changes = |day: &i64| ZONES.map(|zone| offset(zone, day * 86_400) != offset(zone, (day + 1) * 86_400));
    let days: Vec<_> = (12_784..25_900).map(|day| (day, changes(&day))).collect();
    let of_zone = |zone: usize| days.iter().filter(|(_, changes)| changes[zone]).map(|(day, _)| *day).collect();
    (0..ZONES.len()).map(of_zone).collect()
});

/// A field as it is written, and a second reading of it.
#[derive(Debug, Clone)]
struct Written {
    text: String,
    values: Vec<u32>,
}

impl Written {
    fn starred(&self) -> bool {
        self.text.starts_with('*')
    }

    fn has(&self, value: u32) -> bool {
        self.values.contains(&value)
    }
}

fn field(low: u32, high: u32) -> impl Strategy<Value = Written> {
    let values =
        move |from: u32, to: u32, step: u32| (from..=to).filter(move |value| (value - from).is_multiple_of(step));
    let star = Just(Written { text: "*".to_owned(), values: (low..=high).collect() });
    let every = (1..=high - low)
        .prop_map(move |step| Written { text: format!("*/{step}"), values: values(low, high, step).collect() });
    let one = (low..=high).prop_map(|value| Written { text: value.to_string(), values: vec![value] });
    let range = (low..=high, low..=high, 1..=4_u32).prop_map(move |(a, b, step)| {
        let (from, to) = (a.min(b), a.max(b));
        Written { text: format!("{from}-{to}/{step}"), values: values(from, to, step).collect() }
    });
    let list = proptest::collection::vec(low..=high, 1..4).prop_map(|values| {
        let texts: Vec<_> = values.iter().map(u32::to_string).collect();
        Written { text: texts.join(","), values }
    });
    prop_oneof![4 => star, 2 => every, 2 => one, 1 => range, 1 => list]
}

/// Minute, hour, day, month, weekday. Hours lean to the night, when clocks change.
fn cron() -> impl Strategy<Value = [Written; 5]> {
    let hour = prop_oneof![2 => field(0, 23), 3 => field(0, 4)];
    let often = |field: BoxedStrategy<Written>, high: u32, low: u32| {
        let star = Written { text: "*".to_owned(), values: (low..=high).collect() };
        prop_oneof![3 => Just(star), 1 => field].boxed()
    };
    let (day, month) = (often(field(1, 31).boxed(), 31, 1), often(field(1, 12).boxed(), 12, 1));
    // `*` in `field(0, 4)` means other hours than a text `*` would: written out, it does not.
    let hour = hour.prop_map(|hour| match hour.starred() && !hour.has(5) && hour.values.len() < 24 {
        true => Written { text: hour.values.iter().map(u32::to_string).collect::<Vec<_>>().join(","), ..hour },
        false => hour,
    });
    let weekday = often(field(0, 6).boxed(), 6, 0);
    (field(0, 59), hour, day, month, weekday)
        .prop_map(|(minute, hour, day, month, weekday)| [minute, hour, day, month, weekday])
}

struct Oracle<'a> {
    cron: &'a [Written; 5],
    zone: &'static str,
    gap: Option<Gap>,
    fold: Option<Fold>,
}

/// An instant as the oracle finds it: second of UTC, second on the wall, oddity.
type Found = (i64, i64, Option<Oddity>);

impl Oracle<'_> {
    fn matches(&self, local: i64) -> bool {
        let [minute, hour, day, month, weekday] = self.cron;
        let time = DateTime::from_timestamp(local, 0).unwrap();
        let (of_month, of_week) = (day.has(time.day()), weekday.has(time.weekday().num_days_from_sunday()));
        let day = match day.starred() || weekday.starred() {
            true => of_month && of_week,
            false => of_month || of_week,
        };
        day && month.has(time.month()) && hour.has(time.hour()) && minute.has(time.minute())
    }

    fn is_rhythm(&self) -> bool {
        let distinct = |written: &Written, most: u32| (0..most).filter(|value| written.has(*value)).count();
        distinct(&self.cron[1], 24) == 24 || distinct(&self.cron[0], 60) > 1
    }

    /// The instants from one second to another.
    fn instants(&self, from: i64, to: i64) -> Vec<Found> {
        // A day and more around, so that whatever repeats or is left out is seen.
        let minutes = (from - 90_000..=to + 90_000).step_by(60);
        let shown: Vec<_> = minutes.map(|at| (at, at + offset(self.zone, at))).collect();
        let mut times: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        shown.iter().for_each(|(at, local)| times.entry(*local).or_default().push(*at));
        let mut found = Vec::new();
        for pair in shown.windows(2) {
            let ((_, before), (at, local)) = (pair[0], pair[1]);
            let moved = self.made_up(before + 60, local);
            let own = self.matches(local).then(|| self.pass(at, &times[&local])).flatten();
            let oddity = match (moved, own) {
                (Some(from), _) => Some(Oddity::Moved { from }),
                (None, Some(own)) => own,
                (None, None) => continue,
            };
            if (from..=to).contains(&at) {
                found.push((at, local, oddity));
            }
        }
        found
    }

    /// The first time among those that are left out, if they are made up for.
    fn made_up(&self, from: i64, to: i64) -> Option<NaiveDateTime> {
        let first = (from..to).step_by(60).find(|local| self.matches(*local))?;
        let goes_on = (to..to + (to - from)).step_by(60).any(|local| self.matches(local));
        let made_up = match self.gap {
            Some(gap) => gap == Gap::Next,
            None => !(self.is_rhythm() && goes_on),
        };
        made_up.then(|| DateTime::from_timestamp(first, 0).unwrap().naive_utc())
    }

    /// What is odd at a time that comes at these instants; none if it does not run at this one.
    fn pass(&self, at: i64, all: &[i64]) -> Option<Option<Oddity>> {
        let twice = self.fold.unwrap_or(if self.is_rhythm() { Fold::Twice } else { Fold::Once }) == Fold::Twice;
        match (all.len(), all[0] == at) {
            (1, _) => Some(None),
            (_, first) if twice => Some(Some(if first { Oddity::First } else { Oddity::Second })),
            (_, true) => Some(Some(Oddity::Once)),
            (_, false) => None,
        }
    }
}

fn found(instant: &Instant) -> Found {
    (instant.at_us / 1_000_000, instant.local.naive_local().and_utc().timestamp(), instant.oddity)
}

prop_compose! {
    /// A zone, and a span of a few days in it, most often round a change.
    fn span()(zone in 0..ZONES.len(), near in 0..4_u8, which in any::<proptest::sample::Index>(), day in 12_784..25_900_i64, days in 1..4_i64)
        -> (&'static str, i64, i64) {
        let changes = &CHANGES[zone];
        let day = if near > 0 && !changes.is_empty() { *which.get(changes) - days / 2 } else { day };
        (ZONES[zone], day * 86_400, (day + days) * 86_400)
    }
}

fn gap() -> impl Strategy<Value = Option<Gap>> {
    prop_oneof![2 => Just(None), 1 => Just(Some(Gap::Next)), 1 => Just(Some(Gap::Skip))]
}

fn fold() -> impl Strategy<Value = Option<Fold>> {
    prop_oneof![2 => Just(None), 1 => Just(Some(Fold::Once)), 1 => Just(Some(Fold::Twice))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn instants_are_what_clocks_show((zone, from, to) in span(), cron in cron(), gap in gap(), fold in fold(), cuts in proptest::collection::vec(0.0..1.0_f64, 4)) {
        let text = cron.each_ref().map(|field| field.text.as_str()).join(" ");
        prop_assume!(trigger::Expression::parse(&text).is_ok());
        let schedule = schedule(&text, zone, Draft { gap, fold, ..Draft::default() });
        let (from_us, to_us) = (from * 1_000_000, to * 1_000_000);
        let all: Vec<_> = schedule.instants(from_us - 1, to_us).collect();
        prop_assert!(all.windows(2).all(|pair| pair[0].at_us < pair[1].at_us), "{text}: {all:?}");
        let expected = Oracle { cron: &cron, zone, gap, fold }.instants(from, to);
        let got: Vec<_> = all.iter().map(found).collect();
        prop_assert_eq!(got, expected, "{} in {}", text, zone);
        // From anywhere in the middle, and from each instant: the rest, and nothing else.
        let middles = cuts.iter().map(|cut| from_us + ((to_us - from_us) as f64 * cut) as i64);
        for after in middles.chain(all.iter().step_by(1 + all.len() / 8).map(|instant| instant.at_us)) {
            let rest: Vec<_> = all.iter().filter(|instant| instant.at_us > after).copied().collect();
            prop_assert_eq!(schedule.instants(after, to_us).collect::<Vec<_>>(), rest, "{} after {}", text, after);
        }
    }

    #[test]
    fn far_apart_instants_are_found((zone, from, _) in span(), day in 1..32_u32, month in 1..13_u32, years in 1..12_i64) {
        let text = format!("30 2 {day} {month} *");
        prop_assume!(trigger::Expression::parse(&text).is_ok());
        let schedule = schedule(&text, zone, Draft::default());
        let to = from + years * 366 * 86_400;
        let days: Vec<_> = schedule.instants(from * 1_000_000, to * 1_000_000).map(|instant| instant.at_us / 86_400_000_000).collect();
        // Each such day once, but that of Apia that never was; at the edges, zones decide.
        let is_such = |at: &i64| { let time = DateTime::from_timestamp(*at, 0).unwrap(); (time.day(), time.month()) == (day, month) };
        let expected = (from..to).step_by(86_400).filter(is_such).count();
        prop_assert!(days.len().abs_diff(expected) <= 1, "{}: {} for {}", text, days.len(), expected);
    }
}
