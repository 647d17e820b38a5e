//! How the allocator is set up: for little memory over weeks, not for speed.
//!
//! glibc's own allocator, told to share one heap and to give memory back, stays
//! smaller than jemalloc and mimalloc and costs as much processor time; the
//! figures are in docs/measured.md. Other C libraries' allocators stay as they are.

/// Sets up the allocator. To be called before any thread is started.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc offers no other way but its environment")]
pub(crate) fn set_up() {
    /// What glibc begins with. Once it is set it stays: else it follows the largest
    /// block ever freed, and pages of metrics are of hundreds of KiB.
    const BYTES: i32 = 128 << 10;
    for (parameter, value) in [
        // Each thread would get a heap of its own, and what one frees no other reuses.
        (libc::M_ARENA_MAX, 1),
        // From this size on a block comes from the kernel and goes back to it.
        (libc::M_MMAP_THRESHOLD, BYTES),
        // No more than this stays free at the end of the heap.
        (libc::M_TRIM_THRESHOLD, BYTES),
    ] {
        // SAFETY: mallopt changes numbers in glibc under glibc's own lock.
        let set = unsafe { libc::mallopt(parameter, value) };
        debug_assert_eq!(set, 1, "glibc knows parameter {parameter}");
    }
}

/// Nothing to set up.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn set_up() {}

/// Gives pages back that are free within the heap: samples of an hour have just left it.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc has no other way")]
pub(crate) fn give_back() {
    // SAFETY: it looks at the heap under glibc's own lock and touches no block in use.
    unsafe { libc::malloc_trim(0) };
}

/// Nothing to give back.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_back() {}
