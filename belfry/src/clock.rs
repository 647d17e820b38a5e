//! The watch's own time: the wall clock where it runs evenly, and a line
//! without jumps where it does not.
//!
//! All recorded times (samples, pending alerts, mails sent) lie on this line.
//! When the wall clock is stepped, the line is moved to the new time and
//! everybody who keeps times is told by how much, so that no rate, no `for:`
//! and no repeat interval notices.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A smaller difference is drift, which is followed without a word.
const STEP: Duration = Duration::from_secs(2);

/// Time as the watch counts it, in milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct Clock {
    /// The time at a moment of the monotonic clock.
    anchor: Mutex<(i64, Instant)>,
}

impl Clock {
    /// Starts at the wall clock's time.
    pub(crate) fn start() -> Self {
        Self::at(wall_ms(SystemTime::now()), Instant::now())
    }

    fn at(wall_ms: i64, moment: Instant) -> Self {
        Self {
            anchor: Mutex::new((wall_ms, moment)),
        }
    }

    /// Now.
    pub(crate) fn now_ms(&self) -> i64 {
        self.time_at(Instant::now())
    }

    fn time_at(&self, moment: Instant) -> i64 {
        let (wall_ms, anchor) = *self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        wall_ms + millis(moment.saturating_duration_since(anchor))
    }

    /// Whether the wall clock was stepped, which [`Clock::follow`] then follows;
    /// drift is followed here.
    pub(crate) fn is_stepped(&self) -> bool {
        let (wall_ms, moment) = (wall_ms(SystemTime::now()), Instant::now());
        let delta = wall_ms - self.time_at(moment);
        if delta.unsigned_abs() >= STEP.as_secs() * 1000 {
            return true;
        }
        // The same two times: no step can come of it.
        self.compare(wall_ms, moment);
        false
    }

    /// Compares with the wall clock. A step moves the line and is returned;
    /// whoever calls this moves all kept times by it.
    pub(crate) fn follow(&self) -> Option<i64> {
        self.compare(wall_ms(SystemTime::now()), Instant::now())
    }

    fn compare(&self, wall_ms: i64, moment: Instant) -> Option<i64> {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = anchor.0 + millis(moment.saturating_duration_since(anchor.1));
        let delta = wall_ms - ours;
        if delta.unsigned_abs() >= STEP.as_secs() * 1000 {
            *anchor = (wall_ms, moment);
            return Some(delta);
        }
        // The line never runs backwards: a wall clock a little behind it is left
        // behind until that is a step.
        if delta > 0 {
            *anchor = (wall_ms, moment);
        }
        None
    }
}

fn wall_ms(time: SystemTime) -> i64 {
    millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_step_in_either_direction_is_told_once() {
        let start = Instant::now();
        for hour in [3_600_000, -3_600_000] {
            let clock = Clock::at(10_000_000, start);
            assert_eq!(
                clock.compare(10_015_000 + hour, start + SECOND * 15),
                Some(hour)
            );
            assert_eq!(clock.time_at(start + SECOND * 15), 10_015_000 + hour);
            assert_eq!(clock.compare(10_030_000 + hour, start + SECOND * 30), None);
        }
    }

    #[test]
    fn drift_is_followed_and_time_never_runs_backwards() {
        let start = Instant::now();
        let clock = Clock::at(1_000_000, start);
        assert_eq!(clock.compare(1_015_200, start + SECOND * 15), None);
        assert_eq!(clock.time_at(start + SECOND * 15), 1_015_200);
        let moment = start + SECOND * 16;
        let before = clock.time_at(moment);
        assert_eq!(clock.compare(before - 1_900, moment), None);
        assert_eq!(clock.time_at(moment), before);
        assert_eq!(clock.compare(before - 2_000, moment), Some(-2_000));
    }

    #[test]
    fn a_step_is_seen_before_it_is_followed() {
        let wall_ms = wall_ms(SystemTime::now());
        let clock = Clock::at(wall_ms - 3_600_000, Instant::now());
        assert!(clock.is_stepped());
        assert!(clock.is_stepped(), "looking changes nothing");
        assert!(clock.follow().is_some());
        assert!(!clock.is_stepped());
    }
}
