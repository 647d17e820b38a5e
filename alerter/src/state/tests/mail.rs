//! What happens when mail fails.

use super::*;

#[test]
fn a_mail_that_fails_is_tried_again_with_growing_waits() {
    let mut world = World::new(own());
    world.away = Some(Class::Refused);
    world.fire("alertname=a severity=critical");
    world.run(3_600);
    // Half a second first, a minute at most.
    assert!(
        (60..300).contains(&world.attempts.len()),
        "{}",
        world.attempts.len()
    );
    let view = &world.alerter.groups()[0].pending[0];
    assert_eq!((view.since_ms, view.class), (10_000, Some(Class::Refused)));
    world.away = None;
    world.run(3_700);
    assert_eq!(world.mails.len(), 1);
    assert_eq!(world.mails[0].1, "first notification +a");
    // The same news has the same name.
    let ids: BTreeSet<_> = world.attempts.iter().map(|it| &it.message_id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.alerter.queue(), 0);
}

#[test]
fn the_newest_state_is_sent_when_the_server_is_back() {
    let mut world = World::new(own());
    world.away = Some(Class::Timeout);
    world.fire("alertname=a severity=critical x=1");
    world.run(60);
    world.fire("alertname=a severity=critical x=2");
    world.end("alertname=a severity=critical x=1", 0);
    world.run(600);
    world.away = None;
    world.run(700);
    let sent: Vec<_> = world.mails.iter().map(|(_, says)| &**says).collect();
    assert_eq!(sent, ["first notification -a +a"]);
}

#[test]
fn who_would_have_been_told_is_told_that_it_was() {
    let mut world = World::new(own());
    world.away = Some(Class::Dns);
    world.fire("alertname=a severity=critical");
    world.run(60);
    world.end("alertname=a severity=critical", 0);
    world.run(600);
    world.away = None;
    world.run(700);
    let sent: Vec<_> = world.mails.iter().map(|(_, says)| &**says).collect();
    assert_eq!(sent, ["all alerts resolved -a"]);
    assert_eq!(world.alerter.groups(), []);
}

#[test]
fn a_wrong_address_does_not_keep_the_mail_from_the_others() {
    let mut world = World::new(own());
    world
        .refuses
        .insert("dev@example.org".into(), Class::Permanent);
    world.fire("alertname=a severity=critical");
    world.run(50);
    assert_eq!(world.sent(), [(10, "first notification +a")]);
    let mut health = crate::MailHealth::default();
    world.alerter.fill_health(&mut health);
    assert_eq!(health.refused_recipients, ["dev@example.org"]);
    world.run(600);
    assert_eq!(world.mails.len(), 1, "the others are not mailed again");
    assert!(world.attempts.len() > 1);
    assert!(world.attempts[1..].iter().all(|it| it.to.len() == 1));
    // Once it is right, it gets the mail.
    world.refuses.clear();
    world.run(3_000);
    assert_eq!(world.mails.len(), 2);
    world.alerter.fill_health(&mut health);
    assert!(health.refused_recipients.is_empty());
    assert_eq!(world.alerter.queue(), 0);
}

#[test]
fn who_missed_the_beginning_is_not_mailed_about_it_after_the_end() {
    let mut world = World::new(own());
    world
        .refuses
        .insert("dev@example.org".into(), Class::Permanent);
    world.fire("alertname=a severity=critical");
    world.run(20);
    world.end("alertname=a severity=critical", 0);
    world.run(4_000);
    assert_eq!(
        world.sent(),
        [
            (10, "first notification +a"),
            (70, "all alerts resolved -a")
        ]
    );
    assert_eq!(world.alerter.queue(), 0);
    assert_eq!(world.alerter.groups(), []);
}

#[test]
fn a_group_that_comes_due_while_its_mail_is_under_way_is_looked_at_after_it() {
    let mut world = World::new(tree(
        "group_wait: 0s, group_interval: 10s",
        "send_resolved: true",
    ));
    world.alerter.put(vec![alert("alertname=a", 0, None)], 0);
    world.alerter.tick(0);
    let first = world.alerter.next_delivery(0, |_| true).unwrap();
    assert_eq!(
        world.alerter.next_delivery(0, |_| true).map(|it| it.id),
        None
    );
    world
        .alerter
        .put(vec![alert("alertname=b", 5, None)], 5_000);
    world
        .alerter
        .put(vec![alert("alertname=a", 0, Some(5))], 5_000);
    world.alerter.tick(10_000);
    assert!(
        world.alerter.next_delivery(10_000, |_| true).is_none(),
        "one at a time"
    );
    world.now_ms = 12_000;
    world.deliver(&first);
    world.settle();
    assert_eq!(
        world.sent(),
        [
            (12, "first notification +a"),
            (12, "new alerts added -a +b")
        ]
    );
}

#[test]
fn an_end_in_the_same_millisecond_as_the_look_is_not_lost() {
    let mut world = World::new(tree(
        "group_wait: 0s, group_interval: 10s",
        "send_resolved: true",
    ));
    world.fire("alertname=a");
    world.end("alertname=a", 0);
    world.run(60);
    assert_eq!(
        world.sent(),
        [(0, "first notification +a"), (10, "all alerts resolved -a")]
    );
}
