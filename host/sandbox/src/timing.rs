//! How long a row-wise step takes, told where it runs: no socket, no process and no disk between the clock and the call.

use crate::engine::Plugin;
use crate::instance::Instance;
use crate::served::Transformer;
use crate::state::State;
use data::Table;
use ports::{Assignment, Doors, Task};
use std::time::{Duration, Instant};
use types::Fault;

/// Rounds of what is quick, and how much time they may take together: what is slow is done [`ROUNDS_MIN`] times.
const ROUNDS_MAX: u32 = 200;
const ROUNDS_MIN: u32 = 3;
const ROUNDS_TIME_MAX: Duration = Duration::from_secs(1);

/// The best time in microseconds of an action that is repeated. The best, because all that disturbs a measurement makes it longer.
pub fn best_us(mut act: impl FnMut() -> Result<(), Fault>) -> Result<f64, Fault> {
    let (began, mut best) = (Instant::now(), Duration::MAX);
    for round in 0..ROUNDS_MAX {
        if round >= ROUNDS_MIN && began.elapsed() > ROUNDS_TIME_MAX {
            break;
        }
        let began = Instant::now();
        act()?;
        best = best.min(began.elapsed());
    }
    Ok(best.as_secs_f64() * 1e6)
}

/// The times of [`Task::Time`]: of a fresh instance with its first answer, and of an answer of a warm one for each table.
pub fn time(
    plugin: &Plugin,
    assignment: &Assignment,
    mut doors: impl FnMut() -> Box<dyn Doors>,
) -> Result<(f64, Vec<f64>), Fault> {
    let Task::Time { state, tables, reads } = &assignment.task else {
        return Err(Fault::host("timing was asked of another task"));
    };
    let parameters = assignment.parameters.to_string();
    let mut start = || {
        let (limits, seed, time) = (assignment.limits, assignment.seed, assignment.logical_time_us);
        let instance = Instance::start(plugin, State::new(doors(), limits, parameters.clone(), seed, time))?;
        Transformer::restore(instance, state, reads)
    };
    let mut warm = start()?;
    let tables: Vec<Table> = tables.iter().map(|table| warm.open(table)).collect::<Result<_, _>>()?;
    let first = tables.first().ok_or_else(|| Fault::host("no table to time a step with"))?;
    let fresh_us = best_us(|| start()?.applied(first).map(drop))?;
    let warm_us = tables.iter().map(|table| best_us(|| warm.applied(table).map(drop)));
    Ok((fresh_us, warm_us.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quick_is_repeated_and_what_fails_ends() {
        let mut rounds = 0;
        let quick = best_us(|| {
            rounds += 1;
            Ok(())
        });
        assert_eq!((rounds, quick.is_ok_and(|us| us < 1000.0)), (ROUNDS_MAX, true));
        let slow = best_us(|| {
            std::thread::sleep(Duration::from_millis(if rounds == ROUNDS_MAX { 600 } else { 500 }));
            rounds += 1;
            Ok(())
        });
        assert_eq!((rounds, slow.is_ok_and(|us| (500_000.0..600_000.0).contains(&us))), (ROUNDS_MAX + 3, true));
        assert_eq!(best_us(|| Err(Fault::guest("no"))).unwrap_err().message, "no");
    }
}
