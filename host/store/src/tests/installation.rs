//! Tenants come, change and go; a crash at any instant leaves each there whole or gone.

use super::records::{finished, page, started, story};
use super::{copied, create, everything, folder, open, reopen, tenant};
use crate::disk::entries;
use crate::{Error, Store};
use ports::{Blobs, Journal};
use std::path::Path;
use types::{Digest, Fault, FaultKind, Grants, InstallationRecord, Policy, Quota, QuotaKind, Removed, RunId, RunState};

fn names(folder: &Path) -> Vec<String> {
    let paths = entries(folder).expect("listed");
    paths.iter().map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect()
}

/// Files whose bytes hold the text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in entries(folder).expect("listed") {
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if std::fs::read(&path).expect("read").windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn who_is_not_there_is_not_found_and_leaves_no_trace() {
    let data = folder();
    let (store, _) = reopen(data.path());
    let typo = tenant("acmee");
    let refusals: [Result<(), Fault>; 7] = [
        store.runs(&typo).map(drop),
        store.append(&typo, &[started(1)]),
        store.put(&typo, b"rows").map(drop),
        store.next_run(&typo).map(drop),
        store.run_records(&typo, RunId(1)).map(drop),
        store.models(&typo).map(drop),
        store.entry(&typo).map(drop).map_err(Fault::from),
    ];
    for refused in refusals {
        let fault = refused.expect_err("nobody of this name");
        assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Invalid, "there is no tenant `acmee`"));
    }
    let absent = store.get(&typo, Digest::of(b"rows")).expect_err("no blob of nobody");
    assert_eq!(absent.message, "there is no tenant `acmee`");
    assert_eq!(store.runs(&tenant("default")), Ok(Vec::new()));
    assert!(names(&data.path().join("tenants")).is_empty(), "a read makes no folder");
}

#[test]
fn what_is_recorded_of_a_tenant_is_there_again() {
    let data = folder();
    let (store, _) = open(data.path());
    let (acme, policy) = (tenant("acme"), Policy { grants: Grants::everything(), ..Policy::default() });
    let quota = Quota { attempts: Some(2), ..Quota::default() };
    assert!(matches!(
        store.administer(InstallationRecord::TenantCreated {
            tenant: acme.clone(),
            policy: Policy::default(),
            at_us: 9
        }),
        Err(Error::Taken { .. })
    ));
    for record in [
        InstallationRecord::PolicySet { tenant: acme.clone(), policy: policy.clone(), at_us: 2 },
        InstallationRecord::QuotaSet { tenant: acme.clone(), quota, at_us: 3 },
        InstallationRecord::TenantSuspended { tenant: tenant("ac"), at_us: 4 },
        InstallationRecord::TenantSuspended { tenant: acme.clone(), at_us: 4 },
        InstallationRecord::TenantResumed { tenant: acme.clone(), at_us: 5 },
    ] {
        store.administer(record).expect("recorded");
    }
    let nobody = InstallationRecord::QuotaSet { tenant: tenant("nobody"), quota, at_us: 3 };
    assert!(store.administer(nobody).expect_err("nobody").is_no_tenant());
    let before = store.entry(&acme).expect("there");
    assert_eq!((&before.policy, before.quota, before.suspended), (&policy, quota, false));
    drop(store);
    let (store, recovery) = reopen(data.path());
    assert!(recovery.is_clean(), "{recovery}");
    assert_eq!(store.entry(&acme).expect("there"), before);
    assert!(store.entry(&tenant("ac")).expect("there").suspended);
}

#[test]
fn a_deleted_tenant_is_gone_to_the_last_byte() {
    let data = folder();
    let (store, _) = open(data.path());
    let (ac, acme) = (tenant("ac"), tenant("acme"));
    store.append(&ac, &[started(1)]).expect("appended");
    let (others, fresh) = (everything(&store, &ac), everything(&store, &acme));
    for batch in story() {
        store.append(&acme, &batch).expect("appended");
    }
    store.put(&acme, b"marker of acme").expect("put");
    let removed = store.inventory(&acme).expect("counted");
    assert_eq!((removed.runs, removed.versions), (3, 3));
    assert!(!store.remains(&acme).expect("looked").is_empty());
    store.delete(&acme, removed, 7).expect("deleted");
    assert_eq!(store.remains(&acme).expect("looked"), Vec::<std::path::PathBuf>::new());
    assert!(store.append(&acme, &[started(9)]).is_err());
    let mut index = Vec::new();
    store.index.scan(b"", &mut |key, _| index.push(key.to_vec())).expect("scanned");
    assert!(!index.is_empty() && index.iter().all(|key| key.starts_with(b"ac\0")), "{index:?}");
    assert_eq!(everything(&store, &ac), others);
    drop(store);
    for text in ["marker of acme", "benign"] {
        assert_eq!(holding(data.path(), text), Vec::<String>::new(), "{text}");
    }
    let (store, recovery) = reopen(data.path());
    assert!(recovery.is_clean(), "{recovery}");
    assert!(store.entry(&acme).expect_err("gone").is_no_tenant());
    assert_eq!(store.deleted(), std::slice::from_ref(&acme));
    create(&store, "acme");
    assert_eq!(everything(&store, &acme), fresh, "another tenant of the same name");
    store.append(&acme, &[started(1)]).expect("appended");
    assert_eq!(everything(&store, &ac), others);
}

