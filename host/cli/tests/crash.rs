//! `kill -9` of a run at every step boundary, and at any moment -> a resumed run that ends as if nothing had been.
//!
//! A template of the project is run to its end once; every kill has a copy of the project before that, plugins compiled.
//! Beside it: the index of the store, which is derived, deleted and damaged.

#[path = "harness/compiled.rs"]
mod compiled;
mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use support::Project;

const PIPELINE: &str = r#"
[steps.patients]
plugin = "csv"
params = { path = "data/tumour.csv", page_rows = 200 }
grants = { files = ["data"] }

[steps.checked]
plugin = "schema"
inputs = { table = "patients.table" }
params = { columns = { sample = { type = "int64", unique = true }, diagnosis = { type = "text" } } }

[steps.parts]
plugin = "split"
inputs = { table = "checked.table" }
params = { fractions = { train = 0.75, test = 0.25 }, stratify = "diagnosis" }
seed = 7

[steps.scaled]
plugin = "standardize"
fit = "parts.train"
inputs = { train = "parts.train", test = "parts.test" }
params = { except = ["sample"] }

[steps.model]
plugin = "logistic"
inputs = { train = "scaled.train" }
label = "diagnosis"
ignore = ["sample"]

[steps.predicted]
builtin = "predict"
inputs = { rows = "scaled.test", model = "model.model" }

[steps.measured]
plugin = "classification"
inputs = { candidate = "predicted.table" }
params = { label = "diagnosis", positive = "malignant" }

[steps.gate]
builtin = "gate"
inputs = { measures = "measured.measures" }
require = [{ measure = "roc_auc", at_least = 0.9 }]

[steps.registered]
builtin = "register"
inputs = { model = "model.model", verdict = "gate.verdict" }
name = "tumour"
alias = "champion"
"#;
const STEPS: usize = 9;
/// Between two lines of a run, on a busy machine.
const LINE_MAX: Duration = Duration::from_secs(60);
const RANDOM_KILLS: u64 = 10;
const FLIPS: u64 = 10;

/// The project before any run, and what a run that nobody disturbs makes of it.
struct Template {
    project: Project,
    outputs: Value,
    took: Duration,
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let project = Project::new(PIPELINE);
    let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tumour/data/tumour.csv");
    project.write("data/tumour.csv", std::fs::read(rows).unwrap());
    project.stepwell(&["check"]).succeeded();
    let undisturbed = copy(&project);
    let start = Instant::now();
    undisturbed.stepwell(&["run"]).succeeded();
    Template { project, took: start.elapsed(), outputs: outputs(&undisturbed) }
});

/// Step -> what it gave, digests and all. Nothing in it tells when or in which attempt.
fn outputs(project: &Project) -> Value {
    let shown = project.answer(&["runs", "show", "1"]);
    assert_eq!(shown["summary"]["state"], "succeeded", "{shown:#}");
    let steps = shown["steps"].as_array().unwrap().iter();
    let outputs = steps.map(|step| (step["step"].as_str().unwrap().to_owned(), step["outputs"].clone()));
    Value::Object(outputs.collect())
}

/// Step -> attempts that began.
fn attempts(project: &Project) -> BTreeMap<String, u64> {
    let shown = project.answer(&["runs", "show", "1"]);
    let steps = shown["steps"].as_array().unwrap().iter();
    steps.map(|step| (step["step"].as_str().unwrap().to_owned(), step["attempts"].as_u64().unwrap())).collect()
}

/// A run, and its lines as they come.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut child = project.start(&[arguments, &["--json"]].concat());
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// The step of the next `step_committed` event.
    fn next_commit(&self) -> String {
        self.next_commit_if_any().unwrap()
    }

    /// The same; none if the process ends without one.
    fn next_commit_if_any(&self) -> Option<String> {
        loop {
            let line = match self.lines.recv_timeout(LINE_MAX) {
                Err(RecvTimeoutError::Disconnected) => return None,
                line => line.unwrap(),
            };
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["event"]["event"] == "step_committed" {
                return Some(line["event"]["step"].as_str().unwrap().to_owned());
            }
        }
    }

    /// Waits until the run has a number, and so a record.
    fn begun(&self) {
        while !self.lines.recv_timeout(LINE_MAX).unwrap().contains("run_started") {}
    }

    fn kill(mut self, project: &Project) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        project.assert_no_worker_left();
    }
}

/// Resumes run 1 and asserts that it ends as the undisturbed one did, and repeats none of these steps.
#[track_caller]
fn assert_resumes(project: &Project, committed: &[String]) {
    let list = project.answer(&["runs", "list"]);
    assert_eq!(list.as_array().unwrap().len(), 1, "{list:#}");
    match list[0]["state"].as_str().unwrap() {
        "running" => drop(project.stepwell(&["runs", "resume", "1"]).succeeded()),
        // The last commit and the end of the run are close together.
        state => assert_eq!(state, "succeeded"),
    }
    let attempts = attempts(project);
    for step in committed {
        assert_eq!(attempts[step], 1, "`{step}` was committed and repeated: {attempts:?}");
    }
    assert!(attempts.values().all(|attempts| (1..=2).contains(attempts)), "{attempts:?}");
    assert_ends_undisturbed(project);
}

#[track_caller]
fn assert_ends_undisturbed(project: &Project) {
    // Not `assert_eq!`: they are pages long.
    let outputs = outputs(project);
    for (step, expected) in TEMPLATE.outputs.as_object().unwrap() {
        assert!(outputs[step] == *expected, "`{step}` gave other outputs: {:#}", outputs[step]);
    }
    let models = json!([{"model": "tumour", "versions": [1], "aliases": {"champion": 1}}]);
    assert_eq!(project.answer(&["model", "list"]), models);
    project.assert_no_worker_left();
}

