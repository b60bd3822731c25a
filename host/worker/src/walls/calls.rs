//! seccomp: the system calls that a worker has.
//!
//! What it needs is listed; any other call fails as if the kernel did not know it (`ENOSYS`), which libraries have an answer
//! to. What nothing of ours ever calls, only code that took the worker over, kills the process.

use super::{Wall, WallState};
use libc::*;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};
use std::collections::BTreeMap;
use types::Device;

const NAME: &str = "system-calls";

/// What only an attacker calls: other programs, other processes, other machines, other kernels.
const HOSTILE: &[i64] = &[
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_process_madvise,
    SYS_kcmp,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_socket,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept4,
    SYS_mount,
    SYS_umount2,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsmount,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_userfaultfd,
    SYS_open_by_handle_at,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    #[cfg(target_arch = "x86_64")]
    SYS_fork,
    #[cfg(target_arch = "x86_64")]
    SYS_vfork,
    #[cfg(target_arch = "x86_64")]
    SYS_accept,
    #[cfg(target_arch = "x86_64")]
    SYS_modify_ldt,
];

/// What a worker needs, whatever the arguments: files that Landlock lets it open, its socket, memory, threads, time.
const NEEDED: &[i64] = &[
    // Files. Nothing that changes the mode, the owner or the times of one: Landlock does not look at that.
    SYS_close,
    SYS_read,
    SYS_readv,
    SYS_pread64,
    SYS_write,
    SYS_writev,
    SYS_pwrite64,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_faccessat,
    SYS_ftruncate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_dup,
    SYS_memfd_create,
    #[cfg(target_arch = "x86_64")]
    SYS_stat,
    #[cfg(target_arch = "x86_64")]
    SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    SYS_access,
    // Its socket.
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_shutdown,
    SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    SYS_poll,
    // Memory. Code is compiled and loaded here, so it can be made executable.
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_membarrier,
    // Threads and traps.
    SYS_futex,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getpid,
    SYS_gettid,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
    // Time and chance.
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_sysinfo,
    SYS_uname,
];

/// Of `fcntl`; the rest holds locks, or has signals sent to whom it names.
const FCNTL: &[i32] = &[F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_ADD_SEALS, F_GET_SEALS];

/// Calls that open a file, each with the place of its flags.
const OPENING: &[(i64, u8)] = &[
    (SYS_openat, 2),
    #[cfg(target_arch = "x86_64")]
    (SYS_open, 1),
];

/// Asks for a file without a name. The server counts the scratch folder by its names and would not see that it fills the disk.
const NAMELESS: u64 = (O_TMPFILE & !O_DIRECTORY) as u64;

/// What the libraries of a GPU need beside: commands to the driver, memory that stays where it is, events, looks about.
const DRIVER_NEEDS: &[i64] = &[
    SYS_ioctl,
    SYS_mlock,
    SYS_munlock,
    SYS_mincore,
    SYS_get_mempolicy,
    SYS_eventfd2,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_pipe2,
    SYS_getdents64,
    SYS_readlinkat,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    SYS_readlink,
];

/// What they try, and do without: to start the driver's helper, to find a server that shares the GPU. It does not exist in any
/// worker, but kills only where nobody but an attacker would ask.
const DRIVER_TRIES: &[i64] = &[
    SYS_execve,
    SYS_socket,
    SYS_clone,
    #[cfg(target_arch = "x86_64")]
    SYS_fork,
    #[cfg(target_arch = "x86_64")]
    SYS_vfork,
];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Confines all threads of this process, and those to come.
pub(super) fn confine(device: Device) -> Wall {
    match install(std::process::id(), device) {
        Ok(()) => Wall::new(NAME, WallState::Stands),
        Err(error) => Wall::missing(NAME, error),
    }
}

/// Two filters, of which the kernel obeys the stricter. The killing one first: the other leaves no way to add a filter.
fn install(process: u32, device: Device) -> Result<(), Box<dyn std::error::Error>> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let absent = SeccompAction::Errno(ENOSYS as u32);
    for (rules, otherwise, listed) in [
        (hostile(process, device)?, SeccompAction::Allow, SeccompAction::KillProcess),
        (needed(process, device)?, absent, SeccompAction::Allow),
    ] {
        let filter: BpfProgram = SeccompFilter::new(rules, otherwise, listed, architecture)?.try_into()?;
        apply_filter_all_threads(&filter)?;
    }
    Ok(())
}

