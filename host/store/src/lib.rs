//! Records and blobs <-> disk. The only crate that knows sled.
//!
//! ```text
//!  append --journal::Log--> segments (the truth) --apply--> operations --index::Walls--> sled (derived, rebuildable)
//!  put, adopt --blobs--> files named by digest                             \--reads--> runs, models, versions, sources
//! ```
//! Beneath the data folder:
//! ```text
//!  installation/00000001.segment          who there is, and what each may
//!  index/                                 one sled database for all tenants; may be deleted at any time
//!  quarantine-N/                          an index that could not be believed, kept for whoever wants to know why
//!  tenants/TENANT/journal/00000001.segment
//!  tenants/TENANT/blobs/ab/cdef...        64 digits in all
//!  tenants/TENANT/incoming/               blobs being written; emptied at open
//! ```
//! A segment has 64 MiB; what forgotten runs recorded goes from those that are full (`fold`). One process owns the folder; its
//! lock is the server's affair. A record may only point at a blob that was put before.

mod apply;
mod audit;
mod blobs;
mod deletion;
mod disk;
mod error;
mod fold;
mod gc;
mod index;
mod installation;
mod journal;
mod open;
mod reads;
mod recovery;
mod space;
mod tenant;
#[cfg(test)]
mod tests;
mod young;

pub use apply::{BackfillEntry, KeyEntry};
pub use audit::{Audited, AuditedJournal, audit};
pub use error::Error;
pub use fold::Folded;
pub use gc::Swept;
pub use installation::TenantEntry;
pub use reads::{ModelSummary, RunSummary};
pub use recovery::{Rebuilt, Recovery, Torn};
pub use young::Hold;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use types::{InstallationRecord, TenantId};

/// What a crate-internal function gives.
type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything of a data folder: journals, index, blobs. Shared between threads behind an `Arc`.
pub struct Store {
    data: PathBuf,
    installation: installation::Installation,
    index: Arc<dyn index::Index>,
    /// Those that were opened: at open, or by their first record.
    tenants: RwLock<BTreeMap<TenantId, Arc<tenant::Tenant>>>,
    /// Held by whoever writes a tenant's files; whoever removes any waits for all of them.
    writing: RwLock<()>,
    folders: disk::Folders,
    space: space::Space,
    young: Arc<young::Young>,
}

impl Store {
    /// Opens the data folder, made if need be: journals checked from their first byte and cut at a torn tail, index
    /// brought up to them or, if it cannot be believed, quarantined and rebuilt, deletions finished. The recovery says what
    /// was done.
    pub fn open(data: &Path) -> Result<(Self, Recovery)> {
        open::open(data)
    }

    /// The tenants there are, by name.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.installation.state().tenants().cloned().collect()
    }

    /// What the installation's records say of a tenant; an error if there is none of this name.
    pub fn entry(&self, tenant: &TenantId) -> Result<TenantEntry> {
        self.installation.state().entry(tenant).cloned()
    }

    /// Records a change of the installation. Deletions go through [`Store::delete`].
    pub fn administer(&self, record: InstallationRecord) -> Result<()> {
        self.installation.append(record)
    }

    /// The tenant as it was opened; none if it never wrote.
    fn opened(&self, id: &TenantId) -> Result<Option<Arc<tenant::Tenant>>> {
        self.entry(id)?;
        Ok(self.tenants.read().expect("no holder of this lock panics").get(id).cloned())
    }

    /// The tenant, opened by its first record.
    fn tenant(&self, id: &TenantId) -> Result<Arc<tenant::Tenant>> {
        if let Some(tenant) = self.opened(id)? {
            return Ok(tenant);
        }
        let _no_deletion = self.writing.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut tenants = self.tenants.write().expect("no holder of this lock panics");
        self.entry(id)?;
        if let Some(tenant) = tenants.get(id) {
            return Ok(tenant.clone());
        }
        let folder = open::journal_folder(&self.data, id);
        let (log, _) = journal::Log::open(&self.folders, &folder, journal::Owner::Tenant(id), None)?;
        let tenant = tenant::Tenant::new(folder, log, index::Walls::new(self.index.clone(), id));
        tenants.insert(id.clone(), tenant.clone());
        Ok(tenant)
    }
}

impl Drop for Store {
    /// Awaits the journals' threads: what they hold on to is gone with the store.
    fn drop(&mut self) {
        let tenants = self.tenants.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        tenants.values().for_each(|tenant| tenant.rest());
    }
}
