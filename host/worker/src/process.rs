//! One worker process as the server holds it: started, spoken to, watched, and killed without asking.

use crate::message::{FromWorker, ToWorker, believed};
use crate::pool::Layout;
use crate::walls::Walls;
use crate::wire::{self, Inbox};
use crate::{devices, ledger, memory, scheduling};
use ports::Call;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use std::cell::Cell;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use types::{Device, Digest, Fault, FaultKind, Grants, LimitKind, Limits, Quantity};

/// How often the resident memory is looked at and a cancellation noticed.
const LOOK: Duration = Duration::from_millis(20);
/// How often processor time and the scratch folder are looked at, which takes longer.
const LOOK_CLOSELY: Duration = Duration::from_millis(100);
/// An attempt that took so much processor time makes way for whoever wakes: the next may need a new worker for that.
const LONG_CPU_MS: u64 = 1000;
/// From start to `Ready`: an engine is made, nothing is compiled.
const START_MAX: Duration = Duration::from_secs(30);
/// For one message to a worker, however slowly it reads.
pub(crate) const SEND_MAX: Duration = Duration::from_secs(10);
/// What the server may take for itself while a worker waits for it, if the attempt's own limit is not longer.
const OURS_MAX: Duration = Duration::from_secs(60);
/// What takes less is the price of what a worker says: one that says much goes on computing meanwhile.
const SLOW: Duration = Duration::from_millis(20);
/// Resident memory that a limit does not count: page tables, the allocator's own rounding.
const RESIDENT_SLACK_BYTES: u64 = 64 << 20;

/// Blocks of a size that a thread of a worker keeps for what it does next. A table of thirty columns is made and let go of at once, and
/// glibc's own seven have it search for nearly all of its blocks anew.
const KEPT_BLOCKS: u16 = 128;

/// Threads of a worker: several for each processor of a large machine. The kernel has no such bound of a process of root's, and of
/// anybody else's only one of all that the user runs.
const THREADS_MAX: u64 = 2048;

/// A live worker. Dropping it kills the process and removes its scratch folder.
pub(crate) struct Process {
    child: Child,
    /// What the kernel says of it, open: all that it has to say, and its size alone, which is read in every attempt.
    status: File,
    size: File,
    socket: UnixStream,
    inbox: Inbox,
    /// What stands round it, and what does not.
    pub(crate) walls: Walls,
    pub(crate) scratch: PathBuf,
    /// Private resident memory when it was ready.
    base_bytes: u64,
    /// CPU time when it was last alive.
    cpu_seen_us: u64,
    /// When its memory is looked at again, and when all of it.
    look: Instant,
    look_closely: Instant,
    pub(crate) attempts: u32,
    /// Whether it was made to.
    makes_way: bool,
    /// What it computes on, for life.
    pub(crate) device: Device,
    /// Whose code ran in it; none in one that is new.
    pub(crate) guest: Option<Guest>,
}

/// A component with what a step grants it. One that was taken over natively, by what it read for one, keeps its worker and gets
/// nothing beyond that.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Guest {
    component: Digest,
    grants: Grants,
    /// Where paths that are granted begin; none where nothing is granted.
    base: Option<PathBuf>,
}

impl Guest {
    pub(crate) fn of(call: &Call) -> Self {
        let base = (call.grants != Grants::default()).then(|| call.base.clone());
        Self { component: call.assignment.component, grants: call.grants.clone(), base }
    }
}

/// What bounds one exchange with a worker.
pub(crate) struct Bounds<'a> {
    began: Instant,
    /// So much of the time since then was ours.
    ours: Cell<Duration>,
    pub(crate) limits: Limits,
    /// Processor time of the worker when the exchange began.
    pub(crate) cpu_before_us: u64,
    pub(crate) cancelled: &'a dyn Fn() -> bool,
}

