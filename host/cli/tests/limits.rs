//! A plugin that goes against each wall of its sandbox -> a failed step that names the wall; nothing else is harmed.
//!
//! The plugin is `plugins/abuse`, built by `cargo xtask plugins`; its parameter `mode` says what it does. Every project is
//! used again after the failure, with the same plugin behaving.

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};
use support::{Output, Project};

/// From the command's start to its end: a limit of 2 s, starting workers and compiling, on a machine that is busy.
const RUN_MAX: Duration = Duration::from_secs(30);

const PIPELINE: &str = r#"
[steps.rows]
plugin = "csv"
params = { path = "data/rows.csv" }
grants = { files = ["data"] }

[steps.hostile]
plugin = "abuse"
inputs = { rows = "rows.table" }
params = { mode = "MODE" }
grants = { files = ["data"] }
limits = { LIMITS }
"#;

/// What most cases get: little, but enough for a plugin that behaves.
const LIMITS: &str = r#"wall = "20 s", memory = "300 MiB", guest_memory = "64 MiB", handles = 100, output = "4 MiB""#;
/// For guests that would never end.
const SHORT: &str = r#"wall = "2 s", memory = "300 MiB", guest_memory = "64 MiB""#;

/// A project whose second step is in this mode.
fn hostile(mode: &str, limits: &str) -> Project {
    let project = Project::new(&pipeline(mode, limits));
    project.write("data/rows.csv", "a,b\n1,x\n2,y\n3,z\n");
    project
}

fn pipeline(mode: &str, limits: &str) -> String {
    PIPELINE.replace("MODE", mode).replace("LIMITS", limits)
}

/// The step as `runs show` tells of it.
fn step(project: &Project, run: u64, name: &str) -> Value {
    let shown = project.answer(&["runs", "show", &run.to_string()]);
    let steps = shown["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step `{name}`: {shown:#}")).clone()
}

/// Runs a mode that must fail with this in its message, then the same project with the plugin behaving.
#[track_caller]
fn fails(mode: &str, limits: &str, expected: &str) {
    let project = hostile(mode, limits);
    let (start, output) = (Instant::now(), project.stepwell(&["run"]));
    let took = start.elapsed();
    eprintln!("{mode} ({took:.1?}):\n{}", output.stdout);
    assert_eq!(output.status.code(), Some(3), "{output:#?}");
    assert!(took < RUN_MAX, "{took:?}: {output:#?}");
    project.assert_no_worker_left();
    assert_blames(&output, expected);
    assert_failed_alone(&project, expected);
    behaves(&project, limits);
}

/// The line of the failure names the step and the limit.
#[track_caller]
fn assert_blames(output: &Output, expected: &str) {
    let line = output.stdout.lines().find(|line| line.contains("failed:")).unwrap_or_else(|| panic!("{output:#?}"));
    assert!(line.contains("step `hostile`") && line.contains(expected), "expected `{expected}`: {line}");
    assert!(!output.stdout.contains('\x1b') && !output.stderr.contains('\x1b'), "{output:#?}");
}

/// The step failed once and gave nothing, the one before it is committed, no model is there.
#[track_caller]
fn assert_failed_alone(project: &Project, expected: &str) {
    let failed = step(project, 1, "hostile");
    assert_eq!((&failed["state"], &failed["attempts"]), (&"failed".into(), &1.into()), "{failed:#}");
    assert!(failed["because"].as_str().unwrap().contains(expected), "{failed:#}");
    assert_eq!(failed["outputs"], serde_json::json!({}));
    assert!(failed["receipt"]["wall_us"].as_u64() > Some(0), "what it used until then is told: {failed:#}");
    assert_eq!(step(project, 1, "rows")["state"], "committed");
    assert_eq!(project.answer(&["model", "list"]), serde_json::json!([]));
}

/// The same plugin under the same limits in the same data folder, without malice.
#[track_caller]
fn behaves(project: &Project, limits: &str) {
    project.write("pipelines/main.toml", pipeline("harmless", limits));
    project.stepwell(&["run"]).succeeded();
    assert_eq!(project.answer(&["runs", "rows", "2", "hostile.rows"])["total"], 3);
    project.assert_no_worker_left();
}

#[test]
fn a_guest_that_never_ends_is_stopped() {
    fails("loop", SHORT, "`wall` of 2 s");
}

#[test]
fn a_native_kernel_that_never_ends_is_stopped() {
    fails("native_loop", SHORT, "`wall` of 2 s");
}

#[test]
fn a_guest_that_talks_for_ever_is_stopped() {
    fails("sayings_flood", SHORT, "`wall` of 2 s");
}

