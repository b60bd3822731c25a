//! A model version in a process of its own: rows in, predictions out, and a successor when it dies.
//!
//! ```text
//!  predict, submit --Queue--> a thread of the version's own --socket--> child: Served::predict
//!    many at a time            batch by batch; kills and replaces         many rows in one call
//! ```

mod probe;
mod queue;

pub use probe::{Probed, probe};

use crate::message::{FromWorker, ToWorker, believed};
use crate::pool::Pool;
use crate::process::{Bounds, Process};
use data::Table;
use ports::ServedModel;
use queue::{Asked, Pace, Queue};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use types::{Device, Fault, FaultKind, Limits, Schema, TenantId};

/// From the start of a serving worker to its first answer; a Python component that is compiled first takes its own time.
const LOAD_MS: u64 = 60_000;
/// The most that a request waits for others.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Predictions, and what they took.
#[derive(Debug, Clone)]
pub struct Answered {
    pub predictions: Table,
    /// Behind other requests.
    pub waited: Duration,
    /// Of the batch in which it was computed.
    pub spent: Spent,
    /// Of that batch: this request and those beside it.
    pub requests: usize,
}

/// What a batch took in the worker, by its own word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// The steps before the predictor.
    pub transform: Duration,
    pub predict: Duration,
}

/// Answers for one model version: requests that wait are computed together, and each gets the bits that it would get alone.
pub struct ServingWorker {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl ServingWorker {
    /// Loads the version; an error here means that it cannot serve.
    pub fn start(pool: Arc<Pool>, tenant: TenantId, model: ServedModel) -> Result<Self, Fault> {
        let mut seat = Seat::new(pool, tenant, model)?;
        let queue = Arc::<Queue>::default();
        let waiting = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("serving".to_owned());
        let thread = thread.spawn(move || seat.keep(&waiting)).map_err(Fault::host)?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// The predictions for these rows.
    pub fn predict(&self, rows: &Table) -> Result<Table, Fault> {
        self.answer(rows).map(|answered| answered.predictions)
    }

    /// The predictions for these rows, and what they took. See [`Self::submit`].
    pub fn answer(&self, rows: &Table) -> Result<Answered, Fault> {
        let (tell, told) = mpsc::sync_channel(1);
        self.submit(rows.clone(), move |answered| {
            // Whoever asked waits for it below.
            let _ = tell.send(answered);
        });
        let ended = || Fault::host("the thread of a serving worker ended before it answered");
        told.recv().unwrap_or_else(|_| Err(ended()))
    }

    /// Has the predictions for these rows told, once, on the worker's own thread, which must not be kept waiting. It is
    /// refused at once if too many wait already.
    ///
    /// What the rows cannot be blamed for they are sent once more after, alone: a worker that died, or that a request beside
    /// them had killed, by a deadline or a limit. Rows that the model refuses spoil no others.
    pub fn submit(&self, rows: Table, told: impl FnOnce(Result<Answered, Fault>) + Send + 'static) {
        self.queue.put(Asked { rows, since: Instant::now(), told: Box::new(told) });
    }
}

impl Drop for ServingWorker {
    /// What waits is answered; then the process ends.
    fn drop(&mut self) {
        self.queue.close();
        let Some(thread) = self.thread.take() else { return };
        // The last answer may be what held it.
        if thread.thread().id() != std::thread::current().id() {
            let _ = thread.join();
        }
    }
}

/// The process that answers, and how another one is made.
struct Seat {
    pool: Arc<Pool>,
    tenant: TenantId,
    model: ServedModel,
    request: Schema,
    response: Schema,
    process: Option<Process>,
}

impl Seat {
    /// With a process that has the model.
    fn new(pool: Arc<Pool>, tenant: TenantId, model: ServedModel) -> Result<Self, Fault> {
        let [request, response] = [&model.request, &model.response].map(|fields| Schema { fields: fields.clone() });
        let mut seat = Self { pool, tenant, model, request, response, process: None };
        seat.process = Some(seat.load()?);
        Ok(seat)
    }

