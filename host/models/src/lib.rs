//! Artifacts -> versions, aliases, gate verdicts. Pure: what is committed comes in, what is to be recorded goes out.
//!
//! ```text
//!  measures + requirements --gate----> Verdict --picture--> SVG
//!  plan + committed steps  --version-> ModelVersion --alias_move-> AliasMove
//! ```
//! Called by `run`, which appends what comes out; nothing here knows a journal, a clock or a file.

mod gate;
mod picture;
mod version;

pub use gate::gate;
pub use picture::picture;
pub use version::{Origin, alias_move, version};
