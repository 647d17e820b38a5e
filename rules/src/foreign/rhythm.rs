//! When a target is scraped, and under which time its samples are kept.

use std::time::Duration;

/// Scrapes are late by parts of a millisecond; so much does not count.
const TOLERANCE_MS: i64 = 2;

/// The even times of one target's scrapes. Times that are a whole interval apart
/// take less room in the store.
#[derive(Debug)]
pub struct Rhythm {
    every_ms: i64,
    even_ms: Option<i64>,
}

impl Rhythm {
    /// A rhythm that has not begun.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self {
            every_ms: i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1),
            even_ms: None,
        }
    }

    /// The time for the samples of a scrape that began at `at_ms`: the even one
    /// where that is close enough. All in milliseconds since 1970.
    pub fn time(&mut self, at_ms: i64) -> i64 {
        let tolerance = TOLERANCE_MS.min(self.every_ms / 100);
        let before = self.even_ms.unwrap_or(at_ms);
        let steps = (at_ms - before + self.every_ms / 2).div_euclid(self.every_ms);
        let even = before + steps * self.every_ms;
        let time = if (at_ms - even).abs() <= tolerance {
            even
        } else {
            at_ms
        };
        self.even_ms = Some(time);
        time
    }
}

/// Time until the next scrape of a target that is due at `place`, a number that
/// follows from its address, in each interval.
pub(super) fn wait(place: u64, every: Duration, now_ms: i64) -> Duration {
    let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
    let now = now_ms
        .rem_euclid(i64::try_from(every).unwrap_or(i64::MAX))
        .unsigned_abs();
    Duration::from_millis((place % every + every - now) % every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_delays_are_evened_out_and_large_ones_are_kept() {
        let mut rhythm = Rhythm::new(Duration::from_secs(15));
        let told: Vec<i64> = [
            1000, 16_001, 31_000, 46_002, 61_003, 76_100, 91_100, 136_099,
        ]
        .into_iter()
        .map(|at| rhythm.time(at))
        .collect();
        assert_eq!(
            told,
            [
                1000, 16_000, 31_000, 46_000, 61_003, 76_100, 91_100, 136_100
            ]
        );
    }

    #[test]
    fn a_target_keeps_its_place_in_the_interval() {
        let every = Duration::from_secs(15);
        for (place, now_ms, wait_ms) in [
            (4000, 0, 4000),
            (4000, 15_000, 4000),
            (19_000, 19_000, 0),
            (4000, 5000, 14_000),
        ] {
            assert_eq!(wait(place, every, now_ms), Duration::from_millis(wait_ms));
        }
    }
}
