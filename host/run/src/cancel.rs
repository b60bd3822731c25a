//! A word from outside -> an event of the run's loop. The loop is woken, never polled.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

/// Why a run stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody does not want it any more: it ends as cancelled.
    Cancel,
    /// The server leaves: attempts are stopped without a record, and the run is resumed by the next server.
    Leave,
}

/// Stops one drive of a run, from any thread. Clones stop the same one.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stop: Option<Stop>,
    wake: Option<Sender<crate::Event>>,
}

impl CancelToken {
    /// Ends the run as cancelled, unless it is about to end by itself.
    pub fn cancel(&self) {
        self.stop(Stop::Cancel);
    }

    /// Leaves the run as it is, to be resumed.
    pub fn leave(&self) {
        self.stop(Stop::Leave);
    }

    /// What was said; the first word counts.
    pub fn stopped(&self) -> Option<Stop> {
        self.state().stop
    }

    fn stop(&self, stop: Stop) {
        let mut state = self.state();
        state.stop.get_or_insert(stop);
        if let Some(wake) = &state.wake {
            // A loop that is gone needs no waking.
            let _ = wake.send(crate::Event::Woken);
        }
    }

    /// Wakes this loop when the time comes, and no other.
    pub(crate) fn wake(&self, events: Option<Sender<crate::Event>>) {
        self.state().wake = events;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
