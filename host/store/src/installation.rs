//! The installation's journal, and what it says of tenants: who there is, what each may reach and use up.
//!
//! It is small and changes seldom, so it has no index: its state is a map in memory, made of all records at open. A
//! tenant's folder is made by its first record or blob and never by a read; whose name no record holds has none. `default`
//! is there without a record.

use crate::disk::Folders;
use crate::journal::{Log, Mark, Owner};
use crate::recovery::{Recovery, Torn};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use types::{InstallationRecord, Policy, Quota, TenantId};

/// A tenant, as the installation's records have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantEntry {
    pub policy: Policy,
    pub quota: Quota,
    pub suspended: bool,
    /// Microseconds since 1970-01-01 UTC; none of `default`, which was always there.
    pub created_us: Option<i64>,
}

/// Who there is, and who there was.
#[derive(Debug)]
pub(crate) struct State {
    tenants: BTreeMap<TenantId, TenantEntry>,
    /// Deleted and not created anew: what is left of them anywhere is to be removed.
    deleted: BTreeSet<TenantId>,
}

pub(crate) struct Installation {
    folder: PathBuf,
    /// None once a write failed: nobody can say what the file's end is.
    log: Mutex<Option<Log>>,
    state: RwLock<State>,
}

impl State {
    fn new() -> Self {
        let tenants = BTreeMap::from([(TenantId::default_tenant(), TenantEntry::default())]);
        Self { tenants, deleted: BTreeSet::new() }
    }

    pub(crate) fn entry(&self, tenant: &TenantId) -> Result<&TenantEntry> {
        self.tenants.get(tenant).ok_or_else(|| Error::NoTenant { tenant: tenant.clone() })
    }

    pub(crate) fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.tenants.keys()
    }

    pub(crate) fn deleted(&self) -> &BTreeSet<TenantId> {
        &self.deleted
    }

    /// Whether the record contradicts nothing that happened.
    fn admits(&self, record: &InstallationRecord) -> Result<()> {
        match record {
            InstallationRecord::TenantCreated { tenant, .. } if self.tenants.contains_key(tenant) => {
                Err(Error::Taken { tenant: tenant.clone() })
            }
            InstallationRecord::TenantCreated { .. } => Ok(()),
            InstallationRecord::TenantDeleted { tenant, .. } if tenant.is_default() => Err(Error::Default),
            other => self.entry(other.tenant()).map(drop),
        }
    }

    fn apply(&mut self, record: InstallationRecord) -> Result<()> {
        self.admits(&record)?;
        let tenant = record.tenant().clone();
        match record {
            InstallationRecord::TenantDeleted { .. } => {
                self.tenants.remove(&tenant);
                self.deleted.insert(tenant);
                return Ok(());
            }
            InstallationRecord::TenantCreated { policy, at_us, .. } => {
                self.deleted.remove(&tenant);
                let entry = TenantEntry { policy, created_us: Some(at_us), ..TenantEntry::default() };
                self.tenants.insert(tenant, entry);
                return Ok(());
            }
            _ => {}
        }
        let entry = self.tenants.entry(tenant).or_default();
        match record {
            InstallationRecord::PolicySet { policy, .. } => entry.policy = policy,
            InstallationRecord::QuotaSet { quota, .. } => entry.quota = quota,
            InstallationRecord::TenantSuspended { .. } => entry.suspended = true,
            InstallationRecord::TenantResumed { .. } => entry.suspended = false,
            InstallationRecord::TenantCreated { .. } | InstallationRecord::TenantDeleted { .. } => {}
        }
        Ok(())
    }
}

impl Installation {
    /// Opens the journal if there is one, and cuts a torn tail off. It is made by its first record.
    pub(crate) fn open(folders: &Folders, data: &Path, recovery: &mut Recovery) -> Result<Self> {
        let (folder, mut state) = (data.join("installation"), State::new());
        let (log, found) = Log::open(folders, &folder, Owner::Installation, None)?;
        if let Some((file, offset, bytes)) = found.torn {
            recovery.truncated_bytes += bytes;
            recovery.torn.push(Torn { tenant: None, file, offset, bytes });
        }
        log.replay(Owner::Installation, None, |records, _| {
            records.into_iter().try_for_each(|(_, record)| state.apply(record))
        })?;
        Ok(Self { folder, log: Mutex::new(Some(log)), state: RwLock::new(state) })
    }

    /// The end of its journal; none once a write failed.
    pub(crate) fn end(&self) -> Option<Mark> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Log::end)
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the record is on disk and in the state, or it is refused and neither.
    pub(crate) fn append(&self, record: InstallationRecord) -> Result<()> {
        let mut held = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        self.state().admits(&record)?;
        let json = serde_json::to_string(&record).map_err(|error| Error::Unwritable(error.to_string()))?;
        let poisoned = || Error::Poisoned { path: self.folder.clone(), why: "an earlier write failed".to_owned() };
        let mut log = held.take().ok_or_else(poisoned)?;
        log.make_room(json.len())?;
        let mut draft = log.draft();
        draft.add(&json);
        log.write(&draft)?;
        *held = Some(log);
        self.state.write().unwrap_or_else(PoisonError::into_inner).apply(record)
    }
}
