//! What a plugin says of itself, in the host's words; the twin of `stepwell:step/description`.

use crate::{Field, PluginName, PortName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Collector,
    Transformer,
    Fitted,
    Validator,
    Trainer,
    Predictor,
    Evaluator,
    Sink,
}

impl Role {
    /// All roles, in the order of a pipeline's life.
    pub const ALL: [Role; 8] = [
        Role::Collector,
        Role::Validator,
        Role::Transformer,
        Role::Fitted,
        Role::Trainer,
        Role::Predictor,
        Role::Evaluator,
        Role::Sink,
    ];

    /// The interface's name in `stepwell:step`.
    pub fn interface(self) -> &'static str {
        match self {
            Role::Collector => "collector",
            Role::Transformer => "transformer",
            Role::Fitted => "fitted",
            Role::Validator => "validator",
            Role::Trainer => "trainer",
            Role::Predictor => "predictor",
            Role::Evaluator => "evaluator",
            Role::Sink => "sink",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.interface())
    }
}

/// The columns on a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub name: PortName,
    pub columns: Vec<Field>,
}

/// How the rows of an output follow from an input's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowRelation {
    /// Row i from row i of that input alone.
    Same(PortName),
    /// Some rows of that input, columns unchanged.
    Subset(PortName),
    /// Anything else.
    Other,
}

/// A port that a step gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    pub name: PortName,
    pub columns: Vec<Field>,
    pub rows: RowRelation,
}

/// What a plugin is, needs and gives, under the parameters and input columns it was asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    pub name: PluginName,
    pub version: String,
    pub summary: String,
    /// JSON Schema of the parameters.
    #[serde(deserialize_with = "crate::schema::within")]
    pub parameters: serde_json::Value,
    /// Every port it takes, with the columns it reads there.
    pub inputs: Vec<Port>,
    pub outputs: Vec<Output>,
    /// Whether `fit` learns anything.
    pub learns: bool,
    /// Read from the component's type, never from its words.
    pub roles: Vec<Role>,
    /// Interfaces it imports, for instance `stepwell:platform/files@0.1.0`: its request for capabilities.
    pub imports: Vec<String>,
}
