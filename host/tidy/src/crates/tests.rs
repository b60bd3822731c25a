//! A small workspace, and each way in which one line of it can be wrong.

use super::*;

const WORKSPACE: &str =
    "[workspace]\nmembers = [\n    # Order.\n    \"host/data\",\n    \"host/run\",\n    \"host/testkit\",\n]\n";

fn tree(data: &str, run: &str) -> Vec<File> {
    vec![
        File::new("Cargo.toml", WORKSPACE),
        File::new("host/data/Cargo.toml", data),
        File::new("host/run/Cargo.toml", run),
        File::new("host/testkit/Cargo.toml", ""),
    ]
}

fn told(offences: Vec<Offence>) -> Vec<String> {
    offences.into_iter().map(|Offence { place, what }| format!("{place}: {what}")).collect()
}

#[test]
fn every_form_of_a_dependency_is_read() {
    let text = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb-c = \"1\"\n[dependencies.d]\nversion = \"1\"\n\
                [target.'cfg(unix)'.dependencies]\ne = { version = \"1\" }\n[dev-dependencies]\n# f\ng = \"1\"\n[lints]\nh = 1\n";
    let manifest = File::new("Cargo.toml", text);
    let read: Vec<_> = dependencies(&manifest).map(|found| (found.name, found.dev)).collect();
    assert_eq!(read, [("a", false), ("b-c", false), ("d", false), ("e", false), ("g", true)]);
}

#[test]
fn a_big_dependency_elsewhere_is_found() {
    let files =
        tree("[dependencies]\narrow.workspace = true\n", "[dependencies]\narrow-array = \"1\"\narrows = \"1\"\n");
    let offences = told(owners(&files));
    assert_eq!(
        offences.iter().filter(|told| told.contains("arrow")).collect::<Vec<_>>(),
        ["host/run/Cargo.toml:2: `arrow-array` belongs to `data` alone"]
    );
    let files = tree("[dev-dependencies]\narrow.workspace = true\n", "");
    assert!(
        told(owners(&files)).contains(&"Cargo.toml:1: `data` no longer names `arrow`: mend `tidy::crates`".to_owned())
    );
}

#[test]
fn what_measures_a_big_dependency_may_name_it() {
    let files = [
        File::new("Cargo.toml", "[workspace]\nmembers = [\n    \"bench\",\n]\n"),
        File::new("bench/Cargo.toml", "[dependencies]\narrow.workspace = true\n"),
    ];
    assert!(!told(owners(&files)).iter().any(|told| told.contains("alone")));
}

#[test]
fn an_edge_to_a_later_crate_is_found() {
    assert_eq!(told(edges(&tree("", "[dependencies]\ndata.workspace = true\n"))), Vec::<String>::new());
    let expected = ["host/data/Cargo.toml:2: `data` depends on `run`, which does not stand before it"];
    assert_eq!(told(edges(&tree("[dependencies]\nrun.workspace = true\n", ""))), expected);
    assert_eq!(told(edges(&tree("[dev-dependencies]\nrun.workspace = true\n", ""))), expected);
    assert_eq!(told(edges(&tree("[dev-dependencies]\ntestkit.workspace = true\n", ""))), Vec::<String>::new());
    assert_eq!(edges(&tree("[dependencies]\ntestkit.workspace = true\n", "")).len(), 1);
}

#[test]
fn a_description_says_what_becomes_what() {
    let files = tree("description = \"a <-> b\"\n", "description = \"runs things\"\n");
    assert_eq!(
        told(descriptions(&files)),
        [
            "host/run/Cargo.toml:1: `run` has no `description` with `->`",
            "host/testkit/Cargo.toml:1: `testkit` has no `description` with `->`",
        ]
    );
}
