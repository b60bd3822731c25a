//! A tenant -> nothing. The record comes first and decides; what it left undone, the next open does. So a crash at any
//! instant leaves a tenant that is there whole, or one that is gone.

use crate::disk::{Folders, entries, measure};
use crate::index::{Index, Op};
use crate::open::tenant_folder;
use crate::{Error, Result, Store};
use std::path::{Path, PathBuf};
use types::{Id, InstallationRecord, Removed, TenantId};

impl Store {
    /// What is there of a tenant, in numbers.
    pub fn inventory(&self, tenant: &TenantId) -> Result<Removed, types::Fault> {
        let runs = self.runs(tenant)?.len() as u64;
        let versions = self.models(tenant)?.iter().map(|model| model.versions.len() as u64).sum();
        let (files, bytes) = measure(&tenant_folder(&self.data, tenant))?;
        let secrets = entries(&tenant_folder(&self.data, tenant).join("secrets"))?.len() as u64;
        Ok(Removed { runs, versions, secrets, files, bytes })
    }

    /// Deletes a tenant: from the record on nobody finds it, and when this returns nothing of it is left in the data
    /// folder but its records in the installation's journal. Whoever writes for it meanwhile is waited for.
    pub fn delete(&self, tenant: &TenantId, removed: Removed, at_us: i64) -> Result<()> {
        self.installation.append(InstallationRecord::TenantDeleted { tenant: tenant.clone(), removed, at_us })?;
        let _nobody_writes = self.writing.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let open = self.tenants.write().expect("no holder of this lock panics").remove(tenant);
        if let Some(open) = open {
            open.close("the tenant was deleted");
        }
        self.space.forget(tenant);
        self.young.forget(tenant);
        purge(self.index.as_ref(), &self.data, &self.folders, tenant)
    }

    /// Does something for a tenant that it must not do to another of the same name: meanwhile none is deleted. Not for what puts blobs or
    /// appends records, which see to that themselves.
    pub fn while_nobody_is_deleted<T>(&self, work: impl FnOnce() -> T) -> T {
        let _no_deletion = self.writing.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        work()
    }

    /// The tenants that were deleted: whoever keeps something of theirs elsewhere removes it.
    pub fn deleted(&self) -> Vec<TenantId> {
        self.installation.state().deleted().iter().cloned().collect()
    }

    /// What lies in the data folder under the tenant's name, or could hold it: nothing of one that was deleted.
    pub fn remains(&self, tenant: &TenantId) -> Result<Vec<PathBuf>> {
        let mut remains = quarantined(&self.data)?;
        remains.extend(Some(tenant_folder(&self.data, tenant)).filter(|folder| folder.symlink_metadata().is_ok()));
        if !keys(self.index.as_ref(), tenant)?.is_empty() {
            remains.push(self.data.join("index"));
        }
        Ok(remains)
    }
}

/// Removes a tenant's part of the index and its folder. An index in quarantine may hold its names, so that goes too: it was
/// kept for the curious only.
pub(crate) fn purge(index: &dyn Index, data: &Path, folders: &Folders, tenant: &TenantId) -> Result<()> {
    let keys = keys(index, tenant)?;
    if !keys.is_empty() {
        index.commit(keys.into_iter().map(Op::remove).collect())?;
        // What was removed still stands in the database's files until they are written anew.
        index.rewrite()?;
    }
    quarantined(data)?.iter().try_for_each(|folder| folders.remove(folder))?;
    folders.remove(&tenant_folder(data, tenant))
}

fn keys(index: &dyn Index, tenant: &TenantId) -> Result<Vec<Vec<u8>>> {
    let (mut keys, prefix) = (Vec::new(), [tenant.as_str().as_bytes(), b"\0"].concat());
    index.scan(&prefix, &mut |key, _| keys.push(key.to_vec()))?;
    Ok(keys)
}

fn quarantined(data: &Path) -> Result<Vec<PathBuf>> {
    let mut found = entries(data)?;
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("quarantine-")));
    Ok(found)
}

/// What stands under a name that no record holds is not ours to remove or to open.
pub(crate) fn foreign(path: PathBuf) -> Error {
    Error::Foreign { path, why: "no record says that this tenant was created".to_owned() }
}
