//! When a heartbeat is expected.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Cron;

/// When a heartbeat is expected.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// At the latest so long after the one before.
    Every(Duration),
    /// At the times that a cron line names, in a time zone.
    Cron(Box<Cron>, TimeZone),
}

impl Schedule {
    /// When the next one is expected after one at `last_ms`.
    #[must_use]
    pub fn expected_ms(&self, last_ms: i64) -> i64 {
        match self {
            Self::Every(period) => last_ms.saturating_add(millis(*period)),
            Self::Cron(cron, zone) => {
                let next = Timestamp::from_millisecond(last_ms)
                    .ok()
                    .and_then(|last| cron.next(last, zone));
                next.map_or(i64::MAX, Timestamp::as_millisecond)
            }
        }
    }
}

/// A duration in milliseconds.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
