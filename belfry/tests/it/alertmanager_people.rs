//! `belfry alertmanager` beyond Alertmanager: taking alerts on, the history, why,
//! escalation by age, much at once in one mail, what was held back; each where its
//! file says so.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::alertmanager::Alone;
use crate::support::sink::{Act, Sink};
use crate::support::{http, poll};

/// A file of Alertmanager's own keys, and `more` at its end.
fn config(sink: &Sink, email: &str, more: &str) -> String {
    format!(
        "global: {{smtp_smarthost: '127.0.0.1:{}', smtp_from: am@example.org, smtp_require_tls: false}}\n\
         route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 2s}}\n\
         receivers: [{{name: ops, email_configs: [{{to: ops@example.org, {email}}}]}}]\n{more}\n",
        sink.port()
    )
}

fn fire(alone: &Alone, alerts: &[(&str, &str)]) {
    let alerts: Vec<Value> = alerts
        .iter()
        .map(|(name, severity)| {
            json!({
                "labels": {"alertname": name, "severity": severity, "instance": "web1:9100"},
                "annotations": {"summary": format!("{name} it is")},
            })
        })
        .collect();
    let answer = http::post(
        &alone.address(),
        "/api/v2/alerts",
        &json!(alerts).to_string(),
    );
    assert_eq!(answer.expect("an answer").status, 200);
}

/// The command line, told of the storage path alone.
fn command(alone: &Alone, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_belfry"))
        .args(arguments)
        .arg("--data")
        .arg(alone.scratch.path.join("data"))
        .env("LOGNAME", "lee")
        .env_remove("SUDO_USER")
        .current_dir(&alone.scratch.path)
        .output();
    output.expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn subjects(sink: &Sink) -> Vec<String> {
    let received = sink.received();
    let subject = |it: &crate::support::sink::Received| it.mail.header("subject").to_owned();
    received.iter().map(subject).collect()
}

/// A form as a browser sends it from a page of `site`.
fn filled(alone: &Alone, path: &str, site: &str, form: &str) -> u16 {
    let address = alone.address();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nSec-Fetch-Site: {site}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{form}",
        form.len()
    );
    http::send(&address, &request).expect("an answer").status
}

#[test]
fn an_alert_is_taken_on_by_the_link_of_its_mail_and_at_the_terminal() {
    let sink = Sink::start(&[Act::Accept]);
    let text = "html: '', text: 'take it on: {{ ackURL }}'";
    let alone = Alone::start(&config(&sink, text, ""), &[]);
    fire(&alone, &[("Disk", "warning")]);
    poll::holds("it should be repeated while nobody has it", || {
        sink.received().len() >= 2
    });
    let mail = sink.received()[0].mail.text.clone();
    let (_, path) = mail.trim().split_once("/ack/mail/").expect("a link");
    let path = format!("/ack/mail/{path}");
    let page = http::get(&alone.address(), &path).unwrap();
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Disk it is"), "{}", page.body);
    let cut = http::get(&alone.address(), &path[..path.len() - 2]).unwrap();
    assert_eq!(cut.status, 403, "a link that is none of ours");

    let of = |arguments: &[&str]| -> Value {
        let output = command(&alone, arguments);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|err| panic!("{err}: {output:?}"))
    };
    let alerts = of(&["alerts", "--json"]);
    assert_eq!(alerts["alerts"][0]["ack"], Value::Null);
    let id = alerts["alerts"][0]["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    let form = format!("only={id}&by=kim&note=on+it");
    assert_eq!(filled(&alone, &path, "cross-site", &form), 403);
    assert_eq!(of(&["alerts", "--json"])["alerts"][0]["ack"], Value::Null);
    assert_eq!(filled(&alone, &path, "same-origin", &form), 303);
    assert_eq!(of(&["alerts", "--json"])["alerts"][0]["ack"]["by"], "kim");

    // Nobody is told of it again, and that is what the program says.
    let why = said(&command(&alone, &["why", "Disk"]));
    assert!(
        why.contains("told, and acknowledged: not repeated"),
        "{why}"
    );
    assert!(why.contains("ops@example.org"), "{why}");
    let undone = command(&alone, &["ack", "Disk", "--undo"]);
    assert_eq!(undone.status.code(), Some(0), "{undone:?}");
    let before = sink.received().len();
    poll::holds("it should be repeated again", || {
        sink.received().len() > before
    });
    let taken = command(&alone, &["ack", "Disk", "-m", "again"]);
    assert!(said(&taken).contains("Disk"), "{taken:?}");
    let history = of(&["alerts", "--history", "--json"]);
    let steps = history["episodes"][0]["steps"].to_string();
    for step in ["told", "acknowledged", "unacknowledged"] {
        assert!(steps.contains(&format!("\"{step}\"")), "{steps}");
    }
    // Alertmanager's own answers know nothing of it.
    let plain = http::get(&alone.address(), "/api/v2/alerts").unwrap().body;
    assert!(plain.contains("Disk") && !plain.contains("ack"), "{plain}");
}

