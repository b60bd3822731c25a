//! Files that come in as exported models: what `export` wrote, and what a stranger made of it.

use super::{House, tenant};
use crate::{Error, ExportRequest, ImportRequest};
use ports::{Blobs, Journal};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tar::{Archive, Builder, EntryType, Header};
use types::{Digest, ModelName, ModelVersion, Record, RunId, SavedFile, ServedStep, Signature, StepCommit, TenantId};

pub(super) fn model() -> ModelName {
    "tumour".parse().unwrap()
}

/// A house with a version whose component and weights are blobs.
pub(super) fn house() -> House {
    let house = House::new();
    register(&house, &tenant());
    house
}

/// The same for a tenant of a house.
pub(super) fn register(house: &House, tenant: &TenantId) {
    let put = |bytes: &[u8]| house.server.store.put(tenant, bytes).unwrap();
    let weights = SavedFile { name: "../weights".to_owned(), digest: put(b"weights"), bytes: 7 };
    let predictor = ServedStep {
        step: "model".parse().unwrap(),
        plugin: "logistic".parse().unwrap(),
        component: put(b"component"),
        parameters: serde_json::json!({}),
        seed: 7,
        state: vec![weights],
        reads: Vec::new(),
    };
    let version = ModelVersion {
        model: model(),
        version: 1,
        digest: models::version_digest(&[], &predictor, &[]),
        predictor,
        path: Vec::new(),
        request: Vec::new(),
        signature: Signature::default(),
        measures: Vec::new(),
        verdict: None,
        examined: None,
        project: "shop".parse().unwrap(),
        pipeline: "train".parse().unwrap(),
        run: RunId(1),
        data: Vec::new(),
        registered_us: 5,
        purpose: Default::default(),
        imported: None,
    };
    let commit = StepCommit {
        step: "registered".parse().unwrap(),
        attempt: types::Attempt(1),
        outputs: BTreeMap::new(),
        receipt: Default::default(),
        key: None,
        taken: None,
    };
    let step = commit.step.clone();
    let record = Record::VersionRegistered { version: Box::new(version), alias: None, step, commit };
    house.server.store.append(tenant, &[record]).unwrap();
}

impl House {
    fn export(&self, name: &str) -> PathBuf {
        self.export_version("1", name)
    }

    fn export_version(&self, version: &str, name: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        let asked = ExportRequest { version: version.to_owned(), file: file.clone() };
        self.server.export_model(&tenant(), &model(), &asked).unwrap();
        file
    }

    fn import(&self, file: &Path, name: &str) -> Result<u32, Error> {
        let asked =
            ImportRequest { file: file.to_owned(), name: Some(name.parse().unwrap()), by: Some("ann".to_owned()) };
        self.server.import_model(&tenant(), &asked).map(|detail| detail.version.version)
    }

    #[track_caller]
    fn refuses(&self, bundle: &[u8], says: &str) {
        let file = self.folder.path().join("bundle.tar");
        std::fs::write(&file, bundle).unwrap();
        let error = self.import(&file, "strange").expect_err(says).to_string();
        assert!(error.starts_with("the file is no exported model: ") && error.contains(says), "{says}: {error}");
        assert!(!error.contains("hunter2"), "what is no model is not shown: {error}");
        assert!(self.server.versions(&tenant(), &"strange".parse().unwrap()).is_err(), "nothing was registered");
    }
}

type Parts = Vec<(String, Vec<u8>)>;

fn parts(file: &Path) -> Parts {
    let mut archive = Archive::new(std::fs::File::open(file).unwrap());
    let part = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let (mut entry, mut bytes) = (entry.unwrap(), Vec::new());
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (String::from_utf8(entry.path_bytes().into_owned()).unwrap(), bytes)
    };
    archive.entries().unwrap().map(part).collect()
}

/// The names are written as they are, whatever the library thinks of them.
fn packed(parts: &Parts) -> Vec<u8> {
    let mut bundle = Builder::new(Vec::new());
    for (name, bytes) in parts {
        let mut header = header(name, bytes.len() as u64, EntryType::Regular);
        header.set_cksum();
        bundle.append(&header, &bytes[..]).unwrap();
    }
    bundle.into_inner().unwrap()
}

fn header(name: &str, size: u64, kind: EntryType) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header
}

/// Changes the record.
fn edited(parts: &Parts, old: &str, new: &str) -> Parts {
    let mut parts = parts.clone();
    let text = String::from_utf8(parts[0].1.clone()).unwrap();
    assert!(text.contains(old), "{text}");
    parts[0].1 = text.replace(old, new).into_bytes();
    parts
}

