//! `belfry alertmanager`: mails that are no messages, where its file asks for them; and
//! what people use of it below a path.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::alertmanager::Alone;
use crate::support::clock::Clock;
use crate::support::sink::{Act, Received, Sink};
use crate::support::{http, poll};

fn config(sink: &Sink, more: &str) -> String {
    format!(
        "global: {{smtp_smarthost: '127.0.0.1:{}', smtp_from: am@example.org, smtp_require_tls: false}}\n\
         route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s, \
         routes: [{{receiver: nobody, matchers: [severity=info]}}]}}\n\
         receivers: [{{name: nobody}}, {{name: ops, email_configs: [{{to: ops@example.org, html: '', text: '{{{{ ackURL }}}}'}}]}}]\n{more}\n",
        sink.port()
    )
}

fn put(alone: &Alone, prefix: &str, name: &str, severity: &str, more: &Value) {
    let mut alert = json!({
        "labels": {"alertname": name, "severity": severity},
        "annotations": {"summary": format!("{name} it is")},
    });
    for (key, value) in more.as_object().expect("an object") {
        alert[key] = value.clone();
    }
    let path = format!("{prefix}/api/v2/alerts");
    let answer = http::post(&alone.address(), &path, &json!([alert]).to_string());
    assert_eq!(answer.expect("an answer").status, 200);
}

fn marked(sink: &Sink, mark: &str) -> Vec<Received> {
    let all = sink.received().into_iter();
    all.filter(|got| got.mail.header("Subject").starts_with(mark))
        .collect()
}

fn history(alone: &Alone, name: &str) -> Value {
    let path = format!("/api/belfry/v1/history?name={name}");
    let answer = http::get(&alone.address(), &path).expect("an answer");
    answer.json()["episodes"][0].clone()
}

#[test]
fn its_file_may_ask_for_a_canary_and_a_digest_that_tells_nothing_twice() {
    let sink = Sink::start(&[Act::Accept]);
    let clock = Clock::new();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    // The full minute in three hours from now.
    let due = (now / 60 + 180) * 60;
    let digest = format!("{:02}:{:02}", due / 3600 % 24, due / 60 % 60);
    let more = format!("held_back: true\ncanary: 7d\ndigest: '{digest}'");
    let mut alone = Alone::with(&config(&sink, &more), &[]);
    alone.environment = clock.environment();
    alone.environment.push(("TZ".to_owned(), "UTC".to_owned()));
    alone.launch();
    alone.wait();
    poll::holds("the canary should come at once", || {
        marked(&sink, "[CANARY]").len() == 1
    });
    let page = || http::get(&alone.address(), "/metrics").unwrap().body;
    for name in [
        "belfry_canary_failed 0",
        "belfry_canary_interval_seconds 604800",
    ] {
        assert!(page().contains(name), "{name}");
    }

    let (ok, id) = alone.amtool(&[
        "silence",
        "add",
        "alertname=Held",
        "-c",
        "works",
        "-a",
        "kim",
    ]);
    assert!(ok, "{id}");
    put(&alone, "", "Held", "warning", &json!({}));
    poll::holds("it should be held back", || {
        history(&alone, "Held")["steps"]
            .to_string()
            .contains("muted")
    });
    let past = json!({"endsAt": jiff::Timestamp::now().to_string()});
    put(&alone, "", "Held", "warning", &past);
    poll::holds("it should end", || {
        history(&alone, "Held")["ended_ms"].is_i64()
    });
    assert!(alone.amtool(&["silence", "expire", id.trim()]).0);
    poll::holds("what was held back should be told", || {
        marked(&sink, "[HELD BACK]").len() == 1
    });
    poll::holds("and the history should say that it was", || {
        history(&alone, "Held")["steps"]
            .to_string()
            .contains("\"summary\"")
    });
    put(&alone, "", "Note", "info", &json!({}));
    poll::holds("the digest should have begun", || {
        page().contains("belfry_notice_last_timestamp_seconds{kind=\"digest\"}")
    });

    alone.process().stop();
    clock.step_to(i64::try_from(due - now).unwrap() + 5);
    alone.launch();
    alone.wait();
    poll::holds("the digest should come", || {
        marked(&sink, "[DIGEST]").len() == 1
    });
    let text = &marked(&sink, "[DIGEST]")[0].mail.text;
    assert!(text.contains("Note it is"), "{text}");
    assert!(!text.contains("Held it is"), "it was told: {text}");
}

#[test]
fn below_a_path_commands_and_the_page_of_a_link_work() {
    let sink = Sink::start(&[Act::Accept]);
    let url = "--web.external-url=https://am.example/team/alerts";
    let mut alone = Alone::with(&config(&sink, ""), &[url]);
    alone.launch();
    let address = alone.address();
    poll::holds("it should serve", || {
        http::get(&address, "/team/alerts/-/ready").is_ok_and(|it| it.status == 200)
    });
    put(&alone, "/team/alerts", "Disk", "warning", &json!({}));
    poll::holds("it should be told", || !sink.received().is_empty());
    let link = sink.received()[0].mail.text.trim().to_owned();
    let path = link.strip_prefix("https://am.example");
    let path = path.unwrap_or_else(|| panic!("no link: {link}"));
    assert!(path.starts_with("/team/alerts/ack/mail/"), "{path}");
    let page = http::get(&address, path).expect("the page").body;
    assert!(page.contains("Disk it is"), "{page}");
    // As a browser finds what the page names.
    let (_, style) = page
        .split_once("rel=\"stylesheet\" href=\"../../")
        .unwrap_or_else(|| panic!("{page}"));
    let style = style.split('"').next().expect("an address");
    let style = http::get(&address, &format!("/team/alerts/{style}")).expect("the style");
    assert_eq!(style.status, 200);
    assert!(style.body.contains("body"), "{}", style.body);

    let run = |words: &[&str], place: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
        command
            .args(words)
            .args(place)
            .current_dir(&alone.scratch.path);
        let output = command.output().expect("the program runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let data = alone.scratch.path.join("data").display().to_string();
    let below = format!("http://{address}/team/alerts/");
    for place in [["--data", &*data], ["--url", &*below]] {
        let alerts = run(&["alerts"], &place);
        assert!(alerts.contains("Disk it is"), "{place:?}: {alerts}");
        let why = run(&["why", "Disk"], &place);
        assert!(why.contains("ops@example.org"), "{place:?}: {why}");
    }
    let taken = run(&["ack", "Disk", "--by=kim"], &["--data", &*data]);
    assert!(taken.contains("taken on"), "{taken}");
}
