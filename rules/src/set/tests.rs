mod reload;

use exposition::{NAME, is_stale};
use promql::Engine;
use series::{Matcher, Op};

use super::*;
use crate::Health;

const STEP: i64 = 15_000;

pub(crate) fn load(rules: &str) -> RuleSet {
    let source = Source {
        name: "r.yml".into(),
        text: rules.into(),
    };
    RuleSet::load(&[source], Site::default()).unwrap()
}

/// A store that is told what is there, and rules that are asked.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            store: Store::new(),
            engine: Engine::default(),
        }
    }

    pub(crate) fn put(&self, name: &str, host: &str, time_ms: i64, value: f64) {
        let labels = Labels::from_pairs([(NAME, name), ("host", host)]);
        self.store.append(&labels, time_ms, value).unwrap();
    }

    pub(crate) fn evaluate(&self, set: &mut RuleSet, time_ms: i64) -> Vec<alert::Alert> {
        (0..set.groups().len())
            .flat_map(|group| set.evaluate(group, time_ms, &self.store, &self.engine))
            .collect()
    }

    /// What was stored under a name for exactly this time.
    fn stored(&self, name: &str, time_ms: i64) -> Vec<String> {
        let matcher = [Matcher::new(NAME, Op::Equal, name).unwrap()];
        let series = self.store.select(&matcher, time_ms, time_ms);
        let show = |value: f64| {
            if is_stale(value) {
                "stale".into()
            } else {
                value.to_string()
            }
        };
        series
            .iter()
            .map(|series| format!("{} {}", series.labels, show(series.samples[0].1)))
            .collect()
    }
}

const DOWN: &str = "
groups:
- name: g
  rules:
  - {alert: Down, expr: 'up == 0', for: 30s, labels: {severity: high}, annotations: {summary: '{{ $labels.host }} {{ $value }}'}}
";

