//! `stepwell serve` under the clients that the protocol's users have: NVIDIA's `tritonclient`, as PyPI has it.

mod harness;

use harness::{Project, cache};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

const PINNED: &str = include_str!("clients/requirements.txt");

/// The interpreter of an environment that has the clients; made anew when others are pinned.
fn python() -> PathBuf {
    let environment = cache::users().join("clients");
    std::fs::create_dir_all(cache::users()).unwrap();
    // Tests of two clones may come here at once.
    let turn = std::fs::File::create(cache::users().join("clients.lock")).unwrap();
    turn.lock().unwrap();
    let (python, installed) = (environment.join("bin/python"), environment.join("requirements.txt"));
    if std::fs::read_to_string(&installed).is_ok_and(|there| there == PINNED) {
        return python;
    }
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment));
    let listed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/requirements.txt");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    succeed(Command::new(&python).args(pip).arg(listed));
    std::fs::write(installed, PINNED).unwrap();
    python
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    let ended = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [out, err] = [&ended.stdout, &ended.stderr].map(|said| String::from_utf8_lossy(said).into_owned());
    assert!(ended.status.success(), "{command:?}\n{out}{err}");
    out
}

#[test]
fn the_protocols_own_client_works_unchanged() {
    let python = python();
    let project = Project::new();
    project.run();
    let serving = project.serve();
    let probabilities: Vec<_> =
        project.rows(1, "predicted.table").iter().map(|row| row["probability"].clone()).collect();
    let told = json!({ "rows": project.rows(1, "parts.test"), "probabilities": probabilities });
    project.write("asked.json", told.to_string());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/triton.py");
    let said =
        succeed(Command::new(python).arg(script).arg(serving.address.to_string()).arg(project.path("asked.json")));
    assert_eq!(said, "http: as expected\ngrpc: as expected\naio: as expected\n");
    let (status, said) = serving.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
