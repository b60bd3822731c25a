//! A rate and the times at which something was done -> whether it may be done now. Pure: it is told the time.
//!
//! What a rate allows is there at once and comes back evenly, so that a burst is borne and a steady stream of more is not.

use types::Rate;

/// How far an allowance is used. Kept as the moment at which all of it is back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    whole_again_ns: i128,
}

impl Allowance {
    /// Takes one, or says after how many milliseconds there is one again.
    pub(crate) fn take(&mut self, rate: Rate, now_us: i64) -> Result<(), u64> {
        let (now, per) = (i128::from(now_us) * 1000, i128::from(rate.per_ms) * 1_000_000);
        let one = per / i128::from(rate.count.max(1));
        // A clock that went back, or a rate that was lowered, leaves nobody waiting for longer than the whole takes.
        let whole_again = self.whole_again_ns.clamp(now, now + per);
        let early = whole_again + one - now - per;
        if early > 0 {
            self.whole_again_ns = whole_again;
            return Err(u64::try_from(early.div_euclid(1_000_000) + 1).unwrap_or(u64::MAX));
        }
        self.whole_again_ns = whole_again + one;
        Ok(())
    }

    /// How many of the rate's are taken and not back yet.
    pub(crate) fn taken(&self, rate: Rate, now_us: i64) -> u64 {
        let one = i128::from(rate.per_ms) * 1_000_000 / i128::from(rate.count.max(1));
        let gone = (self.whole_again_ns - i128::from(now_us) * 1000).max(0);
        u64::try_from(gone.div_euclid(one.max(1)) + i128::from(gone % one.max(1) > 0))
            .unwrap_or(u64::MAX)
            .min(rate.count.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: i64 = 1_000_000;
    const RATE: Rate = Rate { count: 4, per_ms: 1000 };

    #[test]
    fn a_burst_is_borne_and_comes_back_evenly() {
        let (mut allowance, now) = (Allowance::default(), 1_700_000_000 * SECOND_US);
        assert_eq!((0..4).map(|_| allowance.take(RATE, now)).collect::<Result<Vec<_>, _>>(), Ok(vec![(); 4]));
        assert_eq!((allowance.taken(RATE, now), allowance.take(RATE, now)), (4, Err(251)));
        assert_eq!(allowance.take(RATE, now + SECOND_US / 4 - 1), Err(1));
        assert_eq!(allowance.take(RATE, now + SECOND_US / 4), Ok(()));
        assert_eq!(allowance.take(RATE, now + SECOND_US / 4), Err(251), "one came back, not more");
        assert_eq!(allowance.taken(RATE, now + SECOND_US), 1);
        assert_eq!(allowance.taken(RATE, now + 9 * SECOND_US), 0);
    }

    #[test]
    fn a_refusal_costs_nothing() {
        let mut allowance = Allowance::default();
        (0..4).for_each(|_| allowance.take(RATE, 0).unwrap());
        let before = allowance;
        (0..1000).for_each(|_| assert!(allowance.take(RATE, 0).is_err()));
        assert_eq!(allowance, before);
    }

    #[test]
    fn a_clock_that_went_back_keeps_nobody_out_for_long() {
        let mut allowance = Allowance::default();
        allowance.take(RATE, 1000 * SECOND_US).unwrap();
        assert_eq!(allowance.take(RATE, 0), Err(251));
        assert_eq!(allowance.take(RATE, SECOND_US / 4), Ok(()));
    }
}