/// Whatever the guest is doing, native code included.
#[test]
fn a_worker_dies_with_its_server() {
    for mode in ["loop", "native_loop"] {
        let project = hostile(mode, r#"wall = "10 min", memory = "300 MiB""#);
        let mut server = project.start(&["run", "--json"]);
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("step_started") && line.contains("hostile")), "{mode} did not start");
        server.kill().unwrap();
        server.wait().unwrap();
        project.assert_no_worker_left();
        let run = project.answer(&["runs", "list"])[0].clone();
        assert_eq!((&run["state"], &run["live"]), (&"running".into(), &false.into()), "{run:#}");
    }
}

#[test]
fn memory_of_the_guest_is_bounded() {
    fails("memory", LIMITS, "`guest_memory` is 64 MiB");
}

#[test]
fn memory_of_the_host_is_bounded() {
    fails("native_memory", LIMITS, "`memory` of 300 MiB");
    fails("native_tables", LIMITS, "`memory` of 300 MiB");
}

/// The guest's own limit is not reached: both count together.
#[test]
fn memory_of_the_guest_counts_as_the_workers() {
    fails("memory", r#"memory = "100 MiB", guest_memory = "4 GiB""#, "`memory` of 100 MiB");
}

#[test]
fn handles_are_bounded() {
    fails("handles", LIMITS, "more than 100 handles at once (`handles`)");
    fails("table_handles", LIMITS, "more than 100 handles at once (`handles`)");
}

#[test]
fn outputs_are_bounded() {
    fails("huge_output", LIMITS, "`output`");
    fails("huge_state", LIMITS, "`output` is 4 MiB");
}

/// Idle waiting does not count, a second thread does.
#[test]
fn processor_time_is_bounded() {
    let limits = r#"wall = "60 s", cpu = "1 s", memory = "300 MiB""#;
    for mode in ["loop", "native_loop"] {
        fails(mode, limits, "of processor time and was stopped; its limit `cpu` is 1 s");
    }
}

#[test]
fn calls_to_the_host_are_bounded() {
    fails("calls", r#"wall = "60 s", host_calls = 10_000"#, "its limit `host_calls` is 10000");
    fails("huge_call", r#"wall = "60 s""#, "passed more in one call than the 64 MiB that are taken");
}

#[test]
fn rows_are_bounded() {
    fails("huge_output", "rows = 1000", "wrote 16384 rows of a table; its limit `rows` is 1000");
    let project = hostile("harmless", "rows = 2");
    let output = project.stepwell(&["run"]);
    assert_blames(&output, "gives 3 rows of outputs; its limit `rows` is 2");
    let receipt = step(&project, 1, "hostile")["receipt"].clone();
    assert_eq!(receipt["limits"]["rows"], serde_json::json!({"used": 3, "limit": 2}), "{receipt:#}");
    assert!(project.stepwell(&["runs", "show", "1"]).succeeded().stdout.contains("rows 3 / 2"));
}

#[test]
fn the_disk_is_bounded() {
    fails("checkpoints", r#"wall = "60 s", disk = "4 MiB""#, "its limit `disk` is 4 MiB");
    fails("huge_state", r#"disk = "4 MiB""#, "its limit `disk` is 4 MiB");
}

/// They need no grant to count: asking is not free.
#[test]
fn requests_are_bounded() {
    fails("requests", r#"wall = "60 s", requests = 5"#, "made 6 HTTP requests; its limit `requests` is 5");
    fails("requests", r#"wall = "60 s", request_bytes = "4 MiB""#, "its limit `request_bytes` is 4 MiB");
}

#[test]
fn a_panic_is_a_broken_plugin() {
    fails("panic", LIMITS, "the plugin gave up");
}

#[test]
fn a_deep_recursion_is_a_broken_plugin() {
    fails("recurse", LIMITS, "beyond its memory (trap: out of bounds)");
    fails("recurse_lightly", LIMITS, "calls nest too deep (trap: stack overflow); a guest has 512 KiB of stack");
}

#[test]
fn a_row_wise_step_keeps_its_rows() {
    fails("wrong_rows", LIMITS, "returned 2 rows for 3");
}

#[test]
fn nothing_outside_a_grant_is_read() {
    let project = hostile("read_outside", LIMITS);
    // What the paths lead to is there: it is the grant that stops them.
    project.write("secret", "not this one");
    std::os::unix::fs::symlink("../secret", project.path().join("data/link")).unwrap();
    // Each line can be pasted and opens the path, or says why none does.
    for (path, says) in [
        ("secret", r#"grants = { files = ["."] }"#),
        ("../secret", "no grant opens a path with `..`"),
        ("data/../secret", "no grant opens a path with `..`"),
        ("data/link", "grant the folder that the link points to"),
        ("/etc/hostname", r#"grants = { files = ["/etc"] }"#),
        ("/proc/self/environ", "no grant opens `/proc`"),
        (r"kept\u202Ehere/rows.csv", r#"grants = { files = ["kept\u202Ehere"] }"#),
    ] {
        let parameters = format!(r#"mode = "read_outside", paths = ["{path}"]"#);
        project.write(
            "pipelines/main.toml",
            pipeline("read_outside", LIMITS).replace(r#"mode = "read_outside""#, &parameters),
        );
        let output = project.stepwell(&["run"]);
        assert_eq!(output.status.code(), Some(3), "{output:#?}");
        // The terminal shows no mark that turns text.
        let shown = path.replace(r"\u202E", "\u{fffd}");
        assert_blames(&output, &format!("reading `{shown}` is not granted"));
        assert!(output.stdout.contains(says), "{path}, {says}: {output:#?}");
    }
    project.assert_no_worker_left();
}

#[test]
fn slow_is_not_too_slow() {
    let project = hostile("slow_but_ok", LIMITS);
    project.stepwell(&["run"]).succeeded();
    let receipt = step(&project, 1, "hostile")["receipt"].clone();
    assert!(receipt["wall_us"].as_u64() > Some(1_000), "{receipt:#}");
    assert_eq!((&receipt["rows_in"], &receipt["rows_out"]), (&3.into(), &3.into()));
}

#[test]
fn a_receipt_says_what_was_used_of_every_limit() {
    let project = hostile("harmless", LIMITS);
    let output = project.stepwell(&["run"]).succeeded();
    let line = output.stdout.lines().find(|line| line.contains("hostile")).unwrap().to_owned();
    assert!(line.contains("memory ") && line.contains(" / 300 MiB"), "{line}");
    let limits = step(&project, 1, "hostile")["receipt"]["limits"].clone();
    let keys: Vec<_> = types::LimitKind::ALL.iter().map(|kind| kind.key()).collect();
    assert_eq!(limits.as_object().unwrap().len(), keys.len(), "{limits:#}");
    assert!(keys.iter().all(|key| limits[key]["limit"].as_u64() > Some(0)), "{limits:#}");
    assert_eq!((&limits["rows"]["used"], &limits["handles"]["limit"]), (&3.into(), &100.into()), "{limits:#}");
    for used in ["guest_memory", "memory", "handles", "host_calls", "output", "disk"] {
        assert!(limits[used]["used"].as_u64() > Some(0), "{used}: {limits:#}");
    }
    let shown = project.stepwell(&["runs", "show", "1"]).succeeded().stdout;
    assert!(shown.contains("rows 3 / 1000000000") && shown.contains(" / 64 MiB"), "{shown}");
}

#[test]
fn bytes_of_log_are_bounded() {
    let project = hostile("log_flood", r#"log = "1 KiB""#);
    project.stepwell(&["run"]).succeeded();
    let receipt = step(&project, 1, "hostile")["receipt"].clone();
    let (lines, dropped) = (receipt["log_lines"].as_u64().unwrap(), receipt["log_lines_dropped"].as_u64().unwrap());
    assert!((1..100).contains(&lines) && lines + dropped == 5_000, "{receipt:#}");
    assert!((1..=1024).contains(&receipt["limits"]["log"]["used"].as_u64().unwrap()), "{receipt:#}");
}

#[test]
fn a_flood_of_log_is_cut_and_tame() {
    let project = hostile("log_flood", "log_lines = 100");
    let output = project.stepwell(&["run"]).succeeded();
    let receipt = step(&project, 1, "hostile")["receipt"].clone();
    assert_eq!((&receipt["log_lines"], &receipt["log_lines_dropped"]), (&100.into(), &4_900.into()), "{receipt:#}");
    let logs = project.stepwell(&["runs", "logs", "1"]).succeeded();
    assert_eq!(logs.stdout.lines().filter(|line| line.starts_with("hostile")).count(), 100, "{logs:#?}");
    assert!(logs.stdout.contains("line 99"), "{logs:#?}");
    let json = project.stepwell(&["runs", "logs", "1", "--json"]).succeeded();
    for said in [&output.stdout, &output.stderr, &logs.stdout, &json.stdout] {
        let hostile = said.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(hostile, None, "{said}");
    }
}
