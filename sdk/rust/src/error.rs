//! The contract's error type, with the constructors a step needs.

pub use crate::bindings::stepwell::platform::errors::Error;
use crate::bindings::stepwell::platform::errors::InvalidInput;

/// What a step returns: the host decides by the error's case whether to try again.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A column, parameter or port `name` that cannot be used; `reason` says what was expected and what was found, as a
    /// lowercase fragment. Never retried.
    pub fn invalid(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidInput(InvalidInput { name: name.into(), reason: reason.into() })
    }

    /// A failure that would come again. Never retried.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent(reason.into())
    }

    /// A failure of the outside world that the host retries after so many milliseconds.
    pub fn transient(reason: impl Into<String>, retry_after_ms: u64) -> Self {
        Self::Transient((reason.into(), retry_after_ms))
    }
}
