//! One rule at work: its expression is asked, its result becomes series and alerts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use exposition::{Labels, NAME};
use promql::Engine;
use series::Store;

use crate::alerting::{Alerts, Found, Holds};
use crate::file::{RuleKind, RuleSpec};
use crate::outputs::Outputs;
use crate::query::ask;
use crate::set::Awaited;
use crate::template::{Texts, seen};
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
    pub spec: RuleSpec,
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
    labels: Texts,
    annotations: Texts,
}

/// What an evaluation needs besides the rule.
pub(crate) struct Surroundings<'a> {
    pub(crate) site: &'a Site,
    pub(crate) store: &'a Store,
    pub(crate) engine: &'a Engine,
    /// The evaluation's time.
    pub(crate) now_ms: i64,
    /// The time that is asked for and written with.
    pub(crate) query_ms: i64,
    pub(crate) limit: usize,
    /// The sources that have not answered since the start.
    pub(crate) awaited: &'a Awaited,
}

impl Rule {
    pub(crate) fn new(spec: RuleSpec) -> Self {
        let (labels, annotations) = match &spec.kind {
            RuleKind::Record => (Texts::default(), Texts::default()),
            RuleKind::Alert { annotations, .. } => {
                (Texts::new(&spec.labels), Texts::new(annotations))
            }
        };
        Self {
            spec,
            labels,
            annotations,
            health: Health::Unknown,
            last_error: None,
            last_evaluation_ms: None,
            took: Duration::ZERO,
            refused: 0,
            alerts: Alerts::default(),
            outputs: Outputs::default(),
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

    /// Evaluates and stores. Returns whether an alert changed its state; an
    /// error leaves the alerts as they were and stores nothing.
    pub(crate) fn evaluate(&mut self, around: &Surroundings<'_>) -> Result<bool, String> {
        let began = Instant::now();
        let outcome = self.ask(around);
        self.took = began.elapsed();
        self.last_evaluation_ms = Some(around.now_ms);
        self.last_error = outcome.as_ref().err().cloned();
        self.health = if outcome.is_ok() {
            Health::Good
        } else {
            Health::Bad
        };
        outcome
    }

    fn ask(&mut self, around: &Surroundings<'_>) -> Result<bool, String> {
        let result = ask(
            around.engine,
            around.store,
            &self.spec.expr,
            around.query_ms,
        )?;
        match &self.spec.kind {
            RuleKind::Record => {
                let series = self.recorded(result, around.limit)?;
                self.store(series, around);
                Ok(false)
            }
            RuleKind::Alert {
                for_ms,
                keep_firing_ms,
                ..
            } => {
                let holds = Holds {
                    for_ms: *for_ms,
                    keep_firing_ms: *keep_firing_ms,
                };
                let found = self.found(result, around)?;
                let changed = self.alerts.step(found, holds, around.now_ms, |labels| {
                    around.awaited.holds(labels)
                });
                let active = self.alerts.active().count();
                if around.limit > 0 && active > around.limit {
                    self.alerts.0.clear();
                    return Err(over_the_limit(around.limit, active, "alerts"));
                }
                let series = self.alerts.series();
                self.store(series, around);
                Ok(changed)
            }
        }
    }

    fn recorded(
        &self,
        result: Vec<(Labels, f64)>,
        limit: usize,
    ) -> Result<Vec<(Labels, f64)>, String> {
        if limit > 0 && result.len() > limit {
            return Err(over_the_limit(limit, result.len(), "series"));
        }
        let mut out = BTreeMap::new();
        for (labels, value) in result {
            let mut builder = labels.edit();
            builder.set(NAME, self.spec.name.as_str());
            for (name, label) in &self.spec.labels {
                builder.set(name.as_str(), label.as_str());
            }
            if out.insert(builder.build(), value).is_some() {
                return Err("two series of the result have the same labels".into());
            }
        }
        Ok(out.into_iter().collect())
    }

    fn found(
        &self,
        result: Vec<(Labels, f64)>,
        around: &Surroundings<'_>,
    ) -> Result<BTreeMap<Labels, Found>, String> {
        let mut out = BTreeMap::new();
        for (labels, value) in result {
            let seen = seen(&labels, value, around);
            let mut builder = labels.edit();
            builder.remove(NAME);
            for (name, text) in self.labels.fill(&seen, around) {
                builder.set(name, text);
            }
            builder.set("alertname", self.spec.name.as_str());
            let annotations = self.annotations.fill(&seen, around);
            let annotations = annotations
                .map(|(name, text)| (name.into(), text))
                .collect();
            let found = Found { annotations, value };
            if out.insert(builder.build(), found).is_some() {
                return Err("two alerts have the same labels".into());
            }
        }
        Ok(out)
    }

    /// Samples that the store refuses are no error of the rule: its alerts are
    /// right, only their record is not.
    fn store(&mut self, series: Vec<(Labels, f64)>, around: &Surroundings<'_>) {
        let refused = self.outputs.write(series, around.query_ms, around.store);
        if refused > 0 && self.refused == 0 {
            let rule = &self.spec.name;
            tracing::warn!(rule, refused, "the store refused samples of a rule");
        }
        self.refused = refused;
    }
}

fn over_the_limit(limit: usize, count: usize, what: &str) -> String {
    format!("the limit of {limit} is exceeded with {count} {what}")
}
