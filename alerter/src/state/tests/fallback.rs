//! The second contact, when nothing reaches the first: over a restart, through the real
//! tables, and over a reload, at the second.

use super::*;
use crate::bounce::{Bounce, Fate, Returned};
use crate::store;

const MAIL: &str =
    "{to: ops@example.org, second: boss@example.org, from: b@example.org, smarthost: 'mx:25'}";

/// When the second contact is told: five minutes after it is known, by default.
fn plan(escalation: &str) -> Plan {
    let config = format!("{{recovery: {{confirm: 0s, flaps: 0}}{escalation}}}");
    with(&config, MAIL)
}

impl World {
    /// The mail that was sent last came back.
    fn last_came_back(&mut self) {
        let bounce = Bounce {
            mails: vec![self.attempts.last().unwrap().message_id.clone()],
            recipients: vec![Returned {
                addresses: vec!["ops@example.org".into()],
                fate: Fate::Failed,
                said: "550 no such user".into(),
            }],
        };
        let came = self.alerter.bounced(&bounce, Vec::new(), self.now_ms);
        assert_eq!(came.laid.len(), 1);
        self.settle();
    }

    /// Stops, and is there again at another time.
    async fn restart_at(&mut self, at_s: i64) {
        let pool = store::tests::database().await;
        let changes = self.alerter.changes(true, self.now_ms);
        store::write(&pool, &changes).await.unwrap();
        let mut reborn = Self::new(plan(""));
        reborn.now_ms = at_s * 1_000;
        let stored = store::load(&pool).await.unwrap();
        reborn.alerter.load(stored, reborn.now_ms);
        reborn.refuses = std::mem::take(&mut self.refuses);
        reborn.attempts = std::mem::take(&mut self.attempts);
        *self = reborn;
        self.settle();
    }

    /// The seconds at which the second contact was told.
    fn boss(&self) -> Vec<i64> {
        let to_boss = |it: &&Delivery| it.to[0].email.to_string() == "boss@example.org";
        let told = self.attempts.iter().filter(to_boss);
        told.map(|it| it.notification.now_ms / 1_000).collect()
    }
}

/// An alert of which the first contact's mail came back after 15 s.
fn came_back() -> World {
    let mut world = World::new(plan(""));
    world.fire("alertname=a severity=critical");
    world.run(15);
    world.last_came_back();
    world
}

#[tokio::test]
async fn a_restart_after_a_bounce_does_not_put_the_second_contact_off() {
    for (dies_s, back_s, told_s) in [(16, 20, 315), (100, 130, 315), (300, 312, 315)] {
        let mut world = came_back();
        world.run(dies_s);
        world.restart_at(back_s).await;
        let next = world.alerter.alerts(world.now_ms)[0].escalation.second_ms;
        assert_eq!(next, Some(315_000));
        world.run(1_200);
        assert_eq!(world.boss(), [told_s], "{dies_s}");
    }
    // It was due while nobody was there.
    let mut world = came_back();
    world.run(305);
    world.restart_at(900).await;
    assert_eq!(world.boss(), [900]);
    // It has been done.
    let mut world = came_back();
    world.run(320);
    world.restart_at(330).await;
    world.run(1_200);
    assert_eq!(world.boss(), [315]);
}

#[tokio::test]
async fn a_clock_that_was_ahead_does_not_put_the_second_contact_off() {
    let mut world = World::new(plan(""));
    world.now_ms = 86_400_000;
    world.fire("alertname=a severity=critical");
    world.run(86_415);
    world.last_came_back();
    world.restart_at(1_000).await;
    world.run(2_000);
    assert_eq!(world.boss(), [1_300]);
}

#[test]
fn a_reload_after_a_bounce_counts_on_by_what_it_says() {
    let later = ", escalation: [{fallback_after: 10m, again_after: 0s, second_after: 0s}]";
    for (escalation, told_s) in [("", 315), (later, 615)] {
        let mut world = came_back();
        world.run(100);
        world
            .alerter
            .reload(Arc::new(plan(escalation)), world.now_ms);
        world.settle();
        world.run(1_200);
        assert_eq!(world.boss(), [told_s]);
    }
}

#[tokio::test]
async fn a_first_contact_that_fails_goes_on_failing_over_a_restart_and_a_reload() {
    for class in [Class::Permanent, Class::Transient, Class::Rejected] {
        for restarts in [true, false] {
            let mut world = World::new(plan(""));
            world.refuses.insert("ops@example.org".into(), class);
            world.fire("alertname=a severity=critical");
            world.run(100);
            if restarts {
                world.restart_at(130).await;
            } else {
                world.alerter.reload(Arc::new(plan("")), world.now_ms);
                world.settle();
            }
            world.run(1_200);
            assert_eq!(world.boss(), [310], "{class:?} {restarts}");
        }
    }
}
