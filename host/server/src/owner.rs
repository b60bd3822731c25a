//! The lock of a data folder -> ours, or who has it.
//!
//! A process that is killed leaves its locks to its children for as long as they have not begun their own program: so one that is
//! dead may have it yet for a moment. That moment is waited for, and never an owner that lives.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

/// How long what a dead owner left is waited for, and how often it is looked at.
const LEFT_MAX: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(5);
/// Behind the number of a process that is to listen.
const SERVES: &str = "serve";
/// More than the digits of a process's number, and the word.
const TEXT_BYTES_MAX: u64 = 32;

/// Who has a data folder.
#[derive(Debug, PartialEq, Eq)]
pub struct Owner {
    /// As the lock's file says; none if it says no number.
    process: Option<Pid>,
    lives: bool,
    /// Whether it says that it is to listen.
    serves: bool,
}

impl Owner {
    fn of(lock: &mut File) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        lock.rewind()?;
        lock.take(TEXT_BYTES_MAX).read_to_end(&mut bytes)?;
        let mut words = std::str::from_utf8(&bytes).unwrap_or_default().split(' ');
        let number = words.next().and_then(|text| text.parse().ok());
        let process = number.filter(|number| *number > 0).and_then(Pid::from_raw);
        Ok(Self { process, lives: process.is_some_and(lives), serves: words.next() == Some(SERVES) })
    }

    /// Whether it lives and is a server: one that is found by its lock and not by its socket begins, or ends.
    pub fn serves(&self) -> bool {
        self.lives && self.serves
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.process, self.lives) {
            (None, _) => f.write_str("a process that has not said its number"),
            (Some(process), true) if self.serves => {
                write!(f, "`stepwell serve`, process {process}, which does not listen yet or no longer")
            }
            (Some(process), true) => write!(f, "process {process}"),
            (Some(process), false) => write!(f, "what process {process}, which is dead, left behind"),
        }
    }
}

/// Takes the lock, or says who has it.
pub(crate) fn take(lock: &mut File) -> std::io::Result<Option<Owner>> {
    let deadline = Instant::now() + LEFT_MAX;
    take_while(lock, || {
        std::thread::sleep(LOOK);
        Instant::now() < deadline
    })
}

/// The same; while an owner that is dead has it, `waits` waits, and says whether to look again.
fn take_while(lock: &mut File, mut waits: impl FnMut() -> bool) -> std::io::Result<Option<Owner>> {
    loop {
        match flock(&*lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(None),
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        // Read anew each time: whoever takes it writes a moment later that it has.
        let owner = Owner::of(lock)?;
        if owner.lives || !waits() {
            return Ok(Some(owner));
        }
    }
}

/// Writes into a lock that is ours whose it is.
pub(crate) fn sign(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(std::process::id().to_string().as_bytes())
}

/// Adds that its owner is to listen.
pub(crate) fn sign_serving(mut lock: &File) -> std::io::Result<()> {
    lock.seek(SeekFrom::End(0))?;
    lock.write_all(format!(" {SERVES}").as_bytes())
}

/// Whether a process runs. One that has ended does not, whether or not anybody asked how.
fn lives(process: Pid) -> bool {
    match pidfd_open(process, PidfdFlags::empty()) {
        Ok(process) => poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&Timespec::default())) == Ok(0),
        // No process, or a thread of one.
        Err(Errno::SRCH | Errno::INVAL) => false,
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    use std::path::Path;
    use std::process::{Child, Command};

    fn open(path: &Path) -> File {
        File::options().read(true).write(true).create(true).truncate(false).open(path).expect("opened")
    }

    /// A lock that is held, and by whom its file says.
    fn held(path: &Path, by: &str) -> File {
        std::fs::write(path, by).expect("written");
        let lock = open(path);
        flock(&lock, FlockOperation::NonBlockingLockExclusive).expect("free");
        lock
    }

    /// A process that has ended and was not asked how.
    fn ended() -> Child {
        let child = Command::new("true").spawn().expect("started");
        let id = Pid::from_raw(child.id() as i32).expect("a number");
        waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).expect("ended");
        child
    }

    #[test]
    fn an_owner_that_lives_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("made");
        let (path, own) = (folder.path().join("lock"), std::process::id().to_string());
        let _held = held(&path, &own);
        let owner = take_while(&mut open(&path), || panic!("it lives")).expect("looked").expect("held");
        assert_eq!((owner.to_string(), owner.serves()), (format!("process {own}"), false));
        assert_eq!(std::fs::read_to_string(&path).expect("read"), own);
    }

    #[test]
    fn an_owner_says_that_it_is_to_listen() {
        let folder = tempfile::tempdir().expect("made");
        let path = folder.path().join("lock");
        let mut lock = held(&path, "");
        sign(&mut lock).expect("written");
        sign_serving(&lock).expect("written");
        let owner = take_while(&mut open(&path), || panic!("it lives")).expect("looked").expect("held");
        assert!(owner.serves() && owner.to_string().contains("does not listen yet"), "{owner}");
        sign(&mut lock).expect("written");
        let owner = take_while(&mut open(&path), || panic!("it lives")).expect("looked").expect("held");
        assert!(!owner.serves(), "{owner}");
    }

    #[test]
    fn what_a_dead_owner_left_is_waited_for_and_not_for_ever() {
        let folder = tempfile::tempdir().expect("made");
        let path = folder.path().join("lock");
        let mut zombie = ended();
        let said = zombie.id().to_string();
        for (by, name) in [
            (said.as_str(), format!("what process {said}, which is dead, left behind")),
            ("", "a process that has not said its number".to_owned()),
            ("-1", "a process that has not said its number".to_owned()),
        ] {
            let mut left = Some(held(&path, by));
            let mut looks = 3;
            let owner = take_while(&mut open(&path), || {
                looks -= 1;
                looks > 0
            });
            assert_eq!((owner.expect("looked").expect("held").to_string(), looks), (name, 0));
            let mut lock = open(&path);
            assert_eq!(take_while(&mut lock, || left.take().is_some()).expect("looked"), None);
            sign(&mut lock).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("read"), std::process::id().to_string());
        }
        zombie.wait().expect("asked");
        assert!(!lives(Pid::from_raw(zombie.id() as i32).expect("a number")), "nor once it was asked");
    }

    #[test]
    fn an_owner_that_came_meanwhile_is_seen() {
        let folder = tempfile::tempdir().expect("made");
        let path = folder.path().join("lock");
        let (_held, own) = (held(&path, ""), std::process::id().to_string());
        let owner = take_while(&mut open(&path), || std::fs::write(&path, &own).is_ok()).expect("looked");
        assert_eq!(owner.expect("held").to_string(), format!("process {own}"));
    }
}
