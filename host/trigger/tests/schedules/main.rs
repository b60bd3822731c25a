//! Schedules, from outside of the crate: what clocks do to them, what is decided, and what holds whatever happens.

mod clocks;
mod deciding;
mod never_panics;
mod oracle;
mod settling;
mod support;
