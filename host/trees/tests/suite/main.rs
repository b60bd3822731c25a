//! Trees from outside: what a guest may call, in and out of order.

mod growing;
mod never_panics;

use trees::{BIN_BYTES, Binned, Error};

/// Rows of columns given whole, coded by these edges.
fn binned(columns: &[Vec<f64>], edges: &[Vec<f64>]) -> Result<Binned, Error> {
    let rows = columns.first().map_or(0, Vec::len) as u64;
    Binned::create(rows, edges, |feature, start, length| {
        Ok::<_, Error>(columns[feature][start..start + length].to_vec())
    })
}

/// Gradients, hessians and rows of each bin, as a guest reads them.
fn read(histogram: &[u8]) -> Vec<(f64, f64, u64)> {
    let word = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).unwrap();
    let bin = |bin: &[u8]| {
        let count = u64::from_le_bytes(word(&bin[16..24]));
        (f64::from_le_bytes(word(&bin[..8])), f64::from_le_bytes(word(&bin[8..16])), count)
    };
    histogram.chunks_exact(BIN_BYTES).map(bin).collect()
}
