//! A simulated installation: tenants, their pipelines and schedules, steps that fail and hang, a clock that is set, disks that fill
//! up, a server that dies at any write. The machine of runs, the scheduler's mind and the share of
//! slots among tenants are the real ones; all round them is played.
//!
//! ```text
//!  seed --Script--> tenants and moves --World--> every record held against what must hold, then all comes to rest
//!                      ^                            |
//!                      +---- shrink, if it fails <--+
//! ```
//! One thread, no files, no clock: a seed is the same everywhere. `STEPWELL_SEEDS=100000` tries more of them,
//! `STEPWELL_SEED=17` the one that failed, and `cargo xtask fuzz simulation` others each time.

mod attempts;
mod bugs;
mod calendar;
mod course;
mod deployments;
mod dice;
mod disk;
mod drive;
mod facts;
mod followers;
mod known;
mod moves;
mod pipelines;
mod scheduler;
mod scribe;
mod script;
mod server;
mod shrink;
mod sources;
mod steps;
mod timetable;
mod turns;
mod watches;
mod world;

use bugs::Bug;
use script::Script;

const SEEDS: u64 = 2_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

/// As many as are asked for; another stretch for each seed of `cargo xtask fuzz`.
fn seeds() -> std::ops::Range<u64> {
    if let Some(seed) = number("STEPWELL_SEED") {
        return seed..seed.saturating_add(1);
    }
    let count = number("STEPWELL_SEEDS").unwrap_or(SEEDS);
    let first = number("PROPTEST_RNG_SEED").unwrap_or(0).saturating_mul(count);
    first..first.saturating_add(count)
}

#[test]
fn trouble_changes_nothing_that_counts() {
    for seed in seeds() {
        let script = Script::of(seed);
        let Some(what) = course::fault(&script, None) else { continue };
        let smallest = shrink::shrink(&script, &|script| course::fault(script, None).is_some());
        let then = course::fault(&smallest, None).unwrap_or_default();
        panic!("seed {seed}: {what}\n\nIn short: {then}\n{smallest}");
    }
}

#[test]
fn bugs_that_are_planted_are_found_and_cut_down() {
    for bug in Bug::ALL {
        let fails = |script: &Script| course::fault(script, Some(bug)).is_some();
        let seed = (0..SEEDS).find(|seed| fails(&Script::of(*seed)));
        let seed = seed.unwrap_or_else(|| panic!("{bug:?} is not found"));
        let smallest = shrink::shrink(&Script::of(seed), &fails);
        let what = course::fault(&smallest, Some(bug)).expect("it still fails");
        eprintln!("{bug:?}, seed {seed}: {what}\n{smallest}");
        assert!(smallest.moves.len() <= 12, "{bug:?}: {smallest}");
    }
}
