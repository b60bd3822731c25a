//! How far a schedule is, as its records say -> how far it is to be believed to be: what a clock settled that had leapt ahead is not
//! settled for good.

use types::ScheduleState;

/// What stands settled so much later than now was settled by a clock that had leapt: nobody sets one back so far otherwise.
pub const LEAP_US: i64 = 86_400_000_000;

/// The state, as of now if a clock had leapt. What ran meanwhile has run, and what was passed over or waits from after now comes
/// when its time does. A clock that shows a time before `since_us`, when the schedule was deployed, is wrong itself: then the
/// records are right.
pub fn believed(state: ScheduleState, since_us: i64, now_us: i64) -> ScheduleState {
    let has_leapt = now_us >= since_us && state.settled_us.saturating_sub(now_us) > LEAP_US;
    match has_leapt {
        true => {
            let waiting = state.waiting.into_iter().filter(|at_us| *at_us <= now_us).collect();
            ScheduleState { settled_us: now_us, waiting, ..state }
        }
        false => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_US: i64 = 86_400_000_000;

    #[test]
    fn only_a_clock_that_was_set_back_by_more_than_a_day_is_not_believed() {
        let state =
            |settled_us: i64, waiting: &[i64]| ScheduleState { settled_us, waiting: waiting.to_vec(), paused: true };
        let now_us = 1_000 * DAY_US;
        for (settled_us, since_us, expected) in [
            (now_us - 1, 0, now_us - 1),
            (now_us + LEAP_US, 0, now_us + LEAP_US),
            (now_us + LEAP_US + 1, 0, now_us),
            (now_us + 900 * DAY_US, now_us, now_us),
            (i64::MAX, now_us, now_us),
            // The clock has just begun, in 1970 for one.
            (now_us + 900 * DAY_US, now_us + 1, now_us + 900 * DAY_US),
        ] {
            assert_eq!(
                believed(state(settled_us, &[]), since_us, now_us),
                state(expected, &[]),
                "{settled_us} {since_us}"
            );
        }
        let waits = state(now_us + 2 * DAY_US, &[now_us - 1, now_us, now_us + 1]);
        assert_eq!(believed(waits, 0, now_us), state(now_us, &[now_us - 1, now_us]));
    }
}
