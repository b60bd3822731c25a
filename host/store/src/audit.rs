//! A data folder -> what of it is not as it was written. Reads everything and changes nothing: neither a torn tail nor the index.
//!
//! ```text
//!  every journal --checksums, chain, records--> the blobs that they point at --digests--> flaws
//! ```
//! Whoever can write to the folder can cut a journal at the end of a batch, or write it anew from a point on with a chain that
//! holds in itself. That shows against a head that was kept elsewhere, and against nothing else.

use crate::blobs::{copy, open_regular};
use crate::disk::entries;
use crate::journal::{self, Mark, Owner};
use crate::open::{journal_folder, tenant_folder};
use crate::{Error, Result, Store};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use types::{Digest, Fault, Id, InstallationRecord, Record, RunId, TenantId};

/// So many flaws are told; of more, their number.
const TOLD_MAX: usize = 1_000;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Audited {
    /// The installation's, then the tenants' by name.
    pub journals: Vec<AuditedJournal>,
    /// Blobs that a record points at and that are whole.
    pub blobs: u64,
    /// What is not as it was written, for people.
    pub flaws: Vec<String>,
    /// Flaws beyond those that are told.
    pub more: u64,
}

/// A journal, as far as it is whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditedJournal {
    /// None: the installation's.
    pub tenant: Option<TenantId>,
    pub records: u64,
    /// The chain's hash behind the last of them: it stands for all of them and their order.
    pub head: Digest,
    /// Behind it, what a write that a crash cut short left, or somebody: the next open takes it away.
    pub torn_bytes: u64,
    /// Of the records, those of forgotten runs that were folded away: their place in the chain is kept, what they said is not.
    #[serde(default)]
    pub folded: u64,
}

impl Audited {
    /// Whether everything is as it was written, as far as that shows.
    pub fn is_sound(&self) -> bool {
        self.flaws.is_empty()
    }

    fn flaw(&mut self, flaw: impl Into<String>) {
        match self.flaws.len() < TOLD_MAX {
            true => self.flaws.push(flaw.into()),
            false => self.more += 1,
        }
    }
}

/// Up to where the journals of a folder that is in use are looked at.
type Ends = BTreeMap<Option<TenantId>, Mark>;

impl Store {
    /// Looks at everything that is on disk now, also at what others write meanwhile; nobody may sweep.
    pub fn audit(&self, heads: &[Digest], with_blobs: bool) -> Result<Audited, Fault> {
        let mut ends = Ends::new();
        ends.extend(self.installation.end().map(|end| (None, end)));
        for tenant in self.tenants() {
            let end = self.opened(&tenant)?.and_then(|open| open.end());
            ends.extend(end.map(|end| (Some(tenant), end)));
        }
        Ok(look(&self.data, Some(&ends), heads, with_blobs))
    }
}

/// The same of a folder that nobody has open.
pub fn audit(data: &Path, heads: &[Digest], with_blobs: bool) -> Audited {
    look(data, None, heads, with_blobs)
}

fn look(data: &Path, ends: Option<&Ends>, heads: &[Digest], with_blobs: bool) -> Audited {
    let (mut audited, mut heads) = (Audited::default(), heads.iter().copied().collect());
    let mut reading = Reading { ends, heads: &mut heads, audited: &mut audited };
    let mut known = BTreeSet::from([TenantId::default_tenant()]);
    let folder = data.join("installation");
    let folded = reading.journal(&folder, None, |record: InstallationRecord| match record {
        InstallationRecord::TenantDeleted { tenant, .. } => drop(known.remove(&tenant)),
        other => drop(known.insert(other.tenant().clone())),
    });
    // Nothing of the installation's is ever folded.
    reading.folded(&folder, &folded, &BTreeMap::new());
    let mut named = BTreeMap::new();
    for tenant in &known {
        let mut pointed = Pointed::default();
        let folder = journal_folder(data, tenant);
        let folded = reading.journal(&folder, Some(tenant), |record: Record| pointed.read(record));
        reading.folded(&folder, &folded, &pointed.folded);
        named.insert(tenant, pointed.digests());
    }
    for head in heads {
        audited
            .flaw(format!("no journal has the head {head} any more: what it stands for was cut off or written anew"));
    }
    strangers(data, &known, &mut audited);
    for (tenant, digests) in named.into_iter().filter(|_| with_blobs) {
        for digest in digests {
            match blob(data, tenant, digest) {
                Ok(()) => audited.blobs += 1,
                Err(why) => audited.flaw(format!("tenant `{tenant}`: {why}")),
            }
        }
    }
    audited
}

/// What goes on while journals are read.
struct Reading<'a> {
    ends: Option<&'a Ends>,
    /// Those that no journal had so far.
    heads: &'a mut BTreeSet<Digest>,
    audited: &'a mut Audited,
}

