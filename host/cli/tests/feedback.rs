//! What was predicted comes back with its label, and the next run learns from it.

mod harness;

use harness::serving::{Serving, signal};
use harness::{Project, TRAIN};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Beyond the time that anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
const AGAIN: &str = "pipelines/again.toml";
const LABELS: &str = "/labels/tumour";

/// A small model of `x` behind the endpoint `tumour`, with more in `stepwell.toml`.
fn trained(more: &str) -> Project {
    let project = Project::cold();
    let rows: String = (0..40).map(|i| format!("{i}.5,{}\n", i > 20)).collect();
    project.write("data/rows.csv", format!("x,y\n{rows}"));
    let learn = |from: &str, label: &str| {
        format!(
            "[steps.model]\nplugin = \"logistic\"\ninputs = {{ train = \"{from}\" }}\nlabel = \"{label}\"\n\
             [steps.registered]\nbuiltin = \"register\"\ninputs = {{ model = \"model.model\" }}\n\
             name = \"tumour\"\nalias = \"champion\"\n"
        )
    };
    let rows =
        "[steps.rows]\nplugin = \"csv\"\nparams = { path = \"data/rows.csv\" }\ngrants = { files = [\"data\"] }\n";
    project.write(TRAIN, format!("{rows}{}", learn("rows.table", "y")));
    let feedback = "[steps.feedback]\nbuiltin = \"feedback\"\nendpoint = \"tumour\"\nlabel = \"truth\"\n";
    project.write("stepwell.toml", format!("{}\n{more}", project.read("stepwell.toml")));
    project.stepwell(&["run", "train"]).expect("run", 0, &["registered model `tumour`"]);
    project.write(AGAIN, format!("{feedback}{}", learn("feedback.table", "truth")));
    project
}

/// What rows of these `x` are predicted to be, and what the predictions are called.
fn predict(serving: &Serving, xs: &[f64]) -> (Vec<Value>, Vec<String>) {
    let rows: Vec<Value> = xs.iter().map(|x| json!({ "x": x })).collect();
    let answer = serving.post("/predict/tumour", json!({ "rows": rows }).to_string()).good();
    let ids = answer["prediction_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
    (answer["predictions"].as_array().unwrap().clone(), ids.collect())
}

fn label(serving: &Serving, labels: &[(&str, Value)]) -> Value {
    let labels: Vec<Value> = labels.iter().map(|(id, label)| json!({ "prediction_id": id, "label": label })).collect();
    serving.post(LABELS, json!({ "labels": labels }).to_string()).good()
}

/// The log of the endpoint, in numbers, once it fits.
fn log(project: &Project, fits: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let logs = project.stepwell(&["predictions", "list", "--json"]).json();
        if fits(&logs[0]) {
            return logs[0].clone();
        }
        assert!(begin.elapsed() < DEADLINE, "{logs}");
    }
}

