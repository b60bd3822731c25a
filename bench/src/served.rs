//! A project's folder, the binary as its server, and clients of the server's socket: everything as people have it.

use crate::Built;
use crate::side::status_kib;
use anyhow::{Context, Result, anyhow, bail, ensure};
use api::{Client, Line, Trouble};
use run::RunEvent;
use server::Folder;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use types::RunState;

/// The steps of pipeline `linear`, and those beside each other in `fan`.
pub(crate) const LINEAR: usize = 10;
pub(crate) const FAN: usize = 100;
/// What asks for runs of the deployed project.
const PIPELINES: &str = "/v1/tenants/default/deployments/measured/pipelines";

/// A project of the guest `relay`: pipelines `one`, `say`, `linear` and `fan`.
pub(crate) struct Project<'a> {
    built: &'a Built,
    folder: TempDir,
}

impl<'a> Project<'a> {
    /// With its data folder made, its plugin compiled and pinned, every pipeline run once, and deployed.
    pub(crate) fn new(built: &'a Built) -> Result<Self> {
        let project = Self { built, folder: tempfile::tempdir()? };
        project.write("stepwell.toml", b"name = \"measured\"\n")?;
        project.write("relay.wasm", &std::fs::read(built.components.join("test-guests/relay.wasm"))?)?;
        let say = "[steps.say]\nplugin = \"./relay.wasm\"\ncache = false\nparams = { say = true }\n".to_owned();
        for (name, text) in [("one", step("one", &[])), ("say", say), ("linear", linear()), ("fan", fan())] {
            project.write(&format!("pipelines/{name}.toml"), text.as_bytes())?;
            let ran = project.command(&["run", name]).output()?;
            ensure!(ran.status.success(), "`{name}` does not run: {}", String::from_utf8_lossy(&ran.stderr));
        }
        let deployed = project.command(&["deploy", "--yes"]).output()?;
        ensure!(deployed.status.success(), "it is not deployed: {}", String::from_utf8_lossy(&deployed.stderr));
        Ok(project)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join(".stepwell")
    }

    fn write(&self, file: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
        Ok(std::fs::write(path, bytes)?)
    }

    /// The binary in the project's folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        command(self.built, self.path(), arguments)
    }
}

/// The binary in a project's folder, with a cache and a state folder of its own.
pub(crate) fn command(built: &Built, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(&built.stepwell);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for told in ["STEPWELL_DATA", "STEPWELL_TENANT", "STEPWELL_TRUST_DATA"] {
        command.env_remove(told);
    }
    command.env("STEPWELL_PLUGINS", built.components.join("plugins"));
    command.env("XDG_CACHE_HOME", folder.join(".cache")).env("XDG_STATE_HOME", folder.join(".state"));
    command
}

/// Asks a server to stop, and waits for its end.
pub(crate) fn end(child: &mut Child) {
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    if !asked.is_ok_and(|status| status.success()) {
        let _ = child.kill();
    }
    let _ = child.wait();
}

/// A step of the guest that takes from these.
fn step(name: &str, before: &[String]) -> String {
    let mut text = format!("[steps.{name}]\nplugin = \"./relay.wasm\"\ncache = false\n");
    if !before.is_empty() {
        let wired: Vec<_> = before.iter().map(|before| format!("{before} = \"{before}.table\"")).collect();
        // Writing to a text does not fail.
        let _ = writeln!(text, "inputs = {{ {} }}", wired.join(", "));
    }
    text + "\n"
}

fn linear() -> String {
    let name = |number: usize| format!("step-{number}");
    let before = |number: usize| number.checked_sub(1).map(name).into_iter().collect::<Vec<_>>();
    (0..LINEAR).map(|number| step(&name(number), &before(number))).collect()
}

fn fan() -> String {
    let leaves: Vec<_> = (0..FAN).map(|number| format!("leaf-{number}")).collect();
    let middle: String = leaves.iter().map(|leaf| step(leaf, &["start".to_owned()])).collect();
    step("start", &[]) + &middle + &step("total", &leaves)
}

/// The binary as a server. Dropped, it is asked to stop and awaited.
pub(crate) struct Served {
    child: Child,
    socket: PathBuf,
    /// From the process's start to its listening.
    pub(crate) started: Duration,
}

impl Served {
    pub(crate) fn start(project: &Project) -> Result<Self> {
        let begin = Instant::now();
        let mut serve = project.command(&["serve", "--listen", "127.0.0.1:0", "--json"]);
        let mut child = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let started = begin.elapsed();
        let served = Self { child, socket: Folder::socket(&project.data()), started };
        ensure!(line.contains("listening"), "the server said `{line}`");
        Ok(served)
    }

    /// A client with a connection of its own.
    pub(crate) async fn client(&self) -> Result<Asking> {
        let client = Client::there(&self.socket).await.context("the server does not listen")?;
        Ok(Asking { client })
    }

    pub(crate) fn resident_kib(&self) -> Result<u64> {
        status_kib(self.child.id(), "VmRSS:")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Somebody who asks for runs of what is deployed, one after the other.
pub(crate) struct Asking {
    client: Client,
}

impl Asking {
    /// From asking for a run to being told of the first event that counts. Returns once the run has ended, which must be well.
    pub(crate) async fn until(&mut self, pipeline: &str, counts: impl Fn(&RunEvent) -> bool) -> Result<Duration> {
        let path = format!("{PIPELINES}/{pipeline}/runs");
        let (mut told, mut state, begin) = (None, None, Instant::now());
        let hear = |line| {
            let Line::Event { event } = line else { return };
            if told.is_none() && counts(&event) {
                told = Some(begin.elapsed());
            }
            if let RunEvent::RunFinished { state: ended, .. } = *event {
                state = Some(ended);
            }
        };
        let heard = self.client.lines("POST", &path, &(), hear).await;
        heard.map_err(|trouble| match trouble {
            Trouble::Refused(status, body) => anyhow!("{pipeline} was refused with {status}: {body:?}"),
            Trouble::Gone(why) | Trouble::Broken(why) => anyhow!(why),
        })?;
        match state {
            Some(RunState::Succeeded) => told.with_context(|| format!("nothing of {pipeline} counted")),
            ended => bail!("{pipeline} ended as {ended:?}"),
        }
    }

    /// From asking for a run to being told of its end.
    pub(crate) async fn run(&mut self, pipeline: &str) -> Result<Duration> {
        self.until(pipeline, |event| matches!(event, RunEvent::RunFinished { .. })).await
    }
}
