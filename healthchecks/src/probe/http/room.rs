//! Memory for bodies that are kept, since patterns or JSON are looked for in them: together
//! they take no more than there is room for, however many probes there are.
//!
//! A short one is kept without a word. Who gets a longer one waits, within the time of the
//! probe, until there is room for the longest that it may become, and so never waits while
//! another waits for it.

use tokio::sync::{Semaphore, SemaphorePermit};

/// So much of a body is kept without asking, in bytes.
pub(super) const SHORT: usize = 64 << 10;

/// All longer bodies together take so many MiB; a single one that may be longer, by the
/// configuration, is kept alone.
const MIB: u32 = 64;

static ROOM: Semaphore = Semaphore::const_new(MIB as usize);

/// Waits for room for a body of so many bytes. It is given back when this goes.
pub(super) async fn room(most: u64) -> SemaphorePermit<'static> {
    let mib = u32::try_from(most.div_ceil(1 << 20)).unwrap_or(MIB);
    loop {
        // It is never closed.
        if let Ok(room) = ROOM.acquire_many(mib.clamp(1, MIB)).await {
            return room;
        }
    }
}

/// How many MiB are free.
#[cfg(test)]
pub(super) fn free() -> usize {
    ROOM.available_permits()
}
