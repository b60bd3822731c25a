//! A foreign tool -> that it did its work, or its last words. Tools have a deadline, say only so much, never look into the
//! plugin's folder for what they are made of, and end with us, together with all that they started.

use crate::{Notes, Tools, cell};
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, PipeWriter, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use types::Fault;

/// A build takes seconds; the first one also downloads its tools and compiles what it needs.
const TOOL_MAX: Duration = Duration::from_secs(1200);
/// The most that a tool's output may be: a message a line from cargo, of some kilobytes.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;
const LINE_BYTES_MAX: u64 = 4096;
/// How many of its last lines are the error.
const LINES: usize = 20;
const POLL: Duration = Duration::from_millis(20);

/// Runs a tool to its end. Gives what it said on its output; its last lines on the other stream are the error.
pub(crate) fn finish(command: Command, what: &str) -> Result<String, Fault> {
    follow(command, what, |_| false)
}

/// [`finish`], and `hear` is told each line of the tool's error stream as it comes. It says whether that is mere progress, and
/// no part of an error.
pub(crate) fn follow(command: Command, what: &str, mut hear: impl FnMut(&str) -> bool) -> Result<String, Fault> {
    let program = command.get_program().to_string_lossy().into_owned();
    let cannot = |error| Fault::invalid(format!("{what}: cannot start `{program}`: {error}"));
    let mut group = Group::start(command).map_err(cannot)?;
    let said = listen(&mut group.leader);
    let (mut output, mut last) = (String::new(), VecDeque::new());
    let deadline = Instant::now() + TOOL_MAX;
    // A tool has ended when it closed its streams, and whatever it started has, too.
    let mut closed = false;
    let status = loop {
        match said.recv_timeout(POLL) {
            Ok(Said::Output(text)) => output = text,
            Ok(Said::Line(line)) => {
                if !hear(&line) {
                    last.push_back(line);
                    last.drain(..last.len().saturating_sub(LINES));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // The process itself may live on for a moment.
            Err(RecvTimeoutError::Disconnected) if closed => std::thread::sleep(POLL),
            Err(RecvTimeoutError::Disconnected) => closed = true,
        }
        if closed && let Some(status) = group.ended().map_err(Fault::host)? {
            break status;
        }
        if Instant::now() > deadline {
            return Err(Fault::invalid(format!("{what}: took longer than {} s", TOOL_MAX.as_secs())));
        }
    };
    match status.success() {
        true => Ok(output),
        false => {
            last.extend(status.signal().map(|signal| format!("it was ended by signal {signal}")));
            let last = last.make_contiguous().join("\n");
            Err(Fault::invalid(format!("{what}: {}", last.trim_start_matches("error: "))))
        }
    }
}

/// A tool and whatever it started. It is killed when this is dropped before the tool ended, and when we end.
struct Group {
    leader: Child,
    has_ended: bool,
    /// Open for as long as we are: see [`cell::bind`].
    _life: PipeWriter,
}

impl Group {
    fn start(mut command: Command) -> std::io::Result<Self> {
        let (input, life) = std::io::pipe()?;
        command.stdin(input.try_clone()?).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let group = Self { leader: command.spawn()?, has_ended: false, _life: life };
        cell::bind(&group.leader, &input)?;
        Ok(group)
    }

    fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        let status = self.leader.try_wait()?;
        self.has_ended = status.is_some();
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = Pid::from_raw(self.leader.id() as i32)
            && !self.has_ended
        {
            // Nobody is left if this fails.
            let _ = kill_process_group(group, Signal::KILL);
            let _ = self.leader.wait();
        }
    }
}

/// What comes from a tool.
enum Said {
    /// All of its output.
    Output(String),
    /// A line of its error stream.
    Line(String),
}

/// Reads both streams, each in a thread, so that neither holds the tool up.
fn listen(child: &mut Child) -> Receiver<Said> {
    let (say, said) = mpsc::sync_channel(LINES);
    if let Some(mut stdout) = child.stdout.take() {
        let say = say.clone();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            // A tool that dies in the middle has still said the rest; what is too much is read and forgotten.
            let _ = stdout.by_ref().take(OUTPUT_BYTES_MAX).read_to_end(&mut text);
            let _ = std::io::copy(&mut stdout, &mut std::io::sink());
            say.send(Said::Output(String::from_utf8_lossy(&text).into_owned()))
        });
    }
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            loop {
                let mut line = Vec::new();
                let read = stderr.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if !matches!(read, Ok(1..)) || say.send(Said::Line(line)).is_err() {
                    break;
                }
            }
        });
    }
    said
}

