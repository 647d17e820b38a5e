use super::*;
use crate::{Config, Mail};

fn set(pairs: &str) -> Pairs {
    let set = pairs
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    Pairs::from(&set)
}

fn plan(yaml: &str) -> Plan {
    let config: Config = settings::read("a.yml".as_ref(), yaml, &|_| None).unwrap();
    crate::plan(&config, &Mail::default()).unwrap()
}

#[test]
fn labels_of_routes_have_legal_names_and_sound_templates() {
    let yaml =
        "{route: {receiver: a, labels: {a-b: x, c: '{{ .Nope', d: y}}, receivers: [{name: a}]}";
    let config: Config = settings::read("a.yml".as_ref(), yaml, &|_| None).unwrap();
    let problems = crate::plan(&config, &Mail::default()).unwrap_err();
    let keys: Vec<_> = problems.iter().map(|it| &*it.key).collect();
    assert_eq!(
        keys,
        ["alerter.route.labels[a-b]", "alerter.route.labels[c]"]
    );
    assert_eq!(
        problems[0].message,
        "invalid label name \"a-b\" in route labels"
    );
}

const TREE: &str = r#"
route:
  receiver: root
  group_by: [alertname]
  routes:
    - matchers: ['team=~"db|web"', severity=critical]
      receiver: pager
      continue: true
    - match: {team: db}
      receiver: db
      group_by: ['...']
      routes:
        - match_re: {disk: sd.}
          receiver: disk
          continue: true
        - match: {disk: sda}
          receiver: sda
          group_by: []
        - match: {disk: sdb}
    - match: {team: web}
      receiver: web
receivers: [{name: root}, {name: pager}, {name: db}, {name: disk}, {name: sda}, {name: web}]
"#;

#[test]
fn alerts_take_the_deepest_routes_that_match() {
    let plan = plan(TREE);
    for (labels, receivers) in [
        ("alertname=x", "root"),
        ("team=db", "db"),
        ("team=db severity=critical", "pager db"),
        ("team=db disk=nvme", "db"),
        ("team=db disk=sda", "disk sda"),
        ("team=db disk=sdb", "disk db"),
        ("team=db disk=sdc", "disk"),
        ("team=web severity=warning", "web"),
        ("team=mail severity=critical", "root"),
    ] {
        let found: Vec<&str> = plan
            .routes_of(&set(labels))
            .into_iter()
            .map(|route| &*plan.receiver_of(route).name)
            .collect();
        assert_eq!(found.join(" "), receivers, "{labels}");
    }
}

#[test]
fn a_parent_is_silent_even_if_the_child_that_matched_continues() {
    let plan = plan(
        "{route: {receiver: a, routes: [{matchers: [x=1], receiver: b, continue: true}]}, \
         receivers: [{name: a}, {name: b}]}",
    );
    assert_eq!(plan.routes_of(&set("x=1")), [1]);
    assert_eq!(plan.routes_of(&set("x=2")), [0]);
}

#[test]
fn group_keys_are_alertmanagers() {
    let plan = plan(TREE);
    for (labels, keys) in [
        ("alertname=x job=j", vec![r#"{}:{alertname="x"}"#]),
        ("job=j", vec!["{}:{}"]),
        (
            "alertname=x team=db severity=critical",
            vec![
                r#"{}/{severity="critical",team=~"db|web"}:{alertname="x"}"#,
                r#"{}/{team="db"}:{alertname="x", severity="critical", team="db"}"#,
            ],
        ),
        (
            "team=db disk=sda",
            vec![
                r#"{}/{team="db"}/{disk=~"^(?:sd.)$"}:{disk="sda", team="db"}"#,
                r#"{}/{team="db"}/{disk="sda"}:{}"#,
            ],
        ),
    ] {
        let labels = set(labels);
        let found: Vec<String> = plan
            .routes_of(&labels)
            .into_iter()
            .map(|route| {
                let route = &plan.routes[route];
                route.group_key(&route.group_labels(&labels))
            })
            .collect();
        assert_eq!(found, keys);
    }
}

#[test]
fn timers_are_inherited_and_matchers_are_not() {
    let plan = plan(
        "{route: {receiver: a, group_wait: 1s, repeat_interval: 1h, routes: [\
           {matchers: [x=1], group_interval: 2m, routes: [{matchers: [y=1], repeat_interval: 2h}]}]}, \
         receivers: [{name: a}]}",
    );
    let times = |route: usize| {
        let route = &plan.routes[route];
        (
            route.group_wait_ms,
            route.group_interval_ms,
            route.repeat_interval_ms,
        )
    };
    assert_eq!(times(0), (1_000, 300_000, 3_600_000));
    assert_eq!(times(1), (1_000, 120_000, 3_600_000));
    assert_eq!(times(2), (1_000, 120_000, 7_200_000));
    assert_eq!(plan.routes[2].matchers.len(), 1);
}

#[test]
fn sisters_with_the_same_matchers_are_told_apart_but_share_keys() {
    let plan = plan(
        "{route: {receiver: a, routes: [{matchers: [x=1], continue: true}, {matchers: [x=1]}]}, \
         receivers: [{name: a}]}",
    );
    assert_eq!(plan.routes_of(&set("x=1")), [1, 2]);
    assert_ne!(plan.routes[1].id, plan.routes[2].id);
    assert_eq!(plan.routes[1].key, plan.routes[2].key);
}
