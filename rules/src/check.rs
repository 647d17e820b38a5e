//! What a person is told about rule files before they are used: every fault,
//! and what is allowed but hardly meant.

use std::collections::BTreeMap;

use settings::{Fault, Place};

use crate::file::{self, RuleKind, RuleSpec, Source};

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The file as it was named.
    pub file: String,
    /// Groups that are whole.
    pub groups: usize,
    /// Alerting rules that are whole.
    pub alerts: usize,
    /// Recording rules that are whole.
    pub records: usize,
    /// Why the file would be refused; empty for a good file.
    pub faults: Vec<Fault>,
    /// What would load and is hardly meant.
    pub lints: Vec<Fault>,
}

/// What makes two rules the same: name, kind and labels.
type Identity = (bool, String, BTreeMap<String, String>);

/// Checks files that are to be used together.
#[must_use]
pub fn check(files: &[Source]) -> Vec<Checked> {
    let mut seen = BTreeMap::new();
    files.iter().map(|file| one(file, &mut seen)).collect()
}

fn one(source: &Source, seen: &mut BTreeMap<Identity, Place>) -> Checked {
    let (groups, faults) = file::read_all(source);
    let mut lints = Vec::new();
    let (mut alerts, mut records) = (0, 0);
    for rule in groups.iter().flat_map(|group| &group.rules) {
        let mut lint = |message: String| {
            lints.push(Fault {
                place: rule.place.clone(),
                key: String::new(),
                message,
            });
        };
        let is_alert = rule.kind != RuleKind::Record;
        *(if is_alert { &mut alerts } else { &mut records }) += 1;
        let identity = (is_alert, rule.name.clone(), rule.labels.clone());
        if let Some(first) = seen.get(&identity) {
            lint(format!(
                "{} has the name and the labels of the rule at {first}",
                rule.name
            ));
        } else {
            seen.insert(identity, rule.place.clone());
        }
        if is_alert {
            alert(rule, lint);
        }
    }
    Checked {
        file: source.name.clone(),
        groups: groups.len(),
        alerts,
        records,
        faults,
        lints,
    }
}

fn alert(rule: &RuleSpec, mut lint: impl FnMut(String)) {
    if !rule.labels.contains_key("severity") {
        lint(format!(
            "{} has no label severity, so no route can tell how urgent it is",
            rule.name
        ));
    }
    for (name, value) in &rule.labels {
        if value.contains("$value") || value.contains(".Value") {
            lint(format!(
                "the label {name} of {} holds the value, so each new value is a new alert; annotations are the place for it",
                rule.name
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source {
            name: name.into(),
            text: text.into(),
        }
    }

    #[test]
    fn rules_are_counted_beside_faults() {
        let text = "groups:
- name: a
  rules:
  - {record: r, expr: up}
  - {record: s, expr: up +}
  - {alert: A, expr: up, labels: {severity: info}}
- name: a
";
        let checked = &check(&[source("r.yml", text)])[0];
        assert_eq!((checked.groups, checked.records, checked.alerts), (2, 1, 1));
        let places: Vec<String> = checked.faults.iter().map(|f| f.place.to_string()).collect();
        assert_eq!(places, ["r.yml:5:27", "r.yml:7:3"]);
        assert_eq!(checked.lints, []);
    }

    #[test]
    fn what_is_hardly_meant_is_told() {
        let one = source(
            "a.yml",
            "groups: [{name: g, rules: [{alert: A, expr: up, labels: {severity: info}}, {alert: B, expr: up}]}]",
        );
        let two = source(
            "b.yml",
            "groups: [{name: g, labels: {severity: info}, rules: [{alert: A, expr: up == 0},
             {alert: C, expr: up, labels: {v: '{{ $value }}'}}]}]",
        );
        let told: Vec<String> = check(&[one, two])
            .iter()
            .flat_map(|checked| &checked.lints)
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "a.yml:1:76: B has no label severity, so no route can tell how urgent it is",
                "b.yml:1:54: A has the name and the labels of the rule at a.yml:1:28",
                "b.yml:2:14: the label v of C holds the value, so each new value is a new alert; \
                 annotations are the place for it",
            ]
        );
    }
}
