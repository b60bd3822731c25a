//! `plugin inspect`, `add`, `list` and `remove`: what a component asks for is said in words and pinned, and one that asks for
//! more than the one before it does not slip in.

mod harness;

use harness::{Project, TRAIN};
use std::path::{Path, PathBuf};

/// A guest of the tests, which `cargo xtask plugins` builds.
fn guest(name: &str) -> String {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_stepwell"));
    binary.with_file_name("test-guests").join(format!("{name}.wasm")).to_str().unwrap().to_owned()
}

/// The first-party plugin that misbehaves, under a name that nobody has: it asks for files, requests and tensors.
fn hostile(project: &Project) -> String {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_stepwell"));
    let mut component = std::fs::read(binary.with_file_name("plugins").join("abuse.wasm")).unwrap();
    let named: Vec<usize> = (0..component.len()).filter(|at| component[*at..].starts_with(b"abuse")).collect();
    named.into_iter().for_each(|at| component[at..at + 5].copy_from_slice(b"grief"));
    project.write("made/grief.wasm", component);
    project.path("made/grief.wasm").to_str().unwrap().to_owned()
}

/// The same component with other bytes: a custom section more.
fn touched(component: &str) -> Vec<u8> {
    [&std::fs::read(component).unwrap()[..], &[0, 3, 1, b'x', 0]].concat()
}

#[test]
fn what_a_component_asks_for_is_said_in_words() {
    let project = Project::new();
    let hostile = hostile(&project);
    for (arguments, code, says) in [
        (&["csv"][..], 0, &["collector", "required", "array of string", "reads files", "gives table"][..]),
        (
            &["csv", "--diff", "split"],
            0,
            &["newly imports files", "no longer is a transformer", "newly takes the parameter path"],
        ),
        (&["split", "--diff", "csv"], 0, &["no longer imports files", "newly is a transformer"]),
        (&["split", "--diff", "split"], 0, &["the same version, roles, parameters, ports and imports"]),
        (&[&hostile], 0, &["grief", "fitted", "computes with tensors", "contract 0.1.0"]),
        (&["spilt"], 2, &["there is no plugin `spilt`", "did you mean `split`?"]),
        (&["./absent.wasm"], 2, &["absent.wasm"]),
        (&["pipelines"], 2, &["is a folder", "plugin build pipelines"]),
        (&["stepwell.toml"], 2, &["not a component that can run here: it is not WebAssembly\n"]),
        (&["made/absent.wasm"], 2, &["cannot read `made/absent.wasm`"]),
    ] {
        let said = project.stepwell(&[&["plugin", "inspect"], arguments].concat());
        said.expect(&arguments.join(" "), code, says);
    }
    let json = project.stepwell(&["plugin", "inspect", "csv", "--diff", "split", "--json"]).json();
    assert_eq!(json["asks"], serde_json::json!(["files"]));
    assert_eq!(json["changes"]["imports"]["added"], serde_json::json!(["files"]));
}

#[test]
fn a_plugin_is_added_named_and_removed_alone_and_beside_a_server() {
    let project = Project::new();
    let add = |project: &Project| {
        project.stepwell(&["plugin", "add", &guest("density")]).expect("add", 0, &["plugins/density.wasm", "asks for"]);
    };
    add(&project);
    assert_eq!(std::fs::read(project.path("plugins/density.wasm")).unwrap(), std::fs::read(guest("density")).unwrap());
    assert!(project.read("stepwell.lock").contains("[plugins.density]"));
    let list = || project.stepwell(&["plugin", "list", "--json"]).json();
    let alone = list();
    let of = |name: &str| alone.as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
    assert_eq!((&of("density")["file"], &of("density")["pinned"]), (&"plugins/density.wasm".into(), &true.into()));
    assert_eq!((&of("export")["file"], &of("export")["pinned"]), (&().into(), &().into()));
    assert!(alone.as_array().unwrap().iter().all(|it| !it["name"].as_str().unwrap().starts_with("abuse")), "{alone}");
    assert_eq!(of("logistic")["roles"], serde_json::json!(["trainer", "predictor"]));

    let serving = project.serve();
    assert_eq!(list(), alone);
    project.stepwell(&["plugin", "remove", "density"]).expect("remove", 0, &["removed `density`"]);
    assert!(!project.path("plugins/density.wasm").exists() && !project.read("stepwell.lock").contains("density"));
    project.stepwell(&["plugin", "remove", "density"]).expect("twice", 5, &["no plugin `density` was added"]);
    add(&project);
    drop(serving);

    // By a digest among the tenant's blobs, where it lies since it was added.
    let digest = of("density")["digest"].as_str().unwrap().to_owned();
    project.stepwell(&["plugin", "remove", "density"]).expect("remove", 0, &[]);
    project.stepwell(&["plugin", "add", &digest]).expect("a digest", 0, &["plugins/density.wasm"]);
    // Its source may lie in a folder of its name.
    project.write("density/density.c", "");
    project.stepwell(&["plugin", "inspect", "density"]).expect("beside its source", 0, &["density", "asks for"]);
    let absent = digest.replace(|c: char| c.is_ascii_digit(), "0");
    project.stepwell(&["plugin", "add", &absent]).expect("another digest", 5, &["no component"]);
}

