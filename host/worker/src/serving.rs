//! A model version in a process of its own: rows in, predictions out, and a successor when it dies.
//!
//! ```text
//!  predict, submit --Queue--> a thread of the version's own --socket--> child: Served::predict
//!    many at a time   |        batch by batch; kills and replaces         many rows in one call
//!                     '-----> who asks, alone, for a millisecond ----'
//! ```
//! Two threads that wake each other on the way there and back take as long as the model. So who finds nobody else waiting may ask the
//! worker itself ([`Waiting::answer_here`]); what is not answered at once, and all that goes wrong, it leaves to the thread.

mod probe;
mod queue;

pub use probe::{Probed, probe};

use crate::message::{FromWorker, ToWorker, believed};
use crate::pool::Pool;
use crate::process::{Bounds, Process, SEND_MAX};
use data::Table;
use ports::ServedModel;
use queue::{Asked, Pace, Queue};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use types::{Device, Fault, FaultKind, Limits, Schema, TenantId};

/// From the start of a serving worker to its first answer; a Python component that is compiled first takes its own time.
const LOAD_MS: u64 = 60_000;
/// The most that a request waits for others.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// The most that who asks waits for an answer itself: it is a thread that others' requests are read on.
const SOON: Duration = Duration::from_millis(1);

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

/// Predictions for all rows of a batch, and what they took.
type Came = Result<(Table, Spent), Fault>;

/// Answers for one model version: requests that wait are computed together, and each gets the bits that it would get alone.
pub struct ServingWorker {
    queue: Arc<Queue>,
    seat: Arc<Mutex<Seat>>,
    thread: Option<JoinHandle<()>>,
}

/// A request that waits. Once this is dropped it is the worker's own thread that answers.
#[must_use]
pub struct Waiting {
    queue: Arc<Queue>,
    seat: Arc<Mutex<Seat>>,
}

impl ServingWorker {
    /// Loads the version; an error here means that it cannot serve.
    pub fn start(pool: Arc<Pool>, tenant: TenantId, model: ServedModel) -> Result<Self, Fault> {
        let seat = Arc::new(Mutex::new(Seat::new(pool, tenant, model)?));
        let queue = Arc::<Queue>::default();
        let (waiting, taken) = (Arc::clone(&queue), Arc::clone(&seat));
        let thread = std::thread::Builder::new().name("serving".to_owned());
        let thread = thread.spawn(move || keep(&taken, &waiting)).map_err(Fault::host)?;
        Ok(Self { queue, seat, thread: Some(thread) })
    }

    /// The predictions for these rows.
    pub fn predict(&self, rows: &Table) -> Result<Table, Fault> {
        self.answer(rows).map(|answered| answered.predictions)
    }

    /// The predictions for these rows, and what they took. See [`Self::submit`].
    pub fn answer(&self, rows: &Table) -> Result<Answered, Fault> {
        let (tell, told) = mpsc::sync_channel(1);
        let waiting = self.submit(rows.clone(), move |answered| {
            // Whoever asked waits for it below.
            let _ = tell.send(answered);
        });
        drop(waiting);
        let ended = || Fault::host("the thread of a serving worker ended before it answered");
        told.recv().unwrap_or_else(|_| Err(ended()))
    }