#[test]
fn an_alert_is_told_when_it_fires_and_when_it_ends() {
    let (bench, mut set) = (Bench::new(), load(DOWN));
    let mut told = Vec::new();
    for (at, value) in [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0].into_iter().enumerate() {
        let now_ms = i64::try_from(at).unwrap() * STEP;
        bench.put("up", "a", now_ms, value);
        for alert in bench.evaluate(&mut set, now_ms) {
            told.push((now_ms, alert));
        }
    }
    assert_eq!(told.len(), 2);
    let (at, fired) = &told[0];
    assert_eq!((*at, fired.starts_at), (3 * STEP, Some(3 * STEP)));
    assert_eq!(fired.ends_at, Some(3 * STEP + 240_000));
    assert_eq!(fired.labels["alertname"], "Down");
    assert_eq!(fired.labels["severity"], "high");
    assert!(!fired.labels.contains_key("__name__"));
    assert_eq!(fired.annotations["summary"], "a 0");
    assert_eq!(fired.annotations["value"], "0");
    assert_eq!(fired.generator_url, "/graph?g0.expr=up+%3D%3D+0&g0.tab=1");
    let (at, ended) = &told[1];
    assert_eq!((*at, ended.ends_at), (5 * STEP, Some(5 * STEP)));
    assert_eq!(
        bench.stored("ALERTS", 3 * STEP),
        [
            r#"ALERTS{alertname="Down", alertstate="firing", host="a", severity="high"} 1"#,
            r#"ALERTS{alertname="Down", alertstate="pending", host="a", severity="high"} stale"#,
        ]
    );
    assert_eq!(
        bench.stored("ALERTS_FOR_STATE", 5 * STEP),
        [r#"ALERTS_FOR_STATE{alertname="Down", host="a", severity="high"} stale"#]
    );
    assert_eq!(bench.stored("ALERTS", 6 * STEP), [""; 0]);
}

#[test]
fn a_rule_sees_what_an_earlier_one_of_its_group_recorded() {
    let (bench, mut set) = (
        Bench::new(),
        load(
            "
groups:
- name: g
  rules:
  - {record: 'up:sum', expr: 'sum by (host) (up)', labels: {kind: sum}}
  - {alert: Sum, expr: 'up:sum > 2'}
",
        ),
    );
    bench.put("up", "a", 0, 3.0);
    assert_eq!(bench.evaluate(&mut set, 0).len(), 1);
    assert_eq!(
        bench.stored("up:sum", 0),
        [r#"up:sum{host="a", kind="sum"} 3"#]
    );
    bench.put("up", "a", STEP, exposition::stale());
    bench.evaluate(&mut set, STEP);
    assert_eq!(
        bench.stored("up:sum", STEP),
        [r#"up:sum{host="a", kind="sum"} stale"#]
    );
}

#[test]
fn a_rule_that_fails_keeps_its_alerts_and_does_not_stop_the_others() {
    let (bench, mut set) = (
        Bench::new(),
        load(
            "
groups:
- name: g
  rules:
  - {alert: Bad, expr: 'a * on (host) b'}
  - {alert: Good, expr: 'a > 0'}
",
        ),
    );
    bench.put("a", "x", 0, 1.0);
    bench.put("b", "x", 0, 1.0);
    assert_eq!(bench.evaluate(&mut set, 0).len(), 2);
    let twin = Labels::from_pairs([(NAME, "b"), ("host", "x"), ("twin", "1")]);
    bench.store.append(&twin, STEP, 1.0).unwrap();
    assert_eq!(bench.evaluate(&mut set, STEP), []);
    let [bad, good] = &set.groups()[0].rules[..] else {
        panic!("two rules")
    };
    assert_eq!((bad.health, good.health), (Health::Bad, Health::Good));
    assert!(
        bad.last_error.as_ref().unwrap().contains("duplicate"),
        "{bad:?}"
    );
    assert_eq!(bad.active().count(), 1);
    let mut page = exposition::Writer::new();
    set.write_figures(STEP, &mut page);
    let page = page.finish();
    assert!(
        page.contains("belfry_rule_failing{group=\"g\",rule=\"Bad\"} 1"),
        "{page}"
    );
    assert!(page.contains("belfry_alerts{state=\"firing\"} 2"), "{page}");
}

#[test]
fn an_end_is_confirmed_by_good_evaluations_in_a_row_and_by_none_that_failed() {
    let rules = "
groups:
- name: g
  rules:
  - {alert: Busy, expr: 'a * on (host) b > 0'}
";
    let source = Source {
        name: "r.yml".into(),
        text: rules.into(),
    };
    let site = Site {
        recovery: 3,
        ..Site::default()
    };
    let (bench, mut set) = (Bench::new(), RuleSet::load(&[source], site).unwrap());
    let twin = Labels::from_pairs([(NAME, "b"), ("host", "x"), ("twin", "1")]);
    let mut ends = Vec::new();
    // What is measured, and whether the answer is ambiguous.
    let rounds = [
        (1.0, false),
        (0.0, false),
        (0.0, false),
        (1.0, false),
        (0.0, false),
        (0.0, true),
        (0.0, true),
        (0.0, false),
        (0.0, false),
    ];
    for (at, (value, twofold)) in rounds.into_iter().enumerate() {
        let now_ms = i64::try_from(at).unwrap() * STEP;
        bench.put("a", "x", now_ms, value);
        bench.put("b", "x", now_ms, 1.0);
        let other = if twofold { 1.0 } else { exposition::stale() };
        bench.store.append(&twin, now_ms, other).unwrap();
        let told = bench.evaluate(&mut set, now_ms);
        ends.extend(told.iter().filter(|it| it.resolved(now_ms)).map(|_| at));
    }
    assert_eq!(ends, [8]);
}

#[test]
fn results_that_are_no_vector_fail_at_evaluation() {
    for expr in [
        "up[5m]",
        "\"text\"",
        "label_replace(up, \"host\", \"\", \"\", \"\")",
    ] {
        let rules =
            format!("groups: [{{name: g, rules: [{{alert: A, expr: '{expr}', labels: {{}}}}]}}]");
        let (bench, mut set) = (Bench::new(), load(&rules));
        bench.put("up", "a", 0, 1.0);
        bench.put("up", "b", 0, 1.0);
        bench.evaluate(&mut set, 0);
        assert_eq!(set.groups()[0].rules[0].health, Health::Bad, "{expr}");
    }
    // A number is a series without labels.
    let (bench, mut set) = (
        Bench::new(),
        load("groups: [{name: g, rules: [{alert: A, expr: '1 + 1'}]}]"),
    );
    assert_eq!(bench.evaluate(&mut set, 0)[0].annotations["value"], "2");
}

#[test]
fn more_than_the_limit_is_an_error_and_clears_the_alerts() {
    for (rule, name) in [
        ("{alert: A, expr: up}", "ALERTS"),
        ("{record: r, expr: up}", "r"),
    ] {
        let rules = format!("groups: [{{name: g, limit: 1, rules: [{rule}]}}]");
        let (bench, mut set) = (Bench::new(), load(&rules));
        bench.put("up", "a", 0, 1.0);
        bench.evaluate(&mut set, 0);
        assert_eq!(bench.stored(name, 0).len(), 1);
        bench.put("up", "a", STEP, 1.0);
        bench.put("up", "b", STEP, 1.0);
        assert_eq!(bench.evaluate(&mut set, STEP), []);
        assert_eq!(bench.stored(name, STEP), [""; 0]);
        let rule = &set.groups()[0].rules[0];
        assert_eq!(rule.active().count(), 0);
        assert!(rule.last_error.as_ref().unwrap().contains("limit of 1"));
    }
}

#[test]
fn an_offset_group_asks_and_writes_in_the_past() {
    let (bench, mut set) = (
        Bench::new(),
        load(
            "groups: [{name: g, query_offset: 30s, rules: [{record: r, expr: up}, {alert: A, expr: up}]}]",
        ),
    );
    bench.put("up", "a", 0, 1.0);
    bench.put("up", "a", 30_000, 2.0);
    let told = bench.evaluate(&mut set, 30_000);
    assert_eq!(told[0].starts_at, Some(30_000));
    assert_eq!(bench.stored("r", 0), [r#"r{host="a"} 1"#]);
}

#[test]
fn evaluations_are_aligned_and_missed_ones_are_counted() {
    let (bench, mut set) = (
        Bench::new(),
        load("groups: [{name: g, interval: 1m}, {name: h, interval: 1m}]"),
    );
    let now_ms = 1_700_000_000_000;
    let due = set.due(now_ms);
    assert_eq!(due.len(), 2);
    assert_ne!(due[0].at_ms, due[1].at_ms, "groups share the interval out");
    let at_ms = due[0].at_ms;
    assert!(at_ms <= now_ms && at_ms > now_ms - 60_000);
    // The same names give the same times after a restart.
    assert_eq!(
        load("groups: [{name: g, interval: 1m}]").due(now_ms)[0].at_ms,
        at_ms
    );
    set.evaluate(0, at_ms, &bench.store, &bench.engine);
    assert!(set.due(now_ms).iter().all(|due| due.group == 1));
    assert!(set.due(at_ms + 59_999).iter().all(|due| due.group == 1));
    assert_eq!(set.due(at_ms + 60_000)[0].at_ms, at_ms + 60_000);
    // Three minutes late: one evaluation, two missed.
    let late = set.due(at_ms + 190_000)[0];
    assert_eq!(late.at_ms, at_ms + 180_000);
    set.evaluate(late.group, late.at_ms, &bench.store, &bench.engine);
    assert_eq!(set.groups()[0].missed(at_ms + 190_000), 2);
    assert!(set.next_due_ms(now_ms).unwrap() > now_ms);
    // The clock went back an hour and nobody said so.
    assert_eq!(set.due(at_ms - 3_600_000).len(), 2);
}

#[test]
fn new_samples_bring_an_evaluation_unless_the_group_has_its_own_pace() {
    let mut set = load("groups: [{name: g}, {name: h, interval: 1m}]");
    let bench = Bench::new();
    let mut asked = Vec::new();
    for step in 0..9 {
        // A second early each time: collecting is not a metronome.
        for due in set.due_on_data(step * 14_000) {
            asked.push((step, due.group));
            set.evaluate(due.group, due.at_ms, &bench.store, &bench.engine);
        }
    }
    let of = |group| {
        asked
            .iter()
            .filter(|had| had.1 == group)
            .map(|had| had.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(0), (0..9).collect::<Vec<_>>());
    assert_eq!(of(1), [0, 4, 8]);
    assert!(
        set.groups()
            .iter()
            .all(|group| group.missed(9 * 14_000) == 0)
    );
}

#[test]
fn an_alert_fires_when_its_for_ends_and_not_with_the_next_samples() {
    let (bench, mut set) = (Bench::new(), load(&DOWN.replace("30s", "5s")));
    assert_eq!(set.next_to_fire_ms(), None);
    bench.put("up", "a", 0, 0.0);
    assert!(bench.evaluate(&mut set, 0).is_empty());
    assert_eq!(set.next_to_fire_ms(), Some(5_000));
    assert!(set.due_to_fire(4_999).is_empty());
    let due = set.due_to_fire(5_000);
    assert_eq!(
        due,
        [Due {
            group: 0,
            at_ms: 5_000
        }]
    );
    assert_eq!(bench.evaluate(&mut set, 5_000).len(), 1);
    assert_eq!(set.next_to_fire_ms(), None);
}

#[test]
fn an_alert_that_cannot_fire_when_its_for_ends_wakes_nobody_again() {
    let rules = DOWN.replace("30s", "5s");
    let (bench, mut set) = (Bench::new(), load(&rules));
    bench.put("up", "a", 0, 0.0);
    bench.evaluate(&mut set, 0);
    let mut restarted = load(&rules);
    restarted.restore(set.snapshot(), ["j".to_owned()]);
    // Nothing has been collected yet, so it neither fires nor ends.
    Bench::new().evaluate(&mut restarted, 6_000);
    assert_eq!(restarted.snapshot(), set.snapshot());
    assert_eq!(restarted.next_to_fire_ms(), None);
}
