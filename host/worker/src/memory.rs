//! The worker's own allocator: counts what native code takes and ends the process, telling why, before it takes too much.

#![expect(unsafe_code, reason = "an allocator is unsafe by signature; it passes every call on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// A worker ends with this code when an allocation would pass its limit; the parent reads it as "memory".
pub(crate) const EXIT_MEMORY: i32 = 87;

static USED: AtomicU64 = AtomicU64::new(0);
static CAP: AtomicU64 = AtomicU64::new(u64::MAX);

/// The system's allocator with a cap that only a worker sets. To be the binary's global allocator.
pub struct CappedAllocator;

static PEAK: AtomicU64 = AtomicU64::new(0);

/// From now on at most so many bytes more than are in use. Gives what is in use, and counts the peak anew.
pub(crate) fn cap_at(more: u64) -> u64 {
    let used = USED.load(Ordering::Relaxed);
    CAP.store(used.saturating_add(more), Ordering::Relaxed);
    PEAK.store(used, Ordering::Relaxed);
    used
}

/// The most that was in use since the cap was set.
pub(crate) fn peak() -> u64 {
    PEAK.load(Ordering::Relaxed)
}

/// Charges memory of the guest, which wasmtime maps by itself; `false`, and nothing charged, beyond the cap.
pub(crate) fn charge_guest(bytes: u64) -> bool {
    let used = USED.fetch_add(bytes, Ordering::Relaxed) + bytes;
    if used > CAP.load(Ordering::Relaxed) {
        USED.fetch_sub(bytes, Ordering::Relaxed);
        return false;
    }
    PEAK.fetch_max(used, Ordering::Relaxed);
    true
}

/// Gives back what the guest held.
pub(crate) fn release_guest(bytes: u64) {
    USED.fetch_sub(bytes, Ordering::Relaxed);
}

fn charge(bytes: usize) {
    let used = USED.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
    if used > CAP.load(Ordering::Relaxed) {
        exhausted();
    }
    PEAK.fetch_max(used, Ordering::Relaxed);
}

fn exhausted() -> ! {
    // SAFETY: ends the process at once, without running anything that might allocate.
    unsafe { libc::_exit(EXIT_MEMORY) }
}

fn given(pointer: *mut u8) -> *mut u8 {
    // In a capped worker "no more memory" is RLIMIT_DATA: the limit, not a crash.
    if pointer.is_null() && CAP.load(Ordering::Relaxed) != u64::MAX {
        exhausted();
    }
    pointer
}

// SAFETY: every call goes to `System` unchanged; only counters are kept beside it.
unsafe impl GlobalAlloc for CappedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        charge(layout.size());
        // SAFETY: as the caller promised us.
        given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        charge(layout.size());
        // SAFETY: as the caller promised us.
        given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as the caller promised us.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        charge(size.saturating_sub(layout.size()));
        USED.fetch_sub(layout.size().saturating_sub(size) as u64, Ordering::Relaxed);
        // SAFETY: as the caller promised us.
        given(unsafe { System.realloc(pointer, layout, size) })
    }
}
