//! Tenants: who there is, what each may and has used, and how one goes.

use crate::{Error, Server, folder};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use types::{Fault, InstallationRecord, Policy, Problem, Quota, QuotaKind, Rate, Removed, TenantId};

/// How long a deletion waits for what is under way to end.
const END_TIME_MAX: Duration = Duration::from_secs(30);

/// A tenant in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenantLine {
    pub tenant: TenantId,
    pub suspended: bool,
    /// None of `default`, which was always there.
    pub created_us: Option<i64>,
}

/// A tenant with what it may and has used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenantDetail {
    #[serde(rename = "summary")]
    pub line: TenantLine,
    pub policy: Policy,
    pub quotas: Vec<QuotaLine>,
    pub here: Removed,
}

/// A part of a quota: what is used, of what, in the unit of [`QuotaKind::quantity`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuotaLine {
    pub quota: QuotaKind,
    pub unit: Unit,
    /// Today, of what is counted by the day.
    pub used: u64,
    /// None: no bound.
    pub limit: Option<u64>,
    /// Of a bound on how often something is done: the whole of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// What a number of a quota counts, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Bytes,
    Milliseconds,
    Attempts,
    /// Of applications, in the span that the quota names.
    Requests,
}

/// A policy, also as TOML.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyShown {
    pub policy: Policy,
    pub toml: String,
}

/// How a policy changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change", deny_unknown_fields)]
pub enum PolicyChange {
    /// To what a file says; problems call it by its name.
    File { name: String, text: String },
    /// By lines of `grants`, added to those there are.
    Allow { lines: Vec<String> },
}

/// How a quota changes: each part as a text, "none" for no bound; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaChange {
    pub storage: Option<String>,
    pub attempts: Option<String>,
    pub cpu: Option<String>,
    pub device: Option<String>,
    pub egress: Option<String>,
    pub requests: Option<String>,
}

/// A deletion, proved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deletion {
    pub tenant: TenantId,
    pub removed: Removed,
    /// What lies in the data and cache folders under the tenant's name, looked for when all was done.
    pub remains: Vec<PathBuf>,
}

impl Server {
    /// An error if there is no such tenant, or it is suspended: of which nothing answers.
    pub fn expect_active(&self, tenant: &TenantId) -> Result<(), Error> {
        self.active(tenant).map(drop)
    }

    /// An error if there is no such tenant. Every call that is a tenant's begins with it, or with [`Server::active`].
    pub(crate) fn known(&self, tenant: &TenantId) -> Result<store::TenantEntry, Error> {
        self.store.entry(tenant).map_err(|error| match error.is_no_tenant() {
            true => Error::NotFound(error.to_string()),
            false => Fault::from(error).into(),
        })
    }

    /// An error if there is no such tenant, or it is suspended. What is put for it is kept while the answer lives.
    pub(crate) fn active(&self, tenant: &TenantId) -> Result<store::Hold, Error> {
        // Before it is looked up: who suspends and deletes it waits for this one, or is seen.
        let hold = self.store.hold(tenant);
        match self.known(tenant)?.suspended {
            true => Err(Error::Suspended(tenant.clone())),
            false => Ok(hold),
        }
    }

    /// All tenants, by name.
    pub fn tenants(&self) -> Result<Vec<TenantLine>, Error> {
        self.store.tenants().iter().map(|tenant| self.line_of(tenant)).collect()
    }

    fn line_of(&self, tenant: &TenantId) -> Result<TenantLine, Error> {
        let store::TenantEntry { suspended, created_us, .. } = self.known(tenant)?;
        Ok(TenantLine { tenant: tenant.clone(), suspended, created_us })
    }

    /// One of them.
    pub fn tenant(&self, tenant: &TenantId) -> Result<TenantDetail, Error> {
        let (line, entry) = (self.line_of(tenant)?, self.known(tenant)?);
        let used = self.accounts.used(tenant, self.pool.cpu_us(tenant));
        let Quota { storage_bytes, attempts, cpu_seconds, device_seconds, egress_bytes, requests } = entry.quota;
        let quota = |quota, unit, used, limit| QuotaLine { quota, unit, used, limit, rate: None };
        let (running, most) = (self.admission.running(tenant) as u64, attempts.map(u64::from));
        let [cpu_ms, device_ms] =
            [cpu_seconds, device_seconds].map(|seconds| seconds.map(|most| most.saturating_mul(1000)));
        let quotas = vec![
            quota(QuotaKind::Storage, Unit::Bytes, self.admission.storage_bytes(tenant)?, storage_bytes),
            quota(QuotaKind::Attempts, Unit::Attempts, running, most),
            quota(QuotaKind::Cpu, Unit::Milliseconds, used.cpu_us / 1000, cpu_ms),
            quota(QuotaKind::Device, Unit::Milliseconds, used.device_us / 1000, device_ms),
            quota(QuotaKind::Egress, Unit::Bytes, used.egress_bytes, egress_bytes),
            QuotaLine {
                rate: requests,
                ..quota(
                    QuotaKind::Requests,
                    Unit::Requests,
                    requests.map_or(0, |rate| self.requests_taken(tenant, rate)),
                    requests.map(|rate| rate.count.into()),
                )
            },
        ];
        Ok(TenantDetail { line, policy: entry.policy, quotas, here: self.store.inventory(tenant)? })
    }

    /// Makes a tenant, with the policy that a file says or the default one.
    pub fn create_tenant(&self, tenant: &TenantId, policy: Option<PolicyChange>) -> Result<(), Error> {
        let policy = match policy {
            Some(change) => changed(Policy::default(), change)?,
            None => Policy::default(),
        };
        self.record(InstallationRecord::TenantCreated { tenant: tenant.clone(), policy, at_us: self.now_us() })
    }

