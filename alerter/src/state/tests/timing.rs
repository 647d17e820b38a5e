//! Grouping, waiting, repeating, ending.

use super::*;
use crate::plan::Integration;

#[test]
fn a_group_waits_then_tells_changes_at_its_interval() {
    let mut world = World::new(tree("", "send_resolved: true"));
    world.fire("alertname=a");
    world.run(10);
    world.fire("alertname=b");
    world.run(100);
    world.fire("alertname=c");
    world.run(400);
    world.end("alertname=a", 0);
    world.run(1_000);
    assert_eq!(
        world.sent(),
        [
            (30, "first notification +a +b"),
            (330, "new alerts added +a +b +c"),
            (630, "some alerts resolved -a +b +c"),
        ]
    );
}

#[test]
fn groups_have_clocks_of_their_own() {
    let mut world = World::new(tree("group_by: [alertname], group_wait: 10s", ""));
    world.fire("alertname=a x=1");
    world.run(5);
    world.fire("alertname=b");
    world.fire("alertname=a x=2");
    world.run(20);
    assert_eq!(
        world.sent(),
        [
            (10, "first notification +a +a"),
            (15, "first notification +b")
        ]
    );
}

#[test]
fn who_has_fired_for_longer_than_the_wait_does_not_wait_again() {
    let mut world = World::new(tree("", ""));
    world.run(100);
    world.put(alert("alertname=a", 69, None));
    assert_eq!(world.sent(), [(100, "first notification +a")]);
    let mut world = World::new(tree("", ""));
    world.run(100);
    world.put(alert("alertname=a", 70, None));
    world.put(alert("alertname=b", 1, None));
    world.run(129);
    // Only the alert that makes the group decides.
    assert_eq!(world.sent(), []);
    world.run(130);
    assert_eq!(world.sent(), [(130, "first notification +a +b")]);
}

#[test]
fn alertmanagers_repeat_slips_to_the_look_after_the_interval() {
    let route = "group_wait: 0s, group_interval: 5m, repeat_interval: 10m";
    let mut world = World::new(tree(route, ""));
    world.fire("alertname=a");
    world.run(2_000);
    assert_eq!(
        world.sent(),
        [
            (0, "first notification +a"),
            (900, "repeat interval elapsed +a"),
            (1_800, "repeat interval elapsed +a"),
        ]
    );
}

#[test]
fn the_built_in_tree_repeats_on_the_hour_and_every_four() {
    let mut world = World::new(own());
    world.fire("alertname=a severity=critical");
    world.fire("alertname=b severity=warning");
    world.fire("alertname=c severity=info");
    world.run(4 * 3_600 + 60);
    let hours: Vec<(i64, &str)> = world.sent();
    assert_eq!(
        hours,
        [
            (10, "first notification +a"),
            (30, "first notification +b"),
            (3_610, "repeat interval elapsed +a"),
            (7_210, "repeat interval elapsed +a"),
            (10_810, "repeat interval elapsed +a"),
            (14_410, "repeat interval elapsed +a"),
            (14_430, "repeat interval elapsed +b"),
        ]
    );
    let last = &world.attempts.last().unwrap().notification;
    assert_eq!((last.sent_before, last.first_sent_ms), (1, Some(30_000)));
    assert_eq!(last.next_repeat_ms, Some(28_830_000));
    assert_eq!(last.severity, "warning");
}

#[test]
fn an_end_is_told_and_the_next_beginning_is_a_first_one_again() {
    let mut world = World::new(own());
    world.fire("alertname=a severity=critical");
    world.run(20);
    world.end("alertname=a severity=critical", 0);
    world.run(100);
    assert_eq!(world.alerter.groups(), []);
    world.fire("alertname=a severity=critical");
    world.run(200);
    assert_eq!(
        world.sent(),
        [
            (10, "first notification +a"),
            (70, "all alerts resolved -a"),
            (110, "first notification +a"),
        ]
    );
    let ids: Vec<_> = world
        .attempts
        .iter()
        .map(|it| it.notification.incident.clone())
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
    assert_eq!(world.attempts[0].message_id, ids[0]);
}

