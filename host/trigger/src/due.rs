//! A schedule, what became of it so far, and the time -> what is to happen now. The whole of a scheduler's mind; what keeps
//! the time, starts runs and writes down what was decided is elsewhere.
//!
//! Instants are settled in order, each once: it fires, waits, or is passed over for a reason. An instant is *on time* within
//! the minute after it may start; a later look finds it *missed*.

use crate::{Missed, Overlap, Schedule, Whose};
use types::{Passed, Why};

/// Instants settled by one call. Who has more to settle is told to call again at once.
pub const LOOKED_AT_MAX: usize = 1_000;
/// Instants that can wait for a run to end.
pub const WAITING_MAX: usize = 1_000;
/// What comes to be looked at later than this was missed.
pub const LATE_US: i64 = 60_000_000;

/// What became of a schedule so far. Instants are named by their microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    pub whose: Whose<'a>,
    /// Everything up to here is settled. At first: when the schedule was deployed.
    pub settled_us: i64,
    /// Instants whose runs are under way.
    pub running: &'a [i64],
    /// Instants that wait, as the last decision said.
    pub waiting: &'a [i64],
}

/// What is to happen, and what is to be kept for the next [`Standing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Instants to run now, in this order.
    pub fire: Vec<i64>,
    /// Instants that will not run, rising.
    pub passed: Vec<Passed>,
    /// Running instants to cancel. They are told of again until they have ended.
    pub cancel: Vec<i64>,
    pub waiting: Vec<i64>,
    pub settled_us: i64,
    /// When to ask again, if no run ends before; none if nothing comes any more.
    pub wake_us: Option<i64>,
}

/// An instant that may start.
struct Released {
    at_us: i64,
    /// Since when: no earlier than any before it, though its jitter may be less.
    since_us: i64,
}

/// Decides. Pure, and sound whenever it is called: late, early, twice, or with a clock that went back. Before a schedule
/// gives way to another, or its pause ends, it is asked once more, so that its time is settled by its own rules.
pub fn due(schedule: &Schedule, standing: Standing<'_>, now_us: i64) -> Decision {
    let (released, wake_us) = released(schedule, standing, now_us);
    let more = wake_us.is_some_and(|wake| wake <= now_us);
    let mut decision = Decision {
        fire: Vec::new(),
        passed: Vec::new(),
        cancel: Vec::new(),
        waiting: standing.waiting.to_vec(),
        settled_us: released.last().map_or(standing.settled_us, |last| last.at_us),
        wake_us,
    };
    let candidates = decision.sift(schedule, &released, more, now_us);
    if !schedule.paused {
        decision.overlap(schedule.overlap, standing.running, candidates);
    }
    decision.passed.sort_by_key(|passed| passed.at_us);
    decision
}

/// The instants that may start, as many as one call settles, and when the next one may: now, if there are more.
fn released(schedule: &Schedule, standing: Standing<'_>, now_us: i64) -> (Vec<Released>, Option<i64>) {
    let mut released: Vec<Released> = Vec::new();
    for instant in schedule.instants(standing.settled_us, i64::MAX) {
        let before = released.last().map_or(i64::MIN, |last| last.since_us);
        let since_us = schedule.starts_us(standing.whose, instant.at_us).max(before);
        if since_us > now_us || released.len() == LOOKED_AT_MAX {
            return (released, Some(since_us));
        }
        released.push(Released { at_us: instant.at_us, since_us });
    }
    (released, None)
}

impl Decision {
    /// Passes over what is not to run whatever else runs; the rest are candidates.
    fn sift(&mut self, schedule: &Schedule, released: &[Released], more: bool, now_us: i64) -> Vec<i64> {
        let mut candidates = Vec::new();
        for (index, &Released { at_us, since_us }) in released.iter().enumerate() {
            let late_us = now_us - since_us;
            let is_last = index + 1 == released.len() && !more;
            let why = match schedule.missed {
                _ if schedule.paused => Some(Why::Paused),
                _ if late_us < LATE_US => None,
                Missed::None => Some(Why::Missed),
                _ if late_us > schedule.catch_up_us => Some(Why::TooOld),
                Missed::Latest if !is_last => Some(Why::Superseded),
                Missed::Latest | Missed::All => None,
            };
            match why {
                Some(why) => self.pass(at_us, why),
                None => candidates.push(at_us),
            }
        }
        candidates
    }

    /// Has candidates fire, wait or pass. What waits goes first.
    fn overlap(&mut self, overlap: Overlap, running: &[i64], candidates: Vec<i64>) {
        match overlap {
            Overlap::Allow => self.fire = self.waiting.drain(..).chain(candidates).collect(),
            Overlap::CancelOther => self.cancel_other(running, candidates),
            Overlap::Skip | Overlap::BufferOne | Overlap::BufferAll => {
                if running.is_empty() && !self.waiting.is_empty() {
                    self.fire.push(self.waiting.remove(0));
                }
                for at_us in candidates {
                    let free = running.is_empty() && self.fire.is_empty();
                    match overlap {
                        _ if free => self.fire.push(at_us),
                        Overlap::BufferAll => self.wait(at_us),
                        Overlap::BufferOne => self.wait_alone(at_us),
                        _ => self.pass(at_us, Why::Overlap),
                    }
                }
            }
        }
    }

    /// Only the newest is left: it fires once nothing runs any more.
    fn cancel_other(&mut self, running: &[i64], candidates: Vec<i64>) {
        candidates.into_iter().for_each(|at_us| self.wait_alone(at_us));
        match running {
            [] => self.fire = std::mem::take(&mut self.waiting),
            _ if !self.waiting.is_empty() => self.cancel = running.to_vec(),
            _ => {}
        }
    }

    fn wait(&mut self, at_us: i64) {
        match self.waiting.len() < WAITING_MAX {
            true => self.waiting.push(at_us),
            false => self.pass(at_us, Why::Full),
        }
    }

    fn wait_alone(&mut self, at_us: i64) {
        let earlier = std::mem::replace(&mut self.waiting, vec![at_us]);
        earlier.into_iter().for_each(|earlier| self.pass(earlier, Why::Superseded));
    }

    fn pass(&mut self, at_us: i64, why: Why) {
        self.passed.push(Passed { at_us, why });
    }
}
