//! What the crate promises, tried on a real folder: each module breaks something and reads what is left.

mod audit;
mod blobs;
mod damage;
mod deployments;
mod fold;
mod gc;
mod group;
mod installation;
mod keys;
mod model;
mod records;
mod torn;
mod walls;

use crate::{Error, Recovery, Store};
use ports::Journal;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use types::{Record, TenantId};

/// A folder that goes when the test ends.
pub(super) fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

pub(super) fn tenant(name: &str) -> TenantId {
    name.parse().expect("a tenant name")
}

/// A store that has the tenants of these tests.
pub(super) fn open(data: &Path) -> (Store, Recovery) {
    let (store, recovery) = reopen(data);
    for name in ["ac", "acme"] {
        create(&store, name);
    }
    (store, recovery)
}

/// Makes a tenant, unless it is there.
pub(super) fn create(store: &Store, name: &str) {
    let (tenant, policy) = (tenant(name), types::Policy::default());
    match store.administer(types::InstallationRecord::TenantCreated { tenant, policy, at_us: 1 }) {
        Ok(()) | Err(Error::Taken { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

pub(super) fn reopen(data: &Path) -> (Store, Recovery) {
    once_let_go(|| Store::open(data))
}

/// What is opened once whoever had it just now has let it go: sled's threads hold its lock for a moment after a drop in the same
/// process.
pub(super) fn once_let_go<T>(open: impl Fn() -> Result<T, Error>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match open() {
            Err(Error::Busy { .. }) if std::time::Instant::now() < deadline => std::thread::yield_now(),
            opened => return opened.expect("it opens"),
        }
    }
}

/// A folder whose tenant `acme` appended these batches, closed in good order.
pub(super) fn written(batches: &[Vec<Record>]) -> TempDir {
    let data = folder();
    let (store, _) = open(data.path());
    for batch in batches {
        store.append(&tenant("acme"), batch).expect("appended");
    }
    data
}

/// The last segment of `acme`.
pub(super) fn last_segment(data: &Path) -> PathBuf {
    let segments = crate::disk::entries(&crate::open::journal_folder(data, &tenant("acme"))).expect("listed");
    segments.last().expect("a segment").clone()
}

/// A copy of a closed data folder, to be broken.
pub(super) fn copied(data: &Path) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        for path in crate::disk::entries(from).expect("listed") {
            let target = to.join(path.file_name().expect("a name"));
            if path.is_dir() {
                std::fs::create_dir(&target).expect("made");
                copy(&path, &target);
            } else {
                std::fs::copy(&path, &target).expect("copied");
            }
        }
    }
    let copy_of = folder();
    copy(data, copy_of.path());
    copy_of
}

/// Everything that can be read of a tenant, as text: equal text, equal store.
pub(super) fn everything(store: &Store, id: &TenantId) -> String {
    let mut text = format!("{:#?}\n{:#?}\n", store.runs(id).expect("runs"), store.unfinished(id).expect("unfinished"));
    for run in 0..8 {
        text += &format!("{:?}\n", store.run_records(id, types::RunId(run)).expect("records"));
    }
    for model in store.models(id).expect("models") {
        let versions = store.versions(id, &model.model).expect("versions");
        let history = store.alias_history(id, &model.model).expect("history");
        text += &format!("{model:?}\n{versions:?}\n{history:?}\n");
    }
    for source in 0..3 {
        text += &format!("{:?}\n", store.source(id, records::digest(source)).expect("source"));
    }
    text
}
