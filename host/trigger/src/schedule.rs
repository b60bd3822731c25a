//! What a person wrote of a schedule -> a [`Schedule`], whose parts do not contradict each other.

use crate::expression::Expression;
use crate::wall::Wall;
use crate::zone::Zone;
use crate::{Choice, Fold, Gap, Missed, Moment, Overlap};
use types::{Problem, Quantity};

/// The most that jitter may be.
pub const JITTER_MS_MAX: u64 = 86_400_000;
/// The most that can be made up for.
pub const CATCH_UP_MS_MAX: u64 = 366 * 86_400_000;
/// What is made up for unless the schedule says otherwise: who was away for a holiday wants no older runs.
const CATCH_UP_MS: u64 = 7 * 86_400_000;

/// What was written; what was not is None. Every part is sound by itself.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub zone: Option<Zone>,
    pub gap: Option<Gap>,
    pub fold: Option<Fold>,
    pub missed: Option<Missed>,
    pub catch_up_ms: Option<u64>,
    pub overlap: Option<Overlap>,
    pub jitter_ms: Option<u64>,
    /// The first moment at which it may come.
    pub start: Option<Moment>,
    /// The last moment at which it may come; a day is meant as a whole.
    pub end: Option<Moment>,
    pub paused: bool,
}

/// What is wrong with a part, under the key that a manifest gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    pub key: &'static str,
    pub problem: Problem,
}

/// When a pipeline is to run by itself. Made by [`Schedule::new`], so that all of it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    pub(crate) expression: Expression,
    pub(crate) wall: Wall,
    pub(crate) zone: Zone,
    /// None: by what kind of schedule it is.
    gap: Option<Gap>,
    fold: Option<Fold>,
    pub(crate) missed: Missed,
    pub(crate) catch_up_us: i64,
    pub(crate) overlap: Overlap,
    pub(crate) jitter_us: i64,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) paused: bool,
}

impl Schedule {
    /// Puts the parts together, or says all that is wrong between them.
    pub fn new(expression: Expression, draft: Draft) -> Result<Self, Vec<Clash>> {
        let Draft { zone, gap, fold, missed, catch_up_ms, overlap, jitter_ms, start, end, paused } = draft;
        let mut clashes = clashes(&draft);
        let zone = zone.unwrap_or(Zone::UTC);
        let missed = missed.unwrap_or(Missed::ALL[0]);
        // Where all are to be made up for, none may be passed over because an earlier one is still at it.
        let by_default = if missed == Missed::All { Overlap::BufferAll } else { Overlap::ALL[0] };
        let wall = Wall::new(&expression).map_err(|problem| vec![Clash { key: "cron", problem }])?;
        let schedule = Self {
            expression,
            wall,
            zone,
            gap,
            fold,
            missed,
            catch_up_us: micros(catch_up_ms.unwrap_or(CATCH_UP_MS)),
            overlap: overlap.unwrap_or(by_default),
            jitter_us: micros(jitter_ms.unwrap_or(0)),
            start_us: start.map_or(0, |start| start.begins_us(zone)),
            end_us: end.map_or(i64::MAX, |end| end.ends_us(zone)),
            paused,
        };
        clashes.extend(schedule.empty(end.is_some()));
        if clashes.is_empty() { Ok(schedule) } else { Err(clashes) }
    }

    /// If it has an end, it must come before.
    fn empty(&self, ends: bool) -> Option<Clash> {
        if self.end_us < self.start_us {
            return Some(Clash { key: "end", problem: Problem::new("the schedule ends before it starts") });
        }
        let comes = !ends || self.instants(i64::MIN, i64::MAX).next().is_some();
        let never = || Problem::new(format!("`{}` never comes between start and end", self.expression));
        (!comes).then(|| Clash { key: "end", problem: never() })
    }

    /// Whether a left-out time is made up for although the schedule's own next run is near.
    pub(crate) fn gap(&self, goes_on: bool) -> Gap {
        match self.gap {
            Some(gap) => gap,
            None if self.expression.is_rhythm() && goes_on => Gap::Skip,
            None => Gap::Next,
        }
    }

    pub(crate) fn fold(&self) -> Fold {
        let by_default = if self.expression.is_rhythm() { Fold::Twice } else { Fold::Once };
        self.fold.unwrap_or(by_default)
    }