/// A project from elsewhere may bring a `csv` of its own; a pipeline that says `csv` means the first-party one.
#[test]
fn a_plugin_of_the_project_does_not_pass_for_a_first_party_one() {
    let project = Project::new();
    std::fs::create_dir_all(project.path("plugins")).unwrap();
    std::fs::copy(guest("density"), project.path("plugins/csv.wasm")).unwrap();
    let says = ["`plugins/csv.wasm` has the name of a plugin that comes with Stepwell", "by its path"];
    for command in [&["check"][..], &["run"], &["plugin", "list"]] {
        project.stepwell(command).expect(&command.join(" "), 2, &says);
    }
    project.stepwell(&["plugin", "add", "plugins/csv.wasm"]).expect("its own name", 0, &["plugins/density.wasm"]);
    std::fs::remove_file(project.path("plugins/csv.wasm")).unwrap();
    project.stepwell(&["check"]).expect("check", 0, &["is sound"]);
}

#[test]
fn a_plugin_that_a_step_uses_stays() {
    let project = Project::new();
    project.stepwell(&["plugin", "add", &hostile(&project)]).expect("add", 0, &[]);
    project.edit(TRAIN, "\"split\"", "\"grief\"");
    project.stepwell(&["plugin", "remove", "grief"]).expect(
        "remove",
        2,
        &["is used by step `parts` of pipeline `train`"],
    );
    assert!(project.path("plugins/grief.wasm").exists());
    // It is found by its name, and asked: it is a fitted one, which has no place there.
    project.stepwell(&["check"]).expect("check", 2, &["plugin `grief`"]);
}

#[test]
fn what_asks_for_more_does_not_slip_in() {
    let project = Project::new();
    let hostile = hostile(&project);
    project.stepwell(&["plugin", "add", &hostile]).expect("add", 0, &["reads files"]);
    // Other bytes that ask for the same are an update.
    project.write("new.wasm", touched(&hostile));
    project.stepwell(&["plugin", "add", "new.wasm"]).expect("an update", 0, &["added `grief`"]);
    // As if the one before had not asked for files.
    let lock = project.read("stepwell.lock");
    let (before, own) = lock.split_once("[plugins.grief]").unwrap();
    let own = own.replace("\"stepwell:platform/files@0.1.0\", ", "").replace(", \"stepwell:platform/files@0.1.0\"", "");
    assert!(!own.contains("platform/files"), "{own}");
    let narrow = format!("{before}[plugins.grief]{own}");
    project.write("stepwell.lock", &narrow);
    let refused = ["`grief` asks for more", "`files` (reads files", "--accept"];
    project.stepwell(&["plugin", "add", &hostile]).expect("more", 2, &refused);
    assert_eq!(project.read("stepwell.lock"), narrow);
    assert_eq!(std::fs::read(project.path("plugins/grief.wasm")).unwrap(), touched(&hostile), "nothing was written");
    project.stepwell(&["plugin", "add", &hostile, "--accept"]).expect("accepted", 0, &["reads files"]);
}

#[test]
fn an_update_of_the_lock_asks_for_no_more_either() {
    let project = Project::new();
    let lock = project.read("stepwell.lock");
    let (before, csv) = lock.split_once("[plugins.csv]").unwrap();
    let digest = csv.lines().find_map(|line| line.strip_prefix("digest = \"")).unwrap();
    let other: String = digest[..12].chars().rev().collect();
    let csv = csv.replacen(&digest[..12], &other, 1).replacen("platform/files", "platform/clock", 1);
    let narrow = format!("{before}[plugins.csv]{csv}");
    project.write("stepwell.lock", &narrow);
    project.stepwell(&["check", "--update-lock"]).expect("more", 2, &["`csv` asks for more", "`files`", "--accept"]);
    assert_eq!(project.read("stepwell.lock"), narrow);
    project.stepwell(&["check", "--accept"]).expect("alone", 2, &["--update-lock"]);
    project.stepwell(&["check", "--update-lock", "--accept"]).expect("accepted", 0, &["is sound"]);
    assert_eq!(project.read("stepwell.lock"), lock);
}

