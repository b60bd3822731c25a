//! What a worker says that it left -> blobs, within the bounds of its attempt. The worker may be its guest's by now: sizes,
//! names and digests are its word until they were looked at, and what it leaves counts against the step's limit `output`.

use crate::process::Bounds;
use ports::{Answer, Blobs};
use std::fs::symlink_metadata;
use std::path::{Path, PathBuf};
use types::{Artifact, Digest, Fault, LimitKind, SavedFile, TableRef, TenantId};

/// What an honest worker's files have over the values that it counts: heads of parts, and their padding.
const HEADS_BYTES: u64 = 16 << 20;

/// The files of one attempt, on their way to become blobs.
pub(crate) struct Adoption<'a> {
    blobs: &'a dyn Blobs,
    tenant: &'a TenantId,
    scratch: PathBuf,
    bounds: &'a Bounds<'a>,
    limit: u64,
    left: u64,
}

impl<'a> Adoption<'a> {
    /// Of what lies in the scratch folder, at most `limit` bytes and the heads of their files.
    pub(crate) fn new(
        blobs: &'a dyn Blobs,
        tenant: &'a TenantId,
        scratch: &Path,
        bounds: &'a Bounds<'a>,
        limit: u64,
    ) -> Self {
        let left = limit.saturating_add(limit / 4).saturating_add(HEADS_BYTES);
        Self { blobs, tenant, scratch: scratch.to_owned(), bounds, limit, left }
    }

    /// Returns once everything that the answer points at is a blob.
    pub(crate) fn answer(&mut self, answer: &Answer) -> Result<(), Fault> {
        let Answer::Outputs { outputs } = answer else { return Ok(()) };
        outputs.values().try_for_each(|artifact| match artifact {
            Artifact::Table(table) => self.table(table),
            Artifact::State { files } | Artifact::Model { files, .. } => {
                files.iter().try_for_each(|file| self.file(file))
            }
            _ => Ok(()),
        })
    }

    /// Returns once the table's parts are blobs.
    pub(crate) fn table(&mut self, table: &TableRef) -> Result<(), Fault> {
        let whose = || format!("table {}", table.digest.short());
        data::verify(table).map_err(|error| Fault::guest(format!("{}: {error}", whose())))?;
        let mut bytes = 0_u64;
        for part in &table.parts {
            bytes = bytes.saturating_add(self.blob(*part)?);
        }
        expect_bytes(&whose(), table.bytes, bytes)
    }

    fn file(&mut self, file: &SavedFile) -> Result<(), Fault> {
        let bytes = self.blob(file.digest)?;
        expect_bytes(&format!("saved file {}", file.digest.short()), file.bytes, bytes)
    }

    /// Takes the file over, unless it is a blob already: left and adopted before, by this attempt or another. Gives its size.
    fn blob(&mut self, digest: Digest) -> Result<u64, Fault> {
        self.bounds.check()?;
        let file = self.scratch.join(digest.to_string());
        if let Ok(found) = symlink_metadata(&file) {
            self.charge(found.len())?;
            self.blobs.adopt(self.tenant, &file, digest)?;
            let kept = self.size(digest)?;
            // A file that grew while it was taken over is not what was charged.
            return expect_bytes(&format!("file {}", digest.short()), found.len(), kept).map(|()| kept);
        }
        let bytes = self.size(digest).map_err(|fault| Fault::guest(format!("names what it did not leave: {fault}")))?;
        self.charge(bytes).map(|()| bytes)
    }

    fn size(&self, digest: Digest) -> Result<u64, Fault> {
        let path = self.blobs.path(self.tenant, digest)?;
        Ok(symlink_metadata(path).map_err(Fault::host)?.len())
    }

    fn charge(&mut self, bytes: u64) -> Result<(), Fault> {
        let over = || {
            let message = format!("left files of more than its limit `output` of {} MiB", self.limit >> 20);
            Fault::limit(LimitKind::Output, message)
        };
        self.left = self.left.checked_sub(bytes).ok_or_else(over)?;
        Ok(())
    }
}

fn expect_bytes(whose: &str, said: u64, found: u64) -> Result<(), Fault> {
    match said == found {
        true => Ok(()),
        false => Err(Fault::guest(format!("{whose} has {found} bytes, the worker said {said}"))),
    }
}