fn hostile(process: u32, device: Device) -> Result<Rules, seccompiler::BackendError> {
    let mut rules = whatever(HOSTILE);
    // A new process; a new thread has the flag.
    rules.insert(SYS_clone, vec![argument(0, SeccompCmpOp::MaskedEq(CLONE_THREAD as u64), 0)?]);
    for call in [SYS_kill, SYS_tgkill] {
        rules.insert(call, vec![argument(0, SeccompCmpOp::Ne, process.into())?]);
    }
    if device != Device::Cpu {
        rules.retain(|call, _| !DRIVER_TRIES.contains(call));
    }
    Ok(rules)
}

/// `clone3` hides its flags behind a pointer and is left out; the C library then takes `clone`.
fn needed(process: u32, device: Device) -> Result<Rules, seccompiler::BackendError> {
    let mut rules = whatever(NEEDED);
    if device != Device::Cpu {
        rules.extend(whatever(DRIVER_NEEDS));
    }
    let flag = CLONE_THREAD as u64;
    rules.insert(SYS_clone, vec![argument(0, SeccompCmpOp::MaskedEq(flag), flag)?]);
    for (call, flags) in OPENING {
        rules.insert(*call, vec![argument(*flags, SeccompCmpOp::MaskedEq(NAMELESS), 0)?]);
    }
    // An abort.
    rules.insert(SYS_tgkill, vec![argument(0, SeccompCmpOp::Eq, process.into())?]);
    rules.insert(SYS_prctl, vec![argument(0, SeccompCmpOp::Eq, PR_SET_NAME as u64)?]);
    // Its own limits, not the server's.
    rules.insert(SYS_prlimit64, vec![argument(0, SeccompCmpOp::Eq, 0)?]);
    let commands = FCNTL.iter().map(|command| argument(1, SeccompCmpOp::Eq, *command as u64));
    rules.insert(SYS_fcntl, commands.collect::<Result<_, _>>()?);
    Ok(rules)
}

fn whatever(calls: &[i64]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

fn argument(index: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(index, SeccompCmpArgLen::Dword, is, value)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_not_hostile() {
        assert_eq!(NEEDED.iter().find(|call| HOSTILE.contains(call)), None);
        assert!(
            OPENING.iter().all(|(call, _)| !NEEDED.contains(call)),
            "what is needed is let through, whatever its flags"
        );
        assert_eq!(NAMELESS.count_ones(), 1);
        for device in [Device::Cpu, Device::Cuda(0)] {
            assert!(hostile(1, device).is_ok() && needed(1, device).is_ok());
        }
    }

    #[test]
    fn only_the_worker_of_a_gpu_commands_a_driver() {
        let calls = |rules: Result<Rules, _>| rules.ok().map(|rules: Rules| rules.into_keys().collect::<Vec<_>>());
        let (processors, gpu) = (calls(needed(1, Device::Cpu)).unwrap(), calls(needed(1, Device::Cuda(0))).unwrap());
        let more: Vec<_> = gpu.iter().filter(|call| !processors.contains(call)).copied().collect();
        let mut listed = DRIVER_NEEDS.to_vec();
        listed.sort_unstable();
        assert_eq!(more, listed, "what it needs more is what is listed, and nothing of it is let through elsewhere");
        assert!(!processors.contains(&SYS_ioctl));
        let kills = |device| calls(hostile(1, device)).unwrap();
        let spared: Vec<_> =
            kills(Device::Cpu).into_iter().filter(|call| !kills(Device::Cuda(0)).contains(call)).collect();
        assert!(spared.iter().all(|call| DRIVER_TRIES.contains(call)) && spared.len() == DRIVER_TRIES.len());
        // A thread is needed; a program, a socket and a process are not let through either way.
        assert!(DRIVER_TRIES.iter().all(|call| *call == SYS_clone || !gpu.contains(call)));
        assert!(DRIVER_NEEDS.iter().all(|call| !HOSTILE.contains(call)));
    }
}