impl<'a> Bounds<'a> {
    /// From now on, for a worker that has used so much processor time.
    pub(crate) fn new(limits: Limits, cpu_before_us: u64, cancelled: &'a dyn Fn() -> bool) -> Self {
        Self::since(Instant::now(), limits, cpu_before_us, cancelled)
    }

    /// From then on.
    pub(crate) fn since(began: Instant, limits: Limits, cpu_before_us: u64, cancelled: &'a dyn Fn() -> bool) -> Self {
        Self { began, ours: Cell::default(), limits, cpu_before_us, cancelled }
    }

    fn wall(&self) -> Duration {
        Duration::from_millis(self.limits.wall_ms)
    }

    /// What is left of the time that the limits give.
    pub(crate) fn left(&self) -> Duration {
        (self.began + self.wall() + self.ours.get()).saturating_duration_since(Instant::now())
    }

    /// Does something for which the worker has to wait. Where that is slow it is none of its doing: a disk may take as long as it likes,
    /// and no guest is told that it was too slow.
    pub(crate) fn ours<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        let took = began.elapsed();
        if took >= SLOW {
            self.ours.set(self.ours.get() + took);
        }
        done
    }

    /// How much of the time that is gone was the worker's.
    pub(crate) fn theirs(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.ours.get())
    }

    /// Whether there is time left and nobody cancelled.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.left().is_zero() {
            let limit = LimitKind::Wall.quantity(self.limits.wall_ms);
            let message = format!("ran longer than its limit `wall` of {limit} and was stopped");
            return Err(Fault::limit(LimitKind::Wall, message));
        }
        if self.ours.get() > self.wall().max(OURS_MAX) {
            let took = Quantity::Milliseconds(self.ours.get().as_millis() as u64).about();
            let message = format!("waited {took} for this machine to write down what it said and gave");
            return Err(Fault::host(message).hinted("look whether the disk of the data folder is well"));
        }
        match (self.cancelled)() {
            true => Err(Fault::new(FaultKind::Cancelled, "was cancelled")),
            false => Ok(()),
        }
    }
}

