//! Two tenants with the same names, numbers and digests do not see each other.

use super::records::{digest, page, registered, started, story};
use super::{everything, folder, open, tenant};
use ports::{Blobs, Journal};
use types::{Digest, RunId};

#[test]
fn nothing_crosses_a_wall() {
    let data = folder();
    // One name begins the other: a prefix must not be mistaken for a tenant.
    let (ac, acme) = (tenant("ac"), tenant("acme"));
    let (store, _) = open(data.path());
    let nothing = everything(&store, &ac);
    for batch in story() {
        store.append(&acme, &batch).expect("appended");
    }
    let blob = store.put(&acme, b"rows").expect("put");
    assert_eq!(everything(&store, &ac), nothing);
    assert!(store.get(&ac, blob).expect_err("another's").message.contains("tenant `ac` has no blob"));

    let absent = Digest::of(b"nobody has this");
    let words = |digest: Digest| {
        let got = store.get(&ac, digest).expect_err("not its own");
        let lies = store.path(&ac, digest).expect_err("not its own");
        (got.kind.clone(), format!("{got}{lies}").replace(&digest.to_string(), "DIGEST"))
    };
    assert_eq!(words(blob), words(absent), "another's blob is as absent as nobody's");

    let before = everything(&store, &acme);
    let own = [started(1), page(1, 1, 77, true), registered(1, "benign", 1, Some("champion"))];
    store.append(&ac, &own).expect("the same numbers are free");
    assert_eq!(store.put(&ac, b"rows"), Ok(Digest::of(b"rows")));
    assert_eq!(everything(&store, &acme), before);
    assert_eq!(store.run_records(&ac, RunId(1)), Ok(own.to_vec()));
    assert_eq!(store.source(&ac, digest(1)).expect("source").expect("there").pages.len(), 1);
    drop(store);
    let (store, recovery) = open(data.path());
    assert!(recovery.is_clean(), "{recovery}");
    assert_eq!(everything(&store, &acme), before);
    assert_eq!(store.tenants(), [ac, acme, tenant("default")]);
}

#[test]
fn a_deleted_tenant_takes_its_index_along() {
    let data = folder();
    let (ac, acme) = (tenant("ac"), tenant("acme"));
    let (store, _) = open(data.path());
    for id in [&ac, &acme] {
        store.append(id, &[started(1)]).expect("appended");
    }
    let before = everything(&store, &acme);
    drop(store);
    std::fs::remove_dir_all(data.path().join("tenants/ac")).expect("removed");
    let (store, recovery) = open(data.path());
    assert!(recovery.rebuilt.expect("rebuilt").why.contains("holds tenant `ac`, who has no journal"));
    assert_eq!(store.runs(&ac), Ok(Vec::new()));
    assert_eq!(everything(&store, &acme), before);
}
