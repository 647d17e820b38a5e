//! Much of one host is down at once, in virtual time.

use std::collections::BTreeSet;

use super::*;
use crate::Reason;

const NONE_OF_THE_REST: &str = "escalation: [], recovery: {confirm: 0s, flaps: 0}";

fn world(more: &str) -> World {
    World::new(with(&format!("{{{NONE_OF_THE_REST}{more}}}"), MAIL))
}

/// What is down on a host: containers of several projects, then the host itself.
fn down(host: &str) -> Vec<String> {
    let parts = (0..10).map(|at| {
        let severity = ["critical", "warning"][at % 2];
        format!("alertname=Down{at} severity={severity} instance={host} name=c{at} project=p{at}")
    });
    let itself = format!("alertname=HostIll severity=critical instance={host}:9100");
    parts.chain([itself]).collect()
}

fn names(delivery: &Delivery) -> Vec<String> {
    let alerts = delivery.notification.alerts.iter();
    alerts.map(|it| it.labels["alertname"].clone()).collect()
}

#[test]
fn what_is_down_at_once_on_one_host_is_one_mail_that_begins_with_the_host() {
    let mut world = world("");
    for labels in down("h1") {
        world.fire(&labels);
    }
    world.fire("alertname=Other severity=critical instance=h2 name=x");
    world.run(60);
    let sent: Vec<_> = world.sent().into_iter().map(|(at_s, _)| at_s).collect();
    assert_eq!(sent, [10, 10], "{:?}", world.mails);
    let all = world
        .attempts
        .iter()
        .find(|it| it.notification.groups > 1)
        .unwrap();
    let told = &all.notification;
    assert_eq!((told.groups, told.alerts.len()), (11, 11));
    assert_eq!((&*told.down_at, told.reason), ("h1", Reason::Together));
    assert_eq!(told.severity, "critical");
    let names = names(all);
    assert_eq!(names[0], "HostIll");
    let worst = ["Down0", "Down2", "Down4", "Down6", "Down8"];
    assert_eq!(names[1..6], worst);
    // It is said again together, and over together.
    world.run(3_700);
    let repeats = world
        .attempts
        .iter()
        .filter(|it| it.notification.now_ms > 3_000_000);
    let repeats: Vec<_> = repeats.map(|it| it.notification.groups).collect();
    assert_eq!(repeats.iter().max(), Some(&6), "{repeats:?}");
    assert_eq!(repeats.len(), 2, "{repeats:?}");
    for labels in down("h1") {
        world.end(&labels, 0);
    }
    let before = world.attempts.len();
    world.run(5_000);
    let ends: Vec<_> = world.attempts[before..]
        .iter()
        .filter(|it| !it.notification.firing())
        .map(|it| it.notification.alerts.len())
        .collect();
    assert_eq!(ends.iter().sum::<usize>(), 11, "{ends:?}");
    assert!(ends.len() <= 2, "{ends:?}");
    assert_eq!(world.alerter.queue(), 0);
}

#[test]
fn mails_about_hosts_are_counted_by_the_limit_of_mails() {
    let mail = MAIL.replace("{to", "{hourly: 2, to");
    let mut world = World::new(with(&format!("{{{NONE_OF_THE_REST}}}"), &mail));
    for host in ["h1", "h2", "h3", "h4"] {
        for labels in down(host) {
            world.fire(&labels.replace("alertname=", &format!("alertname={host}")));
        }
    }
    world.run(200);
    let sizes = world.attempts.iter().map(|it| it.notification.groups);
    let sizes: Vec<_> = sizes.collect();
    assert_eq!(sizes, [11, 11]);
    world.run(1_000);
    let told: usize = world
        .attempts
        .iter()
        .map(|it| it.notification.alerts.len())
        .sum();
    assert!(told >= 44, "{told}");
}

#[test]
fn few_at_once_and_those_of_several_hosts_speak_for_themselves() {
    let mut world = world("");
    for labels in &down("h1")[..4] {
        world.fire(labels);
    }
    for at in 0..6 {
        world.fire(&format!(
            "alertname=Far{at} severity=critical instance=h{at}x"
        ));
        world.fire(&format!(
            "alertname=Probe{at} severity=critical instance=h9 probe=p{at}"
        ));
    }
    world.run(60);
    assert_eq!(world.sent().len(), 16);
    assert!(world.attempts.iter().all(|it| it.notification.groups == 1));
}

