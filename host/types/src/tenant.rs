//! What a tenant may reach and use up, and what the installation records of it.
//!
//! The records reach disk, in the installation's journal. A field is never removed or given another meaning; a new one has
//! a default.

use crate::{Grants, LimitKind, Limits, LimitsPatch, Quantity, Rate, TenantId, parse_bytes, parse_duration};
use serde::{Deserialize, Serialize};

/// The most that a tenant's pipelines may grant and ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub grants: Grants,
    /// Caps of the limits of a step; what is not named has none.
    #[serde(default)]
    pub limits: LimitsPatch,
}

impl Default for Policy {
    /// What a tenant may before anybody says more.
    fn default() -> Self {
        Self { grants: Grants::of_project(), limits: LimitsPatch::default() }
    }
}

impl Policy {
    /// The limits, none of them above its cap.
    pub fn capped(&self, limits: Limits) -> Limits {
        let mut capped = LimitsPatch::default();
        for &kind in LimitKind::ALL {
            capped.set(kind, self.limits.get(kind).map(|cap| cap.min(limits.get(kind))));
        }
        capped.over(limits)
    }
}

/// What a tenant may use up; what is not named is not bounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// Blobs and native code together.
    pub storage_bytes: Option<u64>,
    /// Attempts at once, over all runs.
    pub attempts: Option<u32>,
    /// Of its workers, in a day (UTC).
    pub cpu_seconds: Option<u64>,
    /// For which its attempts have a GPU, in a day (UTC).
    pub device_seconds: Option<u64>,
    /// Bodies of requests both ways, in a day (UTC).
    pub egress_bytes: Option<u64>,
    /// Of applications to its endpoints, all keys together.
    pub requests: Option<Rate>,
}

impl Quota {
    /// With one part of it set from a text, "none" for no bound: "10 GiB", "2", CPU time such as "2 h". The error is a
    /// lowercase fragment.
    pub fn with(mut self, kind: QuotaKind, text: &str) -> Result<Self, String> {
        let wrong =
            |what: &str| format!("`--{} {}` is not {what}", kind.key(), text.chars().take(80).collect::<String>());
        let bytes = || parse_bytes(text).map_err(|error| error.to_string());
        // What is stored is seconds: a part of one would be dropped without a word.
        let seconds = || match parse_duration(text) {
            Ok(time) if time.subsec_nanos() == 0 => Ok(time.as_secs()),
            Ok(_) => Err(wrong("a whole number of seconds, expected such as `90s`")),
            Err(error) => Err(error.to_string()),
        };
        let bound = text != "none";
        match kind {
            QuotaKind::Storage => self.storage_bytes = bound.then(bytes).transpose()?,
            QuotaKind::Egress => self.egress_bytes = bound.then(bytes).transpose()?,
            QuotaKind::Cpu => self.cpu_seconds = bound.then(seconds).transpose()?,
            QuotaKind::Device => self.device_seconds = bound.then(seconds).transpose()?,
            QuotaKind::Requests => self.requests = bound.then(|| Rate::parse(text)).transpose()?,
            QuotaKind::Attempts => {
                let count = || text.parse().ok().filter(|count| *count > 0).ok_or_else(|| wrong("a number from 1 on"));
                self.attempts = bound.then(count).transpose()?;
            }
        }
        Ok(self)
    }
}

/// A part of a [`Quota`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKind {
    Storage,
    Attempts,
    Cpu,
    Device,
    Egress,
    Requests,
}

impl QuotaKind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] = [Self::Storage, Self::Attempts, Self::Cpu, Self::Device, Self::Egress, Self::Requests];

    /// Its option of `stepwell tenant quota`, and its name in errors.
    pub fn key(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Attempts => "attempts",
            Self::Cpu => "cpu",
            Self::Device => "device",
            Self::Egress => "egress",
            Self::Requests => "requests",
        }
    }

    /// A number of what it bounds, with its unit.
    pub const fn quantity(self, number: u64) -> Quantity {
        match self {
            Self::Storage | Self::Egress => Quantity::Bytes(number),
            Self::Attempts | Self::Requests => Quantity::Count(number),
            Self::Cpu | Self::Device => Quantity::Milliseconds(number),
        }
    }

    /// Whether its use begins anew every day (UTC).
    pub const fn is_daily(self) -> bool {
        matches!(self, Self::Cpu | Self::Device | Self::Egress)
    }
}

/// What was there of a tenant when it was deleted, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    pub runs: u64,
    pub versions: u64,
    pub secrets: u64,
    /// Files of all kinds, native code included.
    pub files: u64,
    pub bytes: u64,
}

/// One change of the installation's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "record")]
pub enum InstallationRecord {
    TenantCreated { tenant: TenantId, policy: Policy, at_us: i64 },
    PolicySet { tenant: TenantId, policy: Policy, at_us: i64 },
    QuotaSet { tenant: TenantId, quota: Quota, at_us: i64 },
    TenantSuspended { tenant: TenantId, at_us: i64 },
    TenantResumed { tenant: TenantId, at_us: i64 },
    TenantDeleted { tenant: TenantId, removed: Removed, at_us: i64 },
}

impl InstallationRecord {
    /// Whom it is about.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::TenantCreated { tenant, .. }
            | Self::PolicySet { tenant, .. }
            | Self::QuotaSet { tenant, .. }
            | Self::TenantSuspended { tenant, .. }
            | Self::TenantResumed { tenant, .. }
            | Self::TenantDeleted { tenant, .. } => tenant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_from_texts() {
        let texts = [(QuotaKind::Storage, "10GiB"), (QuotaKind::Attempts, "2"), (QuotaKind::Cpu, "2 h")];
        let quota = texts.iter().try_fold(Quota::default(), |quota, (kind, text)| quota.with(*kind, text)).unwrap();
        let expected =
            Quota { storage_bytes: Some(10 << 30), attempts: Some(2), cpu_seconds: Some(7200), ..Quota::default() };
        assert_eq!(quota, expected);
        assert_eq!(quota.with(QuotaKind::Device, "90 s").unwrap().device_seconds, Some(90));
        assert_eq!(quota.with(QuotaKind::Cpu, "2000 ms").unwrap().cpu_seconds, Some(2));
        for (kind, option) in [(QuotaKind::Cpu, "--cpu"), (QuotaKind::Device, "--device")] {
            for text in ["999ms", "1500 ms", "1 ms"] {
                let told = quota.with(kind, text).unwrap_err();
                assert_eq!(told, format!("`{option} {text}` is not a whole number of seconds, expected such as `90s`"));
            }
        }
        assert_eq!(quota.with(QuotaKind::Attempts, "none").unwrap().attempts, None);
        let often = quota.with(QuotaKind::Requests, "100/s").unwrap();
        assert_eq!(often.requests, Some(Rate { count: 100, per_ms: 1000 }));
        for (kind, text) in [
            (QuotaKind::Attempts, "0"),
            (QuotaKind::Attempts, "x"),
            (QuotaKind::Storage, "10"),
            (QuotaKind::Cpu, "9"),
            (QuotaKind::Device, "9"),
        ] {
            assert!(quota.with(kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_cap_only_lowers() {
        let caps = LimitsPatch { memory_bytes: Some(1 << 30), handles: Some(1 << 30), ..LimitsPatch::default() };
        let policy = Policy { limits: caps, ..Policy::default() };
        let limits = Limits::default();
        assert_eq!(policy.capped(limits), Limits { memory_bytes: 1 << 30, ..limits });
        assert_eq!(Policy::default().capped(limits), limits);
    }
}
