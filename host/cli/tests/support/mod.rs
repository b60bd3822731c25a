//! A project in a folder of its own, and the real binary run in it.

#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../harness/cache.rs"]
mod cache;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The most that any command of a test may take, on a busy machine.
const COMMAND_MAX: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Of a command that must have succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.status.success(), "{self:#?}");
        self
    }
}

/// A project's folder with its data folder; both go with it.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// With one pipeline, `main`.
    pub(crate) fn new(pipeline: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.write("stepwell.toml", "name = \"tested\"\n");
        project.write("pipelines/main.toml", pipeline);
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Starts a command; what it says goes to pipes.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn stepwell(&self, arguments: &[&str]) -> Output {
        // Files, because a full pipe would hold the command up.
        let [stdout, stderr] = [tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap()];
        let mut command = self.command(arguments);
        let mut child = command.stdout(stdout.reopen().unwrap()).stderr(stderr.reopen().unwrap()).spawn().unwrap();
        let mut status = None;
        let ended = within(COMMAND_MAX, || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        if !ended {
            child.kill().unwrap();
        }
        let said = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let (stdout, stderr) = (said(stdout.path()), said(stderr.path()));
        assert!(ended, "`stepwell {}` did not end: {stdout}{stderr}", arguments.join(" "));
        Output { status: status.unwrap(), stdout, stderr }
    }

    /// What a command answers for programs.
    #[track_caller]
    pub(crate) fn answer(&self, arguments: &[&str]) -> Value {
        let output = self.stepwell(&[arguments, &["--json"]].concat()).succeeded();
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:#?}"))
    }

    /// Asserts that the workers of the project are gone, now or in a moment.
    #[track_caller]
    pub(crate) fn assert_no_worker_left(&self) {
        assert!(within(Duration::from_secs(10), || self.workers().is_empty()), "workers left: {:?}", self.workers());
    }

    /// Processes that work in a folder of the project.
    fn workers(&self) -> Vec<PathBuf> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let works_here = |process: &PathBuf| {
            std::fs::read_link(process.join("cwd"))
                .is_ok_and(|folder| folder.starts_with(self.path().join(".stepwell")))
        };
        processes.filter(works_here).collect()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("STEPWELL_DATA").env_remove("STEPWELL_PLUGINS").env_remove("STEPWELL_TENANT");
        command.env_remove("STEPWELL_TRUST_DATA");
        command.env("XDG_CACHE_HOME", cache::home(self.path())).env("XDG_STATE_HOME", cache::state(self.path()));
        command
    }
}

/// Whether a condition came true in time.
pub(crate) fn within(time: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + time;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(POLL);
    }
}
