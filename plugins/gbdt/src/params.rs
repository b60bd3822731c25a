//! What the step's `params` set, checked.

use crate::split::Rules;
use serde::Deserialize;
use std::collections::BTreeMap;
use stepwell::{Class, Error, Result};

pub(crate) const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "objective": {"enum": ["auto", "squared", "absolute", "quantile", "binary", "multiclass"], "default": "auto", "description": "What is minimised. auto: squared for a label of numbers; for classes binary where there are two, else multiclass."},
        "quantile": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "description": "Objective quantile only: which."},
        "positive": {"type": ["string", "boolean", "integer"], "description": "Objective binary only: class whose probability is given; by default the greater."},
        "trees": {"type": "integer", "minimum": 1, "maximum": 100000, "default": 100, "description": "Rounds of boosting; a round grows one tree, or one a class."},
        "learning_rate": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.1},
        "max_leaves": {"type": "integer", "minimum": 2, "maximum": 65536, "default": 31},
        "max_depth": {"type": "integer", "minimum": 1, "description": "Splits from the root to a leaf; by default any number."},
        "min_child_samples": {"type": "integer", "minimum": 1, "default": 20, "description": "Rows in a leaf."},
        "min_child_hessian": {"type": "number", "minimum": 0, "default": 0.001, "description": "Sum of hessians in a leaf."},
        "min_gain": {"type": "number", "minimum": 0, "default": 0, "description": "A split must gain more."},
        "l2": {"type": "number", "minimum": 0, "default": 0, "description": "Penalty on the squared values of leaves."},
        "max_bins": {"type": "integer", "minimum": 2, "maximum": 255, "default": 255, "description": "Bins of a column of numbers, beside the one for what is missing."},
        "row_share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 1, "description": "About this share of the rows is drawn for each round."},
        "feature_share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 1, "description": "This share of the features is drawn for each tree."},
        "categorical": {"type": "array", "items": {"type": "string"}, "uniqueItems": true, "default": [], "description": "Features whose values are names, not sizes; those of text always are."},
        "categorical_l2": {"type": "number", "minimum": 0, "default": 10, "description": "Added to l2 where several categories are split from others."},
        "categorical_smoothing": {"type": "number", "minimum": 0, "default": 10, "description": "Rows that a category needs to be told apart, and what damps its mean."},
        "monotone": {"type": "object", "additionalProperties": {"enum": [-1, 1]}, "default": {}, "description": "Features with which the prediction may only rise (1) or only fall (-1)."},
        "early_stopping": {"type": "integer", "minimum": 1, "description": "Ends when the loss on the port validation has not improved for so many rounds, and keeps the best."},
        "checkpoint_every": {"type": "integer", "minimum": 1, "default": 20, "description": "Rounds after which what was grown outlives an interruption."}
    }
}"#;

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wish {
    Auto,
    Squared,
    Absolute,
    Quantile,
    Binary,
    Multiclass,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Params {
    pub(crate) objective: Wish,
    pub(crate) quantile: Option<f64>,
    pub(crate) positive: Option<Class>,
    pub(crate) trees: u64,
    pub(crate) learning_rate: f64,
    pub(crate) max_leaves: usize,
    pub(crate) max_depth: Option<u32>,
    pub(crate) min_child_samples: u64,
    pub(crate) min_child_hessian: f64,
    pub(crate) min_gain: f64,
    pub(crate) l2: f64,
    pub(crate) max_bins: u32,
    pub(crate) row_share: f64,
    pub(crate) feature_share: f64,
    pub(crate) categorical: Vec<String>,
    pub(crate) categorical_l2: f64,
    pub(crate) categorical_smoothing: f64,
    pub(crate) monotone: BTreeMap<String, i8>,
    pub(crate) early_stopping: Option<u64>,
    pub(crate) checkpoint_every: u64,
}

/// The defaults are LightGBM's.
impl Default for Params {
    fn default() -> Self {
        Self {
            objective: Wish::Auto,
            quantile: None,
            positive: None,
            trees: 100,
            learning_rate: 0.1,
            max_leaves: 31,
            max_depth: None,
            min_child_samples: 20,
            min_child_hessian: 1e-3,
            min_gain: 0.0,
            l2: 0.0,
            max_bins: 255,
            row_share: 1.0,
            feature_share: 1.0,
            categorical: Vec::new(),
            categorical_l2: 10.0,
            categorical_smoothing: 10.0,
            monotone: BTreeMap::new(),
            early_stopping: None,
            checkpoint_every: 20,
        }
    }
}

impl Params {
    /// Holds without the schema too, and refuses what the objective would not read.
    pub(crate) fn checked(self) -> Result<Self> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let ranges = [
            ("trees", self.trees >= 1 && self.trees <= 100_000, "1 to 100000", self.trees as f64),
            ("learning_rate", share(self.learning_rate), "more than 0, at most 1", self.learning_rate),
            ("max_leaves", (2..=65_536).contains(&self.max_leaves), "2 to 65536", self.max_leaves as f64),
            ("min_child_hessian", self.min_child_hessian >= 0.0, "0 or more", self.min_child_hessian),
            ("min_gain", self.min_gain >= 0.0, "0 or more", self.min_gain),
            ("l2", self.l2 >= 0.0, "0 or more", self.l2),
            ("max_bins", (2..=255).contains(&self.max_bins), "2 to 255", f64::from(self.max_bins)),
            ("row_share", share(self.row_share), "more than 0, at most 1", self.row_share),
            ("feature_share", share(self.feature_share), "more than 0, at most 1", self.feature_share),
            ("categorical_l2", self.categorical_l2 >= 0.0, "0 or more", self.categorical_l2),
            ("categorical_smoothing", self.categorical_smoothing >= 0.0, "0 or more", self.categorical_smoothing),
            ("checkpoint_every", self.checkpoint_every >= 1, "1 or more", self.checkpoint_every as f64),
        ];
        if let Some((name, _, expected, got)) = ranges.iter().find(|(_, holds, ..)| !holds) {
            return Err(Error::invalid(*name, format!("expected {expected}, got {got}")));
        }
        self.read_by_objective()?;
        Ok(self)
    }

    fn read_by_objective(&self) -> Result<()> {
        let refuse = |name: &str, reason: &str| Err(Error::invalid(name, reason));
        match (self.objective, self.quantile) {
            (Wish::Quantile, Some(quantile)) if quantile > 0.0 && quantile < 1.0 => (),
            (Wish::Quantile, _) => {
                return refuse("quantile", "expected more than 0 and less than 1 with this objective");
            }
            (_, Some(_)) => return refuse("quantile", "expected only with `objective = \"quantile\"`"),
            _ => (),
        }
        if self.positive.is_some() && !matches!(self.objective, Wish::Auto | Wish::Binary) {
            return refuse("positive", "expected only with two classes");
        }
        if !self.monotone.is_empty() && matches!(self.objective, Wish::Absolute | Wish::Quantile | Wish::Multiclass) {
            return refuse("monotone", "expected only with the objectives `squared` and `binary`");
        }
        if let Some((name, sign)) = self.monotone.iter().find(|(_, sign)| !matches!(sign, -1 | 1)) {
            return Err(Error::invalid("monotone", format!("expected 1 or -1 for `{name}`, got {sign}")));
        }
        Ok(())
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            l2: self.l2,
            min_child_samples: self.min_child_samples,
            min_child_hessian: self.min_child_hessian,
            min_gain: self.min_gain,
            categorical_l2: self.categorical_l2,
            categorical_smoothing: self.categorical_smoothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_nothing_reads_is_refused() {
        let check = |json: &str| stepwell::parse::<Params>(json).and_then(Params::checked);
        for right in
            ["{}", r#"{"objective": "quantile", "quantile": 0.9}"#, r#"{"monotone": {"a": -1}, "positive": true}"#]
        {
            assert!(check(right).is_ok(), "{right}");
        }
        for wrong in [
            r#"{"quantile": 0.5}"#,
            r#"{"objective": "quantile"}"#,
            r#"{"objective": "quantile", "quantile": 1}"#,
            r#"{"objective": "squared", "positive": "a"}"#,
            r#"{"objective": "absolute", "monotone": {"a": 1}}"#,
            r#"{"monotone": {"a": 2}}"#,
            r#"{"trees": 0}"#,
            r#"{"max_leaves": 1}"#,
            r#"{"row_share": 0}"#,
            r#"{"learning_rate": 1.5}"#,
            r#"{"max_bins": 256}"#,
            r#"{"rounds": 5}"#,
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
