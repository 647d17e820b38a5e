//! When a change may bring a collection forward: at once as a rule, seldom when
//! there is no end of changes.

use std::time::Duration;

use tokio::time::Instant;

/// What one early collection has to wait for when there were too many: a
/// container that dies each second must not cost a collection each second.
const GAP: Duration = Duration::from_secs(3);

/// So many may come before any has to wait: a project of some containers that
/// goes down one by one is told without delay.
const BURST: u32 = 10;

/// The early collections of late, as a debt that time pays off.
#[derive(Debug)]
pub(super) struct Early {
    /// When all of them will be paid off, one in each gap.
    paid: Instant,
}

impl Early {
    /// None so far.
    pub(super) fn new(now: Instant) -> Self {
        Self { paid: now }
    }

    /// A change came: when to collect.
    pub(super) fn next(&mut self, now: Instant) -> Instant {
        let owed = self.paid.saturating_duration_since(now);
        let at = now + owed.saturating_sub(GAP * (BURST - 1));
        self.paid = now + owed + GAP;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long each of the changes at these milliseconds has to wait, in milliseconds.
    fn waits(changes: impl IntoIterator<Item = u64>) -> Vec<u128> {
        let start = Instant::now();
        let mut early = Early::new(start);
        let wait = |at| {
            let now = start + Duration::from_millis(at);
            early.next(now).duration_since(now).as_millis()
        };
        changes.into_iter().map(wait).collect()
    }

    #[test]
    fn a_few_changes_wait_for_nothing_however_close_they_are() {
        assert_eq!(waits([0, 1, 2, 3, 100, 101, 5_000, 5_001, 5_002]), [0; 9]);
        assert_eq!(waits((0..100).map(|minute| minute * 60_000)), [0; 100]);
    }

    #[test]
    fn changes_without_end_are_collected_once_in_each_gap() {
        // Each comes as soon as the one before was collected.
        let start = Instant::now();
        let (mut early, mut now) = (Early::new(start), start);
        for _ in 0..100 {
            now = early.next(now);
        }
        assert_eq!(now - start, GAP * (100 - BURST));
    }
}
