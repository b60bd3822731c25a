//! A request's key -> whose it is and what it may, or why it is not let in.
//!
//! A key's text is 256 random bits behind a prefix by which scanners of repositories find it. It is shown once, when it is
//! made; the journal has its hash. What keys there are is held in memory, by a part of that hash: whoever guesses texts learns
//! from the time that a look-up takes how far a hash of his agrees, which leads to no text.
//!
//! A tenant that has, or ever had, a key lets nobody in without one: revoking the last one opens nothing.

use crate::allowance::Allowance;
use crate::{Error, Server, locked};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ports::Journal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use store::{KeyEntry, Store};
use types::{ApiKey, Digest, EndpointName, Fault, Id, KeyName, Rate, Record, Scope, TenantId};

const PREFIX: &str = "stepwell_";
/// Keys that a tenant may have at a time.
const KEYS_MAX: usize = 1_000;
/// The longest text that is taken for a key; ours have 52 bytes.
const TEXT_BYTES_MAX: usize = 256;

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    pub name: KeyName,
    pub scopes: BTreeSet<Scope>,
    /// All if empty.
    #[serde(default)]
    pub endpoints: BTreeSet<EndpointName>,
    /// From now.
    #[serde(default)]
    pub lasts_ms: Option<u64>,
    #[serde(default)]
    pub rate: Option<Rate>,
    #[serde(default)]
    pub by: Option<String>,
}

/// A key that was just made. The text is nowhere else, and never again.
#[derive(Serialize, Deserialize)]
pub struct NewKey {
    pub key: String,
    pub line: KeyLine,
    /// Endpoints of the key that are neither deployed nor served so far.
    #[serde(default)]
    pub unknown: Vec<EndpointName>,
    /// Those that are.
    #[serde(default)]
    pub known: Vec<EndpointName>,
    /// Whether it is the tenant's first: until now whoever reached the server was let in, from now on nobody is without a key.
    #[serde(default)]
    pub closes: bool,
}

/// A key in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLine {
    pub name: KeyName,
    pub state: KeyState,
    pub scopes: BTreeSet<Scope>,
    /// All if empty.
    pub endpoints: BTreeSet<EndpointName>,
    pub rate: Option<Rate>,
    pub created_us: i64,
    pub by: Option<String>,
    pub expires_us: Option<i64>,
    pub revoked_us: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Good,
    Expired,
    Revoked,
}

/// A request at the door.
#[derive(Debug, Clone, Copy)]
pub struct Knock<'a> {
    /// The key's text, if one came.
    pub key: Option<&'a str>,
    /// Whom the path names; at the root nobody.
    pub tenant: Option<&'a str>,
    pub scope: Scope,
    /// Which endpoint the path names.
    pub endpoint: Option<&'a str>,
    /// Whether it may tell of any endpoint there is: nothing for a key that is for some.
    pub of_all: bool,
}

/// Who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose routes are meant; at the root, without a key, nobody says.
    pub tenant: Option<TenantId>,
    pub has_key: bool,
    /// The endpoints that the key is for, where the path names none; all if empty.
    pub only: BTreeSet<EndpointName>,
}

/// Why nobody is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Barred {
    /// There must be a key, and there is none.
    NoKey,
    /// No key of ours, or one no longer.
    BadKey,
    /// The key is another tenant's than the path's; as if there were none of that name.
    NoTenant {
        name: String,
    },
    /// The key is for other endpoints; as if there were none of that name.
    NoEndpoint {
        name: String,
    },
    /// The key may not do this.
    OutOfScope {
        key: KeyName,
        scope: Scope,
        of_endpoints: bool,
    },
    TooOften {
        who: String,
        rate: Rate,
        retry_after_ms: u64,
    },
}

/// All keys that let somebody in, and who lets nobody in without one.
#[derive(Default)]
pub(crate) struct Keys {
    state: RwLock<State>,
    /// Of all tenants, also of those that have none.
    is_everywhere: AtomicBool,
    allowances: Mutex<BTreeMap<TenantId, Allowance>>,
    /// Held by whoever makes one.
    making: Mutex<()>,
}

