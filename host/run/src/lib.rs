//! A plan and events -> step calls and journal records. Never sees wasmtime, a process or a socket.
//!
//! ```text
//!            records --view--> RunView --decide--> Action --call--> ports::Call --> StepRunner (a thread an attempt)
//!               ^                                                                      |
//!               +------- dispatch: one loop, one `match` <------- Event <-- attempt ---+
//! ```
//! A live run and a resumed one are the same loop: the view is made of the run's records alone, and every change of it is
//! appended to the journal before anybody is told.

mod attempt;
mod call;
mod cancel;
mod decide;
mod dispatch;
mod drive;
mod event;
mod findings;
mod outputs;
mod retry;
mod source;
mod view;

pub use call::call_for;
pub use cancel::{CancelToken, Stop};
pub use decide::{Action, Circumstances, decide, ready_steps};
pub use dispatch::{Begin, Dispatcher, StoredPlan};
pub use event::{Observer, OutputSummary, RunEvent};
pub use source::source_of;
pub use view::{Failure, RunView, Status, StepView};
