//! Mails that a server took and that come back.

use super::*;
use crate::bounce::{Bounce, Fate, Returned};
use crate::episode::{Ack, StepKind};
use crate::state::bounced::{Came, SentMail};

/// Two first contacts and a second one; nothing is believed late.
fn world() -> World {
    World::new(with(
        "{recovery: {confirm: 0s, flaps: 0}}",
        "{to: 'ops@example.org, dev@example.org', second: boss@example.org, \
         from: b@example.org, smarthost: 'mx:25'}",
    ))
}

impl World {
    /// A mail of that name is reported to have come back.
    fn came_back(&mut self, name: &str, to: &str, fate: Fate) -> Came {
        let bounce = Bounce {
            mails: vec!["other".into(), name.to_owned()],
            recipients: vec![Returned {
                addresses: vec!["far@example.net".into(), to.to_owned()],
                fate,
                said: "550 no such user".into(),
            }],
        };
        let came = self.alerter.bounced(&bounce, Vec::new(), self.now_ms);
        self.settle();
        came
    }

    fn name(&self, at: usize) -> String {
        self.attempts[at].message_id.clone()
    }

    /// Kind and text of what an alert went through.
    fn steps(&self) -> Vec<(StepKind, String)> {
        let fingerprint = *self.alerter.alerts.keys().next().unwrap();
        let steps = self.alerter.episode(fingerprint).unwrap().steps;
        let one = |it: &crate::Step| (it.kind, it.detail.to_string());
        steps.iter().map(one).collect()
    }

    fn events(&self, kind: EventKind) -> usize {
        let history = self.alerter.dirty.history.iter();
        history.filter(|event| event.kind == kind).count()
    }
}

#[test]
fn a_mail_that_came_back_from_all_is_told_to_the_second_contact_five_minutes_later() {
    let mut world = world();
    world.fire("alertname=a severity=critical");
    world.run(15);
    assert_eq!(world.sent(), [(10, "first notification +a")]);
    let name = world.name(0);
    // One of two is told by the other.
    assert_eq!(
        world
            .came_back(&name, "DEV@example.org", Fate::Failed)
            .laid
            .len(),
        1
    );
    world.run(600);
    assert_eq!(world.mails.len(), 1);
    let alert = &world.alerter.alerts(world.now_ms)[0];
    assert_eq!(
        alert.returned.as_ref().map(|it| &*it.detail),
        Some("mail: to dev@example.org: 550 no such user")
    );
    world.now_ms = 605_000;
    world.came_back(&name, "ops@example.org", Fate::Failed);
    let alert = &world.alerter.alerts(world.now_ms)[0];
    assert_eq!(alert.escalation.second_ms, Some(905_000));
    let why = world.alerter.why(alert.fingerprint, world.now_ms).unwrap();
    assert_eq!(
        why.routes[0].integrations[0].verdict,
        "told, but the mail came back: nobody has it"
    );
    world.run(904);
    assert_eq!(world.mails.len(), 1);
    world.run(906);
    assert_eq!(world.sent()[1..], [(905, "first notification +a")]);
    let to = &world.attempts.last().unwrap().to;
    assert_eq!(to[0].email.to_string(), "boss@example.org");
    assert_eq!(world.alerter.counters.bounces[&Fate::Failed], 2);
    assert_eq!(world.events(EventKind::Bounced), 2);
}

#[test]
fn whoever_has_taken_it_on_or_has_a_newer_mail_needs_no_second_contact() {
    for acknowledged in [true, false] {
        let mut world = world();
        world.fire("alertname=a severity=critical");
        world.run(15);
        let name = world.name(0);
        for to in ["ops@example.org", "dev@example.org"] {
            world.came_back(&name, to, Fate::Failed);
        }
        if acknowledged {
            let all = world.alerter.alerts.keys().copied().collect();
            let ack = Ack {
                by: "kim".into(),
                note: String::new(),
                at_ms: world.now_ms,
            };
            world.alerter.acknowledge(&all, Some(&ack), world.now_ms);
        } else {
            world.fire("alertname=a severity=critical x=2");
        }
        world.run(800);
        let boss = |it: &&Delivery| it.to[0].email.to_string() == "boss@example.org";
        assert_eq!(world.attempts.iter().filter(boss).count(), 0);
    }
}

