//! Restarts and reloads: nothing is lost, nothing is told twice.

use super::*;
use crate::episode::Episode;

/// The database, as far as the state can tell.
#[derive(Default, Clone)]
pub(super) struct Disk {
    alerts: BTreeMap<u64, AlertRow>,
    groups: BTreeMap<(Arc<str>, Arc<str>), GroupRow>,
    log: BTreeMap<(String, String, usize), Entry>,
    intake: BTreeMap<u64, String>,
    pub(super) episodes: BTreeMap<u64, Episode>,
    history: Vec<Happened>,
}

impl Disk {
    pub(super) fn write(&mut self, changes: Changes) {
        for (fingerprint, row) in changes.alerts {
            match row {
                Some(row) => self.alerts.insert(fingerprint, row),
                None => self.alerts.remove(&fingerprint),
            };
        }
        for (names, row) in changes.groups {
            match row {
                Some(row) => self.groups.insert(names, row),
                None => self.groups.remove(&names),
            };
        }
        self.history.extend(changes.history);
        self.intake.extend(changes.intake);
        let over = changes.intake_over.unwrap_or(0);
        self.intake.retain(|id, _| *id > over);
        for row in changes.episodes {
            self.episodes.insert(row.id, row);
        }
        for row in changes.log {
            let key = (row.group, row.receiver, row.integration);
            match row.entry {
                Some(entry) => self.log.insert(key, entry),
                None => self.log.remove(&key),
            };
        }
    }

    /// What began, and when, in order.
    pub(super) fn began(&self) -> Vec<(i64, u64)> {
        let began = self.history.iter();
        let began = began.filter(|event| event.kind == EventKind::Started);
        let mut began: Vec<_> = began
            .map(|event| (event.at_ms, event.labels.fingerprint()))
            .collect();
        began.sort_unstable();
        began
    }

    pub(super) fn stored(&self) -> Stored {
        Stored {
            next_mail: 1,
            alerts: self.alerts.values().cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            log: self
                .log
                .iter()
                .map(|((group, receiver, integration), entry)| LogRow {
                    group: group.clone(),
                    receiver: receiver.clone(),
                    integration: *integration,
                    entry: Some(entry.clone()),
                })
                .collect(),
            intake: self.intake.values().flat_map(|it| Came::read(it)).collect(),
            intake_id: self.intake.keys().last().copied().unwrap_or(0),
            began: self.began().into_iter().collect(),
            silences: Vec::new(),
            episodes: self.episodes.values().cloned().collect(),
            next_episode: self.episodes.keys().last().map_or(1, |last| last + 1),
        }
    }
}

/// Plays a storm of changing alerts; the process dies at step `dies_at`, before
/// or after that step is stored, and is started again 40 s later. What can wait
/// is stored every so many steps.
fn play(dies_at: usize, all: usize) -> (usize, Vec<(i64, String)>) {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    let mut step = 0;
    let mut at_s = 0;
    let died = std::cell::Cell::new(false);
    let mut checkpoint = |world: &mut World, disk: &mut Disk| {
        if step == dies_at {
            died.set(true);
            let mut reborn = World::new(own());
            reborn.now_ms = world.now_ms + 40_000;
            reborn.mails = std::mem::take(&mut world.mails);
            reborn.alerter.load(disk.stored(), reborn.now_ms);
            *world = reborn;
        }
        step += 1;
        let all = step.is_multiple_of(all);
        disk.write(world.alerter.changes(all, world.now_ms));
    };
    while at_s < 700 {
        at_s += 10;
        if world.now_ms > at_s * 1_000 {
            continue;
        }
        world.now_ms = at_s * 1_000;
        for name in 0..4 {
            // Fires from second 20·name on, for 300 s, is heard of all the while.
            let starts_s = 20 * name;
            let ends_s = starts_s + 300;
            if at_s >= starts_s {
                let ends = (at_s >= ends_s).then_some(ends_s);
                let labels = format!("alertname=a{name} severity=critical");
                world
                    .alerter
                    .put(vec![alert(&labels, starts_s, ends)], world.now_ms);
                checkpoint(&mut world, &mut disk);
            }
        }
        world.alerter.tick(world.now_ms);
        checkpoint(&mut world, &mut disk);
        while let Some(delivery) = world.alerter.next_delivery(world.now_ms, |_| true) {
            checkpoint(&mut world, &mut disk);
            // The server has it from here on, whether or not we live to know.
            world.deliver(&delivery);
            checkpoint(&mut world, &mut disk);
        }
    }
    assert!(died.get() || dies_at == usize::MAX);
    (step, world.mails)
}

