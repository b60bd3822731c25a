//! How the kernel schedules the threads of the server and its workers.

/// A worker that is held back gets the processor time that nobody else wants: whoever wakes takes the processor from it at once, and
/// a processor that runs nothing else counts as free. A high niceness would let it finish its slice first.
pub(crate) const HELD_BACK: i32 = libc::SCHED_IDLE;
/// Any other has what its niceness gives it.
pub(crate) const QUICK: i32 = libc::SCHED_OTHER;

/// The shortest slice that the kernel gives (since 6.12; one of before takes no notice). What a thread gets of a processor does not
/// hang on it, but whoever wakes need not wait for the 3 ms that one that computes would otherwise have for itself.
const SLICE_NS: u64 = 100_000;

/// Has this thread, and those that it starts from now on, take a processor as soon as they wake. A kernel that refuses, or knows of no
/// such thing, schedules them as it does everybody.
pub fn wake_soon() {
    is_scheduled(0, QUICK);
}

/// How much nicer a worker that has attempts is than the server and whoever answers requests: of a processor that both want it gets a
/// quarter. They compute little at a time, and at the same niceness they would have to wait for it whenever they had more than half.
const BEHIND: i32 = 5;

/// Has a worker come after the server, for life.
#[expect(unsafe_code, reason = "rustix sets the niceness of a process by one thread of it")]
pub(crate) fn come_after(worker: u32) {
    for thread in threads(worker) {
        // SAFETY: these take and give numbers.
        unsafe {
            let nice = libc::getpriority(libc::PRIO_PROCESS, thread as u32);
            libc::setpriority(libc::PRIO_PROCESS, thread as u32, nice + BEHIND);
        }
    }
}

/// All threads of a process. One that they start is scheduled like its maker.
pub(crate) fn threads(process: u32) -> impl Iterator<Item = i32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    threads.filter_map(|thread| thread.file_name().to_str()?.parse().ok())
}

/// Has the kernel schedule a thread so, 0 being this one, if it is there yet; false if it refuses.
#[expect(unsafe_code, reason = "rustix sets no scheduling")]
pub(crate) fn is_scheduled(thread: i32, policy: i32) -> bool {
    // SAFETY: it takes and gives numbers. Of a thread that is gone it gives -1, and the next call says that it is.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, thread as u32) };
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: policy as u32,
        sched_flags: 0,
        sched_nice: nice,
        sched_priority: 0,
        sched_runtime: SLICE_NS,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads one `sched_attr`, which is ours and says how large it is.
    let given = unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const attributes, 0_u32) == 0 };
    given || std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(unsafe_code, reason = "rustix tells of no scheduling")]
    fn attributes(thread: u32) -> libc::sched_attr {
        // SAFETY: of numbers alone, all of which may be 0.
        let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::sched_attr>();
        // SAFETY: the kernel writes one `sched_attr` of that size, which is ours.
        let refused = unsafe { libc::syscall(libc::SYS_sched_getattr, thread, &raw mut attributes, size, 0_u32) };
        assert_eq!(refused, 0);
        attributes
    }

    #[test]
    fn a_thread_and_those_that_it_starts_have_short_slices_and_their_niceness() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split('.').map_while(|part| part.parse::<u32>().ok());
        let knows_slices = (numbers.next(), numbers.next()) >= (Some(6), Some(12));
        let told = std::thread::spawn(|| {
            let before = attributes(0);
            wake_soon();
            (before, std::thread::spawn(|| attributes(0)).join().unwrap())
        });
        let (before, after) = told.join().unwrap();
        assert_eq!((after.sched_policy, after.sched_nice), (before.sched_policy, before.sched_nice));
        if knows_slices {
            assert_eq!(after.sched_runtime, SLICE_NS, "{release}");
        }
    }

    #[test]
    fn a_worker_that_comes_after_the_server_is_nicer() {
        let mut worker = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        come_after(worker.id());
        let (ours, its) = (attributes(0).sched_nice, attributes(worker.id()).sched_nice);
        worker.kill().unwrap();
        worker.wait().unwrap();
        assert_eq!(its, (ours + BEHIND).min(19));
    }
}
