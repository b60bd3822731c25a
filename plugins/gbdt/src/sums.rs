//! What a node's histogram says: sums over the rows in a bin.

use std::ops::{Add, AddAssign, Sub};

/// Bytes of a bin as the host tells it.
const BIN_BYTES: usize = 24;

/// Sums over rows. The host's are multiples of a power of two, so adding and subtracting them is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) gradient: f64,
    pub(crate) hessian: f64,
    pub(crate) rows: u64,
}

impl Add for Sums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let Self { gradient, hessian, rows } = self;
        Self { gradient: gradient + other.gradient, hessian: hessian + other.hessian, rows: rows + other.rows }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Sums {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let Self { gradient, hessian, rows } = self;
        let rows = rows.saturating_sub(other.rows);
        Self { gradient: gradient - other.gradient, hessian: hessian - other.hessian, rows }
    }
}

impl std::iter::Sum for Sums {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::default(), Add::add)
    }
}

/// The bins in a histogram's bytes.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Sums> {
    let (bins, _) = bytes.as_chunks::<BIN_BYTES>();
    let word = |bin: &[u8; BIN_BYTES], at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bin[at..at + 8]);
        word
    };
    let sums = |bin: &[u8; BIN_BYTES]| Sums {
        gradient: f64::from_le_bytes(word(bin, 0)),
        hessian: f64::from_le_bytes(word(bin, 8)),
        rows: u64::from_le_bytes(word(bin, 16)),
    };
    bins.iter().map(sums).collect()
}
