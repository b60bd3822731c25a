//! A model version in a process of its own: rows in, predictions out, and a successor when it dies.

use crate::message::{FromWorker, ToWorker, believed};
use crate::pool::Pool;
use crate::process::{Bounds, Process};
use data::Table;
use ports::ServedModel;
use std::sync::{Arc, Mutex, PoisonError};
use types::{Fault, FaultKind, Limits, Schema, TenantId};

/// From the start of a serving worker to its first answer; a Python component that is compiled first takes its own time.
const LOAD_MS: u64 = 60_000;

/// Answers for one model version. Requests take turns.
pub struct ServingWorker {
    pool: Arc<Pool>,
    tenant: TenantId,
    model: ServedModel,
    process: Mutex<Option<Process>>,
}

impl ServingWorker {
    /// Loads the version; an error here means that it cannot serve.
    pub fn start(pool: Arc<Pool>, tenant: TenantId, model: ServedModel) -> Result<Self, Fault> {
        let worker = Self { pool, tenant, model, process: Mutex::new(None) };
        let process = worker.load()?;
        *worker.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        Ok(worker)
    }

    fn load(&self) -> Result<Process, Fault> {
        loop {
            let mut process = self.pool.fresh(&self.tenant)?;
            process.send(&ToWorker::Load { model: Box::new(self.model.clone()) }, &[])?;
            let bounds = self.bounds(&process, LOAD_MS, &|| false);
            match process.receive(&bounds)?.0 {
                FromWorker::Loaded { fault: None } => return Ok(process),
                FromWorker::Loaded { fault: Some(fault) } => return Err(believed(fault)),
                FromWorker::Uncompiled { component } => self.pool.compile(&self.tenant, component)?,
                _ => return Err(Fault::new(FaultKind::Crash, "the serving worker said something out of turn")),
            }
        }
    }

    fn bounds<'a>(&self, process: &Process, wall_ms: u64, cancelled: &'a dyn Fn() -> bool) -> Bounds<'a> {
        Bounds::new(Limits { wall_ms, ..self.model.limits }, process.cpu_us(), cancelled)
    }

    /// The predictions for these rows. A worker that dies is replaced, and rows it had not answered are sent once more; a
    /// deadline or a memory limit is the rows' own doing and is not.
    pub fn predict(&self, rows: &Table) -> Result<Table, Fault> {
        let bytes = data::to_bytes(rows).map_err(Fault::host)?;
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        match self.ask(&mut process, &bytes) {
            Err(Fault { kind: FaultKind::Crash, .. }) => self.ask(&mut process, &bytes),
            answered => answered,
        }
    }

    fn ask(&self, slot: &mut Option<Process>, bytes: &[u8]) -> Result<Table, Fault> {
        let mut process = match slot.take() {
            Some(process) => process,
            None => self.load()?,
        };
        self.pool.ledger.begin(&self.tenant, process.id(), process.cpu_us());
        let answered = self.exchange(&mut process, bytes);
        self.pool.ledger.end(&self.tenant, process.id(), process.cpu_us());
        let (fault, body) = answered?;
        match fault {
            // A guest that trapped cannot be entered again: the next request gets a fresh one.
            Some(fault) if fault.kind == FaultKind::Invalid => {
                *slot = Some(process);
                Err(fault)
            }
            Some(fault) => Err(believed(fault)),
            None => {
                *slot = Some(process);
                let schema = Schema { fields: self.model.response.clone() };
                data::open_bytes(&body, &schema).map_err(|error| Fault::guest(error.to_string()))
            }
        }
    }

    fn exchange(&self, process: &mut Process, bytes: &[u8]) -> Result<(Option<Fault>, Vec<u8>), Fault> {
        process.send(&ToWorker::Infer { columns: self.model.request.clone() }, bytes)?;
        let bounds = self.bounds(process, self.model.limits.wall_ms, &|| false);
        loop {
            match process.receive(&bounds)? {
                (FromWorker::Inferred { fault }, body) => return Ok((fault, body)),
                // A serving guest's log has no attempt to belong to.
                (FromWorker::Say { .. }, _) => {}
                _ => return Err(Fault::new(FaultKind::Crash, "the serving worker said something out of turn")),
            }
        }
    }
}
