//! How late the machine was, by a plain timer of the test's own threads.
//!
//! Nothing of ours runs on those (see `ours`), so it is not Belfry that is forgiven.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::support::now_ms;

/// Between looks at the clock.
const BEAT: Duration = Duration::from_millis(20);

/// A message may have been made or taken so long before or after it was, in milliseconds.
const AROUND_MS: i64 = 500;

/// When a timer was late, and by how much; both in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Lateness(Vec<(i64, i64)>);

impl Lateness {
    /// Watches until then.
    pub(super) async fn until(until: Instant) -> Self {
        let mut seen = Vec::new();
        while Instant::now() < until {
            let due = Instant::now() + BEAT;
            sleep_until(due).await;
            let late_ms = due.elapsed().as_millis();
            seen.push((now_ms(), i64::try_from(late_ms).unwrap()));
        }
        Self(seen)
    }

    /// The worst of all.
    pub(super) fn worst_ms(&self) -> i64 {
        self.worst_of(|_| true)
    }

    /// The worst while what came at these times was on its way.
    pub(super) fn around_ms(&self, one_ms: i64, other_ms: i64) -> i64 {
        let from_ms = one_ms.min(other_ms) - AROUND_MS;
        let to_ms = one_ms.max(other_ms) + AROUND_MS;
        // A timer that was late says so at its end.
        self.worst_of(|(at_ms, late_ms)| at_ms >= from_ms && at_ms - late_ms <= to_ms)
    }

    fn worst_of(&self, wanted: impl Fn((i64, i64)) -> bool) -> i64 {
        let seen = self.0.iter().copied().filter(|it| wanted(*it));
        seen.map(|(_, late_ms)| late_ms).max().unwrap_or(0)
    }
}
