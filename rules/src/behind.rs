//! Groups that cannot keep their interval, in words.

use std::time::Duration;

use settings::format_duration;

use crate::RuleSet;
use crate::group::Group;

/// An evaluation that takes no longer holds up nobody, however short the interval.
const SHORT_MS: i64 = 10_000;
/// So many groups are named.
const NAMED: usize = 5;

impl RuleSet {
    /// Which groups take longer than their interval, each with how long: those whose
    /// evaluation still goes on, and those whose last one took so long. Empty if none does.
    #[must_use]
    pub fn behind(&self, now_ms: i64) -> String {
        let all = self.groups.iter();
        let all: Vec<_> = all.filter_map(|group| group.behind(now_ms)).collect();
        let more = all.len().saturating_sub(NAMED);
        let mut words = all[..all.len() - more].join("; ");
        if more > 0 {
            words.push_str(&format!("; and {more} more"));
        }
        words
    }
}

impl Group {
    fn behind(&self, now_ms: i64) -> Option<String> {
        let going_ms = self.begun_ms.filter(|_| self.running);
        let going_ms = going_ms.map_or(0, |begun_ms| now_ms - begun_ms);
        let took_ms = i64::try_from(self.took.as_millis()).unwrap_or(i64::MAX);
        let is_long = |time_ms: i64| time_ms > self.interval_ms.max(SHORT_MS);
        let (how, time_ms) = match (is_long(going_ms), is_long(took_ms)) {
            (true, _) => ("has gone on for", going_ms),
            (false, true) => ("took", took_ms),
            (false, false) => return None,
        };
        let seconds = |ms: i64| format_duration(Duration::from_secs(ms.unsigned_abs() / 1000));
        Some(format!(
            "the evaluation of the group {} in {} {how} {}, its interval is {}",
            self.name,
            self.file,
            seconds(time_ms),
            format_duration(Duration::from_millis(self.interval_ms.unsigned_abs())),
        ))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Due, RuleSet, Site, Source};

    fn set(groups: usize) -> RuleSet {
        let group = |at| {
            format!("- {{name: g{at}, interval: 15s, rules: [{{record: 'a:b', expr: '1'}}]}}\n")
        };
        let text = format!("groups:\n{}", (0..groups).map(group).collect::<String>());
        let source = Source {
            name: "r.yml".into(),
            text,
        };
        RuleSet::load(&[source], Site::default()).unwrap()
    }

    #[test]
    fn a_group_is_behind_while_an_evaluation_takes_longer_than_its_interval() {
        let mut set = set(2);
        let begun = set.begin(Due {
            group: 1,
            at_ms: 1_000_000,
        });
        assert_eq!(set.behind(1_015_000), "");
        assert_eq!(
            set.behind(1_095_400),
            "the evaluation of the group g1 in r.yml has gone on for 1m35s, its interval is 15s"
        );
        assert!(begun.is_some());
        // It has come to its end, and took long.
        let store = series::Store::new();
        let took = std::time::Duration::from_secs(95);
        set.groups[1].end(1_000_000, took, &store);
        assert_eq!(
            set.behind(1_096_000),
            "the evaluation of the group g1 in r.yml took 1m35s, its interval is 15s"
        );
        set.groups[1].end(1_110_000, took / 10, &store);
        assert_eq!(set.behind(1_120_000), "");
    }

    #[test]
    fn of_many_groups_that_are_behind_a_few_are_named() {
        let mut set = set(8);
        let begun: Vec<_> = (0..8)
            .map(|group| set.begin(Due { group, at_ms: 0 }))
            .collect();
        let words = set.behind(60_000);
        assert!(words.contains("g4") && !words.contains("g5"), "{words}");
        assert!(words.ends_with("; and 3 more"), "{words}");
        drop(begun);
    }
}
