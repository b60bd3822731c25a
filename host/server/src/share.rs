//! Whose attempt is next: slots are shared by all tenants, and none keeps another waiting for long. Pure: no clock, no
//! thread; `admission` is the loop around it.
//!
//! - While another tenant waits, a tenant gets no slot beyond `max(1, slots - 1)`.
//! - Tenants that wait take turns; within a tenant whoever came first is first.
//! - A tenant that has nothing running does not wait for a neighbour's attempt to end, which may take its whole limit: it
//!   gets a slot beyond the others, as long as there are not twice as many. The neighbour's workers are held back meanwhile.

use std::collections::{BTreeMap, VecDeque};
use types::TenantId;

/// Who runs and who waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Share {
    slots: usize,
    running: BTreeMap<TenantId, usize>,
    /// No queue is empty.
    waiting: BTreeMap<TenantId, VecDeque<Ticket>>,
    /// When each last got a slot, counted in slots given.
    served: BTreeMap<TenantId, u64>,
    given: u64,
}

/// One that waits, by a number of its own.
pub(crate) type Ticket = u64;

impl Share {
    pub(crate) fn new(slots: usize) -> Self {
        Self { slots: slots.max(1), ..Self::default() }
    }

    pub(crate) fn running(&self, tenant: &TenantId) -> usize {
        self.running.get(tenant).copied().unwrap_or(0)
    }

    pub(crate) fn wait(&mut self, tenant: &TenantId, ticket: Ticket) {
        self.waiting.entry(tenant.clone()).or_default().push_back(ticket);
    }

    /// Whoever waited does not any more.
    pub(crate) fn leave(&mut self, tenant: &TenantId, ticket: Ticket) {
        if let Some(queue) = self.waiting.get_mut(tenant) {
            queue.retain(|waiting| *waiting != ticket);
            if queue.is_empty() {
                self.waiting.remove(tenant);
            }
        }
    }

    /// Gives a slot to the next in turn, if there is one for anybody. `most` is a tenant's quota of attempts.
    pub(crate) fn start(&mut self, most: impl Fn(&TenantId) -> usize) -> Option<(TenantId, Ticket)> {
        let fits = |tenant: &&TenantId| self.fits(tenant, most(tenant));
        let turn = |tenant: &&TenantId| self.served.get(*tenant).copied().unwrap_or(0);
        let tenant = self.waiting.keys().filter(fits).min_by_key(turn)?.clone();
        let ticket = self.waiting.get_mut(&tenant)?.pop_front()?;
        self.leave(&tenant, ticket);
        self.given += 1;
        self.served.insert(tenant.clone(), self.given);
        *self.running.entry(tenant.clone()).or_default() += 1;
        Some((tenant, ticket))
    }

