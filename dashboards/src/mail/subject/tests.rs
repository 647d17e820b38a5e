use super::*;
use crate::fact::Severity;

const MINUTE: i64 = 60_000;
const NOW: i64 = 1_787_447_174_000;

fn mail(kind: Kind, summaries: &[&str]) -> Mail {
    let alert = |summary: &&str| MailAlert {
        name: "ApiDown".into(),
        summary: (*summary).into(),
        started_ms: NOW - 64 * MINUTE,
        ended_ms: (kind == Kind::Resolved).then_some(NOW - 50 * MINUTE),
        resolved: kind == Kind::Resolved,
        ..MailAlert::default()
    };
    Mail {
        host: "vps1".into(),
        now_ms: NOW,
        severity: Severity::Critical,
        kind,
        alerts: summaries.iter().map(alert).collect(),
        ..Mail::default()
    }
}

#[test]
fn a_subject_reads_as_a_person_would_write_it() {
    for (kind, summaries, line) in [
        (
            Kind::First,
            &["api is down: 0 of 2 healthy"][..],
            "[SEV-1] api is down on vps1: 0 of 2 healthy",
        ),
        (
            Kind::Repeat,
            &["api is down: 0 of 2 healthy"],
            "[SEV-1 · 1 h 04] api is still down on vps1: 0 of 2 healthy",
        ),
        (
            Kind::Repeat,
            &["Disk fills up"],
            "[SEV-1 · 1 h 04] still: Disk fills up on vps1",
        ),
        (
            Kind::Resolved,
            &["api is down: 0 of 2 healthy"],
            "[OK] api on vps1, was down 14 min",
        ),
        (
            Kind::Resolved,
            &["both replicas are down"],
            "[OK] both replicas on vps1, were down 14 min",
        ),
        (
            Kind::Resolved,
            &["Disk fills up"],
            "[OK] over on vps1 after 14 min: Disk fills up",
        ),
        (
            Kind::First,
            &["vps1 is out of memory."],
            "[SEV-1] vps1 is out of memory",
        ),
        (
            Kind::Raised,
            &["queue is stuck"],
            "[SEV-2 -> SEV-1] queue is stuck on vps1 (1 h 04)",
        ),
        (
            Kind::Raised,
            &["queue is stuck", "x"],
            "[SEV-2 -> SEV-1] 2 alerts on vps1: queue is stuck and 1 more",
        ),
        (Kind::First, &[""], "[SEV-1] ApiDown on vps1"),
        (
            Kind::First,
            &["api is down: 0 of 2", "disk is full", "x"],
            "[SEV-1] 3 alerts on vps1: api is down and 2 more",
        ),
        (
            Kind::Repeat,
            &["api is down", "x"],
            "[SEV-1 · 1 h 04] 2 alerts still on vps1: api is down",
        ),
        (
            Kind::Resolved,
            &["api is down", "x"],
            "[OK] 2 alerts on vps1 ended, took 14 min: api is down",
        ),
        (
            Kind::Test,
            &[],
            "[TEST] mail from Belfry on vps1 arrives, nothing is wrong",
        ),
        (Kind::First, &[], "[SEV-1] all alerts on vps1 have ended"),
    ] {
        assert_eq!(subject(&mail(kind, summaries)), line, "{kind:?}");
    }
}

#[test]
fn only_what_is_new_is_told_as_new() {
    let mut news = mail(
        Kind::New,
        &["api is down", "disk is full", "queue is stuck"],
    );
    for alert in &mut news.alerts {
        alert.severity = Severity::Warning;
    }
    news.alerts[1].new = true;
    assert_eq!(subject(&news), "[SEV-2] disk is full on vps1");
    news.alerts[2].severity = Severity::Critical;
    news.alerts[2].new = true;
    assert_eq!(
        subject(&news),
        "[SEV-1] 2 new on vps1: disk is full and 1 more"
    );
}

#[test]
fn what_does_not_fit_loses_its_tail_first() {
    let long = "api is down: 0 of 2 containers healthy, last exit code 1, three restarts";
    assert_eq!(
        subject(&mail(Kind::First, &[long])),
        "[SEV-1] api is down on vps1"
    );
    let solid = "disk / is 71 % full and fills up in about 19 days";
    assert_eq!(
        subject(&mail(Kind::First, &[solid])),
        "[SEV-1] disk / is 71 % full and fills up in about… on vps1"
    );
    let endless = "word ".repeat(2000);
    assert!(subject(&mail(Kind::First, &[&endless])).chars().count() <= MOST);
}

#[test]
fn a_subject_cannot_break_out_of_its_header() {
    let subject = subject(&mail(
        Kind::First,
        &["a\r\nBcc: all@example.org\u{0}\u{202e}"],
    ));
    assert!(!subject.chars().any(char::is_control), "{subject:?}");
    assert_eq!(
        subject,
        "[SEV-1] a Bcc on vps1: all@example.org\u{fffd}<U+202E>"
    );
}

#[test]
fn a_whole_hour_is_said_without_its_minutes() {
    let mut hour = mail(Kind::Repeat, &["api is down"]);
    hour.alerts[0].started_ms = NOW - 60 * MINUTE;
    assert_eq!(subject(&hour), "[SEV-1 · 1 h] api is still down on vps1");
}

#[test]
fn the_first_line_says_the_whole_fact() {
    let first = mail(
        Kind::First,
        &["api is down: 0 of 2 containers healthy, and a long tail that the subject leaves out"],
    );
    assert_eq!(
        sentence(&first),
        "api is down on vps1: 0 of 2 containers healthy, and a long tail that the subject leaves out."
    );
}
