//! `plugin new`, `plugin build` and `plugin test`: every template builds, passes its own tests and is accepted; what cannot be built or may
//! not be written is refused and leaves nothing.

mod harness;

use harness::{Said, stepwell};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A role a template; the predictor's is the trainer's.
const ROLES: [&str; 7] = ["collector", "transformer", "fitted", "validator", "trainer", "evaluator", "sink"];

fn roles_of(role: &str) -> Vec<&str> {
    if role == "trainer" { vec!["trainer", "predictor"] } else { vec![role] }
}

/// A folder with a new plugin `NAME` of each role.
fn made(language: &str, roles: &[&str]) -> TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for role in roles {
        let said = stepwell(folder.path(), &["plugin", "new", "--lang", language, "--role", role, &name(role)]);
        said.expect(role, 0, &[role, "next:"]);
    }
    folder
}

/// No plugin is called like its role, lest one name is taken for the other.
fn name(role: &str) -> String {
    format!("my-{role}-1")
}

#[track_caller]
fn build(folder: &Path, source: &str) -> Value {
    stepwell(folder, &["plugin", "build", source, "--json"]).json()
}

/// That a component was accepted, for what the template says it is.
#[track_caller]
fn assert_is(built: &Value, folder: &Path, role: &str) {
    let descriptor = &built["descriptor"];
    assert_eq!(descriptor["name"], name(role));
    assert_eq!(descriptor["roles"], serde_json::json!(roles_of(role)));
    let imports = descriptor["imports"].as_array().unwrap();
    assert!(imports.iter().all(|import| import.as_str().unwrap().starts_with("stepwell:")), "{imports:?}");
    let file = folder.join(built["path"].as_str().unwrap());
    assert_eq!(std::fs::metadata(&file).unwrap().len(), built["bytes"].as_u64().unwrap());
    assert_eq!(file.file_name().unwrap().to_str().unwrap(), format!("{}.wasm", name(role)));
}

/// That a new plugin gives what its template recorded.
#[track_caller]
fn assert_passes(folder: &Path, plugin: &str) {
    stepwell(folder, &["plugin", "test", plugin]).expect(plugin, 0, &["1 passed, 0 failed"]);
}

#[test]
fn every_rust_template_builds_and_is_accepted() {
    let folder = made("rust", &ROLES);
    // Every plugin has a target folder of its own and would compile the dependencies anew: here one goes from hand to hand,
    // and waits for the next time that the test is run.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates-wasm");
    let built = ROLES.map(|role| {
        let target = folder.path().join(name(role)).join("target");
        std::fs::create_dir_all(&kept).unwrap();
        std::fs::rename(&kept, &target).unwrap();
        let built = build(folder.path(), &name(role));
        assert_is(&built, folder.path(), role);
        assert_passes(folder.path(), &name(role));
        std::fs::rename(&target, &kept).unwrap();
        built
    });
    // What git does not keep comes back on another machine.
    let first = folder.path().join(name(ROLES[0]));
    std::fs::remove_dir_all(first.join(".stepwell-sdk")).unwrap();
    std::fs::rename(&kept, first.join("target")).unwrap();
    assert_eq!(build(folder.path(), &name(ROLES[0]))["descriptor"], built[0]["descriptor"]);
    std::fs::rename(first.join("target"), &kept).unwrap();
}

#[test]
fn every_rust_template_passes_its_test() {
    let folder = made("rust", &ROLES);
    // One workspace over one SDK, which would be compiled for each of them.
    std::fs::rename(folder.path().join(name(ROLES[0])).join(".stepwell-sdk"), folder.path().join("shared")).unwrap();
    let members = ROLES.map(|role| format!("{:?}", name(role))).join(", ");
    let workspace = format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]\nexclude = [\"shared\"]\n");
    std::fs::write(folder.path().join("Cargo.toml"), workspace).unwrap();
    for role in ROLES {
        let manifest = folder.path().join(name(role)).join("Cargo.toml");
        let mut text = std::fs::read_to_string(&manifest).unwrap();
        for (alone, together) in [
            (".stepwell-sdk/sdk/rust", "../shared/sdk/rust"),
            ("[workspace]\nexclude = [\".stepwell-sdk\"]\n", ""),
            ("name = \"plugin\"\n", ""),
        ] {
            assert!(text.contains(alone), "{text}");
            text = text.replace(alone, together);
        }
        std::fs::write(manifest, text).unwrap();
    }
    std::fs::copy(folder.path().join(name(ROLES[0])).join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--workspace", "--lib"]).current_dir(folder.path());
    cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates"));
    let said = ended(cargo);
    said.expect("cargo test", 0, &[]);
    assert_eq!(said.out.matches("test result: ok. 1 passed").count(), ROLES.len(), "{}", said.out);
}

