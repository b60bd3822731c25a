//! Chance -> a schedule that a manifest could hold.

use crate::dice::Dice;
use std::fmt;
use trigger::{Choice, Draft, Expression, Fold, Gap, Missed, Overlap, Schedule, Zone};

/// A schedule as it is, and as it is while somebody holds it.
#[derive(Debug, Clone)]
pub(crate) struct Timetable {
    pub free: Schedule,
    pub held: Schedule,
    words: String,
}

impl Timetable {
    pub(crate) fn schedule(&self, held: bool) -> &Schedule {
        if held { &self.held } else { &self.free }
    }
}

impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

pub(crate) fn random(dice: &mut Dice) -> Timetable {
    let minute = dice.among(&["*/20", "0,30", "30", "7", "0"]);
    let hour = dice.among(&["*", "*", "*/2", "0-3", "1,2", "2"]);
    let day = dice.among(&["* * *", "* * *", "* * *", "1,15 * *", "* * 0", "13 * 1-5"]);
    let (text, zone) = (
        format!("{minute} {hour} {day}"),
        dice.among(&["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    );
    let missed = chosen(dice);
    // `all` goes with overlaps only that drop nothing.
    let overlap = match missed {
        Some(Missed::All) => dice.once_in(2).then_some(Overlap::Allow),
        _ => chosen(dice),
    };
    let catch_up_ms = (missed != Some(Missed::None) && dice.once_in(2)).then(|| 60_000 * dice.below(400) as u64);
    let jitter_ms = dice.once_in(3).then(|| 1_000 * dice.below(900) as u64);
    let (gap, fold) = (chosen::<Gap>(dice), chosen::<Fold>(dice));
    let words = format!("`{text}` in {zone}, {gap:?} {fold:?} {missed:?} {overlap:?} {catch_up_ms:?} {jitter_ms:?}");
    let schedule = |paused| {
        let zone = Zone::parse(zone);
        let draft = Draft { zone, gap, fold, missed, catch_up_ms, overlap, jitter_ms, paused, ..Draft::default() };
        Schedule::new(Expression::parse(&text).unwrap(), draft).unwrap()
    };
    Timetable { free: schedule(false), held: schedule(true), words }
}

fn chosen<T: Choice>(dice: &mut Dice) -> Option<T> {
    (!dice.once_in(3)).then(|| T::ALL[dice.below(T::ALL.len())])
}
