//! What opening a data folder found and did, for the log and for people.

use std::fmt;
use std::path::PathBuf;
use types::TenantId;

/// What [`crate::Store::open`] had to do. Clean after an orderly end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Of all journals together: bytes of batches that were never acknowledged, cut off.
    pub truncated_bytes: u64,
    pub torn: Vec<Torn>,
    /// Records that the index did not yet reflect.
    pub replayed: u64,
    /// There was no index, and something to be in it.
    pub missing: bool,
    pub rebuilt: Option<Rebuilt>,
}

/// A journal that ended within a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// None: the installation's.
    pub tenant: Option<TenantId>,
    pub file: PathBuf,
    /// Where the file ends now.
    pub offset: u64,
    pub bytes: u64,
}

/// An index that could not be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Where it lies now.
    pub quarantine: PathBuf,
    pub why: String,
}

impl Recovery {
    /// Whether nothing was damaged; that the index lagged behind is no damage.
    pub fn is_clean(&self) -> bool {
        self.torn.is_empty() && self.rebuilt.is_none() && !self.missing
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for torn in &self.torn {
            lines.push(format!(
                "cut {} bytes of an unfinished batch from `{}` at byte {}",
                torn.bytes,
                torn.file.display(),
                torn.offset
            ));
        }
        if let Some(rebuilt) = &self.rebuilt {
            let place = rebuilt.quarantine.display();
            lines.push(format!("rebuilt the index from the journal: {}; the old one is in `{place}`", rebuilt.why));
        }
        if self.missing {
            lines.push("built the index from the journal: there was none".to_owned());
        }
        if self.replayed > 0 {
            lines.push(format!("replayed {} records into the index", self.replayed));
        }
        f.write_str(&lines.join("\n"))
    }
}
