//! What each tenant's requests may take of this process, and have taken: of bytes ([`Room`]) and of work ([`Turns`]).

use crate::body::Room;
use crate::turns::Turns;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use types::TenantId;

/// The shares of all tenants.
#[derive(Clone, Default)]
pub(crate) struct Shares {
    /// The bytes that all tenants hold.
    all: Arc<AtomicUsize>,
    of: Arc<Mutex<BTreeMap<TenantId, (Room, Turns)>>>,
}

impl Shares {
    /// What whoever is yet to prove who calls has, as if all of them were one tenant: they take nothing from whom they name.
    pub(crate) fn strangers(&self) -> Room {
        Room::new(&self.all)
    }

    /// A tenant's. Whose of which nothing is taken are forgotten when another one comes.
    pub(crate) fn of(&self, tenant: &TenantId) -> (Room, Turns) {
        let mut shares = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(tenant) {
            return share.clone();
        }
        shares.retain(|_, (room, turns)| !room.is_unused() || !turns.is_unused());
        let share = (Room::new(&self.all), Turns::default());
        shares.insert(tenant.clone(), share.clone());
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Id;

    #[tokio::test]
    async fn a_share_is_kept_while_something_of_it_is_taken() {
        let shares = Shares::default();
        let tenant = |number: usize| TenantId::parse(&format!("tenant-{number}")).unwrap();
        let lease = shares.of(&tenant(0)).0.lease(1).unwrap_or_else(|_| panic!("there is room"));
        (1..100).for_each(|number| drop(shares.of(&tenant(number))));
        let names: Vec<_> = shares.of.lock().unwrap().keys().cloned().collect();
        assert_eq!(names, [tenant(0), tenant(99)]);
        drop(lease);
        shares.of(&tenant(1));
        assert_eq!(shares.of.lock().unwrap().len(), 1);
        // What nobody waits for any more may still be under way.
        let turn = shares.of(&tenant(1)).1.take(1).await.unwrap_or_else(|_| panic!("it is its turn"));
        shares.of(&tenant(2));
        assert_eq!(shares.of.lock().unwrap().len(), 2);
        drop(turn);
        shares.of(&tenant(3));
        assert_eq!(shares.of.lock().unwrap().len(), 1);
    }
}
