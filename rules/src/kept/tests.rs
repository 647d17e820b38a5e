use crate::set::tests::{Bench, load};
use crate::{Site, Source};

use super::*;

const STEP: i64 = 15_000;
const RULES: &str = "
groups:
- name: g
  rules:
  - {alert: Down, expr: 'up == 0', for: 1m, keep_firing_for: 30s}
";

/// Stops and starts: what is kept goes through JSON.
fn restart(set: &mut RuleSet) -> RuleSet {
    let text = serde_json::to_string(&set.snapshot()).unwrap();
    let mut set = load(RULES);
    set.restore(serde_json::from_str(&text).unwrap(), ["j".to_owned()]);
    set
}

fn firing(bench: &Bench) -> RuleSet {
    let mut set = load(RULES);
    for at in 0..=4 {
        bench.put("up", "a", at * STEP, 0.0);
        bench.evaluate(&mut set, at * STEP);
    }
    assert_eq!(set.count(State::Firing), 1);
    set
}

#[test]
fn a_pending_alert_fires_on_time_across_a_restart() {
    let bench = Bench::new();
    let mut set = load(RULES);
    bench.put("up", "a", 0, 0.0);
    bench.evaluate(&mut set, 0);
    let mut set = restart(&mut set);
    bench.put("up", "a", 60_000, 0.0);
    let told = bench.evaluate(&mut set, 60_000);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].starts_at, Some(60_000));
}

/// What a rule with this `for` comes back with that was pending for `held`, after the
/// program was `away`: when it fires from the start on, in minutes.
fn fires_after(hold: i64, held: i64, away: i64, outage: Outage) -> i64 {
    let minutes = |minutes: i64| minutes * 60_000;
    let rules = format!(
        "groups: [{{name: g, interval: 1m, rules: [{{alert: Down, expr: 'up == 0', for: {hold}m}}]}}]"
    );
    let bench = Bench::new();
    let mut set = load(&rules);
    for at in 0..=held {
        bench.put("up", "a", minutes(at), 0.0);
        bench.evaluate(&mut set, minutes(at));
    }
    let kept = set.snapshot();
    let mut set = load(&rules);
    set.restore(kept, []);
    let start = held + away;
    set.resume(minutes(held), minutes(start), outage);
    let mut after = 0;
    loop {
        bench.put("up", "a", minutes(start + after), 0.0);
        bench.evaluate(&mut set, minutes(start + after));
        if set.count(State::Firing) == 1 {
            return after;
        }
        after += 1;
    }
}

#[test]
fn an_outage_is_no_time_for_which_the_condition_held() {
    let minutes = |tolerance: i64, grace: i64| Outage {
        tolerance_ms: tolerance * 60_000,
        grace_ms: grace * 60_000,
    };
    let own = Outage::default();
    assert_eq!(own, minutes(60, 0));
    // As current Prometheus has it by default.
    let theirs = minutes(60, 10);
    for (hold, held, away, outage, wanted) in [
        (60, 5, 30, own, 55),
        (60, 5, 30, theirs, 55),
        (60, 55, 30, own, 5),
        (60, 55, 30, theirs, 10),
        (60, 50, 30, theirs, 10),
        (60, 5, 60, own, 55),
        (60, 5, 61, own, 60),
        (60, 5, 61, theirs, 60),
        (60, 5, 61, minutes(61, 0), 55),
        (8, 5, 1, own, 3),
        (8, 5, 1, theirs, 8),
        (10, 5, 1, theirs, 10),
        (60, 5, 0, own, 55),
    ] {
        let fires = fires_after(hold, held, away, outage);
        assert_eq!(
            fires, wanted,
            "for {hold}, held {held}, away {away}, {outage:?}"
        );
    }
}

#[test]
fn an_outage_leaves_alerts_that_fire_as_they_are() {
    let bench = Bench::new();
    let mut set = firing(&bench);
    let before = set.snapshot();
    set.resume(60_000, 600_000_000, Outage::default());
    assert_eq!(set.snapshot(), before);
}

