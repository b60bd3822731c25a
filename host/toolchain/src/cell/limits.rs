//! What a tool of a build may use, and a tool's last words -> which of it ran out.
//!
//! A limit ends a tool in its own way: it says that memory is out, or is killed by a signal, or its parent says so. The
//! words of all are looked for, so that the author reads the number.

use rustix::process::Resource;
use types::Fault;

const MEMORY_BYTES_MAX: u64 = 3 << 30;
const FILE_BYTES_MAX: u64 = 256 << 20;
const CPU_SECONDS_MAX: u64 = 900;

/// For each process. `Data`, because Node.js and Go reserve address space by the gigabyte, and `As` would count that.
pub(super) const LIMITS: [(Resource, u64); 4] = [
    (Resource::Data, MEMORY_BYTES_MAX),
    (Resource::Fsize, FILE_BYTES_MAX),
    (Resource::Cpu, CPU_SECONDS_MAX),
    (Resource::Core, 0),
];

/// Words of a tool, in small letters, that a limit puts into its mouth.
const MEMORY: [&str; 7] = [
    "out of memory",
    "outofmemory",
    "cannot allocate memory",
    "bad_alloc",
    "memory allocation",
    "memoryerror",
    "allocation failed",
];
const FILE: [&str; 4] = ["file too large", "file size limit", "filetoobig", "signal 25"];
const CPU: [&str; 2] = ["signal 24", "cpu time limit"];

/// Adds to a tool's words the limit that they are of.
pub(super) fn told(fault: Fault) -> Fault {
    let said = fault.message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let limit = match () {
        () if says(&MEMORY) => format!("{} GiB of memory", MEMORY_BYTES_MAX >> 30),
        () if says(&FILE) => format!("files of {} MiB", FILE_BYTES_MAX >> 20),
        () if says(&CPU) => format!("{CPU_SECONDS_MAX} s of CPU time"),
        () => return fault,
    };
    fault.hinted(format!("a tool of a build gets at most {limit}"))
}
