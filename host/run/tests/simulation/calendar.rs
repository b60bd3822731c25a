//! What became of a schedule's instants, held against the schedule: each fires once, or waits, or is passed over with a reason.

use crate::disk::{Result, broken};
use crate::timetable::Timetable;
use std::collections::BTreeSet;
use types::{Passed, ScheduleState};

pub(crate) struct Calendar<'s> {
    timetable: &'s Timetable,
    begins_us: i64,
    pub settled_us: i64,
    pub waiting: Vec<i64>,
    pub held: bool,
    fired: BTreeSet<i64>,
    passed: BTreeSet<i64>,
    /// All there are up to what is settled.
    instants: BTreeSet<i64>,
    is_news: bool,
}

impl<'s> Calendar<'s> {
    pub(crate) fn new(timetable: &'s Timetable, begins_us: i64) -> Self {
        let (waiting, fired, passed, instants) = Default::default();
        let (settled_us, held, is_news) = (begins_us, false, false);
        Self { timetable, begins_us, settled_us, waiting, held, fired, passed, instants, is_news }
    }

    pub(crate) fn state(&self) -> ScheduleState {
        ScheduleState { settled_us: self.settled_us, waiting: self.waiting.clone(), paused: self.held }
    }

    pub(crate) fn fire(&mut self, at_us: i64) -> Result<()> {
        self.is_news = true;
        match self.fired.insert(at_us) {
            true => Ok(()),
            false => broken(format!("instant {at_us} fired twice")),
        }
    }

    pub(crate) fn settle(&mut self, settled_us: i64, waiting: &[i64], passed: &[Passed]) -> Result<()> {
        if settled_us < self.settled_us {
            return broken(format!("a schedule went back from {} to {settled_us}", self.settled_us));
        }
        let more = self.timetable.free.instants(self.settled_us, settled_us);
        self.instants.extend(more.map(|instant| instant.at_us));
        (self.settled_us, self.waiting, self.is_news) = (settled_us, waiting.to_vec(), true);
        for passed in passed {
            if !self.passed.insert(passed.at_us) {
                return broken(format!("instant {} was passed over twice", passed.at_us));
            }
        }
        Ok(())
    }

    /// Whether every instant up to what is settled is accounted for, once.
    pub(crate) fn check(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_news) {
            return Ok(());
        }
        let all = self.fired.iter().chain(&self.passed).chain(&self.waiting);
        let mut accounted: Vec<i64> = all.copied().collect();
        accounted.sort_unstable();
        match accounted.iter().eq(&self.instants) {
            true => Ok(()),
            false => broken(format!(
                "a schedule is settled up to {}: fired {:?}, passed {:?}, waiting {:?}, of {:?}",
                self.settled_us, self.fired, self.passed, self.waiting, self.instants
            )),
        }
    }

    /// Once nothing is to come before a time any more: nothing waits, and counting all in one go finds the same.
    pub(crate) fn check_end(&self, now_us: i64, starts_us: impl Fn(i64) -> i64) -> Result<()> {
        if let [first, ..] = self.waiting[..] {
            return broken(format!("instant {first} waits for nothing"));
        }
        let all: BTreeSet<_> = self.timetable.free.instants(self.begins_us, self.settled_us).map(|i| i.at_us).collect();
        if all != self.instants {
            return broken("instants depend on where the counting begins");
        }
        // Later ones start no earlier than this one.
        let next = self.timetable.free.instants(self.settled_us, now_us).next();
        match next.filter(|instant| starts_us(instant.at_us) <= now_us) {
            Some(instant) => broken(format!("instant {} was lost", instant.at_us)),
            None => Ok(()),
        }
    }
}
