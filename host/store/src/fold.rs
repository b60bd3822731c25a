//! A tenant's journal -> a shorter one: closed segments without what runs that were forgotten recorded.
//!
//! A record says so before a segment is changed, and by what it is replaced: a segment that was folded by nobody we know is damage
//! to an audit. A crash leaves the segment as it was, or as the record says. What the index is made of stays: heads of runs (their
//! numbers and causes are used up), pages, versions, and all that is the tenant's as a whole.

use crate::journal::{self, Fold};
use crate::open::journal_folder;
use crate::{Result, Store};
use ports::Journal;
use std::collections::BTreeSet;
use types::{Fault, Record, RunId, TenantId};

/// What was folded, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Folded {
    pub segments: u64,
    /// That the journal is shorter.
    pub bytes: u64,
}

impl Store {
    /// Folds the closed segments of a tenant of which enough would go. `without` are runs that are to count as forgotten; `is_trial`
    /// only counts. One at a time, and nobody may audit meanwhile.
    pub fn fold(
        &self,
        tenant: &TenantId,
        without: &BTreeSet<RunId>,
        is_trial: bool,
        at_us: i64,
    ) -> Result<Folded, Fault> {
        let mut all = Folded::default();
        let Some(end) = self.opened(tenant)?.and_then(|open| open.end()) else { return Ok(all) };
        // After the end: whatever began before it is known.
        let known: BTreeSet<RunId> = self.runs(tenant)?.into_iter().map(|run| run.head.run).collect();
        let is_spent =
            |record: &Record| spent(record).is_some_and(|run| !known.contains(&run) || without.contains(&run));
        for path in journal::closed(&journal_folder(&self.data, tenant), &end)? {
            let fold = Fold::of(&path, &is_spent)?;
            if !fold.is_worth_it() {
                continue;
            }
            if !is_trial {
                self.replace(tenant, &fold, at_us)?;
            }
            (all.segments, all.bytes) = (all.segments + 1, all.bytes + fold.saved);
        }
        Ok(all)
    }

    fn replace(&self, tenant: &TenantId, fold: &Fold, at_us: i64) -> Result<(), Fault> {
        fold.draft()?;
        let Fold { segment, gone, .. } = *fold;
        self.append(tenant, &[Record::SegmentFolded { segment, digest: fold.digest(), records: gone, at_us }])?;
        // What the index stands at lies behind every segment that is folded.
        self.index.flush()?;
        Ok(fold.take()?)
    }
}

/// The run without which nobody asks for a record; none of a record that the index is made of.
fn spent(record: &Record) -> Option<RunId> {
    match record {
        Record::AttemptStarted { run, .. }
        | Record::CheckpointSaved { run, .. }
        | Record::StepCommitted { run, .. }
        | Record::AttemptFailed { run, .. }
        | Record::CancelAsked { run, .. }
        | Record::StepExpanded { run, .. }
        | Record::VersionChosen { run, .. }
        | Record::StepSkipped { run, .. }
        | Record::RunFinished { run, .. }
        | Record::Notified { run, .. } => Some(*run),
        _ => None,
    }
}
