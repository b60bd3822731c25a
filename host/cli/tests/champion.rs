//! A candidate beside the version that serves, on the same rows, with the real plugins: what a gate says of the first model, of
//! an equal one and of a worse one.

mod harness;

use harness::Project;
use serde_json::{Value, json};

const PIPELINE: &str = "pipelines/train.toml";

/// The project of `init`, with a champion to beat.
fn compared() -> Project {
    let project = Project::new();
    let champion = "[steps.champion]\nbuiltin = \"predict\"\ninputs = { rows = \"parts.test\" }\nmodel = \"tumour\"\n\
                    alias = \"champion\"\n\n[steps.measured]\n";
    project.edit(PIPELINE, "[steps.measured]\n", champion);
    project.edit(
        PIPELINE,
        "inputs = { candidate = \"predicted.table\" }",
        "inputs = { candidate = \"predicted.table\", baseline = \"champion.table\" }\nslices = [\"size\", \"size x lumpy\"]",
    );
    project.edit(
        PIPELINE,
        "require = [{ measure = \"roc_auc\", at_least = 0.99 }]",
        "require = [{ measure = \"accuracy\", at_least = 0.5 }, { measure = \"accuracy\", not_worse_by = 0.02, slices = [\"size\"] }]",
    );
    // Two columns to slice by.
    let rows = project.read("data/tumour.csv");
    let mut lines = rows.lines();
    let head = lines.next().unwrap();
    let with = |(index, line): (usize, &str)| {
        let (size, lumpy) = (["small", "large"][index % 2], ["yes", "no", "no"][index % 3]);
        format!("{line},{size},{lumpy}\n")
    };
    let rows: String = lines.enumerate().map(with).collect();
    project.write("data/tumour.csv", format!("{head},size,lumpy\n{rows}"));
    project
}

fn verdict(project: &Project, run: u64) -> Value {
    project.stepwell(&["runs", "verdict", &run.to_string(), "--json"]).json()["gate"].clone()
}

/// To it every run would be the first, and nothing would ever be compared.
#[test]
fn a_champion_that_nothing_registers_is_a_mistake() {
    let project = compared();
    project.edit(PIPELINE, "model = \"tumour\"\nalias", "model = \"tumor\"\nalias");
    let says = ["step `champion` predicts with model `tumor`, which nothing registers", "did you mean `tumour`?"];
    project.stepwell(&["check"]).expect("check", 2, &says);
}

#[test]
fn a_candidate_is_judged_beside_the_champion_on_the_same_rows() {
    let project = compared();
    project.run().expect(
        "the first run",
        0,
        &["no version of model `tumour` is `champion`", "passed without a comparison"],
    );
    let first = verdict(&project, 1);
    assert_eq!((&first["outcome"], &first["passed"]), (&json!("no_baseline"), &json!(true)));
    assert_eq!(first["against"], json!({ "model": "tumour", "alias": "champion", "version": null }));

    project.run().expect("the second run", 0, &["answers with version 1 of model `tumour`", "gate passed"]);
    let second = verdict(&project, 2);
    assert_eq!((&second["outcome"], &second["against"]["version"]), (&json!("pass"), &json!(1)));
    let lines = second["lines"].as_array().unwrap();
    let slices: Vec<&Value> = lines.iter().map(|line| &line["requirement"]["slice"]).collect();
    assert_eq!(slices, [&json!(null), &json!(null), &json!("size=large"), &json!("size=small")]);
    assert_eq!(lines[1]["difference_interval"], json!({ "low": 0.0, "high": 0.0 }), "it is the same model");
    let bits = |run, output| -> Vec<u64> {
        let rows = project.rows(run, output);
        rows.iter().map(|row| row["probability"].as_f64().unwrap().to_bits()).collect()
    };
    assert_eq!(bits(2, "champion.table"), bits(1, "predicted.table"), "it answers as it did when it was measured");
    let measures = project.stepwell(&["runs", "show", "2", "--json"]).json();
    assert!(measures.to_string().contains("size=large x lumpy=no"), "crosses are measured");

    // Version 2 is the champion, and the same bytes: nothing is computed again.
    project.run().expect("the third run", 0, &["version 2 of model `tumour`", "run 2 did the same work"]);

    project.edit(PIPELINE, "ignore = [\"sample\"]", "features = [\"texture_error\"]");
    let said = project.stepwell(&["run"]);
    said.expect(
        "a worse candidate",
        4,
        &["gate failed", "is worse by more than 0.02", "skipped: the gate `gate` said no"],
    );
    let fourth = verdict(&project, 4);
    assert_eq!((&fourth["outcome"], &fourth["against"]["version"]), (&json!("fail"), &json!(3)));

    let picture = project.path("verdict.svg");
    project.stepwell(&["runs", "verdict", "4", "--svg", picture.to_str().unwrap()]).expect(
        "the picture",
        0,
        &["failed", "size=small", "not worse by more than 0.02"],
    );
    let svg = project.read("verdict.svg");
    assert!(svg.starts_with("<svg") && svg.matches("<circle").count() == 4, "{svg}");

    // What was good beside nobody is not let through beside whom it was never held against.
    for from in ["gate", "registered"] {
        let says = ["compared with no version of `tumour`", "is version 3 by now", "take --from champion"];
        project.stepwell(&["runs", "rerun", "1", "--from", from]).expect(from, 2, &says);
    }
    let says = ["answers with version 3 of model `tumour`", "registered model `tumour` version 4"];
    project.stepwell(&["runs", "rerun", "1", "--from", "champion"]).expect("compared anew", 0, &says);
}

#[test]
fn a_gate_may_refuse_a_model_that_nothing_can_be_compared_with() {
    let project = compared();
    project.edit(PIPELINE, "builtin = \"gate\"\n", "builtin = \"gate\"\non_no_baseline = \"fail\"\n");
    let said = project.stepwell(&["run"]);
    said.expect("a first run", 4, &["gate no baseline, no version of tumour is champion yet"]);
    project.stepwell(&["runs", "verdict", "9"]).expect("no such run", 5, &["there is no run 9"]);
}
