//! Whether an end is believed: one that has held for a while is; one of an
//! alert that comes and goes must hold for longer.
//!
//! Pure: the policy, when the alert ended before, and the time.

/// Ends that are remembered of an alert, or as many as make it one that flaps.
const MOST: usize = 100;

/// How ends are believed. Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// How long an end must hold; 0 to believe it at once.
    pub confirm_ms: i64,
    /// So many ends within the window make an alert one that flaps; 0 for never.
    pub flaps: usize,
    /// The window.
    pub window_ms: i64,
    /// How long the end of one that flaps must hold.
    pub calm_ms: i64,
}

impl Recovery {
    /// Every end is believed at once.
    pub(crate) const NONE: Self = Self {
        confirm_ms: 0,
        flaps: 0,
        window_ms: 0,
        calm_ms: 0,
    };

    /// How long an end that is told at `now_ms` must hold. `ends` are the times
    /// of the ends before it; those outside the window are dropped, this one is
    /// added.
    pub(crate) fn hold_ms(&self, ends: &mut Vec<i64>, now_ms: i64) -> i64 {
        ends.retain(|end_ms| *end_ms > now_ms - self.window_ms);
        if self.flaps > 0 {
            if ends.len() >= self.flaps.max(MOST) {
                ends.remove(0);
            }
            ends.push(now_ms);
        }
        match self.flaps > 0 && ends.len() >= self.flaps {
            true => self.calm_ms.max(self.confirm_ms),
            false => self.confirm_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_that_comes_and_goes_must_stay_away_for_longer() {
        let policy = Recovery {
            confirm_ms: 30,
            flaps: 3,
            window_ms: 1_000,
            calm_ms: 600,
        };
        let mut ends = Vec::new();
        for (now_ms, hold_ms) in [
            (100, 30),
            (200, 30),
            (300, 600),
            (1_150, 600),
            // Only one is left within the window.
            (1_400, 30),
        ] {
            assert_eq!(policy.hold_ms(&mut ends, now_ms), hold_ms, "{now_ms}");
        }
        for now_ms in 2_000..2_500 {
            policy.hold_ms(&mut ends, now_ms);
        }
        assert_eq!(ends, (2_400..2_500).collect::<Vec<_>>());
        let mut ends = Vec::new();
        for now_ms in 0..10 {
            assert_eq!(Recovery::NONE.hold_ms(&mut ends, now_ms), 0);
        }
        assert!(ends.is_empty());
    }
}