#[test]
fn a_claim_counts_once_and_only_for_a_mail_of_ours_and_somebody_it_was_for() {
    let mut world = world();
    world.fire("alertname=a severity=critical");
    world.run(15);
    let name = world.name(0);
    for (name, to) in [
        ("no-such-mail", "ops@example.org"),
        (&*name, "boss@example.org"),
    ] {
        assert_eq!(world.came_back(name, to, Fate::Failed).laid, []);
    }
    assert_eq!(world.alerter.counters.strays, 2);
    assert_eq!(world.steps().len(), 1);

    let known = |came: Came| came.laid.iter().map(|it| it.known).collect::<Vec<_>>();
    let ops = "ops@example.org";
    for (fate, wanted) in [
        (Fate::Delayed, false),
        (Fate::Delayed, true),
        (Fate::Failed, false),
        (Fate::Failed, true),
        (Fate::Delayed, true),
    ] {
        assert_eq!(known(world.came_back(&name, ops, fate)), [wanted]);
    }
    let kinds: Vec<_> = world.steps().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(
        kinds,
        [StepKind::Told, StepKind::Delayed, StepKind::Bounced]
    );
    assert_eq!(world.alerter.counters.bounces[&Fate::Delayed], 1);
    world.run(800);
    assert_eq!(world.mails.len(), 1, "the other one has it");
}

#[test]
fn what_is_late_everywhere_is_only_told() {
    let mut world = world();
    world.fire("alertname=a severity=critical");
    world.run(15);
    let name = world.name(0);
    for to in ["ops@example.org", "dev@example.org"] {
        world.came_back(&name, to, Fate::Delayed);
    }
    world.run(800);
    assert_eq!(world.mails.len(), 1);
    assert_eq!(world.events(EventKind::Delayed), 2);
    let health = &mut crate::MailHealth::default();
    world.alerter.fill_health(health);
    assert_eq!(
        health.last_bounce,
        Some((
            15_000,
            "delayed for dev@example.org: 550 no such user".into()
        ))
    );
}

#[test]
fn mail_that_was_sent_on_comes_back_to_the_only_one_it_was_for() {
    let mut world = World::new(tree("group_wait: 0s", "send_resolved: true"));
    world.fire("alertname=a");
    let name = world.name(0);
    let came = world.came_back(&name, "kim@elsewhere.example", Fate::Failed);
    assert_eq!(came.laid[0].to, "ops@example.org");
}

#[test]
fn one_mail_of_several_groups_comes_back_to_each_of_them() {
    let mut world = World::new(with(
        "{escalation: []}",
        "{to: ops@example.org, from: b@example.org, smarthost: 'mx:25', hourly: 1}",
    ));
    for name in ["a", "b", "c"] {
        world.fire(&format!("alertname={name} severity=critical"));
    }
    world.run(400);
    assert_eq!(world.mails.len(), 2, "{:?}", world.mails);
    // The name that the mail bears, not those of its groups.
    let name = world.attempts.last().unwrap().message_id.clone();
    assert!(name.ends_with(".together"), "{name}");
    world.came_back(&name, "ops@example.org", Fate::Failed);
    assert_eq!(world.events(EventKind::Bounced), 2);
    assert_eq!(world.alerter.counters.bounces[&Fate::Failed], 1);
}

#[test]
fn a_bounce_of_what_is_over_is_for_the_history_alone() {
    let mut world = world();
    world.fire("alertname=a severity=critical");
    world.run(15);
    world.end("alertname=a severity=critical", 0);
    world.run(100);
    let name = world.name(0);
    // It has ended, and is known yet.
    let came = world.came_back(&name, "ops@example.org", Fate::Failed);
    assert_eq!(came.late.len(), 0);
    assert!(
        world
            .steps()
            .iter()
            .any(|(kind, _)| *kind == StepKind::Bounced)
    );
    // It fires anew: that is another story.
    world.run(200);
    world.fire("alertname=a severity=critical");
    let came = world.came_back(&name, "dev@example.org", Fate::Failed);
    assert_eq!((came.late.len(), came.late[0].mail_ms), (1, 10_000));
    world.run(1_000);
    let to = |at: usize| world.attempts[at].to[0].email.to_string();
    assert!((0..world.attempts.len()).all(|at| to(at) == "ops@example.org"));
}

