//! Who is let in: keys, what each may, when they end, how often they may ask.

use super::*;
use crate::{Barred, Caller, Error, KeyLine, KeyRequest, KeyState, Knock};
use std::collections::BTreeSet;
use types::{EndpointName, KeyName, Rate, Scope};

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn endpoint(text: &str) -> EndpointName {
    text.parse().unwrap()
}

fn request(key: &str, scopes: &[Scope]) -> KeyRequest {
    let scopes: BTreeSet<Scope> = scopes.iter().copied().collect();
    KeyRequest { name: name(key), scopes, endpoints: BTreeSet::new(), lasts_ms: None, rate: None, by: None }
}

impl House {
    fn acme(&self) -> TenantId {
        let acme: TenantId = "acme".parse().unwrap();
        if self.server.known(&acme).is_err() {
            self.server.create_tenant(&acme, None).unwrap();
        }
        acme
    }

    fn key(&self, tenant: &TenantId, request: KeyRequest) -> String {
        self.server.create_key(tenant, request).unwrap().key
    }

    /// Knocks at the root, or at a tenant's.
    fn knock(
        &self,
        key: Option<&str>,
        tenant: Option<&str>,
        scope: Scope,
        endpoint: Option<&str>,
    ) -> Result<Caller, Barred> {
        self.server.knock(&super::tenant(), Knock { key, tenant, scope, endpoint, of_all: false })
    }

    fn predict(&self, key: Option<&str>, tenant: Option<&str>) -> Result<Caller, Barred> {
        self.knock(key, tenant, Scope::Predict, Some("tumour"))
    }
}

fn keyed(tenant: &TenantId) -> Result<Caller, Barred> {
    Ok(Caller { tenant: Some(tenant.clone()), has_key: true, only: Default::default() })
}

fn unkeyed() -> Caller {
    Caller { tenant: None, has_key: false, only: Default::default() }
}

#[test]
fn nobody_needs_a_key_before_there_is_one_and_everybody_of_that_tenant_then() {
    let house = House::new();
    let acme = house.acme();
    assert_eq!(house.predict(None, None), Ok(unkeyed()));
    assert_eq!(house.predict(None, Some("nobody")), Ok(unkeyed().of("nobody")));
    let key = house.key(&acme, request("app", &[Scope::Predict]));
    assert_eq!(house.predict(None, Some("acme")), Err(Barred::NoKey));
    assert_eq!(house.predict(None, Some("nobody")), Err(Barred::NoKey), "as if it were there");
    assert_eq!(house.predict(None, Some("no/body")), Err(Barred::NoKey));
    assert!(house.predict(None, None).is_ok(), "another tenant is as it was");
    for tenant in [None, Some("acme")] {
        assert_eq!(house.predict(Some(&key), tenant), keyed(&acme));
    }
    for other in ["default", "nobody", "acme2", ""] {
        assert_eq!(house.predict(Some(&key), Some(other)), Err(Barred::NoTenant { name: other.to_owned() }));
    }
    house.server.revoke_key(&acme, &name("app"), None).unwrap();
    assert_eq!(house.predict(None, Some("acme")), Err(Barred::NoKey), "revoking the last one opens nothing");
    house.server.require_keys();
    assert_eq!(house.predict(None, None), Err(Barred::NoKey));
}

impl Caller {
    fn of(self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.parse().unwrap()), ..self }
    }
}

#[test]
fn a_key_is_good_until_it_ends_and_no_other_text_is() {
    let house = House::new();
    let key = house.key(&tenant(), KeyRequest { lasts_ms: Some(120_000), ..request("app", &[Scope::Predict]) });
    assert!(key.starts_with("stepwell_") && key.len() == 52, "{key}");
    let other = house.key(&tenant(), request("other", &[Scope::Predict]));
    assert_ne!(key, other);
    let almost = format!("{}{}", &key[..51], if key.ends_with('A') { 'Q' } else { 'A' });
    for wrong in ["", "stepwell_", &almost, &key[..51], &key.to_uppercase(), &"x".repeat(1 << 20)] {
        assert_eq!(house.predict(Some(wrong), None), Err(Barred::BadKey));
    }
    house.set(1);
    assert_eq!(house.predict(Some(&key), None), keyed(&tenant()));
    house.set(2);
    assert_eq!(house.predict(Some(&key), None), Err(Barred::BadKey));
    assert_eq!(house.predict(Some(&other), None), keyed(&tenant()));
    let states: Vec<KeyState> = house.server.keys(&tenant()).unwrap().iter().map(|line| line.state).collect();
    assert_eq!(states, [KeyState::Expired, KeyState::Good]);
    let house = house.again();
    assert_eq!(house.predict(Some(&other), None), keyed(&tenant()), "by the journal");
    assert_eq!(house.predict(Some(&key), None), Err(Barred::BadKey));
    house.server.revoke_key(&tenant(), &name("other"), Some("ann".to_owned())).unwrap();
    assert_eq!(house.predict(Some(&other), None), Err(Barred::BadKey));
    let house = house.again();
    assert_eq!(house.predict(Some(&other), None), Err(Barred::BadKey));
    assert_eq!(house.predict(None, None), Err(Barred::NoKey));
    let Err(Error::Conflict(_)) = house.server.create_key(&tenant(), request("other", &[Scope::Predict])) else {
        panic!("a name is given once")
    };
    let Err(Error::NotFound(_)) = house.server.revoke_key(&tenant(), &name("none"), None) else {
        panic!("there is none")
    };
}

