//! Playing one test file: samples in, evaluations in steps, expectations compared.

use std::time::Duration;

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
fn engine(interval_ms: i64) -> Engine {
    Engine::new(Limits {
        subquery_step: Duration::from_millis(interval_ms.unsigned_abs()),
        ..Limits::default()
    })
}

struct Play<'a> {
    file: &'a TestFile,
    test: &'a Test,
    set: RuleSet,
    store: Store,
    engine: Engine,
    report: &'a mut Report,
}

impl Play<'_> {
    fn run(mut self) {
        let test = self.test;
        for (labels, values) in &test.series {
            let mut time_ms = test.start_ms;
            for value in values {
                if let Some(value) = value {
                    // The times of one series only rise.
                    let _ = self.store.append(labels, time_ms, *value);
                }
                time_ms += test.interval_ms;
            }
        }
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
            let mut firing: Vec<(alert::Set, alert::Set)> = self
                .set
                .groups()
                .iter()
                .flat_map(|group| &group.rules)
                .filter(|rule| rule.spec.name == case.name)
                .flat_map(|rule| rule.alerts.active())
                .filter(|(_, alert)| alert.state == State::Firing)
                .map(|(labels, alert)| (set(labels), alert.annotations.clone()))
                .collect();
            firing.sort();
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
