//! Whose attempt is next: slots are shared by all tenants, and none keeps another waiting for long. Pure: no clock, no
//! thread; the server's `admission` is the loop around it.
//!
//! - While another tenant waits, a tenant gets no slot beyond `max(1, slots - 1)`.
//! - Tenants that wait take turns; within a tenant the highest priority is first, and of equals whoever came first.
//! - Of a tenant's attempts for the same pool as many run as the pool says. Whoever waits for a place there holds nobody back.
//! - A tenant that has nothing running does not wait for a neighbour's attempt to end, which may take its whole limit: it
//!   gets a slot beyond the others, as long as there are not twice as many. The neighbour's workers are held back meanwhile.

use ports::Turn;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use types::{Pool, TenantId};

/// Who runs and who waits.
#[derive(Debug, Clone, Default)]
pub struct Share {
    slots: usize,
    running: BTreeMap<TenantId, usize>,
    /// How many of a tenant's that run are in the pool of this name. None stands at 0.
    pools: BTreeMap<(TenantId, String), u32>,
    /// No line is empty, and no tenant is without one.
    waiting: BTreeMap<TenantId, BTreeMap<Option<Pool>, Line>>,
    /// When each last got a slot, counted in slots given.
    served: BTreeMap<TenantId, u64>,
    given: u64,
}

/// One that waits, by a number of its own: whoever comes later has a higher one.
pub type Ticket = u64;

/// The lowest one is next: by priority, then first come.
type Place = (Reverse<i32>, Ticket);

/// A tenant's attempts for the same pool, the next one first.
type Line = BTreeSet<Place>;

impl Share {
    pub fn new(slots: usize) -> Self {
        Self { slots: slots.max(1), ..Self::default() }
    }

    pub fn running(&self, tenant: &TenantId) -> usize {
        self.running.get(tenant).copied().unwrap_or(0)
    }

    /// How many of the tenant's attempts that run are in the pool.
    pub fn in_pool(&self, tenant: &TenantId, pool: &Pool) -> u32 {
        self.pools.get(&(tenant.clone(), pool.name.clone())).copied().unwrap_or(0)
    }

    pub fn wait(&mut self, tenant: &TenantId, ticket: Ticket, turn: &Turn) {
        let lines = self.waiting.entry(tenant.clone()).or_default();
        lines.entry(turn.pool.clone()).or_default().insert((Reverse(turn.priority), ticket));
    }

    /// Whoever waited does not any more.
    pub fn leave(&mut self, tenant: &TenantId, ticket: Ticket, turn: &Turn) {
        self.remove(tenant, &turn.pool, &(Reverse(turn.priority), ticket));
    }

    fn remove(&mut self, tenant: &TenantId, pool: &Option<Pool>, place: &Place) {
        let Some(lines) = self.waiting.get_mut(tenant) else { return };
        if let Some(line) = lines.get_mut(pool) {
            line.remove(place);
        }
        lines.retain(|_, line| !line.is_empty());
        if lines.is_empty() {
            self.waiting.remove(tenant);
        }
    }

    /// Gives a slot to the next in turn, if there is one for anybody. `most` is a tenant's quota of attempts.
    pub fn start(&mut self, most: impl Fn(&TenantId) -> usize) -> Option<(TenantId, Ticket)> {
        let able: Vec<_> = self.waiting.keys().filter(|tenant| self.next(tenant).is_some()).collect();
        let (all, alone) = (self.running.values().sum(), able.len() == 1);
        let fits = |tenant: &&TenantId| self.fits(tenant, most(tenant), all, alone);
        let turn = |tenant: &&TenantId| self.served.get(*tenant).copied().unwrap_or(0);
        let tenant = able.into_iter().filter(fits).min_by_key(turn)?.clone();
        let (place, pool) = self.next(&tenant).map(|(place, pool)| (place, pool.clone()))?;
        self.remove(&tenant, &pool, &place);
        self.given += 1;
        self.served.insert(tenant.clone(), self.given);
        *self.running.entry(tenant.clone()).or_default() += 1;
        if let Some(pool) = pool {
            *self.pools.entry((tenant.clone(), pool.name)).or_default() += 1;
        }
        Some((tenant, place.1))
    }

    /// The tenant's attempt whose turn is next, among those whose pool has room.
    fn next(&self, tenant: &TenantId) -> Option<(Place, &Option<Pool>)> {
        // A pool without any place would have its attempts wait for ever.
        let room = |pool: &Pool| self.in_pool(tenant, pool) < pool.most.max(1);
        let lines = self.waiting.get(tenant)?.iter().filter(|(pool, _)| pool.as_ref().is_none_or(room));
        lines.filter_map(|(pool, line)| Some((*line.first()?, pool))).min_by_key(|(place, _)| *place)
    }

    /// An attempt that had a slot has ended.
    pub fn end(&mut self, tenant: &TenantId, turn: &Turn) {
        if let Some(pool) = &turn.pool {
            let key = (tenant.clone(), pool.name.clone());
            match self.pools.get_mut(&key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.pools.remove(&key)),
            }
        }
        match self.running.get_mut(tenant) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.running.remove(tenant)),
        }
    }

    /// Its turns are forgotten; it neither runs nor waits.
    pub fn forget(&mut self, tenant: &TenantId) {
        self.served.remove(tenant);
    }

    /// How many attempts of each tenant that runs any are beyond an equal share of the slots.
    pub fn beyond(&self) -> Vec<(TenantId, usize)> {
        let waiting = self.waiting.keys().filter(|tenant| !self.running.contains_key(*tenant)).count();
        let share = (self.slots / (self.running.len() + waiting).max(1)).max(1);
        self.running.iter().map(|(tenant, count)| (tenant.clone(), count.saturating_sub(share))).collect()
    }

    fn fits(&self, tenant: &TenantId, most: usize, all: usize, alone: bool) -> bool {
        let own = self.running(tenant);
        let cap = if alone { self.slots } else { (self.slots - 1).max(1) };
        let room = all < self.slots || (own == 0 && all < 2 * self.slots);
        own < cap.min(most) && room
    }
}

#[cfg(test)]
mod tests;
