//! A group at work: when it is due, and what its rules' answers come to.

use std::sync::Arc;
use std::time::Duration;

use exposition::Labels;
use series::Store;

use crate::alerting::Recovery;
use crate::alerting::send::Sending;
use crate::file::{GroupSpec, RuleKind};
use crate::outputs::end;
use crate::question::Answer;
use crate::rule::Rule;
use crate::{Site, State};

/// A group and what it remembers between evaluations.
#[derive(Debug)]
pub struct Group {
    /// The file it stands in.
    pub file: Arc<str>,
    /// Its name.
    pub name: String,
    /// Time between evaluations in milliseconds.
    pub interval_ms: i64,
    /// Whether that is the default, because the file states none.
    pub interval_is_default: bool,
    /// How far behind the clock it evaluates, in milliseconds.
    pub query_offset_ms: i64,
    /// The most series or alerts a rule of it may have; 0 means no limit.
    pub limit: usize,
    /// Its rules, in the order in which they are evaluated.
    pub rules: Vec<Rule>,
    /// When it was last evaluated, in milliseconds since 1970.
    pub last_evaluation_ms: Option<i64>,
    /// How long that took.
    pub took: Duration,
    /// Evaluations that were due before the last one began, and did not happen.
    missed: u64,
    /// The time of the evaluation that began last.
    pub(crate) begun_ms: Option<i64>,
    /// Series of rules that are no more, to be ended at the next evaluation.
    pub(crate) gone: Vec<Labels>,
    /// Where in its interval it is evaluated.
    slot_ms: i64,
    /// Whether it is being evaluated.
    pub(crate) running: bool,
}

impl Group {
    pub(crate) fn new(spec: GroupSpec, default_interval_ms: i64) -> Self {
        let interval_ms = spec.interval_ms.unwrap_or(default_interval_ms).max(1);
        Self {
            // The place in the interval follows from the name, so that it is
            // the same after a restart, and groups do not all work at once.
            slot_ms: slot(&spec.file, &spec.name, interval_ms),
            file: spec.file,
            name: spec.name,
            interval_ms,
            interval_is_default: spec.interval_ms.is_none(),
            query_offset_ms: spec.query_offset_ms,
            limit: spec.limit,
            rules: spec.rules.into_iter().map(Rule::new).collect(),
            last_evaluation_ms: None,
            took: Duration::ZERO,
            missed: 0,
            begun_ms: None,
            gone: Vec::new(),
            running: false,
        }
    }

    /// The latest time up to `now_ms` at which the group is to be evaluated.
    pub(crate) fn latest_slot(&self, now_ms: i64) -> i64 {
        let into = (now_ms - self.slot_ms).rem_euclid(self.interval_ms);
        now_ms - into
    }

    /// The time of the evaluation that is due, if one is.
    pub(crate) fn due(&self, now_ms: i64) -> Option<i64> {
        if self.running {
            return None;
        }
        let slot = self.latest_slot(now_ms);
        let done = self.last_evaluation_ms.is_some_and(|last| {
            // A last evaluation far in the future means that the clock was set
            // back and nobody said so: better evaluate than wait for hours.
            slot <= last && last <= now_ms + self.interval_ms
        });
        (!done).then_some(slot)
    }

    /// Whether new samples call for an evaluation: always when the group has no
    /// interval of its own, else when most of its interval has passed.
    pub(crate) fn due_on_data(&self, now_ms: i64) -> bool {
        if self.running {
            return false;
        }
        let Some(last) = self
            .last_evaluation_ms
            .filter(|_| !self.interval_is_default)
        else {
            return true;
        };
        let passed = now_ms - last;
        // Samples come a little early or late; a tenth keeps the pace. A last
        // evaluation in the future means that the clock was set back.
        passed < 0 || passed >= self.interval_ms - self.interval_ms / 10
    }

    /// When the `for:` of a pending alert ends that the last evaluation was too
    /// early for.
    pub(crate) fn next_to_fire_ms(&self) -> Option<i64> {
        if self.running {
            return None;
        }
        let ends = self.rules.iter().filter_map(|rule| {
            let RuleKind::Alert { for_ms, .. } = rule.spec.kind else {
                return None;
            };
            let pending = rule.active().map(|(_, alert)| alert);
            pending
                .filter(|alert| alert.state == State::Pending)
                .map(|alert| alert.active_at_ms + for_ms)
                // One that is over and did not fire waits for data, not for time.
                .filter(|end_ms| self.last_evaluation_ms.is_some_and(|last| last < *end_ms))
                .min()
        });
        ends.min()
    }

