//! First-party learners that are killed while they train: they go on from a checkpoint, and the model has the same bits as
//! one that nothing disturbed.

mod support;

use serde_json::Value;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use support::Project;

/// A plugin, the rest of its step's keys, and the metric's index at which it is killed: some checkpoints are there by then.
const LEARNERS: [(&str, &str, u64); 5] = [
    ("gbdt", "label = \"y\"\nparams = { trees = 400, row_share = 0.8, checkpoint_every = 5 }", 100),
    (
        "mlp",
        "label = \"y\"\nparams = { hidden = [16], dropout = 0.1, epochs = 60, schedule = \"cosine\", warm_up = 20, checkpoint_every = 2 }",
        10,
    ),
    (
        "mlp",
        "label = \"y\"\nparams = { hidden = [16], epochs = 60, optimiser = \"sgd\", schedule = \"exponential\", clip_norm = 1, checkpoint_every = 2 }",
        10,
    ),
    (
        "logistic",
        "label = \"large\"\nparams = { method = \"nesterov\", learning_rate = 0.01, momentum = 0.5, tolerance = 1e-300, max_iterations = 2000, checkpoint_every = 20 }",
        100,
    ),
    ("kmeans", "params = { clusters = 12, starts = 40, checkpoint_every = 2 }", 5),
];

/// Two features and two labels: their product, and whether it is large.
fn rows() -> String {
    let mut rows = "a,b,y,large\n".to_owned();
    for i in 0..2000_u64 {
        let (a, b) = (chance(i), chance(i + 3000));
        let y = a * b + 0.1 * chance(i + 9000);
        writeln!(rows, "{a},{b},{y},{}", if y > 0.3 { "yes" } else { "no" }).unwrap();
    }
    rows
}

/// Numbers between 0 and 1 that look like chance.
fn chance(i: u64) -> f64 {
    let mixed = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn project(plugin: &str, keys: &str, rows: &str) -> Project {
    let project = Project::new(&format!(
        "[steps.rows]\nplugin = \"csv\"\nparams = {{ path = \"data/rows.csv\" }}\ngrants = {{ files = [\"data\"] }}\n\n\
         [steps.model]\nplugin = \"{plugin}\"\ninputs = {{ train = \"rows.table\" }}\nfeatures = [\"a\", \"b\"]\n{keys}\n"
    ));
    project.write("data/rows.csv", rows);
    project
}

fn model(project: &Project) -> Value {
    let shown = project.answer(&["runs", "show", "1"]);
    shown["steps"].as_array().unwrap().iter().find(|step| step["step"] == "model").unwrap().clone()
}

/// Runs the pipeline and kills it once the training has told a metric of this index.
fn killed(project: &Project, at: u64) {
    let mut run = project.start(&["run", "--json"]);
    let lines = BufReader::new(run.stdout.take().unwrap()).lines().map_while(Result::ok);
    let reached = lines
        .map(|line| serde_json::from_str::<Value>(&line).unwrap())
        .any(|line| line["event"]["event"] == "metric" && line["event"]["index"] == at);
    assert!(reached, "the run ended before it told of {at}");
    run.kill().unwrap();
    run.wait().unwrap();
    project.assert_no_worker_left();
    assert_eq!(project.answer(&["runs", "list"])[0]["state"], "running");
}

#[test]
fn a_killed_training_goes_on_and_ends_as_if_nothing_had_been() {
    let rows = rows();
    for (plugin, keys, at) in LEARNERS {
        let undisturbed = project(plugin, keys, &rows);
        undisturbed.stepwell(&["run"]).succeeded();
        let disturbed = project(plugin, keys, &rows);
        killed(&disturbed, at);
        let resumed = disturbed.stepwell(&["runs", "resume", "1", "--json"]).succeeded();
        assert!(resumed.stdout.contains("goes on "), "{plugin}, {keys}: {}", resumed.stdout);
        let (model, whole) = (model(&disturbed), model(&undisturbed));
        assert_eq!((&model["attempts"], &model["outputs"]), (&2.into(), &whole["outputs"]), "{plugin}, {keys}");
    }
}
