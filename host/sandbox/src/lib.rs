//! A component, inputs and grants -> outputs. The only crate that knows wasmtime; runs inside a worker process.
//!
//! ```text
//!  bytes --compile--> native code --load--> Plugin --attempt--> Answer
//!                                              \----Served::load--> Served --predict--> rows
//! ```
//! Each attempt has a fresh instance in a fresh wasmtime `Store` ([`state::State`] is its data). Every import is answered
//! in `host/`, one file an interface, all in the same order: what the guest sent is checked, then done, then charged.
//! Nothing here knows a socket, a journal or a tenant: the outside is `ports::Doors`.

mod attempt;
mod bindings;
mod convert;
mod engine;
mod host;
mod instance;
#[cfg(test)]
mod mutants;
mod probe;
mod row_wise;
mod saying;
mod served;
#[cfg(test)]
mod shut;
mod state;
mod timing;

pub use attempt::attempt;
/// Whether this build can compute on a GPU of NVIDIA's.
pub use tensors::CUDA;

pub use engine::{Compiled, Plugin, STACK_BYTES_MAX, Sandbox};
pub use instance::stored;
pub use probe::Probe;
pub use saying::{logged_bytes, tame};
pub use served::Served;
pub use state::Usage;
pub use timing::{best_us, time};
