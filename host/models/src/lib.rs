//! Artifacts -> versions, aliases, gate verdicts. Pure: what is committed comes in, what is to be recorded goes out.
//!
//! ```text
//!  measures + requirements --gate----> Verdict --picture--> SVG
//!  what a candidate did    --examine-> Verdict
//!  plan + committed steps  --version-> ModelVersion --alias_move-> AliasMove
//!  moves of an alias       --history-> who served when, what to go back to; two versions --unlike-> other columns
//!  canary + what was seen  --rollout-> the canary after it; --share-> who answers a request
//! ```
//! Called by `run` and `server`, which append what comes out; nothing here knows a journal, a clock or a file.

mod analysis;
pub mod axis;
mod columns;
mod examine;
mod gate;
mod guard;
mod history;
mod labelled;
mod picture;
mod rollout;
mod share;
mod version;

pub use analysis::{Answered, Judgement, Window, judge};
pub use columns::unlike;
pub use examine::{Conduct, Weights, examine};
pub use gate::gate;
pub use guard::{Look, is_look};
pub use history::{before, held};
pub use labelled::Labelled;
pub use picture::picture;
pub use rollout::{Moved, RolloutEvent, advance, begin};
pub use share::{PLACES, choose, spread};
pub use version::{Origin, alias_move, candidate, version, version_digest};
