//! `stepwell gc`: what need not be kept goes, what anything counts on stays.

mod support;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use support::Project;

const PIPELINE: &str = r#"
[steps.rows]
plugin = "csv"
params = { path = "data/rows.csv" }
grants = { files = ["data"] }

[steps.checked]
plugin = "schema"
inputs = { table = "rows.table" }
params = { columns = { a = { type = "int64", min = 0 } } }
"#;

/// A project whose data is another in each of these runs.
fn ran(runs: u64) -> Project {
    let project = Project::new(PIPELINE);
    for run in 1..=runs {
        project.write("data/rows.csv", format!("a\n{run}\n{}\n", run * 10));
        project.stepwell(&["run"]).succeeded();
    }
    project
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn numbers(project: &Project) -> Vec<u64> {
    let list = project.answer(&["runs", "list"]);
    list.as_array().unwrap().iter().map(|run| run["run"].as_u64().unwrap()).collect()
}

fn blobs(project: &Project) -> usize {
    files(&project.path().join(".stepwell/tenants/default/blobs")).len()
}

#[test]
fn what_is_said_to_go_goes() {
    let project = ran(3);
    let before = blobs(&project);
    for run in ["1", "3"] {
        let shown = project.answer(&["runs", "show", run]);
        let page = std::fs::read_to_string(shown["report"].as_str().unwrap()).unwrap();
        assert!(page.contains(&format!("Run {run} of")), "{page}");
    }
    let told = project.answer(&["gc", "--keep-runs", "1", "--dry-run"]);
    assert_eq!((&told["runs"], numbers(&project), blobs(&project)), (&json!([1, 2]), vec![3, 2, 1], before));
    let done = project.answer(&["gc", "--keep-runs", "1"]);
    let same = |key: &str| assert_eq!(told[key], done[key], "{key}");
    ["runs", "blobs", "bytes", "blobs_kept"].into_iter().for_each(same);
    assert!(done["blobs"].as_u64() > Some(0));
    assert_eq!(blobs(&project), before - done["blobs"].as_u64().unwrap() as usize);
    assert_eq!(numbers(&project), [3]);
    for kind in ["logs", "reports"] {
        assert_eq!(files(&project.path().join(".stepwell/tenants/default").join(kind)).len(), 1, "{kind}");
    }
    assert_eq!(project.stepwell(&["runs", "show", "1"]).status.code(), Some(5));
    let rows = project.answer(&["runs", "rows", "3", "checked.table"]);
    assert_eq!(rows["rows"], json!([{ "a": 3 }, { "a": 30 }]));
    let again = project.answer(&["gc", "--keep-runs", "1"]);
    assert_eq!((&again["runs"], &again["blobs"]), (&json!([]), &json!(0)));
    // The index is made anew from a journal that still has the old records.
    std::fs::remove_dir_all(project.path().join(".stepwell/index")).unwrap();
    assert_eq!(numbers(&project), [3]);
    project.stepwell(&["run"]).succeeded();
    assert_eq!(numbers(&project), [4, 3], "a number is never given twice");
    project.stepwell(&["runs", "rerun", "3", "--from", "checked"]).succeeded();
}

#[test]
fn the_last_good_run_and_what_did_not_end_stay() {
    let project = ran(1);
    project.write("data/rows.csv", "a\n-1\n");
    for _ in 0..2 {
        assert_eq!(project.stepwell(&["run"]).status.code(), Some(3));
    }
    let done = project.answer(&["gc", "--keep-runs", "0", "--older-than", "0 s"]);
    assert_eq!((&done["runs"], numbers(&project)), (&json!([2, 3]), vec![1]));
    project.answer(&["runs", "rows", "1", "rows.table"]);
    let wrong = project.stepwell(&["gc", "--older-than", "soon"]);
    assert!(wrong.status.code() == Some(2) && wrong.stderr.contains("is not a duration"), "{wrong:#?}");
}

#[test]
fn a_registered_version_keeps_its_run_and_answers_after_a_sweep() {
    let project = Project::new(&format!(
        "{PIPELINE}\n[steps.model]\nplugin = \"kmeans\"\ninputs = {{ train = \"checked.table\" }}\nfeatures = [\"a\"]\n\
         params = {{ clusters = 2 }}\n\n[steps.kept]\nbuiltin = \"register\"\ninputs = {{ model = \"model.model\" }}\nname = \"groups\"\n"
    ));
    for run in 1..=2 {
        project.write("data/rows.csv", format!("a\n{run}\n{}\n5\n9\n", run * 10));
        project.stepwell(&["run"]).succeeded();
    }
    let done = project.answer(&["gc", "--keep-runs", "0"]);
    assert_eq!((&done["runs"], numbers(&project)), (&json!([]), vec![2, 1]));
    let version: Value = project.answer(&["model", "show", "groups", "1"]);
    for file in version["predictor"]["state"].as_array().unwrap() {
        let digest = file["digest"].as_str().unwrap();
        let blob = project.path().join(".stepwell/tenants/default/blobs").join(&digest[..2]).join(&digest[2..]);
        assert!(blob.is_file(), "{file}");
    }
    project.stepwell(&["runs", "replay", "1"]).succeeded();
}