    /// What it says beside expression and zone, where that is not what it would be unsaid: keys of a manifest, and their values.
    pub fn rules(&self) -> Vec<(&'static str, String)> {
        let unsaid = Draft { zone: Some(self.zone), missed: Some(self.missed), ..Draft::default() };
        let Ok(unsaid) = Self::new(self.expression.clone(), unsaid) else { return Vec::new() };
        let utc = |us: i64| {
            let time = chrono::DateTime::from_timestamp_micros(us);
            time.map_or_else(|| us.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
        };
        let quantity = |us: i64| Quantity::Milliseconds(u64::try_from(us / 1_000).unwrap_or(0)).to_string();
        let rules = [
            ("gap", self.gap.map(|gap| gap.word().to_owned())),
            ("fold", self.fold.map(|fold| fold.word().to_owned())),
            ("missed", (self.missed != Missed::ALL[0]).then(|| self.missed.word().to_owned())),
            ("catch_up", (self.catch_up_us != unsaid.catch_up_us).then(|| quantity(self.catch_up_us))),
            ("overlap", (self.overlap != unsaid.overlap).then(|| self.overlap.word().to_owned())),
            ("jitter", (self.jitter_us != 0).then(|| quantity(self.jitter_us))),
            ("start", (self.start_us != unsaid.start_us).then(|| utc(self.start_us))),
            ("end", (self.end_us != unsaid.end_us).then(|| utc(self.end_us))),
        ];
        rules.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    pub fn zone(&self) -> Zone {
        self.zone
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// The same schedule, held or not.
    pub fn with_paused(self, paused: bool) -> Self {
        Self { paused, ..self }
    }
}

fn clashes(draft: &Draft) -> Vec<Clash> {
    let mut clashes = Vec::new();
    let mut clash = |key, message: String, hint: &str| {
        clashes.push(Clash { key, problem: Problem::new(message).hinted(hint) });
    };
    let beyond = |ms: &u64, max: u64| *ms > max;
    if let Some(jitter) = draft.jitter_ms.filter(|ms| beyond(ms, JITTER_MS_MAX)) {
        let message = format!("`jitter` is {}, expected at most 1 d", Quantity::Milliseconds(jitter));
        clash("jitter", message, "it spreads starts a little, so that not everything begins at once");
    }
    if let Some(catch_up) = draft.catch_up_ms.filter(|ms| beyond(ms, CATCH_UP_MS_MAX)) {
        let message = format!("`catch_up` is {}, expected at most 366 d", Quantity::Milliseconds(catch_up));
        clash("catch_up", message, "older instants can be run by a backfill");
    }
    if let (Some(Missed::None), Some(_)) = (draft.missed, draft.catch_up_ms) {
        clash("catch_up", "`catch_up` does nothing beside `missed = \"none\"`".to_owned(), "keep one of the two");
    }
    let one_by_one = |overlap: &Overlap| !matches!(overlap, Overlap::BufferAll | Overlap::Allow);
    if let (Some(Missed::All), Some(overlap)) = (draft.missed, draft.overlap.filter(one_by_one)) {
        let message = format!("`overlap = \"{}\"` would drop what `missed = \"all\"` promises to run", overlap.word());
        clash("overlap", message, "with it, `overlap` is \"buffer-all\" (one after another, the default) or \"allow\"");
    }
    clashes
}

fn micros(ms: u64) -> i64 {
    // What is beyond the bounds is a clash already.
    i64::try_from(ms.min(CATCH_UP_MS_MAX)).unwrap_or(0) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_otherwise_is_told() {
        let rules = |draft: Draft| Schedule::new(Expression::parse("30 2 * * *").unwrap(), draft).unwrap().rules();
        assert_eq!(rules(Draft::default()), []);
        // What is said as it would be unsaid is no news, but for what hangs on the kind of schedule.
        let unsaid = Draft {
            missed: Some(Missed::Latest),
            overlap: Some(Overlap::Skip),
            jitter_ms: Some(0),
            ..Draft::default()
        };
        assert_eq!(rules(unsaid), []);
        let draft = Draft {
            gap: Some(Gap::Skip),
            fold: Some(Fold::Twice),
            missed: Some(Missed::All),
            catch_up_ms: Some(3_600_000),
            overlap: Some(Overlap::Allow),
            jitter_ms: Some(30_000),
            start: Some(Moment::parse("2026-03-01").unwrap()),
            ..Draft::default()
        };
        let expected = [
            ("gap", "skip"),
            ("fold", "twice"),
            ("missed", "all"),
            ("catch_up", "1 h"),
            ("overlap", "allow"),
            ("jitter", "30 s"),
            ("start", "2026-03-01 00:00:00 UTC"),
        ];
        assert_eq!(rules(draft), expected.map(|(key, value)| (key, value.to_owned())));
        // Where all are made up for they wait for each other, unless it says otherwise.
        assert_eq!(rules(Draft { missed: Some(Missed::All), ..Draft::default() }), [("missed", "all".to_owned())]);
    }
}