#[test]
fn a_key_may_do_what_it_says_and_no_more() {
    let house = House::new();
    let few = |scopes: &[Scope]| KeyRequest { endpoints: [endpoint("tumour")].into(), ..request("few", scopes) };
    assert!(house.server.create_key(&tenant(), few(&Scope::ALL)).is_err(), "metrics are of all endpoints");
    let few = few(&[Scope::Predict, Scope::Label, Scope::Manage]);
    let (few, label) = (house.key(&tenant(), few), house.key(&tenant(), request("label", &[Scope::Label])));
    assert_eq!(house.knock(Some(&label), None, Scope::Label, Some("tumour")), keyed(&tenant()));
    for scope in [Scope::Predict, Scope::Metrics, Scope::Manage] {
        let barred = Barred::OutOfScope { key: name("label"), scope, of_endpoints: false };
        assert_eq!(house.knock(Some(&label), None, scope, Some("tumour")), Err(barred));
    }
    assert_eq!(house.predict(Some(&few), None), keyed(&tenant()));
    let none = Barred::NoEndpoint { name: "other".to_owned() };
    assert_eq!(house.knock(Some(&few), None, Scope::Predict, Some("other")), Err(none));
    // What tells of any endpoint is to know of which it may.
    let only = ["tumour".parse().unwrap()].into();
    let told = keyed(&tenant()).map(|caller| Caller { only, ..caller });
    assert_eq!(house.knock(Some(&few), None, Scope::Predict, None), told);
    for scope in [Scope::Metrics, Scope::Manage] {
        let barred = Barred::OutOfScope { key: name("few"), scope, of_endpoints: scope == Scope::Manage };
        assert_eq!(house.knock(Some(&few), None, scope, None), Err(barred));
    }
    // As a call of gRPC asks, whose message alone names the endpoint.
    let ask = |key| {
        let knock = Knock { key: Some(key), tenant: None, scope: Scope::Predict, endpoint: None, of_all: true };
        house.server.knock(&tenant(), knock)
    };
    let barred = Barred::OutOfScope { key: name("few"), scope: Scope::Predict, of_endpoints: true };
    assert_eq!(ask(few.as_str()), Err(barred));
    let whole = house.key(&tenant(), request("whole", &[Scope::Predict]));
    assert_eq!(ask(whole.as_str()), keyed(&tenant()));
}

#[test]
fn a_keys_text_is_nowhere_but_in_its_makers_hand() {
    let house = House::new();
    let made = house.server.create_key(&tenant(), request("app", &[Scope::Predict])).unwrap();
    let secret = made.key.strip_prefix("stepwell_").unwrap().to_owned();
    let lines: Vec<KeyLine> = house.server.keys(&tenant()).unwrap();
    let digest = types::Digest::of(made.key.as_bytes()).to_string();
    let listed = serde_json::to_string(&lines).unwrap();
    assert!(!listed.contains(&secret) && !listed.contains(&digest), "{listed}");
    let mut files = vec![house.folder.path().to_owned()];
    let mut read = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            read += 1;
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", path.display());
        }
    }
    assert!(read > 2, "the journal is a file");
}

#[test]
fn who_asks_too_often_waits_and_nobody_waits_for_him() {
    let house = House::new();
    let rate = Rate { count: 2, per_ms: 60_000 };
    let (acme, default) = (house.acme(), tenant());
    let slow = house.key(&acme, KeyRequest { rate: Some(rate), ..request("slow", &[Scope::Predict]) });
    let free = house.key(&acme, request("free", &[Scope::Predict]));
    assert_eq!([(); 2].map(|()| house.predict(Some(&slow), None)), [keyed(&acme), keyed(&acme)]);
    let often = Barred::TooOften { who: "key `slow`".to_owned(), rate, retry_after_ms: 30_001 };
    assert_eq!(house.predict(Some(&slow), None), Err(often));
    assert_eq!(house.predict(Some(&free), None), keyed(&acme));
    house.set(1);
    assert_eq!(house.predict(Some(&slow), None), keyed(&acme));
    let quota = crate::QuotaChange { requests: Some("3/h".to_owned()), ..Default::default() };
    let shown = house.server.change_quota(&acme, &quota).unwrap();
    let line = shown.quotas.iter().find(|line| line.rate.is_some()).unwrap();
    assert_eq!((line.used, line.limit), (0, Some(3)));
    assert_eq!([(); 3].map(|()| house.predict(Some(&free), None).is_ok()), [true; 3]);
    let Err(Barred::TooOften { who, retry_after_ms, .. }) = house.predict(Some(&free), None) else {
        panic!("no quota")
    };
    assert_eq!((who.as_str(), retry_after_ms), ("tenant `acme`", 1_200_001));
    assert!(house.predict(None, None).is_ok(), "tenant `{default}` is another");
    let shown = house.server.tenant(&acme).unwrap();
    assert_eq!(shown.quotas.iter().find(|line| line.rate.is_some()).unwrap().used, 3);
}

#[test]
fn a_deleted_tenants_keys_let_nobody_in() {
    let house = House::new();
    let acme = house.acme();
    let key = house.key(&acme, request("app", &[Scope::Predict]));
    house.server.delete_tenant(&acme).unwrap();
    assert_eq!(house.predict(Some(&key), None), Err(Barred::BadKey));
    house.acme();
    assert_eq!(house.predict(Some(&key), None), Err(Barred::BadKey));
    assert!(house.predict(None, Some("acme")).is_ok(), "made anew, it has no keys");
}
