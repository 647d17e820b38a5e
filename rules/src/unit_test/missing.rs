//! What becomes of the alerts of a test when the series of one name are missing.

use std::collections::BTreeSet;

use series::Store;

use super::Report;
use super::file::{Test, TestFile};
use super::run::{Play, engine};
use crate::{RuleKind, RuleSet, Site, Source};

/// Evaluated before a case is this, and twice the `for` of its rule.
const SPAN_MS: i64 = 2 * 3_600_000;

/// What each alert of the tests does, by name and severity, without the series of one
/// name that its rule reads: the names, and whether it fires all the same where it does
/// with them. Of its cases the first counts.
pub(super) fn without_each(file: &TestFile, rules: &[Source]) -> Vec<(String, String, bool)> {
    let named = |rules: &&Source| {
        let mut patterns = file.rule_files.iter();
        patterns.any(|(pattern, _)| rules.name.ends_with(&**pattern))
    };
    let rules: &[Source] = &rules.iter().filter(named).cloned().collect::<Vec<_>>();
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for test in &file.tests {
        for case in &test.alerts {
            for (labels, _) in &case.expected {
                let severity = labels["severity"].clone();
                if !seen.insert((case.name.clone(), severity.clone())) {
                    continue;
                }
                let fires = |without: &str| {
                    let mut set = RuleSet::load(rules, Site::default()).unwrap();
                    for group in &mut set.groups {
                        group.rules.retain(|rule| {
                            rule.spec.kind == RuleKind::Record || rule.spec.name == case.name
                        });
                    }
                    let all = set.groups.iter().flat_map(|group| &group.rules);
                    let longest = all.filter_map(|rule| match rule.spec.kind {
                        RuleKind::Alert { for_ms, .. } => Some(for_ms),
                        RuleKind::Record => None,
                    });
                    let span_ms = 2 * longest.max().unwrap_or_default() + SPAN_MS;
                    let mut report = Report::default();
                    let mut play = Play {
                        file,
                        test,
                        set,
                        store: Store::new(),
                        engine: engine(file.interval_ms),
                        report: &mut report,
                    };
                    play.fill(|labels| labels.get(exposition::NAME) != without);
                    play.evaluate_to(case.at_ms, span_ms);
                    let firing = play.firing(&case.name);
                    firing
                        .iter()
                        .any(|(labels, _)| labels["severity"] == severity)
                };
                let alert = format!("{} {severity}", case.name);
                assert!(fires(""), "{alert}");
                for name in read(rules, &case.name, &severity, test) {
                    let fires = fires(&name);
                    out.push((alert.clone(), name, fires));
                }
            }
        }
    }
    out
}

/// The names among the series of a test that a rule reads, perhaps by way of others.
fn read(rules: &[Source], alert: &str, severity: &str, test: &Test) -> Vec<String> {
    let set = RuleSet::load(rules, Site::default()).unwrap();
    let all = || set.groups.iter().flat_map(|group| &group.rules);
    let words = |text: &str| -> Vec<String> {
        let word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
        let words = text.split(|letter| !word(letter));
        words.map(str::to_owned).collect()
    };
    let is_it = |rule: &&crate::Rule| {
        rule.spec.name == alert
            && rule
                .spec
                .labels
                .get("severity")
                .is_some_and(|had| had == severity)
    };
    let mut found: Vec<String> = all()
        .filter(is_it)
        .flat_map(|rule| words(&rule.spec.text))
        .collect();
    let mut at = 0;
    while let Some(name) = found.get(at).cloned() {
        let records =
            all().filter(|rule| rule.spec.kind == RuleKind::Record && rule.spec.name == name);
        for more in records
            .flat_map(|rule| words(&rule.spec.text))
            .collect::<Vec<_>>()
        {
            if !found.contains(&more) {
                found.push(more);
            }
        }
        at += 1;
    }
    let there = test
        .series
        .iter()
        .map(|(labels, _)| labels.get(exposition::NAME));
    let mut there: Vec<String> = there.map(str::to_owned).collect();
    there.sort();
    there.dedup();
    there.retain(|name| found.contains(name));
    there
}
