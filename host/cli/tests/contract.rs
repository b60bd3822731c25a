//! Plugins that were compiled for each version of the contract, in today's host, by `plugin test`; a plugin of no version that
//! it speaks; and what `plugin test` says when something else comes.

mod harness;

use harness::stepwell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const RENEW: &str = "0.1.0 is a draft until the first tagged release: `cargo xtask contract --bless` compiles its plugin anew. \
                     Of a released version the host is to be mended, not the plugin";

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sandbox/tests/contract")
}

fn named(folder: &Path) -> String {
    folder.file_name().unwrap().to_str().unwrap().to_owned()
}

/// The versions that any package of the contract has: `wit/PACKAGE@VERSION`.
fn spoken() -> BTreeSet<String> {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let folders = std::fs::read_dir(wit).unwrap().map(|entry| named(&entry.unwrap().path()));
    let versions: BTreeSet<String> = folders.map(|name| name.split_once('@').unwrap().1.to_owned()).collect();
    assert!(versions.contains("0.1.0"), "{versions:?}");
    versions
}

/// The folders of versions.
fn versions() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(kept()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.join("kept.wasm").is_file()).collect()
}

#[test]
fn a_plugin_of_every_version_is_called_in_every_role() {
    let versions = versions();
    let kept: BTreeSet<String> = versions.iter().map(|folder| named(folder)).collect();
    let lacking: Vec<String> = spoken().difference(&kept).cloned().collect();
    assert!(lacking.is_empty(), "wit/ has versions without a kept plugin: {lacking:?}; `cargo xtask contract --bless`");
    for version in versions {
        let folder = tempfile::tempdir().unwrap();
        let said = stepwell(folder.path(), &["plugin", "test", version.join("kept.wasm").to_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{}: {RENEW}\n{}{}", version.display(), said.out, said.err);
        said.expect("a kept plugin", 0, &["kept: 7 passed, 0 failed"]);
        let bytes = std::fs::metadata(version.join("kept.wasm")).unwrap().len();
        assert!(bytes < 200_000, "{bytes} bytes are too many to keep for each version");
    }
}

#[test]
fn a_plugin_of_another_version_is_refused_by_it_before_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let component = std::fs::read(kept().join("0.1.0/kept.wasm")).unwrap();
    let (ours, other) = (b"@0.1.0", b"@0.2.0");
    let mut later = component.clone();
    for place in 0..later.len() - ours.len() {
        if component[place..].starts_with(ours) {
            later[place..place + ours.len()].copy_from_slice(other);
        }
    }
    std::fs::write(folder.path().join("later.wasm"), later).unwrap();
    let says = ["is built for stepwell:step@0.2.0; this host speaks 0.1.0", "rebuild the plugin"];
    stepwell(folder.path(), &["plugin", "inspect", "later.wasm"]).expect("a later version", 2, &says);
}

/// A copy of the kept plugin and of what it was given and gave, to be changed.
fn copied() -> tempfile::TempDir {
    let (folder, from) = (tempfile::tempdir().unwrap(), kept().join("0.1.0"));
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    std::fs::copy(from.join("kept.wasm"), folder.path().join("kept.wasm")).unwrap();
    for entry in std::fs::read_dir(from.join("tests")).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), folder.path().join("tests").join(entry.file_name())).unwrap();
    }
    folder
}

#[test]
fn what_differs_from_its_recording_is_shown_and_can_be_recorded() {
    let folder = copied();
    let file = |name: &str| folder.path().join("tests").join(name);
    let test = |more: &[&str]| stepwell(folder.path(), &[&["plugin", "test", "kept.wasm"], more].concat());
    let edit = |name: &str, old: &str, new: &str| {
        let text = std::fs::read_to_string(file(name)).unwrap();
        assert!(text.contains(old), "{text}");
        std::fs::write(file(name), text.replacen(old, new, 1)).unwrap();
    };
    edit("fitted.toml", "value:float64\n1\n3", "value:float64\n1\n5");
    std::fs::remove_file(file("sink.expected.json")).unwrap();
    let says = [
        "failed fitted: - expected, + got",
        "-       [-1.0],",
        "+       [-2.0],",
        "nothing is recorded yet",
        "5 passed, 2 failed",
    ];
    test(&[]).expect("a difference", 3, &says);
    test(&["--bless"]).expect("recorded", 0, &["recorded fitted", "recorded sink", "passed trainer"]);
    test(&[]).expect("as recorded", 0, &["7 passed, 0 failed"]);
    // Within a tolerance a number is the same.
    edit("trainer.expected.json", "[1.0,2.0]", "[1.0,2.001]");
    test(&[]).expect("another number", 3, &["[1.0,2.001]", "[1.0,2.0]", "6 passed, 1 failed"]);
    edit("trainer.toml", "role =", "tolerance = 0.01\nrole =");
    test(&[]).expect("a tolerance", 0, &["7 passed, 0 failed"]);
    // What the plugin refuses is part of what it gives.
    edit("trainer.toml", "value:float64\n1\n3", "other:float64\n1\n3");
    let json: serde_json::Value = serde_json::from_str(&test(&["--json"]).out).unwrap();
    let of = |name: &str| json.as_array().unwrap().iter().find(|it| it["test"] == name).unwrap();
    assert_eq!((of("trainer")["passed"].as_bool(), of("fitted")["passed"].as_bool()), (Some(false), Some(true)));
}

#[test]
fn a_fixture_that_is_wrong_is_told_where() {
    let folder = copied();
    let file = folder.path().join("tests/fitted.toml");
    for (text, says) in [
        ("role = \"fited\"\n", &["tests/fitted.toml:1:8", "did you mean `fitted`?"][..]),
        (
            "role = \"fitted\"\n[inputs.rows]\ncsv = \"a:int64\\nx\"\n",
            &["tests/fitted.toml:3:7", "`x` in row 1, expected int64"],
        ),
        ("role = \"evaluator\"\n", &["lacks the table `candidate`, which the role evaluator takes"]),
    ] {
        std::fs::write(&file, text).unwrap();
        let said = stepwell(folder.path(), &["plugin", "test", "kept.wasm"]);
        said.expect(text, if text.contains("evaluator") { 3 } else { 2 }, says);
    }
    std::fs::remove_dir_all(folder.path().join("tests")).unwrap();
    stepwell(folder.path(), &["plugin", "test", "kept.wasm"]).expect("none", 2, &["no fixtures", "tests/NAME.toml"]);
}
