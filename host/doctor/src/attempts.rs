//! The list: what is tried, how, which wall is to stop it, and what the fault then says.

use crate::components;
use crate::how::How;
use types::{FaultKind, LimitKind};

/// One way to break out.
#[derive(Debug)]
pub struct Attempt {
    pub name: &'static str,
    /// For people: what is tried.
    pub tried: &'static str,
    /// For people: what is to stop it.
    pub wall: &'static str,
    pub(crate) how: How,
    pub(crate) expected: Expected,
}

/// How every call of an attempt ends, if the wall stands.
#[derive(Debug)]
pub(crate) enum Expected {
    /// With a fault of this kind that says this.
    Stopped(FaultKind, &'static str),
    /// Well, with at most so many lines of log, none of which a terminal would obey.
    Tame { lines: u64 },
    /// Well, or blaming the plugin: in no case with a fault of the host.
    Survived,
}

use Expected::{Stopped, Survived, Tame};
use FaultKind::{Denied, Guest};

const fn limit(limit: LimitKind) -> FaultKind {
    FaultKind::Limit { limit }
}

const fn attempt(name: &'static str, tried: &'static str, wall: &'static str, how: How, expected: Expected) -> Attempt {
    Attempt { name, tried, wall, how, expected }
}

/// Files that are there, and are not granted; the last folder of the way is, in some.
pub(crate) const OUTSIDE: [&str; 7] =
    ["secret", "../secret", "data/../secret", "data/link", "data/folder/secret", "/etc/hostname", "/proc/self/environ"];

/// Every attempt, in the order in which they are made. The first behaves: were it stopped, the others would prove nothing.
pub const ATTEMPTS: [Attempt; 30] = [
    attempt("harmless", "a plugin that behaves", "none", How::Mode("harmless"), Tame { lines: 0 }),
    attempt(
        "endless-loop",
        "a loop without an end",
        "limit wall",
        How::Endless("loop"),
        Stopped(limit(LimitKind::Wall), "`wall`"),
    ),
    attempt(
        "native-loop",
        "a loop within the host's tensor kernels",
        "limit wall",
        How::Endless("native_loop"),
        Stopped(limit(LimitKind::Wall), "`wall`"),
    ),
    attempt(
        "talk",
        "progress and metrics without an end",
        "limit wall",
        How::Endless("sayings_flood"),
        Stopped(limit(LimitKind::Wall), "`wall`"),
    ),
    attempt(
        "guest-memory",
        "a memory bomb in the guest",
        "limit guest_memory",
        How::Mode("memory"),
        Stopped(limit(LimitKind::GuestMemory), "`guest_memory`"),
    ),
    attempt(
        "native-memory",
        "a memory bomb of the host's tensors",
        "limit memory",
        How::Mode("native_memory"),
        Stopped(limit(LimitKind::Memory), "`memory`"),
    ),
    attempt(
        "table-memory",
        "a memory bomb of the host's tables",
        "limit memory",
        How::Mode("native_tables"),
        Stopped(limit(LimitKind::Memory), "`memory`"),
    ),
    attempt(
        "tensor-handles",
        "a handle bomb of tensors",
        "limit handles",
        How::Mode("handles"),
        Stopped(limit(LimitKind::Handles), "`handles`"),
    ),
    attempt(
        "table-handles",
        "a handle bomb of tables",
        "limit handles",
        How::Mode("table_handles"),
        Stopped(limit(LimitKind::Handles), "`handles`"),
    ),
    attempt(
        "huge-list",
        "a list of 300 MiB in one call",
        "bound of a call",
        How::Roomy("huge_list"),
        Stopped(Guest, "more in one call than"),
    ),
    attempt(
        "huge-output",
        "a saved state of 8 MiB",
        "limit output",
        How::Mode("huge_state"),
        Stopped(limit(LimitKind::Output), "`output`"),
    ),
    attempt(
        "deep-recursion",
        "calls that nest for ever",
        "stack of the host",
        How::Mode("recurse_lightly"),
        Stopped(Guest, "nest too deep"),
    ),
    attempt(
        "deep-frames",
        "frames that nest for ever",
        "memory of the guest",
        How::Mode("recurse"),
        Stopped(Guest, "out of bounds"),
    ),
    attempt(
        "log-flood",
        "5,000 lines of log",
        "limit log_lines",
        How::Mode("log_flood"),
        Tame { lines: crate::how::LOG_LINES },
    ),
    attempt(
        "escape-codes",
        "terminal escape codes in the log",
        "tame words",
        How::Mode("escape_codes"),
        Tame { lines: 1 },
    ),
    attempt(
        "files",
        "files outside of the grant: `..`, links, absolute paths",
        "grants",
        How::Reading(&OUTSIDE),
        Stopped(Denied, "is not granted"),
    ),
    attempt(
        "redirect",
        "a redirect to a private address",
        "vetted addresses",
        How::Fetching("/away"),
        Stopped(Denied, "private, loopback"),
    ),
    attempt(
        "rebinding",
        "a granted name that resolves to this machine",
        "vetted addresses",
        How::Rebinding("/inside"),
        Stopped(Denied, "private, loopback"),
    ),
    attempt(
        "odd-tensors",
        "NaN, infinite and empty tensors, absurd shapes",
        "checked operations",
        How::Mode("odd_tensors"),
        Survived,
    ),
    attempt("odd-measure", "a measure that is NaN", "contract", How::Evaluating, Stopped(Guest, "finite number")),
    attempt(
        "endless-compile",
        "a component that takes for ever to compile",
        "limit wall",
        How::Compiling(components::endless),
        Stopped(limit(LimitKind::Wall), "`wall`"),
    ),
    attempt(
        "truncated",
        "a component that ends too early",
        "compiler",
        How::Compiling(components::truncated),
        Stopped(Guest, "not a component"),
    ),
    attempt("bit-flipped", "a component with a bit flipped", "compiler", How::Compiling(components::flipped), Survived),
    attempt(
        "wrong-world",
        "components of another world, and of none",
        "contract",
        How::Compiling(components::of_another_world),
        Stopped(Guest, ""),
    ),
    attempt(
        "foreign-import",
        "a component that imports wasi:cli/environment",
        "contract",
        How::Compiling(components::with_foreign_import),
        Stopped(Guest, "wasi:cli/environment"),
    ),
    attempt(
        "panics",
        "a panic in each export",
        "instance",
        How::Panicking(&crate::how::EXPORTS),
        Stopped(Guest, "gave up"),
    ),
    attempt(
        "undeclared-column",
        "an output that contradicts its own schema",
        "contract",
        How::Mode("undeclared"),
        Stopped(Guest, "did not declare"),
    ),
    attempt(
        "dropped-row",
        "a row-wise step that drops a row",
        "contract",
        How::Mode("wrong_rows"),
        Stopped(Guest, "rows for"),
    ),
    attempt(
        "moved-rows",
        "a row-wise step that reorders rows",
        "a second look",
        How::Mode("reorder"),
        Stopped(Guest, "alone than among the others"),
    ),
    attempt(
        "neighbour",
        "another tenant's blob, by its digest",
        "tenant's folder",
        How::Neighbour,
        Stopped(Guest, "cannot read stored file"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_words_are_short() {
        let names: BTreeSet<_> = ATTEMPTS.iter().map(|attempt| attempt.name).collect();
        assert_eq!(names.len(), ATTEMPTS.len());
        for Attempt { name, tried, wall, .. } in &ATTEMPTS {
            assert!(name.len() <= 20 && tried.len() <= 60 && wall.len() <= 20, "{name}");
        }
    }
}