#[test]
fn a_restart_tells_nothing_twice() {
    let bench = Bench::new();
    let mut set = restart(&mut firing(&bench));
    bench.put("up", "a", 75_000, 0.0);
    assert_eq!(bench.evaluate(&mut set, 75_000), []);
    // But the usual repeat comes at its time, with the old beginning.
    let told = bench.evaluate(&mut set, 120_001);
    assert_eq!(told[0].starts_at, Some(60_000));
}

#[test]
fn a_restart_sends_no_false_end() {
    let bench = Bench::new();
    let before = restart(&mut firing(&bench)).snapshot();
    // Down for longer than the look-back: nothing is known of the series yet.
    let mut set = restart(&mut firing(&Bench::new()));
    assert_eq!(set.snapshot(), before);
    let empty = Bench::new();
    let told = empty.evaluate(&mut set, 405_000);
    assert!(
        told.iter().all(|alert| !alert.resolved(405_000)),
        "{told:?}"
    );
    assert_eq!(set.count(State::Firing), 1);
    // The sources have answered, and the condition is really gone.
    empty.put("up", "a", 410_000, 1.0);
    set.answered("j");
    empty.evaluate(&mut set, 415_000);
    assert_eq!(set.count(State::Firing), 1, "keep_firing_for still counts");
    let told = empty.evaluate(&mut set, 445_000);
    assert_eq!(told.len(), 1);
    assert!(told[0].resolved(445_000));
}

#[test]
fn a_source_that_is_awaited_holds_its_own_alerts_and_those_without_a_source() {
    for (job, held) in [("awaited", true), ("other", false), ("", true)] {
        let labels = Labels::from_pairs([("job", job)]);
        assert_eq!(
            Awaited(["awaited".to_owned()].into()).holds(&labels),
            held,
            "{job}"
        );
        assert!(!Awaited::default().holds(&labels), "{job}");
    }
}

#[test]
fn only_what_changed_needs_to_be_stored() {
    let bench = Bench::new();
    let mut set = load(RULES);
    assert_eq!(set.snapshot_if_changed(), None);
    bench.put("up", "a", 0, 0.0);
    bench.evaluate(&mut set, 0);
    assert_eq!(set.snapshot_if_changed().unwrap().rules[0].alerts.len(), 1);
    bench.evaluate(&mut set, STEP);
    assert_eq!(set.snapshot_if_changed(), None);
}

#[test]
fn a_clock_set_back_by_an_hour_changes_no_waiting_time() {
    let hour = 3_600_000;
    let bench = Bench::new();
    let mut set = load(RULES);
    bench.put("up", "a", hour, 0.0);
    bench.evaluate(&mut set, hour);
    set.shift(-hour);
    assert!(set.snapshot_if_changed().is_some());
    let later = Bench::new();
    later.put("up", "a", 45_000, 0.0);
    assert_eq!(later.evaluate(&mut set, 45_000), []);
    later.put("up", "a", 60_000, 0.0);
    assert_eq!(later.evaluate(&mut set, 60_000).len(), 1);
}

#[test]
fn the_state_of_a_rule_that_is_no_more_is_dropped() {
    let bench = Bench::new();
    let kept = firing(&bench).snapshot();
    let mut set = load("groups: [{name: g, rules: [{alert: Other, expr: other}]}]");
    set.restore(kept, []);
    assert_eq!(set.snapshot(), Kept::default());
}

/// A set without the file of the rules: it is left out, or it is gone.
fn without(kept: Kept, left_out: bool) -> RuleSet {
    let other = Source {
        name: "other.yml".into(),
        text: "groups: [{name: g, rules: [{alert: Other, expr: other}]}]".into(),
    };
    let mut set = RuleSet::load(&[other], Site::default()).unwrap();
    if left_out {
        set.leave_out();
    }
    set.restore(kept, []);
    set
}

