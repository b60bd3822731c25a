//! A tenant's quota of bytes that requests carry: one count, shared by all its attempts of a day.

use std::sync::atomic::{AtomicU64, Ordering};
use types::{Fault, Quantity, QuotaKind};

/// Bodies both ways, so far and at most.
#[derive(Debug)]
pub struct Egress {
    used: AtomicU64,
    limit: AtomicU64,
}

impl Egress {
    /// So many bytes went already; without a limit all are only counted.
    pub fn new(used: u64, limit: Option<u64>) -> Self {
        let egress = Self { used: AtomicU64::new(used), limit: AtomicU64::new(0) };
        egress.set_limit(limit);
        egress
    }

    /// Holds from the next request on.
    pub fn set_limit(&self, limit: Option<u64>) {
        self.limit.store(limit.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes so far.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether a request with so large a body may go. How long the answer is nobody knows: the one that crosses the limit is
    /// the last.
    pub(crate) fn admit(&self, bytes: u64) -> Result<(), Fault> {
        let (used, limit) = (self.used(), self.limit.load(Ordering::Relaxed));
        match used < limit && bytes <= limit - used {
            true => Ok(()),
            false => Err(Fault::quota(QuotaKind::Egress, Quantity::Bytes(used).about(), Quantity::Bytes(limit))),
        }
    }

    pub(crate) fn count(&self, bytes: u64) {
        // The count begins with what a file said: it must not begin anew beyond the largest number.
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_add(bytes)));
    }
}