    /// Takes the answer for the rule at `at` in, and returns the alerts to tell, and
    /// whether any alert changed.
    pub(crate) fn take(
        &mut self,
        at: usize,
        answer: Answer,
        site: &Site,
        store: &Store,
    ) -> (Vec<alert::Alert>, bool) {
        let nothing = (Vec::new(), false);
        let Some(rule) = self.rules.get_mut(at) else {
            return nothing;
        };
        let now_ms = answer.when.now_ms;
        let was_bad = rule.last_error.is_some();
        let recovery = Recovery {
            evaluations: site.recovery,
            // Data may come between two evaluations in time, and once again.
            apart_ms: self.interval_ms * 9 / 10,
        };
        let changed = match rule.take(answer, recovery, store) {
            Ok(moved) => moved,
            Err(err) => {
                if !was_bad {
                    let (group, rule) = (&self.name, &rule.spec.name);
                    tracing::warn!(group, rule, "a rule could not be evaluated: {err}");
                }
                return nothing;
            }
        };
        let RuleKind::Alert { .. } = rule.spec.kind else {
            return (Vec::new(), changed);
        };
        let resend_ms = site.resend_ms;
        let told = rule.alerts.due(
            now_ms,
            Sending {
                resend_ms,
                valid_ms: 4 * self.interval_ms.max(resend_ms),
                external_labels: &site.external_labels,
                query: &rule.spec.text,
                external_url: &site.external_url,
                tell_value: site.tell_value,
            },
        );
        // What was told is part of what a restart must know.
        let changed = changed || !told.is_empty();
        (told, changed)
    }

    /// An evaluation begins with the time `at_ms`; not while another one goes on.
    pub(crate) fn begin(&mut self, at_ms: i64) -> bool {
        if std::mem::replace(&mut self.running, true) {
            return false;
        }
        // Rounded: an evaluation that is a little late missed none.
        self.missed = self.missed(at_ms + self.interval_ms / 2);
        self.begun_ms = Some(at_ms);
        true
    }

    /// Evaluations that were due up to `now_ms` and did not happen, also while one does
    /// not end or none begins: who waits for its end to count them may wait for ever.
    #[must_use]
    pub fn missed(&self, now_ms: i64) -> u64 {
        let slots = |begun_ms: i64| (now_ms - begun_ms) / self.interval_ms;
        let since = self.begun_ms.map_or(0, |begun_ms| slots(begun_ms) - 1);
        self.missed + u64::try_from(since).unwrap_or(0)
    }

    /// Every rule was evaluated at `now_ms`, which took so long.
    pub(crate) fn end(&mut self, now_ms: i64, took: Duration, store: &Store) {
        self.last_evaluation_ms = Some(now_ms);
        // Behind the rules: a series that one of them writes now needs no end.
        end(self.gone.drain(..), now_ms - self.query_offset_ms, store);
        self.took = took;
        self.running = false;
    }

    /// Takes over what `old` remembers, rule by rule. Series of rules that are
    /// no more are ended at the next evaluation.
    pub(crate) fn inherit(&mut self, mut old: Self) {
        self.last_evaluation_ms = old.last_evaluation_ms;
        self.took = old.took;
        self.missed = old.missed;
        self.begun_ms = old.begun_ms;
        self.gone = old.gone;
        for rule in &mut self.rules {
            if let Some(at) = old.rules.iter().position(|had| had.is_same(&rule.spec)) {
                let had = old.rules.remove(at);
                if std::mem::discriminant(&had.spec.kind) != std::mem::discriminant(&rule.spec.kind)
                {
                    old.rules.push(had);
                    continue;
                }
                rule.health = had.health;
                rule.last_error = had.last_error;
                rule.last_evaluation_ms = had.last_evaluation_ms;
                rule.took = had.took;
                rule.alerts = had.alerts;
                rule.outputs = had.outputs;
            }
        }
        self.gone
            .extend(old.rules.iter_mut().flat_map(|rule| rule.outputs.take()));
    }
}

fn slot(file: &str, name: &str, interval_ms: i64) -> i64 {
    let names = alert::Set::from([("file".into(), file.into()), ("group".into(), name.into())]);
    let hash = alert::fingerprint(&names) % interval_ms.unsigned_abs();
    i64::try_from(hash).unwrap_or(0)
}