    /// Has the predictions for these rows told, once, by whoever answers, who must not be kept waiting. It is refused at once if
    /// too many wait already.
    ///
    /// What the rows cannot be blamed for they are sent once more after, alone: a worker that died, or that a request beside
    /// them had killed, by a deadline or a limit. Rows that the model refuses spoil no others.
    pub fn submit(&self, rows: Table, told: impl FnOnce(Result<Answered, Fault>) + Send + 'static) -> Waiting {
        self.queue.put(Asked { rows, since: Instant::now(), told: Box::new(told) });
        Waiting { queue: Arc::clone(&self.queue), seat: Arc::clone(&self.seat) }
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

impl Waiting {
    /// Asks the worker on this thread if nobody else waits, and keeps it [`SOON`] at most.
    pub fn answer_here(self) {
        let Some(asked) = self.queue.take_alone() else { return };
        let mut turn = Turn { queue: &self.queue, is_begun: false };
        let (mut seat, begun) = (locked(&self.seat), Instant::now());
        let came = match seat.ask_soon(&asked.rows, begun) {
            Ok(came) => came,
            Err(exchange) => {
                seat.left = Some(Left { asked, begun, exchange });
                turn.is_begun = true;
                return;
            }
        };
        drop(seat);
        // Whoever is told may be the last who holds the worker.
        drop(turn);
        match came {
            Ok((predictions, spent)) => queue::divide(vec![asked], begun, &predictions, spent),
            Err(fault) => (asked.told)(Err(fault)),
        }
    }
}

/// Of who answers one request alone. Dropped, it is over, also by a panic: nobody would be called to answer any other.
struct Turn<'q> {
    queue: &'q Queue,
    /// The thread ends what was begun.
    is_begun: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.queue.leave(self.is_begun);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.queue.call();
    }
}

fn locked(seat: &Mutex<Seat>) -> MutexGuard<'_, Seat> {
    seat.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers what waits until the queue is closed.
