//! Calls -> attempts in warm workers of the tenant and component. Adopts what they leave, compiles on demand, retires the
//! worn.

use crate::adopt::Adoption;
use crate::compiled::{self, Code};
use crate::ledger::{self, Ledger};
use crate::message::{FromWorker, ToWorker, Usage, believed, is_the_servers_to_say};
use crate::metered::Metered;
use crate::process::{Bounds, Guest, Process, memory_limit};
use crate::walls::{WallPolicy, Walls};
use doors::{Authority, Keeper};
use ports::{Answer, Assignment, Blobs, Call, Outcome, StepRunner, Task, Watch, Watched};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use types::{Device, Digest, Fault, FaultKind, Grants, LimitKind, Limits, Quantity, Receipt, TenantId};

/// A worker retires after so many attempts, however slim it is: what leaks in native libraries without taking memory stays small,
/// and starting the next one a small part of the work.
const ATTEMPTS_MAX: u32 = 1_000;
/// What compiling a component may use. A Python component takes 10 s and 1.5 GiB; a hostile one must end.
const COMPILE_LIMITS: Limits =
    Limits { memory_bytes: 4 << 30, wall_ms: 300_000, output_bytes: compiled::CODE_BYTES_MAX, ..Limits::DEFAULT };

/// Where the workers of a tenant may look.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The binary whose command `worker` is [`crate::main`].
    pub executable: PathBuf,
    pub blobs: PathBuf,
    pub compiled: PathBuf,
    /// Each worker has a folder of its own beneath it.
    pub scratch: PathBuf,
    /// What is done where one of a worker's walls is missing.
    pub walls: WallPolicy,
}

/// What a tenant's steps may reach at most, as it is now. It asks nothing of the pool.
type Authorities = dyn Fn(&TenantId) -> Result<Authority, Fault> + Send + Sync;

/// Whoever holds it compiles; the others wait and find it done.
type Turn = Arc<Mutex<()>>;

/// The workers of all tenants, kept warm.
pub struct Pool {
    layout: Box<dyn Fn(&TenantId) -> Layout + Send + Sync>,
    authority: Box<Authorities>,
    blobs: Arc<dyn Blobs>,
    idle: Mutex<BTreeMap<TenantId, Vec<Process>>>,
    idle_max: usize,
    compiling: Mutex<HashMap<(TenantId, Digest), Turn>>,
    started: AtomicU64,
    pub(crate) ledger: Ledger,
    /// As the first worker told of them; they are the machine's, not the worker's.
    walls: OnceLock<Walls>,
}

impl Pool {
    /// `layout` says where a tenant's things lie, `authority` what its steps may reach at most; at most `idle_max` warm
    /// workers a tenant, 1 or more, wait for work: those that worked last.
    pub fn new(
        layout: impl Fn(&TenantId) -> Layout + Send + Sync + 'static,
        authority: impl Fn(&TenantId) -> Result<Authority, Fault> + Send + Sync + 'static,
        blobs: Arc<dyn Blobs>,
        idle_max: usize,
    ) -> Self {
        let (idle, compiling, started, walls, ledger) = Default::default();
        Self {
            layout: Box::new(layout),
            authority: Box::new(authority),
            blobs,
            idle: Mutex::new(idle),
            idle_max,
            compiling,
            started,
            walls,
            ledger,
        }
    }

    /// CPU time that the tenant's workers have taken since this process began.
    pub fn cpu_us(&self, tenant: &TenantId) -> u64 {
        self.ledger.cpu_us(tenant)
    }

    /// From now on this many of the tenant's workers, the newest, come after everybody else's.
    pub fn hold_back(&self, tenant: &TenantId, count: usize) {
        self.ledger.hold_back(tenant, count);
    }

