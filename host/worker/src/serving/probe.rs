//! A model, before it serves -> what it answers and what it takes where it would: a worker of its own is started, asked and ended.

use super::Seat;
use crate::pool::Pool;
use data::Table;
use ports::ServedModel;
use std::sync::Arc;
use std::time::{Duration, Instant};
use types::{Fault, FaultKind, TenantId};

/// Requests that are timed, and the time after which there are no more.
const REQUESTS: usize = 200;
const LONGEST: Duration = Duration::from_secs(4);

/// What was seen.
#[derive(Debug, Clone)]
pub struct Probed {
    /// The answers to the first rows, each asked alone.
    pub alone: Table,
    /// To the same rows, asked as one request.
    pub together: Table,
    /// What each request of one row took, from its rows to its answer; there is at least one.
    pub took: Vec<Duration>,
    /// The most that the worker had resident.
    pub memory_bytes: u64,
}

/// Asks about these rows, of which there is at least one, in turn. An error means that it could not serve.
pub fn probe(
    pool: &Arc<Pool>,
    tenant: &TenantId,
    model: ServedModel,
    rows: &Table,
    cancelled: &dyn Fn() -> bool,
) -> Result<Probed, Fault> {
    let mut seat = Seat::new(Arc::clone(pool), tenant.clone(), model)?;
    // A version that serves was warmed.
    seat.ask(&rows.slice(0, 1))?;
    let (begun, mut took, mut alone) = (Instant::now(), Vec::new(), Vec::new());
    while took.len() < REQUESTS && (took.is_empty() || begun.elapsed() < LONGEST) {
        if cancelled() {
            return Err(Fault::new(FaultKind::Cancelled, "was cancelled"));
        }
        let row = rows.slice(took.len() as u64 % rows.rows().max(1), 1);
        let asked = Instant::now();
        let (answer, _) = seat.ask(&row)?;
        took.push(asked.elapsed());
        if (alone.len() as u64) < rows.rows() {
            alone.push(answer);
        }
    }
    let (together, _) = seat.ask(&rows.slice(0, alone.len() as u64))?;
    let memory_bytes = seat.process.as_ref().map_or(0, |process| process.peak_bytes());
    let alone = Table::concat(&alone).map_err(Fault::host)?;
    Ok(Probed { alone, together, took, memory_bytes })
}