#[derive(Default)]
struct State {
    held: HashMap<[u8; 16], Arc<Held>>,
    closed: BTreeSet<TenantId>,
}

struct Held {
    tenant: TenantId,
    key: ApiKey,
    allowance: Mutex<Allowance>,
}

impl Keys {
    /// As the records of all tenants tell.
    pub(crate) fn of(store: &Store) -> Result<Self, Fault> {
        let keys = Self::default();
        for tenant in store.tenants() {
            keys.take_in(&tenant, store.api_keys(&tenant)?);
        }
        Ok(keys)
    }

    fn take_in(&self, tenant: &TenantId, entries: Vec<KeyEntry>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for KeyEntry { key, revoked_us } in entries {
            state.closed.insert(tenant.clone());
            let place = place(&key.digest);
            match revoked_us {
                Some(_) => drop(state.held.remove(&place)),
                None => {
                    let held = Held { tenant: tenant.clone(), key, allowance: Mutex::default() };
                    state.held.insert(place, Arc::new(held));
                }
            }
        }
    }

    pub(crate) fn forget(&self, tenant: &TenantId) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.held.retain(|_, held| held.tenant != *tenant);
        state.closed.remove(tenant);
        locked(&self.allowances).remove(tenant);
    }

    fn find(&self, text: &str, now_us: i64) -> Option<Arc<Held>> {
        let digest = Digest::of(Some(text).filter(|text| text.len() <= TEXT_BYTES_MAX)?.as_bytes());
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let held = state.held.get(&place(&digest)).filter(|held| held.key.digest.is_secretly(&digest))?;
        Some(Arc::clone(held)).filter(|held| held.key.expires_us.is_none_or(|end_us| now_us < end_us))
    }

    /// Whether nobody is let in to whom the path names without a key. Where some have keys it is so of those that are not
    /// there, too, who could be told from the others otherwise.
    fn are_needed(&self, tenant: Option<&TenantId>, is_there: bool) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let is_closed = tenant.is_some_and(|tenant| state.closed.contains(tenant));
        self.is_everywhere.load(Ordering::Relaxed) || is_closed || (!is_there && !state.closed.is_empty())
    }
}

