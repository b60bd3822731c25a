//! A tenant's journal -> a shorter one: closed segments without what runs that were forgotten recorded.
//!
//! A record says so before a segment is changed, and by what it is replaced: a segment that was folded by nobody we know is damage
//! to an audit. A crash leaves the segment as it was, or as the record says. What the index is made of stays: heads of runs (their
//! numbers and causes are used up), pages, versions, and all that is the tenant's as a whole.

use crate::journal::{self, Fold};
use crate::open::journal_folder;
use crate::tenant::Tenant;
use crate::{Error, Result, Store};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, PoisonError};
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
        let Some(open) = self.opened(tenant)? else { return Ok(all) };
        let Some(end) = open.end() else { return Ok(all) };
        // After the end: whatever began before it is known.
        let known: BTreeSet<RunId> = self.runs(tenant)?.into_iter().map(|run| run.head.run).collect();
        let is_spent =
            |record: &Record| spent(record).is_some_and(|run| !known.contains(&run) || without.contains(&run));
        for path in journal::closed(&journal_folder(&self.data, tenant), &end)? {
            let at_us = (!is_trial).then_some(at_us);
            if let Some(bytes) = self.fold_one((tenant, &open), &path, &is_spent, at_us)? {
                (all.segments, all.bytes) = (all.segments + 1, all.bytes + bytes);
            }
        }
        Ok(all)
    }

    /// Folds a closed segment of a tenant as it was opened, or without a time only looks; says how many bytes go, if enough do.
    /// While it is looked at and written its tenant is not deleted, so that it is not written to another of the same name.
    pub(crate) fn fold_one(
        &self,
        (tenant, open): (&TenantId, &Arc<Tenant>),
        path: &Path,
        is_spent: &dyn Fn(&Record) -> bool,
        at_us: Option<i64>,
    ) -> Result<Option<u64>> {
        let _no_deletion = self.writing.read().unwrap_or_else(PoisonError::into_inner);
        if !self.opened(tenant)?.is_some_and(|now| Arc::ptr_eq(&now, open)) {
            return Err(Error::NoTenant { tenant: tenant.clone() });
        }
        let fold = Fold::of(path, is_spent)?;
        if !fold.is_worth_it() {
            return Ok(None);
        }
        if let Some(at_us) = at_us {
            fold.draft()?;
            let Fold { segment, gone, .. } = fold;
            let record = Record::SegmentFolded { segment, digest: fold.digest(), records: gone, at_us };
            // By the tenant itself: to look it up anew could wait for a deletion, which waits for us.
            open.append(&[record])?;
            // What the index stands at lies behind every segment that is folded.
            self.index.flush()?;
            fold.take()?;
        }
        Ok(Some(fold.saved))
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
