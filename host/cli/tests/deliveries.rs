//! Sinks -> deliveries of every kind, each under a key that no attempt changes, and what people are told of them.
//!
//! The plugins are `guests/warehouse` and the example `announce` of the Rust SDK, built by `cargo xtask plugins`.

mod support;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use support::Project;

const PIPELINE: &str = r#"
[steps.patients]
plugin = "csv"
params = { path = "data/tumour.csv" }
grants = { files = ["data"] }

[steps.checked]
plugin = "schema"
inputs = { table = "patients.table" }
params = { columns = { sample = { type = "int64", unique = true } } }

[steps.model]
plugin = "logistic"
inputs = { train = "checked.table" }
label = "diagnosis"
ignore = ["sample"]
params = { max_iterations = 3 }

[steps.predicted]
builtin = "predict"
inputs = { rows = "checked.table", model = "model.model" }

[steps.measured]
plugin = "classification"
inputs = { candidate = "predicted.table" }
params = { label = "diagnosis", positive = "malignant", resamples = 0 }

[steps.rows-out]
plugin = "./warehouse.wasm"
inputs = { table = "predicted.table" }

[steps.findings-out]
plugin = "./warehouse.wasm"
inputs = { report = "checked.findings" }

[steps.model-out]
plugin = "./warehouse.wasm"
inputs = { model = "model.model" }

[steps.measures-out]
plugin = "./announce.wasm"
inputs = { report = "measured.measures" }
"#;

const ROWS: &str = r#"
[steps.rows]
plugin = "csv"
params = { path = "data/rows.csv" }
grants = { files = ["data"] }
"#;

const STALLING: &str = r#"
[steps.out]
plugin = "./warehouse.wasm"
inputs = { table = "rows.table" }
params = { stall = true }
"#;

/// After [`PIPELINE`].
const IN_PYTHON: &str = r#"
[steps.told-rows]
plugin = "./steps/notice.py"
inputs = { table = "predicted.table" }

[steps.told-findings]
plugin = "./steps/notice.py"
inputs = { report = "checked.findings" }

[steps.told-model]
plugin = "./steps/notice.py"
inputs = { model = "model.model" }
"#;

const NOTICE: &str = r#"
from stepwell import Model, Receipt, Sink, Table


class Notice(Sink):
    """Says what came."""

    takes = {"table": {"sample": "int64?"}, "report": {}, "model": {}}

    def deliver(self, key, delivery):
        if isinstance(delivery, Table):
            return Receipt(f"{key}: from {delivery['sample'][0]} on")
        if isinstance(delivery, Model):
            return Receipt(f"{key}: {list(delivery.files)} of {delivery.about['plugin']['name']}", repeated=True)
        return Receipt(f"{key}: {len(delivery)} checks")
"#;

fn project(pipeline: &str) -> Project {
    let project = Project::new(pipeline);
    for guest in ["warehouse", "announce"] {
        let built = Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("test-guests").join(guest);
        let built = built.with_extension("wasm");
        project.write(&format!("{guest}.wasm"), std::fs::read(built).expect("`cargo xtask plugins` builds it"));
    }
    let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tumour/data/tumour.csv");
    project.write("data/tumour.csv", std::fs::read(rows).unwrap());
    project.write("data/rows.csv", "a,b\n1,x\n2,y\n3,z\n");
    project
}

/// What a step gave, as `runs show` tells of it.
fn outputs(project: &Project, step: &str) -> Value {
    let shown = project.answer(&["runs", "show", "1"]);
    let steps = shown["steps"].as_array().unwrap();
    steps.iter().find(|shown| shown["step"] == step).unwrap()["outputs"].clone()
}

/// What a log says after the step's key.
#[track_caller]
fn delivered<'l>(log: &'l str, step: &str) -> &'l str {
    let key = format!("default/main/1/{step}: ");
    log.lines().find_map(|line| Some(line.split_once(&key)?.1)).unwrap_or_else(|| panic!("no `{key}`: {log}"))
}

