//! A tenant's disk: batches of records, whole or none, and blobs. What is known follows from the records alone.

use crate::bugs::Bug;
use crate::deployments::content;
use crate::known::{self, Known};
use crate::script::{Tenant, When};
use std::collections::BTreeSet;
use types::{Digest, Record};

/// Why something did not go on.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The server is gone.
    Died,
    /// The disk takes no more.
    Full,
    /// A cause that may start one run has started one.
    Conflict,
    /// What must never be.
    Broken(String),
}

pub(crate) type Result<T> = std::result::Result<T, Halt>;

pub(crate) fn broken<T>(what: impl Into<String>) -> Result<T> {
    Err(Halt::Broken(what.into()))
}

pub(crate) struct Disk<'s> {
    batches: Vec<Vec<Record>>,
    /// The beginning of a batch that was being written when the server died.
    torn: Vec<Record>,
    pub blobs: BTreeSet<Digest>,
    pub known: Known<'s>,
}

impl<'s> Disk<'s> {
    pub(crate) fn new(tenant: &'s Tenant, begins_us: i64) -> Self {
        let (batches, torn, blobs) = (Vec::new(), Vec::new(), [content(1)].into());
        Self { batches, torn, blobs, known: Known::new(tenant, begins_us) }
    }

    /// Appends a batch, all or none, or dies on it.
    pub(crate) fn append(&mut self, records: &[Record], dies: Option<When>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        if records.iter().any(|record| self.known.conflicts(record)) {
            return Err(Halt::Conflict);
        }
        match dies {
            Some(When::Now | When::Before) => return Err(Halt::Died),
            Some(When::Torn) => {
                self.torn = records[..records.len() / 2].to_vec();
                return Err(Halt::Died);
            }
            Some(When::After) | None => {}
        }
        for record in records {
            if known::blobs_of(record).iter().any(|blob| !self.blobs.contains(blob)) {
                return broken(format!("a record names a blob that is not there: {record:?}"));
            }
        }
        self.batches.push(records.to_vec());
        records.iter().try_for_each(|record| self.known.apply(record))?;
        self.known.settled()?;
        match dies {
            Some(_) => Err(Halt::Died),
            None => Ok(()),
        }
    }

    /// As the next server finds it: all that is known is read anew.
    pub(crate) fn reopen(&mut self, tenant: &'s Tenant, begins_us: i64, bug: Option<Bug>) -> Result<()> {
        if bug == Some(Bug::AcknowledgesTooEarly) {
            self.batches.pop();
        }
        self.torn.clear();
        self.known = Known::new(tenant, begins_us);
        for batch in &self.batches {
            batch.iter().try_for_each(|record| self.known.apply(record))?;
            self.known.settled()?;
        }
        Ok(())
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.batches.iter().flatten()
    }

    /// Removes what neither a record names nor anybody counts on.
    pub(crate) fn sweep(&mut self, young: &BTreeSet<Digest>, bug: Option<Bug>) {
        let named = self.known.named(bug);
        let is_young = |blob: &Digest| bug != Some(Bug::SweepsWhatIsYoung) && young.contains(blob);
        self.blobs.retain(|blob| named.contains(blob) || is_young(blob));
    }
}