/// Right after the run began, and right after each commit.
#[test]
fn a_run_killed_at_a_boundary_goes_on_behind_it() {
    for boundary in 0..=STEPS {
        let project = copy(&TEMPLATE.project);
        let running = Running::start(&project, &["run"]);
        running.begun();
        let committed: Vec<_> = (0..boundary).map(|_| running.next_commit()).collect();
        running.kill(&project);
        eprintln!("killed after {committed:?}");
        assert_resumes(&project, &committed);
    }
}

#[test]
fn a_run_killed_at_any_moment_goes_on() {
    let mut random = Random(0x5eed_1234_abcd_9876);
    for kill in 0..RANDOM_KILLS {
        let project = copy(&TEMPLATE.project);
        let moment = TEMPLATE.took.mul_f64(0.2 + random.below(1_000) as f64 / 1e3);
        let mut running = Running::start(&project, &["run"]);
        let mut ended = false;
        support::within(moment, || {
            ended = running.child.try_wait().unwrap().is_some();
            ended
        });
        running.kill(&project);
        let has_begun = project.answer(&["runs", "list"]) != json!([]);
        eprintln!("kill {kill} after {moment:.2?}: ended {ended}, begun {has_begun}");
        match has_begun {
            true => assert_resumes(&project, &[]),
            // Killed before the first record: as if the command had never been given.
            false => {
                project.stepwell(&["run"]).succeeded();
                assert_ends_undisturbed(&project);
            }
        }
    }
}

/// Killed again and again, while it resumes too, it still ends once.
#[test]
fn a_run_killed_at_every_attempt_to_resume_ends() {
    let project = copy(&TEMPLATE.project);
    let running = Running::start(&project, &["run"]);
    let mut committed = vec![running.next_commit()];
    running.kill(&project);
    // What was told of may be less than what was committed: the last steps, which the host does itself, are one record with the end.
    while project.answer(&["runs", "list"])[0]["state"] == "running" {
        let resuming = Running::start(&project, &["runs", "resume", "1"]);
        let Some(next) = resuming.next_commit_if_any() else { continue };
        assert!(!committed.contains(&next), "`{next}` was committed twice");
        committed.push(next);
        resuming.kill(&project);
    }
    // How many it takes hangs on how many steps a kill comes late for.
    eprintln!("killed {} times", committed.len());
    assert_ends_undisturbed(&project);
}

/// What the store answers, from whatever index it has.
/// A data folder may have come with a stranger's project: what its unfinished run was granted is relative to where it began.
#[test]
fn a_server_resumes_no_run_that_began_in_another_folder() {
    let project = copy(&TEMPLATE.project);
    let running = Running::start(&project, &["run"]);
    running.begun();
    running.kill(&project);
    let elsewhere = copy(&project);
    let mut command = elsewhere.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut serving = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(serving.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("listening"), "{first}");
    serving.kill().unwrap();
    let said = String::from_utf8(serving.wait_with_output().unwrap().stderr).unwrap();
    assert!(said.contains("run 1 of tenant `default` is unfinished and began in another folder"), "{said}");
    assert!(!said.contains("resumed"), "{said}");
    elsewhere.assert_no_worker_left();
    assert_eq!(elsewhere.answer(&["runs", "list"])[0]["state"], "running");
}

fn answers(project: &Project) -> [Value; 4] {
    [&["runs", "list"][..], &["runs", "show", "1"], &["model", "list"], &["model", "show", "tumour"]]
        .map(|question| project.answer(question))
}

#[test]
fn a_deleted_index_is_built_anew() {
    let project = copy(&TEMPLATE.project);
    project.stepwell(&["run"]).succeeded();
    let before = answers(&project);
    std::fs::remove_dir_all(project.path().join(".stepwell/index")).unwrap();
    assert_eq!(answers(&project), before);
    project.stepwell(&["run"]).succeeded();
    assert_eq!(project.answer(&["model", "list"])[0]["versions"], json!([1, 2]));
}

#[test]
fn a_damaged_index_is_built_anew() {
    let project = copy(&TEMPLATE.project);
    project.stepwell(&["run"]).succeeded();
    let before = answers(&project);
    let (mut random, mut rebuilt) = (Random(0xf11b_5678_1234_dcba), 0);
    for _ in 0..FLIPS {
        let files = files(&project.path().join(".stepwell/index"));
        let path = &files[random.below(files.len() as u64) as usize];
        let mut bytes = std::fs::read(path).unwrap();
        // Most of the database is zeros that nobody reads.
        let written: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let Some(at) = written.get(random.below(written.len().max(1) as u64) as usize) else { continue };
        bytes[*at] ^= 1 << random.below(8);
        std::fs::write(path, bytes).unwrap();
        let first = project.stepwell(&["runs", "list", "--json"]).succeeded();
        eprintln!("flipped a bit of byte {at} of {}: {}", path.display(), first.stderr);
        rebuilt += u32::from(first.stderr.contains("rebuilt the index"));
        assert!(answers(&project) == before, "other answers after byte {at} of {}", path.display());
    }
    assert!(rebuilt > 0, "no damage was noticed");
}

/// The project as it is now, elsewhere.
fn copy(project: &Project) -> Project {
    let copy = Project::new(PIPELINE);
    copy_folder(project.path(), copy.path());
    compiled::moved(project.path(), copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy_folder(&from, &to),
            kind if kind.is_file() => drop(std::fs::copy(&from, &to).unwrap()),
            // The owner's socket: of no use to another.
            _ => {}
        }
    }
}

/// The files beneath a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

/// The same numbers in every run of the tests: xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
