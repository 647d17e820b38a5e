//! Mails that are no pages: the digest, what silences and time intervals held back,
//! the canary.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::clock::Clock;
use crate::support::poll;
use crate::support::sink::{Act, Received, Sink};

const NOTE: &str = "\
- alert: Noted
  expr: last_over_time(test_switch[30s]) == 1
  labels: {severity: info}
  annotations: {summary: a thing to know}
";

fn by_mark(sink: &Sink, mark: &str) -> Vec<Received> {
    let all = sink.received().into_iter();
    all.filter(|got| got.mail.header("Subject").starts_with(mark))
        .collect()
}

#[test]
fn what_is_only_shown_is_told_once_a_day_and_the_canary_at_once() {
    let sink = Sink::start(&[Act::Accept]);
    let clock = Clock::new();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    // The full minute in three hours from now.
    let due = (now / 60 + 180) * 60;
    let digest = format!("{:02}:{:02}", due / 3600 % 24, due / 60 % 60);
    let setup = Setup::new().rules(NOTE).part(&format!(
        "timezone: UTC\nmail: {{smarthost: '127.0.0.1:{}', from: belfry@example.org, to: ops@example.org, tls: none, \
         digest: '{digest}', canary: 7d}}",
        sink.port()
    ));
    setup.switch(true);
    let mut belfry = Launch::with(&setup.config()).clock(&clock).start();
    poll::holds("the canary should come at once", || {
        by_mark(&sink, "[CANARY]").len() == 1
    });
    poll::holds("it should fire, and be shown", || {
        belfry.get("/").body.contains("a thing to know")
    });
    assert_eq!(sink.received().len(), 1, "info is not mailed by itself");
    poll::holds("the canary should be noted as sent", || {
        let name = "belfry_notice_last_timestamp_seconds{kind=\"canary\"}";
        belfry.metric(name).is_some()
    });

    belfry.kill();
    clock.step_to(i64::try_from(due - now).unwrap() + 5);
    belfry.restart();
    poll::holds("the digest should come", || {
        by_mark(&sink, "[DIGEST]").len() == 1
    });
    let mail = &by_mark(&sink, "[DIGEST]")[0].mail;
    assert_eq!(
        mail.header("Subject"),
        "[DIGEST] 1 thing to know on testhost"
    );
    assert!(
        mail.text.contains("SEV-3  a thing to know"),
        "{}",
        mail.text
    );
    let done = |kind: &str| {
        belfry.metric(&format!(
            "belfry_notice_last_timestamp_seconds{{kind=\"{kind}\"}}"
        ))
    };
    poll::holds("the metric should say so", || {
        done("digest").is_some() && done("canary").is_some()
    });
    assert_eq!(sink.received().len(), 2, "each once, over a restart too");
}

/// Silences the switch; the silence's id.
fn silence(belfry: &Belfry, comment: &str) -> String {
    let silence = format!(
        r#"{{"matchers":[{{"name":"alertname","value":"Switched","isRegex":false,"isEqual":true}}],
        "startsAt":"2020-01-01T00:00:00Z","endsAt":"2099-01-01T00:00:00Z","createdBy":"kim","comment":"{comment}"}}"#
    );
    let answer = belfry.post("/api/v2/silences", &silence).json();
    answer["silenceID"].as_str().expect("an id").to_owned()
}

