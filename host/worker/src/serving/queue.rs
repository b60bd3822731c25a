//! Requests that wait for a serving worker -> who answers, the batch that it computes next, and what becomes of one that fails. Knows
//! no process, and of the clock only what a batch took.
//!
//! Nobody waits for a batch to fill: one is made of what came while the last one was computed. How much may come together
//! follows how long that takes: a quick model takes many requests at once, a slow one few, so that a batch stays far from its
//! deadline.

use super::{Answered, Came, Spent};
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
/// A request of more is not answered by who asks.
const ALONE_BYTES_MAX: u64 = 16 << 10;
/// A batch that took longer halves the next one, one that took less than a quarter doubles it.
const LONG: Duration = Duration::from_millis(100);

/// What a request's answer is given to. It is called once, by whoever answers: it must not wait for anything.
pub(crate) type Told = Box<dyn FnOnce(Result<Answered, Fault>) + Send>;

/// Rows -> their predictions, and what they took.
pub(crate) type Ask<'a> = dyn FnMut(&Table) -> Came + 'a;

/// A request.
pub(crate) struct Asked {
    pub(crate) rows: Table,
    pub(crate) since: Instant,
    pub(crate) told: Told,
}

/// What waits, and who answers.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    called: Condvar,
}

#[derive(Default)]
struct Waiting {
    asked: VecDeque<Asked>,
    by: By,
    is_closed: bool,
}

/// Who answers. One at a time, and that one looks at what came meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum By {
    #[default]
    Nobody,
    /// Somebody who asked, alone.
    Asker,
    /// The worker's own thread, which was called and has not come yet.
    Called,
    Thread,
}

impl Queue {
    /// Puts a request behind the others, for whom somebody has to be called; it is told at once if there is no place for it.
    pub(crate) fn put(&self, asked: Asked) {
        let mut waiting = self.waiting();
        if waiting.asked.len() < WAITING_MAX {
            return waiting.asked.push_back(asked);
        }
        drop(waiting);
        let message = format!("{WAITING_MAX} requests wait already, the most there may be; send it again later");
        (asked.told)(Err(Fault::new(FaultKind::Busy { retry_after_ms: 1000 }, message)));
    }

    /// The only request that waits, if it is small and nobody answers. Whoever takes it says when that is over: [`Self::leave`].
    pub(crate) fn take_alone(&self) -> Option<Asked> {
        let mut waiting = self.waiting();
        let Waiting { asked, by, .. } = &mut *waiting;
        let is_alone = *by == By::Nobody && asked.len() == 1 && asked[0].rows.bytes() <= ALONE_BYTES_MAX;
        let alone = is_alone.then(|| asked.pop_front()).flatten();
        if alone.is_some() {
            *by = By::Asker;
        }
        alone
    }

    /// Who answered one request answers no more, and leaves to the thread what came meanwhile; or, too, what was begun.
    pub(crate) fn leave(&self, is_begun: bool) {
        let mut waiting = self.waiting();
        waiting.by = By::Nobody;
        self.call_if(waiting, is_begun);
    }

    /// Has the thread answer what waits, if nobody does.
    pub(crate) fn call(&self) {
        self.call_if(self.waiting(), false);
    }

    fn call_if(&self, mut waiting: MutexGuard<'_, Waiting>, is_begun: bool) {
        let is_free = waiting.by == By::Nobody;
        if is_free && (is_begun || !waiting.asked.is_empty()) {
            waiting.by = By::Called;
        }
        // The thread of a queue that is closed waits for who answers, to end.
        let is_called = waiting.by == By::Called || is_free && waiting.is_closed;
        drop(waiting);
        if is_called {
            self.called.notify_one();
        }
    }

    /// The next batch for the thread, once there is one, or what was left to it alone; none when the queue is closed and empty.
    pub(crate) fn next(&self, pace: &Pace) -> Option<Vec<Asked>> {
        let mut waiting = self.waiting();
        loop {
            match waiting.by {
                By::Called | By::Thread if !waiting.asked.is_empty() => {
                    waiting.by = By::Thread;
                    return Some(pace.take(&mut waiting.asked));
                }
                By::Called => {
                    waiting.by = By::Thread;
                    return Some(Vec::new());
                }
                By::Thread => waiting.by = By::Nobody,
                By::Nobody if waiting.is_closed => return None,
                By::Nobody | By::Asker => {
                    waiting = self.called.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// From now on it is left once it is empty.
    pub(crate) fn close(&self) {
        self.waiting().is_closed = true;
        self.call();
        self.called.notify_one();
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
    let came = Table::concat(&tables).map_err(Fault::host).and_then(|rows| ask(&rows));
    settle(batch, begun, came, ask);
}

/// Tells each request of a batch what came of asking for it; asks once more where that is due.
pub(crate) fn settle(batch: Vec<Asked>, begun: Instant, came: Came, ask: &mut Ask<'_>) {
    match came {
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
pub(crate) fn divide(batch: Vec<Asked>, begun: Instant, predictions: &Table, spent: Spent) {
    let (requests, mut start) = (batch.len(), 0);
    for Asked { rows, since, told } in batch {
        let predictions = predictions.slice(start, rows.rows());
        start += rows.rows();
        told(Ok(Answered { predictions, waited: begun.saturating_duration_since(since), spent, requests }));
    }
}

#[cfg(test)]
mod tests;