#[test]
fn a_death_at_any_step_loses_nothing_and_doubles_at_most_one() {
    for all in [1, usize::MAX] {
        die_at_any_step(all);
    }
}

fn die_at_any_step(all: usize) {
    let (steps, undisturbed) = play(usize::MAX, all);
    assert_eq!(undisturbed.len(), 8, "{undisturbed:?}");
    let said = |mails: &[(i64, String)]| {
        let mut counts = BTreeMap::new();
        for (_, says) in mails {
            *counts.entry(says.clone()).or_insert(0) += 1;
        }
        counts
    };
    let wanted = said(&undisturbed);
    for dies_at in 0..steps {
        let (_, mails) = play(dies_at, all);
        let found = said(&mails);
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            wanted.keys().collect::<Vec<_>>(),
            "died at step {dies_at} of {all}"
        );
        let doubled: usize = found.values().map(|count| count - 1).sum();
        assert!(doubled <= 1, "died at step {dies_at}: {mails:?}");
    }
}

#[test]
fn a_restart_keeps_timers_and_what_is_owed() {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    world.fire("alertname=told severity=critical");
    world.run(20);
    world.away = Some(Class::Refused);
    world.fire("alertname=owed severity=critical");
    world.run(40);
    disk.write(world.alerter.changes(false, world.now_ms));
    let mut reborn = World::new(own());
    reborn.now_ms = 100_000;
    reborn.alerter.load(disk.stored(), reborn.now_ms);
    assert_eq!(reborn.alerter.queue(), 1);
    reborn.run(3_700);
    assert_eq!(
        reborn.sent(),
        [
            (100, "first notification +owed"),
            (3_640, "repeat interval elapsed +told"),
            (3_700, "repeat interval elapsed +owed"),
        ],
        "the resolve time-out begins anew, so nothing has ended"
    );
}

#[test]
fn what_fired_at_the_stop_ends_only_after_the_time_out() {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    world.put(alert("alertname=a severity=critical", 0, None));
    world.run(20);
    disk.write(world.alerter.changes(false, world.now_ms));
    let mut reborn = World::new(own());
    reborn.now_ms = 7_200_000;
    reborn.alerter.load(disk.stored(), reborn.now_ms);
    reborn.run(7_499);
    let said: Vec<_> = reborn.mails.iter().map(|(_, says)| &**says).collect();
    assert_eq!(
        said,
        ["repeat interval elapsed +a"],
        "it was due while we were away"
    );
    reborn.run(7_600);
    assert_eq!(reborn.mails.last().unwrap().1, "all alerts resolved -a");
}

#[test]
fn what_could_not_be_stored_is_stored_later() {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    world.fire("alertname=a severity=critical");
    world.run(20);
    let lost = world.alerter.changes(true, world.now_ms);
    assert!(!lost.is_empty());
    assert!(world.alerter.changes(false, world.now_ms).is_empty());
    world.alerter.take_back(lost);
    world.run(80);
    let changes = world.alerter.changes(false, world.now_ms);
    let kinds: Vec<_> = changes.history.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Started, EventKind::Notified]);
    disk.write(changes);
    let mut reborn = World::new(own());
    reborn.now_ms = 100_000;
    reborn.alerter.load(disk.stored(), reborn.now_ms);
    reborn.run(400);
    assert_eq!(reborn.sent(), []);
}

#[test]
fn a_later_end_is_not_worth_a_write_and_other_words_wait_for_the_next() {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    world.put(alert("alertname=a severity=info", 0, Some(300)));
    let came = world.alerter.changes(false, 0);
    assert_eq!((came.alerts.len(), came.intake.is_some()), (0, true));
    disk.write(came);
    disk.write(world.alerter.changes(true, 0));
    assert_eq!((disk.alerts.len(), disk.intake.len()), (1, 0));
    world.put(alert("alertname=a severity=info", 0, Some(400)));
    assert!(world.alerter.changes(true, 0).is_empty());
    let mut said = alert("alertname=a severity=info", 0, Some(500));
    said.annotations = [("value".to_owned(), "7".to_owned())].into();
    world.put(said);
    assert!(world.alerter.changes(false, 0).is_empty());
    let all = world.alerter.changes(true, 0);
    assert_eq!(all.alerts[0].1.as_ref().unwrap().ends_ms, 500_000);
}

#[test]
fn a_group_waits_no_longer_for_a_death_before_it_was_told() {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    world.fire("alertname=a severity=warning");
    disk.write(world.alerter.changes(false, world.now_ms));
    let mut reborn = World::new(own());
    reborn.now_ms = 20_000;
    reborn.alerter.load(disk.stored(), reborn.now_ms);
    reborn.run(100);
    assert_eq!(reborn.sent(), [(30, "first notification +a")]);
}