#[test]
fn how_much_is_much_can_be_said_and_a_tree_of_ones_own_knows_none() {
    let mut more = world(", collapse: {from: 3, by: host}");
    for at in 0..3 {
        more.fire(&format!("alertname=a{at} severity=critical host=h"));
    }
    more.run(60);
    assert_eq!(more.attempts.len(), 1);
    let mut none = world(", collapse: {from: 0}");
    let mut plan = tree("group_by: [alertname], group_wait: 10s", "");
    assert!(plan.collapse.is_none());
    plan.letter = true;
    let mut own = World::new(plan);
    for labels in down("h1") {
        none.fire(&labels);
        own.fire(&labels);
    }
    none.run(60);
    own.run(60);
    assert_eq!((none.attempts.len(), own.attempts.len()), (11, 11));
}

#[test]
fn what_is_muted_or_taken_by_no_server_is_neither_told_nor_lost() {
    let mut world = world("");
    world.away = Some(Class::Refused);
    world.silence("Down3", 100_000);
    for labels in down("h1") {
        world.fire(&labels);
    }
    world.run(100);
    assert_eq!(world.mails, []);
    let together = |world: &World| world.attempts.iter().any(|it| it.notification.groups == 10);
    assert!(together(&world));
    world.attempts.clear();
    world.away = None;
    world.run(1_000);
    let mut told: Vec<&str> = world
        .mails
        .iter()
        .flat_map(|(_, says)| says.split_whitespace())
        .filter(|word| word.starts_with('+'))
        .collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 10);
    assert!(!told.contains(&"+Down3"), "{told:?}");
    assert!(together(&world));
    assert_eq!(world.alerter.queue(), 0);
}

#[test]
fn a_mail_that_is_refused_for_good_holds_up_none_of_its_host() {
    let mut world = world("");
    world.unwanted = Some("HostIll");
    for labels in down("h1") {
        world.fire(&labels);
    }
    world.run(10);
    assert_eq!(world.attempts[0].notification.groups, 11);
    assert_eq!(world.mails, []);
    world.run(200);
    let told = |world: &World| -> BTreeSet<String> {
        let says = world.mails.iter().map(|(_, says)| says);
        says.flat_map(|it| it.split_whitespace())
            .filter(|word| word.starts_with('+'))
            .map(Into::into)
            .collect()
    };
    assert_eq!(told(&world).len(), 10, "{:?}", world.mails);
    // What comes later has a mail of its own, without what is refused.
    for at in 10..20 {
        world.fire(&format!(
            "alertname=Down{at} severity=critical instance=h1 name=c{at}"
        ));
    }
    world.run(230);
    assert_eq!(told(&world).len(), 20, "{:?}", world.mails);
    assert!(!told(&world).contains("+HostIll"));
    world.unwanted = None;
    world.run(4_000);
    assert!(told(&world).contains("+HostIll"));
}

#[test]
fn what_is_under_way_with_another_mail_is_not_put_off() {
    let mail = MAIL.replace("{to", "{hourly: 1, to");
    let mut world = World::new(with(&format!("{{{NONE_OF_THE_REST}}}"), &mail));
    let mut firing = vec![alert("alertname=Other severity=critical", 0, None)];
    firing.extend(down("h1").iter().map(|labels| alert(labels, 0, None)));
    world.alerter.put(firing, 0);
    world.now_ms = 10_000;
    world.alerter.tick(world.now_ms);
    let mut next = || world.alerter.next_delivery(10_000, |_| true);
    let mut both = [next().unwrap(), next().unwrap()];
    both.sort_by_key(|it| it.notification.groups);
    assert_eq!(both.each_ref().map(|it| it.notification.groups), [1, 11]);
    // From here on the next mail would have to wait.
    world.deliver(&both[0]);
    assert!(world.alerter.next_delivery(10_000, |_| true).is_none());
    let groups = world.alerter.groups.values();
    let pending: Vec<_> = groups
        .flat_map(|group| group.pending.values())
        .map(|pending| pending.state)
        .collect();
    assert_eq!(pending, [PendingState::Flying { again: false }; 11]);
    world.deliver(&both[1]);
    assert_eq!(world.alerter.queue(), 0);
}