    /// Ends the tenant's idle workers; it has none at work.
    pub fn forget(&self, tenant: &TenantId) {
        drop(self.idle.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant));
        self.compiling.lock().unwrap_or_else(PoisonError::into_inner).retain(|(whose, _), _| whose != tenant);
        self.ledger.forget(tenant);
    }

    /// Ends the tenant's idle workers of devices that it may no longer use.
    pub fn narrow(&self, tenant: &TenantId) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.get_mut(tenant) {
            idle.retain(|worker| self.admits(tenant, worker.device));
        }
    }

    /// Whether the tenant's steps may compute there, as far as is known now.
    fn admits(&self, tenant: &TenantId, device: Device) -> bool {
        device == Device::Cpu || (self.authority)(tenant).is_ok_and(|authority| authority.policy.admits(device))
    }

    /// The walls round workers here. Starts one of the tenant's, which stays warm, if none was started yet.
    pub fn walls(&self, tenant: &TenantId) -> Result<Walls, Fault> {
        if self.walls.get().is_none() {
            let worker = self.fresh(tenant, Device::Cpu)?;
            self.give_back(tenant, worker);
        }
        Ok(self.walls.get().cloned().unwrap_or_default())
    }

    /// A warm worker of the tenant and device in which no other guest ran, or a new one: one that was taken over natively is
    /// worth nothing beyond what was granted then.
    fn worker(&self, tenant: &TenantId, guest: Guest, device: Device) -> Result<Process, Fault> {
        let warm = || {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let idle = idle.get_mut(tenant)?;
            let is_its = |worker: &Process| worker.guest.as_ref().is_none_or(|own| *own == guest);
            let fits = |worker: &Process| worker.device == device && is_its(worker);
            Some(idle.remove(idle.iter().rposition(fits)?))
        };
        // A warm worker may have died since: of an out-of-memory killer, or of a person.
        let alive = std::iter::from_fn(warm).find_map(|mut worker| worker.is_alive().then_some(worker));
        let mut worker = alive.map_or_else(|| self.fresh(tenant, device), Ok)?;
        worker.guest = Some(guest);
        Ok(worker)
    }

    /// A worker in which no guest has run.
    pub(crate) fn fresh(&self, tenant: &TenantId, device: Device) -> Result<Process, Fault> {
        let layout = (self.layout)(tenant);
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let scratch = layout.scratch.join(format!("{}-{number}", std::process::id()));
        let worker = Process::start(&layout, scratch, device)?;
        self.walls.get_or_init(|| worker.walls.clone());
        Ok(worker)
    }

    fn give_back(&self, tenant: &TenantId, mut worker: Process) {
        if worker.attempts >= ATTEMPTS_MAX || !worker.is_alive() || !worker.is_slim() || !worker.quicken() {
            return;
        }
        worker.sweep();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked under the lock: a policy that was narrowed meanwhile is seen here, or by `narrow` after it.
        if !self.admits(tenant, worker.device) {
            return;
        }
        let idle = idle.entry(tenant.clone()).or_default();
        if idle.len() >= self.idle_max {
            idle.remove(0);
        }
        idle.push(worker);
    }

    /// Has a component compiled, in a worker of the tenant; at once if it already is.
    pub(crate) fn compile(&self, tenant: &TenantId, component: Digest) -> Result<(), Fault> {
        let key = (tenant.clone(), component);
        let turn = Arc::clone(self.compiling.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let assignment = Assignment {
            component,
            parameters: serde_json::Value::Null,
            seed: 0,
            logical_time_us: 0,
            limits: COMPILE_LIMITS,
            device: Device::Cpu,
            checkpoint: None,
            task: Task::Compile,
        };
        // What it makes is executed in every later attempt, so no guest may have run in it before.
        let mut worker = self.fresh(tenant, Device::Cpu)?;
        let mut keeper = Keeper::new(Grants::default(), PathBuf::new(), Authority::default(), COMPILE_LIMITS)?;
        self.ledger.begin(tenant, worker.id(), worker.cpu_us());
        let answer = self.exchange(tenant, &mut worker, &assignment, &mut keeper, &Unwatched).answer;
        self.ledger.end(tenant, worker.id(), worker.cpu_us());
        let answer = answer.map_err(|mut fault| {
            fault.message = format!("compiling the plugin: {}", fault.message);
            fault
        })?;
        let Answer::Compiled { file, fingerprint, roles, imports } = answer else {
            return Err(Fault::guest("a worker answered a compilation with something else"));
        };
        let code = Code { component, file, fingerprint, roles, imports };
        // The worker is dropped: compiling leaves an engine's memory behind.
        compiled::keep(&(self.layout)(tenant).compiled, &worker.scratch, &code)
    }

    /// One assignment, from its sending to its answer.
    fn exchange(
        &self,
        tenant: &TenantId,
        worker: &mut Process,
        assignment: &Assignment,
        keeper: &mut Keeper,
        watch: &dyn Watch,
    ) -> Exchanged {
        worker.begin();
        let cancelled = || watch.cancelled();
        let bounds = Bounds::new(assignment.limits, worker.cpu_us(), &cancelled);
        let watch = &Metered::new(watch, assignment.limits);
        let ended = |answer, usage| Exchanged { answer, usage, theirs: bounds.theirs() };
        let failed = |fault| ended(Err(fault), Usage::default());
        if let Err(fault) = worker.send(&ToWorker::Assign { assignment: Box::new(assignment.clone()) }, &[]) {
            return failed(fault);
        }
        let mut adoption = Adoption::new(self.blobs.as_ref(), tenant, &worker.scratch, &bounds);
        loop {
            let heard = match worker.receive(&bounds) {
                Ok((FromWorker::Answer { result: Ok(answer), usage }, body)) => match adoption.answer(&answer, &body) {
                    Ok(()) => return ended(Ok(*answer), usage),
                    Err(fault) => Err(fault),
                },
                Ok((FromWorker::Answer { result: Err(fault), usage }, _)) => {
                    if is_the_servers_to_say(&fault.kind) {
                        worker.kill();
                    }
                    return ended(Err(on_its_disk(fault, &worker.scratch)), usage);
                }
                Ok((message, body)) => hear(worker, message, body, keeper, watch, &mut adoption, &bounds),
                Err(fault) => Err(named(fault, assignment)),
            };
            if let Err(fault) = heard {
                worker.kill();
                return failed(fault);
            }
        }
    }

    fn attempt(
        &self,
        tenant: &TenantId,
        call: &Call,
        watch: &dyn Watch,
    ) -> Result<(Result<Answer, Fault>, Receipt), Fault> {
        let device = call.assignment.device;
        // Who is granted nothing gets nothing, whatever the tenant may; looking that up is a good part of a short attempt.
        let authority = match call.grants == Grants::default() && device == Device::Cpu {
            true => Authority::default(),
            false => (self.authority)(tenant)?,
        };
        // Before there is a worker whose walls admit it.
        allowed(&authority, device)?;
        let mut worker = self.worker(tenant, Guest::of(call), device)?;
        let (began, cpu_before) = (Instant::now(), worker.cpu_us());
        let limits = call.assignment.limits;
        let mut keeper = Keeper::new(call.grants.clone(), call.base.clone(), authority, limits)?;
        self.ledger.begin(tenant, worker.id(), cpu_before);
        let Exchanged { answer: result, usage, theirs } =
            self.exchange(tenant, &mut worker, &call.assignment, &mut keeper, watch);
        let is_quick = self.ledger.end(tenant, worker.id(), worker.cpu_us());
        let wall = (began.elapsed(), theirs);
        let cpu_us = worker.cpu_us().saturating_sub(cpu_before);
        let receipt = receipt(limits, wall, cpu_us, usage, keeper.used());
        // A worker that failed for a reason of ours, died, or stays held back, is not used again.
        let fit = match &result {
            Ok(_) => true,
            // What a driver refuses once it may refuse from then on, whatever it calls it.
            Err(_) if device != Device::Cpu => false,
            Err(fault) => matches!(
                fault.kind,
                FaultKind::Invalid | FaultKind::Guest | FaultKind::Transient { .. } | FaultKind::Denied
            ),
        };
        if fit && is_quick {
            self.give_back(tenant, worker);
        }
        Ok((result, receipt))
    }
}

