//! When time intervals let routes tell again: what they held back until then is
//! worth a summary.
//!
//! Pure: the plan and two times are parameters, and intervals hold by the minute.

use std::sync::Arc;

use crate::episode::{Step, StepKind};
use crate::plan::Plan;
use crate::state::Mute;

const MINUTE_MS: i64 = 60_000;

/// How steps begin that say which time intervals muted an alert.
pub(crate) const MUTED_BY: &str = "muted by ";
/// How those begin that say outside of which it was.
pub(crate) const OUTSIDE_OF: &str = "outside of ";

/// No further back than so many minutes is looked: five weeks.
const FURTHEST: i64 = 35 * 24 * 60;

/// A moment from which on routes tell what time intervals kept from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowEnd {
    /// When, in milliseconds since 1970: a full minute.
    pub at_ms: i64,
    /// Since when nothing was told, in milliseconds since 1970.
    pub since_ms: i64,
    /// Whether it was for want of an active time interval alone.
    pub inactive: bool,
    /// The time intervals, each once.
    pub names: Vec<String>,
    /// The routes that tell again, by index.
    pub(crate) routes: Vec<usize>,
}

impl WindowEnd {
    /// Whether these steps of an alert say that it was held back until then, and nobody
    /// was told of it meanwhile.
    pub(crate) fn holds_back(&self, steps: &[Step]) -> bool {
        let within = |step: &&Step| (self.since_ms..self.at_ms).contains(&step.at_ms);
        let is_by_time = |step: &Step| {
            let by = [MUTED_BY, OUTSIDE_OF];
            step.kind == StepKind::Muted && by.iter().any(|it| step.detail.starts_with(it))
        };
        let mut steps = steps.iter().filter(within);
        let told = steps.clone().any(|step| step.kind == StepKind::Told);
        !told && steps.any(is_by_time)
    }
}

impl Plan {
    /// The ends after `after_ms`, up to `until_ms`, the first ones first; both in
    /// milliseconds since 1970.
    #[must_use]
    pub(crate) fn window_ends(&self, after_ms: i64, until_ms: i64) -> Vec<WindowEnd> {
        let last = until_ms.div_euclid(MINUTE_MS);
        let first = (after_ms.div_euclid(MINUTE_MS) + 1).max(last - FURTHEST);
        let mut ends: Vec<WindowEnd> = Vec::new();
        for (at, route) in self.routes.iter().enumerate() {
            if route.mute.is_empty() && route.active.is_empty() {
                continue;
            }
            let closed = |minute: i64| self.closed(at, minute * MINUTE_MS);
            let mut before = closed(first - 1);
            for minute in first..=last {
                let now = closed(minute);
                if let (Some((why, names)), None) = (&before, &now) {
                    let open = (minute - FURTHEST..minute)
                        .rev()
                        .find(|it| closed(*it).is_none());
                    add(
                        &mut ends,
                        WindowEnd {
                            at_ms: minute * MINUTE_MS,
                            since_ms: (open.unwrap_or(minute - FURTHEST) + 1) * MINUTE_MS,
                            inactive: *why == Mute::Inactive,
                            names: names
                                .iter()
                                .map(|name: &Arc<str>| name.to_string())
                                .collect(),
                            routes: vec![at],
                        },
                    );
                }
                before = now;
            }
        }
        ends.sort_by_key(|end| end.at_ms);
        ends
    }
}

