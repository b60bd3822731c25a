//! Whether the records, and what they point at, are as they were written.

use crate::{Error, Server, locked};
use std::path::Path;
use store::Audited;
use types::Digest;

impl Server {
    /// Looks at every journal and, if asked, at every blob that a record points at; `heads` must still be in them.
    pub fn audit(&self, heads: &[Digest], with_blobs: bool) -> Result<Audited, Error> {
        // Who sweeps removes what a record was forgotten for after we looked.
        let _no_sweep = locked(&self.collecting);
        Ok(self.store.audit(heads, with_blobs)?)
    }
}

/// The same of a data folder that is locked and not open: damage that keeps a server from opening it is told with the rest.
pub fn audit_folder(data: &Path, heads: &[Digest], with_blobs: bool) -> Audited {
    store::audit(data, heads, with_blobs)
}
