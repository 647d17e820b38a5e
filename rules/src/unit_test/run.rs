//! Playing one test file: samples in, evaluations in steps, expectations compared.

use std::time::Duration;

use exposition::Labels;
use promql::{Engine, Limits};
use series::Store;
use settings::Fault;

use super::check;
use super::file::{Test, TestFile};
use super::{Failure, Report};
use crate::template::set;
use crate::{RuleSet, Site, Source, State};

/// Runs every test of a file on rules and a store of its own.
pub(super) fn file(file: &TestFile, rules: &[Source]) -> Result<Report, Vec<Fault>> {
    let mut report = Report::default();
    for test in &file.tests {
        let site = Site {
            interval_ms: file.interval_ms,
            external_labels: test.external_labels.clone(),
            external_url: test.external_url.clone(),
            ..Site::default()
        };
        let set = RuleSet::load(rules, site)?;
        Play {
            file,
            test,
            set,
            store: Store::new(),
            engine: engine(file.interval_ms),
            report: &mut report,
        }
        .run();
    }
    Ok(report)
}

/// As promtool has it, a subquery without a step takes the evaluation interval.
pub(super) fn engine(interval_ms: i64) -> Engine {
    Engine::new(Limits {
        subquery_step: Duration::from_millis(interval_ms.unsigned_abs()),
        ..Limits::default()
    })
}

pub(super) struct Play<'a> {
    pub(super) file: &'a TestFile,
    pub(super) test: &'a Test,
    pub(super) set: RuleSet,
    pub(super) store: Store,
    pub(super) engine: Engine,
    pub(super) report: &'a mut Report,
}

impl Play<'_> {
    fn run(mut self) {
        let test = self.test;
        self.fill(|_| true);
        let order = self.order();
        let last = test
            .alerts
            .iter()
            .map(|case| case.at_ms)
            .chain(test.exprs.iter().map(|case| case.at_ms))
            .max()
            .unwrap_or(0);
        let mut at_ms = 0;
        while at_ms <= last {
            for &group in &order {
                let now_ms = test.start_ms + at_ms;
                self.set.evaluate(group, now_ms, &self.store, &self.engine);
            }
            self.failed_rules(at_ms);
            self.alerts(at_ms);
            at_ms += self.file.interval_ms;
        }
        for case in &test.exprs {
            let now_ms = test.start_ms + case.at_ms;
            self.report.checked += 1;
            let wrong = check::expr(case, now_ms, self.file.fuzzy, &self.store, &self.engine);
            if let Err(message) = wrong {
                self.fail(&case.place, message);
            }
        }
    }

    /// Puts the series of the test into the store that are wanted.
    pub(super) fn fill(&self, wanted: impl Fn(&Labels) -> bool) {
        let test = self.test;
        for (labels, values) in test.series.iter().filter(|(labels, _)| wanted(labels)) {
            let mut time_ms = test.start_ms;
            for value in values {
                if let Some(value) = value {
                    // The times of one series only rise.
                    let _ = self.store.append(labels, time_ms, *value);
                }
                time_ms += test.interval_ms;
            }
        }
    }

    /// Evaluates for so long up to a time, and compares nothing.
    #[cfg(test)]
    pub(super) fn evaluate_to(&mut self, last_ms: i64, span_ms: i64) {
        let order = self.order();
        let every_ms = self.file.interval_ms;
        let mut at_ms = (last_ms - span_ms).max(0) / every_ms * every_ms;
        while at_ms <= last_ms {
            for &group in &order {
                let now_ms = self.test.start_ms + at_ms;
                self.set.evaluate(group, now_ms, &self.store, &self.engine);
            }
            at_ms += self.file.interval_ms;
        }
    }

    /// The alerts of this name that fire.
    pub(super) fn firing(&self, name: &str) -> Vec<(alert::Set, alert::Set)> {
        let rules = self.set.groups().iter().flat_map(|group| &group.rules);
        let mut firing: Vec<_> = rules
            .filter(|rule| rule.spec.name == name)
            .flat_map(|rule| rule.alerts.active())
            .filter(|(_, alert)| alert.state == State::Firing)
            .map(|(labels, alert)| (set(labels), alert.annotations.clone()))
            .collect();
        firing.sort();
        firing
    }

    /// Groups that the file puts in order come first, the others as they stand.
    fn order(&self) -> Vec<usize> {
        let groups = self.set.groups();
        let place = |at: &usize| {
            let name = &groups[*at].name;
            let named = self.file.order.iter().position(|have| have == name);
            named.unwrap_or(self.file.order.len())
        };
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.sort_by_key(place);
        order
    }

    /// A rule that cannot be evaluated fails the test once, at its first time.
    fn failed_rules(&mut self, at_ms: i64) {
        let mut failures = Vec::new();
        for rule in self.set.groups().iter().flat_map(|group| &group.rules) {
            if let Some(err) = &rule.last_error {
                let at = check::time(at_ms);
                let message = format!("rule {} failed at {at}: {err}", rule.spec.name);
                failures.push((rule.spec.place.clone(), message));
            }
        }
        for (place, message) in failures {
            let known = |had: &Failure| had.place == place && had.test == self.test.name;
            if !self.report.failures.iter().any(known) {
                self.fail(&place, message);
            }
        }
    }

    /// Compares the alerts of every case whose time lies in this step.
    fn alerts(&mut self, at_ms: i64) {
        let step = at_ms..at_ms + self.file.interval_ms;
        for case in self
            .test
            .alerts
            .iter()
            .filter(|case| step.contains(&case.at_ms))
        {
            let firing = self.firing(&case.name);
            self.report.checked += 1;
            if let Err(message) = check::alerts(case, &firing) {
                self.fail(&case.place, message);
            }
        }
    }

    fn fail(&mut self, place: &settings::Place, message: String) {
        self.report.failures.push(Failure {
            place: place.clone(),
            test: self.test.name.clone(),
            message,
        });
    }
}
