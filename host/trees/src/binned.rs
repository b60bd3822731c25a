//! Columns of numbers -> a byte a value.

use crate::Error;
use crate::edges::BINS_MAX;
use rayon::prelude::*;
use std::sync::Arc;

/// The most rows: sums of all of them fit into 64 bits with their count beside them.
pub const ROWS_MAX: u64 = 1 << 24;
/// The most columns: a histogram of all of them then passes to a guest in one call.
pub const FEATURES_MAX: usize = 4096;

/// Rows that are coded together.
const BLOCK_ROWS: usize = 4096;

/// Immutable rows as codes: for each column the bin of the value, or the bin after the last where it is missing. Cloning is
/// cheap.
#[derive(Debug, Clone)]
pub struct Binned(Arc<Codes>);

#[derive(Debug)]
struct Codes {
    rows: usize,
    /// Of each column, the missing one included.
    bins: Vec<usize>,
    /// Row-major, for sums over all columns.
    by_row: Vec<u8>,
    /// Column-major, for splits by one column: a row-major line would be fetched for a byte of it.
    by_column: Vec<u8>,
}

impl Binned {
    /// Codes so many rows by where the bins of each column end (see [`edges`](crate::edges)). `read` gives values of a column,
    /// from a row on, so many; it is called from several threads. Not-a-number is missing.
    pub fn create<E: From<Error> + Send>(
        rows: u64,
        edges: &[Vec<f64>],
        read: impl Fn(usize, usize, usize) -> Result<Vec<f64>, E> + Sync,
    ) -> Result<Self, E> {
        let rows = checked(rows, edges)?;
        let width = edges.len();
        let mut by_column = vec![0; rows * width];
        let columns = by_column.par_chunks_mut(rows.max(1)).zip(edges).enumerate();
        columns.try_for_each(|(feature, (codes, edges))| {
            let ladder = Ladder::of(edges);
            let blocks = codes.par_chunks_mut(BLOCK_ROWS).enumerate();
            blocks.try_for_each(|(block, codes)| -> Result<(), E> {
                ladder.code(&read(feature, block * BLOCK_ROWS, codes.len())?, codes);
                Ok(())
            })
        })?;
        let mut by_row = vec![0; rows * width];
        by_row.par_chunks_mut(BLOCK_ROWS * width).enumerate().for_each(|(block, by_row)| {
            for (feature, column) in by_column.chunks(rows).enumerate() {
                let places = by_row.iter_mut().skip(feature).step_by(width);
                places.zip(&column[block * BLOCK_ROWS..]).for_each(|(place, code)| *place = *code);
            }
        });
        let bins = edges.iter().map(|edges| edges.len() + 2).collect();
        Ok(Self(Arc::new(Codes { rows, bins, by_row, by_column })))
    }

    pub fn rows(&self) -> usize {
        self.0.rows
    }

    /// Bins of each column, the missing one included.
    pub fn bins(&self) -> &[usize] {
        &self.0.bins
    }

    pub(crate) fn features(&self) -> usize {
        self.0.bins.len()
    }

    /// The codes of all rows, row-major.
    pub(crate) fn by_row(&self) -> &[u8] {
        &self.0.by_row
    }

    /// The codes of a feature, if there is one.
    pub(crate) fn column(&self, feature: usize) -> Option<&[u8]> {
        let rows = self.rows();
        (feature < self.features()).then(|| &self.0.by_column[feature * rows..][..rows])
    }
}

fn checked(rows: u64, edges: &[Vec<f64>]) -> Result<usize, Error> {
    if rows > ROWS_MAX {
        return Err(Error::new("table", format!("has {rows} rows, at most {ROWS_MAX} can be learnt from")));
    }
    if !(1..=FEATURES_MAX).contains(&edges.len()) {
        return Err(Error::new("features", format!("are {}, expected 1 to {FEATURES_MAX}", edges.len())));
    }
    for (feature, edges) in edges.iter().enumerate() {
        let name = || format!("edges of feature {feature}");
        if edges.len() >= BINS_MAX {
            return Err(Error::new(name(), format!("are {}, expected at most {}", edges.len(), BINS_MAX - 1)));
        }
        if !edges.iter().all(|edge| edge.is_finite()) || !edges.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(Error::new(name(), "are not finite numbers in rising order"));
        }
    }
    Ok(rows as usize)
}

/// Values that are searched for side by side.
const LANES: usize = 16;

/// The edges of a column, arranged for a search without branches.
struct Ladder {
    ends: [f64; 256],
    missing: u8,
}

impl Ladder {
    fn of(edges: &[f64]) -> Self {
        let mut ends = [f64::INFINITY; 256];
        ends[..edges.len()].copy_from_slice(edges);
        // At most 255: see `checked`.
        Self { ends, missing: (edges.len() + 1) as u8 }
    }

    /// How many edges are below each value.
    fn code(&self, values: &[f64], codes: &mut [u8]) {
        // Several values at a time: each step of a search waits for the one before.
        for (values, codes) in values.chunks(LANES).zip(codes.chunks_mut(LANES)) {
            let mut lanes = [f64::NAN; LANES];
            lanes[..values.len()].copy_from_slice(values);
            let mut below = [0_usize; LANES];
            for step in [128, 64, 32, 16, 8, 4, 2, 1] {
                for (below, value) in below.iter_mut().zip(lanes) {
                    // All 256 places are within; saying so with a mask leaves out a check.
                    *below += step * usize::from(self.ends[(*below + step - 1) & 255] < value);
                }
            }
            for ((code, below), value) in codes.iter_mut().zip(below).zip(lanes) {
                *code = if value.is_nan() { self.missing } else { below as u8 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binned(edges: &[f64], values: &[f64]) -> Vec<u8> {
        let read = |_: usize, start: usize, length: usize| Ok::<_, Error>(values[start..start + length].to_vec());
        Binned::create(values.len() as u64, &[edges.to_vec()], read).unwrap().column(0).unwrap().to_vec()
    }

    #[test]
    fn a_value_on_an_edge_is_below_it() {
        let values = [f64::NEG_INFINITY, 0.5, 1.0, 1.5, 2.0, 2.5, f64::INFINITY, f64::NAN];
        assert_eq!(binned(&[1.0, 2.0], &values), [0, 0, 0, 1, 1, 2, 2, 3]);
        assert_eq!(binned(&[], &[7.0, f64::NAN]), [0, 1]);
    }

    #[test]
    fn all_256_codes_are_reached() {
        let edges: Vec<f64> = (0..254).map(f64::from).collect();
        let values: Vec<f64> = (0..255).map(f64::from).chain([f64::NAN]).collect();
        assert_eq!(binned(&edges, &values), (0..=255).collect::<Vec<u8>>());
    }

    #[test]
    fn what_cannot_be_coded_is_refused() {
        let none = |_: usize, _: usize, _: usize| Ok::<_, Error>(Vec::new());
        let refused = |rows, edges: &[Vec<f64>]| Binned::create(rows, edges, none).unwrap_err().name;
        assert_eq!(refused(ROWS_MAX + 1, &[vec![]]), "table");
        assert_eq!(refused(0, &[]), "features");
        for wrong in [vec![1.0, 1.0], vec![2.0, 1.0], vec![f64::NAN], vec![f64::INFINITY], vec![0.0; 255]] {
            assert_eq!(refused(0, &[vec![], wrong]), "edges of feature 1");
        }
    }
}
