//! What people do with runs that were: run them again from a step on, replay, compare, cancel and list them; and what is set
//! for one run alone.

mod harness;

use harness::{Project, Said};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Before `predicted`, in the order of the pipeline.
const BEFORE: [&str; 5] = ["patients", "checked", "parts", "scaled", "model"];

fn show(project: &Project, run: u64) -> Value {
    project.stepwell(&["runs", "show", &run.to_string(), "--json"]).json()
}

fn step<'a>(shown: &'a Value, name: &str) -> &'a Value {
    let steps = shown["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name}: {shown}"))
}

fn last_line(said: &Said) -> Value {
    serde_json::from_str(said.out.lines().last().unwrap()).unwrap()
}

#[test]
fn a_run_is_run_again_from_a_step_on() {
    let project = Project::new();
    project.run();
    let said = project.stepwell(&["runs", "rerun", "1", "--from", "predicted"]);
    said.expect("rerun", 0, &["run 2 of `tumour/train`", "version 2", "succeeded"]);
    let (first, second) = (show(&project, 1), show(&project, 2));
    assert_eq!(second["summary"]["cause"], json!({ "cause": "rerun", "of": 1, "from": "predicted" }));
    assert_eq!(second["logical_time_us"], first["logical_time_us"]);
    for name in BEFORE {
        let (before, after) = (step(&first, name), step(&second, name));
        assert_eq!(after["taken"], json!({ "taken": "rerun", "run": 1 }), "{name}");
        assert_eq!((&after["outputs"], &after["attempts"]), (&before["outputs"], &json!(0)), "{name}");
    }
    for name in ["predicted", "measured"] {
        assert_eq!((&step(&second, name)["taken"], &step(&second, name)["attempts"]), (&Value::Null, &json!(1)));
        assert_eq!(step(&second, name)["outputs"], step(&first, name)["outputs"], "{name}");
    }
    project.stepwell(&["runs", "show", "2"]).expect("show", 0, &["run 1 again from `predicted` on", "as in run 1"]);
}

#[test]
fn a_run_is_not_run_again_from_where_nothing_stands() {
    let project = Project::new();
    project.edit(harness::TRAIN, "min = 1 }", "min = 5 }");
    project.stepwell(&["run"]).expect("a check that fails", 3, &["run 1 failed"]);
    let rerun = |from: &str| project.stepwell(&["runs", "rerun", "1", "--from", from]);
    rerun("parts").expect("a step before it failed", 2, &["before it `checked` did not commit", "an earlier step"]);
    rerun("modle").expect("no such step", 5, &["run 1 has no step `modle`", "did you mean `model`?"]);
    rerun("checked").expect("from the one that failed", 3, &["run 2 failed"]);
    project.stepwell(&["runs", "rerun", "77", "--from", "model"]).expect("no such run", 5, &["no run 77"]);
}

#[test]
fn a_replay_comes_out_the_same_and_changes_nothing() {
    let project = Project::new();
    project.run();
    let said = project.stepwell(&["runs", "replay", "1"]);
    said.expect("replay", 0, &["run 2 is the same as run 1", "has a say in it: patients, registered"]);
    let said = project.stepwell(&["runs", "replay", "1", "--json"]);
    said.expect("replay --json", 0, &[]);
    let last = last_line(&said);
    assert_eq!((&last["line"], &last["replayed"]["same"]), (&json!("replayed"), &json!(true)));
    let outputs = last["replayed"]["outputs"].as_array().unwrap();
    assert!(outputs.len() >= 8 && outputs.iter().all(|output| output["recorded"].is_string()), "{last}");
    assert_eq!(show(&project, 3)["summary"]["cause"], json!({ "cause": "replay", "of": 1 }));
    assert_eq!(project.stepwell(&["model", "list", "--json"]).json()[0]["versions"], json!([1]));
}

#[test]
fn what_failed_fails_again_in_a_replay() {
    let project = Project::new();
    project.edit(harness::TRAIN, "min = 1 }", "min = 5 }");
    project.stepwell(&["run"]).expect("a check that fails", 3, &["run 1 failed"]);
    let said = project.stepwell(&["runs", "replay", "1"]);
    said.expect("replay of a failure", 0, &["run 2 is the same as run 1", "failed: ", "left out"]);
}

#[test]
fn runs_are_compared() {
    let project = Project::new();
    project.run();
    let said = project.stepwell(&["run", "--param", "measured.resamples=0"]);
    said.expect("run with a parameter", 0, &["run 2"]);
    let diff = project.stepwell(&["runs", "diff", "1", "2", "--json"]).json();
    let rows = diff["rows"].as_array().unwrap();
    let of = |about: &str| rows.iter().find(|row| row["about"] == about).unwrap_or_else(|| panic!("{about}: {diff}"));
    let (set, parameter) = (of("setting"), of("parameter"));
    assert_eq!((&set["name"], &set["a"], &set["b"]), (&json!("measured.resamples"), &Value::Null, &json!(0)));
    assert_eq!((&parameter["step"], &parameter["name"]), (&json!("measured"), &json!("resamples")));
    assert!(
        rows.iter().all(|row| row["same"] == false && row["about"] != "input" && row["about"] != "plugin"),
        "{diff}"
    );
    project.stepwell(&["runs", "diff", "1", "2"]).expect("diff", 0, &["parameter", "resamples", "run 1", "run 2"]);
    project.stepwell(&["runs", "diff", "2", "2"]).expect("diff with itself", 0, &["differ in nothing"]);
    project.stepwell(&["runs", "diff", "2", "2", "--all"]).expect("all of it", 0, &["same", "seed", "logistic"]);
    project.stepwell(&["runs", "diff", "2", "77"]).expect("no such run", 5, &["no run 77"]);
}