#[test]
fn alerts_that_no_database_takes_have_rows_of_their_own_when_it_is_back() {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    for name in 0..1_000 {
        world.fire(&format!("alertname=a{name} severity=info"));
    }
    let lost = world.alerter.changes(false, world.now_ms);
    world.alerter.take_back(lost);
    disk.write(world.alerter.changes(false, world.now_ms));
    assert_eq!((disk.alerts.len(), disk.intake.len()), (1_000, 0));
}

#[test]
fn what_can_wait_is_stored_in_portions_and_the_intake_goes_with_the_last() {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    for name in 0..1_000 {
        world.fire(&format!("alertname=a{name} severity=info"));
    }
    disk.write(world.alerter.changes(false, world.now_ms));
    let mut portions = 0;
    while world.alerter.has_lazy_changes() || world.alerter.folds() {
        assert_eq!(disk.intake.len(), 1, "after {portions} portions");
        disk.write(world.alerter.changes(true, world.now_ms));
        portions += 1;
    }
    assert!(portions > 1);
    assert_eq!((disk.alerts.len(), disk.intake.len()), (1_000, 0));
    assert_eq!(disk.episodes.len(), 1_000);
}

#[test]
fn a_reload_keeps_groups_that_are_still_there() {
    let mut world = World::new(own());
    world.fire("alertname=a severity=critical");
    world.fire("alertname=b severity=warning");
    world.run(20);
    let mut plan = own();
    plan.routes[1].repeat_interval_ms = 600_000;
    world.alerter.reload(Arc::new(plan), world.now_ms);
    world.run(700);
    assert_eq!(
        world.sent(),
        [
            (10, "first notification +a"),
            (30, "first notification +b"),
            (610, "repeat interval elapsed +a"),
        ]
    );
}

#[test]
fn a_reload_in_the_middle_of_a_mail_neither_loses_nor_doubles_it() {
    let mut world = World::new(own());
    world.alerter.put(
        vec![alert("alertname=a severity=critical", 0, Some(9_999))],
        0,
    );
    world.alerter.tick(10_000);
    let delivery = world.alerter.next_delivery(10_000, |_| true).unwrap();
    world.now_ms = 11_000;
    world.alerter.reload(Arc::new(own()), world.now_ms);
    world.settle();
    assert!(world.attempts.is_empty(), "it is still under way");
    world.deliver(&delivery);
    world.run(3_000);
    assert_eq!(world.sent(), [(11, "first notification +a")]);
}

#[test]
fn another_tree_takes_the_alerts_over() {
    let mut world = World::new(own());
    world.fire("alertname=a severity=critical");
    world.run(20);
    world
        .alerter
        .reload(Arc::new(tree("group_by: ['...']", "")), world.now_ms);
    world.run(60);
    assert_eq!(
        world.sent(),
        [(10, "first notification +a"), (50, "first notification +a")]
    );
    let keys: Vec<_> = world
        .alerter
        .groups()
        .into_iter()
        .map(|group| group.key)
        .collect();
    assert_eq!(keys, [r#"{}:{alertname="a", severity="critical"}"#]);
    let mut disk = Disk::default();
    disk.write(world.alerter.changes(false, world.now_ms));
    assert_eq!(disk.groups.len(), 1, "the old tree's group is gone");
}

#[test]
fn who_joined_a_group_is_told_of_after_a_death_although_only_its_alert_was_stored() {
    for ends_before in [false, true] {
        let mut world = World::new(own());
        let mut disk = Disk::default();
        let mut store = |world: &mut World| {
            let changes = world.alerter.changes(false, world.now_ms);
            let rows = changes.groups.len();
            disk.write(changes);
            (rows, disk.clone())
        };
        world.fire("alertname=x instance=a severity=critical");
        assert_eq!(store(&mut world).0, 0, "the alert says it");
        world.fire("alertname=x instance=b severity=critical");
        assert_eq!(store(&mut world).0, 0, "the alert says it");
        world.run(30);
        store(&mut world);
        world.fire("alertname=x instance=c severity=critical");
        store(&mut world);
        if ends_before {
            // What ended is found by its group alone.
            world.now_ms += 1_000;
            world.end("alertname=x instance=c severity=critical", 30);
            assert_eq!(store(&mut world).0, 1);
        }
        let (_, disk) = store(&mut world);
        let mut reborn = World::new(own());
        reborn.now_ms = world.now_ms + 1_000;
        reborn.alerter.load(disk.stored(), reborn.now_ms);
        let groups = reborn.alerter.groups();
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].alerts.len(), 3, "ended: {ends_before}");
    }
}
