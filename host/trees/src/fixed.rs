//! Gradients as integers, so that their sums are exact in any order.

use crate::Error;
use rayon::prelude::*;

/// Bits of a row's gradient, and of its hessian where the count leaves as many.
const BITS_MAX: u32 = 30;
/// A sum of gradients is a float64 without rounding up to here.
const EXACT_BITS: u32 = 53;

/// No sum of so large gradients, nor its square, is infinite.
const LARGEST: f64 = 1e100;

/// So few rows stay on this thread: to hand work to the pool costs two changes of threads.
const ROWS_ALONE: usize = 16_384;

/// A row's gradient and hessian, each in its own unit.
pub(crate) type Pair = (i32, u32);

/// Gradients and hessians of all rows, each rounded to a multiple of a power of two: to 2^-30 of the largest, coarser where
/// more than 8 million rows are to be summed.
#[derive(Debug)]
pub(crate) struct Fixed {
    pub(crate) pairs: Vec<Pair>,
    pub(crate) scale: Scale,
}

/// How sums are told apart and read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    pub(crate) gradient_unit: f64,
    pub(crate) hessian_unit: f64,
    /// Where the count of rows begins, above the sum of hessians, in one word.
    pub(crate) count_shift: u32,
}

impl Fixed {
    pub(crate) fn of(gradients: &[f64], hessians: &[f64]) -> Result<Self, Error> {
        let rows = gradients.len();
        let largest = largest("gradients", gradients)?;
        let steepest = largest_positive("hessians", hessians)?;
        // Bits that the count takes, itself included. That of no rows takes one, too: a word is not shifted by its whole length.
        let count_bits = (usize::BITS - rows.leading_zeros()).max(1);
        let gradient_bits = BITS_MAX.min(EXACT_BITS - count_bits);
        let hessian_bits = BITS_MAX.min(u64::BITS - 2 * count_bits);
        let (gradient_unit, hessian_unit) = (unit(largest, gradient_bits), unit(steepest, hessian_bits));
        let pair = |(gradient, hessian): (&f64, &f64)| {
            (rounded(gradient / gradient_unit) as i32, rounded(hessian / hessian_unit) as u32)
        };
        let pairs = match rows <= ROWS_ALONE {
            true => gradients.iter().zip(hessians).map(pair).collect(),
            false => gradients.par_iter().zip(hessians).map(pair).collect(),
        };
        Ok(Self { pairs, scale: Scale { gradient_unit, hessian_unit, count_shift: u64::BITS - count_bits } })
    }
}

/// The power of two of which the largest value is less than 2^bits.
fn unit(largest: f64, bits: u32) -> f64 {
    let exponent = (largest.to_bits() >> 52) as i32 - 1022;
    // Values so small that the unit would not be a normal number become zero.
    2.0_f64.powi((exponent - bits as i32).max(-1022))
}

/// The nearest integer of a value below 2^31, halves to the even one, in its low bits: what is added leaves no room for a
/// fraction.
fn rounded(value: f64) -> u64 {
    const SHIFT: f64 = 1.5 * (1_u64 << 52) as f64;
    (value + SHIFT).to_bits()
}

fn largest(name: &str, values: &[f64]) -> Result<f64, Error> {
    let largest = values.iter().map(|value| value.abs().to_bits()).max().map_or(0.0, f64::from_bits);
    match largest <= LARGEST {
        true => Ok(largest),
        false => Err(Error::new(name, format!("hold a number that is not finite, or beyond {LARGEST:e}"))),
    }
}

fn largest_positive(name: &str, values: &[f64]) -> Result<f64, Error> {
    match values.iter().all(|value| *value >= 0.0) {
        true => largest(name, values),
        false => Err(Error::new(name, "hold a number below zero, or one that is none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_within_half_a_unit() {
        let gradients = [0.3, -1.0, 1e-7, 0.0];
        let hessians = [0.25, 0.1, 1e-9, 0.0];
        let Fixed { pairs, scale } = Fixed::of(&gradients, &hessians).unwrap();
        assert_eq!(scale.gradient_unit, 2.0_f64.powi(-29), "1 is the largest: less than 2 = 2^30 units");
        for (i, (gradient, hessian)) in pairs.into_iter().enumerate() {
            assert!((f64::from(gradient) * scale.gradient_unit - gradients[i]).abs() <= scale.gradient_unit / 2.0);
            assert!((f64::from(hessian) * scale.hessian_unit - hessians[i]).abs() <= scale.hessian_unit / 2.0);
        }
    }

    #[test]
    fn sums_of_the_largest_fit() {
        for rows in [1, 2, 1000, 1 << 20, crate::ROWS_MAX as usize] {
            let count_bits = usize::BITS - rows.leading_zeros();
            let hessian_bits = BITS_MAX.min(u64::BITS - 2 * count_bits);
            assert!(hessian_bits >= 14, "{rows}");
            assert!((rows as u128) << hessian_bits < 1 << (u64::BITS - count_bits), "{rows}");
            assert!((rows as u128) << BITS_MAX.min(EXACT_BITS - count_bits) <= 1 << EXACT_BITS, "{rows}");
        }
    }

    #[test]
    fn extremes_are_numbers_too() {
        for largest in [0.0, f64::MIN_POSITIVE, 5e-324, 1.0, LARGEST] {
            let fixed = Fixed::of(&[-largest], &[largest]).unwrap();
            let back = f64::from(fixed.pairs[0].0) * fixed.scale.gradient_unit;
            assert!((back + largest).abs() <= largest * 1e-8 + 1e-300, "{largest:e} {back:e}");
        }
    }

    #[test]
    fn what_is_no_gradient_is_refused() {
        let name = |gradient: f64, hessian: f64| Fixed::of(&[gradient], &[hessian]).unwrap_err().name;
        assert_eq!(name(f64::NAN, 1.0), "gradients");
        assert_eq!(name(-f64::INFINITY, 1.0), "gradients");
        assert_eq!(name(f64::MAX, 1.0), "gradients");
        assert_eq!(name(1.0, -1e-9), "hessians");
        assert_eq!(name(1.0, f64::NAN), "hessians");
        assert_eq!(name(1.0, f64::INFINITY), "hessians");
    }
}