#[test]
fn what_is_set_for_a_run_is_checked_and_recorded() {
    let project = Project::new();
    for (arguments, fragment) in [
        (&["--param", "measured.resamples=many"][..], "parameter `resamples` is a string"),
        (&["--param", "measured.resample=1"], "has no parameter `resample`"),
        (&["--param", "mesured.resamples=1"], "did you mean `measured.resamples`?"),
        (&["--param", "gate.at_least=1"], "step `gate` has no parameters"),
        (&["--param", "resamples=1"], "is no parameter of a step"),
        (&["--param", "resamples"], "expected NAME=VALUE"),
        (&["--set", "region=eu"], "no setting `region`"),
    ] {
        let said = project.stepwell(&[&["run"], arguments].concat());
        said.expect(&arguments.join(" "), 2, &[fragment]);
    }
    assert_eq!(project.stepwell(&["runs", "list", "--json"]).json(), json!([]), "nothing was run");
    project.stepwell(&["run", "--param", "measured.resamples=0"]).expect("run", 0, &[]);
    let shown = show(&project, 1);
    assert_eq!(shown["overrides"], json!({ "measured.resamples": 0 }));
    assert_eq!(step(&shown, "measured")["parameters"]["resamples"], json!(0));
    project.stepwell(&["runs", "show", "1"]).expect("show", 0, &["set: measured.resamples = 0"]);
}

/// Google's list of what a run's metadata holds.
#[test]
fn a_run_holds_everything_that_is_to_be_known_of_it() {
    let project = Project::new();
    project.run();
    project.stepwell(&["run", "--no-cache"]).expect("run", 0, &[]);
    let shown = show(&project, 2);
    for field in ["plan", "by", "logical_time_us", "overrides", "report"] {
        assert!(shown.get(field).is_some(), "{field}: {shown}");
    }
    assert!(shown["summary"]["started_us"].as_i64() <= shown["summary"]["finished_us"].as_i64());
    let previous = &shown["registered"][0];
    assert_eq!((&previous["version"], &previous["aliases"]["champion"]), (&json!(2), &json!(1)), "what to go back to");
    let model = step(&shown, "model");
    assert!(model["component"].as_str().is_some_and(|digest| digest.len() == 64));
    assert_eq!((&model["inputs"][0]["from"], &model["plugin"]), (&json!("scaled.train"), &json!("logistic")));
    assert!(model["inputs"][0]["artifact"]["digest"].is_string() && model["parameters"].is_object());
    let attempt = &model["ended_attempts"][0];
    assert!(attempt["fault"].is_null() && attempt["receipt"]["wall_us"].as_u64() > Some(0), "{attempt}");
    assert!(model["started_us"].as_i64() <= model["ended_us"].as_i64());
    assert!(step(&shown, "patients")["grants"]["files"].is_array());
    assert!(step(&shown, "measured")["outputs"]["measures"].is_object());
}

#[test]
fn an_interrupted_run_is_cancelled_without_going_on() {
    let project = Project::new();
    let mut command = harness::command(&project.path(""), &["run", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let has_committed = lines.any(|line| line.contains("step_committed"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(has_committed);
    let said = project.stepwell(&["runs", "list", "--state", "interrupted"]);
    said.expect("list", 0, &["interrupted"]);
    project.stepwell(&["runs", "cancel", "1"]).expect("cancel", 0, &["cancelled run 1"]);
    let shown = show(&project, 1);
    assert_eq!(shown["summary"]["state"], "cancelled");
    assert_eq!(step(&shown, "registered")["state"], "not_run");
    let said = project.stepwell(&["runs", "show", "1"]);
    said.expect("show", 0, &["`registered`", "not run: the run was cancelled before it began"]);
    project.stepwell(&["runs", "cancel", "1"]).expect("again", 2, &["run 1 was cancelled already"]);
    project.stepwell(&["runs", "resume", "1"]).expect("resume", 2, &["nothing to resume"]);
}

#[test]
fn lists_are_short_and_filtered() {
    let project = Project::new();
    project.run();
    project.stepwell(&["runs", "rerun", "1", "--from", "measured"]).expect("rerun", 0, &[]);
    project.edit(harness::TRAIN, "at_least = 0.99", "at_least = 0.9999");
    project.stepwell(&["run"]).expect("a gate that fails", 4, &[]);
    let numbers = |arguments: &[&str]| -> Vec<u64> {
        let list = project.stepwell(&[&["runs", "list", "--json"], arguments].concat()).json();
        list.as_array().unwrap().iter().map(|run| run["run"].as_u64().unwrap()).collect()
    };
    for (arguments, expected) in [
        (&[][..], &[3, 2, 1][..]),
        (&["--limit", "2"], &[3, 2]),
        (&["--state", "succeeded"], &[2, 1]),
        (&["--state", "rejected"], &[3]),
        (&["--state", "running"], &[]),
        (&["--pipeline", "train", "--limit", "1"], &[3]),
        (&["--pipeline", "other"], &[]),
    ] {
        assert_eq!(numbers(arguments), expected, "{arguments:?}");
    }
    project.stepwell(&["runs", "list"]).expect("list", 0, &["cause", "rerun", "manual"]);
    project.stepwell(&["runs", "list", "--state", "odd"]).expect("no such state", 2, &["interrupted"]);
    project.stepwell(&["runs", "list", "--limit", "0"]).expect("none at all", 2, &[]);
}
