//! The data of one wasmtime `Store`: what a guest holds, what it may use, what it has used.

use crate::bindings::WitError;
use crate::bindings::stepwell::platform::errors;
use crate::saying::{logged_bytes, tame};
use ports::{Doors, Page, Watched};
use types::{Fault, FaultKind, LimitKind, Limits, Quantity, SavedFile, disk_bytes, recorded_bytes};
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;

/// Metrics and words of progress of one attempt.
pub(crate) const SAYINGS_MAX: u32 = 1_000_000;

/// What an attempt used, for its receipt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub guest_memory_bytes: u64,
    /// The most that tensors took of a GPU at once.
    pub device_memory_bytes: u64,
    /// The most that were alive at once.
    pub handles: u64,
    pub host_calls: u64,
    pub rows_in: u64,
    pub rows_out: u64,
    pub bytes_out: u64,
    /// In the scratch folder and in checkpoints.
    pub disk_bytes: u64,
    /// The most that lay on the disk at once, where rows of queries lay there too.
    pub disk_peak_bytes: u64,
    pub log_lines: u64,
    pub log_bytes: u64,
    pub log_lines_dropped: u64,
    /// Metrics and words of progress beyond what is passed on.
    pub sayings_dropped: u64,
    /// Whether the run's logical time was looked at.
    pub read_time: bool,
}

impl Usage {
    /// Rows of a query lay on the disk for a while, beside what stays there.
    pub(crate) fn spilled(&mut self, bytes: u64) {
        self.disk_peak_bytes = self.disk_peak_bytes.max(self.disk_bytes.saturating_add(bytes));
    }
}

/// The data of a store.
pub(crate) struct State {
    pub(crate) resources: ResourceTable,
    pub(crate) doors: Box<dyn Doors>,
    /// Where what the guest makes is, and what it computes of it.
    pub(crate) device: tensors::Device,
    pub(crate) parameters: String,
    pub(crate) seed: u64,
    pub(crate) logical_time_us: i64,
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(crate) limits: Limits,
    pub(crate) usage: Usage,
    /// Nothing that the guest says is passed on.
    pub(crate) unheard: bool,
    /// Whether the guest asked for anything beyond the worker.
    pub(crate) asked_the_world: bool,
    sayings: u32,
    /// Handles that are held now.
    alive: u64,
    guest_memory_bytes: u64,
    /// The limit that made an instruction or host call fail; a trap that follows is told as this.
    pub(crate) tripped: Option<Fault>,
}

/// Why an import failed: what the guest is told, or the trap that ends it.
#[derive(Debug)]
pub(crate) enum Failure {
    Told(WitError),
    Trap(wasmtime::Error),
}

pub(crate) type Answer<T> = Result<T, Failure>;

impl Failure {
    /// Ends the guest, whatever it was: for calls that cannot tell it anything.
    pub(crate) fn into_trap(self) -> wasmtime::Error {
        match self {
            Self::Told(error) => wasmtime::Error::msg(told(error).message),
            Self::Trap(error) => error,
        }
    }
}

impl State {
    pub(crate) fn new(doors: Box<dyn Doors>, limits: Limits, parameters: String, seed: u64, time_us: i64) -> Self {
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(limits.handles as usize);
        Self {
            resources,
            doors,
            device: tensors::Device::default(),
            parameters,
            seed,
            logical_time_us: time_us,
            checkpoint: None,
            limits,
            usage: Usage::default(),
            unheard: false,
            asked_the_world: false,
            sayings: 0,
            alive: 0,
            guest_memory_bytes: 0,
            tripped: None,
        }
    }

    /// On a device, of which it gets what its limits say.
    pub(crate) fn on(mut self, device: tensors::Device) -> Self {
        device.begin(self.limits.device_memory_bytes);
        self.device = device;
        self
    }

    /// What was used so far.
    pub(crate) fn used(&self) -> Usage {
        Usage { device_memory_bytes: self.device.peak_bytes(), ..self.usage }
    }

