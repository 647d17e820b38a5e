//! Escalation by age, in virtual time.

use super::kept::Disk;
use super::*;
use crate::episode::Ack;

const SECOND: &str =
    "{to: ops@example.org, second: boss@example.org, from: b@example.org, smarthost: 'mx:25'}";

impl World {
    fn take_on(&mut self, name: &str) {
        let wanted = self.alerter.find(name).unwrap();
        let ack = Ack {
            by: "kim".into(),
            note: String::new(),
            at_ms: self.now_ms,
        };
        self.alerter.acknowledge(&wanted, Some(&ack), self.now_ms);
    }

    /// `10 ops: first notification critical`
    fn told(&self) -> Vec<String> {
        let one = |delivery: &Delivery| {
            let told = &delivery.notification;
            let to: Vec<&str> = delivery.to.iter().map(|to| to.email.user()).collect();
            let (at_s, reason) = (told.now_ms / 1_000, told.reason.as_str());
            format!("{at_s} {}: {reason} {}", to.join("+"), told.severity)
        };
        self.attempts.iter().map(one).collect()
    }
}

fn default() -> World {
    World::new(with("{recovery: {confirm: 0s, flaps: 0}}", SECOND))
}

#[test]
fn a_warning_that_nobody_ends_becomes_critical_and_is_news() {
    let mut world = default();
    world.fire("alertname=a severity=warning");
    world.run(60);
    let next = world.alerter.alerts(world.now_ms)[0].escalation;
    assert_eq!((next.raised_ms, next.raises_ms), (None, Some(7_200_000)));
    assert_eq!(world.attempts[0].notification.raises_ms, Some(7_200_000));
    world.run(7_300);
    let told = &world.attempts[1].notification;
    assert_eq!(told.alerts[0].raised_ms, Some(7_200_000));
    assert_eq!(told.alerts[0].labels["severity"], "critical");
    assert_ne!(told.incident, world.attempts[0].notification.incident);
    let view = &world.alerter.alerts(world.now_ms)[0];
    assert_eq!(view.labels["severity"], "warning", "its identity stays");
    assert_eq!(view.escalation.raised_ms, Some(7_200_000));
    assert_eq!(view.escalation.second_ms, Some(9_000_000));
    assert_eq!(view.next_ms, Some(8_100_000));
    world.run(13_000);
    world.end("alertname=a severity=warning", 0);
    world.run(40_000);
    assert_eq!(
        world.told(),
        [
            "30 ops: first notification warning",
            "7200 ops: first notification critical",
            "8100 ops: not acknowledged critical",
            "9000 boss: first notification critical",
            "9900 boss: not acknowledged critical",
            "11700 ops: repeat interval elapsed critical",
            "13020 ops: all alerts resolved critical",
            "13020 boss: all alerts resolved critical",
        ]
    );
}

#[test]
fn what_does_not_reach_the_first_contact_is_told_to_the_second_whatever_its_severity() {
    for class in [Class::Permanent, Class::Transient] {
        let mut world = default();
        world.refuses.insert("ops@example.org".into(), class);
        world.fire("alertname=a severity=warning");
        world.run(329);
        assert_eq!(world.sent(), []);
        world.run(1_000);
        assert_eq!(world.sent(), [(330, "first notification +a")], "{class:?}");
        assert_eq!(world.attempts.last().unwrap().to.len(), 1);
        world.refuses.clear();
        world.end("alertname=a severity=warning", 0);
        world.run(6_000);
        let last: Vec<_> = world.sent().into_iter().skip(1).collect();
        assert!(
            last.iter()
                .any(|(_, says)| says.contains("all alerts resolved")),
            "{last:?}"
        );
    }
}

#[test]
fn a_critical_alert_that_nobody_answers_is_told_sooner_and_then_to_the_second_contact() {
    let mut world = default();
    world.fire("alertname=a severity=critical");
    world.run(20);
    let told = &world.attempts[0].notification;
    assert_eq!(told.next_repeat_ms, Some(910_000));
    assert_eq!(told.second_ms, Some(1_810_000));
    assert_eq!(told.raises_ms, None);
    world.run(2_000);
    assert_eq!(
        world.told(),
        [
            "10 ops: first notification critical",
            "910 ops: not acknowledged critical",
            "1810 boss: first notification critical",
        ]
    );
    world.take_on("a");
    world.run(20_000);
    assert_eq!(world.told().len(), 3, "kim has it");
    world.end("alertname=a severity=critical", 0);
    world.run(21_000);
    assert_eq!(world.told().len(), 5, "both are told the end");
}

