//! Time intervals: refused in Alertmanager's words.

use crate::support::peer::amtool;
use crate::support::{config, mail};

/// Each is wrong in one way, which Debian's `amtool check-config` names.
const WRONG: [&str; 16] = [
    "times: [{start_time: '09:00'}]",
    "times: [{start_time: '9:00', end_time: '10:00'}]",
    "times: [{start_time: '24:00', end_time: '24:00'}]",
    "times: [{start_time: '10:00', end_time: '09:00'}]",
    "weekdays: [someday]",
    "weekdays: ['friday:monday']",
    "weekdays: ['a:b:c']",
    "days_of_month: ['0']",
    "days_of_month: ['1:32']",
    "days_of_month: ['-32']",
    "days_of_month: ['-3:2']",
    "days_of_month: ['5:3']",
    "days_of_month: ['20:-15']",
    "months: ['may:march']",
    "years: ['2026:2025']",
    "location: Nowhere/Land",
];

fn with(span: &str) -> String {
    format!(
        "{{route: {{receiver: a}}, receivers: [{{name: a}}], time_intervals: [{{name: t, time_intervals: [{{{span}}}]}}]}}"
    )
}

async fn check(folder: &std::path::Path, yaml: &str) -> Option<String> {
    let file = folder.join("a.yml");
    std::fs::write(&file, yaml).unwrap();
    let (code, out, _) = amtool("", &["check-config", file.to_str().unwrap()]).await;
    let failed = out
        .split_once("FAILED: ")
        .map(|(_, text)| text.trim().to_owned());
    assert_eq!(code == 0, failed.is_none(), "{out}");
    failed
}

#[tokio::test]
async fn faults_are_those_that_amtool_names() {
    let folder = tempfile::tempdir().unwrap();
    for span in WRONG {
        let theirs = check(folder.path(), &with(span)).await.unwrap();
        let ours = alerter::check(&config(&with(span)), &mail("{}"));
        assert_eq!(ours.len(), 1, "{span}: {ours:?}");
        assert_eq!(ours[0].message, theirs, "{span}");
    }
}

#[tokio::test]
async fn names_are_checked_as_amtool_checks_them() {
    let folder = tempfile::tempdir().unwrap();
    let rest = "receivers: [{name: a}]";
    for yaml in [
        format!("{{route: {{receiver: a, mute_time_intervals: [t]}}, {rest}}}"),
        format!("{{route: {{receiver: a, active_time_intervals: [t]}}, {rest}}}"),
        format!("{{route: {{receiver: a, routes: [{{mute_time_intervals: [t]}}]}}, {rest}}}"),
        format!("{{route: {{receiver: a}}, time_intervals: [{{name: t}}, {{name: t}}], {rest}}}"),
        format!(
            "{{route: {{receiver: a}}, mute_time_intervals: [{{name: t}}], time_intervals: [{{name: t}}], {rest}}}"
        ),
        format!(
            "{{route: {{receiver: a}}, mute_time_intervals: [{{name: t}}, {{name: t}}], {rest}}}"
        ),
    ] {
        let theirs = check(folder.path(), &yaml).await.unwrap();
        let ours = alerter::check(&config(&yaml), &mail("{}"));
        let ours: Vec<&str> = ours.iter().map(|it| &*it.message).collect();
        assert!(ours.contains(&&*theirs), "{yaml}: {theirs}: {ours:?}");
    }
    let sound = "{route: {receiver: a, routes: [{mute_time_intervals: [s], active_time_intervals: [t]}]}, \
        mute_time_intervals: [{name: s, time_intervals: [{weekdays: ['SATURDAY', 'sunday:monday']}]}], \
        time_intervals: [{name: t, time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}], days_of_month: ['1:-1', '15'], months: [13, 'may'], location: Europe/Berlin}]}], receivers: [{name: a}]}";
    assert_eq!(check(folder.path(), sound).await, None);
    assert_eq!(alerter::check(&config(sound), &mail("{}")), []);
}
