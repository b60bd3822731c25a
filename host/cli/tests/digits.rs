//! `examples/digits`: a network that a Python step trains with the host's tensors; and a convolutional one in Rust.

mod harness;

use harness::Project;

#[test]
fn the_digits_example_trains_in_python_and_reads_what_it_has_not_seen() {
    let project = Project::example("digits");
    project.stepwell(&["run"]).expect("run", 0, &["1797 rows", "gate passed", "registered model `digits` version 1"]);
    let predicted = project.rows(1, "predicted.table");
    let right = predicted.iter().filter(|row| row["digit"] == row["prediction"]).count();
    assert!(right as f64 / predicted.len() as f64 >= 0.97, "{right} of {}", predicted.len());
    assert!(predicted.len() > 440 && predicted.iter().all(|row| row["confidence"].as_f64().unwrap() <= 1.0));
}

#[test]
fn a_rust_guest_trains_a_convolutional_network_and_takes_up_its_checkpoint() {
    let project = Project::example("digits");
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("test-guests/glyphs.wasm");
    project.write("glyphs.wasm", std::fs::read(built).expect("`cargo xtask plugins` builds it"));
    let pipeline = project.read("pipelines/train.toml");
    let parts = pipeline.split("[steps.model]").next().unwrap();
    let step =
        "[steps.glyphs]\nplugin = \"./glyphs.wasm\"\ninputs = { train = \"parts.train\", test = \"parts.test\" }\n";
    project.write("pipelines/train.toml", format!("{parts}{step}"));
    project.stepwell(&["run"]).expect("run", 0, &["glyphs", "succeeded"]);
    let measures = &project.rows(1, "glyphs.measures")[0];
    let measure = |name: &str| measures[name].as_f64().unwrap();
    assert!(measure("accuracy") >= 0.95, "{measures}");
    assert_eq!(measure("loss").to_bits(), measure("resumed_loss").to_bits(), "{measures}");
}
