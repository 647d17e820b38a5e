//! Memory for bodies that are kept, since patterns or JSON are looked for in them: together
//! they take no more than there is room for, however many probes there are.
//!
//! A short one is kept without a word. Longer ones wait, within the time of the probe, for one
//! of the places of middling length, which are apart: slow ones that could become long keep
//! nobody from those. Only who outgrows that waits until there is room for the longest that it
//! may become, and so never waits while another waits for it.

use tokio::sync::{Semaphore, SemaphorePermit};

/// So much of a body is kept without asking, in bytes.
pub(super) const SHORT: usize = 64 << 10;

/// One of middling length, in bytes, and how many of them there may be.
const MIDDLING: usize = 512 << 10;
const PLACES: usize = 32;

/// All longer bodies together take so many MiB more; a single one that may be longer, by the
/// configuration, is kept alone.
const MIB: u32 = 48;

static SMALL_ROOM: Semaphore = Semaphore::const_new(PLACES);
static ROOM: Semaphore = Semaphore::const_new(MIB as usize);

/// The room that one body has. It is given back when this goes.
#[derive(Debug, Default)]
pub(super) struct Room {
    place: Option<SemaphorePermit<'static>>,
    all: Option<SemaphorePermit<'static>>,
}

impl Room {
    /// Waits for more room for a body of at most so many bytes; returns for how many there is
    /// room then.
    pub(super) async fn grow(&mut self, most: u64) -> usize {
        if self.place.is_none() {
            self.place = Some(take(&SMALL_ROOM, 1).await);
            return MIDDLING;
        }
        if self.all.is_none() {
            let mib = u32::try_from(most.div_ceil(1 << 20)).unwrap_or(MIB);
            self.all = Some(take(&ROOM, mib.clamp(1, MIB)).await);
        }
        usize::MAX
    }
}

async fn take(room: &'static Semaphore, count: u32) -> SemaphorePermit<'static> {
    loop {
        // It is never closed.
        if let Ok(taken) = room.acquire_many(count).await {
            return taken;
        }
    }
}

/// How many places and how many MiB are free.
#[cfg(test)]
pub(super) fn free() -> (usize, usize) {
    (SMALL_ROOM.available_permits(), ROOM.available_permits())
}
