//! What is looked at: when each target is due, and what came of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exposition::Spelled;

use super::page::spelled;
use super::track::{Limits, Tick};
use super::{Loaded, Module, Outcome, Target, Track};

/// A look at a target takes no longer than this, unless somebody says so.
const TIMEOUT: Duration = Duration::from_secs(10);

/// All targets with what came of them.
#[derive(Debug, Default)]
pub struct Board(Mutex<Inner>);

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) loaded: Loaded,
    every: Duration,
    pub(super) entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) target: Arc<Target>,
    /// The labels of its samples, as each page has them.
    pub(super) spelled: Spelled,
    pub(super) track: Track,
    pub(super) last: Option<(Outcome, i64)>,
    due_ms: i64,
    /// Whether somebody looks at it now.
    under_way: bool,
    /// Found on the host, not in the configuration.
    found: bool,
}

/// A target that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// What is looked at.
    pub target: Arc<Target>,
    /// How.
    pub module: Arc<Module>,
    /// For how long at most.
    pub timeout: Duration,
}

impl Board {
    /// Puts a configuration in force; `every` is the interval of all else. What
    /// came of targets that stay is kept.
    pub fn configure(&self, loaded: Loaded, every: Duration, now_ms: i64) {
        let mut inner = self.lock();
        inner.every = loaded.config.interval.unwrap_or(every);
        let wanted = loaded.config.targets.clone();
        inner.loaded = loaded;
        inner.replace(wanted, false, now_ms);
    }

    /// Takes over what was found on the host; a name of the configuration wins.
    pub fn found(&self, targets: Vec<Target>, now_ms: i64) {
        let mut inner = self.lock();
        // A container may not have commands run on the host.
        let known = |target: &Target| {
            let module = inner.loaded.modules.get(&target.module);
            module.is_some_and(|module| !module.acts())
        };
        let wanted: Vec<_> = targets.into_iter().filter(known).collect();
        // As a rule nothing is found, and nothing was.
        if !wanted.is_empty() || inner.entries.values().any(|entry| entry.found) {
            inner.replace(wanted, true, now_ms);
        }
    }

    /// The modules and what may be asked for.
    #[must_use]
    pub fn loaded(&self) -> Loaded {
        self.lock().loaded.clone()
    }

