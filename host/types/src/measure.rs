//! Judgements: findings on data, measures of predictions, a gate's verdict on both.

use serde::{Deserialize, Serialize};
use std::fmt;

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
    /// `column=value`, or `column=value x column=value` of a cross; none for all rows.
    pub slice: Option<String>,
    pub value: f64,
    pub interval: Option<Interval>,
    pub baseline_value: Option<f64>,
    /// Of this value minus the baseline's, on the same rows.
    pub difference_interval: Option<Interval>,
}

impl Measure {
    /// The columns that a slice is of, as an evaluator's `slices` names them: `region` of `region=eu`, `region x plan` of a cross.
    pub fn columns_of(slice: &str) -> String {
        let columns = slice.split(" x ").filter_map(|part| part.split_once('=')).map(|(column, _)| column);
        columns.collect::<Vec<_>>().join(" x ")
    }

    /// Whether less of a measure of this name is better; none if that is not known. What follows an `@` or `:` is a detail:
    /// `ndcg@10`, `recall:malignant`.
    pub fn is_better_low(name: &str) -> Option<bool> {
        let stem = name.split(['@', ':']).next().unwrap_or(name);
        match (BETTER_LOW.contains(&stem), BETTER_HIGH.contains(&stem)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}

/// Measures of the first-party evaluators of which less is better. A mean error, a bias, a coverage, and slope and intercept of a
/// calibration are best in between.
const BETTER_LOW: [&str; 16] = [
    "log_loss",
    "brier",
    "ece",
    "brier_reliability",
    "fpr",
    "fnr",
    "mae",
    "rmse",
    "mape",
    "smape",
    "wape",
    "mase",
    "max_error",
    "median_absolute_error",
    "pinball",
    "interval_width",
];

/// And of which more is.
const BETTER_HIGH: [&str; 26] = [
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "fbeta",
    "fbeta_macro",
    "fbeta_weighted",
    "precision_weighted",
    "recall_weighted",
    "f1_weighted",
    "top",
    "roc_auc",
    "roc_auc_macro",
    "pr_auc",
    "tnr",
    "brier_resolution",
    "r2",
    "ndcg",
    "mrr",
    "map",
    "hit_rate",
    "auc",
];

/// The side on which a measure must lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Beside the baseline on the same rows: worse by no more than this.
    NotWorseBy(f64),
    /// Likewise: better by more than this.
    BetterBy(f64),
}

impl Bound {
    /// Whether it is about the difference to a baseline.
    pub fn is_relative(self) -> bool {
        matches!(self, Self::NotWorseBy(_) | Self::BetterBy(_))
    }
}

/// For people: `at least 0.9`.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::NotWorseBy(margin) => write!(f, "not worse by more than {margin}"),
            Self::BetterBy(margin) => write!(f, "better by more than {margin}"),
        }
    }
}

/// What a gate asks of one measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requirement {
    pub measure: String,
    /// One slice, by its name.
    pub slice: Option<String>,
    pub bound: Bound,
    /// Asked of every slice of these columns too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<String>,
    /// Of a difference: whether less is better.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lowest: bool,
    /// Of a value: whether its whole interval must lie there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confident: bool,
}

impl Requirement {
    /// Of a measure over all rows, by its value.
    pub fn new(measure: &str, bound: Bound) -> Self {
        let (slice, slices, lowest, confident) = Default::default();
        Self { measure: measure.to_owned(), slice, bound, slices, lowest, confident }
    }

    /// What is asked, for people: `mae`, `recall of region=eu`.
    pub fn subject(&self) -> String {
        self.slice.as_ref().map_or_else(|| self.measure.clone(), |slice| format!("{} of {slice}", self.measure))
    }

    /// What is asked of it: `at least 0.9 with its whole interval, also in each slice of region`.
    pub fn demand(&self) -> String {
        let mut demand = self.bound.to_string();
        if self.confident {
            demand += " with its whole interval";
        }
        if self.bound.is_relative() && self.lowest {
            demand += ", less being better";
        }
        if !self.slices.is_empty() {
            demand += &format!(", also in each slice of {}", crate::listed(&self.slices));
        }
        demand
    }
}

