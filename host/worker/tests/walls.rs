//! Native code that took a worker over -> what it tries against its walls, and which of them stops it.
//!
//! Each attempt is a process of this binary, of one thread as a worker is: once behind the walls, and once without them,
//! where it must end otherwise. What a worker is there for is tried as well, and must go through.

#![expect(unsafe_code, reason = "an attacker makes raw system calls")]

use libc::*;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use types::Device;
use worker::{Places, Walls, raise};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Through,
    Refused(i32),
    Killed(i32),
}

/// The wall that stops it, by its name, and how.
type Stop = (&'static str, End);

const LANDLOCK: Stop = ("files", End::Refused(EACCES));
const ABSENT: Stop = ("system-calls", End::Refused(ENOSYS));
const KILLED: Stop = ("system-calls", End::Killed(SIGSYS));

/// A system call, as -1 and `errno`, or what it gave. The folder holds `blobs/one`, `compiled/one`, `scratch` and `other`.
type Attempt = fn(&Path) -> c_long;

const HOSTILE: &[(&str, Attempt, Stop)] = &[
    ("open the machine's files", |_| open(Path::new("/etc/passwd"), O_RDONLY), LANDLOCK),
    ("list the root", |_| open(Path::new("/"), O_RDONLY | O_DIRECTORY), LANDLOCK),
    ("open another tenant's blob", |at| open(&at.join("other"), O_RDONLY), LANDLOCK),
    ("open the server's memory", |_| open(Path::new("/proc/self/mem"), O_RDWR), LANDLOCK),
    ("list the blobs", |at| open(&at.join("blobs"), O_RDONLY | O_DIRECTORY), LANDLOCK),
    ("write a blob", |at| open(&at.join("blobs/one"), O_WRONLY), LANDLOCK),
    ("empty a blob that is mapped", |at| open(&at.join("blobs/one"), O_RDWR | O_TRUNC), LANDLOCK),
    ("make a blob", |at| open(&at.join("blobs/two"), O_WRONLY | O_CREAT), LANDLOCK),
    ("write native code", |at| open(&at.join("compiled/one"), O_WRONLY), LANDLOCK),
    ("make native code", |at| open(&at.join("compiled/two"), O_WRONLY | O_CREAT), LANDLOCK),
    ("open a blob again, for writing", |at| open(&reopened(open(&at.join("blobs/one"), O_RDONLY)), O_WRONLY), LANDLOCK),
    ("cut a blob that is mapped", |at| call(SYS_truncate, [path(&at.join("blobs/one")), 0, 0, 0]), ABSENT),
    ("make a blob writable", |at| call(SYS_fchmodat, [AT_FDCWD.into(), path(&at.join("blobs/one")), 0o666, 0]), ABSENT),
    ("make an open blob writable", |at| call(SYS_fchmod, [open(&at.join("blobs/one"), O_RDONLY), 0o600, 0, 0]), ABSENT),
    ("remove a blob", |at| call(SYS_unlinkat, [AT_FDCWD.into(), path(&at.join("blobs/one")), 0, 0]), ABSENT),
    (
        "replace a blob",
        |at| {
            let (from, to) = (path(&at.join("scratch/own")), path(&at.join("blobs/one")));
            call(SYS_renameat2, [AT_FDCWD.into(), from, AT_FDCWD.into(), to])
        },
        ABSENT,
    ),
    ("fill the disk under no name", |at| open(&at.join("scratch"), O_RDWR | O_TMPFILE), ABSENT),
    ("leave a link", |at| call(SYS_symlinkat, [path(at), AT_FDCWD.into(), path(&at.join("scratch/link")), 0]), ABSENT),
    (
        "leave a pipe",
        |at| call(SYS_mknodat, [AT_FDCWD.into(), path(&at.join("scratch/pipe")), S_IFIFO.into(), 0]),
        ABSENT,
    ),
    ("take back a privilege", |_| call(SYS_prctl, [PR_SET_DUMPABLE.into(), 1, 0, 0]), ABSENT),
    ("limit the server", |_| call(SYS_prlimit64, [1, RLIMIT_NOFILE.into(), 0, 0]), ABSENT),
    ("hear signals of others", |_| call(SYS_fcntl, [0, F_SETOWN.into(), 1, 0]), ABSENT),
    ("start a program", |_| call(SYS_execve, [path(Path::new("/bin/true")), 0, 0, 0]), KILLED),
    ("start a program from memory", |_| call(SYS_execveat, [-1, 0, 0, 0]), KILLED),
    ("fork", |_| call(SYS_clone, [SIGCHLD.into(), 0, 0, 0]), KILLED),
    ("start a child, as the library does", |_| failed(Command::new("/bin/true").status()), KILLED),
    ("trace", |_| call(SYS_ptrace, [PTRACE_TRACEME.into(), 0, 0, 0]), KILLED),
    ("read another process", |_| call(SYS_process_vm_readv, [1, 0, 0, 0]), KILLED),
    ("hold another process", |_| call(SYS_pidfd_open, [1, 0, 0, 0]), KILLED),
    ("signal another process", |_| call(SYS_kill, [1, 0, 0, 0]), KILLED),
    ("signal another's thread", |_| call(SYS_tgkill, [1, 1, 0, 0]), KILLED),
    ("make a socket", |_| call(SYS_socket, [AF_INET.into(), SOCK_STREAM.into(), 0, 0]), KILLED),
    ("make a Unix socket", |_| call(SYS_socket, [AF_UNIX.into(), SOCK_STREAM.into(), 0, 0]), KILLED),
    ("connect", |_| call(SYS_connect, [0, 0, 0, 0]), KILLED),
    ("bind", |_| call(SYS_bind, [0, 0, 0, 0]), KILLED),
    ("mount", |_| call(SYS_mount, [0, 0, 0, 0]), KILLED),
    ("leave the namespace", |_| call(SYS_unshare, [CLONE_NEWUSER.into(), 0, 0, 0]), KILLED),
    ("enter a namespace", |_| call(SYS_setns, [-1, 0, 0, 0]), KILLED),
    ("load a program into the kernel", |_| call(SYS_bpf, [-1, 0, 0, 0]), KILLED),
    ("read the kernel's keys", |_| call(SYS_keyctl, [-1, 0, 0, 0]), KILLED),
    ("queue calls past the filter", |_| call(SYS_io_uring_setup, [0, 0, 0, 0]), KILLED),
    ("hold page faults up", |_| call(SYS_userfaultfd, [-1, 0, 0, 0]), KILLED),
    ("open by handle", |_| call(SYS_open_by_handle_at, [-1, 0, 0, 0]), KILLED),
];

/// What it is there for, behind the walls.
const HARMLESS: &[(&str, Attempt, End)] = &[
    ("read a blob", |at| open(&at.join("blobs/one"), O_RDONLY), End::Through),
    ("read native code", |at| open(&at.join("compiled/one"), O_RDONLY), End::Through),
    ("write its own file", |at| open(&at.join("scratch/mine"), O_RDWR | O_CREAT | O_TRUNC), End::Through),
    ("start a thread", |_| failed(std::thread::spawn(|| ()).join()), End::Through),
    (
        "start a named thread",
        |_| {
            let named = std::thread::Builder::new().name("named".to_owned()).spawn(|| ());
            failed(named)
        },
        End::Through,
    ),
    (
        "catch a panic",
        |_| {
            failed(match std::panic::catch_unwind(|| panic!("caught")) {
                Ok(()) => Err(()),
                Err(_) => Ok(()),
            })
        },
        End::Through,
    ),
    (
        "make code",
        |_| {
            let (both, private) = (PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
            // SAFETY: a new mapping, of which nothing is known to the language.
            unsafe {
                c_long::from(mprotect(
                    mmap(std::ptr::null_mut(), 4096, both, private, -1, 0),
                    4096,
                    PROT_READ | PROT_EXEC,
                ))
            }
        },
        End::Through,
    ),
    ("abort", |_| std::process::abort(), End::Killed(SIGABRT)),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "attempt", name, folder, around] => attempt(name, Path::new(folder), around),
        _ => run_all(),
    }
}

