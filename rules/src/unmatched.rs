//! Rules that cannot have a result here, because nothing exports what they read.

use std::sync::Arc;

use promql::Engine;
use series::Store;

use crate::RuleSet;
use crate::file::RuleSpec;

/// A rule that can never fire, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// The rule's file.
    pub file: Arc<str>,
    /// Its group.
    pub group: String,
    /// Its name.
    pub rule: String,
    /// The selectors that no series matches, as the rule needs them.
    pub missing: Vec<String>,
}

/// What the rules read, to be compared with what there is: that takes a while, in which
/// nobody who needs the rules has to wait.
#[derive(Debug)]
pub struct Reads(Vec<Read>);

#[derive(Debug)]
struct Read {
    file: Arc<str>,
    group: String,
    spec: Arc<RuleSpec>,
    /// How far behind the clock it is evaluated.
    behind_ms: i64,
    /// Whether it has alerts: whatever its series are like, it could fire.
    active: bool,
}

impl RuleSet {
    /// What the rules read.
    #[must_use]
    pub fn reads(&self) -> Reads {
        let of = |group: &crate::Group| {
            let read = |rule: &crate::Rule| Read {
                file: Arc::clone(&group.file),
                group: group.name.clone(),
                spec: Arc::clone(&rule.spec),
                behind_ms: group.query_offset_ms,
                active: rule.active().next().is_some(),
            };
            group.rules.iter().map(read).collect::<Vec<_>>()
        };
        Reads(self.groups.iter().flat_map(of).collect())
    }
}

impl Reads {
    /// How many rules there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.0.len()
    }

    /// The rules that need a series of which the store has had none since
    /// `since_ms`, nor since the first moment that an evaluation at `now_ms` sees. A
    /// rule that asks for absence needs none, and one that has alerts can fire.
    #[must_use]
    pub fn unmatched(
        &self,
        store: &Store,
        engine: &Engine,
        since_ms: i64,
        now_ms: i64,
    ) -> Vec<Unmatched> {
        let mut out = Vec::new();
        for one in self.0.iter().filter(|one| !one.active) {
            let at_ms = now_ms - one.behind_ms;
            // What came after all that is seen now will be seen later.
            let missing = engine.blocked_by(&one.spec.expr, at_ms, |selector, reach| {
                let (from, to) = (*reach.start(), *reach.end());
                let series = store.series(selector.matchers(), from.min(since_ms), to.max(now_ms));
                !series.is_empty()
            });
            if missing.is_empty() {
                continue;
            }
            let mut missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            missing.dedup();
            out.push(Unmatched {
                file: Arc::clone(&one.file),
                group: one.group.clone(),
                rule: one.spec.name.clone(),
                missing,
            });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use crate::State;
    use crate::set::tests::{Bench, load};

    const HOUR: i64 = 3_600_000;

    #[test]
    fn rules_that_can_never_fire_are_named_with_what_they_lack() {
        let (bench, set) = (
            Bench::new(),
            load(
                "
groups:
- name: g
  rules:
  - {alert: Fine, expr: 'up == 0'}
  - {alert: Half, expr: 'up > on (host) nothing{x=\"1\"}'}
  - {alert: Either, expr: 'up == 0 or nothing > 1'}
  - {alert: Absent, expr: 'absent(nothing)'}
",
            ),
        );
        bench.put("up", "a", 0, 1.0);
        let unmatched = |since_ms, now_ms| {
            set.reads()
                .unmatched(&bench.store, &bench.engine, since_ms, now_ms)
        };
        let found = unmatched(0, 0);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].rule.as_str(), &found[0].missing[..]),
            ("Half", &[r#"nothing{x="1"}"#.to_owned()][..])
        );
        // Nor do samples count that are older than all that is looked at.
        assert_eq!(unmatched(HOUR, 2 * HOUR).len(), 3);
        assert_eq!(set.count(State::Firing), 0);
    }

    #[test]
    fn a_rule_that_looks_far_back_can_fire_on_what_ended_long_ago() {
        let (bench, set) = (
            Bench::new(),
            load(
                "
groups:
- name: g
  rules:
  - {alert: Now, expr: 'worker == 0'}
  - {alert: Day, expr: 'worker == 0 or 0 * max_over_time(worker[1d]) == 0'}
  - {alert: Later, expr: 'worker offset 20h == 0'}
  - {alert: Within, expr: 'max_over_time((worker == 0)[20h:1m])'}
- name: behind
  query_offset: 12h
  rules:
  - {alert: Behind, expr: 'max_over_time(worker[10h]) == 0'}
",
            ),
        );
        bench.put("worker", "a", 0, 1.0);
        let names = |now_ms: i64| -> Vec<String> {
            let reads = set.reads();
            let found = reads.unmatched(&bench.store, &bench.engine, now_ms - HOUR, now_ms);
            found.into_iter().map(|one| one.rule).collect()
        };
        assert_eq!(names(HOUR), [""; 0]);
        assert_eq!(names(3 * HOUR), ["Now"]);
        // What is left are a day and the half that all of a group are late by.
        assert_eq!(names(21 * HOUR), ["Now", "Later", "Within"]);
        assert_eq!(names(23 * HOUR), ["Now", "Later", "Within", "Behind"]);
        assert_eq!(names(25 * HOUR).len(), 5);
    }

    #[test]
    fn a_rule_that_fires_is_not_said_never_to_fire() {
        let (bench, mut set) = (
            Bench::new(),
            load(
                "groups: [{name: g, rules: [{alert: Down, expr: up == 0, keep_firing_for: 10h}]}]",
            ),
        );
        bench.put("up", "a", 0, 0.0);
        bench.evaluate(&mut set, 0);
        bench.evaluate(&mut set, 5 * HOUR);
        assert_eq!(set.count(State::Firing), 1);
        let count = |set: &crate::RuleSet| {
            let reads = set.reads();
            reads
                .unmatched(&bench.store, &bench.engine, 4 * HOUR, 5 * HOUR)
                .len()
        };
        assert_eq!(count(&set), 0);
        bench.evaluate(&mut set, 20 * HOUR);
        assert_eq!((set.count(State::Firing), count(&set)), (0, 1));
    }
}
