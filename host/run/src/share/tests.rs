//! Any order of coming, ending and leaving: what each tenant, priority and pool was promised.

use super::*;
use proptest::prelude::*;

fn tenant(number: u8) -> TenantId {
    format!("t{number}").parse().unwrap()
}

fn turn(priority: i32, pool: Option<(&str, u32)>) -> Turn {
    Turn { priority, pool: pool.map(|(name, most)| Pool { name: name.to_owned(), most }) }
}

/// Gives all the slots that there are; the tenants in the order in which they got one.
fn settle(share: &mut Share, most: usize) -> Vec<(TenantId, Ticket)> {
    std::iter::from_fn(|| share.start(|_| most)).collect()
}

fn tickets(share: &mut Share) -> Vec<Ticket> {
    settle(share, 99).into_iter().map(|(_, ticket)| ticket).collect()
}

#[test]
fn alone_a_tenant_has_every_slot_and_beside_another_half_of_them() {
    let (a, b, any) = (tenant(1), tenant(2), Turn::default());
    for slots in [1, 2, 4] {
        let mut share = Share::new(slots);
        (0..9).for_each(|ticket| share.wait(&a, ticket, &any));
        assert_eq!(settle(&mut share, 99).len(), slots);
        share.wait(&b, 100, &any);
        assert_eq!(settle(&mut share, 99), [(b.clone(), 100)], "{slots} slots: a neighbour waits for nobody");
        let over: BTreeMap<_, _> = share.beyond().into_iter().collect();
        assert_eq!((over[&a], over[&b]), (slots - (slots / 2).max(1), 0));
        (101..109).for_each(|ticket| share.wait(&b, ticket, &any));
        (0..slots).for_each(|_| share.end(&a, &any));
        settle(&mut share, 99);
        assert_eq!((share.running(&a), share.running(&b)), (slots.div_ceil(2), slots.div_ceil(2)), "turns");
    }
}

#[test]
fn a_quota_is_not_passed() {
    let (mut share, a, any) = (Share::new(4), tenant(1), Turn::default());
    (0..9).for_each(|ticket| share.wait(&a, ticket, &any));
    assert_eq!(settle(&mut share, 2).len(), 2);
    share.end(&a, &any);
    assert_eq!(settle(&mut share, 2).len(), 1);
    assert!(settle(&mut share, 0).is_empty());
}

#[test]
fn the_highest_priority_is_first_and_a_full_pool_is_passed_over() {
    let (mut share, a, gpu) = (Share::new(3), tenant(1), Some(("gpu", 1)));
    for (ticket, turn) in [(0, turn(0, None)), (1, turn(5, gpu)), (2, turn(5, gpu)), (3, turn(-1, None))] {
        share.wait(&a, ticket, &turn);
    }
    assert_eq!(tickets(&mut share), [1, 0, 3], "2 waits for the place that 1 has, and 3 does not wait for 2");
    share.wait(&a, 4, &turn(0, None));
    share.end(&a, &turn(5, gpu));
    assert_eq!(tickets(&mut share), [2]);
    // An attempt of an older plan, by which the pool was smaller.
    share.leave(&a, 4, &turn(0, None));
    share.wait(&a, 5, &turn(0, Some(("gpu", 0))));
    share.end(&a, &turn(0, None));
    assert!(tickets(&mut share).is_empty());
    share.end(&a, &turn(5, gpu));
    assert_eq!(tickets(&mut share), [5], "nobody waits for ever");
}

#[test]
fn who_waits_for_a_place_in_a_pool_keeps_no_neighbour_from_a_slot() {
    let (mut share, a, b, gpu) = (Share::new(2), tenant(1), tenant(2), turn(0, Some(("gpu", 1))));
    share.wait(&a, 0, &gpu);
    share.wait(&a, 1, &gpu);
    assert_eq!(tickets(&mut share), [0]);
    share.end(&a, &gpu);
    share.wait(&b, 2, &gpu);
    assert_eq!(tickets(&mut share), [2, 1], "the pool `gpu` of another tenant is another one");
    share.wait(&a, 3, &gpu);
    share.wait(&b, 4, &Turn::default());
    share.end(&b, &gpu);
    assert_eq!(tickets(&mut share), [4]);
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u8, i32, Option<u8>),
    End(u8, usize),
    Leave(u8, usize),
}

