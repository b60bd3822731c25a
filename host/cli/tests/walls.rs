//! The walls round workers on this machine and on lesser ones: what stands, what is told of what does not, and who minds.
//!
//! A lesser machine is a thread of the test that may not make a system call, which its `stepwell` inherits.

mod harness;

use harness::{Project, Said};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// The walls that a kernel without the call does not have.
const LESSER: [(i64, &[&str]); 2] =
    [(libc::SYS_landlock_create_ruleset, &["files", "network", "scope"]), (libc::SYS_seccomp, &["system-calls"])];

/// Runs a command as on a machine whose kernel does not know a system call.
fn without(call: i64, project: &Project, arguments: &[&str]) -> Said {
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let absent = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new([(call, Vec::new())].into(), SeccompAction::Allow, absent, architecture).unwrap();
    let filter: BpfProgram = filter.try_into().unwrap();
    let run = || {
        apply_filter(&filter).unwrap();
        project.stepwell(arguments)
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

#[test]
fn a_missing_wall_is_told_of_once_and_borne() {
    let project = Project::new();
    for (call, missing) in LESSER {
        let said = without(call, &project, &["check"]);
        said.expect("check", 0, &["is sound"]);
        for wall in missing {
            let warning = format!("warning: steps run without the wall `{wall}`: ");
            assert_eq!(said.err.matches(&warning).count(), 1, "{wall}: {said:?}");
        }
        assert_eq!(without(call, &project, &["runs", "list"]).err, "", "no step runs");
    }
    without(libc::SYS_seccomp, &project, &["run"]).expect("run", 0, &["without the wall `system-calls`", "succeeded"]);
}

#[test]
fn a_missing_wall_that_is_required_is_refused() {
    let project = Project::new();
    for (call, missing) in LESSER {
        for command in [&["check"][..], &["run"], &["serve", "--listen", "127.0.0.1:0"]] {
            let says = format!("the wall `{}` round workers is required, but missing: ", missing[0]);
            let said = without(call, &project, &[command, &["--walls", "required"]].concat());
            said.expect(&command.join(" "), 2, &[&says, "--walls best-effort"]);
        }
    }
    assert_eq!(project.stepwell(&["runs", "list", "--json"]).json(), serde_json::json!([]), "a run began");
}

/// As the kernel tells, of workers that a server holds.
#[test]
fn what_is_not_warned_of_stands() {
    let project = Project::new();
    let said = project.run();
    let serving = project.serve();
    let workers = serving.workers();
    assert!(!workers.is_empty(), "{}", serving.said());
    for worker in workers {
        let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
        let holds =
            |line: &str| status.lines().any(|found| found.split_whitespace().collect::<Vec<_>>().join(" ") == line);
        assert!(holds("NoNewPrivs: 1"), "{status}");
        assert_eq!(holds("Seccomp: 2"), !said.err.contains("`system-calls`"), "{status}");
    }
    let required = project.stepwell(&["check", "--data", ".other", "--walls", "required"]);
    assert_eq!(required.code, Some(if said.err.contains("warning") { 2 } else { 0 }), "{required:?}");
}

/// A worker that was taken over could read and write what a shell left open, behind no wall: Landlock looks at opening only.
#[test]
fn a_worker_holds_nothing_that_its_server_inherited() {
    let (_ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let inherited = tempfile::NamedTempFile::new().unwrap();
    // As its server starts it; it waits for its setup.
    let mut worker = std::process::Command::new("/bin/sh")
        .args(["-c", "exec 9<\"$1\"; exec \"$0\" worker", env!("CARGO_BIN_EXE_stepwell")])
        .arg(inherited.path())
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .spawn()
        .unwrap();
    let folder = format!("/proc/{}", worker.id());
    let is_worker = || {
        let command = std::fs::read(format!("{folder}/cmdline")).unwrap_or_default();
        command.ends_with(b"stepwell\0worker\0")
    };
    let holds = || std::fs::read_link(format!("{folder}/fd/9")).is_ok();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_worker() || holds() {
        assert!(std::time::Instant::now() < until, "worker: {}, holds it: {}", is_worker(), holds());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    worker.kill().unwrap();
    worker.wait().unwrap();
}
