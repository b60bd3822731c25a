//! Several clients in one installation: commands alone and beside a server, what a policy and a quota stop, secrets, and a
//! deletion that leaves nothing.

mod support;

use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use support::{Output, Project, within};

const PIPELINE: &str = r#"
[steps.rows]
plugin = "csv"
params = { path = "data/rows.csv" }
grants = { files = ["data"] }
"#;

fn project(pipeline: &str) -> Project {
    let project = Project::new(pipeline);
    project.write("data/rows.csv", "a,b\n1,x\n2,y\n3,z\n");
    project
}

/// With a step that misbehaves in some mode.
fn hostile(mode: &str, limits: &str) -> String {
    format!(
        "{PIPELINE}\n[steps.hostile]\nplugin = \"./hostile.wasm\"\ninputs = {{ rows = \"rows.table\" }}\n\
         params = {{ mode = \"{mode}\" }}\nlimits = {{ {limits} }}\n"
    )
}

fn with_hostile(project: &Project) {
    let built = Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("plugins").join("abuse.wasm");
    project.write("hostile.wasm", std::fs::read(built).expect("`cargo xtask plugins` builds it"));
}

/// A server beside which the commands work; killed when it is dropped.
struct Beside(Child);

impl Beside {
    fn new(project: &Project) -> Self {
        let child = project.start(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(within(Duration::from_secs(30), || project.path().join(".stepwell/socket").exists()), "no server");
        Self(child)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn says(project: &Project, arguments: &[&str], code: i32, text: &str) -> Output {
    let output = project.stepwell(arguments);
    let said = output.stdout.contains(text) || output.stderr.contains(text);
    assert!(output.status.code() == Some(code) && said, "{arguments:?}: expected {code} and `{text}`: {output:#?}");
    output
}

/// Files below a folder whose bytes or path hold the text.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        // Behind links are tools, which nobody's data reaches.
        if kind.is_dir() {
            found.extend(holding(&path, text));
        }
        let bytes = if kind.is_file() { std::fs::read(&path).unwrap_or_default() } else { Vec::new() };
        let named = entry.file_name().to_string_lossy().contains(text);
        if named || bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

/// A tenant's whole life.
fn life(project: &Project) {
    says(project, &["tenant", "create", "acme"], 0, "made tenant `acme`");
    says(project, &["tenant", "create", "acme"], 2, "there is a tenant `acme` already");
    says(project, &["tenant", "create", "Acme"], 2, "is not a tenant name");
    says(project, &["tenant", "list"], 0, "acme");
    let show = "run 1 succeeded; look at it with `stepwell --tenant acme runs show 1`";
    says(project, &["--tenant", "acme", "run"], 0, show);
    says(project, &["--tenant", "acme", "runs", "list"], 0, "main");
    says(project, &["tenant", "show", "acme"], 0, "1 runs");
    says(project, &["tenant", "policy", "acme"], 0, "files = [{ path = \".\", write = true }]");
    says(project, &["tenant", "quota", "acme", "--storage", "10GiB", "--cpu", "2h"], 0, "10 GiB");
    says(project, &["tenant", "quota", "acme", "--storage", "ten"], 2, "`ten` is not a size");
    let quotas = project.answer(&["tenant", "show", "acme"])["quotas"].clone();
    assert_eq!((&quotas[0]["limit"], &quotas[2]["limit"]), (&json!(10_u64 << 30), &json!(7_200_000)), "{quotas:#}");
    assert_eq!((&quotas[0]["unit"], &quotas[2]["unit"]), (&json!("bytes"), &json!("milliseconds")), "{quotas:#}");
    says(project, &["tenant", "quota", "acme"], 0, "2 h a day");
    says(project, &["tenant", "suspend", "acme"], 0, "tenant `acme` is suspended");
    says(project, &["--tenant", "acme", "run"], 2, "tenant `acme` is suspended");
    says(project, &["--tenant", "acme", "check"], 2, "tenant `acme` is suspended");
    says(project, &["--tenant", "acme", "runs", "list"], 0, "succeeded");
    says(project, &["tenant", "resume", "acme"], 0, "goes on");
    says(project, &["--tenant", "acme", "run"], 0, "run 2 succeeded");
    says(project, &["tenant", "delete", "acme"], 2, "--yes");
    says(project, &["tenant", "delete", "acme", "--yes"], 0, "nothing of it remains");
    says(project, &["tenant", "delete", "default", "--yes"], 2, "always there and cannot be deleted");
    let unknown: [&[&str]; 9] = [
        &["--tenant", "acme", "run"],
        &["--tenant", "acme", "check"],
        &["--tenant", "acme", "runs", "list"],
        &["--tenant", "acme", "model", "list"],
        &["--tenant", "acme", "secret", "list"],
        &["tenant", "show", "acme"],
        &["tenant", "policy", "acme", "--allow", "clock = true"],
        &["tenant", "quota", "acme", "--attempts", "1"],
        &["tenant", "delete", "acme", "--yes"],
    ];
    for arguments in unknown {
        says(project, arguments, 5, "there is no tenant `acme`");
    }
    assert!(!project.path().join(".stepwell/tenants/acme").exists());
}

#[test]
fn a_tenants_life_is_the_same_alone_and_beside_a_server() {
    let project = project(PIPELINE);
    life(&project);
    let _server = Beside::new(&project);
    life(&project);
}

#[test]
fn a_deleted_tenant_leaves_nothing() {
    let project = project(PIPELINE);
    project.write("data/rows.csv", "markercolumn\nmarkervalue\n");
    says(&project, &["tenant", "create", "acme"], 0, "");
    says(&project, &["--tenant", "acme", "run"], 0, "succeeded");
    set(&project, "acme", "TOKEN", b"markersecret\n");
    let data = project.path().join(".stepwell");
    for marker in ["markercolumn", "markervalue", "markersecret"] {
        assert!(!holding(&data, marker).is_empty(), "{marker} was there");
    }
    says(&project, &["tenant", "delete", "acme", "--yes"], 0, "1 runs, 0 model versions, 1 secrets");
    project.assert_no_worker_left();
    let deleted = data.join("installation");
    for marker in ["markercolumn", "markervalue", "markersecret", "acme"] {
        let left = holding(&data, marker).into_iter().chain(holding(&project.path().join(".cache"), marker));
        let left: Vec<_> = left.filter(|path| !path.starts_with(&deleted)).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "{marker}");
    }
}

#[test]
fn a_policy_holds_from_the_next_attempt_on() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().canonicalize().unwrap().display().to_string();
    std::fs::write(outside.path().join("rows.csv"), "a\n1\n").unwrap();
    let project = project(
        &PIPELINE
            .replace("data/rows.csv", &format!("{folder}/rows.csv"))
            .replace("[\"data\"]", &format!("[\"{folder}\"]")),
    );
    says(&project, &["tenant", "create", "acme"], 0, "");
    let line = format!("files = [\"{folder}\"]");
    says(&project, &["--tenant", "acme", "run"], 2, "not by the tenant's policy");
    says(&project, &["tenant", "policy", "acme", "--allow", &line], 0, &folder);
    says(&project, &["--tenant", "acme", "run"], 0, "succeeded");
    let again = says(&project, &["tenant", "policy", "acme", "--allow", &line], 0, &folder);
    assert_eq!(again.stdout.matches(&folder).count(), 1, "{again:#?}");
    let nothing = says(&project, &["tenant", "policy", "acme", "--allow", "clock = false"], 2, "--allow only adds");
    assert!(nothing.stderr.contains("error: 1 problem\n"), "{nothing:#?}");
    project.write("policy.toml", "[grants]\nclock = true\n[limits]\nmemory = \"1 GiB\"\nwall = \"1 min\"\n");
    says(&project, &["tenant", "policy", "acme", "--file", "policy.toml"], 0, "memory = \"1 GiB\"");
    says(&project, &["--tenant", "acme", "run"], 2, &line);
    project.write("bad.toml", "[limits]\nmemry = \"1 GiB\"\n");
    says(&project, &["tenant", "policy", "acme", "--file", "bad.toml"], 2, "did you mean `memory`?");
}

#[test]
fn caps_and_uncovered_grants_are_told_by_check() {
    let project = project(&PIPELINE.replace("[\"data\"] }", "[\"data\"], environment = [\"REGION\"] }"));
    project.write("policy.toml", "[limits]\nmemory = \"1 GiB\"\n");
    says(&project, &["tenant", "create", "acme", "--policy", "policy.toml"], 0, "");
    let checked = says(&project, &["--tenant", "acme", "check"], 0, "lowers the default limits: memory 1 GiB");
    assert!(checked.stderr.contains("tenant policy NAME --allow 'environment = [\"REGION\"]'"), "{checked:#?}");
    says(&project, &["--tenant", "acme", "run"], 0, "succeeded");
    let receipt = &project.answer(&["--tenant", "acme", "runs", "show", "1"])["steps"][0]["receipt"];
    assert_eq!(receipt["memory_limit"], 1_u64 << 30, "{receipt:#}");
    project.write("pipelines/main.toml", format!("{PIPELINE}limits = {{ memory = \"2 GiB\" }}\n"));
    says(
        &project,
        &["--tenant", "acme", "check"],
        2,
        "limit `memory` is 2 GiB, the tenant's policy allows at most 1 GiB",
    );
    says(&project, &["check"], 0, "is sound");
}

#[test]
fn storage_is_bounded() {
    let project = project(PIPELINE);
    says(&project, &["tenant", "create", "acme"], 0, "");
    says(&project, &["tenant", "quota", "acme", "--storage", "20 KiB"], 0, "20 KiB");
    says(&project, &["--tenant", "acme", "run"], 2, "the tenant's quota `storage` is used up");
    says(&project, &["tenant", "quota", "acme", "--storage", "none"], 0, "none");
    says(&project, &["--tenant", "acme", "run"], 0, "succeeded");
    says(&project, &["tenant", "quota", "acme", "--storage", "20 KiB"], 0, "");
    says(&project, &["--tenant", "acme", "run"], 2, "of 20 KiB");
}

#[test]
fn cpu_time_of_a_day_is_bounded_in_the_middle_of_an_attempt() {
    let project = project(PIPELINE);
    with_hostile(&project);
    says(&project, &["tenant", "create", "acme"], 0, "");
    says(&project, &["--tenant", "acme", "run"], 0, "succeeded");
    project.write("pipelines/main.toml", hostile("harmless", "wall = \"30 s\""));
    says(&project, &["--tenant", "acme", "run"], 0, "succeeded");
    let used = project.answer(&["tenant", "show", "acme"])["quotas"][2]["used"].as_f64().unwrap() / 1000.0;
    assert!(used > 0.1, "compiling took some: {used}");
    let limit = format!("{}s", used.ceil() + 2.0);
    says(&project, &["tenant", "quota", "acme", "--cpu", &limit], 0, "");
    project.write("pipelines/main.toml", hostile("loop", "wall = \"30 s\""));
    let begin = Instant::now();
    says(&project, &["--tenant", "acme", "run"], 3, "the tenant's quota `cpu` is used up");
    assert!(begin.elapsed() < Duration::from_secs(25), "{:?}", begin.elapsed());
    // It outlives the process that counted.
    says(&project, &["--tenant", "acme", "run"], 2, "the tenant's quota `cpu` is used up");
    says(&project, &["run"], 3, "`wall`");
}

#[test]
fn attempts_at_once_are_bounded() {
    let second =
        "\n[steps.again]\nplugin = \"csv\"\nparams = { path = \"data/rows.csv\" }\ngrants = { files = [\"data\"] }\n";
    let project = project(&format!("{PIPELINE}{second}"));
    says(&project, &["tenant", "create", "acme"], 0, "");
    says(&project, &["tenant", "quota", "acme", "--attempts", "1"], 0, "1");
    let run = says(&project, &["--tenant", "acme", "run"], 0, "succeeded");
    let logs = project.stepwell(&["--tenant", "acme", "runs", "logs", "1"]);
    let waits = "waits: the tenant's quota `attempts` is used up: 1 of 1 at once";
    assert!(logs.stdout.contains(waits), "{run:#?}{logs:#?}");
}

fn set(project: &Project, tenant: &str, name: &str, value: &[u8]) -> Option<i32> {
    let mut command = project.command(&["--tenant", tenant, "secret", "set", name]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // It may have refused the name and gone.
    let _ = child.stdin.take().unwrap().write_all(value);
    child.wait().unwrap().code()
}

#[test]
fn secrets_go_in_and_do_not_come_out() {
    let project = project(PIPELINE);
    says(&project, &["tenant", "create", "acme"], 0, "");
    let folder = project.path().join(".stepwell/tenants/acme/secrets");
    let check = || {
        assert_eq!(set(&project, "acme", "TOKEN", b"s3cr3t\n\n"), Some(0));
        assert_eq!(std::fs::read(folder.join("TOKEN")).unwrap(), b"s3cr3t\n", "one line end is cut");
        assert_eq!(std::fs::metadata(folder.join("TOKEN")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(set(&project, "acme", "LONG", &[b'x'; 64 << 10]), Some(0));
        assert_eq!(set(&project, "acme", "LONG", &[b'y'; (64 << 10) + 2]), Some(2));
        assert_eq!(std::fs::read(folder.join("LONG")).unwrap(), [b'x'; 64 << 10]);
        for (name, value) in [("EMPTY", "\n"), ("SHORT", "abc\n")] {
            assert_eq!(set(&project, "acme", name, value.as_bytes()), Some(2), "{name} could not be masked");
        }
        for name in ["token", "A-B", "../X", "", ".draft"] {
            assert_eq!(set(&project, "acme", name, b"value"), Some(2), "{name}");
        }
        assert_eq!(project.answer(&["--tenant", "acme", "secret", "list"]), json!(["LONG", "TOKEN"]));
        assert_eq!(project.answer(&["secret", "list"]), Value::Array(Vec::new()), "another's are another's");
        says(&project, &["secret", "list"], 0, "no secrets yet; `stepwell secret set NAME` sets one");
        says(&project, &["--tenant", "acme", "secret", "remove", "LONG"], 0, "");
        says(&project, &["--tenant", "acme", "secret", "remove", "LONG"], 5, "there is no secret `LONG`");
        says(&project, &["--tenant", "acme", "secret", "list"], 0, "TOKEN");
    };
    check();
    let _server = Beside::new(&project);
    check();
}
