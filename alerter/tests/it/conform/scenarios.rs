//! The scenarios. Unless they say otherwise a group waits 1 s, is looked at each
//! 2 s, and tells ends.

use super::Scenario;

pub(super) const fn plain(
    name: &'static str,
    route: &'static str,
    steps: &'static str,
    messages: usize,
) -> Scenario {
    Scenario {
        name,
        route,
        webhook: "send_resolved: true",
        inhibit: "",
        after: "",
        steps,
        messages,
    }
}

pub(super) const fn inhibited(
    name: &'static str,
    inhibit: &'static str,
    steps: &'static str,
    messages: usize,
) -> Scenario {
    Scenario {
        inhibit,
        ..plain(name, "continue: false", steps, messages)
    }
}

const fn told(
    name: &'static str,
    webhook: &'static str,
    steps: &'static str,
    messages: usize,
) -> Scenario {
    Scenario {
        webhook,
        ..plain(name, "continue: false", steps, messages)
    }
}

pub(super) const SEVERITIES: &str = "{source_matchers: [SCENARIO, 'sev=\"c\"'], target_matchers: [SCENARIO, 'sev=\"w\"'], equal: [host]}";

/// Kinds and their scenarios.
pub(super) const KINDS: &[(&str, &[Scenario])] = &[
    (
        "grouping",
        &[
            plain("single", "continue: false", "0 +a", 1),
            plain("pair", "continue: false", "0 +a; 0 +b", 1),
            plain(
                "by-name",
                "group_by: [alertname]",
                "0 +a; 0 +b; 0 +b x=1",
                2,
            ),
            plain("by-all", "group_by: ['...']", "0 +a x=1; 0 +a x=2", 2),
            plain(
                "by-absent",
                "group_by: [host]",
                "0 +a host=1; 0 +b; 0 +c",
                2,
            ),
            plain(
                "by-two",
                "group_by: [host, alertname]",
                "0 +a host=1; 0 +a host=2; 0 +b host=1",
                3,
            ),
            plain(
                "by-odd-value",
                "group_by: [path]",
                r#"0 +a path=C:\temp"x""#,
                1,
            ),
            plain("empty-label", "group_by: [x]", "0 +a x=", 1),
            plain(
                "order",
                "continue: false",
                "0 +b job=z; 0 +a job=y instance=2; 0 +c job=y instance=1; 0 +d",
                1,
            ),
        ],
    ),
    (
        "timing",
        &[
            plain("late-joiner", "continue: false", "0 +a; 2 +b", 2),
            plain(
                "two-joiners",
                "continue: false",
                "0 +a; 2 +b; 2 +c; 6 +d",
                3,
            ),
            plain("long-interval", "group_interval: 4s", "0 +a; 2 +b", 2),
            plain("no-wait", "group_wait: 0s", "0 +a; 1 +b", 2),
            plain("long-wait", "group_wait: 5s", "0 +a; 2 +b; 2 -a", 1),
            plain("heard-again", "continue: false", "0 +a; 2 +a; 4 +a", 1),
        ],
    ),
    (
        "repeat",
        &[
            plain("repeat", "repeat_interval: 3s", "0 +a", 3),
            plain("repeat-after-news", "repeat_interval: 5s", "0 +a; 2 +b", 3),
            plain("repeat-all-ended", "repeat_interval: 3s", "0 +a; 2 -a", 2),
        ],
    ),
    (
        "resolve",
        &[
            plain("end", "continue: false", "0 +a; 2 -a", 2),
            plain("end-of-one", "continue: false", "0 +a; 0 +b; 2 -a", 2),
            plain(
                "end-one-by-one",
                "continue: false",
                "0 +a; 0 +b; 2 -a; 4 -b",
                3,
            ),
            plain("end-unseen", "continue: false", "0 +a; 0.4 -a", 0),
            plain("end-and-news", "continue: false", "0 +a; 2 -a; 2 +b", 2),
            plain("end-told-twice", "continue: false", "0 +a; 2 -a; 4 -a", 2),
            plain("end-by-itself", "continue: false", "0 +a @2", 2),
            plain("back-again", "continue: false", "0 +a; 2 -a; 4 +a", 3),
            plain(
                "back-and-gone",
                "continue: false",
                "0 +a; 2 -a; 4 +a; 6 -a",
                4,
            ),
            plain(
                "new-group",
                "group_by: [alertname]",
                "0 +a; 2 -a; 4 +a; 4 +b",
                4,
            ),
            told("no-ends", "send_resolved: false", "0 +a; 2 -a; 4 +a", 2),
            told(
                "no-ends-of-some",
                "send_resolved: false",
                "0 +a; 0 +b; 2 -a; 4 +c",
                2,
            ),
            told(
                "at-most-one",
                "max_alerts: 1",
                "0 +a x=1; 0 +b x=1; 2 -a x=1",
                2,
            ),
            told("refused", "send_resolved: true", "0 +a", 2),
        ],
    ),
    (
        "inhibit",
        &[
            inhibited("hidden", SEVERITIES, "0 +s sev=c; 0 +t sev=w", 1),
            inhibited(
                "hidden-then-shown",
                SEVERITIES,
                "0 +s sev=c; 0 +t sev=w; 2 -s sev=c",
                2,
            ),
            inhibited(
                "hidden-by-host",
                SEVERITIES,
                "0 +s sev=c host=1; 0 +t sev=w host=1; 0 +u sev=w host=2",
                1,
            ),
            inhibited("hidden-too-late", SEVERITIES, "0 +t sev=w; 2 +s sev=c", 2),
            inhibited(
                "hidden-end",
                SEVERITIES,
                "0 +t sev=w; 2 +s sev=c; 4 -t sev=w",
                2,
            ),
            inhibited(
                "hides-not-itself",
                "{source_matchers: [SCENARIO, 'sev=\"c\"'], target_matchers: [SCENARIO]}",
                "0 +a sev=c",
                1,
            ),
            inhibited(
                "both-sides",
                "{source_matchers: [SCENARIO, 'sev=~\"c|w\"'], target_matchers: [SCENARIO, 'sev=~\"c|w\"']}",
                "0 +a sev=c; 0 +b sev=w",
                1,
            ),
        ],
    ),
    (
        "silence",
        &[
            plain("silenced", "continue: false", "0 ~a; 0 +a; 0 +b", 1),
            plain("silenced-all", "continue: false", "0 ~a|b; 0 +a; 0 +b", 0),
            plain("silenced-for-4", "continue: false", "0 ~a 4; 0 +a; 0 +b", 2),
            plain("silence-ended", "continue: false", "0 ~a; 0 +a; 4 !", 1),
            plain("silenced-later", "repeat_interval: 3s", "0 +a; 2 ~a", 1),
            plain("silenced-end", "continue: false", "0 +a; 2 ~a; 4 -a", 1),
            plain(
                "silenced-end-of-one",
                "continue: false",
                "0 +a; 0 +b; 2 ~a; 4 -a; 6 -b",
                2,
            ),
        ],
    ),
    (
        "routes",
        &[
            plain(
                "first-match",
                "routes: [{receiver: first-match-b, matchers: ['x=\"1\"']}, {receiver: first-match-c, matchers: ['x=\"1\"']}]",
                "0 +a x=1",
                1,
            ),
            plain(
                "continue",
                "routes: [{receiver: continue-b, matchers: ['x=\"1\"'], continue: true}, {receiver: continue-c, matchers: ['x=\"1\"']}]",
                "0 +a x=1; 0 +b",
                3,
            ),
            plain(
                "continue-alone",
                "routes: [{receiver: continue-alone-b, matchers: ['x=\"1\"'], continue: true}]",
                "0 +a x=1",
                1,
            ),
            plain(
                "nested",
                "routes: [{receiver: nested-b, matchers: ['x=~\"1|2\"'], routes: [{receiver: nested-c, matchers: ['y!=\"\"']}]}]",
                "0 +a x=1; 0 +b x=2 y=1; 0 +c x=3",
                3,
            ),
            plain(
                "inherits",
                "group_by: [alertname], routes: [{receiver: inherits-b, matchers: ['x=\"1\"']}]",
                "0 +a x=1; 0 +b x=1",
                2,
            ),
            plain(
                "regroups",
                "group_by: [alertname], routes: [{receiver: regroups-b, group_by: [x], matchers: ['x=\"1\"']}]",
                "0 +a x=1; 0 +b x=1",
                1,
            ),
            plain(
                "classic",
                "routes: [{receiver: classic-b, match: {x: '1'}, match_re: {y: 'p.*'}}]",
                "0 +a x=1 y=prod; 0 +b x=1 y=test",
                2,
            ),
            plain(
                "sorted-key",
                "routes: [{receiver: sorted-key-b, matchers: ['z!~\"2\"', 'y=\"1\"']}]",
                "0 +a y=1 z=3",
                1,
            ),
            plain(
                "absent-is-empty",
                "routes: [{receiver: absent-is-empty-b, matchers: ['none=\"\"']}]",
                "0 +a",
                1,
            ),
            plain(
                "own-timers",
                "routes: [{receiver: own-timers-b, matchers: ['x=\"1\"'], group_wait: 3s, group_interval: 4s}]",
                "0 +a x=1; 4 +b x=1",
                2,
            ),
        ],
    ),
    (
        "time intervals",
        &[
            plain("muted", "mute_time_intervals: [always]", "0 +a", 0),
            plain("not-muted", "mute_time_intervals: [never]", "0 +a; 2 -a", 2),
            plain(
                "muted-by-one",
                "mute_time_intervals: [never, week]",
                "0 +a",
                0,
            ),
            plain(
                "active",
                "active_time_intervals: [never, always]",
                "0 +a",
                1,
            ),
            plain("not-active", "active_time_intervals: [never]", "0 +a", 0),
            plain(
                "not-inherited",
                "mute_time_intervals: [always], routes: [{receiver: not-inherited-b, matchers: ['x=\"1\"']}]",
                "0 +a x=1; 0 +b",
                1,
            ),
        ],
    ),
];
