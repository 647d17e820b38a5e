//! Somebody takes an alert on: from the command line, from a mail, from the page.

use std::process::{Command, Output};

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::chromium::Chromium;
use crate::support::http;
use crate::support::poll;
use crate::support::sink::{Act, Sink};

/// The command line of the Belfry that runs.
fn command(belfry: &Belfry, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_belfry"))
        .args(arguments)
        .arg("--data")
        .arg(belfry.data())
        .env("LOGNAME", "lee")
        .env_remove("SUDO_USER")
        .output();
    output.expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A switch that is on and was mailed.
fn paged(repeat: &str) -> (Setup, Sink, Belfry) {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), repeat);
    let belfry = Launch::with(&setup.config()).start();
    setup.switch(true);
    poll::holds("the first mail should go out", || {
        !sink.received().is_empty()
    });
    (setup, sink, belfry)
}

fn rounds(belfry: &Belfry, count: f64) {
    let name = "belfry_evaluations_total";
    let before = belfry.metric(name).unwrap_or_default();
    poll::holds("some rounds should pass", || {
        belfry.metric(name) >= Some(before + count)
    });
}

#[test]
fn what_is_taken_on_at_the_terminal_is_mailed_no_more_until_it_ends() {
    let (setup, sink, mut belfry) = paged("2s");
    let unknown = command(&belfry, &["ack", "Nothing", "--by", "kim"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(
        said(&unknown).contains("nothing that fires is called"),
        "{unknown:?}"
    );
    let dry = command(&belfry, &["ack", "Switched", "--dry-run"]);
    assert!(said(&dry).starts_with("would take"), "{dry:?}");
    poll::holds("it should be repeated while nobody has it", || {
        sink.received().len() >= 2
    });

    let ack = command(&belfry, &["ack", "Switched", "--by", "kim", "-m", "on it"]);
    assert_eq!(ack.status.code(), Some(0), "{ack:?}");
    assert!(said(&ack).starts_with("taken on"), "{ack:?}");
    let list = command(&belfry, &["alerts"]);
    assert_eq!(list.status.code(), Some(2));
    assert!(said(&list).contains("acked by kim at"), "{list:?}");
    assert!(!said(&list).contains("next:"), "{list:?}");
    assert!(belfry.get("/").body.contains("Taken on"));
    poll::holds("the metric should say so", || {
        belfry.metric("belfry_alerts_acknowledged") == Some(1.0)
    });

    // What was under way is out by now; then a restart, which forgets nothing.
    rounds(&belfry, 2.0);
    poll::holds("nothing should be under way", || {
        belfry.metric("belfry_mail_sent_total") == Some(sink.count() as f64)
    });
    let count = sink.received().len();
    belfry.kill();
    belfry.restart();
    rounds(&belfry, 5.0);
    assert_eq!(sink.received().len(), count, "kim has it");

    setup.switch(false);
    poll::holds("the end should be mailed", || sink.received().len() > count);
    let over = &sink.received()[count].mail;
    assert!(over.header("Subject").starts_with("[OK]"));
    assert!(over.text.contains("kim"), "{}", over.text);
    setup.switch(true);
    poll::holds("a new beginning is nobody's", || {
        sink.received().len() >= count + 3
    });

    let history = belfry.get("/api/belfry/v1/history?name=Switched").json();
    let episodes = history["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 2, "{history}");
    assert!(episodes[0]["ended_ms"].is_null() && episodes[0]["ack"].is_null());
    assert_eq!(episodes[1]["ack"]["by"], "kim");
    assert!(episodes[1]["duration_ms"].as_i64() > Some(0), "{history}");
    assert!(episodes[1]["pages"].as_i64() >= Some(2), "{history}");
    let reply = episodes[1]["steps"][0]["detail"].as_str().unwrap();
    assert!(reply.contains("ops@example.org (250"), "{reply}");
    let why = said(&command(&belfry, &["why", "Switched"]));
    for words in [
        "rule     test (for 0 s): last_over_time(test_switch[30s]) == 1",
        "route    {} -> ops",
        "acknowledged by kim: on it",
        "ended after",
    ] {
        assert!(why.contains(words), "{words}: {why}");
    }
    assert_eq!(command(&belfry, &["why", "Nothing"]).status.code(), Some(3));
    let past = said(&command(&belfry, &["alerts", "--history"]));
    assert!(
        past.lines().count() >= 3 && past.contains("acked by kim"),
        "{past}"
    );
}

#[test]
fn of_a_rule_that_does_not_fire_it_is_told_why() {
    let setup = Setup::switched("1h");
    let belfry = Launch::with(&setup.config()).start();
    let why = || {
        let told = command(&belfry, &["why", "Switched"]);
        (told.status.code() == Some(0)).then(|| said(&told))
    };
    poll::holds("its condition should not hold", || {
        why().is_some_and(|it| it.contains("now      its condition did not hold at "))
    });
    setup.switch(true);
    let told = poll::until("it should be pending", || {
        why().filter(|it| it.contains("pending  since "))
    });
    for words in [
        "Switched  no such alert fires, nor is one in the history",
        "rule     test (for 1 h 00): last_over_time(test_switch[30s]) == 1",
        " if it lasts (in ",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn a_refusal_says_what_is_wrong() {
    let (_setup, _sink, belfry) = paged("1h");
    for (body, status, word) in [
        (r#"{"alert": "Switched"}"#, 400, "say who"),
        (
            r#"{"alert": "Gone", "by": "kim"}"#,
            404,
            "nothing that fires",
        ),
        (
            r#"{"alert": "Switched", "by": "kim", "bye": 1}"#,
            422,
            "unknown field",
        ),
    ] {
        let answer = belfry.post("/api/belfry/v1/ack", body);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(word), "{answer:?}");
    }
    let long = format!(r#"{{"alert": "Switched", "by": "{}"}}"#, "x".repeat(101));
    assert_eq!(belfry.post("/api/belfry/v1/ack", &long).status, 400);
    assert_eq!(belfry.get("/api/belfry/v1/history?alert=zz").status, 400);
    assert!(!belfry.get("/").body.contains("Taken on"));
}

/// Who has the switch, as programs are told.
fn holder(belfry: &Belfry) -> Option<String> {
    let alerts = belfry.get("/api/belfry/v1/alerts").json();
    Some(alerts["alerts"][0]["ack"]["by"].as_str()?.to_owned())
}

/// The path of the link in the last mail.
fn link(sink: &Sink) -> String {
    let mail = sink.received().last().unwrap().mail.clone();
    let text = &mail.text;
    let from = text.find("/ack/mail/").expect("a link in the mail");
    let link = text[from..].split_whitespace().next().unwrap().to_owned();
    assert!(mail.html.contains(&link), "in both parts");
    link
}

fn form(belfry: &Belfry, path: &str, origin: &str, body: &str) -> http::Response {
    let (address, length) = (belfry.address(), body.len());
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    http::send(address, &request).unwrap()
}

#[test]
fn the_link_of_a_mail_shows_first_and_takes_on_only_what_is_sent() {
    let (setup, sink, mut belfry) = paged("1h");
    let path = link(&sink);
    let own = format!("http://{}", belfry.address());
    // Scanners of mail open every link, some of them more than once.
    for _ in 0..3 {
        let page = belfry.get(&path);
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.body.contains("the switch is on"), "{}", page.body);
    }
    assert_eq!(holder(&belfry), None);
    let forged = format!("{}A", &path[..path.len() - 1]);
    let forged = if forged == path {
        format!("{path}B")
    } else {
        forged
    };
    assert_eq!(belfry.get(&forged).status, 403);
    let only = belfry.get("/api/belfry/v1/alerts").json()["alerts"][0]["fingerprint"].clone();
    let body = format!("by=kim&note=on+it&only={}", only.as_str().unwrap());
    assert_eq!(form(&belfry, &forged, &own, &body).status, 403);
    assert_eq!(
        form(&belfry, &path, "https://evil.example", &body).status,
        403
    );
    assert_eq!(form(&belfry, &path, &own, "by=&only=").status, 400);
    let unseen = form(&belfry, &path, &own, "by=kim&only=0000000000000000");
    assert_ne!(unseen.status, 303, "what was not shown is not taken on");
    assert_eq!(holder(&belfry), None);

    // The link of before a restart holds after it.
    belfry.kill();
    belfry.restart();
    let own = format!("http://{}", belfry.address());
    poll::holds("it should fire again", || {
        belfry.metric("belfry_alerts{state=\"firing\"}") == Some(1.0)
    });
    let done = form(&belfry, &path, &own, &body);
    // Relative: a proxy may have taken a path away.
    let same = path.rsplit('/').next();
    assert_eq!((done.status, done.header("location")), (303, same));
    assert_eq!(holder(&belfry).as_deref(), Some("kim"));
    assert!(belfry.get(&path).body.contains("Taken on by <bdi>kim"));

    setup.switch(false);
    poll::holds("what is over cannot be taken on", || {
        belfry.get(&path).status == 410
    });
    assert_eq!(form(&belfry, &path, &own, &body).status, 410);
    assert!(!belfry.log().contains(&path[10..]), "no ticket in the log");
}

#[test]
fn on_a_phone_two_taps_and_a_name_take_an_alert_on() {
    let (_setup, _sink, belfry) = paged("1h");
    let mut chromium = Chromium::start();
    let url = format!("http://{}/", belfry.address());
    chromium.open(&url, 360, 740);
    let button = chromium.evaluate(
        "(() => { const b = document.querySelector('.card a.button').getBoundingClientRect(); \
         return [b.width, b.height]; })()",
    );
    for side in button.as_array().unwrap() {
        assert!(
            side.as_f64() >= Some(44.0),
            "big enough for a thumb: {button}"
        );
    }
    let path = chromium.evaluate("document.querySelector('.card a.button').getAttribute('href')");
    let path = path.as_str().unwrap().to_owned();
    chromium.open_fitting(&format!("http://{}{path}", belfry.address()), 360, 740);
    chromium.evaluate(
        "document.getElementById('by').value = 'kim'; \
         document.getElementById('note').value = 'on <it>'; \
         document.querySelector('form button').click()",
    );
    poll::holds("kim should have it", || {
        holder(&belfry).as_deref() == Some("kim")
    });
    chromium.open(&url, 360, 740);
    let seen = chromium.evaluate("document.body.innerText").to_string();
    assert!(
        seen.contains("kim at") && seen.contains("on <it>"),
        "{seen}"
    );
    assert_eq!(
        chromium.evaluate("document.querySelectorAll('.card a.button').length"),
        0
    );
}