/// Whose walls are raised; none for "nothing".
fn device(around: &str) -> Option<Device> {
    Device::parse(around).ok()
}

/// In the child: raises the walls, tells of them, tries, and ends with what came of it.
fn attempt(name: &str, folder: &Path, around: &str) {
    if let Some(device) = device(around) {
        let (blobs, compiled, scratch) = (folder.join("blobs"), folder.join("compiled"), folder.join("scratch"));
        let walls = raise(Places { blobs: &blobs, compiled: &compiled, scratch: &scratch, device }).unwrap();
        println!("{}", serde_json::to_string(&walls).unwrap());
    }
    std::panic::set_hook(Box::new(|_| {}));
    let named = |(known, attempt): (&str, Attempt)| (known == name).then_some(attempt);
    let hostile = HOSTILE.iter().find_map(|(known, attempt, _)| named((known, *attempt)));
    let attempt = hostile.or_else(|| HARMLESS.iter().find_map(|(known, attempt, _)| named((known, *attempt))));
    let code = match attempt.expect("a known attempt")(folder) {
        -1 => std::io::Error::last_os_error().raw_os_error().filter(|errno| *errno != 0).unwrap_or(255),
        _ => 0,
    };
    std::process::exit(code);
}

/// Has an attempt made by a child; gives the walls it told of.
fn made(name: &str, around: &str) -> (End, Walls) {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for made in ["blobs", "compiled", "scratch"] {
        std::fs::create_dir(at.join(made)).unwrap();
    }
    for file in ["blobs/one", "compiled/one", "scratch/own", "other"] {
        std::fs::write(at.join(file), "one").unwrap();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["attempt", name]).arg(at).arg(around);
    let output = command.output().unwrap();
    let end = match (output.status.signal(), output.status.code()) {
        (Some(signal), _) => End::Killed(signal),
        (None, Some(0)) => End::Through,
        (None, code) => End::Refused(code.unwrap_or_default()),
    };
    if device(around).is_some() {
        for file in ["blobs/one", "compiled/one", "other"] {
            assert_eq!(std::fs::read(at.join(file)).unwrap(), b"one", "{name}: {file} was changed");
        }
    }
    (end, serde_json::from_slice(&output.stdout).unwrap_or_default())
}

