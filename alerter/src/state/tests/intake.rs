//! Alerts as they came: what is read again after a death, and what waits while
//! the database is away.

use std::collections::BTreeSet;

use super::kept::Disk;
use super::*;

/// How many beginnings the history has once all is written that the next process reads on the
/// disk, and of how many alerts.
fn told_after_a_death(disk: &mut Disk) -> (usize, usize) {
    let mut reborn = World::new(own());
    reborn.now_ms = 60_000;
    reborn.alerter.load(disk.stored(), reborn.now_ms);
    while reborn.alerter.has_lazy_changes() || reborn.alerter.folds() {
        disk.write(reborn.alerter.changes(true, reborn.now_ms));
    }
    let began = disk.began();
    let once: BTreeSet<_> = began.iter().collect();
    (began.len(), once.len())
}

#[test]
fn what_began_is_in_the_history_once_whenever_the_process_dies() {
    for written in 0..8 {
        let mut world = World::new(own());
        let mut disk = Disk::default();
        for name in 0..1_000 {
            world.fire(&format!("alertname=a{name} severity=info"));
        }
        disk.write(world.alerter.changes(false, world.now_ms));
        world.now_ms = 1_000;
        world.end("alertname=a7 severity=info", 0);
        disk.write(world.alerter.changes(false, world.now_ms));
        for _ in 0..written {
            disk.write(world.alerter.changes(true, world.now_ms));
        }
        assert_eq!(told_after_a_death(&mut disk), (1_000, 1_000), "{written}");
    }
}

#[test]
fn while_the_database_is_away_nothing_but_names_waits() {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    world.fire("alertname=first severity=info");
    let lost = world.alerter.changes(false, world.now_ms);
    world.alerter.take_back(lost);
    for name in 0..100 {
        world.fire(&format!("alertname=a{name} severity=info"));
    }
    assert_eq!(world.alerter.dirty.intake, "");
    // What began is in the history with the alerts, not a minute later.
    let changes = world.alerter.changes(false, world.now_ms);
    assert_eq!(changes.history.len(), 101);
    disk.write(changes);
    world.alerter.stored();
    world.fire("alertname=last severity=info");
    assert!(world.alerter.changes(false, world.now_ms).intake.is_some());
}

#[test]
fn many_alerts_at_once_are_no_reason_to_think_the_database_away() {
    let mut world = World::new(own());
    let words = "x".repeat(10_000);
    for name in 0..1_000 {
        let mut alert = alert(&format!("alertname=a{name}"), 0, None);
        alert.annotations = [("summary".to_owned(), words.clone())].into();
        world.put(alert);
    }
    let changes = world.alerter.changes(false, world.now_ms);
    let bytes = changes.intake.map_or(0, |(_, text)| text.len());
    assert!(bytes > 10_000_000, "{bytes} bytes");
    assert_eq!(changes.alerts.len(), 0);
}

#[test]
fn what_began_is_told_to_the_history_before_the_rows_that_know_of_it_go() {
    for written in 0..4 {
        let mut world = World::new(own());
        let mut disk = Disk::default();
        for name in 0..1_000 {
            world.fire(&format!("alertname=a{name} severity=info"));
        }
        disk.write(world.alerter.changes(false, world.now_ms));
        assert_eq!(disk.began(), []);
        // The database is away for a while, in which a fold fails too.
        let lost = world.alerter.changes(true, world.now_ms);
        world.alerter.take_back(lost);
        world.now_ms = 1_000;
        world.end("alertname=a7 severity=info", 0);
        for _ in 0..3 {
            let lost = world.alerter.changes(true, world.now_ms);
            world.alerter.take_back(lost);
        }
        for _ in 0..written {
            disk.write(world.alerter.changes(true, world.now_ms));
            world.alerter.stored();
        }
        assert_eq!(told_after_a_death(&mut disk), (1_000, 1_000), "{written}");
    }
}

#[test]
fn however_many_began_while_the_database_was_away_none_is_lost_for_it() {
    let mut world = World::new(own());
    let many = (0..20_000).map(|name| alert(&format!("alertname=a{name} severity=info"), 0, None));
    world.alerter.put(many.collect(), world.now_ms);
    for _ in 0..3 {
        let lost = world.alerter.changes(true, world.now_ms);
        world.alerter.take_back(lost);
    }
    let changes = world.alerter.changes(true, world.now_ms);
    let kinds = changes.history.iter().map(|event| event.kind);
    let began = kinds.filter(|kind| *kind == EventKind::Started).count();
    assert_eq!((began, world.alerter.counters.lost_history), (20_000, 0));
}

#[test]
fn what_began_is_in_the_history_although_it_was_over_long_before_the_database_came_back() {
    for ended_first in [false, true] {
        let mut world = World::new(own());
        let mut disk = Disk::default();
        let fail = |world: &mut World| {
            let lost = world.alerter.changes(true, world.now_ms);
            world.alerter.take_back(lost);
        };
        world.fire("alertname=a severity=info");
        let fingerprint = *world.alerter.alerts.keys().next().unwrap();
        if !ended_first {
            fail(&mut world);
        }
        world.run(60);
        world.end("alertname=a severity=info", 0);
        for hour in 1..=3 {
            fail(&mut world);
            world.run(60 + hour * 3_600);
        }
        while world.alerter.has_lazy_changes() || world.alerter.folds() {
            disk.write(world.alerter.changes(true, world.now_ms));
        }
        world.alerter.stored();
        assert_eq!(disk.began(), [(0, fingerprint)], "{ended_first}");
        // Nothing needs it any more.
        world.run(60 + 4 * 3_600);
        disk.write(world.alerter.changes(true, world.now_ms));
        assert!(world.alerter.alerts.is_empty(), "{ended_first}");
        assert!(disk.stored().alerts.is_empty(), "{ended_first}");
    }
}
