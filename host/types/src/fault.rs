//! What went wrong in an attempt, and whose fault it is: the scheduler and the exit code act on the kind, people read the text.

use crate::{LimitKind, QuotaKind};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose fault, and what the scheduler does about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FaultKind {
    /// The plugin refused its input or gave up: the user's data or parameters. Never retried.
    Invalid,
    /// The plugin says the outside world failed for now.
    Transient { retry_after_ms: u64 },
    /// Too much waits to be done already, and nothing of this was.
    Busy { retry_after_ms: u64 },
    /// The plugin broke its contract: a trap, a wrong answer. Never retried.
    Guest,
    /// A limit was reached.
    Limit { limit: LimitKind },
    /// The tenant has used up what it may.
    Quota { quota: QuotaKind },
    /// No grant opened that door.
    Denied,
    /// Somebody cancelled the run.
    Cancelled,
    /// The worker process died for no reason that it or we know.
    Crash,
    /// Ours: a bug or a failing disk.
    Host,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    #[serde(flatten)]
    pub kind: FaultKind,
    /// A lowercase fragment: who, what, expected, got.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault without a hint.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The plugin broke its contract.
    pub fn guest(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Guest, message)
    }

    /// The user's data or parameters.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Invalid, message)
    }

    /// Ours.
    pub fn host(message: impl fmt::Display) -> Self {
        Self::new(FaultKind::Host, message.to_string())
    }

    /// What the data folder kept is no longer what it was.
    pub fn damaged(message: impl fmt::Display) -> Self {
        Self::host(message).hinted(
            "the data folder is damaged: `stepwell audit verify` names every blob that is. Bring its file back from a copy of the \
             folder; without one remove the file and make it again, by `stepwell run --no-cache` or `stepwell model import --name`",
        )
    }

    /// A limit was reached.
    pub fn limit(limit: LimitKind, message: impl Into<String>) -> Self {
        let hint = format!("raise `limits.{}` of the step, if the work is meant to need more", limit.key());
        Self::new(FaultKind::Limit { limit }, message).hinted(hint)
    }

    /// A tenant's quota is used up; both are as people read them: "3 GiB", "2".
    pub fn quota(quota: QuotaKind, used: impl fmt::Display, limit: impl fmt::Display) -> Self {
        let key = quota.key();
        let message = format!("the tenant's quota `{key}` is used up: {used} of {limit}");
        let hint = format!("ask whoever runs this installation to raise it: stepwell tenant quota NAME --{key} ..");
        Self::new(FaultKind::Quota { quota }, message).hinted(hint)
    }

    /// A limit was reached by what was done: "made more host calls than it may; its limit `host_calls` is 1000".
    pub fn beyond(limit: LimitKind, done: impl fmt::Display, most: u64) -> Self {
        Self::limit(limit, format!("{done}; its limit `{}` is {}", limit.key(), limit.quantity(most)))
    }

    /// The same fault with a hint.
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
