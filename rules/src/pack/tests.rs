use std::collections::BTreeSet;
use std::process::Command;

use super::*;
use crate::file::{RuleKind, RuleSpec, read};
use crate::unit_test;
use crate::{RUNBOOK_PATH, RUNBOOKS, Runbooks, Source};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pack");

fn folder(suffix: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(suffix))
        .collect();
    names.sort();
    names
}

/// The unit tests of the pack, by name.
pub(crate) fn test_files() -> Vec<String> {
    folder(".test.yml")
}

fn text(name: &str) -> Source {
    Source {
        name: name.into(),
        text: std::fs::read_to_string(format!("{FOLDER}/{name}")).unwrap(),
    }
}

#[test]
fn the_table_is_the_folder() {
    let mut files = folder(".yml");
    files.retain(|name| !name.ends_with(".test.yml"));
    assert_eq!(files, FILES.map(|(name, _)| name));
}

#[test]
fn every_rule_says_what_a_page_needs() {
    for group in read(&sources()).unwrap() {
        for rule in &group.rules {
            let RuleKind::Alert { annotations, .. } = &rule.kind else {
                assert!(rule.name.starts_with("belfry:"), "{}", rule.name);
                continue;
            };
            let severity = rule.labels["severity"].as_str();
            assert!(
                ["critical", "warning", "info"].contains(&severity)
                    || (severity == "none" && rule.name == "Watchdog"),
                "{}",
                rule.name
            );
            assert!(rule.labels.contains_key("component"), "{}", rule.name);
            let names: Vec<&str> = annotations.keys().map(String::as_str).collect();
            assert_eq!(
                names,
                ["description", "impact", "runbook_url", "summary"],
                "{}",
                rule.name
            );
            assert!(annotations["summary"].len() < 240, "{}", rule.name);
        }
    }
}

#[test]
fn every_runbook_link_is_alive_and_every_runbook_is_linked() {
    let groups = read(&sources()).unwrap();
    let shelf = Runbooks::default();
    let mut named = BTreeSet::new();
    for rule in groups.iter().flat_map(|group| &group.rules) {
        let RuleKind::Alert { annotations, .. } = &rule.kind else {
            continue;
        };
        let url = &annotations["runbook_url"];
        let name = url.strip_prefix(RUNBOOK_PATH).expect(url);
        let book = shelf.get(name).expect(url);
        let listed = book.alerts().contains(&rule.name.as_str());
        assert!(listed, "{name} does not name {}", rule.name);
        named.insert(name.to_owned());
    }
    assert!(
        named
            .iter()
            .map(String::as_str)
            .eq(RUNBOOKS.map(|(name, _)| name))
    );
    // And no runbook speaks of an alert that is no more.
    for (name, book) in shelf.iter() {
        for alert in book.alerts() {
            let mut rules = groups.iter().flat_map(|group| &group.rules);
            assert!(rules.any(|rule| rule.name == alert), "{name} names {alert}");
        }
    }
}

#[test]
fn every_rule_fires_ends_and_is_quiet_in_a_test_and_every_test_passes() {
    let mut fired = BTreeSet::new();
    let mut ended = BTreeSet::new();
    let mut quiet = BTreeSet::new();
    for name in test_files() {
        let file = text(&name);
        for test in unit_test::asked(&file) {
            let mut on = BTreeSet::new();
            for (alert, severities) in test {
                if severities.is_empty() {
                    quiet.insert(alert.clone());
                }
                let over = |(name, severity): &&(String, String)| {
                    *name == alert && !severities.contains(severity)
                };
                ended.extend(on.iter().filter(over).cloned());
                let each = severities.iter();
                on.extend(each.map(|severity| (alert.clone(), severity.clone())));
            }
            fired.append(&mut on);
        }
        let report = unit_test::run(&file, |pattern| Ok(vec![text(pattern)])).unwrap();
        let failures: Vec<String> = report
            .failures
            .iter()
            .map(|failure| format!("{} {}: {}", failure.place, failure.test, failure.message))
            .collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        assert!(report.checked > 0, "{name}");
    }
    for group in read(&sources()).unwrap() {
        let alerts = |rule: &RuleSpec| rule.kind != RuleKind::Record;
        for rule in group.rules.into_iter().filter(alerts) {
            let (name, severity) = (rule.name, rule.labels["severity"].clone());
            // It always fires; that is what it is for.
            let never_quiet = name == "Watchdog";
            assert!(
                never_quiet || quiet.contains(&name),
                "{name} is never quiet"
            );
            let level = (name, severity);
            assert!(fired.contains(&level), "{level:?} never fires in a test");
            let ends = never_quiet || ended.contains(&level);
            assert!(ends, "{level:?} never ends in the test that it fires in");
        }
    }
}