/// An error unless the tenant's steps may compute there, and there is such a device.
fn allowed(authority: &Authority, device: Device) -> Result<(), Fault> {
    if device == Device::Cpu {
        return Ok(());
    }
    let fault = |kind, problem: types::Problem| Fault { kind, message: problem.message, hint: problem.hint };
    if !authority.policy.admits(device) {
        return Err(fault(FaultKind::Denied, types::device_denied(device)));
    }
    crate::devices().expect(device).map_err(|problem| fault(FaultKind::Invalid, problem))
}

/// What an exchange with a worker gave.
struct Exchanged {
    answer: Result<Answer, Fault>,
    usage: Usage,
    /// The part of its time that was the worker's.
    theirs: Duration,
}

/// A disk with less room is full: a step's output may need as much.
const FULL_BYTES: u64 = 4 << 20;

/// What the server measured, what the worker says, and what went through the doors. The time is all of it, and the part that the limit
/// is about.
fn receipt(
    limits: Limits,
    (wall, theirs): (Duration, Duration),
    cpu_us: u64,
    usage: Usage,
    through: doors::Used,
) -> Receipt {
    let used = Limits {
        wall_ms: theirs.as_millis() as u64,
        cpu_ms: cpu_us / 1000,
        memory_bytes: usage.memory_bytes,
        guest_memory_bytes: usage.guest_memory_bytes,
        device_memory_bytes: usage.device_memory_bytes,
        handles: usage.handles,
        host_calls: usage.host_calls,
        rows: usage.rows_out,
        output_bytes: usage.bytes_out,
        disk_bytes: usage.disk_bytes,
        log_lines: usage.log_lines,
        log_bytes: usage.log_bytes,
        requests: through.requests,
        request_bytes: through.request_bytes,
    };
    Receipt {
        wall_us: wall.as_micros() as u64,
        cpu_us,
        guest_memory_bytes: usage.guest_memory_bytes,
        guest_memory_limit: limits.guest_memory_bytes,
        memory_bytes: usage.memory_bytes,
        memory_limit: limits.memory_bytes,
        wall_limit_us: limits.wall_ms.saturating_mul(1000),
        host_calls: usage.host_calls,
        requests: through.requests,
        request_bytes: through.request_bytes,
        rows_in: usage.rows_in,
        rows_out: usage.rows_out,
        bytes_out: usage.bytes_out,
        log_lines: usage.log_lines,
        log_lines_dropped: usage.log_lines_dropped,
        sayings_dropped: usage.sayings_dropped,
        read_time: usage.read_time,
        limits: limits.shares(&used),
        series: BTreeMap::new(),
    }
}

