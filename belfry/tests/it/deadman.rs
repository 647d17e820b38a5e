//! Heartbeats out: a URL elsewhere is told that the watch works, while and only while it does.

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::claim;
use crate::support::fault::SmallDisk;
use crate::support::poll;
use crate::support::sink::{Act, Sink};

fn heartbeat(of: &Belfry) -> serde_json::Value {
    of.get("/api/belfry/v1/health").json()["heartbeats"][0].clone()
}

#[test]
fn an_outside_eye_sees_a_watch_that_works_stands_still_or_cannot_mail() {
    let outside =
        Setup::new().part("heartbeat: {ping_key: kk, expect: {watch: {period: 1s, grace: 3s}}}");
    let outside = Launch::with(&outside.config()).start();
    let setup = Setup::new().part(&format!(
        "heartbeat: {{out: [{{name: eye, url: 'http://{}/ping/kk/watch', interval: 1s}}]}}",
        outside.address()
    ));
    let mut belfry = Launch::with(&setup.config()).start();
    let state = |state: &str| heartbeat(&outside)["state"] == state;
    poll::holds("it should be told that it works", || state("up"));
    poll::holds("it should tell its own rules", || {
        belfry.metric("belfry_deadman_up{deadman=\"eye\"}") == Some(1.0)
            && belfry.metric("belfry_deadman_working") == Some(1.0)
    });
    belfry.signal(Signal::STOP);
    poll::holds("its silence should be noticed", || state("down"));
    belfry.signal(Signal::CONT);
    poll::holds("it should be heard again", || state("up"));

    let port = claim::port();
    let broken = setup.mail(port.number, "1h");
    belfry.reload(&broken.config());
    poll::holds("it should be told that no mail would go out", || {
        let heartbeat = heartbeat(&outside);
        heartbeat["state"] == "down"
            && heartbeat["body"]
                .as_str()
                .is_some_and(|body| body.starts_with("mail: "))
    });
    poll::holds("it should know that itself", || {
        belfry.metric("belfry_deadman_working") == Some(0.0)
    });
    assert!(!belfry.log().contains("kk/watch"), "the URL is a secret");
    assert!(
        !belfry
            .get("/api/belfry/v1/health")
            .body
            .contains("kk/watch")
    );
}

#[test]
fn an_outside_eye_is_told_that_the_state_cannot_be_written_and_when_it_can_again() {
    let outside =
        Setup::new().part("heartbeat: {ping_key: kk, expect: {watch: {period: 1s, grace: 1m}}}");
    let outside = Launch::with(&outside.config()).start();
    let disk = SmallDisk::new(12 << 20);
    let setup = Setup::new().part(&format!(
        "heartbeat: {{out: [{{name: eye, url: 'http://{0}/ping/kk/watch', interval: 1s}}, \
         {{name: quiet, url: 'http://{0}/ping/kk/watch', interval: 1s, on_failure: silent}}]}}",
        outside.address()
    ));
    let belfry = Launch::with(&setup.config())
        .data(&disk.path().join("data"))
        .start();
    let told = |deadman: &str| {
        let name = "belfry_deadman_pings_total";
        belfry.metric(&format!("{name}{{deadman=\"{deadman}\",result=\"taken\"}}"))
    };
    poll::holds("both should tell that it works", || {
        heartbeat(&outside)["state"] == "up" && told("eye") > Some(1.0) && told("quiet") > Some(1.0)
    });
    disk.fill();
    poll::holds("it should be told why it does not work", || {
        let heartbeat = heartbeat(&outside);
        heartbeat["state"] == "down"
            && heartbeat["body"]
                .as_str()
                .is_some_and(|body| body.starts_with("state: "))
    });
    // Nobody says meanwhile that it does: one URL is told of the failure, the other nothing.
    let told_again = || {
        let eye = told("eye");
        poll::holds("the failure should be told again", || {
            told("eye") >= eye.map(|eye| eye + 2.0)
        });
        told("quiet")
    };
    let quiet = told_again();
    assert_eq!(told_again(), quiet);
    assert_eq!(heartbeat(&outside)["state"], "down");
    disk.empty();
    poll::holds("it should be told that it works again", || {
        heartbeat(&outside)["state"] == "up" && told("quiet") > quiet
    });
}

#[test]
fn the_alert_that_always_fires_goes_to_those_who_ask_for_it_by_name_and_is_no_trouble() {
    let outside =
        Setup::new().part("heartbeat: {ping_key: kk, expect: {watch: {period: 1s, grace: 3s}}}");
    let outside = Launch::with(&outside.config()).start();
    let sink = Sink::start(&[Act::Accept]);
    let receivers = format!(
        "receivers: [{{name: ops, email_configs: [{{to: ops@example.org}}]}}, \
         {{name: eye, webhook_configs: [{{url: 'http://{}/ping/kk/watch'}}]}}]",
        outside.address()
    );
    let config = |routes: &str| {
        let setup = Setup::new().part(&format!(
            "mail: {{smarthost: '127.0.0.1:{}', from: belfry@example.org, to: ops@example.org, tls: none}}\n\
             rules: {{resend: 1s}}\n\
             alerter:\n  route: {{receiver: ops, group_wait: 0s, group_interval: 1s, repeat_interval: 1s, routes: [{routes}]}}\n  {receivers}",
            sink.port()
        ));
        (setup.config(), setup)
    };
    let (plain, _setup) = config("");
    let mut belfry = Launch::with(&plain).start();
    let fires = |belfry: &Belfry| {
        let alerts = belfry.get("/api/v1/alerts").json();
        let alerts = alerts["data"]["alerts"].as_array().unwrap().clone();
        alerts
            .iter()
            .any(|alert| alert["labels"]["alertname"] == "Watchdog" && alert["state"] == "firing")
    };
    poll::holds("it should fire", || fires(&belfry));
    let shown = |belfry: &Belfry| {
        belfry
            .get("/api/belfry/v1/status")
            .body
            .contains("Watchdog")
    };
    let taken = |belfry: &Belfry| belfry.get("/api/v2/alerts").body.contains("Watchdog");
    assert!(!shown(&belfry) && !taken(&belfry), "nobody asked for it");
    let (asked, _setup) = config(
        "{receiver: eye, group_wait: 0s, group_interval: 1s, repeat_interval: 1s, matchers: ['alertname=\"Watchdog\"']}",
    );
    belfry.reload(&asked);
    poll::holds("it should arrive where it is asked for", || {
        heartbeat(&outside)["state"] == "up"
    });
    let body = heartbeat(&outside)["body"].as_str().unwrap().to_owned();
    assert!(body.contains("\"alertname\":\"Watchdog\""), "{body}");
    assert!(taken(&belfry) && !shown(&belfry), "it is no trouble");
    belfry.signal(Signal::STOP);
    poll::holds("its silence should be noticed", || {
        heartbeat(&outside)["state"] == "down"
    });
    belfry.signal(Signal::CONT);
    let mailed = sink.received();
    assert!(
        !mailed.iter().any(|got| got.mail.text.contains("Watchdog")),
        "it was mailed"
    );
}
