//! A Python step -> a component: the SDK and the contract that this binary carries, and a tool kept in a cache.

use crate::Notes;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use types::{Digest, Fault};

/// The tool that makes components of Python; pinned, since its version is part of what it makes.
const COMPONENTIZE: &str = "componentize-py==0.25.1";
/// A build takes 10 to 15 s, the first one also downloads 20 MB.
const TOOL_MAX: Duration = Duration::from_secs(600);

macro_rules! carried {
    ($root:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../", $root, "/", $name)))),*]
    };
}

const SDK: &[(&str, &str)] = carried!("sdk/python/stepwell":
    "__init__.py" "_doors.py" "_entry.py" "_wit.py" "build.py" "columns.py" "errors.py" "host.py" "roles.py"
    "rowwise.py" "source.py" "table.py" "tensor.py");
const WIT: &[(&str, &str)] = carried!("wit":
    "platform@0.1.0/platform.wit" "data@0.1.0/data.wit" "tensor@0.1.0/tensor.wit" "step@0.1.0/step.wit");

/// Names what a build gives: the step's text and everything that makes a component of it.
pub(crate) fn source_digest(text: &[u8]) -> Digest {
    Digest::of_json(&(Digest::of(text), COMPONENTIZE, SDK, WIT))
}

/// Builds a Python step, unless it was built before. Gives the component's file, which lies in the cache.
pub(crate) fn python(step: &Path, shown: &str, cache: &Path, notes: Notes<'_>) -> Result<PathBuf, Fault> {
    let text = std::fs::read(step).map_err(|error| Fault::invalid(format!("cannot read `{shown}`: {error}")))?;
    let (built, digest) = (cache.join("built"), source_digest(&text));
    let component = built.join(format!("{digest}.wasm"));
    if component.exists() {
        return Ok(component);
    }
    let interpreter = tool(cache, notes)?;
    let io = |error: std::io::Error| Fault::host(format!("cannot build `{shown}`: {error}"));
    std::fs::create_dir_all(&built).map_err(io)?;
    let staged = Staged::new(&built).map_err(io)?;
    for (folder, files) in [("stepwell", SDK), ("wit", WIT)] {
        for (name, text) in files {
            let file = staged.0.join(folder).join(name);
            std::fs::create_dir_all(file.parent().unwrap_or(&staged.0)).map_err(io)?;
            std::fs::write(file, text).map_err(io)?;
        }
    }
    notes(format!("building `{shown}` into a component (15 to 60 s, once for each version of the file)"));
    // What is built is what the digest names, whatever becomes of the step's file meanwhile.
    let (source, unborn) = (staged.0.join("source"), staged.0.join("component.wasm"));
    std::fs::create_dir(&source).map_err(io)?;
    let source = source.join(step.file_name().unwrap_or_default());
    std::fs::write(&source, &text).map_err(io)?;
    let mut command = Command::new(interpreter);
    command.arg("-m").arg("stepwell.build").arg(source).arg("-o").arg(&unborn).arg("--wit").arg(staged.0.join("wit"));
    command.env("PYTHONPATH", &staged.0).env("PYTHONDONTWRITEBYTECODE", "1");
    isolate(&mut command, &staged.0);
    finish(command, &format!("building `{shown}`"))?;
    std::fs::rename(&unborn, &component).map_err(io)?;
    Ok(component)
}

/// The folder of one build, removed with it: builds at the same time share nothing, and what is half built has no name.
struct Staged(PathBuf);

impl Staged {
    fn new(built: &Path) -> std::io::Result<Self> {
        static BUILDS: AtomicU64 = AtomicU64::new(0);
        let number = BUILDS.fetch_add(1, Ordering::Relaxed);
        let folder = built.join(format!(".{}-{number}", std::process::id()));
        // Of a process that had our number and was killed.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What stays is garbage in a cache.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The interpreter of an environment that has the tool; made on first use.
fn tool(cache: &Path, notes: Notes<'_>) -> Result<PathBuf, Fault> {
    let environment = cache.join(COMPONENTIZE.replace("==", "-"));
    let (interpreter, ready) = (environment.join("bin/python"), environment.join("ready"));
    if ready.exists() {
        return Ok(interpreter);
    }
    let hint = "Python steps need Python 3.10 or newer with `venv`, and PyPI to be reachable once";
    notes(format!("installing {COMPONENTIZE}, which makes components of Python steps (once)"));
    std::fs::create_dir_all(cache).map_err(Fault::host)?;
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&environment);
    isolate(&mut venv, cache);
    finish(venv, "making a Python environment").map_err(|fault| fault.hinted(hint))?;
    let mut pip = Command::new(&interpreter);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", COMPONENTIZE]);
    isolate(&mut pip, cache);
    finish(pip, "installing the Python tool").map_err(|fault| fault.hinted(hint))?;
    std::fs::write(&ready, COMPONENTIZE).map_err(Fault::host)?;
    Ok(interpreter)
}

/// `python -m` looks into its working folder before anywhere else: it must never be the project's, whose files are a
/// stranger's and belong in the sandbox.
fn isolate(command: &mut Command, folder: &Path) {
    command.current_dir(folder).env("PYTHONSAFEPATH", "1").env_remove("PYTHONHOME").env_remove("PYTHONSTARTUP");
}

/// Runs a tool to its end. Its last lines are the error.
fn finish(mut command: Command, what: &str) -> Result<(), Fault> {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| Fault::invalid(format!("{what}: cannot start the tool: {error}")))?;
    let stderr = child.stderr.take();
    let said = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            // A tool that dies in the middle of a line has still said the rest.
            let _ = stderr.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    let deadline = Instant::now() + TOOL_MAX;
    let status = loop {
        match child.try_wait().map_err(Fault::host)? {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Fault::invalid(format!("{what}: took longer than {} s", TOOL_MAX.as_secs())));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let said = said.join().unwrap_or_default();
    match status.success() {
        true => Ok(()),
        false => {
            let lines: Vec<&str> = said.lines().rev().take(20).collect();
            let tail: Vec<&str> = lines.into_iter().rev().collect();
            Err(Fault::invalid(format!("{what}: {}", tail.join("\n").trim_start_matches("error: "))))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_whole_sdk_is_carried() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/python/stepwell");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".py"))
            .collect();
        files.sort();
        let mut carried: Vec<_> = super::SDK.iter().map(|(name, _)| *name).collect();
        carried.sort_unstable();
        assert_eq!(files, carried);
    }
}
