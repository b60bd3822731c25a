//! Orchestrators in Python on the same pipelines, a process each (`bench/rivals/flows.py`), warm, their turns among ours.

use crate::side::{FLOWS, Side};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Whom we run beside, and in how many rounds: one that takes seconds, in few.
const RIVALS: [(&str, usize); 3] = [("luigi", usize::MAX), ("dagster-memory", 5), ("dagster", 5)];

/// A rival on one pipeline, and the best of its turns.
pub(crate) struct Rival {
    pub(crate) name: &'static str,
    side: Side,
    rounds: usize,
    pub(crate) best: Duration,
}

/// All of them, ready.
pub(crate) fn ready(python: &Path, pipeline: &str) -> Result<Vec<Rival>> {
    let started = RIVALS.iter().map(|&(name, rounds)| {
        let side = Side::start(Command::new(python).args([FLOWS, name, pipeline]))?;
        Ok(Rival { name, side, rounds, best: Duration::MAX })
    });
    started.collect()
}

impl Rival {
    /// Takes a turn, unless it took as many as it gets.
    pub(crate) fn turn(&mut self, round: usize) -> Result<()> {
        if round < self.rounds {
            self.best = self.best.min(Duration::from_secs_f64(self.side.turn()?.seconds));
        }
        Ok(())
    }
}

/// From the start of a rival's process to its first step.
pub(crate) fn first_step(python: &Path, name: &str) -> Result<Duration> {
    let begin = Instant::now();
    let mut process = Command::new(python).args([FLOWS, name, "first"]).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let mut said = BufReader::new(process.stdout.take().context("no output")?);
    said.read_line(&mut line)?;
    let took = begin.elapsed();
    ensure!(line == "step\n", "`{name}` said `{line}` before its first step");
    std::io::copy(&mut said, &mut std::io::sink())?;
    ensure!(process.wait()?.success(), "`{name}` did not end well");
    Ok(took)
}