    /// The targets that are due; each is due again only when it is done.
    #[must_use]
    pub fn due(&self, now_ms: i64) -> Vec<Due> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let mut due = Vec::new();
        for entry in inner.entries.values_mut() {
            let every = entry.target.interval.unwrap_or(inner.every);
            if entry.under_way || entry.due_ms > now_ms + together(every) {
                continue;
            }
            let Some(module) = inner.loaded.modules.get(&entry.target.module) else {
                continue;
            };
            entry.under_way = true;
            entry.due_ms = (entry.due_ms + millis(every)).max(now_ms + 1);
            let timeout = entry.target.timeout.or(module.timeout).unwrap_or(TIMEOUT);
            due.push(Due {
                target: Arc::clone(&entry.target),
                module: Arc::clone(module),
                timeout: timeout
                    .min(every.mul_f64(0.95))
                    .max(Duration::from_millis(500)),
            });
        }
        due
    }

    /// When the next target is due.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<i64> {
        let inner = self.lock();
        let waiting = inner.entries.values().filter(|entry| !entry.under_way);
        waiting.map(|entry| entry.due_ms).min()
    }

    /// Takes what came of a look, and says when the target is due again; a look at
    /// one that is gone is nobody's.
    pub fn done(&self, due: &Due, outcome: Outcome, now_ms: i64) -> Option<i64> {
        let mut inner = self.lock();
        let limits = inner.limits();
        let entry = inner.entries.get_mut(due.target.called())?;
        if entry.target.target != due.target.target {
            return None;
        }
        entry.under_way = false;
        let tick = Tick {
            at_ms: now_ms,
            took_ms: outcome.took.as_secs_f64() * 1e3,
            reason: outcome.failure.as_ref().map(|failure| failure.reason),
        };
        entry.track.take(tick, limits);
        entry.last = Some((outcome, now_ms));
        Some(entry.due_ms)
    }

    /// Whether a probe of this name is up; nothing if there is none, or nothing is known.
    #[must_use]
    pub fn up(&self, name: &str) -> Option<bool> {
        self.lock().entries.get(name)?.track.up()
    }

    /// Whether every target was looked at once.
    #[must_use]
    pub fn all_looked_at(&self) -> bool {
        self.lock()
            .entries
            .values()
            .all(|entry| entry.last.is_some())
    }

    /// Moves all times: the wall clock was stepped.
    pub fn shift(&self, delta_ms: i64) {
        for entry in self.lock().entries.values_mut() {
            entry.track.shift(delta_ms);
            entry.due_ms += delta_ms;
            if let Some((_, at_ms)) = &mut entry.last {
                *at_ms += delta_ms;
            }
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(super) fn limits(&self) -> Limits {
        let config = &self.loaded.config;
        Limits {
            down_after: config.down_after,
            up_after: config.up_after,
            flapping_after: config.flapping_after,
        }
    }

    fn replace(&mut self, wanted: Vec<Target>, found: bool, now_ms: i64) {
        let mut before = std::mem::take(&mut self.entries);
        let (stay, mut before): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut before)
            .into_iter()
            .partition(|(_, entry)| entry.found != found);
        self.entries = stay;
        for target in wanted {
            let name = target.called().to_owned();
            if found && self.entries.contains_key(&name) {
                continue;
            }
            let interval = target.interval.unwrap_or(self.every);
            let every = millis(interval);
            let spelled = spelled(&name, &target);
            let same = before.remove(&name).filter(|entry| {
                entry.target.target == target.target
                    && entry.target.module == target.module
                    && entry.target.certificate == target.certificate
            });
            let target = Arc::new(target);
            let entry = match same {
                Some(entry) => Entry {
                    target,
                    spelled,
                    // Who was looked at early is due as much later.
                    due_ms: entry.due_ms.min(now_ms + every + together(interval)),
                    ..entry
                },
                // Spread over their interval, so that not all look at once; the same each time.
                None => Entry {
                    due_ms: now_ms + spread(&name, every),
                    target,
                    spelled,
                    track: Track::default(),
                    last: None,
                    under_way: false,
                    found,
                },
            };
            self.entries.insert(name, entry);
        }
    }
}

