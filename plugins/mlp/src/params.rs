//! What the step's `params` set, checked.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stepwell::tensor::{self, Adamw, CosineDecay, Decay, Sgd, StepDecay};
use stepwell::{Class, Error, Result};

/// The most numbers that are learnt: 256 MiB, and as much again for each that the optimiser remembers.
pub(crate) const NUMBERS_MAX: u64 = 1 << 26;

pub(crate) const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "objective": {"enum": ["auto", "regression", "binary", "multiclass"], "default": "auto", "description": "What the label is. auto: numbers are predicted as numbers (squared error), booleans and texts as classes."},
        "positive": {"type": ["string", "boolean", "integer"], "description": "Of two classes the one whose probability is given; by default the greater."},
        "hidden": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65536}, "maxItems": 100, "default": [64, 64], "description": "Width of each hidden layer; none is a linear model."},
        "activation": {"enum": ["relu", "tanh", "sigmoid", "silu"], "default": "relu", "description": "Of hidden layers."},
        "dropout": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0, "description": "Share of a hidden layer that is left out of each training step."},
        "categorical": {"type": "array", "items": {"type": "string"}, "uniqueItems": true, "default": [], "description": "Features of integers that are names, not sizes; those of text and truth values always are."},
        "embedding": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 4096}, "default": {}, "description": "Width of a categorical feature's embedding; by default 1.6 times the number of categories to the power of 0.56, 600 at most."},
        "optimiser": {"enum": ["adamw", "sgd"], "default": "adamw"},
        "learning_rate": {"type": "number", "exclusiveMinimum": 0, "default": 0.001},
        "schedule": {"enum": ["constant", "cosine", "exponential"], "default": "constant", "description": "How the learning rate falls after the warm-up: not at all, in half a cosine to 0 at the last epoch, or by `decay` an epoch."},
        "decay": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.95, "description": "exponential only: factor after each epoch."},
        "warm_up": {"type": "integer", "minimum": 0, "default": 0, "description": "Steps in which the learning rate rises to its full size."},
        "weight_decay": {"type": "number", "minimum": 0, "default": 0.01, "description": "Decoupled with adamw, as an L2 penalty's gradient with sgd."},
        "momentum": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.9, "description": "sgd only."},
        "clip_norm": {"type": "number", "exclusiveMinimum": 0, "description": "Gradients that are longer together are shortened to this."},
        "batch_size": {"type": "integer", "minimum": 1, "maximum": 1048576, "default": 128},
        "epochs": {"type": "integer", "minimum": 1, "default": 100},
        "early_stopping": {"type": "integer", "minimum": 1, "description": "Ends when the loss on the port validation has not improved for so many epochs, and keeps the best."},
        "checkpoint_every": {"type": "integer", "minimum": 1, "default": 5, "description": "Epochs after which what was reached outlives an interruption."}
    }
}"#;

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Objective {
    Auto,
    Regression,
    Binary,
    Multiclass,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Activation {
    Relu,
    Tanh,
    Sigmoid,
    Silu,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    Adamw,
    Sgd,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Schedule {
    Constant,
    Cosine,
    Exponential,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Params {
    pub(crate) objective: Objective,
    pub(crate) positive: Option<Class>,
    pub(crate) hidden: Vec<usize>,
    pub(crate) activation: Activation,
    pub(crate) dropout: f64,
    pub(crate) categorical: Vec<String>,
    pub(crate) embedding: BTreeMap<String, usize>,
    pub(crate) optimiser: Method,
    pub(crate) learning_rate: f64,
    pub(crate) schedule: Schedule,
    decay: Option<f64>,
    pub(crate) warm_up: u64,
    pub(crate) weight_decay: f64,
    momentum: Option<f64>,
    pub(crate) clip_norm: Option<f64>,
    pub(crate) batch_size: usize,
    pub(crate) epochs: u64,
    pub(crate) early_stopping: Option<u64>,
    pub(crate) checkpoint_every: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            objective: Objective::Auto,
            positive: None,
            hidden: vec![64, 64],
            activation: Activation::Relu,
            dropout: 0.0,
            categorical: Vec::new(),
            embedding: BTreeMap::new(),
            optimiser: Method::Adamw,
            learning_rate: 0.001,
            schedule: Schedule::Constant,
            decay: None,
            warm_up: 0,
            weight_decay: 0.01,
            momentum: None,
            clip_norm: None,
            batch_size: 128,
            epochs: 100,
            early_stopping: None,
            checkpoint_every: 5,
        }
    }
}

impl Params {
    /// Holds without the schema too, and refuses what nothing would read.
    pub(crate) fn checked(self) -> Result<Self> {
        let (momentum, decay, clip) = (self.momentum(), self.decay(), self.clip_norm.unwrap_or(1.0));
        let unit = "0 or more and less than 1";
        let ranges = [
            ("dropout", (0.0..1.0).contains(&self.dropout), unit, self.dropout),
            ("momentum", (0.0..1.0).contains(&momentum), unit, momentum),
            ("learning_rate", self.learning_rate > 0.0, "more than 0", self.learning_rate),
            ("decay", decay > 0.0 && decay <= 1.0, "more than 0 and at most 1", decay),
            ("weight_decay", self.weight_decay >= 0.0, "0 or more", self.weight_decay),
            ("clip_norm", clip > 0.0, "more than 0", clip),
            ("batch_size", self.batch_size > 0, "1 or more", 0.0),
            ("epochs", self.epochs > 0, "1 or more", 0.0),
            ("early_stopping", self.early_stopping != Some(0), "1 or more", 0.0),
            ("checkpoint_every", self.checkpoint_every > 0, "1 or more", 0.0),
            ("hidden", !self.hidden.contains(&0), "widths of 1 or more", 0.0),
            ("embedding", !self.embedding.values().any(|width| *width == 0), "widths of 1 or more", 0.0),
        ];
        if let Some((name, _, expected, got)) = ranges.iter().find(|(_, holds, ..)| !holds) {
            return Err(Error::invalid(*name, format!("expected {expected}, got {got}")));
        }
        if self.momentum.is_some() && self.optimiser != Method::Sgd {
            return Err(Error::invalid("momentum", "expected only with `optimiser = \"sgd\"`, got `adamw`"));
        }
        if self.decay.is_some() && self.schedule != Schedule::Exponential {
            return Err(Error::invalid("decay", "expected only with `schedule = \"exponential\"`, got another"));
        }
        Ok(self)
    }

    fn momentum(&self) -> f64 {
        self.momentum.unwrap_or(0.9)
    }

    fn decay(&self) -> f64 {
        self.decay.unwrap_or(0.95)
    }

    /// AdamW with its usual rates of forgetting (Loshchilov and Hutter, 2019).
    pub(crate) fn method(&self) -> tensor::Method {
        let weight_decay = self.weight_decay;
        match self.optimiser {
            Method::Adamw => tensor::Method::Adamw(Adamw { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay }),
            Method::Sgd => tensor::Method::Sgd(Sgd { momentum: self.momentum(), nesterov: false, weight_decay }),
        }
    }

    /// Arrays that the method remembers of each variable.
    pub(crate) fn remembered(&self) -> u64 {
        match self.optimiser {
            Method::Adamw => 2,
            Method::Sgd => u64::from(self.momentum() > 0.0),
        }
    }

    /// How the learning rate goes with the steps, of which an epoch has so many.
    pub(crate) fn schedule(&self, steps_of_epoch: u64) -> tensor::Schedule {
        let steps = (self.epochs * steps_of_epoch).saturating_sub(self.warm_up).max(1);
        let decay = match self.schedule {
            Schedule::Constant => Decay::Constant,
            Schedule::Cosine => Decay::Cosine(CosineDecay { steps, last_rate: 0.0 }),
            Schedule::Exponential => Decay::Step(StepDecay { every: steps_of_epoch.max(1), factor: self.decay() }),
        };
        tensor::Schedule { rate: self.learning_rate, warm_up: self.warm_up, decay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_nothing_reads_is_refused() {
        let check = |json: &str| stepwell::parse::<Params>(json).and_then(Params::checked);
        assert!(check("{}").is_ok());
        assert!(check(r#"{"hidden": [], "optimiser": "sgd", "momentum": 0.5, "clip_norm": 1}"#).is_ok());
        let wrong = [
            r#"{"momentum": 0.5}"#,
            r#"{"decay": 0.5}"#,
            r#"{"dropout": 1}"#,
            r#"{"hidden": [3, 0]}"#,
            r#"{"embedding": {"a": 0}}"#,
            r#"{"early_stopping": 0}"#,
            r#"{"layers": 2}"#,
        ];
        for wrong in wrong {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_rate_falls_by_the_epoch_or_to_the_last_step() {
        let schedule = |json: &str| stepwell::parse::<Params>(json).unwrap().schedule(5);
        let constant = schedule(r#"{"learning_rate": 8, "warm_up": 4}"#);
        assert_eq!((constant.rate, constant.warm_up), (8.0, 4));
        assert!(matches!(constant.decay, Decay::Constant));
        let exponential = schedule(r#"{"schedule": "exponential", "decay": 0.5}"#).decay;
        assert!(matches!(exponential, Decay::Step(StepDecay { every: 5, factor: 0.5 })), "{exponential:?}");
        let cosine = schedule(r#"{"schedule": "cosine", "epochs": 2, "warm_up": 2}"#).decay;
        assert!(matches!(cosine, Decay::Cosine(CosineDecay { steps: 8, last_rate: 0.0 })), "{cosine:?}");
    }
}
