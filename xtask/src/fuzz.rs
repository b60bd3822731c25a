//! What strangers send, over and over: the property tests that `cargo test` runs once, under one seed after another, for as
//! long as one wants. A failure prints its seed and its smallest input.

use crate::{places, shell};
use anyhow::{Result, bail};
use std::time::{Duration, Instant, SystemTime};

/// Name, what a stranger sends, the tests of it.
pub(crate) const TARGETS: [(&str, &str, &[&str]); 10] = [
    ("components", "component bytes", &["--lib", "any_damage_is_blamed_on_the_component"]),
    ("chunks", "columns that a guest hands over", &["--lib", "any_chunk_of_a_guest"]),
    ("tables", "stored and sent tables", &["--lib", "decode::tests"]),
    ("frames", "messages of a worker", &["--lib", "wire::tests::strangers"]),
    ("manifest", "projects, pipelines, lock files", &["--test", "never_panics"]),
    ("tensors", "tensor operations", &["--test", "suite", "never_panics"]),
    ("trees", "calls that grow trees", &["--test", "suite", "any_calls_are_answered"]),
    ("queries", "texts of SQL", &["--test", "suite", "any_text_is_answered"]),
    ("requests", "bodies and messages of requests", &["--lib", "never_panic"]),
    ("simulation", "trouble for runs and schedules", &["--test", "simulation", "trouble_changes_nothing"]),
];
const SECONDS: u64 = 60;

/// Runs a target under new seeds for so many seconds, or once under the seed that is given.
pub(crate) fn run(target: &str, options: &[&str]) -> Result<()> {
    let Some((_, _, tests)) = TARGETS.into_iter().find(|(name, ..)| *name == target) else {
        bail!("no target `{target}`; there are {}", TARGETS.map(|(name, ..)| name).join(", "));
    };
    let (seconds, seed) = match options {
        [] => (SECONDS, None),
        ["--seconds", seconds] => (seconds.parse()?, None),
        ["--seed", seed] => (0, Some(seed.parse()?)),
        other => bail!("expected `--seconds N` or `--seed N`, got `{}`", other.join(" ")),
    };
    let (began, time) = (Instant::now(), Duration::from_secs(seconds));
    let first: u64 = seed.unwrap_or(SystemTime::UNIX_EPOCH.elapsed()?.as_secs());
    let mut seed = first;
    loop {
        once(tests, seed, target)?;
        seed += 1;
        if began.elapsed() >= time {
            println!("{target}: nothing found under the seeds {first} to {}", seed - 1);
            return Ok(());
        }
    }
}

fn once(tests: &[&str], seed: u64, target: &str) -> Result<()> {
    let arguments = [&["test", "--quiet", "--workspace"], tests].concat();
    let mut test = shell::cargo(places::root(), &arguments);
    let ended = test.env("CARGO_TARGET_DIR", places::target()?).env("PROPTEST_RNG_SEED", seed.to_string()).output()?;
    if ended.status.success() {
        return Ok(());
    }
    eprintln!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    bail!("failed under the seed {seed}; again with `cargo xtask fuzz {target} --seed {seed}`")
}
