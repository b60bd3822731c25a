//! Two processes that do one task in turns: ours (`ours.rs`) and a rival's (`bench/rivals/rival.py`), with as many threads each.
//! A rival that orchestrates (`bench/rivals/flows.py`) has no such side of ours: a server takes the other turns.
//!
//! Both say `ready` once their data are there, then answer every line with what a turn took, as JSON. The rival draws the data
//! and leaves them in a folder, from which ours reads them. Memory is measured from here, of both alike.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const RIVAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/rival.py");

/// The script that has a rival run pipelines.
pub(crate) const FLOWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/flows.py");

/// What a turn took, and what is compared beside it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Turn {
    pub(crate) seconds: f64,
    pub(crate) auc: Option<f64>,
    pub(crate) rows: Option<u64>,
}

pub(crate) struct Side {
    process: Child,
    answers: Lines<BufReader<ChildStdout>>,
    base_kib: u64,
}

/// Ours and the rival's, ready, with their data in the folder.
pub(crate) fn both(task: &str, threads: usize, python: &Path, folder: &Path) -> Result<[Side; 2]> {
    let rival = Side::start(Command::new(python).args([RIVAL, task, &threads.to_string()]).arg(folder))?;
    // As a server sets it for its workers.
    let mut ours = Command::new(std::env::current_exe()?);
    ours.args(["side", task]).arg(folder).env("RAYON_NUM_THREADS", threads.to_string());
    Ok([Side::start(&mut ours)?, rival])
}

/// The quickest turn of each, taken in turns.
pub(crate) fn quickest(sides: &mut [Side; 2], rounds: usize) -> Result<[Turn; 2]> {
    let mut best: [Option<Turn>; 2] = [None, None];
    for _ in 0..rounds {
        for (side, best) in sides.iter_mut().zip(&mut best) {
            let turn = side.turn()?;
            if best.as_ref().is_none_or(|best| turn.seconds < best.seconds) {
                *best = Some(turn);
            }
        }
    }
    let [ours, rival] = best;
    Ok([ours.context("no rounds")?, rival.context("no rounds")?])
}

impl Side {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut answers = BufReader::new(process.stdout.take().context("no output")?).lines();
        let first = answers.next().context("a side ended before it was ready")??;
        ensure!(first == "ready", "a side's first word was `{first}`");
        // From here on the kernel keeps the most that is resident.
        std::fs::write(format!("/proc/{}/clear_refs", process.id()), "5")?;
        let base_kib = status_kib(process.id(), "VmRSS:")?;
        Ok(Self { process, answers, base_kib })
    }

    pub(crate) fn turn(&mut self) -> Result<Turn> {
        writeln!(self.process.stdin.as_mut().context("no input")?)?;
        let answer = self.answers.next().context("a side ended before its turn did")??;
        serde_json::from_str(&answer).with_context(|| format!("a side said `{answer}`"))
    }

    /// The most that it had in memory beyond what was there before its first turn.
    pub(crate) fn grown_mib(&self) -> Result<f64> {
        let peak = status_kib(self.process.id(), "VmHWM:")?;
        Ok(peak.saturating_sub(self.base_kib) as f64 / 1024.0)
    }
}

impl Drop for Side {
    /// It ends with its input.
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

pub(crate) fn status_kib(process: u32, name: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no `{name}`"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// The proportional share of a process in the machine's memory.
pub(crate) fn pss_kib(process: u32) -> Result<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