/// What can be said of a requirement, and of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Pass,
    /// There is no baseline to compare with.
    NoBaseline,
    /// The interval holds both: too few rows to tell.
    Inconclusive,
    Fail,
}

impl Outcome {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "passed",
            Self::NoBaseline => "no baseline",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "failed",
        }
    }
}

/// What a gate lets through beside what passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leniency {
    pub inconclusive: bool,
    pub no_baseline: bool,
}

impl Default for Leniency {
    /// A first model has nothing to be compared with; any other one shows that it is good enough.
    fn default() -> Self {
        Self { inconclusive: false, no_baseline: true }
    }
}

/// What a candidate was compared with: the version that had the alias when it was looked up; none if none had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Against {
    pub model: crate::ModelName,
    pub alias: String,
    pub version: Option<u32>,
}

/// One requirement, judged on all rows or on one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictLine {
    pub requirement: Requirement,
    /// None if no such measure was taken.
    pub value: Option<f64>,
    pub interval: Option<Interval>,
    /// Whether the gate lets it through.
    pub passed: bool,
    /// None of a line that is older than this field: `passed` tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_value: Option<f64>,
    /// Of value minus baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference_interval: Option<Interval>,
    /// In words, where numbers do not tell all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

impl VerdictLine {
    pub fn outcome(&self) -> Outcome {
        self.outcome.unwrap_or(if self.passed { Outcome::Pass } else { Outcome::Fail })
    }
}

/// What a gate or an examination says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether what hangs on it goes on.
    pub passed: bool,
    pub lines: Vec<VerdictLine>,
    /// For a reader in a hurry.
    pub sentence: String,
    /// As of a line: the worst of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// None where nothing registered was to be compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

impl Verdict {
    pub fn outcome(&self) -> Outcome {
        self.outcome.unwrap_or(if self.passed { Outcome::Pass } else { Outcome::Fail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_tells_its_columns() {
        for (slice, columns) in [
            ("region=eu", "region"),
            ("region=eu x plan=pro", "region x plan"),
            ("size=2 x 4", "size"),
            ("formula=a=b", "formula"),
        ] {
            assert_eq!(Measure::columns_of(slice), columns);
        }
    }

    #[test]
    fn what_is_required_is_said_in_words() {
        let mut requirement = Requirement::new("recall", Bound::AtLeast(0.5));
        assert_eq!((requirement.subject(), requirement.demand()), ("recall".to_owned(), "at least 0.5".to_owned()));
        requirement.slice = Some("region=eu".to_owned());
        (requirement.confident, requirement.slices) = (true, vec!["region".to_owned(), "region x plan".to_owned()]);
        assert_eq!(requirement.subject(), "recall of region=eu");
        let demand = "at least 0.5 with its whole interval, also in each slice of region, region x plan";
        assert_eq!(requirement.demand(), demand);
        let better = Requirement { lowest: true, ..Requirement::new("mae", Bound::BetterBy(0.1)) };
        assert_eq!(better.demand(), "better by more than 0.1, less being better");
    }

    #[test]
    fn a_measure_says_which_way_is_better() {
        for (name, low) in [
            ("log_loss", Some(true)),
            ("ndcg@10", Some(false)),
            ("recall:benign", Some(false)),
            ("fbeta@2:benign", Some(false)),
            ("bias", None),
        ] {
            assert_eq!(Measure::is_better_low(name), low, "{name}");
        }
    }

    #[test]
    fn a_verdict_of_the_first_version_can_be_read() {
        let text = r#"{"passed":false,"lines":[{"requirement":{"measure":"auc","slice":null,"bound":{"at_least":0.9}},
            "value":0.8,"interval":null,"passed":false}],"sentence":"failed: auc"}"#;
        let verdict: Verdict = serde_json::from_str(text).unwrap();
        assert_eq!((verdict.outcome(), verdict.lines[0].outcome()), (Outcome::Fail, Outcome::Fail));
        assert_eq!(verdict.lines[0].requirement, Requirement::new("auc", Bound::AtLeast(0.9)));
    }
}