impl Reading<'_> {
    fn journal<R: serde::de::DeserializeOwned>(
        &mut self,
        folder: &Path,
        tenant: Option<&TenantId>,
        mut read: impl FnMut(R),
    ) -> Vec<(u64, Digest)> {
        let end = self.ends.map(|ends| ends.get(&tenant.cloned()));
        // Nobody wrote one yet; what lies there belongs to a record that comes while we look.
        if end == Some(None) {
            return Vec::new();
        }
        let owner = tenant.map_or(Owner::Installation, Owner::Tenant);
        let found = journal::inspect(folder, owner, end.flatten(), |records, mark| {
            self.heads.remove(&mark.chain);
            records.into_iter().for_each(&mut read);
        });
        if let Some(flaw) = found.flaw {
            self.audited.flaw(flaw.to_string());
        }
        if let Some(end) = end.flatten().filter(|end| end.sequence > found.end.sequence) {
            let (got, whole) = (found.end.sequence, end.sequence);
            self.audited.flaw(format!("`{}` ends with record {got}, and {whole} were written", folder.display()));
        }
        let Mark { sequence, chain, .. } = found.end;
        self.heads.remove(&chain);
        if sequence > 0 {
            let (tenant, torn_bytes, folded) = (tenant.cloned(), found.torn, 0);
            self.audited.journals.push(AuditedJournal { tenant, records: sequence, head: chain, torn_bytes, folded });
        }
        found.folded
    }

    /// Each segment that lacks records has bytes that a record says it was folded to; not always the last one, after a crash.
    fn folded(&mut self, folder: &Path, found: &[(u64, Digest)], said: &BTreeMap<(u64, Digest), u64>) {
        for (segment, digest) in found {
            match said.get(&(*segment, *digest)) {
                Some(records) => self.audited.journals.last_mut().into_iter().for_each(|own| own.folded += records),
                None => self.audited.flaw(format!(
                    "`{}`: segment {segment} lacks records, and no record says that it was folded to these bytes",
                    folder.display()
                )),
            }
        }
    }
}

/// Folders of tenants that no record made.
fn strangers(data: &Path, known: &BTreeSet<TenantId>, audited: &mut Audited) {
    let folders = entries(&data.join("tenants")).unwrap_or_else(|error| {
        audited.flaw(error.to_string());
        Vec::new()
    });
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // One that was deleted may have left something behind; the next open removes it.
        if !TenantId::parse(&name)
            .is_ok_and(|tenant| known.contains(&tenant) || !journal_folder(data, &tenant).exists())
        {
            audited.flaw(format!("`{}` is no tenant's: no record says that it was created", folder.display()));
        }
    }
}

fn blob(data: &Path, tenant: &TenantId, digest: Digest) -> Result<(), String> {
    let name = digest.to_string();
    let path = tenant_folder(data, tenant).join("blobs").join(&name[..2]).join(&name[2..]);
    let read = open_regular(&path)
        .and_then(|(file, found)| copy(file, found.len(), &mut std::io::sink()).map_err(Error::io("read", &path)));
    match read {
        Ok(got) if got == digest => Ok(()),
        Ok(got) => Err(format!("`{}` has digest {got}: its bytes were changed", path.display())),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("a record points at blob {digest}, which is not there"))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What the records of a tenant point at. What only runs that were forgotten did need not be there any more.
#[derive(Default)]
struct Pointed {
    kept: BTreeSet<Digest>,
    of_runs: BTreeMap<RunId, BTreeSet<Digest>>,
    /// By source, since it last began anew.
    pages: BTreeMap<Digest, Vec<Digest>>,
    /// Of segments and the bytes that they were folded to: without how many records.
    folded: BTreeMap<(u64, Digest), u64>,
}

impl Pointed {
    fn read(&mut self, record: Record) {
        if let Some(run) = record.run() {
            self.of_runs.entry(run).or_default().extend(record.blobs());
        }
        match record {
            Record::VersionRegistered { version, .. } | Record::VersionImported { version } => {
                self.kept.extend(version.blobs());
            }
            Record::GoldenRecorded { golden, .. } => self.kept.extend([golden.request, golden.answer]),
            Record::Deployed(deployment) => drop(self.kept.insert(deployment.content)),
            Record::PageCommitted { source, table, restarted, .. } => {
                let pages = self.pages.entry(source).or_default();
                if restarted {
                    pages.clear();
                }
                pages.extend(table.parts);
            }
            Record::SegmentFolded { segment, digest, records, .. } => {
                self.folded.insert((segment, digest), records);
            }
            Record::RunsForgotten { runs, .. } => runs.iter().for_each(|run| drop(self.of_runs.remove(run))),
            _ => {}
        }
    }

    fn digests(self) -> BTreeSet<Digest> {
        let of_runs = self.of_runs.into_values().flatten();
        self.kept.into_iter().chain(of_runs).chain(self.pages.into_values().flatten()).collect()
    }
}
