//! One rule and what it remembers: the answer to its question becomes series and alerts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exposition::Labels;
use series::Store;

use crate::alerting::{Alerts, Holds, Recovery};
use crate::file::{RuleKind, RuleSpec};
use crate::outputs::Outputs;
use crate::question::{Answer, Outcome, Question, Texts, When};
use crate::set::Awaited;
use crate::{Active, Site};

/// Whether the last evaluation of a rule worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// It was not evaluated yet.
    #[default]
    Unknown,
    /// It worked.
    Good,
    /// It failed; the alerts are as they were before.
    Bad,
}

impl Health {
    /// The word that the rules API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "ok",
            Self::Bad => "err",
        }
    }
}

/// A rule and what it remembers between evaluations.
#[derive(Debug)]
pub struct Rule {
    /// What its file says.
    pub spec: Arc<RuleSpec>,
    /// How the last evaluation went.
    pub health: Health,
    /// Why it failed, if it did.
    pub last_error: Option<String>,
    /// When it was last evaluated, in milliseconds since 1970.
    pub last_evaluation_ms: Option<i64>,
    /// How long that took.
    pub took: Duration,
    /// How many of its samples the store refused at the last evaluation.
    pub refused: usize,
    pub(crate) alerts: Alerts,
    pub(crate) outputs: Outputs,
    /// Until its state is resumed: when its alerts were last looked at, if that was before
    /// the program went down.
    pub(crate) seen_ms: Option<i64>,
    texts: Arc<Texts>,
}

impl Rule {
    pub(crate) fn new(spec: RuleSpec) -> Self {
        Self {
            texts: Arc::default(),
            spec: Arc::new(spec),
            health: Health::Unknown,
            last_error: None,
            last_evaluation_ms: None,
            took: Duration::ZERO,
            refused: 0,
            alerts: Alerts::default(),
            outputs: Outputs::default(),
            seen_ms: None,
        }
    }

    /// Its pending and firing alerts, in the order of their labels.
    pub fn active(&self) -> impl Iterator<Item = (&Labels, &Active)> {
        self.alerts.active()
    }

    /// Whether `other` is this rule in another edition of its file.
    pub(crate) fn is_same(&self, other: &RuleSpec) -> bool {
        self.spec.name == other.name && self.spec.labels == other.labels
    }

    /// What to ask for it with these times, in milliseconds since 1970.
    pub(crate) fn question(&self, when: When, site: &Arc<Site>, awaited: &Awaited) -> Question {
        Question {
            spec: Arc::clone(&self.spec),
            texts: Arc::clone(&self.texts),
            site: Arc::clone(site),
            when,
            awaited: awaited.clone(),
        }
    }

    /// Takes the answer in and stores what follows. Returns whether an alert changed
    /// its state; an error leaves the alerts as they were and stores nothing.
    /// It ends alerts once answers in a row have found their condition over as `recovery` says.
    pub(crate) fn take(
        &mut self,
        answer: Answer,
        recovery: Recovery,
        store: &Store,
    ) -> Result<bool, String> {
        let began = Instant::now();
        let (when, took) = (answer.when, answer.took);
        let outcome = self.follow(answer, recovery, store);
        self.took = took + began.elapsed();
        self.last_evaluation_ms = Some(when.now_ms);
        self.last_error = outcome.as_ref().err().cloned();
        self.health = if outcome.is_ok() {
            Health::Good
        } else {
            Health::Bad
        };
        outcome
    }

    fn follow(
        &mut self,
        answer: Answer,
        recovery: Recovery,
        store: &Store,
    ) -> Result<bool, String> {
        let when = answer.when;
        match answer.outcome? {
            Outcome::Recorded(series) => {
                self.store(series, when.query_ms, store);
                Ok(false)
            }
            Outcome::Found(found) => {
                let RuleKind::Alert {
                    for_ms,
                    keep_firing_ms,
                    ..
                } = self.spec.kind
                else {
                    return Ok(false);
                };
                let holds = Holds {
                    for_ms,
                    keep_firing_ms,
                    recovery,
                };
                let changed = self.alerts.step(found, holds, when.now_ms, |labels| {
                    answer.awaited.holds(labels)
                });
                let active = self.alerts.active().count();
                if when.limit > 0 && active > when.limit {
                    self.alerts.0.clear();
                    return Err(over_the_limit(when.limit, active, "alerts"));
                }
                let series = self.alerts.series();
                self.store(series, when.query_ms, store);
                Ok(changed)
            }
        }
    }

    /// Samples that the store refuses are no error of the rule: its alerts are
    /// right, only their record is not.
    fn store(&mut self, series: Vec<(Labels, f64)>, time_ms: i64, store: &Store) {
        let refused = self.outputs.write(series, time_ms, store);
        if refused > 0 && self.refused == 0 {
            let rule = &self.spec.name;
            tracing::warn!(rule, refused, "the store refused samples of a rule");
        }
        self.refused = refused;
    }
}

pub(crate) fn over_the_limit(limit: usize, count: usize, what: &str) -> String {
    format!("the limit of {limit} is exceeded with {count} {what}")
}
