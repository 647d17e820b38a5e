//! Heartbeats out: a URL elsewhere is told that the watch works, while and only while it does.

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::claim;
use crate::support::poll;

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
