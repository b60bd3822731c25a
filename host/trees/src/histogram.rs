//! Rows of a node -> sums a column and bin.

use crate::Binned;
use crate::fixed::{Pair, Scale};
use rayon::prelude::*;

/// Bytes of a bin as it is told: sum of gradients, sum of hessians (float64), rows (u64), little-endian.
pub const BIN_BYTES: usize = 24;

/// Fewer rows are not worth another thread.
const ROWS_A_THREAD: usize = 4096;

/// Rows that are gathered before they are added: about 16 KiB of sums.
const TILE_ROWS: usize = 1024;
/// Columns that are added to at a time: 28 KiB of bins.
const GROUP: usize = 7;

/// Sums over the rows in one bin, in the units of a [`Scale`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    gradient: i64,
    /// Hessians, and the count of rows above them.
    rest: u64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.gradient = self.gradient.wrapping_add(other.gradient);
        self.rest = self.rest.wrapping_add(other.rest);
    }

    /// Field by field too: no part of a whole is more than the whole.
    fn subtract(&mut self, other: Self) {
        self.gradient = self.gradient.wrapping_sub(other.gradient);
        self.rest = self.rest.wrapping_sub(other.rest);
    }
}

/// One column; any code is within it.
type Column = [Sum; 256];

/// The sums of a node, column by column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram(Vec<Column>);

impl Histogram {
    pub(crate) fn of(binned: &Binned, rows: &[u32], pairs: &[Pair], scale: Scale) -> Self {
        let threads = rayon::current_num_threads().min(rows.len() / ROWS_A_THREAD).max(1);
        let part = |rows: &[u32]| {
            let mut columns = vec![[Sum::default(); 256]; binned.features()];
            accumulate(&mut columns, binned.by_row(), rows, pairs, scale.count_shift);
            columns
        };
        if threads == 1 {
            return Self(part(rows));
        }
        let parts = rows.par_chunks(rows.len().div_ceil(threads)).map(part);
        // Of integers: whichever way the parts come together, the sums are the same.
        let join = |mut columns: Vec<Column>, other: Vec<Column>| {
            let sums = columns.iter_mut().flatten().zip(other.iter().flatten());
            sums.for_each(|(sum, other)| sum.add(*other));
            columns
        };
        Self(parts.reduce_with(join).unwrap_or_default())
    }

    /// What is left without a part of the rows.
    pub(crate) fn without(mut self, part: &Self) -> Self {
        let sums = self.0.iter_mut().flatten().zip(part.0.iter().flatten());
        sums.for_each(|(sum, part)| sum.subtract(*part));
        self
    }

    /// As a guest reads it: the bins of each column one after the other, the missing one last.
    pub(crate) fn to_bytes(&self, bins: &[usize], scale: Scale) -> Vec<u8> {
        let below_count = (1 << scale.count_shift) - 1;
        let mut bytes = Vec::with_capacity(bins.iter().sum::<usize>() * BIN_BYTES);
        for (column, bins) in self.0.iter().zip(bins) {
            for sum in column.iter().take(*bins) {
                let gradient = sum.gradient as f64 * scale.gradient_unit;
                let hessian = (sum.rest & below_count) as f64 * scale.hessian_unit;
                bytes.extend_from_slice(&gradient.to_le_bytes());
                bytes.extend_from_slice(&hessian.to_le_bytes());
                bytes.extend_from_slice(&(sum.rest >> scale.count_shift).to_le_bytes());
            }
        }
        bytes
    }
}

/// Adds the rows to their bins. A tile of rows is gathered first, so that the waits for memory overlap; then a group of
/// columns at a time, so that the bins being added to stay in the nearest cache.
fn accumulate(columns: &mut [Column], by_row: &[u8], rows: &[u32], pairs: &[Pair], count_shift: u32) {
    let width = columns.len();
    let mut sums = [Sum::default(); TILE_ROWS];
    let mut codes = vec![0; TILE_ROWS * width];
    for rows in rows.chunks(TILE_ROWS) {
        for ((row, sum), codes) in rows.iter().zip(&mut sums).zip(codes.chunks_exact_mut(width)) {
            let row = *row as usize;
            let (gradient, hessian) = pairs[row];
            *sum = Sum { gradient: i64::from(gradient), rest: 1 << count_shift | u64::from(hessian) };
            codes.copy_from_slice(&by_row[row * width..][..width]);
        }
        let tile = || sums.iter().zip(codes.chunks_exact(width)).take(rows.len());
        let (groups, rest) = columns.as_chunks_mut::<GROUP>();
        let mut first = 0;
        for group in groups {
            tile().for_each(|(sum, codes)| add(group, &codes[first..first + GROUP], *sum));
            first += GROUP;
        }
        tile().for_each(|(sum, codes)| add(rest, &codes[first..], *sum));
    }
}

#[inline(always)]
fn add(columns: &mut [Column], codes: &[u8], sum: Sum) {
    for (column, code) in columns.iter_mut().zip(codes) {
        column[usize::from(*code)].add(sum);
    }
}
