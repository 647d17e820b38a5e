//! What is kept of alerts, and taking them on.

use std::collections::BTreeSet;

use super::kept::Disk;
use super::*;
use crate::HistoryFilter;
use crate::episode::{Ack, Episode, StepKind};

const ALL: HistoryFilter = HistoryFilter {
    fingerprint: None,
    name: None,
    since_ms: 0,
    limit: 100,
};

impl World {
    fn ack(&mut self, text: &str, by: &str) -> usize {
        let wanted = self.alerter.find(text).unwrap();
        let ack = Ack {
            by: by.into(),
            note: "on it".into(),
            at_ms: self.now_ms,
        };
        self.alerter
            .acknowledge(&wanted, Some(&ack), self.now_ms)
            .len()
    }

    fn episodes(&self) -> Vec<Episode> {
        self.alerter.known_episodes(&ALL)
    }
}

/// `told 10`: the steps and their seconds.
fn steps(episode: &Episode) -> Vec<String> {
    let step = |step: &crate::Step| format!("{} {}", step.kind.as_str(), step.at_ms / 1_000);
    episode.steps.iter().map(step).collect()
}

#[test]
fn an_episode_tells_an_alert_from_its_beginning_to_its_end() {
    let mut world = World::new(own());
    world.fire("alertname=a severity=critical");
    world.run(30);
    world.ack("a", "kim");
    world.run(100);
    world.end("alertname=a severity=critical", 0);
    world.run(200);
    let [episode] = &*world.episodes() else {
        panic!("{:?}", world.episodes());
    };
    assert_eq!((episode.started_ms, episode.ended_ms), (0, Some(100_000)));
    assert_eq!((episode.pages, episode.told_ms), (1, Some(10_000)));
    assert_eq!(episode.ack.as_ref().unwrap().by, "kim");
    assert_eq!(steps(episode), ["told 10", "acknowledged 30", "told 130"]);
    let took = world.alerter.took();
    assert_eq!(took.resolved["critical"].sum_ms, 100_000);
    assert_eq!(took.acknowledged["critical"].sum_ms, 30_000);
}

#[test]
fn what_is_taken_on_is_not_repeated_until_it_ends_and_begins_anew() {
    let mut world = World::new(own());
    world.fire("alertname=a severity=critical");
    world.run(20);
    assert_eq!(
        world.alerter.alerts(world.now_ms)[0].next_ms,
        Some(3_610_000)
    );
    assert_eq!(world.ack("a", "kim"), 1);
    assert_eq!(world.alerter.alerts(world.now_ms)[0].next_ms, None);
    world.run(20_000);
    world.end("alertname=a severity=critical", 0);
    world.run(30_000);
    world.fire("alertname=a severity=critical");
    world.run(40_000);
    let sent: Vec<_> = world.sent().into_iter().take(4).collect();
    assert_eq!(
        sent,
        [
            (10, "first notification +a"),
            (20_050, "all alerts resolved -a"),
            (30_010, "first notification +a"),
            (33_610, "repeat interval elapsed +a"),
        ]
    );
    assert_eq!(world.alerter.ack_of(world.episodes()[0].fingerprint), None);
}

#[test]
fn who_joins_what_is_taken_on_is_told_and_repeated() {
    let mut world = World::new(own());
    world.fire("alertname=a severity=critical x=1");
    world.run(20);
    world.ack("a", "kim");
    world.fire("alertname=a severity=critical x=2");
    world.run(4_000);
    assert_eq!(
        world.sent(),
        [
            (10, "first notification +a"),
            (70, "new alerts added +a +a"),
            (3_670, "repeat interval elapsed +a +a"),
        ]
    );
    assert_eq!(
        world
            .alerter
            .alerts(world.now_ms)
            .iter()
            .filter(|it| it.ack.is_some())
            .count(),
        1
    );
    assert_eq!(world.ack("a", "kim"), 2);
    world.run(40_000);
    assert_eq!(world.sent().len(), 3);
}

#[test]
fn an_acknowledgement_can_be_taken_back() {
    let mut world = World::new(own());
    world.fire("alertname=a severity=critical");
    world.run(20);
    let all = world.alerter.find("a").unwrap();
    world.ack("a", "kim");
    assert_eq!(world.alerter.acknowledge(&all, None, world.now_ms).len(), 1);
    assert_eq!(world.alerter.acknowledge(&all, None, world.now_ms).len(), 0);
    world.run(3_700);
    assert_eq!(world.sent()[1], (3_610, "repeat interval elapsed +a"));
}

#[test]
fn acknowledgements_and_steps_outlive_a_restart() {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    world.fire("alertname=a severity=critical");
    world.fire("alertname=b severity=critical");
    world.run(20);
    world.ack("a", "kim");
    disk.write(world.alerter.changes(true, world.now_ms));
    let before = world.episodes();

    let mut reborn = World::new(own());
    reborn.now_ms = 60_000;
    reborn.alerter.load(disk.stored(), 60_000);
    assert_eq!(reborn.episodes(), before);
    reborn.fire("alertname=a severity=critical");
    reborn.fire("alertname=b severity=critical");
    reborn.run(7_300);
    assert_eq!(
        reborn.sent(),
        [
            (3_610, "repeat interval elapsed +b"),
            (7_210, "repeat interval elapsed +b")
        ]
    );
}

