//! Ends that are not believed at once, and alerts that come and go.

use super::{Active, Alerter};

impl Alerter {
    /// Holds back an end until it has lasted; false if it is believed at once.
    pub(super) fn hold_end(&mut self, fingerprint: u64, alert: &mut Active, now_ms: i64) -> bool {
        let policy = self.plan.recovery;
        let hold_ms = self.ends_of(fingerprint, |ends| policy.hold_ms(ends, now_ms));
        if policy.flaps > 0 {
            self.episodes.touch_lazily(fingerprint);
        }
        if hold_ms <= 0 {
            return false;
        }
        alert.held_end_ms = Some(alert.ends_ms);
        alert.ends_ms = now_ms.saturating_add(hold_ms);
        alert.ended = false;
        alert.timeout = false;
        true
    }

    /// Whether the alert was told to have ended, and that may still be so.
    pub(super) fn is_held(&self, fingerprint: u64) -> bool {
        let alert = self.alerts.get(&fingerprint);
        alert.is_some_and(|alert| alert.held_end_ms.is_some())
    }

    /// Whether it says of an alert that comes back that it comes and goes.
    pub(super) fn ended_lately(&self, fingerprint: u64, now_ms: i64) -> bool {
        let window_ms = self.plan.recovery.window_ms;
        let mut ends = self.known_ends(fingerprint).iter();
        ends.any(|end_ms| *end_ms > now_ms - window_ms)
    }

    /// How often the alerts ended within the policy's window, the most of any; 0
    /// if that is not often enough to be called coming and going.
    pub(super) fn flaps(&self, fingerprints: &[u64], now_ms: i64) -> usize {
        let policy = self.plan.recovery;
        let counts = fingerprints.iter().map(|fingerprint| {
            let ends = self.known_ends(*fingerprint).iter();
            ends.filter(|end_ms| **end_ms > now_ms - policy.window_ms)
                .count()
        });
        let most = counts.max().unwrap_or(0);
        match policy.flaps > 0 && most + 1 >= policy.flaps {
            true => most,
            false => 0,
        }
    }

    /// Does something with the times at which an alert ended lately.
    pub(super) fn ends_of<T: Default>(
        &mut self,
        fingerprint: u64,
        look: impl FnOnce(&mut Vec<i64>) -> T,
    ) -> T {
        let open = self.episodes.open.get_mut(&fingerprint);
        open.map(|open| look(&mut open.past_mut().ends))
            .unwrap_or_default()
    }

    /// The times at which an alert ended lately.
    pub(super) fn known_ends(&self, fingerprint: u64) -> &[i64] {
        let open = self.episodes.open.get(&fingerprint);
        open.map_or(&[], |open| &open.past().ends)
    }
}