#[test]
fn what_began_and_ended_unseen_is_not_told_alone() {
    let mut world = World::new(tree("", "send_resolved: true"));
    world.fire("alertname=a");
    world.run(10);
    world.end("alertname=a", 0);
    world.run(400);
    assert_eq!(world.sent(), []);
    assert_eq!(world.alerter.groups(), []);
    // But along with others it is.
    world.fire("alertname=a");
    world.fire("alertname=b");
    world.run(410);
    world.end("alertname=a", 400);
    world.run(500);
    assert_eq!(world.sent(), [(430, "first notification -a +b")]);
}

#[test]
fn a_receiver_that_is_not_told_of_ends_hears_the_next_beginning() {
    let mut world = World::new(tree("group_wait: 0s, group_interval: 1m", ""));
    world.fire("alertname=a");
    world.run(10);
    world.end("alertname=a", 0);
    world.run(100);
    world.fire("alertname=a");
    world.run(200);
    assert_eq!(
        world.sent(),
        [(0, "first notification +a"), (100, "first notification +a")]
    );
}

#[test]
fn an_end_that_is_told_twice_is_no_news() {
    let mut world = World::new(tree(
        "group_wait: 0s, group_interval: 1m",
        "send_resolved: true",
    ));
    world.fire("alertname=a");
    world.fire("alertname=b");
    world.run(10);
    let ended = alert("alertname=b", 0, Some(10));
    world.put(ended.clone());
    world.run(70);
    world.fire("alertname=c");
    world.run(130);
    world.put(ended);
    world.run(400);
    assert_eq!(
        world.sent(),
        [
            (0, "first notification +a"),
            (60, "some alerts resolved +a -b"),
            (120, "new alerts added +a +c"),
        ]
    );
}

#[test]
fn silence_ends_an_alert_after_the_resolve_time_out() {
    let mut world = World::new(tree(
        "group_wait: 0s, group_interval: 10s",
        "send_resolved: true",
    ));
    world.put(alert("alertname=a", 0, None));
    world.run(200);
    world.put(alert("alertname=a", 0, None));
    world.run(499);
    assert_eq!(world.alerter.alerts(499_999).len(), 1);
    world.run(600);
    assert_eq!(
        world.sent(),
        [
            (0, "first notification +a"),
            (500, "all alerts resolved -a")
        ]
    );
}

#[test]
fn overlapping_reports_are_merged() {
    for (old, new, wanted) in [
        // (starts, ends) in seconds; the time is 100.
        ((50, Some(200)), (60, Some(150)), (50, 200)),
        ((50, Some(200)), (40, Some(150)), (40, 200)),
        ((50, None), (60, Some(150)), (50, 150)),
        ((50, Some(200)), (60, Some(90)), (50, 90)),
        ((50, Some(90)), (60, Some(80)), (50, 90)),
        ((50, Some(90)), (95, Some(300)), (95, 300)),
        ((50, Some(200)), (50, Some(300)), (50, 300)),
    ] {
        let mut world = World::new(tree("", ""));
        world.now_ms = 100_000;
        world.put(alert("alertname=a", old.0, old.1));
        world.put(alert("alertname=a", new.0, new.1));
        let alert = world.alerter.alerts.values().next().unwrap();
        assert_eq!(
            (alert.starts_ms / 1_000, alert.ends_ms / 1_000),
            wanted,
            "{old:?} {new:?}"
        );
    }
}

#[test]
fn bad_alerts_are_refused_and_the_others_taken() {
    let mut world = World::new(own());
    let empty = alert("", 0, None);
    let mut backwards = alert("alertname=b", 10, Some(5));
    backwards.labels.insert("blank".into(), String::new());
    let mut nameless = alert("alertname=n", 0, None);
    nameless.labels.insert(String::new(), "x".into());
    let refusals = world.alerter.put(
        vec![empty, alert("alertname=a", 0, None), backwards, nameless],
        0,
    );
    let said: Vec<_> = refusals.iter().map(|it| (it.index, &*it.message)).collect();
    assert_eq!(
        said,
        [
            (0, "at least one label pair required"),
            (2, "start time must be before end time"),
            (3, "invalid label set: invalid name \"\""),
        ]
    );
    assert_eq!(world.alerter.alerts(0).len(), 1);
}

