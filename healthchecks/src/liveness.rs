//! Liveness: whether the loops that do the work still turn.
//!
//! Each loop owns a [`Beat`] and touches it once a round; asking costs one
//! atomic read per loop, so it can be asked at any rate. A loop that ended, or
//! that has been silent for longer than it ever may be, makes the process not
//! live: whoever restarts it does better than a half-alive watch.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// All loops of the process.
#[derive(Debug)]
pub struct Liveness {
    start: Instant,
    loops: Mutex<Vec<Arc<Loop>>>,
}

#[derive(Debug)]
struct Loop {
    name: &'static str,
    limit_ms: AtomicU64,
    last_ms: AtomicU64,
    ended: AtomicBool,
}

/// The sign of life of one loop. Dropping it says that the loop has ended.
#[derive(Debug)]
pub struct Beat {
    start: Instant,
    of: Arc<Loop>,
}

/// A loop that does not turn.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stalled {
    /// The loop.
    pub name: &'static str,
    /// How long it has been silent, in seconds.
    pub silent_seconds: u64,
    /// Whether it has ended altogether.
    pub ended: bool,
}

impl Liveness {
    /// Without loops yet. `start` is any moment before the first beat.
    #[must_use]
    pub fn new(start: Instant) -> Self {
        Self {
            start,
            loops: Mutex::new(Vec::new()),
        }
    }

    /// Adds a loop that beats at least once per `limit`; it counts as having
    /// beaten at `now`.
    pub fn watch(&self, name: &'static str, limit: Duration, now: Instant) -> Beat {
        let of = Arc::new(Loop {
            name,
            limit_ms: AtomicU64::new(millis(limit)),
            last_ms: AtomicU64::new(millis(now - self.start)),
            ended: AtomicBool::new(false),
        });
        self.loops
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&of));
        Beat {
            start: self.start,
            of,
        }
    }

    /// The loops that ended or were silent for longer than their limit at `now`.
    #[must_use]
    pub fn stalled(&self, now: Instant) -> Vec<Stalled> {
        let loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = millis(now - self.start);
        loops
            .iter()
            .filter_map(|of| {
                let silent = Duration::from_millis(
                    now_ms.saturating_sub(of.last_ms.load(Ordering::Relaxed)),
                );
                let ended = of.ended.load(Ordering::Relaxed);
                (ended || millis(silent) > of.limit_ms.load(Ordering::Relaxed)).then_some(Stalled {
                    name: of.name,
                    silent_seconds: silent.as_secs(),
                    ended,
                })
            })
            .collect()
    }
}

impl Beat {
    /// From now on the loop beats at least once per `limit`.
    pub fn within(&self, limit: Duration) {
        self.of.limit_ms.store(millis(limit), Ordering::Relaxed);
    }

    /// Says that the loop turned at `now`.
    pub fn beat(&self, now: Instant) {
        self.of
            .last_ms
            .store(millis(now - self.start), Ordering::Relaxed);
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.of.ended.store(true, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_loop_that_beats_is_alive() {
        let start = Instant::now();
        let liveness = Liveness::new(start);
        let beat = liveness.watch("collect", LIMIT, start);
        assert_eq!(liveness.stalled(start + LIMIT), []);
        beat.beat(start + LIMIT);
        assert_eq!(liveness.stalled(start + LIMIT * 2), []);
    }

    #[test]
    fn a_silent_loop_is_named() {
        let start = Instant::now();
        let liveness = Liveness::new(start);
        let _beat = liveness.watch("collect", LIMIT, start);
        let stalled = liveness.stalled(start + LIMIT + Duration::from_secs(1));
        assert_eq!(
            stalled,
            [Stalled {
                name: "collect",
                silent_seconds: 61,
                ended: false
            }]
        );
    }

    #[test]
    fn a_loop_may_take_a_longer_rhythm() {
        let start = Instant::now();
        let liveness = Liveness::new(start);
        let beat = liveness.watch("collect", LIMIT, start);
        beat.within(LIMIT * 3);
        assert_eq!(liveness.stalled(start + LIMIT * 2), []);
        assert_eq!(liveness.stalled(start + LIMIT * 4).len(), 1);
    }

    #[test]
    fn a_loop_that_ended_is_named_at_once() {
        let start = Instant::now();
        let liveness = Liveness::new(start);
        drop(liveness.watch("rules", LIMIT, start));
        assert_eq!(
            liveness.stalled(start),
            [Stalled {
                name: "rules",
                silent_seconds: 0,
                ended: true
            }]
        );
    }
}
