//! Whose instant -> how much later it starts. The same after a restart and on every machine, and unlike its neighbours'.

use crate::Schedule;
use types::{Digest, PipelineName, TenantId};

/// Whose schedule it is.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    pub tenant: &'a TenantId,
    pub pipeline: &'a PipelineName,
}

impl Schedule {
    /// When an instant may start: no more than the jitter later than it is.
    pub fn starts_us(&self, whose: Whose<'_>, at_us: i64) -> i64 {
        let Ok(jitter @ 1..) = u64::try_from(self.jitter_us) else { return at_us };
        let digest = Digest::of_json(&("jitter", whose.tenant, whose.pipeline, at_us));
        let mut drawn = [0; 8];
        drawn.copy_from_slice(&digest.as_bytes()[..8]);
        at_us + i64::try_from(u64::from_le_bytes(drawn) % jitter).unwrap_or(0)
    }
}
