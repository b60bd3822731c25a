//! A plan and events -> step calls and journal records. Never sees wasmtime, a process or a socket.
//!
//! ```text
//!  Event --Course::tick--> Turn { records, told, orders }          a machine: pure, decides by `decide`
//!    ^                        |        |       |
//!    |                     Journal  Observer  attempts --> StepRunner (the crew's threads)
//!    |                     (the scribe)
//!    +---------------------- the loop (drive) ----+
//! ```
//! A live run and a resumed one are the same machine: its view is made of the run's records alone, and every change of it is
//! appended to the journal before anybody is told. An attempt that is granted nothing runs while the record of its start is
//! being written: a crash then leaves bytes that nobody names.

mod attempt;
mod cache;
mod call;
mod cancel;
mod chosen;
mod condition;
mod course;
mod crew;
mod decide;
mod dispatch;
mod drive;
mod event;
mod examine;
mod explain;
mod findings;
mod gather;
mod outputs;
mod own;
mod retry;
mod scribe;
mod share;
mod source;
mod view;

pub use cache::WorkName;
pub use call::call_for;
pub use cancel::{CancelToken, Stop};
pub use course::{Course, Ended, Event, Now, Order, Turn};
pub use decide::{Action, Circumstances, decide, ready_steps};
pub use dispatch::{BY_CHARS_MAX, Begin, Begun, Dispatcher, StoredPlan};
pub use event::{Observer, OutputSummary, RunEvent};
pub use own::winner;
pub use share::{Share, Ticket};
pub use source::source_of;
pub use view::{Choice, Failure, RunView, Status, StepView};
