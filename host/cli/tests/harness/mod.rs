//! A project as a person has it, and the real `stepwell` used on it: its commands, and its server over HTTP.
//!
//! Projects of `init` are copies of one whose plugins are compiled already, so that a case costs what it is about. Each
//! test file uses its part of this.

#![expect(dead_code, reason = "each test file uses its part")]

pub(crate) mod cache;
pub(crate) mod compiled;
pub(crate) mod examples;
pub(crate) mod http;
pub(crate) mod serving;

use serde_json::Value;
use serving::Serving;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};
use tempfile::TempDir;

/// The pipeline of a project of `init`.
pub(crate) const TRAIN: &str = "pipelines/train.toml";

/// What a command said, and how it ended.
#[derive(Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Holds the exit code and, in what was said on either stream, each of the fragments. Panics of ours show nowhere.
    #[track_caller]
    pub(crate) fn expect(&self, what: &str, code: i32, fragments: &[&str]) {
        let Self { code: got, out, err } = self;
        assert_eq!(*got, Some(code), "{what}: exit code\n--- stdout\n{out}\n--- stderr\n{err}");
        for fragment in fragments {
            let said = out.contains(fragment) || err.contains(fragment);
            assert!(said, "{what}: nothing says `{fragment}`\n--- stdout\n{out}\n--- stderr\n{err}");
        }
        let panicked = out.contains("panicked") || err.contains("panicked") || err.contains("RUST_BACKTRACE");
        assert!(!panicked, "{what}: a panic\n--- stdout\n{out}\n--- stderr\n{err}");
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        self.expect("a command with --json", 0, &[]);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON: {error}\n{}", self.out))
    }
}

/// A command that is told nothing by the environment of whoever runs the tests.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
    command.args(arguments).current_dir(folder);
    for told in ["STEPWELL_DATA", "STEPWELL_TRUST_DATA", "STEPWELL_PLUGINS", "STEPWELL_TENANT", "CLICOLOR_FORCE"] {
        command.env_remove(told);
    }
    command.env("XDG_CACHE_HOME", cache::home(folder)).env("XDG_STATE_HOME", cache::state(folder));
    command
}

/// Runs a command in a folder, to its end.
pub(crate) fn stepwell(folder: &Path, arguments: &[&str]) -> Said {
    let ended = command(folder, arguments).output().expect("`stepwell` starts");
    let text = |bytes| String::from_utf8(bytes).expect("`stepwell` says UTF-8");
    Said { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) }
}

/// A project's folder.
pub(crate) struct Project {
    folder: TempDir,
    // Kept, so that the next project need not compile either.
    _warm: Option<Arc<TempDir>>,
}

impl Project {
    /// What `init` makes, its plugins compiled and pinned, nothing run.
    pub(crate) fn new() -> Self {
        static WARM: Mutex<Weak<TempDir>> = Mutex::new(Weak::new());
        let mut shared = WARM.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let warm = shared.upgrade().unwrap_or_else(|| {
            let warm = tempfile::tempdir().unwrap();
            stepwell(warm.path(), &["init", "tumour"]).expect("init", 0, &[]);
            stepwell(&warm.path().join("tumour"), &["check"]).expect(
                "check, which needs `cargo xtask plugins`",
                0,
                &[],
            );
            Arc::new(warm)
        });
        *shared = Arc::downgrade(&warm);
        let folder = tempfile::tempdir().unwrap();
        copy(&warm.path().join("tumour"), folder.path(), &[]);
        compiled::moved(&warm.path().join("tumour"), folder.path());
        Self { folder, _warm: Some(warm) }
    }

    /// What `init` makes, before any other command.
    pub(crate) fn cold() -> Self {
        let [made, folder] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        stepwell(made.path(), &["init", "tumour"]).expect("init", 0, &[]);
        copy(&made.path().join("tumour"), folder.path(), &[]);
        Self { folder, _warm: None }
    }

    /// One with the model `guests/moody` behind the endpoint `tumour`, before any other command.
    pub(crate) fn moody() -> Self {
        let project = Self::cold();
        project.write("data/rows.csv", "x\n1.5\n2.5\n");
        let guests = Path::new(env!("CARGO_BIN_EXE_stepwell")).with_file_name("test-guests");
        std::fs::copy(guests.join("moody.wasm"), project.path("moody.wasm")).unwrap();
        let pipeline = "[steps.rows]\nplugin = \"csv\"\nparams = { path = \"data/rows.csv\" }\n\
                        grants = { files = [\"data\"] }\n\
                        [steps.model]\nplugin = \"./moody.wasm\"\ninputs = { train = \"rows.table\" }\n\
                        params = { factor = 2 }\n\
                        [steps.registered]\nbuiltin = \"register\"\ninputs = { model = \"model.model\" }\n\
                        name = \"tumour\"\nalias = \"champion\"\n";
        project.write(TRAIN, pipeline);
        project
    }

    /// A project of `examples/`, as a fresh clone has it.
    pub(crate) fn example(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
        copy(&example, folder.path(), &[".stepwell", ".cache", "stepwell.lock"]);
        Self { folder, _warm: None }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        std::fs::write(self.path(file), content).unwrap();
    }

    /// Replaces the only place in a file that has this text.
    #[track_caller]
    pub(crate) fn edit(&self, file: &str, old: &str, new: &str) {
        let text = self.read(file);
        assert_eq!(text.matches(old).count(), 1, "`{old}` in {file}:\n{text}");
        self.write(file, text.replace(old, new));
    }

    /// Replaces a line of a file, counted from 1, by what is made of it.
    pub(crate) fn edit_line(&self, file: &str, number: usize, change: impl Fn(&str) -> String) {
        let text = self.read(file);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[number - 1] = change(&lines[number - 1]);
        self.write(file, lines.join("\n") + "\n");
    }

    pub(crate) fn stepwell(&self, arguments: &[&str]) -> Said {
        stepwell(self.folder.path(), arguments)
    }

    /// Runs the pipeline, which must succeed.
    #[track_caller]
    pub(crate) fn run(&self) -> Said {
        let said = self.stepwell(&["run"]);
        said.expect("run", 0, &["registered model `tumour`", "succeeded"]);
        said
    }

    /// All rows of a table that a step gave.
    #[track_caller]
    pub(crate) fn rows(&self, run: u64, output: &str) -> Vec<Value> {
        let mut shown = self.stepwell(&["runs", "rows", &run.to_string(), output, "--limit", "10000", "--json"]).json();
        match shown["rows"].take() {
            Value::Array(rows) => rows,
            other => panic!("no rows: {other}"),
        }
    }

    pub(crate) fn serve(&self) -> Serving {
        Serving::start(self.folder.path())
    }
}

fn copy(from: &Path, to: &Path, except: &[&str]) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if except.iter().any(|skipped| name == *skipped) {
            continue;
        }
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&entry.path(), &to.join(name), except),
            kind if kind.is_file() => drop(std::fs::copy(entry.path(), to.join(name)).unwrap()),
            // The way to the shared tool: each cache makes its own.
            _ => {}
        }
    }
}