    /// Answers what waits until the queue is closed.
    fn keep(&mut self, queue: &Queue) {
        let mut pace = Pace::new();
        while let Some(batch) = queue.next(&pace) {
            let (late, batch): (Vec<_>, Vec<_>) = batch.into_iter().partition(|asked| asked.since.elapsed() > WAIT_MAX);
            late.into_iter().for_each(|asked| (asked.told)(Err(too_late())));
            if batch.is_empty() {
                continue;
            }
            let begun = Instant::now();
            queue::answer(batch, &mut |rows: &Table| self.ask(rows));
            pace.took(begun.elapsed());
        }
    }

    fn load(&self) -> Result<Process, Fault> {
        // Each of its components is compiled once.
        for _ in 0..=self.model.path.len() + 1 {
            let mut process = self.pool.fresh(&self.tenant, Device::Cpu)?;
            process.send(&ToWorker::Load { model: Box::new(self.model.clone()) }, &[])?;
            let bounds = self.bounds(&process, LOAD_MS, &|| false);
            match process.receive(&bounds)?.0 {
                FromWorker::Loaded { fault: None } => return Ok(process),
                FromWorker::Loaded { fault: Some(fault) } => return Err(believed(fault)),
                FromWorker::Uncompiled { component } => self.pool.compile(&self.tenant, component)?,
                _ => return Err(Fault::new(FaultKind::Crash, "the serving worker said something out of turn")),
            }
        }
        Err(Fault::new(FaultKind::Crash, "the serving worker finds nothing that was compiled for it"))
    }

    fn bounds<'a>(&self, process: &Process, wall_ms: u64, cancelled: &'a dyn Fn() -> bool) -> Bounds<'a> {
        Bounds::new(Limits { wall_ms, ..self.model.limits }, process.cpu_us(), cancelled)
    }

    /// Asks the process, or a successor of one that is gone. One that failed otherwise than by refusing the rows is not asked
    /// again: a guest that trapped cannot be entered.
    fn ask(&mut self, rows: &Table) -> Result<(Table, Spent), Fault> {
        let bytes = data::to_message(rows, &self.request).map_err(Fault::host)?;
        let mut process = match self.process.take() {
            Some(process) => process,
            None => self.load()?,
        };
        self.pool.ledger.begin_apart(&self.tenant, process.id(), process.cpu_us());
        let answered = self.exchange(&mut process, &bytes);
        self.pool.ledger.end(&self.tenant, process.id(), process.cpu_us());
        if answered.as_ref().err().is_none_or(|fault| fault.kind == FaultKind::Invalid) {
            self.process = Some(process);
        }
        let (body, spent) = answered?;
        let predictions = data::open_message(&body, &self.response).map_err(|error| Fault::guest(error.to_string()))?;
        match predictions.rows() == rows.rows() {
            true => Ok((predictions, spent)),
            false => Err(Fault::guest(format!("gave {} predictions for {} rows", predictions.rows(), rows.rows()))),
        }
    }

    fn exchange(&self, process: &mut Process, bytes: &[u8]) -> Result<(Vec<u8>, Spent), Fault> {
        process.send(&ToWorker::Infer, bytes)?;
        let bounds = self.bounds(process, self.model.limits.wall_ms, &|| false);
        loop {
            match process.receive(&bounds)? {
                (FromWorker::Inferred { fault: Some(fault), .. }, _) => return Err(believed(fault)),
                (FromWorker::Inferred { fault: None, transform_us, predict_us }, body) => {
                    let (transform, predict) = (Duration::from_micros(transform_us), Duration::from_micros(predict_us));
                    return Ok((body, Spent { transform, predict }));
                }
                // A serving guest's log has no attempt to belong to.
                (FromWorker::Say { .. }, _) => {}
                _ => return Err(Fault::new(FaultKind::Crash, "the serving worker said something out of turn")),
            }
        }
    }
}

fn too_late() -> Fault {
    let message = format!("other requests have kept this one waiting for {} s; send it again", WAIT_MAX.as_secs());
    Fault::new(FaultKind::Busy { retry_after_ms: 1000 }, message)
}
