//! One version of a model <-> one file: its record and every blob that it answers with, by digest. Nothing in the file is
//! code that runs outside of the sandbox.
//!
//! ```text
//!  model.json       {"format": 1, "version": ..}, first
//!  blobs/DIGEST     a component, a fitted state or weights; each once, by rising digest
//! ```
//! The file is a tar of plain files. One that comes in is a stranger's: only these names are read, sizes are bounded, the
//! record's digest is computed anew, each blob must have the digest under which it stands, and nothing is unpacked anywhere
//! but into the tenant's blobs. Equal versions give equal files.

use crate::registry::{ModelDetail, who};
use crate::{Error, Server};
use ports::{Blobs, Journal};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use tar::{Archive, Builder, Entry, EntryType, Header};
use types::{
    COLUMNS_MAX, Digest, FILES_MAX, Fault, Imported, MEASURES_MAX, ModelName, ModelVersion, Record, Schema, TenantId,
};

const RECORD: &str = "model.json";
const BLOBS: &str = "blobs/";
const FORMAT: u32 = 1;
/// Of the record: a version with as many measures as there may be takes less.
const RECORD_BYTES_MAX: u64 = 8 << 20;
const BLOB_BYTES_MAX: u64 = 4 << 30;
/// Steps of a served path.
const STEPS_MAX: usize = 100;

/// What to write, and where. The file is one of this machine: only the socket's owner can ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    /// A number or an alias.
    pub version: String,
    pub file: PathBuf,
}

/// What to read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    pub file: PathBuf,
    /// What it is called here; as it was there if none.
    pub name: Option<ModelName>,
    pub by: Option<String>,
}

/// The first entry of the file.
#[derive(Serialize, Deserialize)]
struct Content {
    format: u32,
    version: ModelVersion,
}

impl Server {
    /// Writes a version into a new file.
    pub fn export_model(
        &self,
        tenant: &TenantId,
        model: &ModelName,
        asked: &ExportRequest,
    ) -> Result<ModelDetail, Error> {
        let _hold = self.active(tenant)?;
        let detail = self.model(tenant, model, Some(&asked.version))?;
        let file = File::create_new(&asked.file).map_err(|error| unusable("write", &asked.file, &error))?;
        let written = self.write_bundle(tenant, &detail.version, BufWriter::new(&file));
        if written.is_err() {
            // Half a bundle is none; why there is none is what is told.
            let _ = std::fs::remove_file(&asked.file);
        }
        written?;
        file.sync_all().map_err(Fault::host)?;
        Ok(detail)
    }

    fn write_bundle(&self, tenant: &TenantId, version: &ModelVersion, target: impl Write) -> Result<(), Error> {
        let mut bundle = Builder::new(target);
        let content = Content { format: FORMAT, version: version.clone() };
        let json = serde_json::to_vec_pretty(&content).map_err(Fault::host)?;
        bundle.append_data(&mut header(json.len() as u64), RECORD, &json[..]).map_err(Fault::host)?;
        for digest in version.blobs() {
            let mut file = File::open(self.store.path(tenant, digest)?).map_err(Fault::host)?;
            // What a disk made of it since is not passed on as if it were the version.
            let got = Digest::of_reader(&file).map_err(Fault::host)?;
            if got != digest {
                return Err(Fault::host(format!("blob {digest} is damaged: its bytes have digest {got}")).into());
            }
            file.rewind().map_err(Fault::host)?;
            let length = file.metadata().map_err(Fault::host)?.len();
            bundle.append_data(&mut header(length), format!("{BLOBS}{digest}"), file).map_err(Fault::host)?;
        }
        let mut target = bundle.into_inner().map_err(Fault::host)?;
        Ok(target.flush().map_err(Fault::host)?)
    }

    /// Registers what a file holds as a new version, under no alias.
    pub fn import_model(&self, tenant: &TenantId, asked: &ImportRequest) -> Result<ModelDetail, Error> {
        let _hold = self.active(tenant)?;
        let file = File::open(&asked.file).map_err(|error| unusable("read", &asked.file, &error))?;
        if !file.metadata().is_ok_and(|found| found.is_file()) {
            return Err(Fault::invalid(format!("`{}` is no file", asked.file.display())).into());
        }
        let version = self.read_bundle(tenant, BufReader::new(file))?;
        // Runs that register number their versions likewise.
        let _alone = self.dispatcher.alone();
        let model = asked.name.clone().unwrap_or_else(|| version.model.clone());
        let versions = self.store.versions(tenant, &model)?;
        if let Some(same) = versions.iter().find(|known| known.digest == version.digest) {
            let message = format!("version {} of model `{model}` is this one already: it has its digest", same.version);
            return Err(Error::Conflict(message));
        }
        let (number, at_us) = (self.store.next_version(tenant, &model)?, self.now_us());
        let imported = Imported { model: version.model, version: version.version, by: who(&asked.by), at_us };
        let version = ModelVersion { model: model.clone(), version: number, imported: Some(imported), ..version };
        self.store.append(tenant, &[Record::VersionImported { version: Box::new(version) }])?;
        self.model(tenant, &model, Some(&number.to_string()))
    }

