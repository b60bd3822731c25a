//! `stepwell doctor` on this machine: every attempt of the kit is made and held, and a wall that is missing is told of.

mod harness;

use doctor::ATTEMPTS;
use harness::{command, stepwell};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// Promised on two idle cores; tests run beside each other.
const WHOLE_MAX: Duration = Duration::from_secs(180);
/// For an attempt that its limit of half a second ends.
const STOPPED_MAX_US: u64 = 20_000_000;

fn doctor(folder: &Path, arguments: &[&str]) -> harness::Said {
    stepwell(folder, &[&["doctor"], arguments].concat())
}

/// What was left in the cache.
fn left(folder: &Path) -> Vec<String> {
    let scratch = std::fs::read_dir(folder.join(".cache/stepwell/doctor")).into_iter().flatten();
    scratch.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_attempt_is_held_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let said = doctor(folder.path(), &["--json"]);
    assert!(began.elapsed() < WHOLE_MAX, "{:?}", began.elapsed());
    let told: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let findings = told["attempts"].as_array().unwrap();
    let names: Vec<_> = findings.iter().map(|finding| finding["name"].as_str().unwrap()).collect();
    assert_eq!(names, ATTEMPTS.each_ref().map(|attempt| attempt.name));
    for finding in findings {
        assert_eq!(finding["held"], true, "{finding:#}");
        let stopped_by_time = finding["wall"] == "limit wall";
        assert!(!stopped_by_time || finding["took_us"].as_u64() < Some(STOPPED_MAX_US), "{finding:#}");
    }
    said.expect("doctor --json", 0, &[]);
    assert_eq!(told["held"], true);
    let devices = worker::devices();
    assert_eq!(told["devices"], serde_json::json!({ "cuda": devices.built, "found": devices.found }));
    assert_eq!(left(folder.path()), [""; 0]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "more than the cache was made");
}

#[test]
fn the_table_aligns_and_says_what_stands() {
    let folder = tempfile::tempdir().unwrap();
    let said = doctor(folder.path(), &[]);
    said.expect(
        "doctor",
        0,
        &["no-new-privileges  ", "resources  ", "python3  ", "cache  ", "yours alone", "GPU\n", "all held"],
    );
    let lines = || said.out.lines().filter(|line| line.starts_with("+ "));
    assert_eq!(lines().count(), ATTEMPTS.len(), "{}", said.out);
    // The time, a number and its unit, begins in one column, whatever the words before it.
    let columns: BTreeSet<_> = lines().filter_map(|line| line.rfind("  ")).collect();
    assert_eq!(columns.len(), 1, "{}", said.out);
    assert!(!said.out.contains('\x1b') && !said.err.contains('\x1b'), "{said:?}");
}

#[test]
fn without_the_plugins_that_try_nothing_is_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let ended = command(folder.path(), &["doctor"]).env("STEPWELL_PLUGINS", folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot read the plugin") && said.contains("cargo xtask plugins"), "{said}");
    assert_eq!(left(folder.path()), [""; 0]);
}

/// Another plugin under their names does not do what is expected of an attempt: what did not hold is told, and is exit code 1.
#[test]
fn what_did_not_hold_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let other = Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("test-guests").join("warehouse.wasm");
    for name in ["abuse.wasm", "abuse-roles.wasm"] {
        std::fs::copy(&other, folder.path().join(name)).expect("a guest that `cargo xtask plugins` built");
    }
    let ended = command(folder.path(), &["doctor"]).env("STEPWELL_PLUGINS", folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    let fallen = said.lines().filter(|line| line.starts_with("x ")).count();
    assert!(said.contains("x endless-loop ") && said.contains("    did not hold: "), "{said}");
    assert!(said.ends_with(&format!(": {fallen} did not hold\n")), "{said}");
}
