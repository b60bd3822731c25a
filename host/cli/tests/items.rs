//! A pipeline that trains one model for each value of a parameter and takes the best: what `runs show` prints of it, and its page.

mod harness;

use harness::stepwell;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

const PIPELINE: &str = r#"
[steps.patients]
plugin = "csv"
params = { path = "data/tumour.csv" }
grants = { files = ["data"] }

[steps.model]
plugin = "linear"
inputs = { train = "patients.table" }
label = "mean_area"
ignore = ["sample"]
each = { param = "l2", values = [100000, 1, 1000] }

[steps.predicted]
builtin = "predict"
inputs = { rows = "patients.table", model = "model.model" }
each = { like = "model" }

[steps.measured]
plugin = "regression"
inputs = { candidate = "predicted.table" }
params = { label = "mean_area" }
each = { like = "predicted" }

[steps.best]
builtin = "best"
inputs = { model = "model.model", measures = "measured.measures" }
measure = "rmse"
prefer = "lowest"

[steps.few]
plugin = "split"
inputs = { table = "patients.table" }
params = { fractions = { a = 0.5, b = 0.5 } }
when = [{ rows = "patients.table", at_least = 10000 }]
"#;

/// The project, run once.
fn ran() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tumour/data/tumour.csv");
    std::fs::create_dir_all(folder.path().join("pipelines")).unwrap();
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    std::fs::copy(rows, folder.path().join("data/tumour.csv")).unwrap();
    std::fs::write(folder.path().join("stepwell.toml"), "name = \"items\"\n").unwrap();
    std::fs::write(folder.path().join("pipelines/main.toml"), PIPELINE).unwrap();
    stepwell(folder.path(), &["run"]).expect("run", 0, &["taken by best"]);
    folder
}

fn step<'a>(run: &'a Value, name: &str) -> &'a Value {
    let found = run["steps"].as_array().unwrap().iter().find(|step| step["step"] == name);
    found.unwrap_or_else(|| panic!("no step `{name}`"))
}

#[test]
fn items_stand_in_one_table_and_the_best_is_told() {
    let project = ran();
    let said = stepwell(project.path(), &["runs", "show", "1"]);
    said.expect(
        "show",
        0,
        &["`model`, `predicted`, `measured` ran for each of 3:", "for each of 3 ", " more measures\n"],
    );
    let text = &said.out;
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let items: Vec<&Vec<&str>> =
        rows.iter().filter(|row| row.get(1).is_some_and(|cell| cell.starts_with("l2="))).collect();
    assert_eq!(
        items.iter().map(|row| row[..3].join(" ")).collect::<Vec<_>>(),
        ["0 l2=100000 committed", "1 l2=1 committed", "2 l2=1000 committed"]
    );
    assert!(items[1].ends_with(&["taken", "by", "best"]) && !items[0].contains(&"taken"), "{text}");
    assert!(text.contains("`best` took l2=1 (`model@1`): its rmse of ") && text.contains(" of l2=1000\n"), "{text}");
    assert!(!text.contains("measured@"), "no item has a table of its own: {text}");

    let run = stepwell(project.path(), &["runs", "show", "1", "--json"]).json();
    let item = json!({ "step": "measured", "root": "model", "index": 2, "label": "l2=1000" });
    assert_eq!(step(&run, "measured@2")["item"], item);
    let best = &step(&run, "best")["best"];
    assert_eq!((&best["took"], &best["candidates"][0]["label"]), (&json!(1), &json!("l2=100000")));
    assert_eq!(step(&run, "patients")["begun"].as_object().unwrap().len(), 1);
}

#[test]
fn a_page_names_the_items_and_says_why_a_step_was_skipped() {
    let project = ran();
    let run = stepwell(project.path(), &["runs", "show", "1", "--json"]).json();
    let page = std::fs::read_to_string(run["report"].as_str().unwrap()).unwrap();
    for words in [
        "<b>best</b> took l2=1 (`model@1`)",
        "l2=1, taken by best",
        "`patients.table` has 569 rows, expected at least 10000",
        "items, as it was in ",
        "another for each item",
    ] {
        assert!(page.contains(words), "no `{words}` in {page}");
    }
}
