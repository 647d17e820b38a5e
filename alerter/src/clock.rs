//! Telling the passing of time from the setting of the clock.

use tokio::time::Instant;

use crate::Clock;

/// A difference that is a step and no longer drift, in milliseconds.
const STEP_MS: i64 = 2_000;

/// The wall clock beside a clock that nobody sets.
pub(crate) struct Watch {
    wall: Clock,
    wall_ms: i64,
    at: Instant,
}

/// The time, and by how much the wall clock was set since the last look; both
/// in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub now_ms: i64,
    pub step_ms: i64,
}

impl Watch {
    pub(crate) fn new(wall: Clock) -> Self {
        Self {
            wall_ms: wall(),
            at: Instant::now(),
            wall,
        }
    }

    pub(crate) fn read(&mut self) -> Reading {
        let now_ms = (self.wall)();
        let passed_ms = i64::try_from(self.at.elapsed().as_millis()).unwrap_or(i64::MAX);
        let difference_ms = now_ms - self.wall_ms.saturating_add(passed_ms);
        self.at = Instant::now();
        self.wall_ms = now_ms;
        Reading {
            now_ms,
            step_ms: match difference_ms.abs() < STEP_MS {
                true => 0,
                false => difference_ms,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_step_of_the_wall_clock_is_a_step() {
        let wall = Arc::new(AtomicI64::new(1_000_000));
        let clock = Arc::clone(&wall);
        let mut watch = Watch::new(Arc::new(move || clock.load(Ordering::Relaxed)));
        // (monotonic seconds, wall milliseconds, step)
        for (passed_s, wall_ms, step_ms) in [
            (0, 0, 0),
            (3_600, 3_600_000, 0),
            (60, 61_500, 0),
            (60, 3_660_000, 3_600_000),
            (60, -3_540_000, -3_600_000),
            (0, -2_000, -2_000),
        ] {
            tokio::time::advance(Duration::from_secs(passed_s)).await;
            wall.fetch_add(wall_ms, Ordering::Relaxed);
            let reading = watch.read();
            assert_eq!(reading.step_ms, step_ms, "{passed_s} s, {wall_ms} ms");
            assert_eq!(reading.now_ms, wall.load(Ordering::Relaxed));
        }
    }
}