    pub(crate) fn end(&mut self, tenant: &TenantId) {
        match self.running.get_mut(tenant) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.running.remove(tenant)),
        }
    }

    /// Its turns are forgotten; it neither runs nor waits.
    pub(crate) fn forget(&mut self, tenant: &TenantId) {
        self.served.remove(tenant);
    }

    /// How many attempts of each tenant that runs any are beyond an equal share of the slots.
    pub(crate) fn beyond(&self) -> Vec<(TenantId, usize)> {
        let waiting = self.waiting.keys().filter(|tenant| !self.running.contains_key(*tenant)).count();
        let share = (self.slots / (self.running.len() + waiting).max(1)).max(1);
        self.running.iter().map(|(tenant, count)| (tenant.clone(), count.saturating_sub(share))).collect()
    }

    fn fits(&self, tenant: &TenantId, most: usize) -> bool {
        let (all, own) = (self.running.values().sum::<usize>(), self.running(tenant));
        let alone = self.waiting.keys().all(|other| other == tenant);
        let cap = if alone { self.slots } else { (self.slots - 1).max(1) };
        let room = all < self.slots || (own == 0 && all < 2 * self.slots);
        own < cap.min(most) && room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tenant(number: u8) -> TenantId {
        format!("t{number}").parse().unwrap()
    }

    /// Gives all the slots that there are; the tenants in the order in which they got one.
    fn settle(share: &mut Share, most: usize) -> Vec<(TenantId, Ticket)> {
        std::iter::from_fn(|| share.start(|_| most)).collect()
    }

    #[test]
    fn alone_a_tenant_has_every_slot_and_beside_another_half_of_them() {
        let (a, b) = (tenant(1), tenant(2));
        for slots in [1, 2, 4] {
            let mut share = Share::new(slots);
            (0..9).for_each(|ticket| share.wait(&a, ticket));
            assert_eq!(settle(&mut share, 99).len(), slots);
            share.wait(&b, 100);
            assert_eq!(settle(&mut share, 99), [(b.clone(), 100)], "{slots} slots: a neighbour waits for nobody");
            let over: BTreeMap<_, _> = share.beyond().into_iter().collect();
            assert_eq!((over[&a], over[&b]), (slots - (slots / 2).max(1), 0));
            (101..109).for_each(|ticket| share.wait(&b, ticket));
            (0..slots).for_each(|_| share.end(&a));
            settle(&mut share, 99);
            assert_eq!((share.running(&a), share.running(&b)), (slots.div_ceil(2), slots.div_ceil(2)), "turns");
        }
    }

    #[test]
    fn a_quota_is_not_passed() {
        let (mut share, a) = (Share::new(4), tenant(1));
        (0..9).for_each(|ticket| share.wait(&a, ticket));
        assert_eq!(settle(&mut share, 2).len(), 2);
        share.end(&a);
        assert_eq!(settle(&mut share, 2).len(), 1);
        assert!(settle(&mut share, 0).is_empty());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(u8),
        End(u8),
        Leave(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0u8..4).prop_map(Step::Wait),
            2 => (0u8..4).prop_map(Step::End),
            1 => (0u8..4).prop_map(Step::Leave),
        ];
        prop::collection::vec(step, 0..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nobody_starves_and_no_slot_is_idle(slots in 1usize..5, most in 1usize..6, steps in steps()) {
            let mut share = Share::new(slots);
            let mut queues: BTreeMap<TenantId, VecDeque<Ticket>> = BTreeMap::new();
            let mut passed: BTreeMap<(TenantId, TenantId), u32> = BTreeMap::new();
            for (ticket, step) in steps.into_iter().enumerate() {
                let ticket = ticket as Ticket;
                match step {
                    Step::Wait(number) => {
                        share.wait(&tenant(number), ticket);
                        queues.entry(tenant(number)).or_default().push_back(ticket);
                    }
                    Step::End(number) if share.running(&tenant(number)) > 0 => share.end(&tenant(number)),
                    Step::End(_) => {}
                    Step::Leave(number) => {
                        let queue = queues.entry(tenant(number)).or_default();
                        if let Some(left) = queue.pop_back() {
                            share.leave(&tenant(number), left);
                        }
                        passed.retain(|(waits, _), _| *waits != tenant(number));
                    }
                }
                while let Some((started, ticket)) = share.start(|_| most) {
                    prop_assert_eq!(queues.get_mut(&started).and_then(VecDeque::pop_front), Some(ticket), "first come");
                    let others = queues.iter().filter(|(other, queue)| **other != started && !queue.is_empty());
                    let others: Vec<_> = others.map(|(other, _)| other.clone()).collect();
                    let cap = if others.is_empty() { slots } else { (slots - 1).max(1) };
                    prop_assert!(share.running(&started) <= cap.min(most));
                    passed.retain(|(waits, _), _| *waits != started);
                    for other in others.into_iter().filter(|other| share.running(other) == 0) {
                        *passed.entry((other, started.clone())).or_default() += 1;
                    }
                }
                let all: usize = (0..4).map(|number| share.running(&tenant(number))).sum();
                prop_assert!(all <= 2 * slots);
                for (waits, _) in queues.iter().filter(|(_, queue)| !queue.is_empty()) {
                    prop_assert!(share.running(waits) > 0 || all >= 2 * slots, "{waits} has nothing and waits");
                    let alone = queues.iter().all(|(other, queue)| other == waits || queue.is_empty());
                    prop_assert!(!alone || all >= slots || share.running(waits) >= most.min(slots), "a slot is idle");
                }
            }
            // Who has nothing running is passed by each neighbour once at most, then it is its turn.
            prop_assert!(passed.values().all(|times| *times <= 1), "{passed:?}");
        }
    }
}
