//! The limits of one attempt of a step: one table, from which everything is made that has a part for each of them.

use crate::Quantity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line a limit: its kind, its key in a manifest, its field, its unit, its default; then what it counts, who enforces
/// it and what happens beyond it, as `docs/limits.md` says them.
macro_rules! limits {
    ($($kind:ident $key:ident $field:ident: $unit:ident = $default:expr, $counts:literal, $enforcer:literal, $beyond:literal;)*) => {
        /// Which limit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum LimitKind { $(#[doc = $counts] $kind,)* }

        /// A number for each limit: the most that one attempt may use, or what it used.
        ///
        /// Every field is enforced, and a test trips it. A plan that was stored before a limit was there gets its default.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Limits { $(#[doc = $counts] pub $field: u64,)* }

        /// The limits that a manifest names; the others keep their default.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct LimitsPatch { $(pub $field: Option<u64>,)* }

        impl LimitKind {
            /// In the order in which people are shown them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// What is said of it.
            pub const fn about(self) -> AboutLimit {
                match self {
                    $(Self::$kind => AboutLimit {
                        key: stringify!($key), counts: $counts, enforcer: $enforcer, beyond: $beyond,
                    },)*
                }
            }

            /// A number of this limit, with its unit.
            pub const fn quantity(self, number: u64) -> Quantity {
                match self { $(Self::$kind => Quantity::$unit(number),)* }
            }
        }

        impl Limits {
            /// What a step gets when its manifest says nothing: enough for a laptop's data, too little to hurt the laptop.
            pub const DEFAULT: Self = Self { $($field: $default,)* };

            /// The number of one limit.
            pub const fn get(&self, limit: LimitKind) -> u64 {
                match limit { $(LimitKind::$kind => self.$field,)* }
            }
        }

        impl LimitsPatch {
            /// The number of one limit, if it is named.
            pub fn get(&self, limit: LimitKind) -> Option<u64> {
                match limit { $(LimitKind::$kind => self.$field,)* }
            }

            /// Names one limit, or leaves it unnamed.
            pub fn set(&mut self, limit: LimitKind, number: Option<u64>) {
                match limit { $(LimitKind::$kind => self.$field = number,)* }
            }

            /// These limits over the others.
            pub fn over(self, base: Limits) -> Limits {
                Limits { $($field: self.$field.unwrap_or(base.$field),)* }
            }

            /// These limits where they are named, else the others.
            pub fn or(self, base: Self) -> Self {
                Self { $($field: self.$field.or(base.$field),)* }
            }
        }

        impl From<Limits> for LimitsPatch {
            /// All of them named.
            fn from(limits: Limits) -> Self {
                Self { $($field: Some(limits.$field),)* }
            }
        }
    };
}

limits! {
    Wall wall wall_ms: Milliseconds = 600_000,
        "time from assignment to answer", "server", "the worker is killed";
    Cpu cpu cpu_ms: Milliseconds = 7_200_000,
        "processor time of the worker, all its threads together", "server", "the worker is killed";
    Memory memory memory_bytes: Bytes = 2 << 30,
        "memory of the whole worker beyond its idle state: guest, tables and tensors", "worker, server", "the worker is killed";
    GuestMemory guest_memory guest_memory_bytes: Bytes = 512 << 20,
        "memory of the guest, all its linear memories and tables together", "sandbox", "its memory does not grow";
    DeviceMemory device_memory device_memory_bytes: Bytes = 4 << 30,
        "memory of a GPU that tensors take, each counted from its making to its end", "sandbox", "it gets no more tensors";
    Handles handles handles: Count = 10_000,
        "live handles to tables, tensors and files", "sandbox", "it gets no more handles";
    HostCalls host_calls host_calls: Count = 100_000_000,
        "calls of the guest to the host", "sandbox", "the guest is stopped";
    Rows rows rows: Count = 1_000_000_000,
        "rows of all outputs together, tables and pages; of one table that it writes", "sandbox, server", "the guest is stopped";
    Output output output_bytes: Bytes = 8 << 30,
        "bytes of all outputs together, and of files that it writes; of one table that it writes", "sandbox, server", "the guest is stopped";
    Disk disk disk_bytes: Bytes = 16 << 30,
        "bytes in its scratch folder, in blobs and in the journal: outputs, every checkpoint and every page with its cursor; each counts as 4 KiB at least", "sandbox, server", "the guest is stopped";
    LogLines log_lines log_lines: Count = 10_000,
        "lines of log", "sandbox, server", "further lines are dropped and counted";
    Log log log_bytes: Bytes = 16 << 20,
        "bytes of log", "sandbox, server", "further lines are dropped and counted";
    Requests requests requests: Count = 10_000,
        "HTTP requests", "server", "the worker is killed";
    RequestBytes request_bytes request_bytes: Bytes = 1 << 30,
        "bytes of the bodies of HTTP requests and responses, of redirects too", "server", "the worker is killed";
}