/// Of each pool's name there is one size.
fn pooled(pool: Option<u8>) -> Option<Pool> {
    pool.map(|number| Pool { name: format!("p{number}"), most: u32::from(number) + 1 })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pool = prop_oneof![2 => Just(None), 1 => (0u8..2).prop_map(Some)];
    let step = prop_oneof![
        3 => (0u8..4, -1i32..2, pool).prop_map(|(tenant, priority, pool)| Step::Wait(tenant, priority, pool)),
        2 => (0u8..4, 0usize..8).prop_map(|(tenant, which)| Step::End(tenant, which)),
        1 => (0u8..4, 0usize..8).prop_map(|(tenant, which)| Step::Leave(tenant, which)),
    ];
    prop::collection::vec(step, 0..120)
}

/// What a person would write down.
#[derive(Default)]
struct Seen {
    waiting: BTreeMap<TenantId, Vec<(Ticket, Turn)>>,
    running: BTreeMap<TenantId, Vec<Turn>>,
}

impl Seen {
    fn has_room(&self, tenant: &TenantId, turn: &Turn) -> bool {
        let Some(pool) = &turn.pool else { return true };
        let running = self.running.get(tenant).into_iter().flatten();
        running.filter(|turn| turn.pool.as_ref() == Some(pool)).count() < pool.most as usize
    }

    /// The attempts of a tenant that a free slot would be for, in their order.
    fn able(&self, tenant: &TenantId) -> Vec<(Ticket, Turn)> {
        let waiting = self.waiting.get(tenant).into_iter().flatten();
        let mut able: Vec<_> = waiting.filter(|(_, turn)| self.has_room(tenant, turn)).cloned().collect();
        able.sort_by_key(|(ticket, turn)| (Reverse(turn.priority), *ticket));
        able
    }

    fn others(&self, tenant: &TenantId) -> Vec<TenantId> {
        let others = self.waiting.keys().filter(|other| *other != tenant && !self.able(other).is_empty());
        others.cloned().collect()
    }

    /// Holds that it was this one's turn.
    fn start(&mut self, tenant: &TenantId, ticket: Ticket) {
        let (first, turn) = self.able(tenant).into_iter().next().expect("nobody's turn came");
        assert_eq!(first, ticket, "by priority, then first come; never beyond a pool");
        self.waiting.get_mut(tenant).unwrap().retain(|(waiting, _)| *waiting != ticket);
        self.running.entry(tenant.clone()).or_default().push(turn);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_starves_and_no_slot_is_idle(slots in 1usize..5, most in 1usize..6, steps in steps()) {
        let (mut share, mut seen) = (Share::new(slots), Seen::default());
        let mut passed: BTreeMap<(TenantId, TenantId), u32> = BTreeMap::new();
        for (ticket, step) in steps.into_iter().enumerate() {
            let ticket = ticket as Ticket;
            match step {
                Step::Wait(number, priority, pool) => {
                    let turn = Turn { priority, pool: pooled(pool) };
                    share.wait(&tenant(number), ticket, &turn);
                    seen.waiting.entry(tenant(number)).or_default().push((ticket, turn));
                }
                Step::End(number, which) => {
                    let running = seen.running.entry(tenant(number)).or_default();
                    if !running.is_empty() {
                        share.end(&tenant(number), &running.remove(which % running.len()));
                    }
                }
                Step::Leave(number, which) => {
                    let waiting = seen.waiting.entry(tenant(number)).or_default();
                    if !waiting.is_empty() {
                        let (left, turn) = waiting.remove(which % waiting.len());
                        share.leave(&tenant(number), left, &turn);
                    }
                    passed.retain(|(waits, _), _| *waits != tenant(number));
                }
            }
            loop {
                // As it was when the slot was given.
                let others: BTreeMap<_, _> = (0..4).map(tenant).map(|id| (id.clone(), seen.others(&id))).collect();
                let Some((started, ticket)) = share.start(|_| most) else { break };
                seen.start(&started, ticket);
                let cap = if others[&started].is_empty() { slots } else { (slots - 1).max(1) };
                prop_assert!(share.running(&started) <= cap.min(most));
                passed.retain(|(waits, _), _| *waits != started);
                for other in others[&started].iter().filter(|other| share.running(other) == 0) {
                    *passed.entry((other.clone(), started.clone())).or_default() += 1;
                }
            }
            let all: usize = (0..4).map(|number| share.running(&tenant(number))).sum();
            prop_assert!(all <= 2 * slots);
            for waits in (0..4).map(tenant).filter(|waits| !seen.able(waits).is_empty()) {
                prop_assert!(share.running(&waits) > 0 || all >= 2 * slots, "{waits} has nothing and waits");
                let alone = seen.others(&waits).is_empty();
                prop_assert!(!alone || all >= slots || share.running(&waits) >= most.min(slots), "a slot is idle");
            }
        }
        // Who has nothing running is passed by each neighbour once at most, then it is its turn.
        prop_assert!(passed.values().all(|times| *times <= 1), "{passed:?}");
    }
}
