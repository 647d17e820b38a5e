//! More mails than people can read, in virtual time.

use super::*;
use crate::Reason;
use crate::config::Text;

fn world(hourly: usize) -> World {
    let mail = MAIL.replace("{to", &format!("{{hourly: {hourly}, to"));
    World::new(with(
        "{escalation: [], recovery: {confirm: 0s, flaps: 0}}",
        &mail,
    ))
}

#[test]
fn beyond_so_many_mails_in_an_hour_what_is_due_is_told_together_and_nothing_is_dropped() {
    let mut world = world(3);
    world.alerter.ack_link = Some(Arc::new(|_| Some("/link".to_owned())));
    for name in 0..10 {
        world.fire(&format!("alertname=a{name} severity=critical"));
    }
    world.run(9 * 60);
    let sent: Vec<_> = world.sent().into_iter().map(|(at_s, _)| at_s).collect();
    assert_eq!(sent, [10, 10, 10, 310]);
    assert_eq!(world.attempts[0].notification.ack_url(), "http://b/link");
    let last = &world.attempts[3].notification;
    assert_eq!(last.ack_path, "", "a link answers for one incident");
    assert_eq!((last.groups, last.alerts.len()), (7, 7));
    assert_eq!(last.reason, Reason::Together);
    assert_eq!(last.common_labels.len(), 1, "{:?}", last.common_labels);
    assert_eq!(world.alerter.counters.bundled, 7);
    // An hour later each group speaks for itself again.
    world.run(3_600 + 1_000);
    let repeats: Vec<_> = world.sent().into_iter().skip(4).collect();
    let counted: usize = world
        .attempts
        .iter()
        .skip(4)
        .map(|it| it.notification.groups)
        .sum();
    assert_eq!(counted, 10, "{repeats:?}");
}

#[test]
fn a_mail_for_several_groups_that_fails_is_tried_again_whole_or_in_parts() {
    let mut world = world(1);
    for name in 0..4 {
        world.fire(&format!("alertname=a{name} severity=critical"));
    }
    world.run(300);
    world.away = Some(Class::Refused);
    world.run(400);
    world.away = None;
    world.run(1_000);
    let mut told: Vec<String> = Vec::new();
    for (_, says) in &world.mails {
        told.extend(
            says.split_whitespace()
                .filter(|it| it.starts_with('+'))
                .map(Into::into),
        );
    }
    told.sort();
    assert_eq!(told, ["+a0", "+a1", "+a2", "+a3"]);
    assert_eq!(world.alerter.queue(), 0);
}

#[test]
fn without_a_limit_every_group_speaks_for_itself() {
    let mut world = world(0);
    for name in 0..100 {
        world.fire(&format!("alertname=a{name} severity=critical"));
    }
    world.run(20);
    assert_eq!(world.sent().len(), 100);
}

#[test]
fn labels_of_routes_that_all_groups_of_a_mail_share_stay_with_it() {
    let mail = MAIL.replace("{to", "{hourly: 1, to");
    let mut plan = with("{escalation: [], recovery: {confirm: 0s, flaps: 0}}", &mail);
    for (at, route) in plan.routes.iter_mut().enumerate() {
        let own = [("team", "bells"), ("place", ["a", "b"][at % 2])];
        let own = own.map(|(name, text)| (name.into(), Text::Plain(text.into())));
        route.labels = own.into();
    }
    let mut world = World::new(plan);
    world.fire("alertname=first severity=critical");
    world.run(60);
    world.fire("alertname=a severity=critical");
    world.fire("alertname=b severity=critical");
    world.run(400);
    let shared = |world: &World| {
        let told = &world.attempts.last().unwrap().notification;
        assert!(told.groups > 1);
        told.route_labels.clone()
    };
    let names: Vec<_> = shared(&world).into_keys().collect();
    assert_eq!(names, ["place", "team"]);
    world.fire("alertname=c severity=critical");
    world.fire("alertname=d severity=warning");
    world.run(800);
    let one = [("team".to_owned(), "bells".to_owned())];
    assert_eq!(shared(&world), one.into());
}

#[test]
fn what_is_for_other_people_is_never_in_one_mail() {
    let plan = with(
        "{route: {receiver: a, group_by: [alertname], group_wait: 0s, group_interval: 1m}, \
          receivers: [{name: a, email_configs: [{to: '{{ .GroupLabels.alertname }}@example.org'}]}], \
          collapse: {from: 2, by: host}}",
        &MAIL.replace("{to", "{hourly: 1, to"),
    );
    let mut world = World::new(plan);
    for name in ["amy", "bob", "eve"] {
        world.fire(&format!("alertname={name} host=h"));
    }
    world.run(60);
    let to = |one: &Delivery| one.to.iter().map(|to| to.email.to_string()).collect();
    let told: Vec<(Vec<String>, String)> =
        world.attempts.iter().map(|it| (to(it), says(it))).collect();
    let wanted = ["amy", "bob", "eve"];
    let wanted = wanted.map(|name| {
        (
            vec![format!("{name}@example.org")],
            format!("first notification +{name}"),
        )
    });
    assert_eq!(told, wanted);
}
