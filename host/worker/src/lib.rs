//! Assignments over a socket -> sandboxed attempts in walled processes.
//!
//! ```text
//!  server: Pool --run--> Process ==socket== child::main --> sandbox::attempt
//!            |              |  deadline, cpu, memory: kill     |
//!            |              +-- open, page, checkpoint <-------+ Doors
//!            +--> Adoption: what the worker left in its scratch folder becomes blobs
//! ```
//! Two walls: wasm in the child, the process round it ([`raise`]). The parent trusts nothing that comes over the socket: frames are
//! bounded, files are adopted by digest, a deadline is a kill. A worker belongs to one tenant for life.

mod adopt;
mod carried;
mod child;
mod compiled;
mod devices;
mod ledger;
mod memory;
mod message;
mod metered;
mod pool;
mod process;
mod scheduling;
mod serving;
mod walls;
mod wire;

pub use child::main;
pub use devices::devices;
pub use memory::CappedAllocator;
pub use pool::{Layout, Pool};
pub use serving::{Answered, Probed, ServingWorker, Spent, Waiting, probe};
pub use walls::{Places, Wall, WallPolicy, WallState, Walls, raise};
