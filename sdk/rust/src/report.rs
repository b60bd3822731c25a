//! What a step tells whoever watches the run.

pub use crate::bindings::stepwell::platform::report::{Level, log, metric, progress};

/// Adds a line at level `info` to the step's log.
pub fn info(message: impl AsRef<str>) {
    log(Level::Info, message.as_ref());
}

/// Adds a line at level `warn` to the step's log.
pub fn warn(message: impl AsRef<str>) {
    log(Level::Warn, message.as_ref());
}