impl Process {
    /// Starts a worker of a tenant for a device and waits until its walls stand.
    pub(crate) fn start(layout: &Layout, scratch: PathBuf, device: Device) -> Result<Self, Fault> {
        let (socket, theirs) = UnixStream::pair().map_err(Fault::host)?;
        // What a worker may open must be there when its walls are raised.
        for folder in [&layout.blobs, &layout.compiled, &scratch] {
            std::fs::create_dir_all(folder).map_err(Fault::host)?;
        }
        // Behind its walls it cannot see how many processors are its share.
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let child = Command::new(&layout.executable)
            .arg("worker")
            .env_clear()
            .env("RAYON_NUM_THREADS", threads.to_string())
            .env("GLIBC_TUNABLES", format!("glibc.malloc.tcache_count={KEPT_BLOCKS}"))
            .envs(devices::environment(device))
            .current_dir(&scratch)
            // A terminal's Ctrl-C is said to the server, which ends what is under way; said to a worker too, it would be an attempt that died.
            .process_group(0)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Fault::host(format!("cannot start a worker: {error}")))?;
        let about = |name: &str| File::open(format!("/proc/{}/{name}", child.id())).map_err(Fault::host);
        let (status, size) = (about("status")?, about("statm")?);
        let (inbox, walls, guest) = Default::default();
        let (base_bytes, cpu_seen_us, look, look_closely, attempts) = (0, 0, Instant::now(), Instant::now(), 0);
        let mut process = Self {
            child,
            status,
            size,
            socket,
            inbox,
            walls,
            scratch,
            base_bytes,
            cpu_seen_us,
            look,
            look_closely,
            attempts,
            makes_way: false,
            device,
            guest,
        };
        let (blobs, compiled, scratch) = (layout.blobs.clone(), layout.compiled.clone(), process.scratch.clone());
        process.send(&ToWorker::Setup { blobs, compiled, scratch, device }, &[])?;
        let never = || false;
        let limits = Limits { wall_ms: START_MAX.as_millis() as u64, memory_bytes: 1 << 30, ..Limits::DEFAULT };
        let bounds = Bounds::new(limits, 0, &never);
        process.walls = match process.receive(&bounds)? {
            (FromWorker::Ready { walls }, _) => walls,
            (FromWorker::Unfit { fault }, _) => return Err(believed(fault)),
            _ => return Err(Fault::host("a worker's first word was not that it is ready")),
        };
        layout.walls.admit(&process.walls)?;
        process.base_bytes = process.seen().resident_bytes;
        Ok(process)
    }

    pub(crate) fn send(&self, message: &ToWorker, body: &[u8]) -> Result<(), Fault> {
        self.send_within(message, body, SEND_MAX)
    }

    /// The same, for whoever may not wait as long.
    pub(crate) fn send_within(&self, message: &ToWorker, body: &[u8], most: Duration) -> Result<(), Fault> {
        wire::send_within(&self.socket, message, body, None, most).map_err(|error| self.gone(&error))
    }

    fn gone(&self, error: &std::io::Error) -> Fault {
        Fault::new(FaultKind::Crash, format!("the worker does not take messages: {error}"))
    }

    /// The next message. Past its bounds the worker is dead and the fault says which bound.
    pub(crate) fn receive(&mut self, bounds: &Bounds<'_>) -> Result<(FromWorker, Vec<u8>), Fault> {
        loop {
            match self.inbox.take::<FromWorker>() {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(error) => {
                    self.kill();
                    return Err(Fault::new(FaultKind::Crash, format!("the worker sent nonsense: {error}")));
                }
            }
            self.check(bounds)?;
            if !self.hear(bounds.left().min(LOOK)).map_err(Fault::host)? {
                return Err(self.death());
            }
        }
    }

    /// The next message, if a whole one comes by then: for whoever may not wait long. Of anything else [`Self::receive`] tells.
    pub(crate) fn receive_soon(&mut self, by: Instant) -> Option<(FromWorker, Vec<u8>)> {
        loop {
            // First: one that never stops talking is not listened to for longer either.
            let left = by.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            if let Some(message) = self.inbox.take().ok()? {
                return Some(message);
            }
            if !self.hear(left).ok()? {
                return None;
            }
        }
    }

    /// Takes in what comes within that time. `false` at the end of the stream.
    fn hear(&mut self, most: Duration) -> std::io::Result<bool> {
        let most = Timespec { tv_sec: most.as_secs() as i64, tv_nsec: i64::from(most.subsec_nanos()) };
        let mut readable = [PollFd::new(&self.socket, PollFlags::IN)];
        // An interrupted wait is only a shorter one.
        let ready = poll(&mut readable, Some(&most)).unwrap_or(0);
        if ready > 0 { self.inbox.fill(&self.socket) } else { Ok(true) }
    }

    /// Whether it is time to look what it takes, which [`Self::receive`] does.
    pub(crate) fn is_unseen(&self) -> bool {
        Instant::now() >= self.look
    }

    fn check(&mut self, bounds: &Bounds<'_>) -> Result<(), Fault> {
        bounds.check().inspect_err(|_| self.kill())?;
        let now = Instant::now();
        if now < self.look {
            return Ok(());
        }
        self.look = now + LOOK;
        let seen = self.seen();
        if self.grown_bytes(&seen) > bounds.limits.memory_bytes.saturating_add(RESIDENT_SLACK_BYTES) {
            self.kill();
            return Err(memory_limit(bounds.limits.memory_bytes));
        }
        seen.expect_few_threads().inspect_err(|_| self.kill())?;
        if now < self.look_closely {
            return Ok(());
        }
        let seen = self.check_closely(bounds).inspect_err(|_| self.kill());
        // However full the folder is, looking takes a small part of the time.
        self.look_closely = Instant::now() + LOOK_CLOSELY.max(now.elapsed() * 20);
        seen
    }

    /// Processor time, for which it makes way at last, and what a worker that was taken over leaves without telling.
    fn check_closely(&mut self, bounds: &Bounds<'_>) -> Result<(), Fault> {
        let (cpu_ms, limits) = (self.cpu_us().saturating_sub(bounds.cpu_before_us) / 1000, &bounds.limits);
        if cpu_ms > limits.cpu_ms {
            let done = format!("used {} of processor time and was stopped", Quantity::Milliseconds(cpu_ms).about());
            return Err(Fault::beyond(LimitKind::Cpu, done, limits.cpu_ms));
        }
        // Who answers requests has no attempts.
        if cpu_ms >= LONG_CPU_MS && self.attempts > 0 && !self.makes_way {
            scheduling::make_way(self.id());
            self.makes_way = true;
        }
        let disk_bytes = self.scratch_bytes();
        if disk_bytes > limits.disk_bytes {
            let done = format!("filled {} of the disk and was stopped", Quantity::Bytes(disk_bytes).about());
            return Err(Fault::beyond(LimitKind::Disk, done, limits.disk_bytes));
        }
        Ok(())
    }

    /// Space that the files in its scratch folder take. It can make no folders there.
    fn scratch_bytes(&self) -> u64 {
        let files = std::fs::read_dir(&self.scratch).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|file| file.blocks() * 512).sum()
    }

    /// Removes what an attempt left and nobody adopted.
    pub(crate) fn sweep(&self) {
        for file in std::fs::read_dir(&self.scratch).into_iter().flatten().flatten() {
            // What stays counts as the next attempt's, and goes with the folder.
            let _ = std::fs::remove_file(file.path());
        }
    }

    /// Why the process is dead: its exit code or the signal.
    fn death(&mut self) -> Fault {
        self.cpu_seen_us = self.cpu_us();
        // The socket closed; a process that lives on without it is of no use.
        let deadline = Instant::now() + Duration::from_millis(500);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return death_of(status),
                Ok(None) if Instant::now() < deadline => std::thread::yield_now(),
                _ => {
                    self.kill();
                    return Fault::new(FaultKind::Crash, "the worker hung up");
                }
            }
        }
    }

    /// Passes a descriptor on.
    pub(crate) fn send_file(&self, message: &ToWorker, file: &File) -> Result<(), Fault> {
        let sent = wire::send_within(&self.socket, message, &[], Some(file.as_fd()), SEND_MAX);
        sent.map_err(|error| self.gone(&error))
    }

    pub(crate) fn kill(&mut self) {
        self.cpu_seen_us = self.cpu_us();
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }

    /// The most that it ever had resident, the program's own pages included, as the kernel counts it.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.seen().peak_bytes
    }

    /// What the kernel says of it; nothing of one that is dead.
    fn seen(&self) -> Seen {
        let mut status = [0; 8192];
        let length = self.status.read_at(&mut status, 0).unwrap_or(0);
        Seen::of(&String::from_utf8_lossy(&status[..length]))
    }

    fn grown_bytes(&self, seen: &Seen) -> u64 {
        seen.resident_bytes.saturating_sub(self.base_bytes)
    }

    /// An attempt begins. What takes less than a look is not looked at.
    pub(crate) fn begin(&mut self) {
        self.attempts += 1;
        self.look = Instant::now() + LOOK;
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Has it be as quick again as it was; false if it cannot be.
    pub(crate) fn quicken(&mut self) -> bool {
        self.makes_way = self.makes_way && !scheduling::be_quick(self.id());
        !self.makes_way
    }

    /// Whether its memory came back after an attempt.
    pub(crate) fn is_slim(&self) -> bool {
        // What is mapped of files counts here, too, so that it is no less; and it is told in a seventh of the time.
        let most_bytes = resident_bytes(&self.size).unwrap_or(u64::MAX);
        most_bytes.saturating_sub(self.base_bytes) < RESIDENT_SLACK_BYTES
            || self.grown_bytes(&self.seen()) < RESIDENT_SLACK_BYTES
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time of all its threads so far, also once it is dead.
    pub(crate) fn cpu_us(&self) -> u64 {
        ledger::cpu_us(self.id()).max(self.cpu_seen_us)
    }
}

/// All that a process has in memory, by its open `/proc/PID/statm`: the second number there, in pages.
fn resident_bytes(size: &File) -> Option<u64> {
    let mut text = [0; 256];
    let length = size.read_at(&mut text, 0).ok()?;
    let pages: u64 = std::str::from_utf8(&text[..length]).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

/// A process, as `/proc` tells.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    resident_bytes: u64,
    /// The most so far, and of all its pages.
    peak_bytes: u64,
    threads: u64,
}

impl Seen {
    fn of(status: &str) -> Self {
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()
        };
        // Mapped tables are the page cache's memory, not the worker's; what it shares with nobody but itself is its own.
        let resident_bytes = (number("RssAnon:").unwrap_or(0) + number("RssShmem:").unwrap_or(0)) << 10;
        let peak_bytes = number("VmHWM:").unwrap_or(0) << 10;
        Self { resident_bytes, peak_bytes, threads: number("Threads:").unwrap_or(0) }
    }

    /// No component has a way to start one: who starts many has broken out of the sandbox.
    fn expect_few_threads(&self) -> Result<(), Fault> {
        match self.threads > THREADS_MAX {
            true => Err(Fault::guest(format!(
                "the worker had {} threads and was stopped; {THREADS_MAX} are the most",
                self.threads
            ))),
            false => Ok(()),
        }
    }
}

