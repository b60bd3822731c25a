//! Requests that wait for a serving worker -> the batch that it computes next, and what becomes of one that fails. Knows no process,
//! and of the clock only what a batch took.
//!
//! Nobody waits for a batch to fill: one is made of what came while the last one was computed. How much may come together
//! follows how long that takes: a quick model takes many requests at once, a slow one few, so that a batch stays far from its
//! deadline.

use super::{Answered, Spent};
use data::Table;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use types::{Fault, FaultKind};

/// Requests that may wait; the next one is refused at once.
pub(crate) const WAITING_MAX: usize = 64;
/// The most requests of one batch.
const REQUESTS_MAX: usize = 64;
/// The most that a batch holds, unless a single request is larger.
const ROWS_MAX: u64 = 4096;
const BYTES_MAX: u64 = 4 << 20;
/// A batch that took longer halves the next one, one that took less than a quarter doubles it.
const LONG: Duration = Duration::from_millis(100);

/// What a request's answer is given to. It is called once, on the worker's own thread: it must not wait for anything.
pub(crate) type Told = Box<dyn FnOnce(Result<Answered, Fault>) + Send>;

/// Rows -> their predictions, and what they took.
pub(crate) type Ask<'a> = dyn FnMut(&Table) -> Result<(Table, Spent), Fault> + 'a;

/// A request.
pub(crate) struct Asked {
    pub(crate) rows: Table,
    pub(crate) since: Instant,
    pub(crate) told: Told,
}

/// What waits.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    asked: VecDeque<Asked>,
    is_closed: bool,
}

impl Queue {
    /// Puts a request behind the others; it is told at once if there is no place for it.
    pub(crate) fn put(&self, asked: Asked) {
        let mut waiting = self.waiting();
        if waiting.asked.len() < WAITING_MAX {
            waiting.asked.push_back(asked);
            drop(waiting);
            return self.more.notify_one();
        }
        drop(waiting);
        let message = format!("{WAITING_MAX} requests wait already, the most there may be; send it again later");
        (asked.told)(Err(Fault::new(FaultKind::Busy { retry_after_ms: 1000 }, message)));
    }

    /// The next batch, once there is one; none when the queue is closed and empty.
    pub(crate) fn next(&self, pace: &Pace) -> Option<Vec<Asked>> {
        let mut waiting = self.waiting();
        while waiting.asked.is_empty() {
            if waiting.is_closed {
                return None;
            }
            waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        Some(pace.take(&mut waiting.asked))
    }

    /// From now on it is left once it is empty.
    pub(crate) fn close(&self) {
        self.waiting().is_closed = true;
        self.more.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many requests may come together.
pub(crate) struct Pace {
    requests: usize,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { requests: 1 }
    }

    /// The oldest requests, as many as fit; at least one.
    fn take(&self, waiting: &mut VecDeque<Asked>) -> Vec<Asked> {
        let (mut rows, mut bytes, mut count) = (0_u64, 0_u64, 0);
        for asked in waiting.iter().take(self.requests) {
            rows = rows.saturating_add(asked.rows.rows());
            bytes = bytes.saturating_add(asked.rows.bytes());
            if count > 0 && (rows > ROWS_MAX || bytes > BYTES_MAX) {
                break;
            }
            count += 1;
        }
        waiting.drain(..count).collect()
    }

    /// A batch took so long.
    pub(crate) fn took(&mut self, time: Duration) {
        self.requests = match time {
            time if time > LONG => (self.requests / 2).max(1),
            time if time < LONG / 4 => (self.requests * 2).min(REQUESTS_MAX),
            _ => self.requests,
        };
    }
}

/// What becomes of a batch that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The request's own doing, or sent as often as it may be.
    Told,
    /// Each request is sent once more, by itself, and then told whatever comes.
    OnceMore,
    /// Each is asked by itself as if it were new: the worker refused the batch and lives.
    Apart,
}

/// The retry rule. A deadline or a limit that kills the worker is the doing of one of the requests, of which one is not known:
/// each gets one more chance, alone. A worker that died by itself may be nobody's doing.
pub(crate) fn failed(requests: usize, fault: &Fault) -> Failed {
    match (requests, &fault.kind) {
        (1, FaultKind::Crash) => Failed::OnceMore,
        (1, _) => Failed::Told,
        (_, FaultKind::Invalid) => Failed::Apart,
        _ => Failed::OnceMore,
    }
}

/// Asks for a batch and tells each of its requests what came of it. `ask` gives the predictions of rows.
pub(crate) fn answer(batch: Vec<Asked>, ask: &mut Ask<'_>) {
    let tables: Vec<Table> = batch.iter().map(|asked| asked.rows.clone()).collect();
    let begun = Instant::now();
    match Table::concat(&tables).map_err(Fault::host).and_then(|rows| ask(&rows)) {
        Ok((predictions, spent)) => divide(batch, begun, &predictions, spent),
        Err(fault) => match failed(batch.len(), &fault) {
            Failed::Told => batch.into_iter().for_each(|asked| (asked.told)(Err(fault.clone()))),
            Failed::OnceMore => batch.into_iter().for_each(|asked| once_more(asked, ask)),
            Failed::Apart => batch.into_iter().for_each(|asked| answer(vec![asked], ask)),
        },
    }
}

fn once_more(asked: Asked, ask: &mut Ask<'_>) {
    let begun = Instant::now();
    match ask(&asked.rows) {
        Ok((predictions, spent)) => divide(vec![asked], begun, &predictions, spent),
        Err(fault) => (asked.told)(Err(fault)),
    }
}

/// To each the predictions of its rows.
fn divide(batch: Vec<Asked>, begun: Instant, predictions: &Table, spent: Spent) {
    let (requests, mut start) = (batch.len(), 0);
    for Asked { rows, since, told } in batch {
        let predictions = predictions.slice(start, rows.rows());
        start += rows.rows();
        told(Ok(Answered { predictions, waited: begun.saturating_duration_since(since), spent, requests }));
    }
}

#[cfg(test)]
mod tests;
