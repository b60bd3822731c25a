//! Source files that a pipeline names, in the languages in which a file is a whole step: built by `check` and `run`, once for
//! each text, pinned by it, and explained by their compiler. `foreign.rs` has what a stranger's may do; Python's stand in
//! other tests.

mod harness;

use harness::examples::zscore;
use harness::{Project, TRAIN};
use toolchain::LANGUAGES;

const ROWS: &str =
    "[steps.rows]\nplugin = \"csv\"\nparams = { path = \"data/rows.csv\" }\ngrants = { files = [\"data\"] }\n";

/// Languages of a file each, and the ending of their files.
const FILES: [(&str, &str); 3] = [("javascript", "js"), ("typescript", "ts"), ("c", "c")];

#[test]
fn what_a_pipeline_can_name_is_what_can_be_built() {
    // `manifest` has the endings, `toolchain` the languages; Rust's plugins are folders.
    let folder = tempfile::tempdir().unwrap();
    for ending in ["py", "js", "ts", "c"] {
        assert!(toolchain::digest(&folder.path().join(format!("a.{ending}")), b"").is_ok(), "{ending}");
    }
    assert_eq!(LANGUAGES.len(), 5);
}

/// A project with the z-score in each language as `steps/scale.ENDING`, and a pipeline of them.
fn project() -> Project {
    let project = Project::new();
    project.write("data/rows.csv", "name,x\na,1.5\nb,\nc,-4\n");
    let mut pipeline = ROWS.to_owned();
    for (word, ending) in FILES {
        zscore(word);
        let within = tempfile::tempdir().unwrap();
        let language = LANGUAGES.into_iter().find(|language| language.word == word).unwrap();
        let (_, step) = toolchain::example(within.path(), language).unwrap();
        project.write(&format!("steps/scale.{ending}"), std::fs::read(step).unwrap());
        pipeline += &format!(
            "[steps.{word}]\nplugin = \"./steps/scale.{ending}\"\nfit = \"rows.table\"\ninputs = {{ rows = \"rows.table\" }}\n\
             params = {{ columns = [\"x\"] }}\n"
        );
    }
    project.write(TRAIN, pipeline);
    project
}

#[test]
fn a_file_is_built_once_for_each_text_and_pinned_by_it() {
    let project = project();
    let building = FILES.map(|(_, ending)| format!("building `steps/scale.{ending}`"));
    let said = project.stepwell(&["check"]);
    said.expect("check", 0, &building.each_ref().map(String::as_str));
    said.expect("check", 0, &["plugin `./steps/scale.c` pinned at"]);
    let lock = project.read("stepwell.lock");
    for (_, ending) in FILES {
        assert!(lock.contains(&format!("[plugins.\"./steps/scale.{ending}\"]")), "{lock}");
    }
    let said = project.stepwell(&["run"]);
    said.expect("run", 0, &["succeeded"]);
    assert!(!said.err.contains("building"), "{}", said.err);
    let rows = project.rows(1, "c.rows");
    assert_eq!((rows[1]["x"].is_null(), rows[0]["x"].as_f64()), (true, Some(1.0)), "{rows:?}");
    for (word, _) in FILES {
        assert_eq!(project.rows(1, &format!("{word}.rows")), rows, "{word}");
    }
    project.edit("steps/scale.c", "(x.f64[row] - all[at].mean)", "(all[at].mean - x.f64[row])");
    let said = project.stepwell(&["run"]);
    said.expect("an edit", 0, &["building `steps/scale.c`", "plugin `./steps/scale.c` is now", "succeeded"]);
    assert!(!said.err.contains("building `steps/scale.js`"), "{}", said.err);
    assert_eq!(project.rows(2, "c.rows")[0]["x"], -1.0);
}

#[test]
fn what_a_compiler_says_comes_with_file_and_line() {
    let project = project();
    for (ending, old, new, says) in [
        ("js", "fit(columns) {", "fit(columns { {", "building `steps/scale.js`: scale.js, line 19: Expected"),
        ("ts", "fit(columns):", "fit(columns)::", "building `steps/scale.ts`: scale.ts, line 23: "),
        (
            "c",
            "return (learnt){mean, scale};",
            "return (learnt){mean, scales};",
            "scale.c:50:27: error: use of undeclared",
        ),
        (
            "js",
            "export default rowWise(",
            "import \"./more.js\";\nexport default rowWise(",
            "scale.js, line 6: Could not resolve",
        ),
    ] {
        let file = format!("steps/scale.{ending}");
        let sound = project.read(&file);
        project.edit(&file, old, new);
        let said = project.stepwell(&["check"]);
        said.expect(new, 2, &[says, &format!("building `{file}`")]);
        assert!(!said.err.contains("/source/"), "where it was built is nobody's concern: {}", said.err);
        project.write(&file, sound);
    }
}
