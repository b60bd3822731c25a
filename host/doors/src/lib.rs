//! What a step asks of the world, answered by the server: files beneath a root, requests to a host, the real time. A door
//! opens when the pipeline grants it and the tenant's policy allows it; otherwise the fault says which line would.
//!
//! ```text
//!  Ask, path --Keeper (grants, policy)--> files    openat2 beneath the root
//!                                     --> fetch    address, redirects, secrets at the edge
//! ```
//! Nothing else in Stepwell opens a socket or a file for a step.

mod address;
mod content;
mod denied;
mod egress;
mod fetch;
mod files;
mod kept;
mod secret;
mod target;

pub use egress::Egress;
pub use secret::{MASKED_BYTES_MIN, Secret};

use files::NewFile;
use ports::{Ask, Told};
use secret::Placeholders;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use types::{Fault, Grants, LimitKind, Limits, Quantity};

/// Random bytes that one question gives.
const ENTROPY_BYTES_MAX: u32 = 4096;
/// Files that are being written at a time.
const NEW_FILES_MAX: usize = 64;

/// What a tenant brings to every attempt of its steps.
#[derive(Debug, Clone, Default)]
pub struct Authority {
    /// The most that a pipeline may grant.
    pub policy: Grants,
    /// Folders, links resolved, that no grant opens: the installation's own.
    pub private: Vec<PathBuf>,
    pub secrets: BTreeMap<String, Secret>,
    /// Values for steps, by name.
    pub environment: BTreeMap<String, String>,
    /// What its requests may carry; without one nobody counts.
    pub egress: Option<Arc<Egress>>,
}

/// Keeps the doors of one attempt.
#[derive(Debug)]
pub struct Keeper {
    grants: Grants,
    base: PathBuf,
    authority: Authority,
    limits: Limits,
    placeholders: Placeholders,
    /// Those that are being written, by number.
    new_files: BTreeMap<u32, NewFile>,
    /// The number of the next.
    next_file: u32,
    used: Used,
}

/// What went through the doors, for the receipt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub requests: u64,
    /// Sent and received, bodies only; of redirects and failures too.
    pub request_bytes: u64,
}

/// An answer: what is told, bytes beside it, a descriptor to pass on.
pub type Answered = (Told, Vec<u8>, Option<File>);

impl Keeper {
    /// For an attempt whose pipeline grants so much, within these limits; granted paths are relative to `base`.
    pub fn new(grants: Grants, base: PathBuf, authority: Authority, limits: Limits) -> Result<Self, Fault> {
        let (placeholders, new_files, used) = (Placeholders::new()?, BTreeMap::new(), Used::default());
        Ok(Self { grants, base, authority, limits, placeholders, new_files, next_file: 0, used })
    }

    /// What went through so far.
    pub fn used(&self) -> Used {
        self.used
    }

    /// Opens a file for reading.
    pub fn open(&self, path: &str) -> Result<File, Fault> {
        files::open(path, &self.base, &self.grants, &self.authority)
    }

    /// Answers a question. `patience` is what is left of the attempt; `give_up` is asked now and then while somebody else
    /// is waited for.
    pub fn answer(
        &mut self,
        ask: Ask,
        body: Vec<u8>,
        patience: Duration,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Answered, Fault> {
        match ask {
            Ask::Fetch { method, url, headers, timeout_ms } => {
                let wanted = fetch::Wanted { method, url, headers, body, timeout_ms };
                let fetched = self.fetch(wanted, patience, give_up)?;
                Ok((Told::Fetched { status: fetched.status, headers: fetched.headers }, fetched.body, None))
            }
            Ask::Placeholder { name } => {
                let granted = self.grants.http.iter().any(|grant| grant.secrets.contains(&name));
                let text = match (granted, self.authority.secrets.contains_key(&name)) {
                    (false, _) => return Err(denied::secret(&name, &self.grants.http)),
                    (true, false) => return Err(denied::no_secret(&name)),
                    (true, true) => self.placeholders.text(&name),
                };
                Ok((Told::Placeholder { text }, Vec::new(), None))
            }
            Ask::Variable { name } => {
                denied::unless(
                    &self.grants,
                    &self.authority.policy,
                    |grants| grants.names_variable(&name),
                    || denied::variable(&name),
                )?;
                let value = self.authority.environment.get(&name).cloned();
                Ok((Told::Variable { value }, Vec::new(), None))
            }
            Ask::Now => {
                denied::unless(&self.grants, &self.authority.policy, |grants| grants.clock, denied::clock)?;
                let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Fault::host)?;
                let us = i64::try_from(since.as_micros()).map_err(Fault::host)?;
                Ok((Told::Now { us }, Vec::new(), None))
            }
            Ask::Entropy { length } => {
                denied::unless(&self.grants, &self.authority.policy, |grants| grants.randomness, denied::randomness)?;
                Ok((Told::Entropy, random(length)?, None))
            }
            Ask::List { path } => {
                let names = files::list(&path, &self.base, &self.grants, &self.authority)?;
                Ok((Told::Listed, names.iter().flat_map(|name| [name.as_str(), "\0"]).collect::<String>().into(), None))
            }
            Ask::Create { path } => self.create(&path),
            Ask::Finish { number } => self.finish(number),
        }
    }