const MUTING: &str = "{escalation: [], recovery: {confirm: 0s, flaps: 0}, inhibit_rules: [{source_matchers: [alertname=host], target_matchers: [alertname!=host]}]}";

#[test]
fn muted_alerts_are_not_told_and_are_listed_with_their_source() {
    let mut world = World::new(with(MUTING, MAIL));
    world.fire("alertname=host severity=critical");
    world.fire("alertname=disk severity=critical");
    world.run(1_000);
    assert_eq!(world.sent(), [(10, "first notification +host")]);
    assert_eq!(
        world.attempts[0].notification.inhibits[0]["alertname"],
        "disk"
    );
    let views = world.alerter.alerts(world.now_ms);
    let disk = views
        .iter()
        .find(|view| view.labels["alertname"] == "disk")
        .unwrap();
    assert_eq!(disk.state, AlertState::Suppressed);
    assert_eq!(
        disk.inhibited_by,
        views
            .iter()
            .find(|view| view.labels["alertname"] == "host")
            .map(|view| view.fingerprint)
    );
    assert_eq!(disk.next_ms, None);
    world.end("alertname=host severity=critical", 0);
    world.run(1_100);
    assert_eq!(
        world.sent()[1..],
        [
            (1_030, "first notification +disk"),
            (1_030, "all alerts resolved -host")
        ]
    );
}

#[test]
fn the_end_of_what_was_told_is_told_even_if_it_is_muted_by_then() {
    for (letter, wanted) in [(false, 3), (true, 2)] {
        let mut plan = with(MUTING, MAIL);
        plan.letter = letter;
        let mut world = World::new(plan);
        world.fire("alertname=disk severity=critical");
        world.run(20);
        world.fire("alertname=host severity=critical");
        world.end("alertname=disk severity=critical", 0);
        world.run(500);
        assert_eq!(world.mails.len(), wanted, "{:?}", world.mails);
    }
}

#[test]
fn what_ended_unseen_does_not_keep_its_next_beginning_silent() {
    let mut world = World::new(with(MUTING, MAIL));
    world.fire("alertname=disk severity=critical x=1");
    world.run(20);
    // Muted in the same breath as it ends, and the source goes too.
    world.alerter.plan = {
        let mut plan = (*world.alerter.plan).clone();
        for integration in plan.receivers[0].integrations.values_mut() {
            if let Integration::Email(email) = integration {
                let mut silent = (**email).clone();
                silent.send_resolved = false;
                *email = Arc::new(silent);
            }
        }
        Arc::new(plan)
    };
    world.end("alertname=disk severity=critical x=1", 0);
    world.run(100);
    world.fire("alertname=disk severity=critical x=1");
    world.run(200);
    assert_eq!(
        world.sent(),
        [
            (10, "first notification +disk"),
            (110, "first notification +disk")
        ]
    );
}

#[test]
fn a_step_of_the_clock_moves_everything_along() {
    for delta_s in [3_600, -3_600] {
        let mut world = World::new(own());
        world.now_ms = 10_000_000;
        world.alerter.forget_ms = 11_800_000;
        world.fire("alertname=a severity=critical");
        world.run(10_020);
        world.fire("alertname=b severity=warning");
        world.alerter.shift(delta_s * 1_000);
        world.now_ms += delta_s * 1_000;
        world.run(10_020 + delta_s + 3_600);
        let at: Vec<_> = world.sent();
        assert_eq!(
            at,
            [
                (10_010, "first notification +a"),
                (10_050 + delta_s, "first notification +b"),
                (13_610 + delta_s, "repeat interval elapsed +a"),
            ]
        );
    }
}

#[test]
fn what_is_over_is_forgotten() {
    let mut world = World::new(own());
    world.fire("alertname=a severity=critical");
    world.run(60);
    world.end("alertname=a severity=critical", 0);
    // The history is told of its beginning first.
    world.alerter.changes(true, world.now_ms);
    world.run(3 * 3_600);
    assert!(world.alerter.alerts.is_empty());
    assert!(world.alerter.wakes.is_empty());
    assert_eq!(world.alerter.log.len(), 1);
    world.run(6 * 86_400);
    assert!(world.alerter.log.is_empty());
}
