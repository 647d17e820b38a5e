//! The scenarios in the midst of which both servers take another configuration,
//! or are stopped and started again.
//!
//! A reload happens when groups are looked at anyway: over it and over a restart
//! ours go on in their beat, and Alertmanager's begin a new one. After the restart
//! clients tell at the seventh second, in our beat, what still fires.

use super::Scenario;
use super::scenarios::{SEVERITIES, inhibited, plain};

const fn reloaded(
    name: &'static str,
    route: &'static str,
    after: &'static str,
    steps: &'static str,
    messages: usize,
) -> Scenario {
    Scenario {
        after,
        ..plain(name, route, steps, messages)
    }
}

pub(super) const RELOADS: &[Scenario] = &[
    plain("re-quiet", "continue: false", "0 +a", 1),
    plain("re-end", "continue: false", "0 +a; 6 -a", 2),
    plain("re-news", "continue: false", "0 +a; 6 +b", 2),
    plain("re-new-group", "group_by: [alertname]", "0 +a; 6 +b", 2),
    plain("re-silenced", "continue: false", "0 ~a; 0 +a; 6 +b", 1),
    reloaded(
        "re-grouped",
        "group_by: [alertname]",
        "group_by: [alertname, x]",
        "0 +a x=1; 6 +b x=1",
        3,
    ),
    reloaded(
        "re-muted",
        "mute_time_intervals: [never]",
        "mute_time_intervals: [always]",
        "0 +a; 6 +b",
        1,
    ),
    reloaded(
        "re-unmuted",
        "mute_time_intervals: [always]",
        "mute_time_intervals: [never]",
        "6 +a",
        1,
    ),
    reloaded(
        "re-repeats",
        "repeat_interval: 1h",
        "repeat_interval: 5s",
        "0 +a",
        2,
    ),
    inhibited("re-hidden", SEVERITIES, "0 +s sev=c; 6 +t sev=w", 1),
];

pub(super) const RESTARTS: &[Scenario] = &[
    plain("up-quiet", "continue: false", "0 +a; 7 =a", 1),
    plain("up-end", "continue: false", "0 +a; 7 =a; 8 -a", 2),
    plain("up-news", "continue: false", "0 +a; 7 =a; 8 +b", 2),
    plain("up-new", "continue: false", "8 +a", 1),
    plain(
        "up-new-group",
        "group_by: [alertname]",
        "0 +a; 7 =a; 8 +b",
        2,
    ),
    plain(
        "up-silenced",
        "continue: false",
        "0 ~a; 0 +a; 7 =a; 8 +b",
        1,
    ),
    plain("up-repeats", "repeat_interval: 7s", "0 +a; 7 =a", 2),
    inhibited(
        "up-hidden",
        SEVERITIES,
        "0 +s sev=c; 7 =s sev=c; 8 +t sev=w",
        1,
    ),
];
