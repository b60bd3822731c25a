//! Names that a person gives: text in, a checked id out. The same rule for all, so that an id can be a folder, a key and a URL part.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: expected 1 to 64 of `a-z 0-9 - _`, beginning with a letter")]
pub struct IdError {
    /// What was to be named.
    pub what: &'static str,
    /// What stood there, cut at 80 characters.
    pub text: String,
}

fn well_formed(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.as_bytes()[0].is_ascii_lowercase() && text.bytes().all(allowed)
}

/// A step's name, or that of one of its items: `train@3`.
fn of_step(text: &str) -> bool {
    let (name, index) = text.split_once('@').unwrap_or((text, "0"));
    let number = index.parse::<u32>().is_ok_and(|number| number.to_string() == index);
    well_formed(name) && number
}

/// What all ids can do.
pub trait Id: Sized {
    /// The checked id, or why the text is none.
    fn parse(text: &str) -> Result<Self, IdError>;
    /// The id as text.
    fn as_str(&self) -> &str;
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        id_type!($(#[$doc])* $name, $what, well_formed);
    };
    ($(#[$doc:meta])* $name:ident, $what:literal, $well_formed:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl Id for $name {
            fn parse(text: &str) -> Result<Self, IdError> {
                match $well_formed(text) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(IdError { what: $what, text: text.chars().take(80).collect() }),
                }
            }
            fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{}`", self.0)
            }
        }
    };
}

id_type!(
    /// A client, whose walls everything stands within.
    TenantId, "tenant name"
);
id_type!(
    /// A project: a folder with a `stepwell.toml`.
    ProjectName, "project name"
);
id_type!(
    /// A pipeline of a project: the name of its file.
    PipelineName, "pipeline name"
);
id_type!(
    /// A step of a pipeline. One that runs for several items is several steps, `train@0`, `train@1`, ..; who writes a manifest
    /// cannot name them.
    StepName, "step name", of_step
);
id_type!(
    /// A port of a step: where a table, model or report goes in or comes out.
    PortName, "port name"
);
id_type!(
    /// A plugin, as its descriptor says.
    PluginName, "plugin name"
);
id_type!(
    /// A model of the registry.
    ModelName, "model name"
);
id_type!(
    /// A served name.
    EndpointName, "endpoint name"
);
id_type!(
    /// An API key of a tenant: what it is called, never what it is.
    KeyName, "key name"
);

impl StepName {
    /// The step for one of its items, counted from 0.
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{}@{index}", self.0))
    }

    /// Whether it is one of a step's items.
    pub fn is_item(&self) -> bool {
        self.0.contains('@')
    }
}

impl TenantId {
    /// The tenant of an installation that serves one client.
    pub fn default_tenant() -> Self {
        Self("default".to_owned())
    }

    /// Whether it is the one that is always there.
    pub fn is_default(&self) -> bool {
        self.0 == "default"
    }
}

/// A run of a tenant: counted from 1 in the order of its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_safe_folder_name() {
        for good in ["a", "train", "mean_radius", "a-1"] {
            assert!(StepName::parse(good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "A", "1a", "-a", "a/b", "..", "a b", "ä", long.as_str()] {
            assert!(StepName::parse(bad).is_err(), "{bad}");
        }
        let item = StepName::parse("train").unwrap().item(12);
        assert_eq!(StepName::parse(item.as_str()), Ok(item));
        for bad in ["train@", "train@01", "train@-1", "train@1@2", "@1", "train@4294967296"] {
            assert!(StepName::parse(bad).is_err(), "{bad}");
        }
        assert!(PipelineName::parse("train@1").is_err());
    }
}
