//! Silences.

use super::*;
use crate::held;
use crate::silence::{Id, SilenceDraft, SilenceMatcher};

impl World {
    /// Silences `alertname=name` from now on.
    pub(super) fn silence(&mut self, name: &str, until_s: i64) -> Id {
        let draft = SilenceDraft {
            matchers: vec![SilenceMatcher {
                name: "alertname".into(),
                value: name.into(),
                is_regex: false,
                is_equal: true,
            }],
            starts_ms: self.now_ms,
            ends_ms: until_s * 1_000,
            created_by: "me".into(),
            comment: "works".into(),
            ..SilenceDraft::default()
        };
        let fresh = Id::new([u8::try_from(until_s % 251).unwrap(); 16]);
        self.alerter.silence(draft, fresh, self.now_ms).unwrap()
    }
}

#[test]
fn silenced_alerts_are_not_told_until_the_silence_ends() {
    let mut world = World::new(tree("group_wait: 10s, group_interval: 1m", ""));
    let id = world.silence("a", 100);
    world.fire("alertname=a");
    world.fire("alertname=b");
    world.run(50);
    let views = world.alerter.alerts(world.now_ms);
    let view = |name: &str| {
        let mut all = views.iter();
        all.find(|view| view.labels["alertname"] == name).unwrap()
    };
    assert_eq!(view("a").silenced_by, [id.to_string()]);
    assert_eq!(view("a").state, AlertState::Suppressed);
    assert_eq!(view("a").next_ms, None);
    assert_eq!(view("b").silenced_by, [""; 0]);
    assert_eq!(view("b").state, AlertState::Active);
    world.run(1_000);
    assert_eq!(
        world.sent(),
        [
            (10, "first notification +b"),
            (130, "new alerts added +a +b")
        ]
    );
    assert_eq!(world.alerter.counters.suppressed[&Mute::Silenced], 2);
}

#[test]
fn an_ended_silence_lets_the_next_look_tell() {
    let mut world = World::new(tree("group_wait: 10s, group_interval: 1m", ""));
    let id = world.silence("a", 10_000);
    world.fire("alertname=a");
    world.run(100);
    world.alerter.unsilence(id, world.now_ms).unwrap();
    world.run(200);
    assert_eq!(world.sent(), [(130, "first notification +a")]);
}

#[test]
fn the_end_of_what_was_told_is_told_even_if_it_is_silenced_by_then() {
    for (letter, wanted) in [(false, 2), (true, 1)] {
        let mut plan = own();
        plan.letter = letter;
        let mut world = World::new(plan);
        world.fire("alertname=a severity=critical");
        world.run(20);
        world.silence("a", 1_000);
        world.end("alertname=a severity=critical", 0);
        world.run(500);
        assert_eq!(world.mails.len(), wanted, "{:?}", world.mails);
    }
}

#[test]
fn silences_outlive_a_restart_and_a_step_of_the_clock_and_are_forgotten_in_time() {
    let mut world = World::new(with("{silences: {retention: 1h}}", MAIL));
    world.silence("a", 1_000);
    world.alerter.shift(500_000);
    world.run(2_000);
    let changes = world.alerter.changes(true, world.now_ms);
    let (id, kept) = changes.silences[0].clone();
    let kept = kept.unwrap();
    assert_eq!(
        kept.ends_ms, 1_000_000,
        "people meant the wall clock's time"
    );
    let kinds: Vec<_> = changes.history.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Silenced, EventKind::SilenceEnded]);
    assert_eq!(
        changes.history[0].detail,
        format!("{id}: {{alertname=\"a\"}} by me: works")
    );
    let mut world = World::new(with("{silences: {retention: 1h}}", MAIL));
    let stored = Stored {
        silences: vec![SilenceRow { id, kept }],
        ..Stored::default()
    };
    world.alerter.load(stored, 0);
    let labels = Incoming::from(alert("alertname=a", 0, None)).labels;
    assert_eq!(world.alerter.silenced_by(&labels, 1_000_000), [id]);
    assert_eq!(world.alerter.silenced_by(&labels, 1_000_001), []);
    world.run(3_600);
    assert!(world.alerter.silence_of(id, world.now_ms).is_some());
    world.run(3_600 * 3);
    assert!(world.alerter.silence_of(id, world.now_ms).is_none());
    let changes = world.alerter.changes(true, world.now_ms);
    assert_eq!(changes.silences, [(id, None)]);
}

#[test]
fn of_two_silences_the_last_to_end_held_an_alert_back() {
    let mut world = World::new(tree("group_wait: 10s, group_interval: 1m", ""));
    let first = world.silence("a", 200).to_string();
    world.fire("alertname=a");
    world.run(50);
    let second = world.silence("a", 400).to_string();
    let episode = |world: &World| {
        let fingerprint = alert("alertname=a", 0, None).fingerprint();
        world.alerter.episode(fingerprint).unwrap()
    };
    let held = |world: &World, id: &str| {
        held::by_silence(&episode(world).steps, id, world.now_ms)
            && !world.alerter.is_muted(&episode(world), world.now_ms)
    };
    // It ends, and the other one still mutes; at once, and after the next look.
    for at_s in [201, 300] {
        world.run(at_s);
        assert!(!held(&world, &first), "{at_s}");
    }
    world.run(401);
    assert!(held(&world, &second) && !held(&world, &first));
    let steps = episode(&world).steps;
    let muted: Vec<&str> = steps.iter().map(|step| &*step.detail).collect();
    let said = |id: &str| format!("silence {id} by me: works");
    let both = {
        let mut both = [said(&first), said(&second)];
        both.sort();
        both.join("; ")
    };
    assert_eq!(muted, [said(&first), both, said(&second)]);
    world.run(500);
    assert_eq!(world.sent(), [(430, "first notification +a")]);
    assert!(!held(&world, &second), "somebody was told");
}