#[test]
fn what_was_exported_comes_in_and_goes_out_alike() {
    let house = house();
    let file = house.export("one.tar");
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(house.export("two.tar")).unwrap(), "equal files");
    let names: Vec<_> = parts(&file).into_iter().map(|(name, _)| name).collect();
    let mut blobs = [b"component".as_slice(), b"weights"].map(|bytes| format!("blobs/{}", Digest::of(bytes)));
    blobs.sort();
    assert_eq!(names, ["model.json", &blobs[0], &blobs[1]]);
    assert_eq!(house.import(&file, "copy").unwrap(), 1);
    let copy = house.server.model(&tenant(), &"copy".parse().unwrap(), None).unwrap().version;
    let imported = copy.imported.clone().expect("it says so");
    assert_eq!((imported.model, imported.version, imported.by.as_deref()), (model(), 1, Some("ann")));
    assert_eq!(copy.digest, house.server.model(&tenant(), &model(), None).unwrap().version.digest);
    assert!(matches!(house.import(&file, "copy"), Err(Error::Conflict(_))), "a twin");
    assert!(matches!(house.import(&file, "tumour"), Err(Error::Conflict(_))), "a twin of what was made here");
    assert!(house.server.audit(&[], true).unwrap().is_sound());
}

#[test]
fn what_a_stranger_made_of_it_is_refused() {
    let house = house();
    let good = parts(&house.export("good.tar"));
    let with = |change: &dyn Fn(&mut Parts)| {
        let mut parts = good.clone();
        change(&mut parts);
        packed(&parts)
    };
    house.refuses(b"", "it is empty");
    house.refuses(&[7; 5000], "it is no tar archive");
    house.refuses(b"password = \"hunter2\"\n".repeat(500).as_slice(), "it is no tar archive");
    let bare = with(&|parts| parts[0].1 = b"{\"format\": \"hunter2\"}".to_vec());
    house.refuses(&bare, "it is no record of a version, at line 1");
    house.refuses(&with(&|parts| parts.reverse()), "it begins with `blobs/");
    house.refuses(&with(&|parts| drop(parts.pop())), "it lacks 1 of the blobs of its record");
    house.refuses(&with(&|parts| parts[1].1[0] ^= 1), "do not have that digest");
    house.refuses(&with(&|parts| parts.push(parts[1].clone())), "stands twice");
    let named = |name: &str| with(&|parts| parts.push((name.to_owned(), b"x".to_vec())));
    for name in ["../../../etc/passwd", "/etc/passwd", "blobs/../x", &format!("blobs/{}", Digest::of(b"x"))] {
        house.refuses(&named(name), "its record names no `");
    }
    house.refuses(&packed(&edited(&good, "\"bytes\": 7", "\"bytes\": 8")), "has digest");
    house.refuses(&packed(&edited(&good, "\"seed\": 7", "\"seed\": 8")), "what it lists has digest");
    house.refuses(&packed(&edited(&good, "\"format\": 2", "\"format\": 3")), "it has format 3, expected 1 to 2");
    house.refuses(&packed(&edited(&good, "\"tumour\"", "\"../tumour\"")), "`model.json` cannot be read");
    house.refuses(&with(&|parts| parts[0].1 = b"{}".to_vec()), "`model.json` cannot be read");
    let column = |name: &str, data_type| types::Field { name: name.to_owned(), data_type, nullable: true };
    let twice = vec![column("x", types::DataType::Int64); 2];
    let great = vec![column("x", types::DataType::Vector(u32::MAX))];
    for (fields, says) in [(twice, "stands twice"), (great, "a vector has 1 to 65,536 elements")] {
        let outputs = format!("\"outputs\": {}", serde_json::to_string(&fields).unwrap());
        house.refuses(&packed(&edited(&good, "\"outputs\": []", &outputs)), says);
    }
    let whole = packed(&good);
    house.refuses(&whole[..1024], "");
    let cut = whole.len() - whole.iter().rev().take_while(|byte| **byte == 0).count() - 1;
    house.refuses(&whole[..cut], "do not have that digest");
}

fn numbers(name: &str, values: &[f64]) -> data::Table {
    let data_type = types::DataType::Float64;
    let fields = vec![types::Field { name: name.to_owned(), data_type, nullable: false }];
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let column = data::GuestColumn { data_type, length: values.len() as u32, validity: None, offsets: None, data };
    data::Table::from_columns(types::Schema { fields }, vec![column]).unwrap()
}

