use super::*;
use crate::tool::finish;

/// What a shell in a cell says, and a folder that the cell does not open.
fn shell(script: &str) -> Result<String, Fault> {
    let cache = tempfile::tempdir().unwrap();
    let tools = Tools { cache: cache.path(), notes: &|_| () };
    let cell = Cell::new(&cache.path().join("to"), &tools)?.runs_system().runs("/bin");
    let mut command = cell.command(Path::new("/bin/sh"))?;
    command.args(["-c", script]).env("OUTSIDE", cache.path().join("outside"));
    std::fs::write(cache.path().join("outside"), "secret").unwrap();
    finish(command, "trying").map_err(|fault| cell.told(fault))
}

#[test]
fn what_is_not_named_is_not_opened() {
    if missing(kernel::landlock_version()).is_some() {
        return;
    }
    for script in ["cat $OUTSIDE", "ls /", "cat /proc/self/environ", "echo > $OUTSIDE", "mkfifo pipe", "ls $HOME/.."] {
        assert!(shell(script).is_err(), "{script}");
    }
    assert_eq!(shell("echo said > a && mkdir b && mv a b && cat b/a < /dev/null").unwrap(), "said\n");
}

#[test]
fn what_is_in_the_environment_stays_there() {
    let said = shell("env").unwrap();
    let known = |line: &str| {
        [&VARIABLES[..], &["HOME", "TMPDIR", "OUTSIDE", "PWD", "_", "SHLVL", "OLDPWD"]]
            .concat()
            .iter()
            .any(|name| line.starts_with(&format!("{name}=")))
    };
    assert!(said.lines().all(known), "{said}");
}

#[test]
fn a_limit_is_told_by_its_number() {
    let hint = |message: &str| limits::told(Fault::invalid(message)).hint.unwrap_or_default();
    for (message, expected) in [
        ("LLVM ERROR: out of memory", "3 GiB of memory"),
        ("fatal error: runtime: cannot allocate memory", "3 GiB of memory"),
        ("it was ended by signal 25", "files of 256 MiB"),
        ("it was ended by signal 24", "900 s of CPU time"),
        ("expected `;`", ""),
    ] {
        assert!(hint(message).ends_with(expected), "{message}: {}", hint(message));
    }
    assert!(shell("head -c 300000000 /dev/zero > a").is_err(), "no device is opened");
    let fault = shell("yes | head -c 300000000 > a").unwrap_err();
    assert!(fault.hint.as_ref().is_some_and(|hint| hint.contains("256 MiB")), "{fault:?}");
}

#[test]
fn what_is_left_is_neither_a_link_nor_too_large() {
    let cache = tempfile::tempdir().unwrap();
    let cell = Cell::new(Path::new("to"), &Tools { cache: cache.path(), notes: &|_| () }).unwrap();
    let at = |name: &str| cell.folder().join(name);
    std::fs::write(at("file"), "text").unwrap();
    std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
    File::create(at("large")).unwrap().set_len(LEFT_BYTES_MAX + 1).unwrap();
    assert_eq!(cell.take("file", "trying").unwrap(), b"text");
    for name in ["link", "large", "none", "."] {
        assert!(cell.take(name, "trying").is_err(), "{name}");
    }
    let folder = cell.folder().to_owned();
    drop(cell);
    assert!(!folder.exists());
}

#[test]
fn a_kernel_lacks_what_came_later() {
    assert_eq!((missing(9), missing(4)), (None, None));
    for (version, words) in [(3, "`network`"), (2, "`files` and `network`"), (0, "has no Landlock")] {
        assert!(missing(version).is_some_and(|note| note.contains(words)), "{version}: {:?}", missing(version));
    }
}
