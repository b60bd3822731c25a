//! What lets an application in: API keys, as the journal knows them.
//!
//! These types reach disk. A field is never removed or given another meaning; a new one has a default.

use crate::{Digest, EndpointName, KeyName, Rate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Predictions, and what endpoints say of themselves.
    Predict,
    /// Labels of predictions.
    Label,
    /// Figures about endpoints.
    Metrics,
    /// Loading and unloading of endpoints.
    Manage,
}

impl Scope {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Predict, Self::Label, Self::Metrics, Self::Manage];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Label => "label",
            Self::Metrics => "metrics",
            Self::Manage => "manage",
        }
    }

    /// The scope of this word. The error is a lowercase fragment.
    pub fn parse(word: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::word).join(", ");
        let found = Self::ALL.into_iter().find(|scope| scope.word() == word);
        found.ok_or_else(|| {
            format!("`{}` is no scope: there are {}", word.chars().take(40).collect::<String>(), known())
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A key without its text, which nobody has but whom it was given to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub name: KeyName,
    /// Of the key's text. A fast hash is enough: the text is 256 random bits, so there is nothing to guess that a slow one
    /// would make dear.
    pub digest: Digest,
    pub scopes: BTreeSet<Scope>,
    /// Those that it may ask; all if empty.
    #[serde(default)]
    pub endpoints: BTreeSet<EndpointName>,
    /// Microseconds since 1970-01-01 UTC; from then on it lets nobody in.
    #[serde(default)]
    pub expires_us: Option<i64>,
    #[serde(default)]
    pub rate: Option<Rate>,
    pub created_us: i64,
    /// Who made it, as far as that is known.
    #[serde(default)]
    pub by: Option<String>,
}
