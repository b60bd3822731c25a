//! Plugins that were compiled for each version of the contract, in today's host, by `plugin test`; a plugin of no version that
//! it speaks; and what `plugin test` says when something else comes.

mod harness;

use harness::{command, stepwell};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
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
        let folder = copied(&version);
        let said = stepwell(folder.path(), &["plugin", "test", "kept.wasm"]);
        assert_eq!(said.code, Some(0), "{}: {RENEW}\n{}{}", version.display(), said.out, said.err);
        said.expect("a kept plugin", 0, &["kept: 12 passed, 0 failed"]);
        let bytes = std::fs::metadata(version.join("kept.wasm")).unwrap().len();
        // More than half of it is what calls every function; git keeps a third of it.
        assert!(bytes < 300_000, "{bytes} bytes are too many to keep for each version");
    }
}

/// What else would be changed unseen: a component has the functions that it calls, and no others.
#[test]
fn a_plugin_of_every_version_imports_all_that_it_may() {
    for version in versions() {
        let name = named(&version);
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../wit/step@{name}/step.wit"));
        let contract = std::fs::read_to_string(wit).unwrap();
        let inspected = stepwell(&version, &["plugin", "inspect", "kept.wasm", "--json"]).json();
        let asked = inspected["descriptor"]["imports"].to_string();
        let imports = contract.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'));
        let lacking: Vec<&str> = imports.filter(|import| !asked.contains(import)).collect();
        assert!(lacking.is_empty(), "{name}: {lacking:?}");
    }
}

/// One request, answered with its `Authorization`; gives what that was.
fn echo(listener: TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let head =
        BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
    let said: Vec<String> = head.collect();
    let token = said.iter().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default().to_owned();
    let (length, headers) = (token.len(), "Content-Type: text/plain\r\nConnection: close");
    write!(stream, "HTTP/1.1 201 Created\r\nContent-Length: {length}\r\n{headers}\r\n\r\n{token}").unwrap();
    token
}

/// The doors that a fixture opens only together with who runs the test.
#[test]
fn what_leaves_the_machine_needs_the_commands_leave_too() {
    for version in versions() {
        let folder = copied(&version);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let grant = format!("http = [{{ allow = \"GET {url}\", secrets = [\"TOKEN\"], private = true }}]");
        let variable = "environment = [\"REGION\"]";
        let fixture = format!(
            "role = \"transformer\"\nparams = {{ calls = \"doors\", url = \"{url}\" }}\n\
             grants = {{ {grant}, {variable} }}\n[inputs.table]\ncsv = \"value:float64\\n1\"\n"
        );
        std::fs::remove_dir_all(folder.path().join("tests")).unwrap();
        std::fs::create_dir(folder.path().join("tests")).unwrap();
        std::fs::write(folder.path().join("tests/doors.toml"), fixture).unwrap();
        let test = |more: &[&str]| {
            let mut command = command(folder.path(), &[&["plugin", "test", "kept.wasm", "--json"], more].concat());
            let said = command.env("STEPWELL_VAR_REGION", "eu").output().unwrap();
            let told: Value = serde_json::from_slice(&said.stdout).unwrap();
            told[0]["recorded"].clone()
        };
        let refused = test(&[]).to_string();
        assert!(refused.contains("granted by the pipeline but not by the tenant's policy"), "{refused}");
        let echo = std::thread::spawn(move || echo(listener));
        let open = test(&["--allow", &grant, "--allow", variable]);
        let token = echo.join().unwrap();
        assert_eq!(token, "secret TOKEN", "{open}");
        // The secret that came back is masked.
        let sum = |bytes: &[u8]| bytes.iter().fold(1.0, |sum: f64, byte| sum.mul_add(257.0, f64::from(*byte)));
        let rows =
            [("fetch status", 201.0), ("fetch headers", 1.0), ("fetch body", sum(b"***")), ("variable", sum(b"eu"))];
        assert_eq!(open["calls"]["rows"], json!(rows), "{open}");
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

/// A copy of a kept plugin and of what it was given and gave, to be changed.
fn copied(version: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(version.join("kept.wasm"), folder.path().join("kept.wasm")).unwrap();
    for part in ["tests", "files"] {
        std::fs::create_dir(folder.path().join(part)).unwrap();
        for entry in std::fs::read_dir(version.join(part)).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), folder.path().join(part).join(entry.file_name())).unwrap();
        }
    }
    folder
}

#[test]
fn what_differs_from_its_recording_is_shown_and_can_be_recorded() {
    let folder = copied(&kept().join("0.1.0"));
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
        "10 passed, 2 failed",
    ];
    test(&[]).expect("a difference", 3, &says);
    test(&["--bless"]).expect("recorded", 0, &["recorded fitted", "recorded sink", "passed trainer"]);
    test(&[]).expect("as recorded", 0, &["12 passed, 0 failed"]);
    // Within a tolerance a number is the same.
    edit("trainer.expected.json", "[1.0,2.0]", "[1.0,2.001]");
    test(&[]).expect("another number", 3, &["[1.0,2.001]", "[1.0,2.0]", "11 passed, 1 failed"]);
    edit("trainer.toml", "role =", "tolerance = 0.01\nrole =");
    test(&[]).expect("a tolerance", 0, &["12 passed, 0 failed"]);
    // What the plugin refuses is part of what it gives.
    edit("trainer.toml", "value:float64\n1\n3", "other:float64\n1\n3");
    let json: Value = serde_json::from_str(&test(&["--json"]).out).unwrap();
    let of = |name: &str| json.as_array().unwrap().iter().find(|it| it["test"] == name).unwrap();
    assert_eq!((of("trainer")["passed"].as_bool(), of("fitted")["passed"].as_bool()), (Some(false), Some(true)));
}

#[test]
fn a_fixture_that_is_wrong_is_told_where() {
    let folder = copied(&kept().join("0.1.0"));
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
