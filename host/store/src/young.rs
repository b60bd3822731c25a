//! Blobs that no record may name yet, though somebody counts on them: no sweep takes them. Knows no clock: they are young as
//! long as anything is under way for their tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use types::{Digest, TenantId};

/// By tenant: who is at work, and what was put or found meanwhile.
#[derive(Default)]
pub(crate) struct Young(Mutex<BTreeMap<TenantId, Nursery>>);

#[derive(Default)]
struct Nursery {
    holds: usize,
    /// The first bytes of digests, because there can be many. A blob that begins like another is kept with it.
    blobs: BTreeSet<[u8; 8]>,
}

/// While there is one of a tenant's, whatever is put or found for it is kept. To be had before the first such blob.
#[must_use = "what is put for the tenant is kept as long as this lives"]
pub struct Hold {
    young: Arc<Young>,
    tenant: TenantId,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut all = self.young.all();
        let Some(nursery) = all.get_mut(&self.tenant) else { return };
        nursery.holds = nursery.holds.saturating_sub(1);
        // Nobody is at work: what counts is in records.
        if nursery.holds == 0 {
            all.remove(&self.tenant);
        }
    }
}

impl Young {
    /// From now on; forgets what was put while nobody held anything.
    pub(crate) fn hold(self: &Arc<Self>, tenant: &TenantId) -> Hold {
        let mut all = self.all();
        let nursery = all.entry(tenant.clone()).or_default();
        if nursery.holds == 0 {
            nursery.blobs.clear();
        }
        nursery.holds += 1;
        Hold { young: Arc::clone(self), tenant: tenant.clone() }
    }

    /// To be called before the blob is looked for: from then on it is there, or whoever looks sees that it is not.
    pub(crate) fn insert(&self, tenant: &TenantId, digest: Digest) {
        self.all().entry(tenant.clone()).or_default().blobs.insert(start(digest));
    }

    /// Removes a blob, unless it is young; whether it was not. Nobody can make it young meanwhile.
    pub(crate) fn unless_young<E>(
        &self,
        tenant: &TenantId,
        digest: Digest,
        remove: impl FnOnce() -> Result<(), E>,
    ) -> Result<bool, E> {
        let all = self.all();
        match all.get(tenant).is_some_and(|nursery| nursery.blobs.contains(&start(digest))) {
            true => Ok(false),
            false => remove().map(|()| true),
        }
    }

    /// Whether somebody holds something.
    pub(crate) fn is_held(&self, tenant: &TenantId) -> bool {
        self.all().get(tenant).is_some_and(|nursery| nursery.holds > 0)
    }

    /// Of a tenant that is gone.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        if let Some(nursery) = self.all().get_mut(tenant) {
            nursery.blobs.clear();
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TenantId, Nursery>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start(digest: Digest) -> [u8; 8] {
    std::array::from_fn(|at| digest.as_bytes()[at])
}
