//! The place of a request among all -> the version that answers it. Pure.

/// Places that there are; a hundredth of a percent each.
pub const PLACES: u32 = 10_000;

/// Who answers the request at a place: those beside `stable` have the first places, so many of a hundred each, in their order. One that
/// gets more keeps all that it had.
pub fn choose(stable: u32, shares: &[(u32, u8)], place: u32) -> u32 {
    let mut end = 0;
    for (version, percent) in shares {
        end += u32::from(*percent) * (PLACES / 100);
        if place < end {
            return *version;
        }
    }
    stable
}

/// The place of a request that is one of many: consecutive ones are spread evenly, so that of a hundred almost exactly the share
/// goes where it is to go.
pub fn spread(count: u64) -> u32 {
    // Steps of the golden ratio: no run of requests crowds together.
    let turn = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((u128::from(turn) * u128::from(PLACES)) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_within_one_of_a_hundred() {
        for percent in [0_u8, 1, 10, 50, 99, 100] {
            for begin in [0, 12_345, u64::MAX - 5_000] {
                let chosen =
                    (0..10_000).map(|count| choose(1, &[(2, percent)], spread(u64::wrapping_add(begin, count))));
                let got = chosen.filter(|version| *version == 2).count() as i64;
                assert!((got - 100 * i64::from(percent)).abs() <= 20, "{percent} % from {begin}: {got} of 10000");
            }
        }
    }

    #[test]
    fn several_have_their_places_one_after_another() {
        let shares = [(2, 20), (3, 30)];
        let at = |place| choose(1, &shares, place);
        assert_eq!([0, 1_999, 2_000, 4_999, 5_000, 9_999].map(at), [2, 2, 3, 3, 1, 1]);
    }

    #[test]
    fn who_was_with_the_candidate_stays_when_it_gets_more() {
        let with = |percent: u8| (0..PLACES).filter(move |place| choose(1, &[(2, percent)], *place) == 2);
        assert!(with(10).all(|place| choose(1, &[(2, 50)], place) == 2));
        assert_eq!((with(10).count(), with(50).count(), with(100).count()), (1_000, 5_000, 10_000));
    }
}
