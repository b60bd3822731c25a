//! A schedule -> its instants. Days of UTC are looked at one by one; what a day holds depends on the day and the schedule
//! alone, so that counting on from any instant gives what counting through would have given.
//!
//! Within a day, clocks change at most once. Before and after a change every wall-clock time is one instant, in order; at
//! the change, times that it leaves out may become one instant, and times that it repeats may count once.

use crate::zone::{Change, DAY, Pass};
use crate::{Fold, Gap, Schedule};
use chrono::{DateTime, FixedOffset, NaiveDateTime};
use std::collections::VecDeque;
use std::ops::Range;

/// The first second of the year after [`crate::YEAR_MAX`].
const END: i64 = 4_102_444_800;

/// When a schedule comes: its logical time, which no jitter and no delay changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// Microseconds since 1970-01-01 UTC: the instant's name.
    pub at_us: i64,
    /// As clocks in the schedule's zone show it.
    pub local: DateTime<FixedOffset>,
    pub oddity: Option<Oddity>,
}

/// What a change of clocks did to an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// It was to come at this time, which does not exist that day (the first of several), and comes when clocks go on.
    Moved { from: NaiveDateTime },
    /// Its time comes twice that day, and it runs this first time only.
    Once,
    /// Its time comes twice that day, and this is the first of two runs.
    First,
    /// The second of two runs.
    Second,
}

/// An instant, or wall-clock times that come to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Comes(Instant),
    /// From this time on, until clocks go on at the instant. `goes_on`: the schedule's own next run makes it good.
    LeftOut {
        at: Instant,
        from: NaiveDateTime,
        goes_on: bool,
    },
}

impl Turn {
    pub(crate) fn at_us(&self) -> i64 {
        match self {
            Self::Comes(instant) | Self::LeftOut { at: instant, .. } => instant.at_us,
        }
    }
}

/// See [`Schedule::instants`].
pub struct Instants<'s>(Turns<'s>);

impl Iterator for Instants<'_> {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        self.0.find_map(|turn| match turn {
            Turn::Comes(instant) => Some(instant),
            Turn::LeftOut { .. } => None,
        })
    }
}

impl Schedule {
    /// The instants after one moment and not after another, within start and end: strictly rising, and the same wherever
    /// the counting begins. Whether the schedule is paused does not matter.
    pub fn instants(&self, after_us: i64, until_us: i64) -> Instants<'_> {
        Instants(self.turns(after_us.max(self.start_us - 1), until_us.min(self.end_us)))
    }

    /// The same without start and end, and with what is left out.
    pub(crate) fn turns(&self, after_us: i64, until_us: i64) -> Turns<'_> {
        let after_us = after_us.clamp(-1, END * 1_000_000);
        let from = after_us.div_euclid(1_000_000) + 1;
        let until_us = until_us.min(END * 1_000_000 - 1);
        Turns { schedule: self, from, day: from / DAY, until_us, ready: VecDeque::new() }
    }

    /// What a day holds from a second on, in order.
    fn day(&self, day: i64, from: i64) -> VecDeque<Turn> {
        let near: Vec<Change> = (day - 1..=day + 1).filter_map(|day| self.zone.change_in(day)).collect();
        let whole = (day * DAY).max(from)..(day + 1) * DAY;
        let Some(change) = near.iter().find(|change| whole.contains(&change.at)) else {
            return self.own(whole, &near).collect();
        };
        let left_out = self.left_out(change);
        // Left-out times may fall together with one that comes when clocks go on: that is one run.
        let moved = matches!(left_out, Some(Turn::Comes(_)));
        let after = change.at + i64::from(moved)..whole.end;
        self.own(whole.start..change.at, &near).chain(left_out).chain(self.own(after, &near)).collect()
    }

    /// The instants of a span in which no clock is changed.
    fn own<'a>(&'a self, span: Range<i64>, near: &'a [Change]) -> impl Iterator<Item = Turn> + 'a {
        let offset = self.zone.offset(span.start);
        let times = self.wall.times(span.start + offset).take_while(move |time| *time < span.end + offset);
        times.filter_map(move |time| {
            let at = time - offset;
            let oddity = match (near.iter().find_map(|change| change.pass(at)), self.fold()) {
                (None, _) => None,
                (Some(Pass::First), Fold::Once) => Some(Oddity::Once),
                (Some(Pass::Second), Fold::Once) => return None,
                (Some(Pass::First), Fold::Twice) => Some(Oddity::First),
                (Some(Pass::Second), Fold::Twice) => Some(Oddity::Second),
            };
            Some(Turn::Comes(self.instant(at, oddity)))
        })
    }

    /// What becomes of the times that a change leaves out, if the schedule has one among them.
    fn left_out(&self, change: &Change) -> Option<Turn> {
        let gap = change.gap();
        if gap.is_empty() {
            return None;
        }
        let first = self.wall.times(gap.start).next().filter(|time| gap.contains(time))?;
        let from = DateTime::from_timestamp(first, 0)?.naive_utc();
        // A rhythm goes on by itself if its next run comes within as long as was left out.
        let goes_on = self.wall.times(gap.end).next().is_some_and(|next| next - gap.end < gap.end - gap.start);
        Some(match self.gap(goes_on) {
            Gap::Next => Turn::Comes(self.instant(change.at, Some(Oddity::Moved { from }))),
            Gap::Skip => Turn::LeftOut { at: self.instant(change.at, None), from, goes_on },
        })
    }

    fn instant(&self, at: i64, oddity: Option<Oddity>) -> Instant {
        let at_us = at * 1_000_000;
        Instant { at_us, local: self.zone.local(at_us), oddity }
    }
}

/// See [`Schedule::turns`].
pub(crate) struct Turns<'s> {
    schedule: &'s Schedule,
    /// The first second that counts.
    from: i64,
    /// The next day to look at, counted from 1970.
    day: i64,
    until_us: i64,
    ready: VecDeque<Turn>,
}

impl Iterator for Turns<'_> {
    type Item = Turn;

    fn next(&mut self) -> Option<Turn> {
        loop {
            if let Some(turn) = self.ready.pop_front() {
                return (turn.at_us() <= self.until_us).then_some(turn);
            }
            // Clocks stand less than a day from UTC: no time before this one can come on or after the day.
            let next = self.schedule.wall.times((self.day - 1) * DAY).next()?;
            self.day = self.day.max(next / DAY - 1);
            if self.day * DAY * 1_000_000 > self.until_us {
                return None;
            }
            self.ready = self.schedule.day(self.day, self.from);
            self.day += 1;
        }
    }
}