#[test]
fn an_acknowledgement_in_time_keeps_the_second_contact_asleep() {
    for acked_s in [20, 900, 1_800] {
        let mut world = default();
        world.fire("alertname=a severity=critical");
        world.run(acked_s);
        let before = world.told().len();
        world.take_on("a");
        assert_eq!(
            world.alerter.alerts(world.now_ms)[0].escalation.second_ms,
            None
        );
        world.run(20_000);
        assert_eq!(world.told().len(), before, "{acked_s}");
    }
}

#[test]
fn what_is_taken_on_and_grows_old_is_told_once_as_critical() {
    let mut world = default();
    world.fire("alertname=a severity=warning");
    world.run(100);
    world.take_on("a");
    world.run(40_000);
    assert_eq!(
        world.told(),
        [
            "30 ops: first notification warning",
            "7200 ops: first notification critical"
        ]
    );
}

#[test]
fn a_restart_before_while_or_after_it_grows_old_changes_nothing() {
    let mut wanted = default();
    wanted.fire("alertname=a severity=warning");
    wanted.run(12_000);
    for dies_s in [20, 5_000, 7_250, 8_500, 10_000] {
        let mut world = default();
        world.fire("alertname=a severity=warning");
        world.run(dies_s);
        let mut disk = Disk::default();
        disk.write(world.alerter.changes(true, world.now_ms));
        let mut reborn = default();
        reborn.now_ms = world.now_ms + 1_000;
        reborn.alerter.load(disk.stored(), reborn.now_ms);
        reborn.attempts = world.attempts;
        reborn.put(alert("alertname=a severity=warning", 0, Some(90_000)));
        reborn.run(12_000);
        assert_eq!(reborn.told(), wanted.told(), "{dies_s}");
    }
}

#[test]
fn what_grew_old_while_nobody_watched_is_critical_at_once() {
    let mut world = default();
    world.fire("alertname=a severity=warning");
    world.run(60);
    let mut disk = Disk::default();
    disk.write(world.alerter.changes(true, world.now_ms));
    let mut reborn = default();
    reborn.now_ms = 8_000_000;
    reborn.alerter.load(disk.stored(), reborn.now_ms);
    reborn.put(alert("alertname=a severity=warning", 0, Some(90_000)));
    reborn.run(8_060);
    assert_eq!(reborn.told(), ["8000 ops: first notification critical"]);
}

#[test]
fn a_new_beginning_is_as_bad_as_its_rule_says() {
    let mut world = default();
    world.fire("alertname=a severity=warning");
    world.run(7_300);
    world.end("alertname=a severity=warning", 0);
    world.run(7_400);
    world.fire("alertname=a severity=warning");
    world.run(7_500);
    assert_eq!(
        world.told()[2..],
        [
            "7320 ops: all alerts resolved critical",
            "7430 ops: first notification warning"
        ]
    );
}

#[test]
fn who_routes_by_a_file_of_their_own_gets_what_the_file_says() {
    let route = "route: {receiver: a, group_wait: 0s, group_interval: 1m, repeat_interval: 1d}";
    let mail = |to: &str| {
        format!(
            "email_configs: [{{to: {to}@example.org, from: b@example.org, smarthost: 'mx:25'}}]"
        )
    };
    let receivers = format!(
        "receivers: [{{name: a, {}}}, {{name: b, {}}}]",
        mail("ops"),
        mail("boss")
    );
    for (escalation, told) in [
        ("", vec!["0 ops: first notification warning"]),
        (
            "escalation: [{matchers: ['team=db'], raise_after: 1m}, \
             {raise_after: 1h, again_after: 0s, second_after: 10m, second_receiver: b}]",
            vec![
                "0 ops: first notification warning",
                "3600 ops: first notification critical",
                // The clock of the second contact begins with what is critical.
                "4200 boss: first notification critical",
            ],
        ),
    ] {
        let yaml = format!("{{{route}, {receivers}, {escalation}}}");
        let mut world = World::new(with(&yaml, "{}"));
        world.fire("alertname=a severity=warning");
        world.run(10_000);
        assert_eq!(world.told(), told, "{escalation}");
    }
}