/// Answers a word of a running attempt. A fault ends the attempt and its worker.
fn hear(
    worker: &Process,
    message: FromWorker,
    body: Vec<u8>,
    keeper: &mut Keeper,
    watch: &dyn Watch,
    adoption: &mut Adoption<'_>,
    bounds: &Bounds<'_>,
) -> Result<(), Fault> {
    match message {
        FromWorker::Say { event } => {
            bounds.ours(|| watch.hear(sandbox::tame(event)));
            Ok(())
        }
        FromWorker::Open { path } => match keeper.open(&path) {
            Ok(file) => worker.send_file(&ToWorker::Opened { fault: None }, &file),
            Err(fault) => worker.send(&ToWorker::Opened { fault: Some(theirs(fault)?) }, &[]),
        },
        FromWorker::Ask { ask } => match keeper.answer(ask, body, bounds.left(), bounds.cancelled) {
            Ok((told, _, Some(file))) => worker.send_file(&ToWorker::Told { result: Ok(told) }, &file),
            Ok((told, body, None)) => worker.send(&ToWorker::Told { result: Ok(told) }, &body),
            Err(fault) => worker.send(&ToWorker::Told { result: Err(theirs(fault)?) }, &[]),
        },
        FromWorker::Page { page } => {
            adoption.page(&page, &body)?;
            done(worker, bounds.ours(|| watch.page(page)))
        }
        FromWorker::Checkpoint => {
            adoption.checkpoint(body.len())?;
            done(worker, bounds.ours(|| watch.checkpoint(body)))
        }
        _ => Err(Fault::new(FaultKind::Crash, "the worker said something out of turn")),
    }
}

