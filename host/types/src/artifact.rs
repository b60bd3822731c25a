//! What steps leave behind: stored, named by digest, never changed.

use crate::{Digest, Finding, Measure, Schema, Signature, Verdict};
use serde::{Deserialize, Serialize};

/// A stored table: its schema and parts, each a blob (an Arrow IPC file). Equal digest, equal rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRef {
    pub digest: Digest,
    pub schema: Schema,
    pub rows: u64,
    pub parts: Vec<Digest>,
    pub bytes: u64,
}

/// A stored part of a fitted state or a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    pub name: String,
    pub digest: Digest,
    pub bytes: u64,
}

/// What stands on an output port of a committed step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Artifact {
    Table(TableRef),
    /// What a fitted transformer learnt.
    State {
        files: Vec<SavedFile>,
    },
    /// What a trainer learnt.
    Model {
        files: Vec<SavedFile>,
        signature: Signature,
        measures: Vec<Measure>,
    },
    Findings {
        findings: Vec<Finding>,
    },
    Measures {
        measures: Vec<Measure>,
    },
    Verdict(Verdict),
    /// A version of the registry.
    Version {
        model: crate::ModelName,
        version: u32,
    },
    /// Where a sink brought something, in its words, and whether an earlier attempt had already done so.
    Delivered {
        location: String,
        repeated: bool,
    },
}

impl Artifact {
    /// The artifact's kind, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "table",
            Self::State { .. } => "state",
            Self::Model { .. } => "model",
            Self::Findings { .. } => "findings",
            Self::Measures { .. } => "measures",
            Self::Verdict(_) => "verdict",
            Self::Version { .. } => "version",
            Self::Delivered { .. } => "delivered",
        }
    }

    /// Names the artifact: for a table its own digest, else that of its JSON form.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Table(table) => table.digest,
            other => Digest::of_json(other),
        }
    }

    /// The measures that it is, or that a trainer gave with its model.
    pub fn measures(&self) -> &[Measure] {
        match self {
            Self::Measures { measures } | Self::Model { measures, .. } => measures,
            _ => &[],
        }
    }

    /// Every blob that it points at.
    pub fn blobs(&self) -> Vec<Digest> {
        match self {
            Self::Table(table) => table.parts.clone(),
            Self::State { files } | Self::Model { files, .. } => files.iter().map(|file| file.digest).collect(),
            _ => Vec::new(),
        }
    }
}

/// An output port of a step: `parts.train` in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutputRef {
    pub step: crate::StepName,
    pub port: crate::PortName,
}

impl std::fmt::Display for OutputRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.step, self.port)
    }
}