fn exported(project: &Project, labelled: bool) -> Vec<Value> {
    let words = ["predictions", "export", "tumour", "--labelled"];
    let said = project.stepwell(&words[..3 + usize::from(labelled)]);
    said.expect("predictions export", 0, &[]);
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_learns_from_what_became_of_predictions() {
    let project = trained("");
    let again = || project.stepwell(&["run", "again"]);
    let serving = project.serve();
    let (predictions, ids) = predict(&serving, &[1.0, 30.0, 2.0, 31.0, 3.0]);
    again().expect("no label yet", 3, &["nothing is to be learnt from", "POST /labels/NAME"]);
    let by_protocol = json!({ "inputs": [{ "name": "x", "datatype": "FP64", "shape": [1], "data": [4.0] }] });
    let answer = serving.post("/v2/models/tumour/infer", by_protocol.to_string()).good();
    let last = answer["parameters"]["prediction_ids"].as_str().unwrap();
    assert!(ids.is_sorted() && ids.iter().all(|id| id.as_str() < last), "{ids:?} {last}");
    // At once, though it may not be written yet.
    let truths: Vec<(&str, Value)> =
        ids.iter().map(String::as_str).zip([false, true, false, true, true].map(Value::from)).collect();
    assert_eq!(label(&serving, &truths), json!({ "accepted": 5, "unknown": [] }));
    let never = "01kb0000000000000000000000";
    assert_eq!(
        label(&serving, &[(never, true.into()), (last, false.into())]),
        json!({ "accepted": 1, "unknown": [never] })
    );
    let wrong =
        json!({ "labels": [{ "prediction_id": last, "label": "no" }, { "prediction_id": "x", "label": true }] });
    let refused = serving.post(LABELS, wrong.to_string());
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("expected a truth") && refused.body.contains("is no prediction's id"), "{refused:?}");
    again().expect("learns", 0, &["registered model `tumour`"]);
    let rows = project.rows(3, "feedback.table");
    let learnt: Vec<_> = rows.iter().map(|row| (row["x"].as_f64().unwrap(), row["truth"].as_bool().unwrap())).collect();
    assert_eq!(learnt, [(1.0, false), (30.0, true), (2.0, false), (31.0, true), (3.0, true), (4.0, false)]);
    let joined = project.rows(3, "feedback.joined");
    for (row, (predicted, id)) in joined.iter().zip(predictions.iter().zip(&ids)) {
        assert_eq!((&row["_id"], &row["_version"]), (&json!(id), &json!(1)));
        assert_eq!((&row["prediction"], &row["probability"]), (&predicted["prediction"], &predicted["probability"]));
        assert!(row["_label_received"].as_i64() >= row["_at"].as_i64() && row["_label_at"].is_null(), "{row}");
    }
    // Somebody looked again.
    label(&serving, &[(&ids[4], false.into())]);
    again().expect("learns anew", 0, &["registered model `tumour`"]);
    assert_eq!(project.rows(4, "feedback.table")[4]["truth"], false);
    project.stepwell(&["runs", "replay", "3"]).expect("what was given then", 0, &[]);
    project.edit(AGAIN, "[steps.feedback]", "limits = { rows = 5 }\n[steps.feedback]");
    again().expect("within the limits", 3, &["labelled predictions come to 6", "its limit `rows` is 5"]);
}

/// What was answered is on the disk soon, and labels at once: a kill costs neither.
#[test]
fn a_kill_costs_no_label_and_no_prediction_that_was_written() {
    let project = trained("");
    let serving = project.serve();
    let (_, ids) = predict(&serving, &[1.0, 30.0]);
    let written = log(&project, |log| log["logged"] == 2);
    assert_eq!((&written["dropped"], &written["unwritten"], &written["files"]), (&json!(0), &json!(0), &json!(1)));
    label(&serving, &[(&ids[0], false.into())]);
    signal("-KILL", serving.process());
    drop(serving);
    let rows = exported(&project, false);
    assert_eq!(rows.iter().map(|row| row["_id"].as_str().unwrap()).collect::<Vec<_>>(), ids);
    assert_eq!((&rows[0]["_label"], &rows[1]["_label"]), (&json!(false), &Value::Null));
    let serving = project.serve();
    let (_, more) = predict(&serving, &[2.0]);
    label(&serving, &[(&ids[1], true.into()), (&more[0], false.into())]);
    assert_eq!(serving.terminate().0.code(), Some(0));
    let rows = exported(&project, true);
    let labels: Vec<_> = rows.iter().map(|row| row["_label"].as_bool().unwrap()).collect();
    assert_eq!(labels, [false, true, false], "an orderly end loses nothing");
    let shown = project.stepwell(&["tenant", "show", "default", "--json"]).json();
    let used = shown["quotas"][0]["used"].as_u64().unwrap();
    let bytes = log(&project, |_| true)["bytes"].as_u64().unwrap();
    assert!(bytes > 0 && used > bytes, "{used} of which {bytes}");
}

#[test]
fn what_is_not_drawn_has_an_id_and_no_row_and_a_large_request_is_refused() {
    let project = trained("");
    let settings = "alias = \"champion\"\nlog = { sample = 0.0 }\nrequest = \"100 B\"";
    project.edit("stepwell.toml", "alias = \"champion\"", settings);
    let serving = project.serve();
    let (_, ids) = predict(&serving, &[1.0]);
    assert_eq!(label(&serving, &[(&ids[0], false.into())]), json!({ "accepted": 0, "unknown": ids }));
    let large = json!({ "rows": vec![json!({ "x": 1.0 }); 50] }).to_string();
    let refused = serving.post("/predict/tumour", large);
    assert_eq!(refused.status, 413, "{refused:?}");
    assert!(refused.body.contains("larger than 100 bytes"), "{refused:?}");
    project.stepwell(&["predictions", "export", "tumour"]).expect("nothing is logged", 5, &["nothing is logged"]);
}
