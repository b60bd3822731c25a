//! cron time, event, alert, command -> run request. So far: cron time.
//!
//! ```text
//!  text --Expression, Zone, Draft--> Schedule --instants--> Instant, Instant, .. --due--> which fire now, and why others do not
//!                                        |--preview--> rows for a person
//!                                        `--backfill--> the instants of a past span
//! ```
//! Pure: no clock, no file, no thread. Who asks says what time it is, and keeps what a [`Decision`] says.
//!
//! Only this crate names `cron`, which is good at calendars and knows nothing of what people expect: it is asked for
//! wall-clock times only, as if clocks never changed (`wall.rs`). What a change of clocks does to them is decided in
//! `turns.rs`, where an instant depends on the schedule alone and never on where the counting began.
//!
//! A schedule that runs every hour, or several times within an hour, is a *rhythm*: it goes by real time, so in autumn it
//! runs through the repeated hour as through any other, and in spring nothing is made up that its next run makes good
//! anyway. All others name *times of day*: each day's run happens once, in spring at the first moment after a missing time,
//! in autumn at the first of two. That is what Vixie cron does, which tells them apart by a `*`; here `*/30` and `0,30` are
//! the same. `gap` and `fold` that are written out hold to the letter for both kinds.

mod backfill;
mod choice;
mod due;
mod expression;
mod field;
mod handover;
mod jitter;
mod leap;
mod moment;
mod preview;
mod schedule;
mod turns;
mod wall;
mod zone;

pub use backfill::{BACKFILL_MAX, Backfill, backfill};
pub use choice::{Choice, Fold, Gap, Missed, Order, Overlap};
pub use due::{Decision, LATE_US, LOOKED_AT_MAX, Standing, WAITING_MAX, due};
pub use expression::{Expression, NICKNAMES};
pub use handover::hand_over;
pub use jitter::Whose;
pub use leap::{LEAP_US, believed};
pub use moment::Moment;
pub use preview::{PREVIEW_MAX, Preview, Row, preview};
pub use schedule::{CATCH_UP_MS_MAX, Clash, Draft, JITTER_MS_MAX, Schedule};
pub use turns::{Instant, Instants, Oddity};
pub use types::{Passed, Why};
pub use zone::Zone;

/// Instants are told of from 1970 until the end of this year in UTC: zones are not known further, and nobody plans further.
pub const YEAR_MAX: i32 = 2099;
