//! How the kernel schedules the threads of a worker. Quick ones are scheduled like everybody; the server, which is, too, wakes for a
//! moment at a time, and must not wait for those that compute for hours.

use std::io::Error;

/// The policy of a worker that is held back: it gets the processor time that nobody else wants. Whoever wakes takes the processor from
/// it at once, and a processor that runs nothing else counts as free.
pub(crate) const HELD_BACK: i32 = libc::SCHED_IDLE;
/// The policy of any other.
pub(crate) const QUICK: i32 = libc::SCHED_OTHER;

/// How much nicer an attempt is that computes for long: beside one that is not it gets a tenth of a processor.
const NICER: i32 = 10;
const NICEST: i32 = 19;
/// The slice of one that computes for long. Whoever has a shorter one, the kernel's own being 3 ms, takes the processor from it
/// when it wakes (since 6.12; a kernel of before has it finish its slice, which it does not lengthen).
const LONG_NS: u64 = 50_000_000;

/// Has all threads of a process be scheduled by a policy; false if the kernel refuses it for one.
pub(crate) fn set_policy(process: u32, policy: i32) -> bool {
    change(process, |now| now.sched_policy = policy as u32)
}

/// Has a process make way for whoever wakes. Without privileges that is for life.
pub(crate) fn make_way(process: u32) {
    let nice = ours() + NICER;
    change(process, |now| (now.sched_nice, now.sched_runtime) = (nice.min(NICEST), LONG_NS));
}

/// Takes that back; false if the kernel refuses it.
pub(crate) fn be_quick(process: u32) -> bool {
    let nice = ours();
    // A slice of none is the kernel's own.
    change(process, |now| (now.sched_nice, now.sched_runtime) = (nice, 0))
}

/// The niceness of the server.
fn ours() -> i32 {
    attributes(0).map_or(0, |ours| ours.sched_nice)
}

/// Of all threads: a new one is scheduled like its maker. False if the kernel refuses it for one that is there.
fn change(process: u32, how: impl Fn(&mut libc::sched_attr)) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let threads = threads.filter_map(|thread| thread.file_name().to_str()?.parse().ok());
    let refused = |error: &Error| error.raw_os_error() != Some(libc::ESRCH);
    // Counted: one that refuses keeps none of the others from it.
    threads.filter_map(|thread| change_thread(thread, &how).err()).filter(refused).count() == 0
}

#[expect(unsafe_code, reason = "rustix sets no scheduling")]
fn change_thread(thread: i32, how: impl Fn(&mut libc::sched_attr)) -> Result<(), Error> {
    let mut attributes = attributes(thread)?;
    how(&mut attributes);
    // SAFETY: the kernel reads one `sched_attr`, which is ours and says how large it is.
    done(unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const attributes, 0_u32) })
}

/// Those of a thread, 0 being this one.
#[expect(unsafe_code, reason = "rustix tells of no scheduling")]
pub(crate) fn attributes(thread: i32) -> Result<libc::sched_attr, Error> {
    // SAFETY: of numbers alone, all of which may be 0.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::sched_attr>();
    // SAFETY: the kernel writes one `sched_attr` of that size, which is ours.
    done(unsafe { libc::syscall(libc::SYS_sched_getattr, thread, &raw mut attributes, size, 0_u32) })?;
    Ok(attributes)
}

fn done(result: libc::c_long) -> Result<(), Error> {
    if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_makes_way_is_nicer_and_interrupted_and_keeps_that_while_it_is_held_back() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split('.').map_while(|part| part.parse::<u32>().ok());
        let knows_slices = (numbers.next(), numbers.next()) >= (Some(6), Some(12));
        let mut worker = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let of_worker = || attributes(worker.id() as i32).unwrap();
        let before = of_worker();
        make_way(worker.id());
        assert!(set_policy(worker.id(), HELD_BACK));
        let held_back = of_worker();
        let is_back = set_policy(worker.id(), QUICK);
        let released = of_worker();
        let is_quick = be_quick(worker.id());
        let after = of_worker();
        worker.kill().unwrap();
        worker.wait().unwrap();
        assert_eq!(held_back.sched_policy, HELD_BACK as u32);
        for slow in [held_back, released] {
            assert_eq!(slow.sched_nice, (before.sched_nice + NICER).min(NICEST));
            assert!(!knows_slices || slow.sched_runtime == LONG_NS, "{release}: {}", slow.sched_runtime);
        }
        // What is refused is told.
        assert_eq!(is_back, released.sched_policy == QUICK as u32);
        assert_eq!(is_quick, after.sched_nice == before.sched_nice);
        assert!(!is_quick || !knows_slices || after.sched_runtime == before.sched_runtime);
    }
}
