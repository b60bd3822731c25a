//! Runs forgotten, and blobs that nothing names any more removed. What is kept is found by looking at everything that remains.
//!
//! ```text
//!  index, records of runs --digests in their texts--> blobs --those that are JSON name more--> kept; all others go
//! ```
//! Any text that looks like a digest keeps the blob of that name, whoever wrote it: a new field of a record is honoured before
//! anybody thinks of this place. Records come first and decide: a crash leaves blobs that the next sweep takes.

use crate::apply::key;
use crate::blobs::{gone_is_fine, open_regular};
use crate::disk::entries;
use crate::open::tenant_folder;
use crate::{Error, Hold, Result, Store};
use ports::Journal;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use types::{Digest, Fault, Record, RunId, TenantId};

/// Runs that are forgotten in one record.
const FORGOTTEN_A_RECORD: usize = 500;
const DIGITS: usize = 64;
const CHUNK_BYTES: usize = 64 << 10;

/// What a sweep did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Removed, and their bytes.
    pub blobs: u64,
    pub bytes: u64,
    pub kept: u64,
}

impl Store {
    /// While this lives, no sweep takes what is put, adopted or found for the tenant.
    pub fn hold(&self, tenant: &TenantId) -> Hold {
        self.young.hold(tenant)
    }

    /// Whether somebody is at work for the tenant.
    pub fn is_held(&self, tenant: &TenantId) -> bool {
        self.young.is_held(tenant)
    }

    /// Forgets what is known of runs. What they registered and collected stays.
    pub fn forget_runs(&self, tenant: &TenantId, runs: &[RunId], at_us: i64) -> Result<(), Fault> {
        runs.chunks(FORGOTTEN_A_RECORD).try_for_each(|runs| {
            let record = Record::RunsForgotten { runs: runs.to_vec(), at_us };
            self.append(tenant, &[record])
        })
    }

    /// Removes the blobs of a tenant that neither a record names nor anybody is about to. `without` are runs that are to count
    /// as forgotten; `is_trial` only counts. `go_on` is asked after each blob.
    pub fn sweep(
        &self,
        tenant: &TenantId,
        without: &BTreeSet<RunId>,
        is_trial: bool,
        go_on: &mut dyn FnMut(&Swept) -> ControlFlow<()>,
    ) -> Result<Swept, Fault> {
        // Before anything is looked at: what is named from now on was put or found from now on.
        let _hold = self.hold(tenant);
        let (named, mut swept) = (self.named(tenant, without)?, Swept::default());
        let folders = entries(&tenant_folder(&self.data, tenant).join("blobs"))?;
        for folder in folders.into_iter().filter(|path| path.symlink_metadata().is_ok_and(|found| found.is_dir())) {
            for path in entries(&folder)? {
                let Some(digest) = digest_of(&path) else { continue };
                match named.contains(&digest) {
                    true => swept.kept += 1,
                    false => self.sweep_one(tenant, digest, &path, is_trial, &mut swept)?,
                }
                if go_on(&swept).is_break() {
                    return Ok(swept);
                }
            }
        }
        Ok(swept)
    }

    fn sweep_one(
        &self,
        tenant: &TenantId,
        digest: Digest,
        path: &Path,
        is_trial: bool,
        swept: &mut Swept,
    ) -> Result<()> {
        let length = path.symlink_metadata().map_or(0, |found| found.len());
        let remove = || match is_trial {
            true => Ok(()),
            false => fs::remove_file(path).or_else(gone_is_fine).map_err(Error::io("remove", path)),
        };
        if !self.young.unless_young(tenant, digest, remove)? {
            swept.kept += 1;
            return Ok(());
        }
        if !is_trial {
            self.give_space_back(tenant, length);
        }
        (swept.blobs, swept.bytes) = (swept.blobs + 1, swept.bytes.saturating_add(length));
        Ok(())
    }

    /// Every digest that what remains names, and what is named by the blobs behind those.
    fn named(&self, tenant: &TenantId, without: &BTreeSet<RunId>) -> Result<BTreeSet<Digest>, Fault> {
        let mut found = Found::default();
        let Some(open) = self.opened(tenant)? else { return Ok(found.digests) };
        let mut runs = BTreeSet::new();
        open.walls().each(b"", &mut |key, value| {
            let (places, head) = (key::run_of_records(key), key::run_of_head(key));
            runs.extend(places.or(head));
            // Places name nothing.
            if places.is_none() && head.is_none_or(|run| !without.contains(&run)) {
                found.read(value);
            }
        })?;
        for run in runs.difference(without) {
            for record in self.run_records(tenant, *run)? {
                found.read(&serde_json::to_vec(&record).map_err(Fault::host)?);
            }
        }
        let mut behind: Vec<Digest> = found.digests.iter().copied().collect();
        while let Some(digest) = behind.pop() {
            let mut more = Found::default();
            more.read_blob(&self.place(tenant, digest))?;
            behind.extend(more.digests.into_iter().filter(|digest| found.digests.insert(*digest)));
        }
        Ok(found.digests)
    }
}

/// The blob that a file is, by its place.
fn digest_of(path: &Path) -> Option<Digest> {
    let (folder, name) = (path.parent()?.file_name()?.to_str()?, path.file_name()?.to_str()?);
    (folder.len() == 2).then(|| Digest::parse(&format!("{folder}{name}")))?
}

/// Digests in texts.
#[derive(Default)]
struct Found {
    digests: BTreeSet<Digest>,
    /// Those read last, if they are hexadecimal; more than a digest has are none.
    digits: String,
}

impl Found {
    /// Reads a whole text.
    fn read(&mut self, text: &[u8]) {
        self.read_part(text);
        self.end();
    }

    fn read_part(&mut self, text: &[u8]) {
        for byte in text {
            match byte {
                b'0'..=b'9' | b'a'..=b'f' if self.digits.len() <= DIGITS => self.digits.push(char::from(*byte)),
                b'0'..=b'9' | b'a'..=b'f' => {}
                _ => self.end(),
            }
        }
    }

    fn end(&mut self) {
        self.digests.extend(Digest::parse(&self.digits));
        self.digits.clear();
    }

    /// Reads what JSON names; anything else names nothing, nor does what is not there.
    fn read_blob(&mut self, path: &Path) -> Result<()> {
        let mut file = match open_regular(path) {
            Ok((file, _)) => file,
            Err(Error::NotAFile { .. }) => return Ok(()),
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        self.read_json(&mut file).map_err(Error::io("read", path))
    }

    fn read_json(&mut self, file: &mut File) -> std::io::Result<()> {
        let (mut chunk, mut is_first) = (vec![0; CHUNK_BYTES], true);
        loop {
            let count = file.read(&mut chunk)?;
            if count == 0 || (is_first && chunk[0] != b'{') {
                self.end();
                return Ok(());
            }
            self.read_part(&chunk[..count]);
            is_first = false;
        }
    }
}