/// A house whose version asks for `x`, answers with `y`, and was loaded: these were asked and answered.
fn house_with_golden(request: &data::Table, answer: &data::Table, rows: u64) -> House {
    let house = house();
    let first = house.server.store.version(&tenant(), &model(), 1).unwrap().unwrap();
    let fields = |name| numbers(name, &[]).schema().fields.clone();
    let digest = models::version_digest(&[], &first.predictor, &fields("x"));
    let signature = Signature { inputs: fields("x"), outputs: fields("y") };
    let version = ModelVersion { version: 2, digest, request: fields("x"), signature, ..first };
    let put = |table| house.server.store.put(&tenant(), &data::to_bytes(table).unwrap()).unwrap();
    let golden = types::Golden { request: put(request), answer: put(answer), rows };
    let registered = Record::VersionImported { version: Box::new(version) };
    let recorded = Record::GoldenRecorded { model: model(), version: 2, golden, at_us: 1 };
    house.server.store.append(&tenant(), &[registered, recorded]).unwrap();
    house
}

#[test]
fn golden_requests_travel_with_their_version() {
    let house = house_with_golden(&numbers("x", &[1.0, 2.0]), &numbers("y", &[3.0, 4.0]), 2);
    let file = house.export_version("2", "two.tar");
    assert_eq!(parts(&file).len(), 5, "the record, a component, weights, requests and answers");
    assert_eq!(house.import(&file, "copy").unwrap(), 1);
    let golden = |name: &str, version| house.server.store.golden(&tenant(), &name.parse().unwrap(), version).unwrap();
    assert_eq!(golden("copy", 1), golden("tumour", 2));
    assert!(golden("copy", 1).is_some());
    // As the format was before, and as a version comes that never was loaded.
    let file = house.export("one.tar");
    std::fs::write(&file, packed(&edited(&parts(&file), "\"format\": 2", "\"format\": 1"))).unwrap();
    assert_eq!(house.import(&file, "old").unwrap(), 1);
    assert_eq!(golden("old", 1), None);
}

#[test]
fn golden_requests_that_nobody_can_have_asked_are_refused() {
    let (x, y) = (numbers("x", &[1.0, 2.0]), numbers("y", &[3.0, 4.0]));
    let many = numbers("y", &[0.5; 9]);
    for (request, answer, rows, says) in [
        (&y, &y, 2, "its golden requests are no table of its columns"),
        (&x, &x, 2, "its golden answers are no table of its columns"),
        (&x, &y, 3, "its golden requests have 2 rows, expected 1 to 8, and 3"),
        (&numbers("x", &[]), &numbers("y", &[]), 0, "have 0 rows"),
        (&numbers("x", &[0.5; 9]), &many, 9, "have 9 rows"),
        (&x, &many, 2, "its golden answers have 9 rows"),
    ] {
        let house = house_with_golden(request, answer, rows);
        let file = house.export_version("2", "good.tar");
        house.refuses(&std::fs::read(file).unwrap(), says);
    }
    let house = house_with_golden(&x, &y, 2);
    let mut good = parts(&house.export_version("2", "good.tar"));
    let request = format!("blobs/{}", Digest::of(&data::to_bytes(&x).unwrap()));
    let at = good.iter().position(|(name, _)| *name == request).unwrap();
    let golden = good.remove(at);
    house.refuses(&packed(&good), "it lacks 1 of the blobs of its record");
    good.insert(at, (golden.0, [&golden.1[..], b"x"].concat()));
    house.refuses(&packed(&good), "do not have that digest");
}

#[test]
fn links_extensions_and_great_sizes_are_refused_before_they_are_carried_out() {
    let house = house();
    let good = parts(&house.export("good.tar"));
    let with = |header: &mut Header| {
        header.set_cksum();
        let mut bundle = packed(&vec![good[0].clone()]);
        bundle.truncate(bundle.len() - 1024);
        [&bundle[..], header.as_bytes(), &[0; 1024]].concat()
    };
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Directory, EntryType::Fifo, EntryType::GNUSparse] {
        house.refuses(&with(&mut header("blobs/x", 0, kind)), "expected a regular file");
    }
    // A name of any length, which a library would read into memory.
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader, EntryType::XGlobalHeader] {
        house.refuses(&with(&mut header("long", 1 << 40, kind)), "expected a regular file");
    }
    let component = Digest::of(b"component");
    let mut great = header(&format!("blobs/{component}"), 1 << 42, EntryType::Regular);
    house.refuses(&with(&mut great), "bytes, expected at most 4294967296");
    let mut record = header("model.json", 1 << 33, EntryType::Regular);
    record.set_cksum();
    house.refuses(&[record.as_bytes().as_slice(), &[0; 1024]].concat(), "expected at most 8388608");
}
