//! One small step in every language, a z-score with nulls, held against one set of fixtures and against each other, bit for
//! bit; and what a person is told of the languages.

mod harness;

use harness::examples::zscore;
use harness::{Project, TRAIN, stepwell};
use serde_json::Value;
use std::path::Path;
use toolchain::LANGUAGES;

fn words() -> Vec<&'static str> {
    LANGUAGES.iter().map(|language| language.word).collect()
}

/// The recordings are the same for all: what is saved, what is given and what is refused. `restored` begins with a state that
/// they all save.
#[test]
fn every_language_gives_what_is_recorded_for_all() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/fixtures/zscore");
    for word in words() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tests")).unwrap();
        for entry in std::fs::read_dir(&fixtures).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), folder.path().join("tests").join(entry.file_name())).unwrap();
        }
        std::fs::copy(zscore(word), folder.path().join("zscore.wasm")).unwrap();
        let said = stepwell(folder.path(), &["plugin", "test", "zscore.wasm"]);
        assert_eq!(said.code, Some(0), "{word}:\n{}{}", said.out, said.err);
        said.expect(word, 0, &["zscore: 6 passed, 0 failed"]);
    }
}

const ROWS: &str = r#"
[steps.learnt]
plugin = "csv"
params = { path = "data/learnt.csv", columns = { x = "float64", y = "float64" } }
grants = { files = ["data"] }
[steps.rows]
plugin = "csv"
params = { path = "data/rows.csv", columns = { x = "float64", y = "float64" } }
grants = { files = ["data"] }
"#;

/// A project with the z-score of every language, and tables of more rows than pass in one call.
fn project(rows: u32) -> Project {
    let project = Project::new();
    for word in words() {
        project.write(&format!("{word}.wasm"), std::fs::read(zscore(word)).unwrap());
    }
    // Nulls at the edges of bytes and of words of validity bits.
    let is_null = |at: u32| at.is_multiple_of(7) || at % 64 == 63;
    let line = |at: u32, odd: &str| {
        let x = if is_null(at) { odd.to_owned() } else { (f64::from(at).sin() * 1e3).to_string() };
        format!("{at},{x},{}\n", f64::from(at).sqrt() / 3.0)
    };
    let table = |odd: &str| format!("id,x,y\n{}", (0..rows).map(|at| line(at, odd)).collect::<String>());
    project.write("data/learnt.csv", table(""));
    project.write("data/rows.csv", table("nan"));
    project
}

fn step(name: &str, plugin: &str, fit: &str) -> String {
    format!(
        "[steps.{name}]\nplugin = \"{plugin}\"\nfit = \"{fit}.table\"\n\
         inputs = {{ learnt = \"learnt.table\", rows = \"rows.table\" }}\nparams = {{ columns = [\"x\", \"y\"] }}\n"
    )
}

/// Tables of equal rows have an equal digest, whatever pieces they were made in: it says more than their values as text, in
/// which one NaN looks like another.
#[test]
fn every_language_gives_the_bits_of_the_plugin_in_rust_over_many_chunks() {
    let project = project(70_000);
    let languages: String = words().iter().map(|word| step(word, &format!("./{word}.wasm"), "learnt")).collect();
    project.write(TRAIN, ROWS.to_owned() + &languages + &step("standardize", "standardize", "learnt"));
    project.stepwell(&["run"]).expect("run", 0, &["succeeded", "70000 rows"]);
    let shown = project.stepwell(&["runs", "show", "1", "--json"]).json();
    let digests = |name: &str| -> [Value; 2] {
        let steps = shown["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["step"] == name).unwrap();
        ["learnt", "rows"].map(|port| step["outputs"][port]["digest"].clone())
    };
    let expected = digests("standardize");
    assert!(expected.iter().all(Value::is_string) && expected[0] != expected[1], "{shown}");
    for word in words() {
        assert_eq!(digests(word), expected, "{word}");
    }
    refused(&project);
}

/// In the same project, because its components are compiled: what is no number is nothing to learn from, and parameters are the
/// same in all languages.
#[track_caller]
fn refused(project: &Project) {
    let pipeline = |params: &str| -> String {
        let step = |word: &&str| step(word, &format!("./{word}.wasm"), "rows").replace("[\"x\", \"y\"]", params);
        ROWS.to_owned() + &words().iter().map(step).collect::<String>()
    };
    for word in words() {
        project.write(TRAIN, ROWS.to_owned() + &step(word, &format!("./{word}.wasm"), "rows"));
        let says = "`x`: expected numbers of a finite mean and deviation to learn from";
        project.stepwell(&["run"]).expect(word, 3, &[word, says]);
    }
    for (params, says) in
        [("[]", "less than 1 item"), ("[\"x\", \"x\"]", "non-unique"), ("[1]", "is an integer, expected string")]
    {
        project.write(TRAIN, pipeline(params));
        let said = project.stepwell(&["check"]);
        said.expect(params, 2, &[says]);
        assert_eq!(said.err.matches(says).count(), words().len(), "{}", said.err);
    }
}

#[test]
fn a_language_is_measured_where_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    // Its tools are in the user's cache from now on.
    zscore("c");
    let mut command = harness::command(folder.path(), &["plugin", "languages", "c", "--json"]);
    command.env("XDG_CACHE_HOME", harness::cache::users().parent().unwrap());
    let ended = command.output().unwrap();
    let said: Value = serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ended.stderr)));
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    assert_eq!((&said["profile"], &said["rows"]), (&profile.into(), &serde_json::json!([1, 1000, 1_000_000])));
    let c = &said["languages"][0];
    assert_eq!(c["language"], "C");
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("no number: {value}"));
    assert!((10_000.0..200_000.0).contains(&number(&c["component_bytes"])), "{c}");
    for key in ["first_build_s", "next_build_s", "native_s", "load_ms", "start_us"] {
        assert!(number(&c[key]) > 0.0, "{key}: {c}");
    }
    let [one, thousand, million] = [0, 1, 2].map(|at| number(&c["call_us"][at]));
    // Or the million was not done.
    assert!(0.0 < one && 10.0 * one < million && 10.0 * thousand < million, "{c}");
}
