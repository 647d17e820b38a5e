//! Ends that must hold, and alerts that come and go.

use super::kept::Disk;
use super::*;

fn default() -> World {
    World::new(with("{escalation: []}", MAIL))
}

const ALERT: &str = "alertname=a severity=critical";

#[test]
fn an_end_is_told_when_it_has_held_and_with_its_own_time() {
    let mut world = default();
    world.fire(ALERT);
    world.run(100);
    world.end(ALERT, 0);
    world.run(120);
    let view = &world.alerter.alerts(world.now_ms)[0];
    assert_eq!(view.escalation.over_ms, Some(130_000));
    // Told again that it is over, which changes nothing.
    world.put(alert(ALERT, 0, Some(100)));
    world.run(300);
    assert_eq!(
        world.sent(),
        [
            (10, "first notification +a"),
            (130, "all alerts resolved -a")
        ]
    );
    let told = &world.attempts[1].notification.alerts[0];
    assert_eq!((told.started_ms, told.ended_ms), (0, Some(100_000)));
}

#[test]
fn what_comes_back_before_its_end_was_believed_goes_on() {
    let mut world = default();
    world.fire(ALERT);
    world.run(100);
    world.end(ALERT, 0);
    world.run(125);
    world.fire(ALERT);
    world.run(3_000);
    assert_eq!(world.sent(), [(10, "first notification +a")]);
    assert_eq!(world.alerter.alerts(world.now_ms)[0].starts_ms, 0);
}

#[test]
fn what_is_over_before_anybody_was_told_is_never_told() {
    let mut world = default();
    world.fire(ALERT);
    world.run(5);
    world.end(ALERT, 0);
    world.run(3_000);
    assert_eq!(world.sent(), []);
}

#[test]
fn what_comes_and_goes_says_so_and_is_over_only_when_that_lasts() {
    let mut world = default();
    for round in 0..5 {
        world.run(round * 200);
        world.fire(ALERT);
        world.run(round * 200 + 100);
        world.end(ALERT, round * 200);
    }
    world.run(5_000);
    assert_eq!(
        world.sent(),
        [
            (10, "first notification +a"),
            (130, "all alerts resolved -a"),
            (210, "first notification +a"),
            (330, "all alerts resolved -a"),
            (410, "first notification +a"),
            (1_550, "all alerts resolved -a"),
        ]
    );
    let flaps: Vec<usize> = world
        .attempts
        .iter()
        .map(|it| it.notification.flaps)
        .collect();
    assert_eq!(flaps, [0, 0, 0, 0, 2, 0]);
}

#[test]
fn what_comes_and_goes_does_so_still_after_a_restart() {
    let mut world = default();
    let mut disk = Disk::default();
    let mut restart = |world: &mut World| {
        disk.write(world.alerter.changes(true, world.now_ms));
        // What could wait is written in portions.
        while world.alerter.folds() {
            disk.write(world.alerter.changes(true, world.now_ms));
        }
        let mut reborn = default();
        reborn.now_ms = world.now_ms;
        reborn.mails = std::mem::take(&mut world.mails);
        reborn.alerter.load(disk.stored(), reborn.now_ms);
        *world = reborn;
    };
    let mut flaps = Vec::new();
    for round in 0..5 {
        world.run(round * 200);
        world.fire(ALERT);
        world.run(round * 200 + 100);
        world.end(ALERT, round * 200);
        // Once while it is over, then while its end is not believed yet.
        world.run(round * 200 + if round < 2 { 150 } else { 110 });
        flaps.extend(world.attempts.iter().map(|it| it.notification.flaps));
        restart(&mut world);
    }
    world.fire(ALERT);
    world.run(1_050);
    world.end(ALERT, 1_000);
    world.run(5_000);
    let told: Vec<i64> = world.sent().into_iter().map(|(at_s, _)| at_s).collect();
    assert_eq!(told, [10, 130, 210, 330, 410, 1_670]);
    assert_eq!(flaps, [0, 0, 0, 0, 2]);
}

#[test]
fn who_routes_by_a_file_of_their_own_is_told_ends_at_once() {
    let mut world = World::new(tree(
        "group_wait: 0s, group_interval: 1s",
        "send_resolved: true",
    ));
    world.fire(ALERT);
    world.run(100);
    world.end(ALERT, 0);
    world.run(102);
    assert_eq!(world.sent().len(), 2);
}
