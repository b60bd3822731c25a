//! A schedule and a span -> rows for a person: when it comes, and what clocks do to it.

use crate::turns::Turn;
use crate::{Instant, Oddity, Schedule, Whose};
use chrono::{DateTime, NaiveDateTime, SecondsFormat};
use serde::Serialize;

/// Rows of one preview.
pub const PREVIEW_MAX: usize = 10_000;

/// What a schedule does in a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    pub pipeline: String,
    /// The expression, as it was written.
    pub cron: String,
    pub zone: String,
    /// Nothing of it fires by itself.
    pub paused: bool,
    pub rows: Vec<Row>,
    /// Whether the span has more than the rows.
    pub more: bool,
}

/// An instant, or times that clocks leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// With its distance to UTC: `2026-03-29 03:00:00 +02:00`.
    pub local: String,
    /// RFC 3339.
    pub utc: String,
    /// Microseconds since 1970-01-01 UTC.
    pub at_us: i64,
    /// When it starts, RFC 3339 in UTC: later than the instant if there is jitter.
    pub starts: Option<String>,
    /// Whether a run is to come of it.
    pub runs: bool,
    /// Why it is not simply the time that the expression names.
    pub why: Option<String>,
}

/// The first rows after one moment and not after another. Pure; the same as what will fire.
pub fn preview(schedule: &Schedule, whose: Whose<'_>, after_us: i64, until_us: i64, count: usize) -> Preview {
    let (after_us, until_us) = (after_us.max(schedule.start_us - 1), until_us.min(schedule.end_us));
    let mut turns = schedule.turns(after_us, until_us);
    let rows = turns.by_ref().take(count.min(PREVIEW_MAX)).map(|turn| row(schedule, whose, &turn)).collect();
    Preview {
        pipeline: whose.pipeline.to_string(),
        cron: schedule.expression.to_string(),
        zone: schedule.zone.to_string(),
        paused: schedule.paused,
        rows,
        more: turns.next().is_some(),
    }
}

fn row(schedule: &Schedule, whose: Whose<'_>, turn: &Turn) -> Row {
    let (instant, why) = match turn {
        Turn::Comes(instant) => (instant, instant.oddity.map(|oddity| reason(instant, oddity))),
        Turn::LeftOut { at, from, goes_on } => (at, Some(left_out(at, *from, *goes_on))),
    };
    let runs = matches!(turn, Turn::Comes(_));
    let starts_us = schedule.starts_us(whose, instant.at_us);
    Row {
        local: instant.local.format("%F %T %:z").to_string(),
        utc: utc(instant.at_us),
        at_us: instant.at_us,
        starts: runs.then(|| utc(starts_us)),
        runs,
        why,
    }
}

fn reason(instant: &Instant, oddity: Oddity) -> String {
    let time = instant.local.format("%H:%M");
    match oddity {
        Oddity::Moved { from } => format!("clocks go forward over {}: runs when they go on", asked(instant, from)),
        Oddity::Once => format!("clocks go back: {time} comes twice, runs the first time"),
        Oddity::First => format!("clocks go back: {time} comes twice, this is the first"),
        Oddity::Second => format!("clocks go back: {time} comes twice, this is the second"),
    }
}

fn left_out(at: &Instant, from: NaiveDateTime, goes_on: bool) -> String {
    let then = if goes_on { "the next run makes it good" } else { "does not run" };
    format!("clocks go forward over {}: {then}", asked(at, from))
}

/// The time that was asked for; with its day, if that is another.
fn asked(instant: &Instant, from: NaiveDateTime) -> String {
    let same_day = from.date() == instant.local.date_naive();
    from.format(if same_day { "%H:%M" } else { "%F %H:%M" }).to_string()
}

fn utc(at_us: i64) -> String {
    DateTime::from_timestamp_micros(at_us).unwrap_or_default().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
