//! One version of a model <-> one file: its record and every blob that it answers with, by digest. Nothing in the file is
//! code that runs outside of the sandbox.
//!
//! ```text
//!  model.json       {"format": 2, "version": .., "golden": ..}, first
//!  blobs/DIGEST     a component, a fitted state, weights, golden requests or answers; each once, by rising digest
//! ```
//! The file is a tar of plain files. One that comes in is a stranger's: only these names are read, sizes are bounded, the
//! record's digest is computed anew, each blob must have the digest under which it stands, and nothing is unpacked anywhere
//! but into the tenant's blobs. Equal versions with the same golden requests give equal files.

use crate::loading::GOLDEN_ROWS;
use crate::registry::{ModelDetail, who};
use crate::{Error, Server};
use ports::{Blobs, Journal};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use tar::{Archive, Builder, Entry, EntryType, Header};
use types::{
    COLUMNS_MAX, Digest, FILES_MAX, Fault, Golden, Imported, MEASURES_MAX, ModelName, ModelVersion, Record, Schema,
    TenantId,
};

const RECORD: &str = "model.json";
const BLOBS: &str = "blobs/";
/// The first one had no golden requests.
const FORMATS: std::ops::RangeInclusive<u32> = 1..=2;
/// Of the record: a version with as many measures as there may be takes less.
const RECORD_BYTES_MAX: u64 = 8 << 20;
const BLOB_BYTES_MAX: u64 = 4 << 30;
/// Of golden requests, and of their answers: they are read whole.
const GOLDEN_BYTES_MAX: u64 = 64 << 20;
/// Characters of a name that are shown: as long as a blob's.
const NAME_SHOWN: usize = 80;
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    golden: Option<Golden>,
}

