//! Judgements: findings on data, measures of predictions, a gate's verdict on both.

use serde::{Deserialize, Serialize};

/// Whether a failed finding stops the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Shown.
    Warning,
    /// Stops the run.
    Error,
}

/// One check of a validator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub check: String,
    pub column: Option<String>,
    pub severity: Severity,
    pub passed: bool,
    pub observed: String,
    pub expected: String,
    /// Positions of offending rows, at most 20, from 0.
    pub sample: Vec<u64>,
    /// The values of `column` at those rows, as the host read them; cut at 80 characters each.
    pub sample_values: Vec<String>,
}

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// A number about predictions or about training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    pub name: String,
    /// `column=value`; none for all rows.
    pub slice: Option<String>,
    pub value: f64,
    pub interval: Option<Interval>,
    pub baseline_value: Option<f64>,
    pub difference_interval: Option<Interval>,
}

/// The side on which a measure must lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// What a gate asks of one measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requirement {
    pub measure: String,
    pub slice: Option<String>,
    pub bound: Bound,
}

/// One requirement, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictLine {
    pub requirement: Requirement,
    /// None if no such measure was taken, which fails.
    pub value: Option<f64>,
    pub interval: Option<Interval>,
    pub passed: bool,
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub passed: bool,
    pub lines: Vec<VerdictLine>,
    /// For a reader in a hurry.
    pub sentence: String,
}
