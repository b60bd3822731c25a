//! The worker's own allocator: counts what native code takes and ends the process, telling why, before it takes too much.

#![expect(unsafe_code, reason = "an allocator is unsafe by signature; it passes every call on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// A worker ends with this code when an allocation would pass its limit; the parent reads it as "memory".
pub(crate) const EXIT_MEMORY: i32 = 87;

/// Below zero when what was taken before [`count`] is given back.
static USED: AtomicI64 = AtomicI64::new(0);
static CAP: AtomicI64 = AtomicI64::new(NO_CAP);
static COUNTS: AtomicBool = AtomicBool::new(false);

/// No cap.
const NO_CAP: i64 = i64::MAX;

/// The system's allocator with a cap that only a worker sets. To be the binary's global allocator.
pub struct CappedAllocator;

static PEAK: AtomicI64 = AtomicI64::new(0);

/// From now on allocations are counted. A server's are not: its threads would wait for each other's counting.
pub(crate) fn count() {
    COUNTS.store(true, Ordering::Relaxed);
}

/// From now on at most so many bytes more than are in use. Gives what is in use, and counts the peak anew.
pub(crate) fn cap_at(more: u64) -> i64 {
    let used = USED.load(Ordering::Relaxed);
    CAP.store(used.saturating_add_unsigned(more), Ordering::Relaxed);
    PEAK.store(used, Ordering::Relaxed);
    used
}

/// The most that was in use since the cap was set.
pub(crate) fn peak() -> i64 {
    PEAK.load(Ordering::Relaxed)
}

/// Charges memory of the guest, which wasmtime maps by itself; `false`, and nothing charged, beyond the cap.
pub(crate) fn charge_guest(bytes: u64) -> bool {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let used = USED.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
    if used > CAP.load(Ordering::Relaxed) {
        USED.fetch_sub(bytes, Ordering::Relaxed);
        return false;
    }
    PEAK.fetch_max(used, Ordering::Relaxed);
    true
}

/// Gives back what the guest held.
pub(crate) fn release_guest(bytes: u64) {
    USED.fetch_sub(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
}

fn charge(bytes: usize) {
    if !COUNTS.load(Ordering::Relaxed) {
        return;
    }
    // No allocation is larger than an `isize`.
    let bytes = bytes as i64;
    let used = USED.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
    if used > CAP.load(Ordering::Relaxed) {
        exhausted();
    }
    // Mostly it is no peak, and a look is cheaper.
    if used > PEAK.load(Ordering::Relaxed) {
        PEAK.fetch_max(used, Ordering::Relaxed);
    }
}

fn discharge(bytes: usize) {
    if COUNTS.load(Ordering::Relaxed) {
        USED.fetch_sub(bytes as i64, Ordering::Relaxed);
    }
}

fn exhausted() -> ! {
    // SAFETY: ends the process at once, without running anything that might allocate.
    unsafe { libc::_exit(EXIT_MEMORY) }
}

fn given(pointer: *mut u8) -> *mut u8 {
    // In a capped worker "no more memory" is RLIMIT_DATA: the limit, not a crash.
    if pointer.is_null() && CAP.load(Ordering::Relaxed) != NO_CAP {
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
        discharge(layout.size());
        // SAFETY: as the caller promised us.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        charge(size.saturating_sub(layout.size()));
        discharge(layout.size().saturating_sub(size));
        // SAFETY: as the caller promised us.
        given(unsafe { System.realloc(pointer, layout, size) })
    }
}