fn death_of(status: ExitStatus) -> Fault {
    if status.code() == Some(memory::EXIT_MEMORY) {
        return memory_limit(0);
    }
    match status.signal().and_then(Signal::from_named_raw) {
        // Nothing of ours makes such a call: the plugin broke out of its sandbox, and is not tried again.
        Some(Signal::SYS) => Fault::guest("the worker died: SIGSYS, a forbidden system call"),
        _ => Fault::new(FaultKind::Crash, format!("the worker died: {status}")),
    }
}

pub(crate) fn memory_limit(memory_bytes: u64) -> Fault {
    let message = match memory_bytes {
        0 => "needed more memory than its limit `memory` and was stopped".to_owned(),
        bytes => format!("needed more memory than its limit `memory` of {} and was stopped", Quantity::Bytes(bytes)),
    };
    Fault::limit(LimitKind::Memory, message)
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // What is left there was not adopted; a failure leaves garbage that the next start removes.
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A worker that says what the other end of its socket does.
    fn silent() -> (Process, UnixStream) {
        let (socket, theirs) = UnixStream::pair().unwrap();
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let about = |name: &str| File::open(format!("/proc/{}/{name}", child.id())).unwrap();
        let (status, size, look) = (about("status"), about("statm"), Instant::now());
        let (inbox, walls, scratch, guest) = Default::default();
        let (base_bytes, cpu_seen_us, attempts, look_closely, device) = (0, 0, 0, look, Device::Cpu);
        let process = Process {
            child,
            status,
            size,
            socket,
            inbox,
            walls,
            scratch,
            base_bytes,
            cpu_seen_us,
            look,
            look_closely,
            attempts,
            makes_way: false,
            device,
            guest,
        };
        (process, theirs)
    }

    #[test]
    fn what_comes_soon_is_heard_and_nothing_else_is_waited_for() {
        let (mut process, theirs) = silent();
        let mut hear = |most| process.receive_soon(Instant::now() + most).map(|(_, body)| body.len());
        let (soon, late) = (Duration::from_secs(60), Duration::from_millis(20));
        // The second is larger than what is read at a time, and what the socket holds.
        for bytes in [1, 8 << 20, 2] {
            std::thread::scope(|scope| {
                scope.spawn(|| wire::send(&theirs, &FromWorker::Checkpoint, &vec![7; bytes]).unwrap());
                assert_eq!(hear(soon), Some(bytes));
            });
        }
        let frame = wire::frame(&FromWorker::Checkpoint, b"body").unwrap();
        (&theirs).write_all(&frame[..9]).unwrap();
        assert_eq!(hear(late), None, "half of one");
        (&theirs).write_all(&frame[9..]).unwrap();
        assert_eq!(hear(soon), Some(4));
        drop(theirs);
        assert_eq!(hear(soon), None, "its end is none");
    }

    #[test]
    fn memory_and_threads_are_those_that_the_kernel_tells_of() {
        let said =
            "VmHWM:\t    2048 kB\nRssAnon:\t    1024 kB\nRssFile:\t 9999 kB\nRssShmem:\t       8 kB\nThreads:\t2049\n";
        let seen = Seen::of(said);
        assert_eq!(seen, Seen { resident_bytes: 1032 << 10, peak_bytes: 2048 << 10, threads: 2049 });
        let fault = seen.expect_few_threads().unwrap_err();
        assert_eq!(fault.kind, FaultKind::Guest, "it is not tried again");
        assert!(fault.message.contains("had 2049 threads and was stopped; 2048 are the most"), "{fault}");
        let own = Seen::of(&std::fs::read_to_string("/proc/self/status").unwrap());
        assert!(
            own.threads >= 1
                && own.resident_bytes > 0
                && own.peak_bytes > own.resident_bytes
                && own.expect_few_threads().is_ok(),
            "{own:?}"
        );
        assert_eq!(Seen::of(""), Seen::default());
        let all = resident_bytes(&File::open("/proc/self/statm").unwrap()).unwrap();
        // The kernel counts some pages a moment later.
        assert!(all + (1 << 20) > own.resident_bytes, "{all} of which {own:?}");
        assert_eq!(resident_bytes(&File::open("/dev/null").unwrap()), None);
    }

    #[test]
    fn what_is_ours_of_the_time_is_not_the_workers_and_has_an_end() {
        let never = || false;
        let bounds = Bounds::new(Limits { wall_ms: 90_000, ..Limits::DEFAULT }, 0, &never);
        assert!(bounds.left() <= Duration::from_secs(90));
        bounds.ours.set(Duration::from_secs(80));
        assert!(bounds.left() > Duration::from_secs(160) && bounds.check().is_ok());
        assert_eq!(bounds.theirs(), Duration::ZERO);
        bounds.ours.set(Duration::from_secs(91));
        let fault = bounds.check().unwrap_err();
        assert_eq!(fault.kind, FaultKind::Host, "{fault}");
        assert!(fault.message.contains("waited 1.5 min for this machine"), "{fault}");
        let quick = Bounds::new(Limits { wall_ms: 0, ..Limits::DEFAULT }, 0, &never);
        let began = Instant::now();
        quick.ours(|| ());
        // A machine that stood still meanwhile was slow.
        assert!(quick.ours.get().is_zero() || began.elapsed() >= SLOW, "what it says costs it time");
        let short = Bounds::new(Limits { wall_ms: 60_000, ..Limits::DEFAULT }, 0, &never);
        short.ours.set(OURS_MAX);
        assert!(short.check().is_ok());
        short.ours.set(OURS_MAX + Duration::from_millis(1));
        assert_eq!(short.check().unwrap_err().kind, FaultKind::Host);
    }

    #[test]
    fn how_a_worker_died_says_whose_fault_it_is() {
        for (raw, kind, says) in [
            (memory::EXIT_MEMORY << 8, FaultKind::Limit { limit: LimitKind::Memory }, "`memory`"),
            (libc::SIGSYS, FaultKind::Guest, "SIGSYS, a forbidden system call"),
            (libc::SIGKILL, FaultKind::Crash, "signal: 9"),
            (1 << 8, FaultKind::Crash, "exit status: 1"),
        ] {
            let fault = death_of(ExitStatus::from_raw(raw));
            assert_eq!(fault.kind, kind, "{raw}");
            assert!(fault.message.contains(says), "{fault}");
        }
    }
}
