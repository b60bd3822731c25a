//! What became of a schedule's instants, held against the schedule: each fires once, or waits, or is passed over with a reason.

use crate::disk::{Result, broken};
use crate::timetable::Timetable;
use std::collections::BTreeSet;
use trigger::LEAP_US;
use types::{Passed, ScheduleState};

pub(crate) struct Calendar<'s> {
    /// What holds now, and since when.
    timetable: Option<&'s Timetable>,
    begins_us: i64,
    pub settled_us: i64,
    pub waiting: Vec<i64>,
    pub held: bool,
    fired: BTreeSet<i64>,
    passed: BTreeSet<i64>,
    /// All there are up to what is settled.
    instants: BTreeSet<i64>,
    /// Those of what held before.
    older: BTreeSet<i64>,
    is_news: bool,
}

impl<'s> Calendar<'s> {
    pub(crate) fn new(timetable: Option<&'s Timetable>, begins_us: i64) -> Self {
        let (waiting, fired, passed, instants, older) = Default::default();
        let (settled_us, held, is_news) = (begins_us, false, false);
        Self { timetable, begins_us, settled_us, waiting, held, fired, passed, instants, older, is_news }
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
            self.go_back(settled_us)?;
        }
        self.count(settled_us);
        (self.settled_us, self.waiting, self.is_news) = (settled_us, waiting.to_vec(), true);
        for passed in passed {
            if !self.passed.insert(passed.at_us) {
                return broken(format!("instant {} was passed over twice", passed.at_us));
            }
        }
        Ok(())
    }

    /// A clock that had leapt is not believed any more: what comes after now comes anew, except that nothing fires twice.
    fn go_back(&mut self, to_us: i64) -> Result<()> {
        if self.settled_us - to_us <= LEAP_US {
            return broken(format!("a schedule went back from {} to {to_us}", self.settled_us));
        }
        for all in [&mut self.instants, &mut self.older, &mut self.passed] {
            all.retain(|at_us| *at_us <= to_us);
        }
        (self.settled_us, self.begins_us) = (to_us, self.begins_us.min(to_us));
        Ok(())
    }

    /// All instants that come until then.
    fn count(&mut self, until_us: i64) {
        let more = self.timetable.iter().flat_map(|timetable| timetable.free.instants(self.settled_us, until_us));
        self.instants.extend(more.map(|instant| instant.at_us));
    }

    /// From now on this holds. Where it is another schedule, all that came by the one before is settled; where there is none any
    /// more, what waits is dropped.
    pub(crate) fn switch(&mut self, timetable: Option<&'s Timetable>, now_us: i64) {
        let schedule = |timetable: Option<&'s Timetable>| timetable.map(|timetable| &timetable.free);
        if schedule(self.timetable) == schedule(timetable) {
            return;
        }
        match timetable {
            Some(_) => self.count(now_us),
            None => {
                self.instants.retain(|at_us| self.fired.contains(at_us) || self.passed.contains(at_us));
                self.waiting.clear();
            }
        }
        self.older.clone_from(&self.instants);
        (self.timetable, self.begins_us, self.is_news) = (timetable, now_us.max(self.settled_us), true);
    }

    /// Whether every instant up to what is settled is accounted for, once.
    pub(crate) fn check(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_news) {
            return Ok(());
        }
        let fired = self.fired.iter().filter(|at_us| **at_us <= self.settled_us);
        let all = fired.chain(&self.passed).chain(&self.waiting);
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
    pub(crate) fn check_end(&self, now_us: i64, since_us: i64, starts_us: impl Fn(i64) -> i64) -> Result<()> {
        if let [first, ..] = self.waiting[..] {
            return broken(format!("instant {first} waits for nothing"));
        }
        let Some(timetable) = self.timetable else { return Ok(()) };
        if now_us >= since_us && self.settled_us - now_us > LEAP_US {
            return broken("a clock that had leapt ahead silences a schedule");
        }
        let newer = timetable.free.instants(self.begins_us, self.settled_us).map(|instant| instant.at_us);
        if self.older.iter().copied().chain(newer).collect::<BTreeSet<_>>() != self.instants {
            return broken("instants depend on where the counting begins");
        }
        // Later ones start no earlier than this one.
        let next = timetable.free.instants(self.settled_us, now_us).next();
        match next.filter(|instant| starts_us(instant.at_us) <= now_us) {
            Some(instant) => broken(format!("instant {} was lost", instant.at_us)),
            None => Ok(()),
        }
    }
}
