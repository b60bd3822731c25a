//! A past span of a schedule -> the instants to run for it, and how many may run now.
//!
//! Who asks for a span means all of it: neither start and end of the schedule nor its pause cut it short, and nothing in it
//! is passed over. So its overlap can be one after another or all at once, and not the kinds that drop instants.

use crate::turns::Turn;
use crate::{Choice, Instant, Order, Overlap, Schedule};
use types::Problem;

/// Instants of one backfill.
pub const BACKFILL_MAX: usize = 10_000;

/// What a backfill runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// In the order in which they are to run.
    instants: Vec<Instant>,
    overlap: Overlap,
}

/// Plans a backfill of the instants from one moment to another, both included.
pub fn backfill(
    schedule: &Schedule,
    from_us: i64,
    to_us: i64,
    overlap: Overlap,
    order: Order,
) -> Result<Backfill, Problem> {
    if !matches!(overlap, Overlap::BufferAll | Overlap::Allow) {
        let message = format!("a backfill with `{}` would drop instants that it was asked for", overlap.word());
        let hint = "`buffer-all` runs them one after another, `allow` beside each other";
        return Err(Problem::new(message).hinted(hint));
    }
    let comes = |turn| match turn {
        Turn::Comes(instant) => Some(instant),
        Turn::LeftOut { .. } => None,
    };
    let turns = schedule.turns(from_us.saturating_sub(1), to_us);
    let mut instants: Vec<_> = turns.filter_map(comes).take(BACKFILL_MAX + 1).collect();
    if instants.len() > BACKFILL_MAX {
        let message = format!("the span has more than {BACKFILL_MAX} instants");
        return Err(Problem::new(message).hinted("run it in several backfills"));
    }
    if order == Order::Newest {
        instants.reverse();
    }
    Ok(Backfill { instants, overlap })
}

impl Backfill {
    /// All that it runs, in order.
    pub fn instants(&self) -> &[Instant] {
        &self.instants
    }

    /// What is to begin now, after the first `begun` began and while `running` of them are under way.
    pub fn due(&self, begun: usize, running: usize) -> &[Instant] {
        let rest = self.instants.get(begun..).unwrap_or_default();
        match self.overlap {
            Overlap::Allow => rest,
            _ if running > 0 => &[],
            _ => rest.get(..1).unwrap_or_default(),
        }
    }
}