    /// A call of the guest: every import begins with it.
    pub(crate) fn enter(&mut self) -> wasmtime::Result<()> {
        self.usage.host_calls += 1;
        if self.usage.host_calls > self.limits.host_calls {
            let fault = Fault::beyond(LimitKind::HostCalls, "called the host once too often", self.limits.host_calls);
            return Err(self.trip(fault));
        }
        Ok(())
    }

    /// The trap that ends the guest, which is told as this fault.
    pub(crate) fn trip(&mut self, fault: Fault) -> wasmtime::Error {
        let message = fault.message.clone();
        self.tripped.get_or_insert(fault);
        wasmtime::Error::msg(message)
    }

    /// Keeps something under a handle, if the guest may hold one more.
    pub(crate) fn hold<T: Send + 'static>(&mut self, value: T) -> Answer<wasmtime::component::Resource<T>> {
        use wasmtime::component::ResourceTableError::Full;
        match self.resources.push(value) {
            Ok(handle) => {
                self.alive += 1;
                self.usage.handles = self.usage.handles.max(self.alive);
                Ok(handle)
            }
            Err(Full) => {
                let limit = self.limits.handles;
                let message = format!("asked for more than {limit} handles at once (`handles`)");
                self.tripped.get_or_insert(Fault::limit(LimitKind::Handles, message));
                let kind = LimitKind::Handles.key().to_owned();
                Err(Failure::Told(WitError::BudgetExceeded(errors::BudgetExceeded { kind, used: limit + 1, limit })))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes back what was held.
    pub(crate) fn let_go<T: 'static>(
        &mut self,
        handle: wasmtime::component::Resource<T>,
    ) -> Result<T, wasmtime::component::ResourceTableError> {
        let value = self.resources.delete(handle)?;
        self.alive -= 1;
        Ok(value)
    }

    /// Leaves a file for the server to adopt, if the step may fill so much of the disk.
    pub(crate) fn leave(&mut self, bytes: &[u8]) -> Result<SavedFile, Fault> {
        self.charge_disk(bytes.len())?;
        self.doors.leave(bytes)
    }

    /// Charges a file or a checkpoint.
    pub(crate) fn charge_disk(&mut self, length: usize) -> Result<(), Fault> {
        self.charge(disk_bytes(length as u64))
    }

    /// Charges what a page takes beside its table: one without rows, too, is recorded with its cursor.
    pub(crate) fn charge_page(&mut self, page: &Page) -> Result<(), Fault> {
        self.charge(recorded_bytes(page))
    }

    fn charge(&mut self, bytes: u64) -> Result<(), Fault> {
        let (total, limit) = (self.usage.disk_bytes.saturating_add(bytes), self.limits.disk_bytes);
        // Also what was too much stands in the receipt.
        self.usage.disk_bytes = total;
        if total > limit {
            let done = format!("fills {} of the disk", amount(total));
            return Err(Fault::beyond(LimitKind::Disk, done, limit));
        }
        Ok(())
    }

    /// The doors that lead out of the worker.
    pub(crate) fn world(&mut self) -> &mut dyn Doors {
        self.asked_the_world = true;
        self.doors.as_mut()
    }

    /// Passes a line of log on, or drops it when the step has had its share.
    pub(crate) fn log(&mut self, level: &str, message: &str) {
        if self.unheard {
            return;
        }
        let line = tame(Watched::Log { level: level.to_owned(), message: message.to_owned() });
        let bytes = self.usage.log_bytes.saturating_add(logged_bytes(&line));
        if self.usage.log_lines >= self.limits.log_lines || bytes > self.limits.log_bytes {
            self.usage.log_lines_dropped += 1;
            return;
        }
        self.usage.log_lines += 1;
        self.usage.log_bytes = bytes;
        self.doors.say(line);
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let grown = self.guest_memory_bytes + (desired - current) as u64;
        if grown > self.limits.guest_memory_bytes {
            let done = format!("guest asked for {} of memory", amount(grown));
            let fault = Fault::beyond(LimitKind::GuestMemory, done, self.limits.guest_memory_bytes);
            self.tripped.get_or_insert(fault);
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if !self.doors.grow((desired - current) as u64) {
            let limit = Quantity::Bytes(self.limits.memory_bytes);
            let message = format!("guest and host together reached the limit `memory` of {limit}");
            self.tripped.get_or_insert(Fault::limit(LimitKind::Memory, message));
            return Ok(false);
        }
        self.guest_memory_bytes = grown;
        self.usage.guest_memory_bytes = self.usage.guest_memory_bytes.max(grown);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        let limit = Quantity::Bytes(self.limits.memory_bytes);
        let message = format!("guest and host together reached the limit `memory` of {limit}: {error}");
        self.tripped.get_or_insert(Fault::limit(LimitKind::Memory, message));
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // An element is a pointer: charged like memory.
        let maximum = maximum.map(|elements| elements.saturating_mul(8));
        self.memory_growing(current.saturating_mul(8), desired.saturating_mul(8), maximum)
    }
}

/// After how long a device that was full may be asked again: whoever fills it has other work to end.
const FULL_RETRY_MS: u64 = 10_000;

/// Why nothing can be computed on a device, as the step's fault: one without memory may have some later.
pub(crate) fn of_device(error: &tensors::Error) -> Fault {
    match error {
        tensors::Error::DeviceFull { .. } => {
            Fault::new(FaultKind::Transient { retry_after_ms: FULL_RETRY_MS }, error.to_string())
                .hinted("something else has the rest of it: let the steps that compute there share a `pool` of 1")
        }
        _ => Fault::invalid(error.to_string()),
    }
}

/// Bytes that were measured, for a person.
pub(crate) fn amount(bytes: u64) -> String {
    Quantity::Bytes(bytes).about()
}

impl From<wasmtime::component::ResourceTableError> for Failure {
    /// A handle that does not exist can only come from a broken guest.
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

impl From<data::Error> for Failure {
    fn from(error: data::Error) -> Self {
        let name = match &error {
            data::Error::Missing { column, .. }
            | data::Error::Type { column, .. }
            | data::Error::Column { column, .. } => column.clone(),
            data::Error::Chunk { bytes, limit, .. } => {
                let (kind, used, limit) = ("chunk".to_owned(), *bytes as u64, *limit as u64);
                return Self::Told(WitError::BudgetExceeded(errors::BudgetExceeded { kind, used, limit }));
            }
            data::Error::Shape(_) => "rows".to_owned(),
            data::Error::Damaged(_) | data::Error::Io { .. } => {
                return Self::Trap(wasmtime::Error::msg(error.to_string()));
            }
        };
        Self::Told(WitError::InvalidInput(errors::InvalidInput { name, reason: error.to_string() }))
    }
}

impl From<tensors::Error> for Failure {
    fn from(error: tensors::Error) -> Self {
        Self::Told(match error {
            tensors::Error::InvalidInput { name, reason } => {
                WitError::InvalidInput(errors::InvalidInput { name, reason })
            }
            tensors::Error::Shape { operation, expected, got } => {
                let operation = operation.to_owned();
                WitError::ShapeMismatch(errors::ShapeMismatch { operation, expected, got })
            }
            tensors::Error::DeviceMemory { used, limit } => {
                let kind = LimitKind::DeviceMemory.key().to_owned();
                WitError::BudgetExceeded(errors::BudgetExceeded { kind, used, limit })
            }
            tensors::Error::DeviceFull { .. } => WitError::Transient((error.to_string(), FULL_RETRY_MS)),
            tensors::Error::Device { .. } => WitError::Permanent(error.to_string()),
            tensors::Error::Native(reason) => WitError::Permanent(reason),
        })
    }
}

impl From<trees::Error> for Failure {
    fn from(error: trees::Error) -> Self {
        let trees::Error { name, reason } = error;
        Self::Told(WitError::InvalidInput(errors::InvalidInput { name, reason }))
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::of_door(fault, "path")
    }
}

impl Failure {
    /// What the server answered through a door, of which `argument` is what it is about, if it names no other.
    pub(crate) fn of_door(fault: Fault, argument: &str) -> Self {
        let text = match &fault.hint {
            Some(hint) => format!("{}; {hint}", fault.message),
            None => fault.message.clone(),
        };
        match fault.kind {
            FaultKind::Denied => Self::Told(WitError::Denied(text)),
            FaultKind::Invalid => {
                // A door's fault begins with the argument where it is another.
                let named = text.strip_prefix('`').and_then(|rest| rest.split_once("`: "));
                let (name, reason) = named.unwrap_or((argument, &text));
                let (name, reason) = (name.to_owned(), reason.to_owned());
                Self::Told(WitError::InvalidInput(errors::InvalidInput { name, reason }))
            }
            FaultKind::Transient { retry_after_ms } => Self::Told(WitError::Transient((text, retry_after_ms))),
            FaultKind::Cancelled => Self::Told(WitError::Cancelled),
            _ => Self::Trap(wasmtime::Error::msg(text)),
        }
    }
}

/// What a guest said went wrong, as a fault of the step.
pub(crate) fn told(error: WitError) -> Fault {
    match error {
        WitError::InvalidInput(input) => {
            // Our own errors already begin with the name.
            let named = input.reason.contains(&format!("`{}`", input.name));
            let message = if named { input.reason } else { format!("`{}`: {}", input.name, input.reason) };
            Fault::invalid(message)
        }
        WitError::ShapeMismatch(shape) => {
            Fault::invalid(format!("`{}` expects {}, got {}", shape.operation, shape.expected, shape.got))
        }
        WitError::BudgetExceeded(budget) => {
            let message = format!("needs {} of `{}`, the limit is {}", budget.used, budget.kind, budget.limit);
            match LimitKind::ALL.iter().find(|limit| limit.key() == budget.kind) {
                Some(&limit) => Fault::limit(limit, message),
                None => Fault::invalid(message),
            }
        }
        WitError::Denied(capability) => Fault::new(FaultKind::Denied, capability),
        // Whoever cancels a run kills its workers; no guest lives to tell of it.
        WitError::Cancelled => Fault::guest("says that it was cancelled, which nobody did"),
        WitError::Transient((message, after)) => Fault::new(FaultKind::Transient { retry_after_ms: after }, message),
        WitError::Permanent(message) => Fault::new(FaultKind::Invalid, message),
    }
}

impl State {
    /// Progress and metrics share a generous bound, so that a flood of them costs no more than a flood of log.
    pub(crate) fn may_say(&mut self) -> bool {
        if self.unheard {
            return false;
        }
        let may = self.sayings < SAYINGS_MAX;
        self.sayings += u32::from(may);
        self.usage.sayings_dropped += u64::from(!may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_that_stays_shut_names_the_argument() {
        for (message, argument, name, reason) in [
            ("cannot list `x`: it is no folder", "folder", "folder", "cannot list `x`: it is no folder"),
            ("cannot open `x`: it is a folder", "path", "path", "cannot open `x`: it is a folder"),
            ("`length`: at most 4096 bytes", "path", "length", "at most 4096 bytes"),
        ] {
            let Failure::Told(WitError::InvalidInput(told)) = Failure::of_door(Fault::invalid(message), argument)
            else {
                panic!("{message}")
            };
            assert_eq!((told.name.as_str(), told.reason.as_str()), (name, reason));
        }
    }

    #[test]
    fn no_guest_says_that_it_was_cancelled_or_that_we_failed() {
        let budget = |kind: &str| errors::BudgetExceeded { kind: kind.to_owned(), used: 2, limit: 1 };
        for (error, expected) in [
            (WitError::Cancelled, FaultKind::Guest),
            (WitError::Permanent("host".to_owned()), FaultKind::Invalid),
            (WitError::Denied("files".to_owned()), FaultKind::Denied),
            (WitError::BudgetExceeded(budget("host")), FaultKind::Invalid),
            (WitError::BudgetExceeded(budget("output")), FaultKind::Limit { limit: LimitKind::Output }),
            (WitError::Transient(("later".to_owned(), 7)), FaultKind::Transient { retry_after_ms: 7 }),
        ] {
            assert_eq!(told(error).kind, expected);
        }
    }
}