/// When within its interval a target is due first: soon, and not with all others.
fn spread(name: &str, every_ms: i64) -> i64 {
    let hash = name.bytes().fold(0_u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    i64::from(hash) % every_ms.clamp(1, 15_000)
}

/// Those that are due within so long are looked at together: each waking costs
/// about as much as a look does, and the first look after one twice what the next do.
fn together(every: Duration) -> i64 {
    (millis(every) / 5).min(3000)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Config, Failure, Reason, Samples};

    fn board(text: &str) -> Board {
        let config: Config = settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap();
        let board = Board::default();
        board.configure(config.load().unwrap(), Duration::from_secs(15), 0);
        board
    }

    fn good() -> Outcome {
        Outcome {
            samples: Samples::default(),
            failure: None,
            took: Duration::from_millis(3),
        }
    }

    #[test]
    fn a_target_is_due_once_until_it_is_done() {
        let board = board("targets: [{target: a, interval: 60s, timeout: 90s}, {target: b}]");
        let due = board.due(15_000);
        let names: Vec<_> = due
            .iter()
            .map(|due| (due.target.called(), due.timeout))
            .collect();
        assert_eq!(
            names,
            [
                ("a", Duration::from_secs(57)),
                ("b", Duration::from_secs(10))
            ]
        );
        assert!(board.due(1_000_000).is_empty(), "both are under way");
        board.done(&due[0], good(), 16_000);
        assert!(board.due(16_001).is_empty());
        assert_eq!(board.due(80_000).len(), 1);
        assert_eq!(
            (board.up("a"), board.up("b"), board.up("c")),
            (Some(true), None, None)
        );
    }

    #[test]
    fn targets_that_are_due_soon_are_looked_at_together() {
        let board = board("{interval: 15s, targets: [{target: a}, {target: b}, {target: f}]}");
        let names = |now_ms| -> Vec<String> {
            let due = board.due(now_ms);
            due.iter()
                .map(|due| due.target.called().to_owned())
                .collect()
        };
        // They are due 97, 98 and 102 ms after the start.
        assert_eq!(board.next_due_ms(), Some(97));
        assert_eq!(names(-2904), Vec::<String>::new());
        assert_eq!(names(-2902), ["a", "b"]);
        assert_eq!(board.next_due_ms(), Some(102));
        assert_eq!(names(97), ["f"]);
        assert_eq!(names(97), Vec::<String>::new());
    }

    #[test]
    fn who_was_looked_at_early_keeps_its_pace_although_it_is_found_again() {
        let target = || Target {
            name: "a".to_owned(),
            target: "a".to_owned(),
            ..Target::default()
        };
        let board = board("interval: 15s");
        board.found(vec![target()], 0);
        let due_ms = board.next_due_ms().unwrap();
        let due = board.due(due_ms - 2900).remove(0);
        board.done(&due, good(), due_ms - 2890);
        board.found(vec![target()], due_ms - 2800);
        assert_eq!(board.next_due_ms(), Some(due_ms + 15_000));
    }

    #[test]
    fn who_has_looked_is_told_when_it_is_due_again() {
        let board = board("targets: [{target: a, interval: 2s}]");
        let due = board.due(1_000).pop().unwrap();
        assert_eq!(board.done(&due, good(), 5_000), Some(2_097));
        let due = board.due(5_000).pop().unwrap();
        assert_eq!(board.done(&due, good(), 5_001), Some(5_001));
        let target = Target {
            name: "b".to_owned(),
            ..Target::clone(&due.target)
        };
        let gone = Due {
            target: target.into(),
            ..due
        };
        assert_eq!(board.done(&gone, good(), 5_001), None);
    }

    #[test]
    fn what_was_so_at_the_first_look_is_told_from_what_became_so() {
        let board = board("targets: [{target: a}]");
        let bad = || Outcome {
            failure: Some(Failure::new(Reason::Refused, "refused")),
            ..good()
        };
        let limits = board.lock().limits();
        let mut now_ms = 0;
        let mut look = |outcome: Outcome| {
            now_ms += 15_000;
            let due = board.due(now_ms).remove(0);
            board.done(&due, outcome, now_ms);
            let view = board.views(now_ms).remove(0);
            (view.up, view.turned)
        };
        assert_eq!(look(bad()), (Some(false), false));
        let views: Vec<_> = (0..limits.up_after).map(|_| look(good())).collect();
        assert_eq!(views.last(), Some(&(Some(true), true)));
        let views: Vec<_> = (0..limits.down_after).map(|_| look(bad())).collect();
        assert_eq!(views.last(), Some(&(Some(false), true)));
    }

    #[test]
    fn a_reload_keeps_what_is_known_of_targets_that_stay() {
        let board = board("targets: [{target: a}, {target: b}]");
        for due in board.due(15_000) {
            board.done(&due, good(), 15_001);
        }
        board.found(
            vec![
                Target {
                    name: "a".into(),
                    target: "x".into(),
                    ..Target::default()
                },
                Target {
                    name: "c".into(),
                    target: "c".into(),
                    ..Target::default()
                },
            ],
            16_000,
        );
        let config: Config = settings::read(
            "belfry.yml".as_ref(),
            "targets: [{target: a}, {name: b, target: other}]",
            &|_| None,
        )
        .unwrap();
        board.configure(config.load().unwrap(), Duration::from_secs(15), 17_000);
        assert_eq!((board.up("a"), board.up("b")), (Some(true), None));
        assert_eq!(board.lock().entries.len(), 3, "what was found stays");
        board.found(Vec::new(), 18_000);
        assert_eq!(board.lock().entries.len(), 2);
    }
}