/// What a worker could not do on a disk that is full is nobody's bug. That it is full is for the server to see.
fn on_its_disk(fault: Fault, scratch: &Path) -> Fault {
    let is_ours = is_the_servers_to_say(&fault.kind);
    let free = rustix::fs::statvfs(scratch).map_or(u64::MAX, |found| found.f_bavail.saturating_mul(found.f_frsize));
    let told = |left: Quantity| {
        format!("the disk of the data folder is full, {} are left: make room, then `stepwell runs rerun`", left.about())
    };
    let believed = believed(fault);
    match is_ours && free < FULL_BYTES {
        true => Fault { hint: Some(told(Quantity::Bytes(free))), ..believed },
        false => believed,
    }
}

/// Tells the worker what came of its request.
fn done(worker: &Process, result: Result<(), Fault>) -> Result<(), Fault> {
    worker.send(&ToWorker::Done { fault: result.err().map(theirs).transpose()? }, &[])
}

/// A fault that the worker may be told; what is not the guest's doing does not go through its hands, nor does a limit that the
/// server saw reached.
fn theirs(fault: Fault) -> Result<Fault, Fault> {
    match is_the_servers_to_say(&fault.kind) || matches!(fault.kind, FaultKind::Limit { .. }) {
        true => Err(fault),
        false => Ok(fault),
    }
}

/// The limit's number, where the dying worker could not say it.
fn named(fault: Fault, assignment: &Assignment) -> Fault {
    match fault.kind {
        FaultKind::Limit { limit: LimitKind::Memory } => memory_limit(assignment.limits.memory_bytes),
        _ => fault,
    }
}

impl StepRunner for Pool {
    fn run(&self, tenant: &TenantId, call: &Call, watch: &dyn Watch) -> Outcome {
        let attempted = self.attempt(tenant, call, watch).and_then(|attempt| match attempt {
            (Ok(Answer::Uncompiled), _) => {
                self.compile(tenant, call.assignment.component)?;
                self.attempt(tenant, call, watch)
            }
            attempt => Ok(attempt),
        });
        let (result, receipt) = attempted.unwrap_or_else(|fault| (Err(fault), Receipt::default()));
        let result = result.map_err(|mut fault| {
            fault.message = format!("{}: {}", call.who, fault.message);
            fault
        });
        Outcome { result, receipt }
    }

    /// At once: nobody takes turns here.
    fn host_work(
        &self,
        tenant: &TenantId,
        _: &ports::Turn,
        _: &dyn Watch,
        work: Box<dyn FnOnce() + '_>,
    ) -> Result<Receipt, Fault> {
        let (began, before_us) = (Instant::now(), ledger::own_cpu_us());
        work();
        let cpu_us = ledger::own_cpu_us().saturating_sub(before_us);
        self.ledger.charge(tenant, cpu_us);
        Ok(Receipt { wall_us: began.elapsed().as_micros() as u64, cpu_us, ..Receipt::default() })
    }
}

/// Nobody listens.
struct Unwatched;

impl Watch for Unwatched {
    fn hear(&self, _: Watched) {}

    fn cancelled(&self) -> bool {
        false
    }

    fn page(&self, _: ports::Page) -> Result<(), Fault> {
        Err(Fault::host("a page came where none was asked for"))
    }

    fn checkpoint(&self, _: Vec<u8>) -> Result<(), Fault> {
        Err(Fault::host("a checkpoint came where none was asked for"))
    }
}

#[cfg(test)]
mod tests;
