//! API keys: made once, revoked once, and so in a rebuilt index.

use super::*;
use types::{ApiKey, Digest, Scope};

fn created(name: &str) -> Record {
    Record::KeyCreated(ApiKey {
        name: name.parse().unwrap(),
        digest: Digest::of(name.as_bytes()),
        scopes: [Scope::Predict].into(),
        endpoints: Default::default(),
        expires_us: Some(9),
        rate: None,
        created_us: 1,
        by: None,
    })
}

#[test]
fn a_name_is_given_once_and_a_revoked_key_stays_so_also_in_a_rebuilt_index() {
    let (data, acme) = (folder(), tenant("acme"));
    let revoked = |key: &str| Record::KeyRevoked { key: key.parse().unwrap(), at_us: 7, by: Some("ann".to_owned()) };
    let check = |store: &Store| {
        assert!(store.append(&acme, &[created("app")]).is_err(), "twice");
        let keys = store.api_keys(&acme).unwrap();
        let keys: Vec<_> = keys.iter().map(|entry| (entry.key.name.to_string(), entry.revoked_us)).collect();
        assert_eq!(keys, [("app".to_owned(), Some(7)), ("app2".to_owned(), None)]);
        assert!(store.api_keys(&tenant("ac")).unwrap().is_empty(), "another's are another's");
    };
    {
        let (store, _) = open(data.path());
        store.append(&acme, &[created("app2"), created("app")]).unwrap();
        store.append(&acme, &[revoked("app"), revoked("never")]).unwrap();
        check(&store);
    }
    std::fs::remove_dir_all(data.path().join("index")).unwrap();
    check(&reopen(data.path()).0);
}
