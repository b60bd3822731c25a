//! A range of numbers -> round ones within it, as an axis shows them.

/// Three to seven round numbers within a range.
pub fn ticks(low: f64, high: f64) -> Vec<f64> {
    let step = round_step(low, high);
    let first = (low / step).ceil();
    (0..8).map(|index| (first + f64::from(index)) * step).take_while(|tick| *tick <= high).collect()
}

/// The nearest round numbers at or beyond both ends; a range of nothing gets some.
pub fn rounded(low: f64, high: f64) -> (f64, f64) {
    if low >= high {
        // Of the smallest numbers a tenth is nothing.
        let air = if low == 0.0 { 1.0 } else { (low.abs() * 0.1).max(f64::MIN_POSITIVE) };
        return rounded(low - air, low + air);
    }
    let step = round_step(low, high);
    // What is divided and multiplied may come out a little inside.
    (((low / step).floor() * step).min(low), ((high / step).ceil() * step).max(high))
}

/// Without the noise of binary fractions.
pub fn short(number: f64) -> String {
    if number.abs() >= 1e7 {
        return format!("{number:.2e}");
    }
    let rounded = (number * 1e9).round() / 1e9;
    if rounded == 0.0 { "0".to_owned() } else { rounded.to_string() }
}

/// A fifth of the range or a little more: 1, 2 or 5 times a power of ten.
fn round_step(low: f64, high: f64) -> f64 {
    let rough = (high - low) / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|by| by * power).find(|step| *step >= rough).unwrap_or(rough)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        let ticks = ticks(-0.0312, 0.0123);
        assert!((3..=7).contains(&ticks.len()) && ticks.iter().all(|tick| (-0.0312..=0.0123).contains(tick)));
        assert_eq!(short(0.6000000000000001), "0.6");
    }

    #[test]
    fn ends_are_round_and_hold_what_lies_between() {
        for (low, high, expected) in
            [(0.0, 0.97, (0.0, 1.0)), (0.0, 1234.0, (0.0, 1500.0)), (-3.0, 0.0, (-3.0, 0.0)), (0.0, 0.0, (-1.0, 1.0))]
        {
            assert_eq!(rounded(low, high), expected);
        }
        for alone in [5.3, -2e-9, 1e300, 5e-324, -5e-324, f64::MIN_POSITIVE] {
            let (low, high) = rounded(alone, alone);
            assert!(low < alone && alone < high, "{low} {alone} {high}");
        }
    }

    #[test]
    fn no_numbers_are_too_much() {
        let odd = [f64::MIN, -1e308, -1.0, -5e-324, 0.0, 5e-324, 1e-310, 0.1, 1e308, f64::MAX];
        for (low, high) in odd.iter().flat_map(|low| odd.iter().map(move |high| (*low, *high))) {
            let (from, to) = rounded(low, high);
            assert!(from <= to && ticks(from, to).len() <= 8, "{low} {high}: {from} {to}");
        }
    }
}
