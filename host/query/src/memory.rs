//! A query's memory, divided before it runs, so that who spills when depends on nobody's speed.
//!
//! The engine's own fair pool divides by who is at work at the moment. An operator that spills gives its groups in another
//! order and adds its numbers in another, so that would be chance in the answer. Here half of the memory belongs to the operators
//! that can spill, a fixed share each; the rest (tables of joins, rows on their way) shares the other half.

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The memory of one query.
#[derive(Debug)]
pub(crate) struct Shares {
    whole: usize,
    /// What each that can spill may hold. None before the query is planned, when nobody holds any.
    share: AtomicUsize,
    /// What the others may hold together, and hold.
    common: AtomicUsize,
    held: AtomicUsize,
    reserved: AtomicUsize,
}

impl Shares {
    pub(crate) fn new(whole: u64) -> Self {
        let whole = usize::try_from(whole).unwrap_or(usize::MAX);
        let (share, held, reserved) = Default::default();
        Self { whole, share, common: AtomicUsize::new(whole), held, reserved }
    }

    /// For a query in which so many can spill.
    pub(crate) fn divide(&self, spilling: usize) -> usize {
        let share = (self.whole / 2).checked_div(spilling).unwrap_or(0);
        self.share.store(share, Ordering::Relaxed);
        self.common.store(if spilling == 0 { self.whole } else { self.whole / 2 }, Ordering::Relaxed);
        share
    }
}

fn exhausted(consumer: &MemoryConsumer, wanted: usize, most: usize) -> DataFusionError {
    DataFusionError::ResourcesExhausted(format!("{} wants {wanted} bytes of {most}", consumer.name()))
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl MemoryPool for Shares {
    fn name(&self) -> &str {
        "shares"
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.reserved.fetch_add(additional, Ordering::Relaxed);
        if !reservation.consumer().can_spill() {
            self.held.fetch_add(additional, Ordering::Relaxed);
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.reserved.fetch_sub(shrink, Ordering::Relaxed);
        if !reservation.consumer().can_spill() {
            self.held.fetch_sub(shrink, Ordering::Relaxed);
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let consumer = reservation.consumer();
        if consumer.can_spill() {
            let (wanted, most) = (reservation.size().saturating_add(additional), self.share.load(Ordering::Relaxed));
            if wanted > most {
                return Err(exhausted(consumer, wanted, most));
            }
            self.reserved.fetch_add(additional, Ordering::Relaxed);
            return Ok(());
        }
        let most = self.common.load(Ordering::Relaxed);
        let grown = |held: usize| held.checked_add(additional).filter(|wanted| *wanted <= most);
        match self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown) {
            Ok(_) => {
                self.reserved.fetch_add(additional, Ordering::Relaxed);
                Ok(())
            }
            Err(held) => Err(exhausted(consumer, held.saturating_add(additional), most)),
        }
    }

    fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_share_is_the_same_whoever_else_is_at_work() {
        let shares = Arc::new(Shares::new(1000));
        assert_eq!(shares.divide(5), 100);
        let pool: Arc<dyn MemoryPool> = shares;
        let spilling = |name: &str| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let (one, other, join) = (spilling("one"), spilling("other"), MemoryConsumer::new("join").register(&pool));
        one.try_grow(100).unwrap();
        other.try_grow(1).unwrap();
        join.try_grow(500).unwrap();
        assert!(one.try_grow(1).is_err() && join.try_grow(1).is_err());
        assert_eq!(pool.reserved(), 601);
        join.free();
        join.try_grow(400).unwrap();
        drop((one, other, join));
        assert_eq!(pool.reserved(), 0);
    }
}
