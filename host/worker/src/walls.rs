//! The operating system's walls round a worker: what it gives up at its start, and the memory it may grow by.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use types::Fault;

/// Gives up what no step needs, for ever: privileges by exec, core dumps, many descriptors.
pub(crate) fn raise() -> Result<(), Fault> {
    let wall = |name: &str, error: rustix::io::Errno| Fault::host(format!("cannot set the wall `{name}`: {error}"));
    rustix::thread::set_no_new_privs(true).map_err(|error| wall("no_new_privs", error))?;
    let hard = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(Resource::Core, hard(0)).map_err(|error| wall("RLIMIT_CORE", error))?;
    setrlimit(Resource::Nofile, hard(256)).map_err(|error| wall("RLIMIT_NOFILE", error))?;
    setrlimit(Resource::Fsize, hard(64 << 30)).map_err(|error| wall("RLIMIT_FSIZE", error))?;
    Ok(())
}

/// From now on the process may turn so many bytes more writable, whoever asks: guest, tensors, thread stacks.
/// `RLIMIT_DATA`, because wasmtime reserves address space by the gigabyte and `RLIMIT_AS` would count that.
pub(crate) fn cap_data(more: u64) -> Result<(), Fault> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(Fault::host)?;
    let used = status
        .lines()
        .find_map(|line| line.strip_prefix("VmData:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB").and_then(|number| number.trim().parse::<u64>().ok()));
    let used = used.ok_or_else(|| Fault::host("cannot read VmData of the worker"))? << 10;
    // The soft limit, so that the next assignment can set another.
    let maximum = getrlimit(Resource::Data).maximum;
    let limit = Rlimit { current: Some(used.saturating_add(more).min(maximum.unwrap_or(u64::MAX))), maximum };
    setrlimit(Resource::Data, limit).map_err(|error| Fault::host(format!("cannot set the wall `RLIMIT_DATA`: {error}")))
}