impl Content {
    /// Every blob of the file, with its bytes where the record says how many they are.
    fn blobs(&self) -> BTreeMap<Digest, Option<u64>> {
        let golden = self.golden.iter().flat_map(|golden| [golden.request, golden.answer]);
        let mut sizes: BTreeMap<_, _> =
            self.version.blobs().into_iter().chain(golden).map(|blob| (blob, None)).collect();
        let steps = self.version.path.iter().chain([&self.version.predictor]);
        sizes.extend(steps.flat_map(|step| &step.state).map(|file| (file.digest, Some(file.bytes))));
        sizes
    }
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
        let golden = detail.golden.filter(|golden| self.is_small(tenant, golden));
        let content = Content { format: *FORMATS.end(), version: detail.version.clone(), golden };
        let written = self.write_bundle(tenant, &content, BufWriter::new(&file));
        if written.is_err() {
            // Half a bundle is none; why there is none is what is told.
            let _ = std::fs::remove_file(&asked.file);
        }
        written?;
        file.sync_all().map_err(Fault::host)?;
        Ok(detail)
    }

    /// Whether golden requests and answers are there and as small as `import` takes them.
    fn is_small(&self, tenant: &TenantId, golden: &Golden) -> bool {
        let bytes = |digest| self.store.path(tenant, digest).ok()?.metadata().ok().map(|found| found.len());
        [golden.request, golden.answer].into_iter().all(|digest| bytes(digest).is_some_and(|it| it <= GOLDEN_BYTES_MAX))
    }

    fn write_bundle(&self, tenant: &TenantId, content: &Content, target: impl Write) -> Result<(), Error> {
        let mut bundle = Builder::new(target);
        let json = serde_json::to_vec_pretty(content).map_err(Fault::host)?;
        bundle.append_data(&mut header(json.len() as u64), RECORD, &json[..]).map_err(Fault::host)?;
        for digest in content.blobs().into_keys() {
            let mut file = File::open(self.store.path(tenant, digest)?).map_err(Fault::host)?;
            // What a disk made of it since is not passed on as if it were the version.
            let got = Digest::of_reader(&file).map_err(Fault::host)?;
            if got != digest {
                return Err(Fault::damaged(format!("blob {digest} is damaged: its bytes have digest {got}")).into());
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
        let Content { version, golden, .. } = self.read_bundle(tenant, BufReader::new(file))?;
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
        let mut records = vec![Record::VersionImported { version: Box::new(version) }];
        let recorded = |golden| Record::GoldenRecorded { model: model.clone(), version: number, golden, at_us };
        records.extend(golden.map(recorded));
        self.store.append(tenant, &records)?;
        self.model(tenant, &model, Some(&number.to_string()))
    }

    /// Checks a bundle from its first byte, and keeps its blobs.
    fn read_bundle(&self, tenant: &TenantId, source: impl Read) -> Result<Content, Error> {
        let mut archive = Archive::new(source);
        // Raw: extensions of the format, with their names and sizes of any length, are refused and not carried out.
        let mut entries = archive.entries().map_err(broken)?.raw(true);
        let first = entries.next().ok_or_else(|| refused("it is empty"))?.map_err(broken)?;
        let content = record(first)?;
        let sizes = content.blobs();
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
        if !missing.is_empty() {
            let (count, missing) = (missing.len(), missing.join(", "));
            return Err(refused(&format!("it lacks {count} of the blobs of its record: {missing}")));
        }
        content.golden.iter().try_for_each(|golden| self.expect_golden(tenant, &content.version, golden))?;
        Ok(content)
    }

    /// What a version is said to have answered can have been asked of it. Whether it answers so is tried when it is loaded.
    fn expect_golden(&self, tenant: &TenantId, version: &ModelVersion, golden: &Golden) -> Result<(), Error> {
        let sides =
            [("requests", golden.request, &version.request), ("answers", golden.answer, &version.signature.outputs)];
        for (side, digest, fields) in sides {
            let bytes = self.store.path(tenant, digest)?.metadata().map_err(Fault::host)?.len();
            if bytes > GOLDEN_BYTES_MAX {
                return Err(refused(&format!(
                    "its golden {side} have {bytes} bytes, expected at most {GOLDEN_BYTES_MAX}"
                )));
            }
            let table = data::open_bytes(&self.store.get(tenant, digest)?, &Schema { fields: fields.clone() })
                .map_err(|error| refused(&format!("its golden {side} are no table of its columns: {error}")))?;
            let (got, said) = (table.rows(), golden.rows);
            if got != said || !(1..=GOLDEN_ROWS).contains(&got) {
                return Err(refused(&format!(
                    "its golden {side} have {got} rows, expected 1 to {GOLDEN_ROWS}, and {said}"
                )));
            }
        }
        Ok(())
    }
}

/// The record of a bundle, as far as it can be true: its digest is that of what it lists.
fn record(entry: Entry<'_, impl Read>) -> Result<Content, Error> {
    let (name, size) = (name(&entry)?, entry.size());
    if name != RECORD {
        return Err(refused(&format!("it begins with `{name}`, expected `{RECORD}`")));
    }
    if size > RECORD_BYTES_MAX {
        return Err(refused(&format!("`{RECORD}` has {size} bytes, expected at most {RECORD_BYTES_MAX}")));
    }
    let mut json = Vec::new();
    entry.take(RECORD_BYTES_MAX).read_to_end(&mut json).map_err(broken)?;
    let content: Content = serde_json::from_slice(&json)
        .map_err(|error| refused(&format!("`{RECORD}` cannot be read: {}", unread(&error))))?;
    let Content { format, version, .. } = &content;
    if !FORMATS.contains(format) {
        let (first, last) = FORMATS.into_inner();
        return Err(refused(&format!("it has format {format}, expected {first} to {last}")));
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
        true => Ok(content),
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
    // Ours are of plain characters and shorter; of others a little is enough to see what they are.
    let name: String = String::from_utf8_lossy(&entry.path_bytes()).chars().take(NAME_SHOWN).collect();
    let name = name.escape_debug().to_string();
    match kind {
        EntryType::Regular => Ok(name),
        kind => Err(refused(&format!("`{name}` is a {kind:?}, expected a regular file"))),
    }
}

/// Where a record stops to be one. The parser's own words quote what stands there.
fn unread(error: &serde_json::Error) -> String {
    let why = match error.classify() {
        serde_json::error::Category::Data => "it is no record of a version",
        serde_json::error::Category::Eof => "it ends too soon",
        _ => "it is no JSON",
    };
    format!("{why}, at line {} column {}", error.line(), error.column())
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

/// The library's own words quote what it reads: of a file of any other kind, that is its bytes.
fn broken(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::Other | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            refused("it is no tar archive, or a broken one")
        }
        ErrorKind::UnexpectedEof => refused("it ends too soon"),
        kind => refused(&format!("it cannot be read: {kind}")),
    }
}

fn unusable(what: &str, file: &Path, error: &std::io::Error) -> Error {
    let file = file.display();
    match error.kind() {
        ErrorKind::AlreadyExists => Fault::invalid(format!("cannot {what} `{file}`: it is there already"))
            .hinted("name a file that is not there yet; what is there is never written over")
            .into(),
        ErrorKind::NotFound => {
            Fault::invalid(format!("cannot {what} `{file}`: there is no such file or folder")).into()
        }
        _ => Fault::invalid(format!("cannot {what} `{file}`: {error}")).into(),
    }
}
