//! Time intervals. The world begins on Thursday, the 1st of January 1970.

use super::*;

fn windows(route: &str) -> Plan {
    with(
        &format!(
            "{{route: {{receiver: none, routes: [{{receiver: a, group_wait: 10s, group_interval: 10m, {route}}}]}}, \
             receivers: [{{name: none}}, {{name: a, email_configs: [{{to: ops@example.org, from: b@example.org, smarthost: 'mx:25', send_resolved: true}}]}}], \
             time_intervals: [{{name: first-hour, time_intervals: [{{times: [{{start_time: '00:00', end_time: '01:00'}}]}}]}}, \
             {{name: thursday, time_intervals: [{{weekdays: [thursday]}}]}}]}}"
        ),
        "{}",
    )
}

#[test]
fn nothing_is_told_in_a_mute_interval_and_the_next_look_tells_it() {
    let mut world = World::new(windows("mute_time_intervals: [first-hour]"));
    world.fire("alertname=a");
    world.run(600);
    let id = *world.alerter.groups.keys().next().unwrap();
    let names = |world: &World| world.alerter.group_muted_by(id, world.now_ms);
    assert_eq!(names(&world), ["first-hour".into()]);
    assert_eq!(world.alerter.alerts(world.now_ms)[0].next_ms, None);
    world.run(7_000);
    assert_eq!(names(&world), []);
    assert_eq!(world.sent(), [(3_610, "first notification +a")]);
    assert_eq!(world.alerter.counters.suppressed[&Mute::Window], 6);
}

#[test]
fn outside_of_the_active_intervals_nothing_is_told() {
    let mut world = World::new(windows(
        "active_time_intervals: [first-hour], mute_time_intervals: [thursday]",
    ));
    world.fire("alertname=a");
    world.run(86_400 + 700);
    // Thursday mutes it, then the day is not the first hour, then it is Friday.
    assert_eq!(world.sent(), [(86_410, "first notification +a")]);
    let suppressed = &world.alerter.counters.suppressed;
    assert_eq!(suppressed[&Mute::Window], 6);
    assert_eq!(suppressed[&Mute::Inactive], 138);
}

#[test]
fn what_ends_in_a_mute_interval_is_not_told() {
    let mut world = World::new(windows("mute_time_intervals: [first-hour]"));
    world.now_ms = 3_550_000;
    world.fire("alertname=a");
    world.run(3_700);
    world.end("alertname=a", 3_550);
    world.run(10_000);
    assert_eq!(world.sent(), []);
}