#[test]
fn tables_reports_and_models_are_delivered() {
    let project = project(PIPELINE);
    let ran = project.stepwell(&["run"]).succeeded();
    let log = project.stepwell(&["runs", "logs", "1"]).succeeded().stdout;
    assert_eq!(delivered(&log, "rows-out"), "569 rows of 34 columns");
    let findings: Value = serde_json::from_str(delivered(&log, "findings-out")).unwrap();
    assert_eq!(findings, outputs(&project, "checked")["findings"]["findings"]);
    let measures: Value = serde_json::from_str(delivered(&log, "measures-out")).unwrap();
    assert_eq!(measures, outputs(&project, "measured")["measures"]["measures"]);
    let model = delivered(&log, "model-out");
    let (files, about) = model.split_at(model.find('{').unwrap());
    assert!(files.starts_with("model.json of "), "{files}");
    let about: Value = serde_json::from_str(about).unwrap();
    let given = &outputs(&project, "model")["model"];
    assert_eq!((&about["signature"], &about["measures"]), (&given["signature"], &given["measures"]));
    assert_eq!(about["plugin"]["name"], "logistic");
    told(&project, &ran.stdout);
}

/// A person is told where it lies: by the run, afterwards, and in the report.
#[track_caller]
fn told(project: &Project, ran: &str) {
    assert!(ran.contains("delivered to shelf default/main/1/rows-out"), "{ran}");
    let shown = project.stepwell(&["runs", "show", "1"]).succeeded().stdout;
    assert!(shown.contains("`rows-out` delivered to shelf default/main/1/rows-out"), "{shown}");
    let report = project.answer(&["runs", "show", "1"])["report"].as_str().unwrap().to_owned();
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.contains("measures-out to the step's log"), "{report}");
}

/// Cut off between the delivery and its commit: delivered again, under the same key.
#[test]
fn an_attempt_that_was_killed_after_it_delivered_is_followed_by_one_with_the_same_key() {
    let project = project(&[ROWS, STALLING].concat());
    let mut server = project.start(&["run", "--json"]);
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("default/main/1/out: 3 rows")), "nothing was delivered");
    server.kill().unwrap();
    server.wait().unwrap();
    project.assert_no_worker_left();
    assert_eq!(outputs(&project, "out"), json!({}));
    let resumed = project.stepwell(&["runs", "resume", "1"]).succeeded().stdout;
    let expected = "delivered to shelf default/main/1/out, as an earlier attempt had already done";
    assert!(resumed.contains(expected), "{resumed}");
    let given = json!({"type": "delivered", "location": "shelf default/main/1/out", "repeated": true});
    assert_eq!(outputs(&project, "out"), json!({ "delivered": given }));
}