/// Routes that tell again at the same time share an end, whatever kept them from it:
/// one summary tells of it, and is done or not as a whole.
fn add(ends: &mut Vec<WindowEnd>, end: WindowEnd) {
    match ends.iter_mut().find(|had| had.at_ms == end.at_ms) {
        Some(had) => {
            had.since_ms = had.since_ms.min(end.since_ms);
            had.inactive &= end.inactive;
            had.routes.extend(end.routes);
            had.names.extend(end.names);
            had.names.sort();
            had.names.dedup();
        }
        None => ends.push(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Mail};

    fn plan(route: &str) -> Plan {
        let text = format!(
            "{{route: {{receiver: none, routes: [{route}]}}, receivers: [{{name: none}}], time_intervals: [\
             {{name: night, time_intervals: [{{times: [{{start_time: '00:00', end_time: '06:00'}}]}}]}}, \
             {{name: early, time_intervals: [{{times: [{{start_time: '05:00', end_time: '07:00'}}]}}]}}, \
             {{name: late, time_intervals: [{{times: [{{start_time: '06:00', end_time: '08:00'}}]}}]}}]}}"
        );
        let config: Config = settings::read("a.yml".as_ref(), &text, &|_| None).unwrap();
        crate::plan(&config, &Mail::default()).unwrap()
    }

    fn ms(text: &str) -> i64 {
        let time: jiff::Timestamp = text.parse().unwrap();
        time.as_millisecond()
    }

    #[test]
    fn an_end_is_found_once_with_its_beginning_and_all_of_its_routes() {
        let muted = "{receiver: none, matchers: ['a=\"1\"'], mute_time_intervals: [night]}, \
            {receiver: none, matchers: ['a=\"2\"'], mute_time_intervals: [night]}";
        let plan = plan(muted);
        let between = |after, until| plan.window_ends(ms(after), ms(until));
        let end = WindowEnd {
            at_ms: ms("2026-03-02T06:00:00Z"),
            since_ms: ms("2026-03-02T00:00:00Z"),
            inactive: false,
            names: vec!["night".into()],
            routes: vec![1, 2],
        };
        let found = between("2026-03-02T05:59:50Z", "2026-03-02T06:00:05Z");
        assert_eq!(found, std::slice::from_ref(&end));
        // Looked for again from there on, it is not there.
        assert_eq!(between("2026-03-02T06:00:00Z", "2026-03-02T06:00:20Z"), []);
        assert_eq!(between("2026-03-02T05:00:00Z", "2026-03-02T05:59:59Z"), []);
        // What ended while nobody was there is found later, each night by itself.
        let ends = between("2026-03-01T12:00:00Z", "2026-03-04T12:00:00Z");
        assert_eq!(ends.len(), 3);
        assert_eq!(ends[0], end);
    }

    #[test]
    fn intervals_that_overlap_are_one_time_and_one_that_is_missed_counts_too() {
        let both = plan("{receiver: none, mute_time_intervals: [night, early]}");
        let ends = both.window_ends(ms("2026-03-01T12:00:00Z"), ms("2026-03-02T12:00:00Z"));
        assert_eq!(ends.len(), 1);
        assert_eq!(ends[0].at_ms, ms("2026-03-02T07:00:00Z"));
        assert_eq!(ends[0].since_ms, ms("2026-03-02T00:00:00Z"));
        assert_eq!(ends[0].names, ["early"]);
        let active = plan("{receiver: none, active_time_intervals: [early]}");
        let ends = active.window_ends(ms("2026-03-02T00:00:00Z"), ms("2026-03-02T12:00:00Z"));
        assert_eq!(ends.len(), 1);
        assert!(ends[0].inactive);
        assert_eq!(ends[0].at_ms, ms("2026-03-02T05:00:00Z"));
        assert_eq!(ends[0].since_ms, ms("2026-03-01T07:00:00Z"));
    }

    #[test]
    fn routes_that_tell_again_in_the_same_minute_share_an_end_whatever_kept_them() {
        let plan = plan(
            "{receiver: none, matchers: ['a=\"1\"'], mute_time_intervals: [night]}, \
             {receiver: none, matchers: ['a=\"2\"'], active_time_intervals: [late]}",
        );
        let ends = plan.window_ends(ms("2026-03-02T05:00:00Z"), ms("2026-03-02T12:00:00Z"));
        assert_eq!(ends.len(), 1);
        assert_eq!(ends[0].names, ["late", "night"]);
        assert_eq!((&*ends[0].routes, ends[0].inactive), (&[1, 2][..], false));
        assert_eq!(ends[0].since_ms, ms("2026-03-01T08:00:00Z"));
    }

    #[test]
    fn what_somebody_was_told_meanwhile_was_not_held_back() {
        let end = WindowEnd {
            at_ms: 2000,
            since_ms: 1000,
            inactive: false,
            names: vec!["night".into()],
            routes: vec![1],
        };
        let step = |at_ms, kind, detail: &str| Step {
            at_ms,
            kind,
            detail: detail.into(),
        };
        let muted = |at_ms| step(at_ms, StepKind::Muted, "muted by night");
        let told = |at_ms| step(at_ms, StepKind::Told, "to ops");
        for (steps, held) in [
            (vec![muted(1500)], true),
            (vec![step(1500, StepKind::Muted, "outside of works")], true),
            (vec![step(1500, StepKind::Muted, "silence 1")], false),
            (vec![muted(900)], false),
            (vec![told(900), muted(1500), told(2000)], true),
            (vec![muted(1500), told(1600)], false),
            (vec![], false),
        ] {
            assert_eq!(end.holds_back(&steps), held, "{steps:?}");
        }
    }

    #[test]
    fn routes_without_intervals_have_no_ends() {
        let plan = plan("{receiver: none}");
        assert_eq!(plan.window_ends(0, ms("2026-03-02T12:00:00Z")), []);
    }
}
