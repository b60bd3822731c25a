//! A measured number with its unit and its goal, and the rounds it is the best of.

use anyhow::{Result, ensure};
use serde::Serialize;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Rounds a figure is the best of.
pub(crate) const ROUNDS: usize = 20;
/// The same, where a round takes seconds.
pub(crate) const LONG_ROUNDS: usize = 5;

/// Which figures are asked for: those whose name begins so.
pub(crate) struct Wanted<'a> {
    beginning: &'a str,
    met: Cell<bool>,
}

impl<'a> Wanted<'a> {
    pub(crate) fn beginning(beginning: &'a str) -> Self {
        Self { beginning, met: Cell::new(false) }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        let has = name.starts_with(self.beginning);
        self.met.set(self.met.get() || has);
        has
    }

    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// Whether there was anything to measure.
    pub(crate) fn met(&self) -> Result<()> {
        ensure!(
            self.met.get(),
            "no figure with a goal begins with `{}` in this area; docs/figures.md has them",
            self.beginning
        );
        Ok(())
    }
}

/// A line of the output. The goal is the most that the value should be.
#[derive(Serialize)]
pub(crate) struct Figure<'a> {
    pub(crate) name: &'a str,
    /// What it was measured of, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<&'a str>,
    pub(crate) value: f64,
    pub(crate) unit: &'a str,
    /// None of what is told for its own sake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<f64>,
}

impl Figure<'_> {
    /// Prints it with the load average of the last minute, which tells what else the machine did.
    pub(crate) fn print(&self) {
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        let load = load.and_then(|text| text.split(' ').next().and_then(|first| first.parse::<f64>().ok()));
        let mut line = serde_json::to_value(self).expect("numbers and words");
        line["value"] = serde_json::json!(rounded(self.value));
        line["load"] = serde_json::json!(load);
        println!("{line}");
    }
}

/// To four significant digits: more would pretend.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// The best time of each of these, taken in turns.
pub(crate) fn best<const N: usize>(rounds: usize, mut runs: [&mut dyn FnMut() -> Duration; N]) -> [Duration; N] {
    let mut best = [Duration::MAX; N];
    for _ in 0..rounds {
        for (best, run) in best.iter_mut().zip(&mut runs) {
            *best = run().min(*best);
        }
    }
    best
}

/// How long one of `count` repetitions took.
pub(crate) fn each(count: u32, mut act: impl FnMut()) -> Duration {
    let begin = Instant::now();
    (0..count).for_each(|_| act());
    begin.elapsed() / count
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
