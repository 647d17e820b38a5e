use std::process::Command;

use super::*;

const RULES: &str = "
groups:
- name: second
  rules:
  - {record: 'double', expr: '2 * single'}
- name: first
  rules:
  - {record: 'single', expr: 'x + 1'}
  - alert: High
    expr: x > 5
    for: 2m
    labels: {where: '{{ $externalLabels.zone }}'}
    annotations: {summary: 'x is {{ $value }} at {{ $externalURL }}'}
";

const TEST: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 1m
group_eval_order: [first, second]
tests:
  - name: all
    interval: 1m
    external_labels: {zone: eu}
    external_url: http://b.example
    input_series:
      - series: 'x{host="a"}'
        values: '0+2x5 _x2 stale'
    alert_rule_test:
      - eval_time: 4m
        alertname: High
        exp_alerts: []
      - eval_time: 5m
        alertname: High
        exp_alerts:
          - exp_labels: {host: a, where: eu}
            exp_annotations: {summary: x is 10 at http://b.example}
      - eval_time: 8m
        alertname: High
    promql_expr_test:
      - expr: double
        eval_time: 3m
        exp_samples:
          - labels: 'double{host="a"}'
            value: 14
      - expr: count(ALERTS{alertstate="pending"})
        eval_time: 4m
        exp_samples:
          - labels: '{}'
            value: 1
      - expr: x
        eval_time: 8m
"#;

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.into(),
        text: text.into(),
    }
}

fn ours(test: &str) -> Result<Report, Vec<Fault>> {
    run(&source("t.yml", test), |_| {
        Ok(vec![source("rules.yml", RULES)])
    })
}

/// Whether promtool passes the same test.
fn promtools(test: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yml"), RULES).unwrap();
    std::fs::write(folder.path().join("t.yml"), test).unwrap();
    Command::new("promtool")
        .args(["test", "rules", "t.yml"])
        .current_dir(folder.path())
        .output()
        .expect("promtool is missing: apt-get install -y prometheus")
        .status
        .success()
}

#[test]
fn a_right_test_passes() {
    let report = ours(TEST).unwrap();
    assert_eq!(report.failures, []);
    assert_eq!(report.checked, 6);
    assert!(promtools(TEST));
}

#[test]
fn each_wrong_test_fails_here_and_under_promtool() {
    for (right, wrong, says) in [
        (
            "eval_time: 4m\n        alertname",
            "eval_time: 5m\n        alertname",
            "firing",
        ),
        (
            "eval_time: 5m\n        alertname",
            "eval_time: 4m\n        alertname",
            "nothing fires",
        ),
        ("host: a, where", "host: b, where", "expected"),
        ("where: eu", "where: us", "expected"),
        ("x is 10 at", "x is 11 at", "expected"),
        ("zone: eu", "zone: us", "expected"),
        ("url: http://b", "url: http://c", "expected"),
        ("value: 14", "value: 15", "got      double{host=\"a\"} 14"),
        ("'double{host=\"a\"}'", "'double{host=\"b\"}'", "got"),
        (
            "eval_order: [first, second]",
            "eval_order: [second, first]",
            "got",
        ),
        ("'0+2x5", "'0+3x5", "expected"),
        (
            "interval: 1m\n    external",
            "interval: 2m\n    external",
            "nothing fires",
        ),
        ("_x2 stale", "_x2", "x at 8m"),
    ] {
        let test = TEST.replacen(right, wrong, 1);
        assert_ne!(test, TEST, "{right} is not in the test");
        let report = ours(&test).unwrap();
        let told = report
            .failures
            .iter()
            .map(|failure| failure.message.as_str());
        let told = told.collect::<Vec<_>>().join("\n");
        assert!(told.contains(says), "{wrong}: {told}");
        assert!(!promtools(&test), "promtool takes {wrong}");
    }
}

#[test]
fn a_rule_that_cannot_be_evaluated_fails_the_test_once() {
    let rules = "groups: [{name: g, rules: [{alert: A, expr: 'x * on () y'}]}]";
    let test = "
tests:
  - input_series:
      - {series: 'x', values: '1x9'}
      - {series: 'y{a=\"1\"}', values: '1x9'}
      - {series: 'y{a=\"2\"}', values: '1x9'}
    alert_rule_test: [{eval_time: 5m, alertname: A}]
rule_files: [rules.yml]
";
    let report = run(&source("t.yml", test), |_| {
        Ok(vec![source("rules.yml", rules)])
    })
    .unwrap();
    assert_eq!(report.failures.len(), 1);
    assert!(
        report.failures[0]
            .message
            .starts_with("rule A failed at 0s")
    );
}

#[test]
fn faults_of_a_test_file_are_told_with_their_place() {
    for (test, says) in [
        ("testz: []", "t.yml:1:1: a test file has no field \"testz\""),
        (
            "tests: [{input_series: [{series: 'a{', values: '1'}]}]",
            "no closing brace",
        ),
        (
            "tests: [{input_series: [{series: a, values: '1y'}]}]",
            "bad values at \"1y\"",
        ),
        (
            "tests: [{alert_rule_test: [{eval_time: 1m}]}]",
            "an alert test needs an alertname",
        ),
        (
            "tests: [{promql_expr_test: [{exp_samples: [{value: z}]}]}]",
            "not a number",
        ),
        ("tests: [{start_timestamp: soon}]", "not a time"),
        ("evaluation_interval: 1", "not a duration"),
    ] {
        let faults = ours(test).unwrap_err();
        assert!(faults[0].to_string().contains(says), "{faults:?}");
    }
    let missing = run(&source("t.yml", "rule_files: [x.yml]"), |_| {
        Err("no such file".into())
    });
    assert_eq!(
        missing.unwrap_err()[0].to_string(),
        "t.yml:1:14: rule_files: no such file"
    );
}

#[test]
fn a_test_may_start_at_any_time() {
    let test = "
tests:
  - start_timestamp: 2026-01-02T03:04:00Z
    interval: 1m
    input_series: [{series: a, values: '1x2'}]
    promql_expr_test:
      - {expr: 'time() - 1767323040', eval_time: 2m, exp_samples: [{labels: '{}', value: 120}]}
      - {expr: 'a', eval_time: 2m, exp_samples: [{labels: 'a', value: 1}]}
";
    assert_eq!(ours(test).unwrap().failures, []);
}