#[test]
fn an_episode_whose_alert_is_lost_ends_with_the_restart() {
    let mut disk = Disk::default();
    let mut world = World::new(own());
    world.fire("alertname=a severity=critical");
    disk.write(world.alerter.changes(true, world.now_ms));
    let mut stored = disk.stored();
    stored.alerts.clear();
    let mut reborn = World::new(own());
    reborn.alerter.load(stored, 90_000);
    let rows = reborn.alerter.changes(true, 90_000).episodes;
    assert_eq!(rows[0].ended_ms, Some(90_000));
    reborn.fire("alertname=a severity=critical");
    assert_eq!(reborn.episodes()[0].id, 2);
}

#[test]
fn what_is_muted_says_by_what_and_when_no_more() {
    let rules = "{recovery: {confirm: 0s, flaps: 0}, inhibit_rules: [{source_matchers: [alertname=cause], target_matchers: \
                 [alertname=symptom]}]}";
    let mut world = World::new(with(rules, MAIL));
    world.fire("alertname=cause severity=critical");
    world.fire("alertname=symptom severity=critical");
    world.run(100);
    world.end("alertname=cause severity=critical", 0);
    world.run(200);
    let all = world.episodes();
    let symptom = all.iter().find(|it| it.labels["alertname"] == "symptom");
    let symptom = symptom.unwrap();
    assert_eq!(steps(symptom), ["muted 10", "unmuted 130", "told 130"]);
    assert_eq!(&*symptom.steps[0].detail, "hidden by cause");
    assert_eq!(symptom.steps[2].kind, StepKind::Told);
}

#[test]
fn a_failed_write_loses_no_episode() {
    let mut world = World::new(own());
    let mut disk = Disk::default();
    for round in 0..3 {
        world.fire("alertname=a severity=critical");
        world.run(round * 1_000 + 500);
        let lost = world.alerter.changes(true, world.now_ms);
        world.end("alertname=a severity=critical", round * 1_000);
        world.alerter.take_back(lost);
        world.run(round * 1_000 + 1_000);
    }
    disk.write(world.alerter.changes(true, world.now_ms));
    let spans: Vec<_> = disk
        .episodes
        .values()
        .map(|it| {
            (
                it.started_ms / 1_000,
                it.ended_ms.map(|ms| ms / 1_000),
                it.pages,
            )
        })
        .collect();
    assert_eq!(
        spans,
        [
            (0, Some(500), 1),
            (1_000, Some(1_500), 1),
            (2_000, Some(2_500), 1)
        ]
    );
}

#[test]
fn alerts_are_found_by_name_and_by_the_beginning_of_their_fingerprint() {
    let mut world = World::new(own());
    world.fire("alertname=a x=1");
    world.fire("alertname=a x=2");
    world.fire("alertname=b");
    let all = world.alerter.find("a").unwrap();
    assert_eq!(all.len(), 2);
    let one = format!("{:016X}", all.first().unwrap());
    assert_eq!(
        world.alerter.find(&one[..8]),
        Ok(BTreeSet::from([*all.first().unwrap()]))
    );
    for unknown in ["c", "", &one[..3], "ffff0000ffff0000"] {
        assert_eq!(
            world.alerter.find(unknown),
            Err(FindError::Nothing(unknown.into()))
        );
    }
    assert_eq!(world.alerter.sharing(*all.first().unwrap()), all);
}

#[test]
fn of_many_silences_those_that_end_last_are_named_and_the_others_counted() {
    let mut world = World::new(tree("group_wait: 10s, group_interval: 1m", ""));
    let ends_s = [230, 170, 250, 190, 210, 150, 240, 180, 220];
    let mut silences: Vec<_> = ends_s
        .iter()
        .map(|until_s| (*until_s, world.silence("a", *until_s)))
        .collect();
    world.fire("alertname=a");
    world.run(20);
    silences.sort_unstable_by_key(|(until_s, _)| std::cmp::Reverse(*until_s));
    let names = |count: usize| -> String {
        let named = silences.iter().take(count);
        named.map(|(_, id)| format!("silence {id}; ")).collect()
    };
    let episode = world.episodes().remove(0);
    let [muted] = &*episode.steps else {
        panic!("{episode:?}");
    };
    assert_eq!(*muted.detail, format!("{}and 3 more", names(6)));
    world.run(200);
    // Those that ended meanwhile are not among them.
    let episode = world.episodes().remove(0);
    let last = &episode.steps.last().unwrap().detail;
    assert!(!last.contains("more"), "{last}");
    let (until_s, id) = silences[0];
    let held = |id: &str| crate::held::by_silence(&episode.steps, id, until_s * 1_000);
    assert!(held(&id.to_string()));
}