#[test]
fn a_file_that_is_left_out_at_the_start_costs_no_alert_its_state() {
    let bench = Bench::new();
    let before = firing(&bench).snapshot();
    let mut set = without(before.clone(), true);
    set.resume(60_000, 120_000, Outage::default());
    // It is written down, and so outlives another start.
    let kept = set.snapshot_if_changed().unwrap();
    assert_eq!(kept.rules[0].alerts, before.rules[0].alerts);
    let mut set = without(kept, true);
    set.resume(150_000, 165_000, Outage::default());
    // What fires is told again at its time, as before, so that nobody thinks it is over.
    let again = bench.evaluate(&mut set, 165_000);
    assert_eq!(again.len(), 1);
    assert_eq!(&*again[0].labels["alertname"], "Down");
    assert_eq!(again[0].starts_at, Some(60_000));
    assert_eq!(again[0].ends_at, Some(165_000 + 4 * 60_000));
    assert_eq!(bench.evaluate(&mut set, 180_000), []);
    // The file answers.
    let mut set = load(RULES).replacing(set, 240_000);
    bench.put("up", "a", 240_000, 0.0);
    let told = bench.evaluate(&mut set, 240_000);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].starts_at, Some(60_000), "it goes on");
    assert_eq!(told[0].labels, again[0].labels);
}

#[test]
fn of_files_that_are_gone_nothing_is_kept() {
    let kept = firing(&Bench::new()).snapshot();
    let mut set = without(kept.clone(), false);
    set.resume(60_000, 120_000, Outage::default());
    assert_eq!(set.snapshot(), Kept::default());
    // Nor of a group that is gone from a file that answers.
    let mut set = load("groups: [{name: other, rules: [{alert: Down, expr: up}]}]");
    set.leave_out();
    set.restore(kept.clone(), []);
    assert_eq!(set.snapshot(), Kept::default());
    // Nor once all files answer, and it is in none.
    let set = load("groups: [{name: h}]").replacing(without(kept, true), 120_000);
    assert_eq!(set.snapshot(), Kept::default());
}

#[test]
fn while_a_file_is_left_out_no_condition_of_it_holds() {
    let minutes = |minutes: i64| minutes * 60_000;
    let rules =
        "groups: [{name: g, interval: 1m, rules: [{alert: Down, expr: 'up == 0', for: 1h}]}]";
    // It was pending for 40 minutes, and the file answers so long after that.
    for (starts, away, fires) in [
        (&[41][..], 50, 20),
        (&[41, 60], 50, 20),
        (&[41, 60], 101, 60),
        // After the last start it answers at once.
        (&[41, 60, 90], 0, 20),
        (&[41, 60, 101], 0, 60),
    ] {
        let bench = Bench::new();
        let mut set = load(rules);
        for at in 0..=40 {
            bench.put("up", "a", minutes(at), 0.0);
            bench.evaluate(&mut set, minutes(at));
        }
        for start in starts {
            let kept = set.snapshot();
            set = without(kept, true);
            set.resume(minutes(start - 1), minutes(*start), Outage::default());
        }
        let mut now = minutes(away);
        if away > 0 {
            set = load(rules).replacing(set, now);
        } else {
            let kept = set.snapshot();
            now = minutes(starts[starts.len() - 1] + 1);
            set = load(rules);
            set.restore(kept, []);
            set.resume(now - minutes(1), now, Outage::default());
        }
        let mut after = 0;
        while set.count(State::Firing) == 0 {
            bench.put("up", "a", now + minutes(after), 0.0);
            bench.evaluate(&mut set, now + minutes(after));
            after += 1;
        }
        assert_eq!(after - 1, fires, "{starts:?} {away}");
    }
}

#[test]
fn a_clock_that_is_set_moves_what_is_known_of_files_that_are_left_out() {
    let hour = 3_600_000;
    let mut shifted = firing(&Bench::new());
    let mut set = without(shifted.snapshot(), true);
    set.resume(60_000, 120_000, Outage::default());
    set.shift(hour);
    shifted.shift(hour);
    let set = load(RULES).replacing(set, hour + 180_000);
    assert_eq!(set.snapshot(), shifted.snapshot());
}
