//! How much of its quota `storage` a tenant has taken: its blobs, counted as they come, and what the server keeps for it
//! elsewhere.

use crate::disk::measure;
use crate::open::tenant_folder;
use crate::{Error, Result, Store};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use types::TenantId;

/// Bytes by tenant; those of a tenant without a quota are counted once somebody asks.
#[derive(Default)]
pub(crate) struct Space(Mutex<BTreeMap<TenantId, Taken>>);

#[derive(Default, Clone, Copy)]
struct Taken {
    blobs: u64,
    elsewhere: u64,
    /// Of records that guests gave, since `elsewhere` was told.
    records: u64,
}

impl Taken {
    fn all(&self) -> u64 {
        self.blobs.saturating_add(self.elsewhere).saturating_add(self.records)
    }
}

impl Space {
    pub(crate) fn forget(&self, tenant: &TenantId) {
        self.taken().remove(tenant);
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<TenantId, Taken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Bytes that count against the tenant's quota `storage`. `elsewhere` is what is kept for it beside its blobs now, its
    /// journal among it, and counts until it is told anew.
    pub fn storage_bytes(&self, tenant: &TenantId, elsewhere: u64) -> Result<u64> {
        self.entry(tenant)?;
        let mut all = self.space.taken();
        let taken = self.measured(&mut all, tenant)?;
        (taken.elsewhere, taken.records) = (elsewhere, 0);
        Ok(taken.all())
    }

    /// Counts a blob before it is written, or refuses it.
    pub(crate) fn take_space(&self, tenant: &TenantId, bytes: u64) -> Result<()> {
        self.take(tenant, bytes, |taken| &mut taken.blobs)
    }

    /// Counts records before they are written, or refuses them.
    pub(crate) fn take_space_of_records(&self, tenant: &TenantId, bytes: u64) -> Result<()> {
        self.take(tenant, bytes, |taken| &mut taken.records)
    }

    fn take(&self, tenant: &TenantId, bytes: u64, counted: impl Fn(&mut Taken) -> &mut u64) -> Result<()> {
        let limit = self.entry(tenant)?.quota.storage_bytes;
        let mut all = self.space.taken();
        if limit.is_none() && !all.contains_key(tenant) {
            return Ok(());
        }
        let taken = self.measured(&mut all, tenant)?;
        let used = taken.all();
        match limit {
            Some(limit) if used.saturating_add(bytes) > limit => Err(Error::Storage { used, more: bytes, limit }),
            _ => {
                let counted = counted(taken);
                *counted = counted.saturating_add(bytes);
                Ok(())
            }
        }
    }

    /// Takes back what was counted for a blob that did not come to be, or went.
    pub(crate) fn give_space_back(&self, tenant: &TenantId, bytes: u64) {
        if let Some(taken) = self.space.taken().get_mut(tenant) {
            taken.blobs = taken.blobs.saturating_sub(bytes);
        }
    }

    fn measured<'a>(&self, all: &'a mut BTreeMap<TenantId, Taken>, tenant: &TenantId) -> Result<&'a mut Taken> {
        if !all.contains_key(tenant) {
            let (_, blobs) = measure(&tenant_folder(&self.data, tenant).join("blobs"))?;
            all.insert(tenant.clone(), Taken { blobs, ..Taken::default() });
        }
        Ok(all.entry(tenant.clone()).or_default())
    }
}