/// Tools that look into their working folder before anywhere else must never do so in the plugin's, whose files are a
/// stranger's and belong in the sandbox.
pub(crate) fn isolate(command: &mut Command, folder: &Path) {
    command.current_dir(folder).env("PYTHONSAFEPATH", "1").env_remove("PYTHONHOME").env_remove("PYTHONSTARTUP");
}

/// The interpreter of an environment that has a tool from Python's index, such as `componentize-py==0.25.1`; made on first
/// use.
pub(crate) fn python(requirement: &str, tools: &Tools<'_>) -> Result<PathBuf, Fault> {
    let environment = tools.cache.join(requirement.replace("==", "-"));
    let (interpreter, ready) = (environment.join("bin/python"), environment.join("ready"));
    if ready.exists() {
        return Ok(interpreter);
    }
    std::fs::create_dir_all(tools.cache).map_err(Fault::host)?;
    install(requirement, &environment, &interpreter, tools.cache, tools.notes).map_err(|fault| {
        fault.hinted(format!("{requirement} needs Python 3.10 or newer with `venv`, and PyPI to be reachable once"))
    })?;
    std::fs::write(&ready, requirement).map_err(Fault::host)?;
    Ok(interpreter)
}

fn install(
    requirement: &str,
    environment: &Path,
    interpreter: &Path,
    cache: &Path,
    notes: Notes<'_>,
) -> Result<(), Fault> {
    notes(format!("installing {requirement} (once)"));
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(environment);
    isolate(&mut venv, cache);
    finish(venv, "making a Python environment")?;
    let mut pip = Command::new(interpreter);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]);
    isolate(&mut pip, cache);
    finish(pip, &format!("installing {requirement}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<String, Fault> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        finish(command, "trying")
    }

    #[test]
    fn the_last_lines_are_the_error() {
        assert_eq!(shell("echo said; echo aside >&2").unwrap(), "said\n");
        let fault = shell("i=0; while [ $i -lt 30 ]; do echo line $i >&2; i=$((i+1)); done; exit 1").unwrap_err();
        let lines: Vec<&str> = fault.message.lines().collect();
        assert_eq!((lines[0], lines.len(), lines[19]), ("trying: line 10", 20, "line 29"));
        assert_eq!(shell("echo error: no >&2; exit 3").unwrap_err().message, "trying: no");
        assert!(finish(Command::new("/nowhere/tool"), "trying").unwrap_err().message.contains("`/nowhere/tool`"));
    }

    /// Whether a process with these words on its command line is there.
    fn is_there(words: &str) -> bool {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        lines.any(|line| line.split(|byte| *byte == 0).collect::<Vec<_>>().join(&b' ').starts_with(words.as_bytes()))
    }

    fn wait_for(what: impl Fn() -> bool) -> bool {
        (0..500).any(|_| what() || (std::thread::sleep(POLL), false).1)
    }

    /// A shell, and what it starts.
    fn nested(seconds: u32) -> (Group, String) {
        let (mut command, child) = (Command::new("sh"), format!("sleep {seconds}.{}", std::process::id()));
        command.args(["-c", &format!("{child}; true")]);
        let group = Group::start(command).unwrap();
        assert!(wait_for(|| is_there(&child)));
        (group, child)
    }

    #[test]
    fn what_a_tool_started_ends_with_it() {
        let (group, child) = nested(1001);
        drop(group);
        assert!(wait_for(|| !is_there(&child)));
    }

    #[test]
    fn what_a_tool_started_ends_with_us() {
        let (group, child) = nested(1002);
        // All that the kernel does for us when we are killed: what only we hold open is closed.
        let mut group = std::mem::ManuallyDrop::new(group);
        let (unused, life) = std::io::pipe().unwrap();
        drop((unused, std::mem::replace(&mut group._life, life)));
        assert!(wait_for(|| !is_there(&child)));
        assert_eq!(group.leader.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_flood_is_cut_and_ends() {
        assert_eq!(shell("head -c 20000000 /dev/zero").unwrap().len() as u64, OUTPUT_BYTES_MAX);
        let fault = shell("head -c 20000000 /dev/zero >&2; exit 1").unwrap_err();
        assert!(fault.message.len() as u64 <= LINES as u64 * (LINE_BYTES_MAX + 1) + 10);
    }
}
