//! What can be typed about models.

use clap::Subcommand;
use std::path::PathBuf;
use types::ModelName;

/// The alias that is meant unless another is named, as in `[endpoints]`.
const CHAMPION: &str = "champion";

#[derive(Subcommand)]
pub(crate) enum Model {
    /// All models, their versions and aliases
    List,
    /// A version: what it needs and gives, how good it is, where it came from
    Show {
        name: ModelName,
        /// A number or an alias [default: the latest]
        version: Option<String>,
    },
    /// Every move of a model's aliases: when, from, to, who and why
    History {
        name: ModelName,
        /// Only this one's
        #[arg(long)]
        alias: Option<String>,
    },
    /// Which version had an alias at a time: what answered then
    At {
        name: ModelName,
        /// A date, or a date and a time, in UTC unless it says otherwise: 2026-05-03T10:00Z
        time: String,
        #[arg(long, default_value = CHAMPION)]
        alias: String,
    },
    /// Give a version an alias: it answers from the next request on
    Promote {
        name: ModelName,
        /// A number, or another alias
        version: String,
        #[arg(long, default_value = CHAMPION)]
        alias: String,
        /// For the record
        #[arg(long)]
        why: String,
    },
    /// Give an alias back to the version that had it before; again, further back
    Rollback {
        name: ModelName,
        #[arg(long, default_value = CHAMPION)]
        alias: String,
        /// For the record
        #[arg(long)]
        why: Option<String>,
    },
    /// Take an alias away from the version that has it
    ///
    /// An alias with which an endpoint answers stays: promote another version instead. `rollback` gives it back.
    Unalias {
        name: ModelName,
        alias: String,
        /// For the record
        #[arg(long)]
        why: String,
    },
    /// Write something on a version
    Tag {
        name: ModelName,
        /// A number or an alias
        version: String,
        /// The value is empty if none is written
        #[arg(value_name = "KEY[=VALUE]")]
        tag: String,
    },
    /// Take a tag away
    Untag { name: ModelName, version: String, key: String },
    /// A model card in Markdown: use, limitations, data, measures by slice, verdict, lineage
    ///
    /// Filled from the records. What it is for, and not for, is what the step that registers says: `intended_use = ".."` and
    /// `limitations = ".."`.
    Card {
        name: ModelName,
        /// A number or an alias [default: the latest]
        version: Option<String>,
        /// Write it as an HTML page instead
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// How two versions differ: plugins, parameters, data, columns, files, measures
    Diff {
        name: ModelName,
        #[arg(value_name = "VERSION")]
        a: String,
        #[arg(value_name = "OTHER")]
        b: String,
        /// Show what is equal too
        #[arg(long)]
        all: bool,
    },
    /// Write a version into one file: record, weights, states, components and golden requests
    Export {
        name: ModelName,
        /// A number or an alias
        version: String,
        /// Must not be there yet
        file: PathBuf,
    },
    /// Register what `export` wrote, as a new version that has no alias
    ///
    /// Every blob must have the digest that the record says. What it holds runs in the sandbox, like any plugin.
    Import {
        file: PathBuf,
        /// Call the model so
        #[arg(long)]
        name: Option<ModelName>,
    },
}
