//! `examples/tumour` as a fresh clone has it: built, run and served by `stepwell` alone, its Python step among the rest.

mod harness;

use harness::Project;
use serde_json::{Value, json};

#[test]
fn the_tumour_example_trains_a_good_model_and_serves_its_python_step() {
    let project = Project::example("tumour");
    let checked = project.stepwell(&["check", "--json"]);
    let served = &checked.json()[0]["served"];
    assert_eq!(*served, json!(["scaled", "derived", "model"]));
    checked.expect("check", 0, &["building `steps/concavity_by_size.py` into a component", "pinned at"]);
    let said = project.run();
    said.expect(
        "run",
        0,
        &[
            "569 rows",
            "gate passed",
            "no version of tumour is champion yet",
            "roc_auc",
            "registered model `tumour` version 1",
            "now `champion`",
        ],
    );
    assert!(!said.err.contains("building"), "what `check` built is not built again: {}", said.err);

    let version = project.stepwell(&["model", "show", "tumour", "champion", "--json"]).json();
    let steps: Vec<&Value> = version["path"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
    assert_eq!(steps, ["scaled", "derived"]);
    let names =
        |fields: &Value| fields.as_array().unwrap().iter().map(|field| field["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&version["request"]).len(), 30);
    assert!(
        !names(&version["request"]).contains(&json!("concavity_by_size")),
        "the step derives it, no caller sends it"
    );
    let measure = |name: &str| {
        let measures = version["measures"].as_array().unwrap();
        measures.iter().find(|measure| measure["name"] == name).and_then(|measure| measure["value"].as_f64()).unwrap()
    };
    assert!(measure("roc_auc") >= 0.99, "{}", measure("roc_auc"));
    assert!(measure("brier") <= 0.05, "{}", measure("brier"));

    let (rows, predicted) = (project.rows(1, "parts.test"), project.rows(1, "predicted.table"));
    assert!(predicted.iter().all(derived), "the Python step's column is the product");
    let batch: Vec<u64> = predicted.iter().map(|row| row["probability"].as_f64().unwrap().to_bits()).collect();
    let serving = project.serve();
    let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(serving.infer(&rows)), batch, "in one request");
    let single: Vec<u64> = rows.iter().flat_map(|row| bits(serving.infer(std::slice::from_ref(row)))).collect();
    assert_eq!(single, batch, "row by row");
    assert_eq!(serving.terminate().0.code(), Some(0));
}

fn derived(row: &Value) -> bool {
    let value = |name: &str| row[name].as_f64().unwrap();
    value("concavity_by_size").to_bits() == (value("worst_concavity") * value("worst_radius")).to_bits()
}

#[test]
fn the_example_of_the_rust_sdk_runs_though_it_learns_nothing() {
    let project = Project::new();
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("test-guests/ratio.wasm");
    project.write("ratio.wasm", std::fs::read(built).expect("`cargo xtask plugins` builds it"));
    let step = "\n[steps.ratio]\nplugin = \"./ratio.wasm\"\ninputs = { rows = \"parts.test\" }\n\
                params = { over = \"mean_area\", under = \"mean_radius\" }\n";
    project.write("pipelines/train.toml", project.read("pipelines/train.toml") + step);
    project.run();
    for row in project.rows(1, "ratio.rows") {
        let value = |name: &str| row[name].as_f64().unwrap();
        assert_eq!(value("ratio").to_bits(), (value("mean_area") / value("mean_radius")).to_bits());
    }
}

#[test]
fn the_short_example_of_the_rust_sdk_runs() {
    let project = Project::new();
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("test-guests/density.wasm");
    project.write("density.wasm", std::fs::read(built).expect("`cargo xtask plugins` builds it"));
    project.write("data/bodies.csv", "name,mass,volume\na,1.5,2\nb,,4\nc,9.25,0.5\n");
    project.write(
        "pipelines/train.toml",
        "[steps.bodies]\nplugin = \"csv\"\nparams = { path = \"data/bodies.csv\", columns = { volume = \"float64\" } }\n\
         grants = { files = [\"data\"] }\n[steps.dense]\nplugin = \"./density.wasm\"\ninputs = { rows = \"bodies.table\" }\n",
    );
    project.stepwell(&["run"]).expect("run", 0, &["dense", "3 rows"]);
    let density: Vec<_> = project.rows(1, "dense.rows").iter().map(|row| row["density"].as_f64()).collect();
    assert_eq!(density, [Some(0.75), None, Some(18.5)]);
}