#[test]
fn what_cannot_be_a_plugin_of_the_project_is_not_added() {
    let project = Project::new();
    let split = PathBuf::from(env!("CARGO_BIN_EXE_stepwell")).with_file_name("plugins").join("split.wasm");
    project.write("text.wasm", "no component");
    for (component, code, says) in [
        (split.to_str().unwrap(), 2, "`split` is the name of a plugin that comes with Stepwell"),
        ("text.wasm", 2, "not a component"),
        ("absent.wasm", 2, "cannot read `absent.wasm`"),
        ("pipelines", 2, "holds no plugin"),
        ("absent", 2, "cannot read `absent`"),
        ("made/absent.wasm", 2, "cannot read `made/absent.wasm`"),
    ] {
        project.stepwell(&["plugin", "add", component]).expect(component, code, &[says]);
    }
    assert!(!project.path("plugins").exists());
    // A link that leads out of the project is not written through.
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), project.path("plugins")).unwrap();
    project.stepwell(&["plugin", "add", &guest("density")]).expect("a link", 2, &["leads out of the project"]);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn nothing_is_built_where_there_is_no_project() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("step.py"), "").unwrap();
    let said = harness::stepwell(folder.path(), &["plugin", "add", "step.py"]);
    said.expect("no project", 2, &["is no project"]);
    assert!(!said.err.contains("building"), "{}", said.err);
}

#[test]
fn a_fixture_that_cannot_be_tried_is_wrong_and_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    std::fs::copy(harness::examples::zscore("rust"), folder.path().join("zscore.wasm")).unwrap();
    let rows = "[inputs.rows]\ncsv = \"x:float64?\\n1\"\n";
    for (fixture, says) in [
        ("role = \"fitted\"\nparams = { columns = [\"x\"], at_leest = 99 }\n", "has no parameter `at_leest`"),
        ("role = \"fitted\"\nparams = { columns = \"x\" }\n", "parameter `columns` is a string, expected array"),
        ("role = \"fitted\"\n", "parameter `columns` is missing"),
        ("role = \"transformer\"\nparams = { columns = [\"x\"] }\n", "plugin `zscore` has `fitted`"),
    ] {
        std::fs::write(folder.path().join("tests/wrong.toml"), format!("{fixture}{rows}")).unwrap();
        let said = harness::stepwell(folder.path(), &["plugin", "test", "zscore.wasm", "--bless"]);
        said.expect(fixture, 2, &[says, "error: 1 problem\n"]);
        assert!(!folder.path().join("tests/wrong.expected.json").exists(), "{fixture}");
    }
    let said = harness::stepwell(folder.path(), &["plugin", "test", "nosuch"]);
    said.expect("no such plugin", 2, &["cannot read `nosuch`"]);
}

/// A recording that had no number for NaN would say the same of a null.
#[test]
fn a_recording_tells_a_number_that_is_none_from_a_null() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("plugins/sql.wasm");
    std::fs::copy(plugin, folder.path().join("sql.wasm")).unwrap();
    let record = |value: &str| {
        let query = format!("select cast({value} as double) as x from t");
        let fixture = format!(
            "role = \"transformer\"\nparams = {{ query = \"{query}\" }}\n[inputs.t]\ncsv = \"a:float64\\n1\"\n"
        );
        std::fs::create_dir_all(folder.path().join("tests")).unwrap();
        std::fs::write(folder.path().join("tests/one.toml"), fixture).unwrap();
    };
    record("'nan'");
    let test = |more: &[&str]| harness::stepwell(folder.path(), &[&["plugin", "test", "sql.wasm"], more].concat());
    test(&["--bless"]).expect("recorded", 0, &["recorded one"]);
    let recorded = std::fs::read_to_string(folder.path().join("tests/one.expected.json")).unwrap();
    assert!(recorded.contains("[\"NaN\"]"), "{recorded}");
    record("null");
    test(&[]).expect("a null", 3, &["[\"NaN\"]", "[null]"]);
}
