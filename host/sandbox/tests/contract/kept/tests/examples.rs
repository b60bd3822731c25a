//! The examples of docs/contract, which must be what the SDK takes. They need a host to run: that they compile is the test.

#![allow(dead_code, reason = "each is there to be read")]

#[path = "../../../../../../docs/contract/examples/data-query.rs"]
mod data_query;

#[path = "../../../../../../docs/contract/examples/data-tables.rs"]
mod data_tables;

#[path = "../../../../../../docs/contract/examples/platform-checkpoint.rs"]
mod platform_checkpoint;

#[path = "../../../../../../docs/contract/examples/platform-clock.rs"]
mod platform_clock;

#[path = "../../../../../../docs/contract/examples/platform-config.rs"]
mod platform_config;

#[path = "../../../../../../docs/contract/examples/platform-entropy.rs"]
mod platform_entropy;

#[path = "../../../../../../docs/contract/examples/platform-environment.rs"]
mod platform_environment;

#[path = "../../../../../../docs/contract/examples/platform-errors.rs"]
mod platform_errors;

#[path = "../../../../../../docs/contract/examples/platform-files.rs"]
mod platform_files;

#[path = "../../../../../../docs/contract/examples/platform-http.rs"]
mod platform_http;

#[path = "../../../../../../docs/contract/examples/platform-report.rs"]
mod platform_report;

#[path = "../../../../../../docs/contract/examples/platform-secrets.rs"]
mod platform_secrets;

#[path = "../../../../../../docs/contract/examples/step-description.rs"]
mod step_description;

#[path = "../../../../../../docs/contract/examples/step-types.rs"]
mod step_types;

#[path = "../../../../../../docs/contract/examples/tensor-tensors.rs"]
mod tensor_tensors;

#[path = "../../../../../../docs/contract/examples/tensor-training.rs"]
mod tensor_training;

#[path = "../../../../../../docs/contract/examples/tensor-trees.rs"]
mod tensor_trees;

#[test]
fn each_example_is_compiled() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../../docs/contract/examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = format!("mod {};", name.trim_end_matches(".rs").replace('-', "_"));
        assert!(include_str!("examples.rs").contains(&module), "{name}");
    }
}
