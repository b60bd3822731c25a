//! Which tenants' workers are held back, and for how long: those beyond a tenant's share, and for a moment after, for a neighbour
//! that has short work again and again would have them switched twice each time. Pure: times are given.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use types::TenantId;

/// How long workers stay held back once they are beyond the share no more.
const HOLD: Duration = Duration::from_secs(1);

/// How many of each tenant's workers are held back, and when that was last found right.
#[derive(Debug, Default)]
pub(crate) struct Held(BTreeMap<TenantId, (usize, Instant)>);

impl Held {
    /// How many of each tenant that runs anything are beyond its share now -> the numbers that change.
    pub(crate) fn settle(&mut self, beyond: Vec<(TenantId, usize)>, now: Instant) -> Vec<(TenantId, usize)> {
        let mut wanted: BTreeMap<_, _> = beyond.into_iter().collect();
        for tenant in self.0.keys() {
            // Of one that has nothing running whatever comes next is none beyond.
            wanted.entry(tenant.clone()).or_insert(0);
        }
        let mut changed = Vec::new();
        for (tenant, count) in wanted {
            let (held, since) = self.0.get(&tenant).copied().unwrap_or((0, now));
            if count < held && now < since + HOLD {
                continue;
            }
            if count != held {
                changed.push((tenant.clone(), count));
            }
            match count {
                0 => drop(self.0.remove(&tenant)),
                _ => drop(self.0.insert(tenant, (count, now))),
            }
        }
        changed
    }

    /// Whether some were held back for so long that it should be settled again.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.0.values().any(|(_, since)| now >= *since + HOLD)
    }

    pub(crate) fn forget(&mut self, tenant: &TenantId) {
        self.0.remove(tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_beyond_is_held_at_once_and_let_go_after_a_moment() {
        let tenant = |name: &str| name.parse::<TenantId>().unwrap();
        let (loud, quiet) = (tenant("loud"), tenant("quiet"));
        let begin = Instant::now();
        let at = |millis: u64| begin + Duration::from_millis(millis);
        let mut held = Held::default();
        let one = |count: usize| vec![(loud.clone(), count)];
        let both = |count: usize| vec![(loud.clone(), count), (quiet.clone(), 0)];
        for (millis, beyond, changes) in [
            (0, one(0), vec![]),
            (10, both(2), one(2)),
            (20, one(0), vec![]),
            (900, both(2), vec![]),
            (910, both(3), one(3)),
            // Counted from when it was last found right.
            (1_900, one(1), vec![]),
            (1_910, one(1), one(1)),
            (2_900, vec![], vec![]),
            (2_910, vec![], one(0)),
            (2_920, one(0), vec![]),
        ] {
            assert_eq!(held.settle(beyond, at(millis)), changes, "after {millis} ms");
        }
        assert!(!held.is_due(at(60_000)), "none is held back");
        held.settle(both(1), at(60_000));
        assert!(!held.is_due(at(60_999)) && held.is_due(at(61_000)));
        held.forget(&loud);
        assert!(!held.is_due(at(120_000)));
    }
}
