//! What only the kernel's own calls do: a wall that stands before a program starts, and an end with ours.

#![expect(unsafe_code, reason = "what happens between fork and exec, and calls that rustix lacks")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Error, PipeReader, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// The version of Landlock that this kernel has, or 0.
pub(super) fn landlock_version() -> i32 {
    const VERSION: libc::c_uint = 1;
    // SAFETY: asked for its version, the call reads no memory.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<()>(), 0_usize, VERSION) };
    version.try_into().unwrap_or(0).max(0)
}

/// Has the program start with these limits behind the wall, and never with more rights than it has then.
pub(super) fn confine(command: &mut Command, wall: Option<OwnedFd>, limits: &'static [(Resource, u64)]) {
    let confine = move || -> Result<()> {
        for (resource, limit) in limits {
            // A machine may allow less already. CPU time is out with a signal of its own at the first of the two.
            let most = getrlimit(*resource).maximum.unwrap_or(u64::MAX);
            let (current, maximum) = (Some(most.min(*limit)), Some(most.min(limit + 1)));
            setrlimit(*resource, Rlimit { current, maximum })?;
        }
        rustix::thread::set_no_new_privs(true)?;
        let Some(wall) = &wall else { return Ok(()) };
        // SAFETY: the call takes a descriptor and flags, no memory.
        match unsafe { libc::syscall(libc::SYS_landlock_restrict_self, wall.as_raw_fd(), 0) } {
            0 => Ok(()),
            _ => Err(Error::last_os_error()),
        }
    };
    // SAFETY: only system calls are made, and no memory is allocated: another thread may have held a lock at the fork.
    unsafe { command.pre_exec(confine) };
}

/// Has the kernel kill the child's whole process group once nobody holds the other end of this pipe: whatever way we end,
/// `kill -9` included, our end closes. The child holds this end as its input. A parent-death signal would reach the child
/// alone, and not what it started.
pub(crate) fn bind(child: &Child, input: &PipeReader) -> Result<()> {
    let group = -(child.id() as libc::c_int);
    for (command, value) in [(libc::F_SETOWN, group), (F_SETSIG, libc::SIGKILL), (libc::F_SETFL, libc::O_ASYNC)] {
        // SAFETY: these commands take a number, no memory.
        if unsafe { libc::fcntl(input.as_raw_fd(), command, value) } < 0 {
            return Err(Error::last_os_error());
        }
    }
    Ok(())
}

/// The libc crate has it for some systems only.
const F_SETSIG: libc::c_int = 10;
