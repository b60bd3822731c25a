//! The heavy passes of growing decision trees on histograms. Which split to make is the guest's decision.
//!
//! ```text
//!  columns --edges--> where bins end --Binned--> a byte a value
//!                                                  |
//!  gradients, hessians --fixed point--> Growth --histogram--> sums a bin --guest: the best split--> Growth::split
//!                                          \--values--> each row's value of its leaf
//! ```
//! Sums are of integers, so they are exact: no thread count and no order of the rows changes a bit, and what is left of a
//! parent without one child is the other child.

mod binned;
mod edges;
mod fixed;
mod growth;
mod histogram;
mod partition;

pub use binned::{Binned, FEATURES_MAX, ROWS_MAX};
pub use edges::{BINS_MAX, SAMPLE_ROWS, edges, sampled_rows};
pub use growth::{Growth, NODES_MAX};
pub use histogram::BIN_BYTES;

/// An argument that cannot be used: which, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` {reason}")]
pub struct Error {
    pub name: String,
    pub reason: String,
}

impl Error {
    pub fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), reason: reason.into() }
    }
}