#[test]
fn nobody_has_it_only_when_it_came_back_from_who_got_it_later_too() {
    let (ops, dev) = ("ops@example.org", "dev@example.org");
    for later_first in [false, true] {
        let mut world = world();
        world.refuses.insert(dev.into(), Class::Transient);
        world.fire("alertname=a severity=critical");
        world.run(15);
        world.refuses.clear();
        world.run(600);
        assert_eq!(world.mails.len(), 2, "{:?}", world.mails);
        let (full, missed) = (world.name(0), world.name(world.attempts.len() - 1));
        let mut claims = [(&full, ops), (&missed, dev)];
        if later_first {
            claims.reverse();
        }
        world.came_back(claims[0].0, claims[0].1, Fate::Failed);
        let second = |world: &World| world.alerter.alerts(world.now_ms)[0].escalation.second_ms;
        assert_eq!(second(&world), Some(1_810_000), "as for any");
        world.came_back(claims[1].0, claims[1].1, Fate::Failed);
        assert_eq!(second(&world), Some(900_000));
        world.run(901);
        let to = &world.attempts.last().unwrap().to;
        assert_eq!(to[0].email.to_string(), "boss@example.org");
    }
}

#[test]
fn what_came_back_of_an_older_mail_is_not_laid_to_the_last() {
    let mut world = world();
    world.fire("alertname=a severity=critical");
    world.run(15);
    world.fire("alertname=a severity=critical x=2");
    world.run(600);
    assert_eq!(world.mails.len(), 2, "{:?}", world.mails);
    let (first, last) = (world.name(0), world.name(1));
    world.came_back(&first, "ops@example.org", Fate::Failed);
    world.came_back(&last, "dev@example.org", Fate::Failed);
    let alert = &world.alerter.alerts(world.now_ms)[0];
    assert_ne!(alert.escalation.second_ms, Some(900_000));
    world.came_back(&last, "ops@example.org", Fate::Failed);
    let alert = &world.alerter.alerts(world.now_ms)[0];
    assert_eq!(alert.escalation.second_ms, Some(900_000));
}

#[test]
fn a_mail_is_under_way_until_it_is_known_how_it_went() {
    let mut world = world();
    let put = alert("alertname=a severity=critical", 0, Some(86_400));
    assert_eq!(world.alerter.put(vec![put], 0), []);
    world.alerter.tick(10_000);
    let delivery = world.alerter.next_delivery(10_000, |_| true).unwrap();
    let names = ["other".to_owned(), delivery.message_id.clone()];
    assert!(world.alerter.is_under_way(&names));
    assert!(!world.alerter.is_under_way(&names[..1]));
    world.deliver(&delivery);
    assert!(!world.alerter.is_under_way(&names));
}

#[test]
fn who_is_named_in_a_report_of_a_notice_must_have_got_it() {
    let mut world = world();
    let to = "ops@example.org";
    let notice = SentMail::of_notice("digest.1".into(), "mail".into(), vec![to.into()], 0);
    world.alerter.note_mail(notice);
    let came = world.came_back("digest.1", "kim@elsewhere.example", Fate::Failed);
    assert_eq!(came.laid, []);
    assert_eq!(world.came_back("digest.1", to, Fate::Failed).laid.len(), 1);
}

#[test]
fn what_a_bounce_is_late_for_is_known_before_and_stored_with_it() {
    let mut world = world();
    let labels = "alertname=a severity=critical";
    world.fire(labels);
    world.run(15);
    let name = world.name(0);
    let fingerprint = *world.alerter.alerts.keys().next().unwrap();
    let bounce = Bounce {
        mails: vec![name.clone()],
        recipients: Vec::new(),
    };
    assert!(world.alerter.late_of(&bounce, Vec::new()).is_empty());
    world.end(labels, 0);
    world.run(200);
    let before = world.alerter.episode(fingerprint).unwrap();
    world.fire(labels);
    let late = world.alerter.late_of(&bounce, Vec::new());
    assert_eq!(late, [(fingerprint, 10_000)].into());
    let came = world.came_back(&name, "ops@example.org", Fate::Failed);
    let found = (came.late[0].fingerprint, came.late[0].mail_ms);
    assert!(late.contains(&found));
    world
        .alerter
        .amend(before.clone(), &came.late[0], world.now_ms);
    let changes = world.alerter.changes(true, world.now_ms);
    assert!(changes.mails.iter().any(|mail| mail.returned.len() == 1));
    let row = changes.episodes.iter().find(|row| row.id == before.id);
    let last = row.unwrap().steps.last().unwrap();
    assert_eq!(last.kind, StepKind::Bounced);
}
