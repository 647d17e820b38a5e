//! What one rule asks, and what comes of it. Nothing here needs the rules
//! themselves: whoever reads or changes them does not wait for an answer.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use exposition::{Labels, NAME};
use promql::Engine;
use series::Store;

use crate::Site;
use crate::alerting::Found;
use crate::file::{RuleKind, RuleSpec};
use crate::query::ask;
use crate::rule::over_the_limit;
use crate::set::Awaited;
use crate::template::{Templates, seen};

/// The times and the limit of an evaluation. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    /// The evaluation's time.
    pub(crate) now_ms: i64,
    /// The time that is asked for and written with.
    pub(crate) query_ms: i64,
    /// The most series or alerts that may come of it; 0 means no limit.
    pub(crate) limit: usize,
    /// How often the clock had been stepped.
    pub(crate) steps: u64,
}

/// A rule's templates, parsed when its condition first holds: most rules of a quiet
/// machine never need them, and their trees are larger than all else that a rule keeps.
#[derive(Debug, Default)]
pub(crate) struct Texts(OnceLock<Parsed>);

#[derive(Debug, Default)]
struct Parsed {
    labels: Templates,
    annotations: Templates,
}

impl Texts {
    fn of(&self, spec: &RuleSpec) -> &Parsed {
        self.0.get_or_init(|| match &spec.kind {
            RuleKind::Record => Parsed::default(),
            RuleKind::Alert { annotations, .. } => Parsed {
                labels: Templates::new(&spec.labels),
                annotations: Templates::new(annotations),
            },
        })
    }
}

/// What a rule asks the store.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) spec: Arc<RuleSpec>,
    pub(crate) texts: Arc<Texts>,
    pub(crate) site: Arc<Site>,
    pub(crate) when: When,
    /// The sources that had not answered before it was asked.
    pub(crate) awaited: Awaited,
}

/// What the store says to it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) when: When,
    pub(crate) awaited: Awaited,
    pub(crate) took: Duration,
    pub(crate) outcome: Result<Outcome, String>,
}

/// What follows from a rule's result.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Series to store.
    Recorded(Vec<(Labels, f64)>),
    /// Alerts whose condition holds.
    Found(BTreeMap<Labels, Found>),
}

/// Where templates are filled.
pub(crate) struct Surroundings<'a> {
    pub(crate) site: &'a Site,
    pub(crate) store: &'a Store,
    pub(crate) engine: &'a Engine,
    /// The evaluation's time.
    pub(crate) now_ms: i64,
}

impl Question {
    /// Asks; as long as the engine's limits allow.
    pub(crate) fn ask(self, store: &Store, engine: &Engine) -> Answer {
        let began = Instant::now();
        let outcome = self.outcome(&Surroundings {
            site: &self.site,
            store,
            engine,
            now_ms: self.when.now_ms,
        });
        Answer {
            when: self.when,
            awaited: self.awaited,
            took: began.elapsed(),
            outcome,
        }
    }

    fn outcome(&self, around: &Surroundings<'_>) -> Result<Outcome, String> {
        let (engine, store) = (around.engine, around.store);
        let result = ask(engine, store, &self.spec.expr, self.when.query_ms)?;
        match &self.spec.kind {
            RuleKind::Record => self.recorded(result).map(Outcome::Recorded),
            RuleKind::Alert { .. } => self.found(result, around).map(Outcome::Found),
        }
    }

    fn recorded(&self, result: Vec<(Labels, f64)>) -> Result<Vec<(Labels, f64)>, String> {
        let limit = self.when.limit;
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
            let texts = self.texts.of(&self.spec);
            let seen = seen(&labels, value, around);
            let mut builder = labels.edit();
            builder.remove(NAME);
            for (name, text) in texts.labels.fill(&seen, around) {
                builder.set(name, text);
            }
            builder.set("alertname", self.spec.name.as_str());
            let annotations = texts.annotations.fill(&seen, around);
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
}