#[test]
fn a_sink_that_is_wired_wrongly_is_told_before_the_run() {
    let wrong = PIPELINE.replace("report = \"measured.measures\"", "report = \"predicted.table\"");
    let refused = project(&wrong).stepwell(&["check"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:#?}");
    for words in ["step `measures-out` wants measures or findings at `inputs.report`", "`predicted.table` is a table"] {
        assert!(refused.stderr.contains(words), "{refused:#?}");
    }
}

/// Built as its author writes it: the glue of the Python SDK stands between.
#[test]
fn a_sink_in_python_delivers() {
    let project = project(&[PIPELINE, IN_PYTHON].concat());
    project.write("steps/notice.py", NOTICE);
    project.stepwell(&["run"]).succeeded();
    let checks = outputs(&project, "checked")["findings"]["findings"].as_array().unwrap().len();
    for (step, said, repeated) in [
        ("told-rows", "from 1 on", false),
        ("told-findings", &format!("{checks} checks"), false),
        ("told-model", "['model.json', 'weights.safetensors'] of logistic", true),
    ] {
        let location = format!("default/main/1/{step}: {said}");
        let given = json!({"type": "delivered", "location": location, "repeated": repeated});
        assert_eq!(outputs(&project, step), json!({ "delivered": given }));
    }
}

const EXPORTS: &str = r#"
[steps.csv-out]
plugin = "export"
inputs = { table = "predicted.table" }
params = { path = "out/rows-{run}.csv" }
grants = { files = [{ path = "out", write = true }] }

[steps.json-out]
plugin = "export"
inputs = { report = "measured.measures" }
params = { path = "out/measures.json", overwrite = true }
grants = { files = [{ path = "out", write = true }] }

[steps.files-out]
plugin = "export"
inputs = { model = "model.model" }
params = { path = "out/tumour-{file}" }
grants = { files = [{ path = "out", write = true }] }
"#;

/// What was written is read by the collector as the very same values.
#[test]
fn what_is_exported_reads_back_as_it_was() {
    let project = project(&[PIPELINE, EXPORTS].concat());
    project.write("out/keep", "");
    project.stepwell(&["run"]).succeeded();
    let written = |file: &str| std::fs::read_to_string(project.path().join("out").join(file)).unwrap();
    let measures: Value = serde_json::from_str(&written("measures.json")).unwrap();
    assert_eq!(measures, outputs(&project, "measured")["measures"]["measures"]);
    let about: Value = serde_json::from_str(&written("tumour-about.json")).unwrap();
    assert_eq!(about["plugin"]["name"], "logistic");
    assert!(project.path().join("out/tumour-weights.safetensors").is_file());
    let location = "out/tumour-model.json, out/tumour-weights.safetensors, out/tumour-about.json";
    assert_eq!(outputs(&project, "files-out")["delivered"]["location"], location);
    let back = ROWS.replace("data/rows.csv", "out/rows-1.csv").replace("[\"data\"]", "[\"out\"]");
    let again = Project::new(&back);
    again.write("out/rows-1.csv", written("rows-1.csv"));
    again.stepwell(&["run"]).succeeded();
    let (sent, got) = (rows(&project, "predicted.table"), rows(&again, "rows.table"));
    assert!(sent == got && sent.len() == 569, "{:?} became {:?}", sent.first(), got.first());
}

/// The rows of a table, as JSON: floats are told to their last bit.
fn rows(project: &Project, table: &str) -> Vec<Value> {
    let shown = project.answer(&["runs", "rows", "1", table, "--limit", "1000"]);
    shown["rows"].as_array().unwrap().clone()
}

#[test]
fn the_grant_to_write_is_asked_for_at_once() {
    let out = "\n[steps.out]\nplugin = \"export\"\ninputs = { table = \"rows.table\" }\nparams = { path = \"out/rows.csv\" }\n";
    let project = project(&format!("{ROWS}{out}"));
    let refused = project.stepwell(&["run"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:#?}");
    let line = "grants = { files = [{ path = \"out\", write = true }] }";
    assert!(
        refused.stdout.contains("writing `out/rows.csv` is not granted") && refused.stdout.contains(line),
        "{refused:#?}"
    );
}

/// The second run finds what the first wrote: the same rows stay, others need `overwrite`.
#[test]
fn a_file_is_replaced_only_where_it_may_be() {
    let out = |more: &str| {
        let rows = ROWS.replace("path = ", "page_rows = 2, path = ");
        let params = format!("params = {{ path = \"out/rows.csv\"{more} }}");
        let grants = "grants = { files = [{ path = \"out\", write = true }] }";
        format!("{rows}\n[steps.out]\nplugin = \"export\"\ninputs = {{ table = \"rows.table\" }}\n{params}\n{grants}\n")
    };
    let project = project(&out(""));
    project.write("out/keep", "");
    for _ in 0..2 {
        project.stepwell(&["run"]).succeeded();
        assert_eq!(std::fs::read_to_string(project.path().join("out/rows.csv")).unwrap(), "a,b\n1,x\n2,y\n3,z\n");
    }
    project.write("data/rows.csv", "a,b\n1,x\n");
    let refused = project.stepwell(&["run"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:#?}");
    assert!(refused.stdout.contains("`out/rows.csv`: it is there already"), "{refused:#?}");
    project.write("pipelines/main.toml", out(", overwrite = true, header = false, delimiter = \";\""));
    project.stepwell(&["run"]).succeeded();
    assert_eq!(std::fs::read_to_string(project.path().join("out/rows.csv")).unwrap(), "1;x\n");
}
