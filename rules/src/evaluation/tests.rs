use std::cell::{Cell, RefCell};

use crate::set::tests::{Bench, load};
use crate::{Due, RuleSet};

const TWO: &str = "
groups:
- name: g
  interval: 10s
  rules:
  - {alert: First, expr: 'up == 0'}
  - {alert: Second, expr: 'up == 0'}
- name: other
  interval: 10s
  rules:
  - {alert: Other, expr: 'up == 0'}
";

/// Evaluates the first group, and does something to the set before each look at it.
fn interrupted(
    bench: &Bench,
    set: &RefCell<RuleSet>,
    at_ms: i64,
    before: impl Fn(usize, &mut RuleSet),
) -> Vec<String> {
    let evaluation = set.borrow_mut().begin(Due { group: 0, at_ms }).unwrap();
    let (mut told, looks) = (Vec::new(), Cell::new(0));
    let rules = || {
        let mut set = set.borrow_mut();
        before(looks.get(), &mut set);
        looks.set(looks.get() + 1);
        set
    };
    evaluation.run(rules, &bench.store, &bench.engine, |alerts| {
        told.extend(
            alerts
                .into_iter()
                .map(|alert| alert.labels["alertname"].clone()),
        );
    });
    told
}

#[test]
fn a_group_that_is_being_evaluated_is_not_due_and_the_others_are() {
    let (bench, set) = (Bench::new(), RefCell::new(load(TWO)));
    bench.put("up", "a", 0, 0.0);
    let told = interrupted(&bench, &set, 0, |_, set| {
        let due: Vec<_> = set.due(60_000).iter().map(|due| due.group).collect();
        assert_eq!(due, [1]);
        assert_eq!(set.due_on_data(60_000).len(), 1);
        assert!(set.next_due_ms(60_000).is_some());
        assert!(
            set.begin(Due {
                group: 0,
                at_ms: 60_000
            })
            .is_none()
        );
    });
    assert_eq!(told, ["First", "Second"]);
    assert_eq!(set.borrow().due(60_000).len(), 2);
}

#[test]
fn a_reload_ends_an_evaluation_and_what_it_told_already_stays_told() {
    let (bench, set) = (Bench::new(), RefCell::new(load(TWO)));
    bench.put("up", "a", 0, 0.0);
    let told = interrupted(&bench, &set, 0, |look, set| {
        if look == 2 {
            *set = load(TWO).replacing(std::mem::take(set), 0);
        }
    });
    assert_eq!(told, ["First"]);
    let mut set = set.into_inner();
    // Nothing of the old one is in the way of the new one.
    let told = bench.evaluate(&mut set, 0);
    let names: Vec<_> = told
        .iter()
        .map(|alert| &alert.labels["alertname"])
        .collect();
    assert_eq!(names, ["Second", "Other"]);
}

#[test]
fn a_step_of_the_clock_while_a_rule_is_asked_ends_no_alert() {
    let (bench, set) = (Bench::new(), RefCell::new(load(TWO)));
    bench.put("up", "a", 0, 0.0);
    assert_eq!(interrupted(&bench, &set, 0, |_, _| {}).len(), 2);
    let hour = 3_600_000;
    let told = interrupted(&bench, &set, 10_000, |look, set| {
        if look == 1 {
            set.shift(hour);
            // As if it were there only now: what was asked before found nothing.
            bench.put("up", "a", 10_000 + hour, 0.0);
        }
        if look == 0 {
            bench.put("up", "a", 9_000, exposition::stale());
        }
    });
    assert_eq!(told, [""; 0]);
    let set = set.into_inner();
    assert_eq!(set.count(crate::State::Firing), 2);
    let last = set.groups()[0].last_evaluation_ms;
    assert_eq!(last, Some(10_000 + hour));
    assert_eq!(set.groups()[0].missed(10_000 + hour), 0);
}

#[test]
fn a_source_that_answers_while_a_rule_is_asked_ends_no_alert() {
    let rules = "
groups:
- name: g
  rules:
  - {alert: First, expr: 'up == 0'}
";
    let (bench, mut first) = (Bench::new(), load(rules));
    bench.put("up", "a", 0, 0.0);
    assert_eq!(bench.evaluate(&mut first, 0).len(), 1);
    let mut set = load(rules);
    set.restore(first.snapshot(), ["host".to_owned()]);
    let (empty, set) = (Bench::new(), RefCell::new(set));
    let told = interrupted(&empty, &set, 10_000, |look, set| {
        if look == 1 {
            set.answered("host");
        }
    });
    assert_eq!(told, [""; 0]);
    assert_eq!(set.borrow().count(crate::State::Firing), 1);
    // From here on an absent series means that the condition is gone.
    assert_eq!(interrupted(&empty, &set, 20_000, |_, _| {}), ["First"]);
}

#[test]
fn what_a_group_misses_is_counted_while_it_goes_on_and_once() {
    let (bench, mut set) = (Bench::new(), load(TWO));
    let missed = |set: &RuleSet, now_ms| set.groups()[0].missed(now_ms);
    assert_eq!(
        missed(&set, 1_000_000),
        0,
        "nothing was due before the first"
    );
    let evaluation = set.begin(Due { group: 0, at_ms: 0 }).unwrap();
    // It is late, then the next is missed, then another.
    let seen = [9_999, 19_999, 20_000, 35_000].map(|now_ms| missed(&set, now_ms));
    assert_eq!(seen, [0, 0, 1, 2]);
    // The clock was set meanwhile: no time has passed.
    let hour = 3_600_000;
    set.shift(hour);
    assert_eq!(missed(&set, hour + 35_000), 2);
    let set = RefCell::new(set);
    evaluation.run(|| set.borrow_mut(), &bench.store, &bench.engine, |_| {});
    let mut set = set.into_inner();
    assert_eq!(missed(&set, hour + 35_000), 2);
    bench.evaluate(&mut set, hour + 41_000);
    assert_eq!(missed(&set, hour + 41_000), 3);
    // Another set of rules goes on counting.
    let set = load(TWO).replacing(set, hour + 42_000);
    assert_eq!(missed(&set, hour + 45_000), 3);
}