/// Alerts that fire although series of this name, which their rules read, are missing: they
/// tell of just that, or the series would only have kept them quiet or said more.
const WITHOUT: &[(&str, &str)] = &[
    ("BelfryCanaryMissing critical", "belfry_canary_age_seconds"),
    (
        "BelfryCanaryMissing critical",
        "belfry_canary_interval_seconds",
    ),
    (
        "BelfrySeriesNotKept warning",
        "belfry_series_archive_failing",
    ),
    (
        "BelfrySeriesNotKept warning",
        "belfry_series_rollup_failing",
    ),
    ("BelfrySeriesNotKept warning", "belfry_series_write_failing"),
    ("CeleryQueueStuck critical", "celery_task_started_total"),
    ("CeleryQueueStuck warning", "celery_task_started_total"),
    ("CeleryTasksFail warning", "celery_task_succeeded_total"),
    ("CeleryWorkerHangs warning", "celery_task_succeeded_total"),
    (
        "ContainerFailed warning",
        "belfry_container_restart_policy_info",
    ),
    ("NoTargets critical", "up"),
    ("ProbeFailed critical", "belfry_probe_up"),
    ("ProbeFailed critical", "probe_success"),
    ("ProbeFailed warning", "belfry_probe_up"),
    ("ProbeFailed warning", "probe_success"),
    ("ServiceNotReady warning", "belfry_service_not_ready_info"),
    ("SiteDownOutside critical", "belfry_probe_up"),
];

#[test]
fn a_rule_whose_series_are_missing_is_quiet_unless_that_is_what_it_tells() {
    let rules = sources();
    let mut tried = BTreeSet::new();
    let mut fires = BTreeSet::new();
    for name in test_files() {
        for (alert, series, all_the_same) in unit_test::without_each(&text(&name), &rules) {
            if all_the_same {
                fires.insert((alert.clone(), series));
            }
            tried.insert(alert);
        }
    }
    let fires: Vec<_> = fires
        .iter()
        .map(|(alert, name)| (&**alert, &**name))
        .collect();
    assert_eq!(fires, WITHOUT);
    for rule in read(&rules).unwrap().iter().flat_map(|group| &group.rules) {
        let alert = format!(
            "{} {}",
            rule.name,
            rule.labels.get("severity").map_or("", String::as_str)
        );
        let known = rule.kind == RuleKind::Record || rule.name == "Watchdog";
        assert!(
            known || tried.contains(&alert),
            "{alert} reads no series in a test"
        );
    }
}

#[test]
fn promtool_agrees_with_every_test() {
    let run = |arguments: &[&str]| {
        let output = Command::new("promtool")
            .current_dir(FOLDER)
            .args(arguments)
            .output()
            .expect("promtool is missing: apt-get install -y prometheus");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let mut check = vec!["check", "rules"];
    check.extend(FILES.map(|(name, _)| name));
    run(&check);
    let tests = test_files();
    let mut test = vec!["test", "rules"];
    test.extend(tests.iter().map(String::as_str));
    run(&test);
}

#[test]
fn every_inhibition_speaks_of_alerts_and_labels_that_exist() {
    let groups = read(&sources()).unwrap();
    let names: Vec<&str> = groups
        .iter()
        .flat_map(|group| &group.rules)
        .map(|rule| rule.name.as_str())
        .collect();
    let mut seen = 0;
    for part in INHIBIT_RULES.split("alertname").skip(1) {
        let Some((_, quoted)) = part.split_once('"').filter(|_| part.starts_with('=')) else {
            continue;
        };
        for name in quoted.split('"').next().unwrap().split('|') {
            assert!(names.contains(&name), "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 15);
    let settings::Kind::List(rules) = settings::parse("pack.yml", INHIBIT_RULES).unwrap().kind
    else {
        panic!("not a list")
    };
    for rule in rules {
        let settings::Kind::Map(fields) = rule.kind else {
            panic!("not a mapping")
        };
        let keys: Vec<&str> = fields.iter().map(|(name, _)| name.text.as_str()).collect();
        assert_eq!(
            keys,
            ["name", "source_matchers", "target_matchers", "equal"]
        );
    }
}
