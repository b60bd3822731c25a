//! What a worker says -> what is passed on: no more log than its attempt may write, whatever has become of the worker.

use ports::{Page, Watch, Watched};
use std::sync::{Mutex, PoisonError};
use types::{Fault, Limits};

/// A listener that hears no more lines and bytes of log than the limits allow.
pub(crate) struct Metered<'a> {
    watch: &'a dyn Watch,
    limits: Limits,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    lines: u64,
    bytes: u64,
}

impl<'a> Metered<'a> {
    pub(crate) fn new(watch: &'a dyn Watch, limits: Limits) -> Self {
        Self { watch, limits, heard: Mutex::default() }
    }

    /// Whether the listener hears it. A worker that is honest has dropped what it does not, and counted it.
    fn admits(&self, event: &Watched) -> bool {
        if !matches!(event, Watched::Log { .. }) {
            return true;
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = heard.bytes.saturating_add(sandbox::logged_bytes(event));
        if heard.lines >= self.limits.log_lines || bytes > self.limits.log_bytes {
            return false;
        }
        *heard = Heard { lines: heard.lines + 1, bytes };
        true
    }
}

impl Watch for Metered<'_> {
    fn hear(&self, event: Watched) {
        if self.admits(&event) {
            self.watch.hear(event);
        }
    }

    fn cancelled(&self) -> bool {
        self.watch.cancelled()
    }

    fn page(&self, page: Page) -> Result<(), Fault> {
        self.watch.page(page)
    }

    fn checkpoint(&self, state: Vec<u8>) -> Result<(), Fault> {
        self.watch.checkpoint(state)
    }
}