fn keep(seat: &Mutex<Seat>, queue: &Queue) {
    let mut pace = Pace::new();
    while let Some(batch) = queue.next(&pace) {
        let mut seat = locked(seat);
        seat.take_over();
        let (late, batch): (Vec<_>, Vec<_>) = batch.into_iter().partition(|asked| asked.since.elapsed() > WAIT_MAX);
        late.into_iter().for_each(|asked| (asked.told)(Err(too_late())));
        if batch.is_empty() {
            continue;
        }
        let begun = Instant::now();
        queue::answer(batch, &mut |rows: &Table| seat.ask(rows));
        pace.took(begun.elapsed());
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
    /// What the last exchange took.
    took: Duration,
    left: Option<Left>,
}

/// A request that who asked it leaves to the thread; with what it had begun, if it had.
struct Left {
    asked: Asked,
    begun: Instant,
    exchange: Option<Box<Exchange>>,
}

/// Rows that were sent to a process.
struct Exchange {
    process: Process,
    rows: u64,
    began: Instant,
    cpu_before_us: u64,
    /// What came of it, if anything did so far.
    heard: Option<Result<(Vec<u8>, Spent), Fault>>,
}

impl Seat {
    /// With a process that has the model.
    fn new(pool: Arc<Pool>, tenant: TenantId, model: ServedModel) -> Result<Self, Fault> {
        let [request, response] = [&model.request, &model.response].map(|fields| Schema { fields: fields.clone() });
        let (process, took, left) = (None, Duration::ZERO, None);
        let mut seat = Self { pool, tenant, model, request, response, process, took, left };
        seat.process = Some(seat.load()?);
        Ok(seat)
    }

    fn load(&self) -> Result<Process, Fault> {
        // Each of its components is compiled once.
        for _ in 0..=self.model.path.len() + 1 {
            let mut process = self.pool.fresh(&self.tenant, Device::Cpu)?;
            process.send(&ToWorker::Load { model: Box::new(self.model.clone()) }, &[])?;
            let bounds = Bounds::new(Limits { wall_ms: LOAD_MS, ..self.model.limits }, process.cpu_us(), &|| false);
            match process.receive(&bounds)?.0 {
                FromWorker::Loaded { fault: None } => return Ok(process),
                FromWorker::Loaded { fault: Some(fault) } => return Err(believed(fault)),
                FromWorker::Uncompiled { component } => self.pool.compile(&self.tenant, component)?,
                _ => return Err(Fault::new(FaultKind::Crash, "the serving worker said something out of turn")),
            }
        }
        Err(Fault::new(FaultKind::Crash, "the serving worker finds nothing that was compiled for it"))
    }

    /// Asks the process, or a successor of one that is gone. One that failed otherwise than by refusing the rows is not asked
    /// again: a guest that trapped cannot be entered.
    fn ask(&mut self, rows: &Table) -> Came {
        let exchange = self.send(rows, SEND_MAX)?;
        self.finish(exchange)
    }

    /// The same for who may not wait. If that is not soon over an error has what it began.
    fn ask_soon(&mut self, rows: &Table, begun: Instant) -> Result<Came, Option<Box<Exchange>>> {
        let is_ready = self.process.as_ref().is_some_and(|process| !process.is_unseen());
        if !is_ready || self.took > SOON / 2 {
            return Err(None);
        }
        let mut exchange = match self.send(rows, SOON) {
            Ok(exchange) => exchange,
            Err(fault) => return Ok(Err(fault)),
        };
        while exchange.heard.is_none() {
            match exchange.process.receive_soon(begun + SOON) {
                Some(message) => exchange.heard = heard(message),
                None => break,
            }
        }
        match exchange.heard {
            Some(Ok(_)) => Ok(self.finish(exchange)),
            // What goes wrong may be the process's end.
            _ => Err(Some(Box::new(exchange))),
        }
    }

    /// Ends what who asked has left.
    fn take_over(&mut self) {
        let Some(Left { asked, begun, exchange }) = self.left.take() else { return };
        let came = match exchange {
            Some(exchange) => self.finish(*exchange),
            None => self.ask(&asked.rows),
        };
        queue::settle(vec![asked], begun, came, &mut |rows| self.ask(rows));
    }

    /// Sends rows to the process; that this takes longer than it may is its fault.
    fn send(&mut self, rows: &Table, most: Duration) -> Result<Exchange, Fault> {
        let bytes = data::to_message(rows, &self.request).map_err(Fault::host)?;
        let process = match self.process.take() {
            Some(process) => process,
            None => self.load()?,
        };
        let (began, cpu_before_us) = (Instant::now(), process.cpu_us());
        self.pool.ledger.begin_apart(&self.tenant, process.id(), cpu_before_us);
        let heard = process.send_within(&ToWorker::Infer, &bytes, most).err().map(Err);
        Ok(Exchange { process, rows: rows.rows(), began, cpu_before_us, heard })
    }

    /// Waits for the answer, and takes the process back if it can be asked again.
    fn finish(&mut self, exchange: Exchange) -> Came {
        let Exchange { mut process, rows, began, cpu_before_us, heard } = exchange;
        let bounds = Bounds::since(began, self.model.limits, cpu_before_us, &|| false);
        let answered = heard.unwrap_or_else(|| receive(&mut process, &bounds));
        self.pool.ledger.end(&self.tenant, process.id(), process.cpu_us());
        self.took = began.elapsed();
        if answered.as_ref().err().is_none_or(|fault| fault.kind == FaultKind::Invalid) {
            self.process = Some(process);
        }
        let (body, spent) = answered?;
        let predictions = data::open_message(&body, &self.response).map_err(|error| Fault::guest(error.to_string()))?;
        match predictions.rows() == rows {
            true => Ok((predictions, spent)),
            false => Err(Fault::guest(format!("gave {} predictions for {rows} rows", predictions.rows()))),
        }
    }
}

fn receive(process: &mut Process, bounds: &Bounds<'_>) -> Result<(Vec<u8>, Spent), Fault> {
    loop {
        if let Some(heard) = heard(process.receive(bounds)?) {
            return heard;
        }
    }
}

/// What a worker says of the rows that it was sent; nothing if it says something else.
fn heard((message, body): (FromWorker, Vec<u8>)) -> Option<Result<(Vec<u8>, Spent), Fault>> {
    match message {
        FromWorker::Inferred { fault: Some(fault), .. } => Some(Err(believed(fault))),
        FromWorker::Inferred { fault: None, transform_us, predict_us } => {
            let (transform, predict) = (Duration::from_micros(transform_us), Duration::from_micros(predict_us));
            Some(Ok((body, Spent { transform, predict })))
        }
        // A serving guest's log has no attempt to belong to.
        FromWorker::Say { .. } => None,
        _ => Some(Err(Fault::new(FaultKind::Crash, "the serving worker said something out of turn"))),
    }
}

fn too_late() -> Fault {
    let message = format!("other requests have kept this one waiting for {} s; send it again", WAIT_MAX.as_secs());
    Fault::new(FaultKind::Busy { retry_after_ms: 1000 }, message)
}