    /// A request, charged before it leaves and when its answer is there.
    fn fetch(
        &mut self,
        wanted: fetch::Wanted,
        patience: Duration,
        give_up: &dyn Fn() -> bool,
    ) -> Result<fetch::Fetched, Fault> {
        self.used.requests += 1;
        self.used.request_bytes += wanted.body.len() as u64;
        self.within_limits()?;
        let (egress, sent) = (self.authority.egress.clone(), wanted.body.len() as u64);
        if let Some(egress) = &egress {
            egress.admit(sent)?;
        }
        let mut received = 0;
        let fetched = fetch::fetch(self.doors(), wanted, patience, give_up, &mut received);
        self.used.request_bytes += received;
        if let Some(egress) = egress {
            egress.count(sent + received);
        }
        self.within_limits()?;
        fetched
    }

    fn within_limits(&self) -> Result<(), Fault> {
        let (Used { requests, request_bytes }, limits) = (self.used, &self.limits);
        if requests > limits.requests {
            return Err(Fault::beyond(LimitKind::Requests, format!("made {requests} HTTP requests"), limits.requests));
        }
        if request_bytes > limits.request_bytes {
            let done = format!("sent and received {} in HTTP requests", Quantity::Bytes(request_bytes).about());
            return Err(Fault::beyond(LimitKind::RequestBytes, done, limits.request_bytes));
        }
        Ok(())
    }

    fn doors(&self) -> fetch::Doors {
        let Authority { policy, secrets, .. } = &self.authority;
        fetch::Doors {
            grants: self.grants.http.clone(),
            policy: policy.http.clone(),
            secrets: self.placeholders.with_values(secrets),
        }
    }

    fn create(&mut self, path: &str) -> Result<Answered, Fault> {
        if self.new_files.len() >= NEW_FILES_MAX {
            return Err(Fault::invalid(format!("`path`: {NEW_FILES_MAX} files are being written, finish one first")));
        }
        let (file, descriptor) = files::create(path, &self.base, &self.grants, &self.authority)?;
        let number = self.next_file;
        self.next_file = number.wrapping_add(1);
        self.new_files.insert(number, file);
        Ok((Told::Created { number }, Vec::new(), Some(descriptor)))
    }

    fn finish(&mut self, number: u32) -> Result<Answered, Fault> {
        let file = self.new_files.remove(&number);
        file.ok_or_else(|| Fault::guest("finished a file that it does not write"))?.finish()?;
        Ok((Told::Finished, Vec::new(), None))
    }
}

fn random(length: u32) -> Result<Vec<u8>, Fault> {
    if length > ENTROPY_BYTES_MAX {
        return Err(Fault::invalid(format!("`length`: at most {ENTROPY_BYTES_MAX} bytes at a time, got {length}")));
    }
    let mut bytes = vec![0; length as usize];
    secret::fill(&mut bytes)?;
    Ok(bytes)
}

/// A path as people may see it: without control characters, not too long.
fn shown(path: &Path) -> String {
    path.display().to_string().chars().filter(|c| !c.is_control()).take(200).collect()
}
