use super::*;

fn source(text: &str) -> Source {
    Source {
        name: "r.yml".into(),
        text: text.into(),
    }
}

fn faults(text: &str) -> Vec<String> {
    match read(&[source(text)]) {
        Ok(_) => vec![],
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// One rule inside of a group, indented as needed.
fn rule(lines: &[&str]) -> String {
    let mut text = String::from("groups:\n- name: g\n  rules:\n");
    for (at, line) in lines.iter().enumerate() {
        text.push_str(if at == 0 { "  - " } else { "    " });
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[test]
fn a_whole_file_is_read() {
    let groups = read(&[source(
        "groups:
- name: one
  interval: 30s
  query_offset: 1m
  limit: 10
  labels: {team: ops, severity: low}
  rules:
  - record: a:b
    expr: sum(a)
  - alert: Down
    expr: |
      up == 0
        or absent(up)
    for: 5m
    keep_firing_for: 1h30m
    labels: {severity: high, host: '{{ $labels.instance }}'}
    annotations:
      summary: it is {{ $value }}
- name: two
",
    )])
    .unwrap();
    let (one, two) = (&groups[0], &groups[1]);
    assert_eq!(
        (one.interval_ms, one.query_offset_ms, one.limit),
        (Some(30_000), 60_000, 10)
    );
    assert_eq!((two.interval_ms, two.rules.len()), (None, 0));
    assert_eq!(one.rules[0].kind, RuleKind::Record);
    assert_eq!(one.rules[0].labels["team"], "ops");
    let down = &one.rules[1];
    assert_eq!(down.text, "up == 0\n  or absent(up)");
    assert_eq!(down.place.to_string(), "r.yml:10:5");
    assert_eq!(down.labels["severity"], "high");
    assert_eq!(down.labels["team"], "ops");
    let RuleKind::Alert {
        for_ms,
        keep_firing_ms,
        annotations,
    } = &down.kind
    else {
        panic!("not an alert")
    };
    assert_eq!((*for_ms, *keep_firing_ms), (300_000, 5_400_000));
    assert_eq!(annotations["summary"], "it is {{ $value }}");
}

#[test]
fn nothing_is_a_file_without_rules() {
    for text in ["", "# only a remark", "groups:", "groups: []"] {
        assert!(read(&[source(text)]).unwrap().is_empty());
    }
}

#[test]
fn each_fault_is_told_with_its_place() {
    for (text, expected) in [
        (
            "groups: 1".into(),
            "r.yml:1:9: groups must be a list, not a text",
        ),
        (
            "rules: []".into(),
            "r.yml:1:1: a rule file has no field \"rules\"; it may have groups",
        ),
        (
            "groups: [{rules: []}]".into(),
            "r.yml:1:10: a group needs a name",
        ),
        (
            "groups: [{name: ''}]".into(),
            "r.yml:1:10: a group needs a name",
        ),
        (
            "groups: [{name: a}, {name: a}]".into(),
            "r.yml:1:21: the group name \"a\" stands twice in this file",
        ),
        (
            "groups: [{name: a, interval: 1x}]".into(),
            "r.yml:1:30: interval is not a duration: \"1x\"; write 30s, 5m or 1h30m",
        ),
        (
            "groups: [{name: a, query_offset: 101y}]".into(),
            "r.yml:1:34: query_offset is not a duration: \"101y\"; write 30s, 5m or 1h30m",
        ),
        (
            "groups: [{name: a, limit: -1}]".into(),
            "r.yml:1:27: limit is not a whole number: \"-1\"",
        ),
        (
            rule(&["expr: up"]),
            "r.yml:4:5: a rule needs a record or an alert name",
        ),
        (
            rule(&["alert: A", "record: b", "expr: up"]),
            "r.yml:4:5: a rule is either a record or an alert, not both",
        ),
        (rule(&["alert: A"]), "r.yml:4:5: a rule needs an expr"),
        (
            rule(&["alert: A", "expr: ''"]),
            "r.yml:4:5: a rule needs an expr",
        ),
        (
            rule(&["record: a", "expr: up", "for: 5m"]),
            "r.yml:6:10: for has no meaning in a recording rule",
        ),
        (
            rule(&["record: a", "expr: up", "annotations: {a: b}"]),
            "r.yml:6:18: annotations has no meaning in a recording rule",
        ),
        (
            rule(&["record: 'a{b=\"c\"}'", "expr: up"]),
            "r.yml:4:13: braces in a record name: \"a{b=\\\"c\\\"}\"; labels belong under labels",
        ),
        (
            rule(&["alert: A", "expr: up", "labels: {__name__: b}"]),
            "r.yml:6:24: __name__ cannot be set as a label",
        ),
        (
            rule(&["alert: A", "expr: up", "severity: b"]),
            "r.yml:6:5: a rule has no field \"severity\"; it may have record, alert, expr, for, \
             keep_firing_for, labels, annotations",
        ),
        (
            rule(&["alert: A", "expr: up", "annotations: [a]"]),
            "r.yml:6:18: annotations must be a mapping, not a list",
        ),
    ] {
        assert_eq!(faults(&text), [expected], "{text}");
    }
}

#[test]
fn errors_in_expressions_and_templates_are_found_at_load() {
    let found = faults(&rule(&[
        "alert: A",
        "expr: sum(up",
        "annotations: {a: '{{ nothing }}'}",
    ]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("r.yml:5:") && found[0].contains("bad expr"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("r.yml:6:22: bad template"),
        "{found:?}"
    );
    // A column inside of the expression, not its beginning.
    let found = faults(&rule(&["alert: A", "expr: sum(up) + ) "]));
    assert!(found[0].starts_with("r.yml:5:21: "), "{found:?}");
    // A recorded series has plain labels, so braces in them are just braces.
    assert_eq!(
        faults(&rule(&[
            "record: a",
            "expr: up",
            "labels: {a: '{{ nothing }}'}"
        ])),
        [""; 0]
    );
    // A range loads; only its evaluation fails.
    assert_eq!(faults(&rule(&["alert: A", "expr: 'up[5m]'"])), [""; 0]);
}

#[test]
fn the_faults_of_all_files_are_told_together() {
    let files = [
        source("groups: [{name: ''}]"),
        Source {
            name: "other.yml".into(),
            text: "groups: [\n".into(),
        },
        source("groups: [{name: good}]"),
    ];
    let found = read(&files).unwrap_err();
    let places: Vec<String> = found.iter().map(|fault| fault.place.to_string()).collect();
    assert_eq!(places.len(), 2);
    assert_eq!(places[0], "r.yml:1:10");
    assert!(places[1].starts_with("other.yml:"), "{places:?}");
}

#[test]
fn a_fault_inside_of_an_expression_is_pointed_at_however_it_is_spelled() {
    for (lines, place) in [
        (
            &["alert: A", "expr: |", "  sum(up)", "    + )"][..],
            "r.yml:7:11",
        ),
        (&["alert: A", "expr: >-", "  sum(up)", "  + )"], "r.yml:7:9"),
        (&["alert: A", "expr: 'a{b=''c''} + )'"], "r.yml:5:25"),
        (&["alert: A", "expr: \"a{b=\\\"c\\\"} + )\""], "r.yml:5:25"),
        (&["alert: A", "expr: sum(up)", "  + )"], "r.yml:6:9"),
    ] {
        let found = faults(&rule(lines));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("{place}: bad expr")),
            "{found:?}"
        );
    }
}