fn unsilence(belfry: &Belfry, id: &str) {
    let address = belfry.address();
    let request = format!(
        "DELETE /api/v2/silence/{id} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    );
    let answer = crate::support::http::send(address, &request).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// When the end of a silence was last looked at.
fn looked_at(belfry: &Belfry) -> Option<f64> {
    belfry.metric("belfry_notice_last_timestamp_seconds{kind=\"held back\"}")
}

/// The steps of the switch's alert say so.
fn steps_have(belfry: &Belfry, words: &str) -> bool {
    let history = belfry.get("/api/belfry/v1/history").json();
    history["episodes"][0]["steps"].to_string().contains(words)
}

#[test]
fn what_a_silence_held_back_is_told_when_it_ends() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    let belfry = Launch::with(&setup.config()).start();
    poll::holds("the notices should have begun", || {
        looked_at(&belfry).is_some()
    });
    let id = silence(&belfry, "move");
    setup.switch(true);
    poll::holds("it should be held back", || steps_have(&belfry, "muted"));
    setup.switch(false);
    poll::holds("it should end", || {
        belfry.get("/api/belfry/v1/history").json()["episodes"][0]["ended_ms"].is_i64()
    });
    assert_eq!(sink.received().len(), 0);
    unsilence(&belfry, &id);
    poll::holds("what was held back should be told", || {
        by_mark(&sink, "[HELD BACK]").len() == 1
    });
    let text = &by_mark(&sink, "[HELD BACK]")[0].mail.text;
    for words in [
        "by kim has ended: move",
        "Ended meanwhile",
        "the switch is on",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn of_two_silences_the_end_of_the_first_tells_nothing_and_that_of_the_last_tells_all() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    let belfry = Launch::with(&setup.config()).start();
    let began = poll::until("the notices should have begun", || looked_at(&belfry));
    let first = silence(&belfry, "move");
    setup.switch(true);
    poll::holds("it should be held back", || steps_have(&belfry, "move"));
    let last = silence(&belfry, "longer");
    poll::holds("both should be named", || steps_have(&belfry, "longer"));
    unsilence(&belfry, &first);
    poll::holds("its end should be looked at", || {
        looked_at(&belfry) > Some(began)
    });
    assert_eq!(sink.received().len(), 0, "the other one mutes it still");
    unsilence(&belfry, &last);
    poll::holds("what was held back should be told", || {
        by_mark(&sink, "[HELD BACK]").len() == 1
    });
    let text = &by_mark(&sink, "[HELD BACK]")[0].mail.text;
    for words in [
        "by kim has ended: longer",
        "Fires still",
        "the switch is on",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// A minute of the day, in UTC.
fn clock_at(minute: u64) -> String {
    let minute = minute % 1440;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn minute_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs() / 60
}

#[test]
fn what_a_time_interval_held_back_is_told_when_it_ends() {
    let sink = Sink::start(&[Act::Accept]);
    let clock = Clock::new();
    let now = minute_now();
    // From an hour ago to one hour from now; over midnight by two spans.
    let (from, to) = (clock_at(now - 60), clock_at(now + 60));
    let to = to.replace("00:00", "24:00");
    let times = match from < to {
        true => format!("{{start_time: '{from}', end_time: '{to}'}}"),
        false => format!(
            "{{start_time: '{from}', end_time: '24:00'}}, {{start_time: '00:00', end_time: '{to}'}}"
        ),
    };
    let setup = Setup::switched("0s")
        .part(&format!(
            "mail: {{smarthost: '127.0.0.1:{}', from: belfry@example.org, to: ops@example.org, tls: none, digest: ''}}",
            sink.port()
        ))
        .part(&format!(
            "alerter:\n  route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h, \
             routes: [{{receiver: ops, mute_time_intervals: [works]}}]}}\n  \
             receivers: [{{name: ops, email_configs: [{{to: ops@example.org, send_resolved: true}}]}}]\n  \
             time_intervals: [{{name: works, time_intervals: [{{times: [{times}]}}]}}]"
        ));
    let mut belfry = Launch::with(&setup.config()).clock(&clock).start();
    poll::holds("the notices should have begun", || {
        let name = "belfry_notice_last_timestamp_seconds{kind=\"held back by time\"}";
        belfry.metric(name).is_some()
    });
    setup.switch(true);
    poll::holds("it should be held back", || {
        let history = belfry.get("/api/belfry/v1/history").json();
        history["episodes"][0]["steps"]
            .to_string()
            .contains("muted by works")
    });
    assert_eq!(sink.received().len(), 0);
    // An orderly end: a power cut may lose the last step of the history.
    belfry.signal(rustix::process::Signal::TERM);
    belfry.wait();
    clock.step_to(62 * 60);
    belfry.restart();
    poll::holds("what was held back should be told", || {
        by_mark(&sink, "[HELD BACK]").len() == 1
    });
    let mail = &by_mark(&sink, "[HELD BACK]")[0].mail;
    assert_eq!(
        mail.header("Subject"),
        "[HELD BACK] 1 alert was held back on testhost"
    );
    for words in [
        "The time interval works has ended.",
        "Fires still",
        "the switch is on",
    ] {
        assert!(mail.text.contains(words), "{words}: {}", mail.text);
    }
    poll::holds("and the alert itself too", || sink.received().len() == 2);
}

#[test]
fn with_a_route_of_ones_own_the_digest_tells_what_it_leads_to_nobody() {
    const TOLD: &str = "- alert: Told\n  expr: last_over_time(test_switch[30s]) == 1\n  \
        labels: {severity: info, team: db}\n  annotations: {summary: somebody is told}\n";
    let sink = Sink::start(&[Act::Accept]);
    let clock = Clock::new();
    let due = minute_now() + 180;
    let setup = Setup::new().rules(&format!("{NOTE}{TOLD}")).part(&format!(
        "timezone: UTC\nmail: {{smarthost: '127.0.0.1:{}', from: belfry@example.org, to: ops@example.org, tls: none, \
         digest: '{}'}}",
        sink.port(),
        clock_at(due)
    ));
    let setup = setup.part(
        "alerter:\n  route: {receiver: ops, group_by: [alertname], group_wait: 1h, \
         routes: [{receiver: nobody, matchers: ['severity=\"info\"', 'team=\"\"']}]}\n  \
         receivers: [{name: nobody}, {name: ops, email_configs: [{to: ops@example.org}]}]",
    );
    setup.switch(true);
    let mut belfry = Launch::with(&setup.config()).clock(&clock).start();
    poll::holds("both should fire", || {
        belfry.get("/api/belfry/v1/alerts").json()["alerts"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
    });
    poll::holds("the digest should have begun", || {
        let name = "belfry_notice_last_timestamp_seconds{kind=\"digest\"}";
        belfry.metric(name).is_some()
    });
    belfry.kill();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    clock.step_to(i64::try_from(due * 60 - now.as_secs()).unwrap() + 5);
    belfry.restart();
    poll::holds("the digest should come", || {
        by_mark(&sink, "[DIGEST]").len() == 1
    });
    let mail = &by_mark(&sink, "[DIGEST]")[0].mail;
    assert!(mail.text.contains("a thing to know"), "{}", mail.text);
    assert!(!mail.text.contains("somebody is told"), "{}", mail.text);
}
