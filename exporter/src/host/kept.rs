//! What each collector told last, for the pages that it misses.
//!
//! A collector can miss its time because the whole machine is slow, and that is when
//! its values matter: without them every series of it would end, and each alert that
//! waits for its time would wait from the begin. What comes after its page is kept for
//! the next one. A source that fails at once has nothing kept: it is gone, or another.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::tallies::lock;

/// Longer than a few pages of the usual interval nobody is told old values.
const LONGEST: Duration = Duration::from_secs(60);

/// Collectors whose values are the moment itself.
const MOMENTARY: [&str; 1] = ["time"];

/// One reading for each collector, by its place.
#[derive(Debug)]
pub(super) struct Kept(Vec<Mutex<Option<Reading>>>);

#[derive(Debug)]
struct Reading {
    text: Arc<str>,
    at: Instant,
}

impl Kept {
    /// Room for so many collectors.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| Mutex::default()).collect())
    }

    /// What the collector at this place has told now; nothing when it failed.
    pub(super) fn put(&self, place: usize, text: Option<Arc<str>>, at: Instant) {
        if let Some(kept) = self.0.get(place) {
            *lock(kept) = text.map(|text| Reading { text, at });
        }
    }

    /// What it told last, and how old that is; nothing where that is too old.
    pub(super) fn of(
        &self,
        place: usize,
        name: &str,
        now: Instant,
    ) -> Option<(Arc<str>, Duration)> {
        let kept = lock(self.0.get(place)?);
        let reading = kept.as_ref().filter(|_| !MOMENTARY.contains(&name))?;
        let age = now.saturating_duration_since(reading.at);
        (age <= LONGEST).then(|| (reading.text.clone(), age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_last_is_kept_for_a_minute_and_no_longer() {
        let kept = Kept::new(2);
        let begin = Instant::now();
        let of = |place: usize, name: &str, seconds: u64| {
            let told = kept.of(place, name, begin + Duration::from_secs(seconds));
            told.map(|(text, age)| (text.to_string(), age.as_secs()))
        };
        assert_eq!(of(0, "stat", 0), None);
        kept.put(0, Some("a 1\n".into()), begin);
        assert_eq!(of(0, "stat", 0), Some(("a 1\n".into(), 0)));
        assert_eq!(of(0, "stat", 60), Some(("a 1\n".into(), 60)));
        assert_eq!(of(0, "stat", 61), None);
        assert_eq!(of(1, "netdev", 0), None);
        // A clock that stands still would be told as one that is wrong.
        assert_eq!(of(0, "time", 0), None);
        kept.put(0, None, begin);
        assert_eq!(of(0, "stat", 0), None);
    }
}