fn place(digest: &Digest) -> [u8; 16] {
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// What a key may do.
fn expect_allowed(key: &ApiKey, knock: Knock<'_>) -> Result<(), Barred> {
    let barred = |of_endpoints| Barred::OutOfScope { key: key.name.clone(), scope: knock.scope, of_endpoints };
    if !key.scopes.contains(&knock.scope) {
        return Err(barred(false));
    }
    let is_whole = knock.of_all || matches!(knock.scope, Scope::Metrics | Scope::Manage);
    match knock.endpoint {
        _ if key.endpoints.is_empty() => Ok(()),
        Some(endpoint) if key.endpoints.iter().any(|known| known.as_str() == endpoint) => Ok(()),
        Some(name) => Err(Barred::NoEndpoint { name: name.to_owned() }),
        // What tells of all endpoints is not for who knows some.
        None if is_whole => Err(barred(true)),
        None => Ok(()),
    }
}

impl Server {
    /// From now on nobody is let in without a key, whichever tenant is meant.
    pub fn require_keys(&self) {
        self.keys.is_everywhere.store(true, Ordering::Relaxed);
    }

    /// Whether every tenant's requests need a key.
    pub fn requires_keys(&self) -> bool {
        self.keys.is_everywhere.load(Ordering::Relaxed)
    }

    /// Whether nobody asks this tenant's endpoints without a key.
    pub fn needs_key(&self, tenant: &TenantId) -> bool {
        self.keys.are_needed(Some(tenant), true)
    }

    /// Whether a request is let in, and whose routes it means. `root` is whose routes stand at the root.
    pub fn knock(&self, root: &TenantId, knock: Knock<'_>) -> Result<Caller, Barred> {
        let now_us = self.now_us();
        let named = knock.tenant.map(TenantId::parse);
        let caller = match knock.key {
            Some(text) => {
                let held = self.keys.find(text, now_us).ok_or(Barred::BadKey)?;
                if let Some(name) = knock.tenant.filter(|name| *name != held.tenant.as_str()) {
                    return Err(Barred::NoTenant { name: name.to_owned() });
                }
                expect_allowed(&held.key, knock)?;
                if let Some(rate) = held.key.rate {
                    let taken = locked(&held.allowance).take(rate, now_us);
                    let who = format!("key `{}`", held.key.name);
                    taken.map_err(|retry_after_ms| {
                        self.asked_too_often(&held.tenant, knock.endpoint);
                        Barred::TooOften { who, rate, retry_after_ms }
                    })?;
                }
                let only = if knock.endpoint.is_none() { held.key.endpoints.clone() } else { BTreeSet::new() };
                Caller { tenant: Some(held.tenant.clone()), has_key: true, only }
            }
            None => {
                let tenant = named.as_ref().map_or(Some(root), |named| named.as_ref().ok());
                let is_there = tenant.is_some_and(|tenant| self.known(tenant).is_ok());
                if self.keys.are_needed(tenant, is_there) {
                    return Err(Barred::NoKey);
                }
                Caller { tenant: named.and_then(Result::ok), has_key: false, only: BTreeSet::new() }
            }
        };
        let tenant = caller.tenant.as_ref().unwrap_or(root);
        self.expect_seldom(tenant, now_us).inspect_err(|_| self.asked_too_often(tenant, knock.endpoint))?;
        Ok(caller)
    }

    /// Takes note of a request that a rate turned away, if it named an endpoint.
    fn asked_too_often(&self, tenant: &TenantId, endpoint: Option<&str>) {
        if let Some(Ok(name)) = endpoint.map(EndpointName::parse) {
            self.turned_away(tenant, &name);
        }
    }

    /// Counts a request against its tenant's quota.
    fn expect_seldom(&self, tenant: &TenantId, now_us: i64) -> Result<(), Barred> {
        // Who is not there is told so by whoever answers.
        let Some(rate) = self.known(tenant).ok().and_then(|entry| entry.quota.requests) else { return Ok(()) };
        let taken = locked(&self.keys.allowances).entry(tenant.clone()).or_default().take(rate, now_us);
        let who = format!("tenant `{tenant}`");
        taken.map_err(|retry_after_ms| Barred::TooOften { who, rate, retry_after_ms })
    }

    /// How many requests count against a tenant's quota now.
    pub(crate) fn requests_taken(&self, tenant: &TenantId, rate: Rate) -> u64 {
        locked(&self.keys.allowances).get(tenant).map_or(0, |allowance| allowance.taken(rate, self.now_us()))
    }

    /// Makes a key of a tenant.
    pub fn create_key(&self, tenant: &TenantId, request: KeyRequest) -> Result<NewKey, Error> {
        self.known(tenant)?;
        let KeyRequest { name, scopes, endpoints, lasts_ms, rate, by } = request;
        if scopes.is_empty() {
            return Err(Fault::invalid(format!("key `{name}` has no scope, so it would let nobody in")).into());
        }
        let now_us = self.now_us();
        let ends = |ms: u64| i64::try_from(ms).ok().and_then(|ms| now_us.checked_add(ms.checked_mul(1000)?));
        let expires_us = match lasts_ms {
            Some(0) => return Err(Fault::invalid(format!("key `{name}` would expire at once")).into()),
            Some(ms) => Some(ends(ms).ok_or_else(|| Fault::invalid(format!("key `{name}` would never expire")))?),
            None => None,
        };
        if !endpoints.is_empty() && scopes.contains(&Scope::Metrics) {
            let message = format!("key `{name}` is for some endpoints, and `metrics` tells of all of them");
            return Err(Fault::invalid(message).hinted("make a key of its own for that, without `--endpoint`").into());
        }
        let known = self.endpoint_names(tenant)?;
        let unknown = endpoints.difference(&known).cloned().collect();
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| Fault::host(format!("no randomness for a key: {error}")))?;
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let digest = Digest::of(text.as_bytes());
        let key = ApiKey { name, digest, scopes, endpoints, expires_us, rate, created_us: now_us, by };
        let _alone = locked(&self.keys.making);
        self.expect_room(tenant, &key.name)?;
        let closes = !self.keys.are_needed(Some(tenant), true);
        self.store.append(tenant, &[Record::KeyCreated(key.clone())])?;
        let entry = KeyEntry { key, revoked_us: None };
        self.keys.take_in(tenant, vec![entry.clone()]);
        Ok(NewKey { key: text, line: line(entry, now_us), unknown, known: known.into_iter().collect(), closes })
    }

    /// The endpoints of a tenant that are deployed or served.
    fn endpoint_names(&self, tenant: &TenantId) -> Result<BTreeSet<EndpointName>, Error> {
        let deployed = self.all_deployed(tenant)?;
        let mut names: BTreeSet<_> =
            deployed.iter().flat_map(|deployed| deployed.project.endpoints.keys().cloned()).collect();
        names.extend(locked(&self.endpoints).keys().filter(|key| key.0 == *tenant).map(|key| key.1.clone()));
        Ok(names)
    }

    fn expect_room(&self, tenant: &TenantId, name: &KeyName) -> Result<(), Error> {
        let entries = self.store.api_keys(tenant)?;
        if entries.iter().any(|entry| entry.key.name == *name) {
            return Err(Error::Conflict(format!("there is a key `{name}`, or was: choose another name")));
        }
        match entries.iter().filter(|entry| entry.revoked_us.is_none()).count() {
            count if count < KEYS_MAX => Ok(()),
            count => {
                Err(Error::Conflict(format!("tenant `{tenant}` has {count} keys, the most there may be; revoke one")))
            }
        }
    }

    /// The keys that a tenant has and had, by name.
    pub fn keys(&self, tenant: &TenantId) -> Result<Vec<KeyLine>, Error> {
        self.known(tenant)?;
        let now_us = self.now_us();
        Ok(self.store.api_keys(tenant)?.into_iter().map(|entry| line(entry, now_us)).collect())
    }

    /// Lets a key's holder in no more, from the next request on.
    pub fn revoke_key(&self, tenant: &TenantId, name: &KeyName, by: Option<String>) -> Result<KeyLine, Error> {
        self.known(tenant)?;
        let _alone = locked(&self.keys.making);
        let entries = self.store.api_keys(tenant)?;
        let found = entries.into_iter().find(|entry| entry.key.name == *name);
        let entry = found.ok_or_else(|| Error::NotFound(format!("there is no key `{name}`")))?;
        let now_us = self.now_us();
        if entry.revoked_us.is_some() {
            return Ok(line(entry, now_us));
        }
        self.store.append(tenant, &[Record::KeyRevoked { key: name.clone(), at_us: now_us, by }])?;
        let entry = KeyEntry { revoked_us: Some(now_us), ..entry };
        self.keys.take_in(tenant, vec![entry.clone()]);
        Ok(line(entry, now_us))
    }
}

fn line(entry: KeyEntry, now_us: i64) -> KeyLine {
    let KeyEntry { key, revoked_us } = entry;
    let state = match (revoked_us, key.expires_us) {
        (Some(_), _) => KeyState::Revoked,
        (None, Some(end_us)) if now_us >= end_us => KeyState::Expired,
        _ => KeyState::Good,
    };
    let ApiKey { name, scopes, endpoints, rate, created_us, by, expires_us, .. } = key;
    KeyLine { name, state, scopes, endpoints, rate, created_us, by, expires_us, revoked_us }
}
