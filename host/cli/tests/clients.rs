//! `stepwell serve` under the clients that the protocol's users have: NVIDIA's `tritonclient`, as PyPI has it.

mod harness;

use harness::serving::Serving;
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

/// A project that has run once, and what its endpoint is to be asked and to answer.
fn trained() -> Project {
    let project = Project::new();
    project.run();
    let probabilities: Vec<_> =
        project.rows(1, "predicted.table").iter().map(|row| row["probability"].clone()).collect();
    let told = json!({ "rows": project.rows(1, "parts.test"), "probabilities": probabilities });
    project.write("asked.json", told.to_string());
    project
}

fn script(name: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name));
    command
}

fn ended_well(serving: Serving) {
    let (status, said) = serving.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn the_protocols_own_client_works_unchanged() {
    let project = trained();
    let serving = project.serve();
    let said = succeed(script("triton.py").arg(serving.address.to_string()).arg(project.path("asked.json")));
    assert_eq!(said, "http: as expected\ngrpc: as expected\naio: as expected\n");
    ended_well(serving);
}

/// Over TLS, each with a key of its own: for one endpoint, for a few requests, for all.
#[test]
fn keys_and_encryption_hold_over_grpc_too() {
    let project = trained();
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    project.write("cert.pem", certificate.cert.pem());
    project.write("key.pem", certificate.signing_key.serialize_pem());
    let key = |name: &str, options: &[&str]| {
        project.stepwell(&[&["key", "create", name], options].concat()).out.trim().to_owned()
    };
    let keys = [key("few", &["--endpoint", "tumour"]), key("slow", &["--rate", "3/h"]), key("all", &[])];
    let tls = ["--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let serving = Serving::with(&project.path(""), &tls);
    let mut asking = script("keys.py");
    asking.arg(serving.address.port().to_string()).args(["cert.pem", "asked.json"].map(|file| project.path(file)));
    assert_eq!(succeed(asking.args(keys)), "few: as expected\nslow: as expected\nall: as expected\n");
    ended_well(serving);
}
