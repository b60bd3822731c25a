//! What a loop sleeps on: it is woken when there is something to look at, or after a while.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    told: Condvar,
}

impl Bell {
    /// Wakes whoever sleeps, or keeps the next one from falling asleep.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }

    /// Sleeps until the bell is rung, at most so long.
    pub(crate) fn sleep(&self, most: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = self.told.wait_timeout_while(rung, most, |rung| !*rung);
        *woken.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}
