//! What a server's process keeps of the memory that it gave back.

/// What is larger is mapped, and gone when it is given back. Where glibc begins too, but it raises that with every large block that is given back.
#[cfg(target_env = "gnu")]
const LARGE_BYTES: libc::c_int = 128 << 10;
/// What an arena keeps at its end, and how much it takes at once: a step that takes and gives back less makes no system call of it.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: libc::c_int = 1 << 20;
#[cfg(target_env = "gnu")]
const TAKEN_BYTES: libc::c_int = 256 << 10;

/// Hundreds of threads come and go with runs and requests, and glibc has an arena for many of them, eight a processor, each of which keeps
/// what its threads had at most. As many as there are processors do. To be called before there is another thread.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc has no other way to be told, but for an environment that is not ours")]
pub(crate) fn keep_little() {
    let arenas = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let arenas = libc::c_int::try_from(arenas).unwrap_or(libc::c_int::MAX);
    let told = [
        (libc::M_ARENA_MAX, arenas),
        (libc::M_MMAP_THRESHOLD, LARGE_BYTES),
        (libc::M_TRIM_THRESHOLD, KEPT_BYTES),
        (libc::M_TOP_PAD, TAKEN_BYTES),
    ];
    for (what, value) in told {
        // SAFETY: it takes two numbers, and nobody allocates meanwhile.
        unsafe { libc::mallopt(what, value) };
    }
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn keep_little() {}