/// When the end of a silence was last looked at.
fn looked_at(alone: &Alone) -> Option<String> {
    let page = http::get(&alone.address(), "/metrics")
        .expect("the page")
        .body;
    let name = "belfry_notice_last_timestamp_seconds{kind=\"held back\"} ";
    page.lines()
        .find_map(|line| Some(line.strip_prefix(name)?.to_owned()))
}

/// Fires while a silence holds, which is then ended.
fn held_back(alone: &Alone, name: &str) {
    let matcher = format!("alertname={name}");
    let (ok, id) = alone.amtool(&["silence", "add", &matcher, "-c", "works", "-a", "kim"]);
    assert!(ok, "{id}");
    fire(alone, &[(name, "warning")]);
    poll::holds("it should be held back", || {
        let path = format!("/api/belfry/v1/history?name={name}");
        let history = http::get(&alone.address(), &path)
            .expect("an answer")
            .json();
        history["episodes"][0]["steps"]
            .to_string()
            .contains("muted")
    });
    assert!(alone.amtool(&["silence", "expire", id.trim()]).0);
}

#[test]
fn a_summary_of_what_was_held_back_comes_only_where_the_file_asks_for_it() {
    let sink = Sink::start(&[Act::Accept]);
    let mut alone = Alone::start(&config(&sink, "", ""), &[]);
    let began = poll::until("the looks should begin", || looked_at(&alone));
    held_back(&alone, "Plain");
    poll::holds("its end should be looked at", || {
        looked_at(&alone).is_some_and(|at| at != began)
    });

    // The same file with one key more.
    alone.configure(&config(&sink, "", "held_back: true"));
    alone.process().signal(rustix::process::Signal::HUP);
    poll::holds("the file should be read", || {
        alone
            .process()
            .log()
            .contains("another configuration is in force")
    });
    held_back(&alone, "Asked");
    poll::holds("what was held back should be told", || {
        subjects(&sink)
            .iter()
            .any(|it| it.starts_with("[HELD BACK]"))
    });
    let received = sink.received();
    let held: Vec<_> = received
        .iter()
        .filter(|it| it.mail.header("subject").starts_with("[HELD BACK]"))
        .collect();
    assert_eq!(held.len(), 1, "not of what was held back before");
    let text = &held[0].mail.text;
    for words in ["by kim has ended: works", "Asked it is"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn what_its_file_asks_for_beyond_alertmanager_is_done() {
    let sink = Sink::start(&[Act::Accept]);
    let more = "escalation: [{matchers: ['severity=\"warning\"'], raise_after: 6s, second_after: 0s, again_after: 0s}]\n\
        collapse: {from: 3, within: 30s}";
    let words = "html: '', text: '{{ range .Alerts }}{{ .Labels.alertname }} {{ .Labels.severity }} {{ end }}'";
    let alone = Alone::start(&config(&sink, words, more), &[]);
    fire(&alone, &[("Old", "warning")]);
    let texts = || -> Vec<String> {
        let received = sink.received();
        received
            .iter()
            .map(|it| it.mail.text.trim().to_owned())
            .collect()
    };
    poll::holds("it should become critical by its age", || {
        texts().contains(&"Old critical".to_owned())
    });
    assert_eq!(texts()[0], "Old warning");
    let many = [("A", "info"), ("B", "info"), ("C", "info"), ("D", "info")];
    fire(&alone, &many);
    poll::holds("one mail should tell of all of them", || {
        let in_one = |text: &String| {
            many.iter()
                .all(|(name, _)| text.contains(&format!("{name} info")))
        };
        texts().iter().any(in_one)
    });
}
