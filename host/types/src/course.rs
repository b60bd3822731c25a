//! How a step's course may differ: conditions, retries, pools. Shared by the manifest that says it and the run that keeps it.

use crate::{OutputRef, Requirement};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What must hold for a step to run. It is asked once all that it names is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "if")]
pub enum Condition {
    /// A measure, of measures or of a model.
    Measure { of: OutputRef, requirement: Requirement },
    /// How many rows a table has.
    Rows { of: OutputRef, at_least: Option<u64>, at_most: Option<u64> },
    /// What a gate said.
    Passed { of: OutputRef, passed: bool },
    /// Texts, after settings are put in.
    Text { text: String, is: String },
}

impl Condition {
    /// The output that it looks at.
    pub fn of(&self) -> Option<&OutputRef> {
        match self {
            Self::Measure { of, .. } | Self::Rows { of, .. } | Self::Passed { of, .. } => Some(of),
            Self::Text { .. } => None,
        }
    }
}

/// For people, as something that holds or does not: `clean.table has at least 100 rows`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measure { of, requirement } => {
                write!(f, "{} of {of} is {}", requirement.subject(), requirement.bound)
            }
            Self::Rows { of, at_least, at_most } => {
                let bounds = at_least.map(|least| format!("at least {least}"));
                let bounds: Vec<_> = bounds.into_iter().chain(at_most.map(|most| format!("at most {most}"))).collect();
                write!(f, "{of} has {} rows", bounds.join(" and "))
            }
            Self::Passed { of, passed } => {
                write!(f, "the gate {} says {}", of.step, if *passed { "yes" } else { "no" })
            }
            Self::Text { text, is } => write!(f, "`{text}` is `{is}`"),
        }
    }
}

/// Attempts that may fail because the world outside did, and how long to wait between them: after failure number n,
/// `backoff * factor ^ (n - 1)`, at most `longest`, and no less than what the plugin asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// All of them, the first one too.
    pub attempts: u32,
    pub backoff_ms: u64,
    pub factor: f64,
    pub longest_ms: u64,
}

impl Retry {
    pub const ATTEMPTS_MAX: u32 = 100;
    /// Nobody waits longer for one attempt.
    pub const LONGEST_MS_MAX: u64 = 24 * 3_600_000;
}

impl Default for Retry {
    /// Three attempts; one second, then two.
    fn default() -> Self {
        Self { attempts: 3, backoff_ms: 1_000, factor: 2.0, longest_ms: 300_000 }
    }
}

/// Something that few attempts of a tenant may use at a time: a device, a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pool {
    pub name: String,
    pub most: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bound, Id, PortName, StepName};

    #[test]
    fn a_condition_is_said_in_words() {
        let of = OutputRef { step: StepName::parse("clean").unwrap(), port: PortName::parse("table").unwrap() };
        let requirement = Requirement::new("mae", Bound::AtMost(2.5));
        for (condition, words) in [
            (
                Condition::Rows { of: of.clone(), at_least: Some(100), at_most: None },
                "clean.table has at least 100 rows",
            ),
            (
                Condition::Rows { of: of.clone(), at_least: Some(1), at_most: Some(9) },
                "clean.table has at least 1 and at most 9 rows",
            ),
            (Condition::Measure { of: of.clone(), requirement }, "mae of clean.table is at most 2.5"),
            (Condition::Passed { of, passed: false }, "the gate clean says no"),
            (Condition::Text { text: "eu".to_owned(), is: "us".to_owned() }, "`eu` is `us`"),
        ] {
            assert_eq!(condition.to_string(), words);
        }
    }
}
