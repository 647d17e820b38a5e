//! Groups of rules that take longer than their interval, beside one that does not.

use crate::support::alone::Alone;
use crate::support::poll;
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
