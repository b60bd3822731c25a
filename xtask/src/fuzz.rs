//! What strangers send, over and over: the property tests that `cargo test` runs once, under one seed after another, for as
//! long as one wants. A failure prints its seed and its smallest input.

use crate::{places, shell};
use anyhow::{Result, bail};
use std::time::{Duration, Instant, SystemTime};

/// Name, what a stranger sends, the tests of it.
pub(crate) const TARGETS: [(&str, &str, &[&str]); 11] = [
    ("components", "component bytes", &["--lib", "any_damage_is_blamed_on_the_component"]),
    ("chunks", "columns that a guest hands over", &["--lib", "any_chunk_of_a_guest"]),
    ("tables", "stored and sent tables", &["--lib", "decode::tests"]),
    ("frames", "messages of a worker", &["--lib", "wire::tests::strangers"]),
    ("manifest", "projects, pipelines, lock files", &["--test", "never_panics"]),
    ("tensors", "tensor operations", &["--test", "suite", "never_panics"]),
    ("trees", "calls that grow trees", &["--test", "suite", "any_calls_are_answered"]),
    ("queries", "texts of SQL", &["--test", "suite", "any_text_is_answered"]),
    ("requests", "bodies and messages of requests", &["--lib", "never_panic"]),
    ("mutants", "whole requests to a server", &["--test", "mutants"]),
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
    let said = String::from_utf8_lossy(&ended.stdout);
    match (ended.status.success(), passed(&said)) {
        // A test that was renamed would be sought for ever, and never fail.
        (true, 0) => bail!("no test was run by `cargo {}`: expected those of `{target}`", arguments.join(" ")),
        (true, _) => Ok(()),
        (false, _) => {
            eprintln!("{said}{}", String::from_utf8_lossy(&ended.stderr));
            bail!("failed under the seed {seed}; again with `cargo xtask fuzz {target} --seed {seed}`")
        }
    }
}

/// How many tests passed, over all binaries that `cargo test` ran.
fn passed(said: &str) -> u64 {
    let counts = said.lines().filter_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next());
    counts.filter_map(|count| count.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    #[test]
    fn tests_that_passed_are_counted_over_all_binaries() {
        let none = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out\n";
        let two = "running 2 tests\n..\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out\n";
        for (said, expected) in [("", 0), (none, 0), (two, 2)] {
            assert_eq!(passed(said), expected);
        }
        assert_eq!(passed(&[none, two, none, two].concat()), 4);
    }

    /// Every source below a folder.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => sources(&entry, found),
                false if entry.extension().is_some_and(|end| end == "rs") => found.push(entry),
                false => {}
            }
        }
    }

    #[test]
    fn every_target_names_tests_that_there_are() {
        let mut files = Vec::new();
        sources(&places::root().join("host"), &mut files);
        let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        let is_named = |name: &str| {
            let names = |line: &str| {
                let rest = line.trim_start().trim_start_matches("pub(crate) ");
                let rest = rest.strip_prefix("fn ").or_else(|| rest.strip_prefix("mod "));
                rest.is_some_and(|rest| {
                    rest.split(|c: char| c != '_' && !c.is_alphanumeric()).next().is_some_and(|it| it.contains(name))
                })
            };
            texts.iter().any(|text| text.lines().any(names))
        };
        for (target, _, tests) in TARGETS {
            let (binary, filters) = match tests {
                ["--lib", filters @ ..] => (None, filters),
                ["--test", binary, filters @ ..] => (Some(*binary), filters),
                other => panic!("{target}: {other:?}"),
            };
            assert!(binary.is_some() || !filters.is_empty(), "{target} names no test");
            if let Some(binary) = binary {
                let ends = [format!("tests/{binary}.rs"), format!("tests/{binary}/main.rs")];
                assert!(
                    files.iter().any(|file| ends.iter().any(|end| file.ends_with(end))),
                    "{target}: no tests `{binary}`"
                );
            }
            for part in filters.iter().flat_map(|filter| filter.split("::")) {
                assert!(is_named(part), "{target}: nothing is called `{part}`");
            }
        }
    }
}
