//! Why an alert is told, or is not.

use super::*;
use crate::episode::Ack;
use crate::silence::{Id, SilenceDraft, SilenceMatcher};

impl World {
    fn verdicts(&self, name: &str) -> Vec<String> {
        let mut alerts = self.alerter.alerts.iter();
        let (fingerprint, _) = alerts
            .find(|(_, alert)| alert.labels.get("alertname") == Some(name))
            .unwrap();
        let why = self.alerter.why(*fingerprint, self.now_ms).unwrap();
        let ways = why.routes.iter().flat_map(|route| &route.integrations);
        ways.map(|way| way.verdict.clone()).collect()
    }
}

fn second() -> Plan {
    with(
        "{recovery: {confirm: 0s, flaps: 0}, inhibit_rules: [{source_matchers: [alertname=cause], target_matchers: [alertname=symptom]}]}",
        "{to: ops@example.org, second: boss@example.org, from: b@example.org, smarthost: 'mx:25'}",
    )
}

#[test]
fn the_verdict_follows_the_alert_from_its_beginning_to_its_end() {
    let mut world = World::new(second());
    const ALERT: &str = "alertname=a severity=critical";
    let asleep = "second contact: told if nobody acknowledges in time";
    world.fire(ALERT);
    assert_eq!(
        world.verdicts("a"),
        ["told at the next look: first notification", asleep]
    );
    world.away = Some(Class::Refused);
    world.run(11);
    assert_eq!(
        world.verdicts("a"),
        ["a message failed (refused) and is tried again", asleep]
    );
    world.away = None;
    world.run(300);
    assert_eq!(
        world.verdicts("a"),
        ["told, and nothing is new: repeated in 11 min", asleep]
    );
    let wanted = world.alerter.find("a").unwrap();
    let ack = Ack {
        by: "kim".into(),
        note: String::new(),
        at_ms: world.now_ms,
    };
    world.alerter.acknowledge(&wanted, Some(&ack), world.now_ms);
    assert_eq!(
        world.verdicts("a")[0],
        "told, and acknowledged: not repeated until it ends"
    );
    world.end(ALERT, 0);
    assert_eq!(
        world.verdicts("a")[0],
        "told at the next look: all alerts resolved"
    );
    world.run(500);
    assert_eq!(
        world.verdicts("a")[0],
        "its group is gone: everybody who had to be told was"
    );
    world.alerter.changes(true, world.now_ms);
    world.run(10_000);
    assert!(
        world
            .alerter
            .why(*wanted.first().unwrap(), world.now_ms)
            .is_none()
    );
}

#[test]
fn what_mutes_is_named() {
    let mut world = World::new(second());
    world.fire("alertname=cause severity=critical");
    world.fire("alertname=symptom severity=critical");
    assert_eq!(world.verdicts("symptom")[0], "muted: a cause of it fires");
    let draft = SilenceDraft {
        matchers: vec![SilenceMatcher {
            name: "alertname".into(),
            value: "cause".into(),
            is_regex: false,
            is_equal: true,
        }],
        starts_ms: 0,
        ends_ms: 1_000_000,
        created_by: "kim".into(),
        comment: "move".into(),
        ..SilenceDraft::default()
    };
    world.alerter.silence(draft, Id::new([7; 16]), 0).unwrap();
    assert_eq!(world.verdicts("cause")[0], "muted: a silence matches");
    let wanted = world.alerter.find("cause").unwrap();
    let why = world.alerter.why(*wanted.first().unwrap(), 0).unwrap();
    assert_eq!(why.silenced_by[0].comment, "move");
    assert_eq!(why.inhibited_by, None);
    let route = &why.routes[0];
    assert_eq!(
        (&*route.route, &*route.receiver, route.members),
        (r#"{}/{severity="critical"}"#, "mail", 1)
    );
    assert_eq!(route.integrations[0].to, "email to ops@example.org");
    assert!(route.integrations[1].second);
}

#[test]
fn a_limit_and_a_time_interval_are_reasons_too() {
    let mail = MAIL.replace("{to", "{hourly: 1, to");
    let mut world = World::new(with("{escalation: [], collapse: {from: 0}}", &mail));
    for name in ["a", "b"] {
        world.fire(&format!("alertname={name} severity=critical"));
    }
    world.run(130);
    let verdicts = [world.verdicts("a").remove(0), world.verdicts("b").remove(0)];
    let late = "too many mails lately: told with others in 3 min";
    assert!(verdicts.iter().any(|it| it == late), "{verdicts:?}");
    for (key, wanted) in [
        (
            "mute_time_intervals",
            "muted: a time interval of the route holds",
        ),
        (
            "active_time_intervals",
            "muted: no active time interval of the route holds",
        ),
    ] {
        let yaml = format!(
            "{{route: {{receiver: a, routes: [{{{key}: [t]}}]}}, receivers: [{{name: a, email_configs: \
             [{{to: ops@example.org, from: b@example.org, smarthost: 'mx:25'}}]}}], \
             time_intervals: [{{name: t, time_intervals: [{{years: ['{}']}}]}}]}}",
            if key.starts_with('m') { "1970" } else { "2001" }
        );
        let mut world = World::new(with(&yaml, "{}"));
        world.fire("alertname=a");
        assert_eq!(world.verdicts("a"), [wanted]);
    }
}