    /// Checks a bundle from its first byte, and keeps its blobs.
    fn read_bundle(&self, tenant: &TenantId, source: impl Read) -> Result<ModelVersion, Error> {
        let mut archive = Archive::new(source);
        // Raw: extensions of the format, with their names and sizes of any length, are refused and not carried out.
        let mut entries = archive.entries().map_err(broken)?.raw(true);
        let first = entries.next().ok_or_else(|| refused("it is empty"))?.map_err(broken)?;
        let version = record(first)?;
        let mut sizes: BTreeMap<Digest, Option<u64>> =
            version.blobs().into_iter().map(|digest| (digest, None)).collect();
        let steps = version.path.iter().chain([&version.predictor]);
        sizes.extend(steps.flat_map(|step| &step.state).map(|file| (file.digest, Some(file.bytes))));
        let mut found = BTreeSet::new();
        for entry in entries {
            let entry = entry.map_err(broken)?;
            let name = name(&entry)?;
            let digest = name.strip_prefix(BLOBS).and_then(Digest::parse).filter(|digest| sizes.contains_key(digest));
            let digest = digest.ok_or_else(|| refused(&format!("its record names no `{name}`")))?;
            if !found.insert(digest) {
                return Err(refused(&format!("`{name}` stands twice")));
            }
            let (got, said) = (entry.size(), sizes.get(&digest).copied().flatten());
            if got > BLOB_BYTES_MAX || said.is_some_and(|said| said != got) {
                let expected = said.map_or_else(|| format!("at most {BLOB_BYTES_MAX}"), |said| said.to_string());
                return Err(refused(&format!("`{name}` has {got} bytes, expected {expected}")));
            }
            self.store.take_in(tenant, entry, got, digest).map_err(|fault| match fault.kind {
                types::FaultKind::Guest => refused(&format!("the bytes of `{name}` do not have that digest")),
                _ => fault.into(),
            })?;
        }
        let missing: Vec<_> = sizes.keys().filter(|digest| !found.contains(digest)).map(Digest::short).collect();
        match missing.is_empty() {
            true => Ok(version),
            false => {
                Err(refused(&format!("it lacks {} of the blobs of its record: {}", missing.len(), missing.join(", "))))
            }
        }
    }
}

/// The record of a bundle, as far as it can be true: its digest is that of what it lists.
fn record(entry: Entry<'_, impl Read>) -> Result<ModelVersion, Error> {
    let (name, size) = (name(&entry)?, entry.size());
    if name != RECORD {
        return Err(refused(&format!("it begins with `{name}`, expected `{RECORD}`")));
    }
    if size > RECORD_BYTES_MAX {
        return Err(refused(&format!("`{RECORD}` has {size} bytes, expected at most {RECORD_BYTES_MAX}")));
    }
    let mut json = Vec::new();
    entry.take(RECORD_BYTES_MAX).read_to_end(&mut json).map_err(broken)?;
    let content: Content =
        serde_json::from_slice(&json).map_err(|error| refused(&format!("`{RECORD}` cannot be read: {error}")))?;
    let Content { format, version } = content;
    if format != FORMAT {
        return Err(refused(&format!("it has format {format}, expected {FORMAT}")));
    }
    let counts = [
        ("steps", version.path.len(), STEPS_MAX),
        ("columns", version.request.len().max(version.signature.outputs.len()), COLUMNS_MAX),
        ("measures", version.measures.len(), MEASURES_MAX),
        ("files", version.path.iter().chain([&version.predictor]).map(|step| step.state.len()).sum(), FILES_MAX),
    ];
    for (what, got, most) in counts {
        if got > most {
            return Err(refused(&format!("its version has {got} {what}, expected at most {most}")));
        }
    }
    for fields in [&version.request, &version.signature.inputs, &version.signature.outputs] {
        let schema = Schema { fields: fields.clone() };
        data::check_schema(&schema)
            .map_err(|error| refused(&format!("its version has columns that cannot be: {error}")))?;
    }
    let computed = models::version_digest(&version.path, &version.predictor, &version.request);
    match computed == version.digest {
        true => Ok(version),
        false => Err(refused(&format!(
            "its version is called {}, but what it lists has digest {}",
            version.digest.short(),
            computed.short()
        ))),
    }
}

/// The name of an entry that is a plain file.
fn name(entry: &Entry<'_, impl Read>) -> Result<String, Error> {
    let kind = entry.header().entry_type();
    let name = String::from_utf8_lossy(&entry.path_bytes()).chars().take(100).collect();
    match kind {
        EntryType::Regular => Ok(name),
        kind => Err(refused(&format!("`{name}` is a {kind:?}, expected a regular file"))),
    }
}

/// Of a file that is the same whoever writes it, when.
fn header(length: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_size(length);
    header.set_mode(0o644);
    header.set_entry_type(EntryType::Regular);
    header
}

fn refused(why: &str) -> Error {
    let message = format!("the file is no exported model: {why}");
    Fault::invalid(message).hinted("nothing was registered; `stepwell model export` makes such files").into()
}

fn broken(error: std::io::Error) -> Error {
    refused(&error.to_string())
}

fn unusable(what: &str, file: &Path, error: &std::io::Error) -> Error {
    Fault::invalid(format!("cannot {what} `{}`: {error}", file.display())).into()
}