/// What is said of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AboutLimit {
    /// The key under `limits` in a pipeline.
    pub key: &'static str,
    /// What it counts.
    pub counts: &'static str,
    /// Who holds an attempt to it.
    pub enforcer: &'static str,
    /// What happens to an attempt that wants more.
    pub beyond: &'static str,
}

/// What an attempt used of one limit, and the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub used: u64,
    pub limit: u64,
}

/// What a file or a checkpoint of so many bytes takes of `limits.disk`: a block at least, so that a million empty ones are not free.
pub fn disk_bytes(length: u64) -> u64 {
    length.max(4096)
}

/// What a page takes of it beside its table, or any record of what a guest gave: it is written to the journal and to the index.
pub fn recorded_bytes(record: &impl Serialize) -> u64 {
    let written = serde_json::to_vec(record).map_or(u64::MAX, |json| json.len() as u64);
    disk_bytes(written.saturating_mul(2))
}

impl LimitKind {
    /// The key under `limits` in a pipeline.
    pub const fn key(self) -> &'static str {
        self.about().key
    }
}

impl Share {
    /// Whether so much was used that the limit may be near.
    pub fn is_near(self) -> bool {
        self.used >= self.limit.div_ceil(2)
    }

    /// "64.2 MiB / 2 GiB", of the limit that it is of.
    pub fn shown(self, limit: LimitKind) -> String {
        format!("{} / {}", limit.quantity(self.used).about(), limit.quantity(self.limit))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// What was used of each of these.
    pub fn shares(&self, used: &Self) -> BTreeMap<LimitKind, Share> {
        let share = |&kind: &LimitKind| (kind, Share { used: used.get(kind), limit: self.get(kind) });
        LimitKind::ALL.iter().map(share).collect()
    }
}

impl LimitsPatch {
    /// The limits that are named, by their keys in a manifest.
    pub fn named(&self) -> Vec<(&'static str, Quantity)> {
        let named = |&kind: &LimitKind| Some((kind.key(), kind.quantity(self.get(kind)?)));
        LimitKind::ALL.iter().filter_map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `docs/limits.md`.
    fn table() -> String {
        let line = |&kind: &LimitKind| {
            let AboutLimit { key, counts, enforcer, beyond } = kind.about();
            format!("| `{key}` | {counts} | {} | {enforcer} | {beyond} |\n", kind.quantity(Limits::DEFAULT.get(kind)))
        };
        let head = "| key | counts | default | enforced by | beyond it |\n|---|---|---|---|---|\n";
        head.to_owned() + &LimitKind::ALL.iter().map(line).collect::<String>()
    }

    #[test]
    fn the_page_of_limits_has_this_table() {
        let page = include_str!("../../../docs/limits.md");
        assert!(page.contains(&table()), "docs/limits.md has another table than this:\n{}", table());
        let readme = include_str!("../../../README.md");
        let forgotten = LimitKind::ALL.iter().find(|kind| !readme.contains(&format!("`{}`", kind.key())));
        assert_eq!(forgotten, None, "README.md does not name it");
    }

    #[test]
    fn a_limit_has_one_name_everywhere() {
        for &kind in LimitKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.key());
            let mut patch = LimitsPatch::default();
            patch.set(kind, Some(7));
            assert_eq!((patch.get(kind), patch.named()), (Some(7), vec![(kind.key(), kind.quantity(7))]));
            let limits = patch.over(Limits::DEFAULT);
            let shares = limits.shares(&Limits::DEFAULT);
            for &other in LimitKind::ALL {
                let (used, seven) = (Limits::DEFAULT.get(other), other == kind);
                assert_eq!(shares[&other], Share { used, limit: if seven { 7 } else { used } });
            }
            assert_eq!(patch.or(Limits::DEFAULT.into()), limits.into());
        }
    }

    #[test]
    fn a_plan_of_before_a_limit_gets_its_default() {
        let stored: Limits = serde_json::from_str(r#"{"wall_ms": 5, "handles": 6}"#).unwrap();
        assert_eq!(stored, Limits { wall_ms: 5, handles: 6, ..Limits::DEFAULT });
    }
}
