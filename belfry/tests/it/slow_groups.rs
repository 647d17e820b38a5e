//! Groups of rules that take longer than their interval, beside one that does not.

use crate::setup::Setup;
use crate::support::alone::Alone;
use crate::support::belfry::{Belfry, Launch};
use crate::support::poll;
use crate::support::prometheus::escaped;
use crate::support::scratch::Scratch;

/// A million steps take longer than a hundredth of a second anywhere.
const RULES: &str = "groups:
- name: slow
  interval: 10ms
  rules:
  - record: slow:steps
    expr: count_over_time(vector(time())[12d:1s])
- name: quick
  interval: 1s
  rules:
  - record: quick:time
    expr: vector(time())
";

/// Evaluations that a group has missed, as Belfry itself tells.
fn missed(alone: &Alone, group: &str) -> f64 {
    let page = alone.get("/metrics").body;
    let series = format!("belfry_rule_group_missed_total{{group=\"{group}\"}} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&*series));
    let value = value.unwrap_or_else(|| panic!("no {series} in\n{page}"));
    value.parse().expect("a number")
}

#[test]
fn a_group_slower_than_its_interval_reports_what_it_misses_and_the_others_go_on() {
    let scratch = Scratch::new();
    let rules = scratch.file("groups.yml", RULES);
    let config = format!("rule_files: [{rules:?}]\n");
    let alone = Alone::start(scratch, &config, &[]);
    poll::holds("evaluations should be missed", || {
        missed(&alone, "slow") >= 5.0
    });
    // All that it does is right, only late.
    let steps = poll::until("it should be recorded", || alone.value("slow:steps"));
    assert_eq!(steps, "1036800");
    let time = || alone.value("quick:time")?.parse::<f64>().ok();
    let before = poll::until("the other group should begin", time);
    poll::holds("the other group should go on", || {
        time().is_some_and(|now| now >= before + 3.0)
    });
    for group in alone.data("/api/v1/rules")["groups"]
        .as_array()
        .expect("groups")
    {
        assert_eq!(group["rules"][0]["health"], "ok", "{group}");
    }
}

/// The median of each hour of a week, second by second: it takes longer than all that
/// a test here waits for.
const ENDLESS: &str = "groups:
- name: slow
  interval: 1s
  rules:
  - record: slow:median
    expr: count_over_time(quantile_over_time(0.5, vector(time())[1h:1s])[7d:1s])
- name: quick
  interval: 10s
  rules:
  - record: quick:time
    expr: vector(time())
";

/// Waits for two more evaluations of the quick group: each has ten seconds before one
/// counts as missed, also on a machine that stands still meanwhile.
fn goes_on(value: impl Fn(&str) -> Option<f64>) {
    let time = || value("quick:time");
    let before = poll::until("the quick group should begin", time);
    poll::holds("the quick group should go on", || {
        time().is_some_and(|now| now >= before + 20.0)
    });
}

/// The rules among what Belfry depends on, as `/health/ready` shows them.
fn readiness(belfry: &Belfry) -> serde_json::Value {
    let ready = belfry.get("/health/ready").json();
    let all = ready["dependencies"].as_array().expect("a list");
    let rules = all.iter().find(|one| one["name"] == "rules");
    rules.expect("the rules").clone()
}

/// Whether that names the slow group, and no other.
fn names_the_slow_one(rules: &serde_json::Value) -> bool {
    let reason = rules["reason"].as_str().expect("a text");
    reason.contains("the group slow in ") && !reason.contains("quick")
}

/// Whether a page of Belfry's own figures says that the slow group was never done, and
/// that the quick one has missed nothing.
fn only_the_slow_one_waits(page: &str) {
    let done = "belfry_rule_group_last_evaluation_timestamp_seconds{group=\"quick\"}";
    assert!(page.contains(done), "{page}");
    assert!(!page.contains(&done.replace("quick", "slow")), "{page}");
    let missed = "belfry_rule_group_missed_total{group=\"quick\"} 0\n";
    assert!(page.contains(missed), "{page}");
}

#[test]
fn a_group_beside_one_that_does_not_end_misses_nothing() {
    let scratch = Scratch::new();
    let rules = scratch.file("groups.yml", ENDLESS);
    let config = format!("rule_files: [{rules:?}]\n");
    let alone = Alone::start(scratch, &config, &["--query.timeout=1h"]);
    goes_on(|expr| alone.value(expr)?.parse().ok());
    only_the_slow_one_waits(&alone.get("/metrics").body);
}

#[test]
fn the_watch_goes_on_beside_a_group_that_does_not_end() {
    let scratch = Scratch::new();
    let rules = scratch.file("groups.yml", ENDLESS);
    let setup = Setup::new().part(&format!("rules: {{files: [{rules:?}]}}"));
    let belfry = Launch::with(&setup.config()).start();
    let value = |expr: &str| {
        let path = format!("/api/v1/query?query={}", escaped(expr));
        let answer = belfry.get(&path).json();
        let value = &answer["data"]["result"][0]["value"][1];
        value.as_str()?.parse().ok()
    };
    goes_on(value);
    // And the shipped rule tells of it, before it has come to any end.
    let told = "ALERTS{alertname=\"BelfryEvaluationsMissed\", alertstate=\"firing\"}";
    poll::holds("it should be told", || value(told) == Some(1.0));
    only_the_slow_one_waits(&belfry.get("/metrics").body);
    // Who asks for readiness is told which it is; all else is well.
    poll::holds("it should be named", || {
        let rules = readiness(&belfry);
        rules["status"] == "ok" && names_the_slow_one(&rules)
    });
    let text = belfry.get("/health/ready?format=text").body;
    assert!(text.contains("the group slow in "), "{text}");
}

#[test]
fn a_watch_of_which_no_group_ends_is_neither_live_nor_ready_and_says_why() {
    let slow = ENDLESS.split("- name: quick").next().expect("a group");
    let scratch = Scratch::new();
    let rules = scratch.file("groups.yml", slow);
    let setup = Setup::new().part(&format!("rules: {{pack: false, files: [{rules:?}]}}"));
    let belfry = Launch::with(&setup.config()).start();
    poll::holds("it should stand still, and tell why", || {
        let rules = readiness(&belfry);
        rules["status"] == "failing"
            && names_the_slow_one(&rules)
            && belfry.get("/health/ready").status == 503
            && belfry.get("/health/live").status == 503
    });
}