    /// A tenant's policy.
    pub fn policy(&self, tenant: &TenantId) -> Result<PolicyShown, Error> {
        let policy = self.known(tenant)?.policy;
        Ok(PolicyShown { toml: manifest::policy_text(&policy), policy })
    }

    /// Changes it, from the next attempt on.
    pub fn change_policy(&self, tenant: &TenantId, change: PolicyChange) -> Result<PolicyShown, Error> {
        let policy = changed(self.known(tenant)?.policy, change)?;
        self.record(InstallationRecord::PolicySet { tenant: tenant.clone(), policy, at_us: self.now_us() })?;
        self.pool.narrow(tenant);
        self.policy(tenant)
    }

    /// Changes a tenant's quota, from the next attempt on.
    pub fn change_quota(&self, tenant: &TenantId, change: &QuotaChange) -> Result<TenantDetail, Error> {
        let mut quota = self.known(tenant)?.quota;
        for kind in QuotaKind::ALL {
            let text = match kind {
                QuotaKind::Storage => &change.storage,
                QuotaKind::Attempts => &change.attempts,
                QuotaKind::Cpu => &change.cpu,
                QuotaKind::Device => &change.device,
                QuotaKind::Egress => &change.egress,
                QuotaKind::Requests => &change.requests,
            };
            if let Some(text) = text {
                quota = quota.with(kind, text).map_err(Fault::invalid)?;
            }
        }
        self.record(InstallationRecord::QuotaSet { tenant: tenant.clone(), quota, at_us: self.now_us() })?;
        self.tenant(tenant)
    }

    /// Refuses a tenant's runs and requests. Runs under way are left where they are, to be resumed.
    pub fn suspend_tenant(&self, tenant: &TenantId) -> Result<(), Error> {
        self.known(tenant)?;
        // Told first, so that an attempt that waits for its turn does not fail its run because of what follows.
        crate::locked(&self.live).iter().filter(|(key, _)| key.0 == *tenant).for_each(|(_, run)| run.cancel.leave());
        self.record(InstallationRecord::TenantSuspended { tenant: tenant.clone(), at_us: self.now_us() })?;
        self.leave_runs(|whose| whose == tenant);
        crate::locked(&self.endpoints)
            .iter()
            .filter(|(key, _)| key.0 == *tenant)
            .for_each(|(_, endpoint)| endpoint.unload());
        self.pool.forget(tenant);
        Ok(())
    }

    /// Lets it go on; where this process starts runs by itself, so do those of its deployed versions that were interrupted.
    pub fn resume_tenant(&self, tenant: &TenantId) -> Result<(), Error> {
        self.record(InstallationRecord::TenantResumed { tenant: tenant.clone(), at_us: self.now_us() })?;
        self.triggers.stand_no_longer(tenant);
        self.bell.ring();
        Ok(())
    }

    /// Removes a tenant with all that it has, and looks whether anything is left.
    pub fn delete_tenant(&self, tenant: &TenantId) -> Result<Deletion, Error> {
        self.known(tenant)?;
        if tenant.is_default() {
            return Err(Fault::from(store::Error::Default).into());
        }
        self.suspend_tenant(tenant)?;
        if !self.admission.is_idle_within(tenant, END_TIME_MAX) {
            let message = format!("tenant `{tenant}` is still at work and was suspended; delete it again in a moment");
            return Err(Error::Conflict(message));
        }
        // What `gc` looked up of this tenant it must not do to another of the same name.
        let _nobody_collects = crate::locked(&self.collecting);
        crate::locked(&self.endpoints).retain(|key, _| key.0 != *tenant);
        self.forget_series();
        self.pool.forget(tenant);
        self.predictions.forget(tenant);
        let elsewhere = folder::elsewhere(&self.options, tenant);
        let mut removed = self.store.inventory(tenant)?;
        for folder in &elsewhere {
            let (files, bytes) = folder::measured(folder)?;
            (removed.files, removed.bytes) = (removed.files + files, removed.bytes + bytes);
        }
        let deleted = self.store.delete(tenant, removed, self.now_us());
        // From its record on nobody of that name knows the old one's keys, whatever is left of its files.
        if self.store.entry(tenant).is_err() {
            crate::locked(&self.deployed).retain(|key, _| key.0 != *tenant);
            self.accounts.forget(tenant);
            self.keys.forget(tenant);
            self.admission.forget(tenant);
            self.described.forget(tenant);
            self.tally.forget(tenant);
        }
        deleted.map_err(Fault::from)?;
        folder::remove_all(&elsewhere)?;
        let mut remains = self.store.remains(tenant).map_err(Fault::from)?;
        remains.extend(elsewhere.into_iter().filter(|folder| folder.symlink_metadata().is_ok()));
        Ok(Deletion { tenant: tenant.clone(), removed, remains })
    }

    fn record(&self, record: InstallationRecord) -> Result<(), Error> {
        self.store.administer(record).map_err(|error| match error {
            store::Error::NoTenant { .. } => Error::NotFound(error.to_string()),
            store::Error::Taken { .. } => Error::Conflict(error.to_string()),
            error => Fault::from(error).into(),
        })
    }
}

fn changed(policy: Policy, change: PolicyChange) -> Result<Policy, Error> {
    match change {
        PolicyChange::File { name, text } => Ok(manifest::policy(&name, &text)?),
        PolicyChange::Allow { lines } => {
            let more = lines.iter().map(|line| manifest::grant_line(line).map_err(unplaced));
            let more: Vec<_> = more.collect::<Result<_, _>>()?;
            Ok(Policy { grants: more.into_iter().fold(policy.grants, types::Grants::and), ..policy })
        }
    }
}

/// A line of a command has no file to point into.
fn unplaced(problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().map(|problem| problem.at(None)).collect()
}
