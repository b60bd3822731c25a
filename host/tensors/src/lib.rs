//! A tensor operation -> a tensor; gradients and optimisers. The twin of `stepwell:tensor@0.1.0` in plain Rust, and the only
//! crate of the host that names candle.
//!
//! ```text
//!  table, bytes, seed --> Tensor --operation--> Tensor --...--> loss --graph::backward--> gradients --Optimiser--> Variable
//!                           value: a candle array, which never records anything
//!                           node:  our own record of how to push a gradient back; none where nothing needs one
//! ```
//! candle keeps arrays and multiplies matrices; passes over elements (`array`) and the graph are ours. candle's own graph loses
//! gradients in silence, recurses once an operation, computes gradients that nobody needs and takes some at a kink (relu, abs,
//! ties of max) otherwise than PyTorch. Ours is a loop.
//!
//! What lies on a GPU (`device`) is computed there by candle's kernels (`beside`), or takes a trip to the processors and back: which
//! does which is listed in `docs/devices.md`.
//!
//! Every argument is a stranger's: it is checked before candle sees it. An operation whose result has no elements does not
//! reach candle at all (some of its kernels assume at least one).

mod arrangement;
mod array;
mod beside;
mod convolution;
mod device;
mod elementwise;
mod finite;
mod graph;
mod lanes;
mod loss;
mod native;
mod normalisation;
mod optimiser;
mod pooling;
mod product;
mod random;
mod reduction;
mod saved;
mod schedule;
mod selection;
mod shape;
mod step;
mod table;
mod tensor;
mod unary;
mod variable;
mod written;

pub use convolution::Convolution;
pub use device::{CUDA, Device};
pub use elementwise::{Binary, Comparison};
pub use finite::{Finiteness, NotFinite, finiteness};
pub use loss::{Distance, binary_cross_entropy, cross_entropy, regression_loss};
pub use optimiser::{Method, Optimiser};
pub use pooling::{Pooling, Window};
pub use reduction::Reduction;
pub use saved::{from_safetensors, to_safetensors};
pub use schedule::{Decay, Schedule, learning_rate};
pub use shape::{ELEMENTS_MAX, ElementType, RANK_MAX, bytes_of};
pub use step::{Adamw, Sgd};
pub use tensor::{TO_BYTES_MAX, Tensor};
pub use unary::Unary;
pub use variable::{Variable, gradients};

/// Why an operation is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An argument is out of its range: which, and why.
    #[error("`{name}` {reason}")]
    InvalidInput { name: String, reason: String },
    /// Shapes that do not fit the operation or each other.
    #[error("{operation}: expected {expected}, got {got}")]
    Shape { operation: &'static str, expected: String, got: String },
    /// The tensors of a device would take more of its memory than they may.
    #[error("tensors would take {used} bytes of the device, the limit is {limit}")]
    DeviceMemory { used: u64, limit: u64 },
    /// The device itself has no memory left, whoever took it: its driver's words.
    #[error("the device has no memory left: {reason}")]
    DeviceFull { reason: String },
    /// A device that is not there, or whose driver refuses us.
    #[error("cannot compute on `{name}`: {reason}")]
    Device { name: types::Device, reason: String },
    /// candle refused what our checks let through: our mistake, not the guest's.
    #[error("tensor kernel failed: {0}")]
    Native(String),
}

impl Error {
    fn invalid(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidInput { name: name.into(), reason: reason.into() }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        // candle appends a backtrace in later lines if the environment asks for one.
        let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
        match is_of_a_driver(&error) && OUT_OF_MEMORY.iter().any(|name| reason.contains(name)) {
            true => Self::DeviceFull { reason },
            false => Self::Native(reason),
        }
    }
}

/// What the libraries of a GPU call having no memory left. candle gives their errors as texts where it is built without them.
const OUT_OF_MEMORY: [&str; 3] =
    ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED", "CURAND_STATUS_ALLOCATION_FAILED"];

/// Whether a library of a GPU said it; other errors may hold a guest's words.
fn is_of_a_driver(error: &candle_core::Error) -> bool {
    use candle_core::Error::{Context, Cuda, WithBacktrace, WithPath};
    match error {
        Cuda(_) => true,
        WithBacktrace { inner, .. } | WithPath { inner, .. } | Context { inner, .. } => is_of_a_driver(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_without_memory_is_told_apart_from_a_mistake() {
        let said = |words: &str| candle_core::Error::Cuda(words.into());
        let full = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        let expected = Error::DeviceFull { reason: full.to_owned() };
        assert_eq!(Error::from(said(full)), expected);
        let backtrace = Box::new(std::backtrace::Backtrace::force_capture());
        let traced = candle_core::Error::WithBacktrace { inner: Box::new(said(full)), backtrace };
        assert_eq!(Error::from(traced), expected);
        assert!(matches!(Error::from(said("CublasError(CUBLAS_STATUS_ALLOC_FAILED)")), Error::DeviceFull { .. }));
        let broken = "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")";
        assert_eq!(Error::from(said(broken)), Error::Native(broken.to_owned()));
        let named = candle_core::Error::CannotFindTensor { path: "CUDA_ERROR_OUT_OF_MEMORY".to_owned() };
        assert!(matches!(Error::from(named), Error::Native(_)), "a name is no driver's word");
    }
}
