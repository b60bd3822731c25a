//! Records and blobs <-> disk. The only crate that knows sled.
//!
//! ```text
//!  append --journal::Log--> segments (the truth) --apply--> operations --index::Walls--> sled (derived, rebuildable)
//!  put, adopt --blobs--> files named by digest                             \--reads--> runs, models, versions, sources
//! ```
//! Beneath the data folder:
//! ```text
//!  index/                                 one sled database for all tenants; may be deleted at any time
//!  quarantine-N/                          an index that could not be believed, kept for whoever wants to know why
//!  tenants/TENANT/journal/00000001.segment
//!  tenants/TENANT/blobs/ab/cdef...        64 digits in all
//!  tenants/TENANT/incoming/               blobs being written; emptied at open
//! ```
//! One process owns the folder; its lock is the server's affair. A record may only point at a blob that was put before.

mod apply;
mod blobs;
mod disk;
mod error;
mod index;
mod journal;
mod open;
mod reads;
mod recovery;
mod tenant;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use reads::{ModelSummary, RunSummary};
pub use recovery::{Rebuilt, Recovery, Torn};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use types::TenantId;

/// What a crate-internal function gives.
type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything of a data folder: journals, index, blobs. Shared between threads behind an `Arc`.
pub struct Store {
    data: PathBuf,
    index: Arc<dyn index::Index>,
    tenants: RwLock<BTreeMap<TenantId, Arc<tenant::Tenant>>>,
    folders: disk::Folders,
}

impl Store {
    /// Opens the data folder, made if need be: journals checked from their first byte and cut at a torn tail, index
    /// brought up to them or, if it cannot be believed, quarantined and rebuilt. The recovery says what was done.
    pub fn open(data: &Path) -> Result<(Self, Recovery)> {
        open::open(data)
    }

    /// The tenants known here, by name: those that had a folder at open, and those that appended since.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.all().keys().cloned().collect()
    }

    fn all(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<TenantId, Arc<tenant::Tenant>>> {
        self.tenants.read().expect("no holder of this lock panics")
    }

    /// The tenant, made at its first record.
    fn tenant(&self, id: &TenantId) -> Result<Arc<tenant::Tenant>> {
        if let Some(tenant) = self.all().get(id) {
            return Ok(tenant.clone());
        }
        let mut tenants = self.tenants.write().expect("no holder of this lock panics");
        if let Some(tenant) = tenants.get(id) {
            return Ok(tenant.clone());
        }
        let (log, _) = journal::Log::open(&self.folders, &open::journal_folder(&self.data, id), id, None)?;
        let tenant = Arc::new(tenant::Tenant::new(log, index::Walls::new(self.index.clone(), id)));
        tenants.insert(id.clone(), tenant.clone());
        Ok(tenant)
    }
}