#[test]
fn a_python_template_of_every_kind_of_export_builds_and_is_accepted() {
    // A build takes 15 s: one that exports functions and one that exports resources of two roles; the others differ in their
    // text only, which their own tests run.
    let roles = ["fitted", "trainer"];
    let folder = made("python", &roles);
    for role in roles {
        let built = build(folder.path(), &name(role));
        assert_is(&built, folder.path(), role);
        assert_passes(folder.path(), built["path"].as_str().unwrap());
    }
}

#[test]
fn every_python_template_passes_its_test_and_is_read_as_its_role() {
    let folder = made("python", &ROLES);
    for role in ROLES {
        let plugin = folder.path().join(name(role));
        let mut test = Command::new("python3");
        test.arg("tests/test.py").current_dir(&plugin).env("PYTHONDONTWRITEBYTECODE", "1");
        ended(test).expect(role, 0, &["OK"]);
        let mut read = Command::new("python3");
        let code = "import sys; from stepwell import source; print(*source.read(sys.argv[1]).world_exports)";
        read.args(["-c", code]).arg(format!("{}.py", name(role))).current_dir(&plugin);
        read.env("PYTHONPATH", ".stepwell-sdk/sdk/python").env("PYTHONDONTWRITEBYTECODE", "1");
        let said = ended(read);
        said.expect(role, 0, &[]);
        assert_eq!(said.out.split_whitespace().collect::<Vec<_>>(), roles_of(role));
    }
}

fn ended(mut command: Command) -> Said {
    let ended = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: ended.status.code(), out: text(&ended.stdout), err: text(&ended.stderr) }
}

#[test]
fn a_name_that_is_none_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("there"), "mine").unwrap();
    for (name, hint) in [
        ("../x", "such as `x`"),
        ("", "such as"),
        ("größe", "such as"),
        ("a b", "such as `a-b`"),
        (".", "such as"),
        ("/absolute", "such as `absolute`"),
        ("stepwell", "the SDK's own name"),
        ("csv", "such as `my-csv`"),
        ("there", "there already; nothing was written"),
    ] {
        let said = stepwell(folder.path(), &["plugin", "new", "--lang", "rust", "--role", "fitted", name]);
        said.expect(name, 2, &["hint:", hint]);
    }
    for arguments in [["--lang", "cobol", "--role", "fitted", "x"], ["--lang", "rust", "--role", "chief", "x"]] {
        let said = stepwell(folder.path(), &[&["plugin", "new"], &arguments[..]].concat());
        said.expect("a word that is none", 2, &["possible values"]);
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("there")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was written");
}

#[test]
fn what_cannot_be_built_is_refused_and_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let manifest = "[package]\nname = \"none\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";
    write("empty/README.md", "");
    write("two/a.py", "");
    write("two/b.py", "");
    write("broken/Cargo.toml", manifest);
    write("broken/src/lib.rs", "fn a() -> u8 { \"\u{1b}[2J\" }");
    write("foreign/Cargo.toml", manifest);
    write("foreign/src/lib.rs", "#[unsafe(no_mangle)] pub extern \"C\" fn a() {}");
    write("library/Cargo.toml", &manifest.replace("cdylib", "rlib"));
    write("library/src/lib.rs", "");
    write("out.wasm", "kept");
    for (source, fragments) in [
        ("absent", &["cannot read", "absent"][..]),
        ("empty", &["`empty` holds no plugin", "`Cargo.toml` (Rust)", "hint: `stepwell plugin new`"]),
        ("empty/README.md", &["`README.md` is no plugin by itself"]),
        ("two", &["`two` has 2 files `*.py`: a.py, b.py", "hint: name the one"]),
        ("broken", &["building `broken`", "mismatched types"]),
        ("foreign", &["expected `stepwell:step/description@0.1.0` and a role"]),
        ("library", &["`library` makes no plugin", "crate-type"]),
    ] {
        let said = stepwell(folder.path(), &["plugin", "build", source, "--output", "out.wasm"]);
        said.expect(source, 2, fragments);
        assert!(!said.err.contains("\u{1b}[2J"), "{source}: a terminal would obey");
        assert_eq!(std::fs::read_to_string(folder.path().join("out.wasm")).unwrap(), "kept", "{source}");
    }
    let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left = left.filter(|name| name != ".cache").collect::<Vec<_>>();
    assert_eq!(left.len(), 6, "{left:?}");
}