fn run_all() {
    for (name, _, (wall, expected)) in HOSTILE {
        let (end, walls) = made(name, "cpu");
        let found =
            walls.iter().find(|found| found.name == *wall).unwrap_or_else(|| panic!("{name}: no {wall}, {end:?}"));
        match found.reason() {
            None => assert_eq!(end, *expected, "{name}, against {wall}"),
            Some(reason) => println!("{name}: this machine has no wall `{wall}`: {reason}"),
        }
        let free = made(name, "nothing").0;
        assert_ne!(free, *expected, "{name}: ends so without walls too");
        // Behind the wider walls of a GPU it is stopped too, if not always by death.
        let (wider, walls) = made(name, "cuda:0");
        let stands = walls.iter().any(|found| found.name == *wall && found.reason().is_none());
        let spared = *expected == End::Killed(SIGSYS) && wider == End::Refused(ENOSYS);
        assert!(!stands || wider == *expected || spared, "{name}, in the worker of a GPU: {wider:?}");
        println!("{name} ... {end:?} by {wall}, {wider:?} in the worker of a GPU, {free:?} without");
    }
    for (name, _, expected) in HARMLESS {
        for around in ["cpu", "cuda:0"] {
            assert_eq!(made(name, around).0, *expected, "{name} ({around})");
        }
        println!("{name} ... {expected:?}");
    }
}

fn failed<T, E>(result: Result<T, E>) -> c_long {
    if result.is_err() { -1 } else { 0 }
}

fn open(file: &Path, flags: c_int) -> c_long {
    call(SYS_openat, [AT_FDCWD.into(), path(file), flags.into(), 0o600])
}

/// The way to an open file's other opening.
fn reopened(descriptor: c_long) -> std::path::PathBuf {
    format!("/proc/self/fd/{descriptor}").into()
}

/// For the kernel; leaked, since the process ends soon.
fn path(path: &Path) -> c_long {
    CString::new(path.as_os_str().as_bytes()).unwrap().into_raw() as c_long
}

fn call(number: c_long, [a, b, c, d]: [c_long; 4]) -> c_long {
    // SAFETY: pointers among the arguments are null or come from `path`, and none is written through.
    unsafe { syscall(number, a, b, c, d, 0, 0) }
}
