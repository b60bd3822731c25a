//! What a worker says that it left -> blobs, within the bounds of its attempt. The worker may be its guest's by now: sizes,
//! names and digests are its word until they were looked at, and what it leaves counts against the step's limits.

use crate::carried;
use crate::process::Bounds;
use ports::{Answer, Blobs, Page};
use std::collections::BTreeMap;
use std::fs::symlink_metadata;
use std::path::{Path, PathBuf};
use types::{
    Artifact, Digest, Fault, LimitKind, Limits, Quantity, SavedFile, TableRef, TenantId, disk_bytes, recorded_bytes,
};

/// What an honest worker's files have over the values that it counts: heads of parts, and their padding.
const HEADS_BYTES: u64 = 16 << 20;

/// What a message carried.
type Files<'a> = BTreeMap<Digest, &'a [u8]>;

/// The files of one attempt, on their way to become blobs.
pub(crate) struct Adoption<'a> {
    blobs: &'a dyn Blobs,
    tenant: &'a TenantId,
    scratch: PathBuf,
    bounds: &'a Bounds<'a>,
    limits: Limits,
    /// What the files and tables so far have: rows, bytes, space on the disk.
    rows: u64,
    bytes: u64,
    disk_bytes: u64,
}

impl<'a> Adoption<'a> {
    /// Of what lies in the scratch folder, as much as the bounds' limits allow.
    pub(crate) fn new(blobs: &'a dyn Blobs, tenant: &'a TenantId, scratch: &Path, bounds: &'a Bounds<'a>) -> Self {
        let (limits, scratch) = (bounds.limits, scratch.to_owned());
        Self { blobs, tenant, scratch, bounds, limits, rows: 0, bytes: 0, disk_bytes: 0 }
    }

    /// Returns once everything that the answer points at is a blob; `body` is what it carried.
    pub(crate) fn answer(&mut self, answer: &Answer, body: &[u8]) -> Result<(), Fault> {
        let Answer::Outputs { outputs } = answer else { return Ok(()) };
        let carried = &carried::files(body)?;
        outputs.values().try_for_each(|artifact| match artifact {
            Artifact::Table(table) => self.table(table, carried),
            Artifact::State { files } | Artifact::Model { files, .. } => {
                files.iter().try_for_each(|file| self.file(file, carried))
            }
            _ => Ok(()),
        })
    }

    /// Returns once the page's parts are blobs. Its record is charged as well: without rows it would cost nothing.
    pub(crate) fn page(&mut self, page: &Page, body: &[u8]) -> Result<(), Fault> {
        self.table(&page.table, &carried::files(body)?)?;
        self.charge_disk(recorded_bytes(page))
    }

    /// Returns once the table's parts are blobs.
    fn table(&mut self, table: &TableRef, carried: &Files<'_>) -> Result<(), Fault> {
        let whose = || format!("table {}", table.digest.short());
        data::verify(table).map_err(|error| Fault::guest(format!("{}: {error}", whose())))?;
        self.rows = self.rows.saturating_add(table.rows);
        if self.rows > self.limits.rows {
            let done = format!("gives {} rows of outputs", self.rows);
            return Err(Fault::beyond(LimitKind::Rows, done, self.limits.rows));
        }
        let mut bytes = 0_u64;
        for part in &table.parts {
            bytes = bytes.saturating_add(self.blob(*part, carried)?);
        }
        expect_bytes(&whose(), table.bytes, bytes)
    }

    fn file(&mut self, file: &SavedFile, carried: &Files<'_>) -> Result<(), Fault> {
        let bytes = self.blob(file.digest, carried)?;
        expect_bytes(&format!("saved file {}", file.digest.short()), file.bytes, bytes)
    }

    /// Takes the file over, unless it is a blob already: left and adopted before, by this attempt or another. Gives its size.
    fn blob(&mut self, digest: Digest, carried: &Files<'_>) -> Result<u64, Fault> {
        self.bounds.check()?;
        if let Some(bytes) = carried.get(&digest) {
            self.charge(bytes.len() as u64)?;
            self.bounds.ours(|| self.blobs.put(self.tenant, bytes))?;
            return Ok(bytes.len() as u64);
        }
        let file = self.scratch.join(digest.to_string());
        if let Ok(found) = symlink_metadata(&file) {
            self.charge(found.len())?;
            self.bounds.ours(|| self.blobs.adopt(self.tenant, &file, digest))?;
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

    /// Charges a checkpoint, which becomes a blob without a file.
    pub(crate) fn checkpoint(&mut self, length: usize) -> Result<(), Fault> {
        self.charge_disk(length as u64)
    }

    fn charge(&mut self, bytes: u64) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(bytes);
        let most = self.limits.output_bytes;
        if self.bytes > most.saturating_add(most / 4).saturating_add(HEADS_BYTES) {
            let done = format!("left {} of files", Quantity::Bytes(self.bytes).about());
            return Err(Fault::beyond(LimitKind::Output, done, most));
        }
        self.charge_disk(bytes)
    }

    fn charge_disk(&mut self, bytes: u64) -> Result<(), Fault> {
        self.disk_bytes = self.disk_bytes.saturating_add(disk_bytes(bytes));
        match self.disk_bytes > self.limits.disk_bytes {
            true => {
                let done = format!("fills {} of the disk", Quantity::Bytes(self.disk_bytes).about());
                Err(Fault::beyond(LimitKind::Disk, done, self.limits.disk_bytes))
            }
            false => Ok(()),
        }
    }
}

fn expect_bytes(whose: &str, said: u64, found: u64) -> Result<(), Fault> {
    match said == found {
        true => Ok(()),
        false => Err(Fault::guest(format!("{whose} has {found} bytes, the worker said {said}"))),
    }
}
