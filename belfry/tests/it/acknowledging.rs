//! Somebody takes an alert on: from the command line, from a mail, from the page.

use std::process::{Command, Output};

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
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
    let past = said(&command(&belfry, &["alerts", "--history"]));
    assert!(
        past.lines().count() >= 3 && past.contains("acked by kim"),
        "{past}"
    );
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
