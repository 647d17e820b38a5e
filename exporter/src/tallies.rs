//! What was counted of each log, kept over a restart together with the place up
//! to which the log was read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The counts of several logs, by the logs' names.
#[derive(Debug)]
pub(crate) struct Tallies<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    /// A log that is set up otherwise goes on counting.
    known: BTreeMap<String, Arc<Mutex<T>>>,
    /// What an earlier process counted, until its log is followed again.
    kept: BTreeMap<String, T>,
}

impl<T> Default for Tallies<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            known: BTreeMap::new(),
            kept: BTreeMap::new(),
        }))
    }
}

impl<T: Clone + Default + Serialize + DeserializeOwned> Tallies<T> {
    /// Goes on with what [`Tallies::snapshot`] wrote.
    pub(crate) fn restore(&self, snapshot: &str) -> Result<(), String> {
        let kept = serde_json::from_str(snapshot).map_err(|err| err.to_string())?;
        lock(&self.0).kept = kept;
        Ok(())
    }

    /// Everything, as JSON; nothing without a log.
    pub(crate) fn snapshot(&self) -> Option<String> {
        let state = lock(&self.0);
        let known = state.known.iter();
        let mut all: BTreeMap<&str, T> = known
            .map(|(name, tally)| (name.as_str(), lock(tally).clone()))
            .collect();
        // Those whose log has not been found again yet stay as they are.
        for (name, kept) in &state.kept {
            all.entry(name).or_insert_with(|| kept.clone());
        }
        match all.is_empty() {
            true => None,
            false => serde_json::to_string(&all).ok(),
        }
    }

    /// The counts of a log that is to be followed, and whether it has been
    /// before. Forgets logs that are not `wanted` any more.
    pub(crate) fn follow(
        &self,
        name: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> (Arc<Mutex<T>>, bool) {
        let mut state = lock(&self.0);
        state.known.retain(|name, _| wanted(name));
        if let Some(known) = state.known.get(name) {
            return (Arc::clone(known), true);
        }
        let kept = state.kept.remove(name);
        let (before, tally) = (kept.is_some(), kept.unwrap_or_default());
        let tally = Arc::new(Mutex::new(tally));
        state.known.insert(name.to_owned(), Arc::clone(&tally));
        (tally, before)
    }

    /// The counts of a log that is followed.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Mutex<T>>> {
        lock(&self.0).known.get(name).cloned()
    }
}

/// No code of ours panics with one of these locks held.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_back_also_of_a_log_that_is_not_there_yet() {
        let before = Tallies::<u32>::default();
        assert_eq!(before.snapshot(), None);
        *lock(&before.follow("a", |_| true).0) = 1;
        *lock(&before.follow("b", |_| true).0) = 2;
        let tallies = Tallies::<u32>::default();
        tallies.restore(&before.snapshot().unwrap()).unwrap();
        assert_eq!(tallies.snapshot(), before.snapshot());
        let (a, was) = tallies.follow("a", |_| true);
        assert_eq!((*lock(&a), was), (1, true));
        *lock(&a) = 5;
        assert_eq!(tallies.snapshot().as_deref(), Some(r#"{"a":5,"b":2}"#));
        let (_, was) = tallies.follow("c", |name| name == "c");
        assert!(!was && tallies.get("a").is_none());
        assert!(tallies.restore("[").is_err());
    }
}