#[test]
fn default_stays() {
    let data = folder();
    let (store, _) = open(data.path());
    assert!(matches!(store.delete(&tenant("default"), Removed::default(), 1), Err(Error::Default)));
    store.append(&tenant("default"), &[started(1)]).expect("appended");
}

/// The record is on disk, and the process died before it removed anything, or halfway.
#[test]
fn a_deletion_that_a_crash_cut_short_is_finished() {
    let data = folder();
    let (store, _) = open(data.path());
    let (ac, acme) = (tenant("ac"), tenant("acme"));
    for id in [&ac, &acme] {
        store.append(id, &story()[0]).expect("appended");
        store.put(id, b"rows").expect("put");
    }
    let others = everything(&store, &ac);
    let record = InstallationRecord::TenantDeleted { tenant: acme.clone(), removed: Removed::default(), at_us: 5 };
    store.administer(record).expect("recorded");
    drop(store);
    for halfway in ["", "journal", "blobs"] {
        let crashed = copied(data.path());
        std::fs::remove_dir_all(crashed.path().join("tenants/acme").join(halfway)).expect("removed");
        for crashed in [crashed, copied(data.path())] {
            let (store, recovery) = reopen(crashed.path());
            assert!(recovery.is_clean(), "{recovery}");
            assert_eq!(store.remains(&acme).expect("looked"), Vec::<std::path::PathBuf>::new());
            assert_eq!(names(&crashed.path().join("tenants")), ["ac"]);
            assert_eq!(everything(&store, &ac), others);
        }
    }
}

#[test]
fn a_torn_record_of_the_installation_did_not_happen() {
    let data = folder();
    let (store, _) = open(data.path());
    store.append(&tenant("acme"), &[started(1)]).expect("appended");
    let segment = data.path().join("installation/00000001.segment");
    let whole = std::fs::metadata(&segment).expect("there").len();
    store.delete(&tenant("ac"), Removed::default(), 5).expect("deleted");
    drop(store);
    let length = std::fs::metadata(&segment).expect("there").len();
    for cut in [whole + 1, (whole + length) / 2, length - 1] {
        let crashed = copied(data.path());
        let segment = crashed.path().join("installation/00000001.segment");
        std::fs::File::options().write(true).open(&segment).and_then(|file| file.set_len(cut)).expect("cut");
        let (store, recovery) = reopen(crashed.path());
        assert_eq!((recovery.truncated_bytes, recovery.torn[0].tenant.clone()), (cut - whole, None));
        assert!(store.entry(&tenant("ac")).is_ok());
        assert_eq!(store.runs(&tenant("acme")).expect("runs").len(), 1);
    }
}

#[test]
fn a_folder_that_no_record_tells_of_is_left_alone() {
    let data = folder();
    drop(reopen(data.path()));
    std::fs::create_dir_all(data.path().join("tenants/stranger")).expect("made");
    let error = Store::open(data.path()).map(drop).expect_err("a stranger");
    assert!(error.to_string().contains("no record says that this tenant was created"), "{error}");
    assert!(data.path().join("tenants/stranger").exists());
}

/// Pages without rows bring no blob, only a record each, as long as its cursor.
#[test]
fn records_that_guests_give_count_against_the_storage_quota() {
    let data = folder();
    let (store, _) = open(data.path());
    let acme = tenant("acme");
    let quota = Quota { storage_bytes: Some(3 * 4096), ..Quota::default() };
    store.administer(InstallationRecord::QuotaSet { tenant: acme.clone(), quota, at_us: 1 }).expect("recorded");
    store.append(&acme, &[started(1)]).expect("a run is none of a guest's");
    let commit = |rows| store.append(&acme, &[page(1, 1, rows, false)]);
    (1..=3).for_each(|rows| commit(rows).expect("a page"));
    assert_eq!(commit(4).expect_err("no room").kind, FaultKind::Quota { quota: QuotaKind::Storage });
    assert!(store.put(&acme, b"x").is_err(), "nor for blobs");
    store.append(&acme, &[finished(1, RunState::Failed)]).expect("what was begun is ended");
    assert_eq!(store.storage_bytes(&acme, 100).expect("counted"), 100, "told anew, the journal among it");
    commit(4).expect("room again");
}

#[test]
fn blobs_count_against_the_storage_quota() {
    let data = folder();
    let (store, _) = open(data.path());
    let acme = tenant("acme");
    store.put(&acme, &[1; 600]).expect("no quota yet");
    let quota = Quota { storage_bytes: Some(1000), ..Quota::default() };
    store.administer(InstallationRecord::QuotaSet { tenant: acme.clone(), quota, at_us: 1 }).expect("recorded");
    store.put(&acme, &[1; 600]).expect("the same bytes take no more");
    let fault = store.put(&acme, &[2; 600]).expect_err("more than there is room for");
    assert_eq!(fault.kind, FaultKind::Quota { quota: QuotaKind::Storage });
    assert_eq!(fault.message, "the tenant's quota `storage` is used up: 600 B and 600 B more of 1000 B");
    store.put(&acme, &[3; 400]).expect("room to the last byte");
    assert_eq!(store.storage_bytes(&acme, 50).expect("counted"), 1050);
    assert!(store.put(&acme, b"x").is_err(), "native code counts as well");
    store.put(&tenant("ac"), &[2; 5000]).expect("another's quota is another's");
    drop(store);
    let (store, _) = reopen(data.path());
    assert_eq!(store.storage_bytes(&acme, 0).expect("counted"), 1000);
}
