//! A version in another's shadow: it is asked the same, its answer is thrown away, and how far it differs is counted.
//!
//! Each endpoint has a queue of its own and, while something waits there, a thread of its own: a shadow that is slow holds up no
//! other.

use crate::endpoints::Loaded;
use crate::locked;
use data::Table;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use types::DataType;

/// Requests that wait to be asked again, with their answers; what comes beyond that is dropped, and counted. Those who sent them
/// wait for nothing.
const WAITING: usize = 64;
const WAITING_BYTES: usize = 16 << 20;
/// How long a thread stays that has nothing to ask.
const IDLE: Duration = Duration::from_secs(10);

/// How a shadow's answers compare with those that were given, since the server began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub requests: u64,
    pub errors: u64,
    /// Never asked: too many waited.
    pub dropped: u64,
    pub rows: u64,
    /// With another value in some column.
    pub differing: u64,
    /// Of all numbers, the largest difference.
    pub largest: f64,
}

/// A request that was answered.
struct Mirrored {
    shadow: Arc<Loaded>,
    rows: Table,
    given: Table,
}

/// An endpoint's shadow: what it is still to be asked, and what came of it.
pub(crate) struct Shadow {
    comparison: Mutex<Comparison>,
    waiting: Queue<Mirrored>,
}

impl Default for Shadow {
    fn default() -> Self {
        Self { comparison: Mutex::default(), waiting: Queue::new(WAITING, WAITING_BYTES) }
    }
}

impl Shadow {
    /// Has a version asked what was just answered, some time.
    pub(crate) fn mirror(self: &Arc<Self>, shadow: Arc<Loaded>, rows: &Table, given: &Table) {
        let bytes = rows.held_bytes().saturating_add(given.held_bytes());
        let mirrored = Mirrored { shadow, rows: rows.clone(), given: given.clone() };
        match self.waiting.put(mirrored, bytes) {
            Put::Waits => {}
            Put::NeedsThread => {
                let this = Arc::clone(self);
                let thread = std::thread::Builder::new().name("shadow".to_owned());
                if thread.spawn(move || this.ask()).is_err() {
                    // What comes next tries again.
                    locked(&self.waiting.held).has_thread = false;
                }
            }
            Put::Dropped => locked(&self.comparison).dropped += 1,
        }
    }

    pub(crate) fn comparison(&self) -> Comparison {
        locked(&self.comparison).clone()
    }

    fn ask(&self) {
        while let Some(Mirrored { shadow, rows, given }) = self.waiting.next(IDLE) {
            let found = shadow.worker.predict(&rows).ok().and_then(|answer| compare(&given, &answer));
            let mut all = locked(&self.comparison);
            all.requests += 1;
            match found {
                None => all.errors += 1,
                Some(Compared { rows, differing, largest }) => {
                    all.rows += rows;
                    all.differing += differing;
                    all.largest = all.largest.max(largest);
                }
            }
        }
    }
}

/// What waits for one thread, which is there while something does.
struct Queue<T> {
    most: usize,
    bytes_most: usize,
    held: Mutex<Held<T>>,
    came: Condvar,
}

struct Held<T> {
    waiting: VecDeque<(T, usize)>,
    bytes: usize,
    has_thread: bool,
}

/// What became of something that is to wait.
#[derive(Debug, PartialEq, Eq)]
enum Put {
    Waits,
    /// And nobody asks yet.
    NeedsThread,
    Dropped,
}

impl<T> Queue<T> {
    fn new(most: usize, bytes_most: usize) -> Self {
        let held = Held { waiting: VecDeque::new(), bytes: 0, has_thread: false };
        Self { most, bytes_most, held: Mutex::new(held), came: Condvar::new() }
    }

    /// One that is larger than all may be waits alone.
    fn put(&self, one: T, bytes: usize) -> Put {
        let mut held = locked(&self.held);
        let is_room = held.waiting.len() < self.most && held.bytes.saturating_add(bytes) <= self.bytes_most;
        if !is_room && !held.waiting.is_empty() {
            return Put::Dropped;
        }
        held.waiting.push_back((one, bytes));
        held.bytes += bytes;
        self.came.notify_one();
        match std::mem::replace(&mut held.has_thread, true) {
            true => Put::Waits,
            false => Put::NeedsThread,
        }
    }

    /// What came first; none if nothing came for so long: the thread ends then.
    fn next(&self, idle: Duration) -> Option<T> {
        let is_idle = |held: &mut Held<T>| held.waiting.is_empty();
        let woken = self.came.wait_timeout_while(locked(&self.held), idle, is_idle);
        let mut held = woken.unwrap_or_else(PoisonError::into_inner).0;
        let Some((first, bytes)) = held.waiting.pop_front() else {
            held.has_thread = false;
            return None;
        };
        held.bytes -= bytes;
        Some(first)
    }
}

/// What comes of an answer; it is added to a [`Comparison`], which nobody holds meanwhile.
struct Compared {
    rows: u64,
    differing: u64,
    largest: f64,
}

/// Holds an answer against the one that was given, row by row.
fn compare(given: &Table, answer: &Table) -> Option<Compared> {
    let (given_rows, rows) = (data::json_rows(given).ok()?, data::json_rows(answer).ok()?);
    let differing = given_rows.iter().enumerate().filter(|(at, row)| rows.get(*at) != Some(*row)).count() as u64;
    let mut largest = 0.0;
    let is_number = |data_type: DataType| matches!(data_type, DataType::Float64 | DataType::Float32 | DataType::Int64);
    for field in given.schema().fields.iter().filter(|field| is_number(field.data_type)) {
        let number =
            |row: &serde_json::Map<String, serde_json::Value>| row.get(&field.name).and_then(|value| value.as_f64());
        let pairs = given_rows.iter().zip(&rows).filter_map(|(given, row)| number(given).zip(number(row)));
        largest = pairs.map(|(given, row)| (given - row).abs()).fold(largest, f64::max);
    }
    Some(Compared { rows: given_rows.len() as u64, differing, largest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_by_count_and_bytes_and_asked_in_order() {
        let queue = Queue::new(3, 100);
        assert_eq!(queue.put(1, 60), Put::NeedsThread);
        assert_eq!(queue.put(2, 41), Put::Dropped, "no room for its bytes");
        assert_eq!([queue.put(3, 20), queue.put(4, 20), queue.put(5, 0)], [Put::Waits, Put::Waits, Put::Dropped]);
        let next = || queue.next(Duration::ZERO);
        assert_eq!([next(), next(), next(), next()], [Some(1), Some(3), Some(4), None]);
        assert_eq!(queue.put(6, 1000), Put::NeedsThread, "the thread has ended, and this one is alone");
        assert_eq!((queue.put(7, 1), next(), queue.put(8, 1)), (Put::Dropped, Some(6), Put::Waits));
    }
}
