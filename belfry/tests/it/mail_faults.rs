//! An SMTP server that fails in each way there is: nothing is lost, and all of it is visible.

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::certificate::Certificate;
use crate::support::poll;
use crate::support::scratch::Scratch;
use crate::support::sink::{Act, Demands, Sink, Stage};

/// Starts with a switch that is on, and a sink that does this.
fn page(act: Act) -> (Setup, Sink, Belfry) {
    let sink = Sink::start(&[act]);
    let setup = Setup::switched("0s").mail_within(sink.port(), "1h", "2s");
    setup.switch(true);
    let belfry = Launch::with(&setup.config()).start();
    (setup, sink, belfry)
}

/// Failing mail is in the metric, in readiness, on the page and in the log.
fn is_visible(belfry: &Belfry, word: &str) {
    let mut reason = None;
    let named = poll::settles(|| {
        let answer = belfry.get("/health/ready");
        let json = answer.json();
        let mail = json["dependencies"]
            .as_array()?
            .iter()
            .find(|one| one["name"] == "mail")?;
        reason = Some(mail["reason"].to_string());
        let failing = answer.status == 503 && mail["status"] == "failing";
        (failing && reason.as_ref()?.contains(word)).then_some(())
    });
    assert!(named, "mail should fail by {word}: {reason:?}");
    poll::holds("the metric should say so", || {
        belfry.metric("belfry_mail_up") == Some(0.0)
    });
    poll::holds(&format!("the page should name {word}"), || {
        belfry.get("/").body.contains(word)
    });
    poll::holds(&format!("the log should name {word}"), || {
        belfry.log().contains(word)
    });
}

fn arrives(sink: &Sink, belfry: &Belfry) {
    poll::holds("the mail should arrive in the end", || {
        !sink.received().is_empty()
    });
    poll::holds("all should be well again", || {
        belfry.metric("belfry_mail_up") == Some(1.0)
    });
    belfry.wait_for_status("/health/ready", 200);
    let evaluations = belfry
        .metric("belfry_evaluations_total")
        .unwrap_or_default();
    poll::holds("some rounds should pass", || {
        belfry.metric("belfry_evaluations_total") >= Some(evaluations + 3.0)
    });
    assert_eq!(sink.received().len(), 1, "once is enough");
}

#[test]
fn a_server_that_refuses_gets_the_mail_when_it_is_back() {
    let (_setup, mut sink, belfry) = {
        let mut sink = Sink::start(&[Act::Accept]);
        sink.close();
        let setup = Setup::switched("0s").mail(sink.port(), "1h");
        setup.switch(true);
        let belfry = Launch::with(&setup.config()).start();
        (setup, sink, belfry)
    };
    is_visible(&belfry, "refused");
    sink.open();
    arrives(&sink, &belfry);
}

#[test]
fn a_mail_that_waits_survives_a_restart() {
    let mut sink = Sink::start(&[Act::Accept]);
    sink.close();
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    setup.switch(true);
    let mut belfry = Launch::with(&setup.config()).start();
    is_visible(&belfry, "refused");
    // The first look at the server fails before there is any mail.
    poll::holds("a mail should wait", || {
        belfry.metric("belfry_mail_queue_length") >= Some(1.0)
    });
    belfry.kill();
    // What was wrong is over when it starts again: only what was kept can tell of it.
    setup.switch(false);
    // Before it starts: a server that is away once more is left alone for longer.
    sink.open();
    belfry.restart();
    poll::holds(
        "both should be told: that it was, and that it is over",
        || {
            let subject =
                |mail: usize| Some(sink.received().get(mail)?.mail.header("Subject").to_owned());
            subject(0).is_some_and(|subject| subject.contains("switch"))
                && (subject(0).is_some_and(|subject| subject.starts_with("[OK]"))
                    || subject(1).is_some_and(|subject| subject.starts_with("[OK]")))
        },
    );
}

#[test]
fn a_server_that_says_nothing_delays_only_mail() {
    let (_setup, sink, belfry) = page(Act::Silence(Stage::Greeting));
    is_visible(&belfry, "timeout");
    let rounds = belfry
        .metric("belfry_evaluations_total")
        .unwrap_or_default();
    poll::holds("the rules should go on meanwhile", || {
        belfry.metric("belfry_evaluations_total") >= Some(rounds + 3.0)
    });
    poll::holds("it should be tried again", || sink.attempts().len() > 2);
}

#[test]
fn a_temporary_no_is_tried_again() {
    let later = Act::Reply(Stage::Recipient, 451);
    let sink = Sink::start(&[later, later, Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    setup.switch(true);
    let belfry = Launch::with(&setup.config()).start();
    arrives(&sink, &belfry);
}

#[test]
fn a_final_no_is_visible() {
    let (_setup, _sink, belfry) = page(Act::Reply(Stage::Sender, 550));
    is_visible(&belfry, "5xx");
}

#[test]
fn a_connection_that_breaks_in_the_middle_is_tried_again() {
    let sink = Sink::start(&[
        Act::Drop(Stage::Content),
        Act::Drop(Stage::End),
        Act::Accept,
    ]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    setup.switch(true);
    let belfry = Launch::with(&setup.config()).start();
    arrives(&sink, &belfry);
}

#[test]
fn a_certificate_that_does_not_hold_gets_no_mail() {
    let scratch = Scratch::new();
    let certificate = Certificate::for_host("localhost", &scratch.path);
    let demands = Demands {
        certificate: Some(certificate),
        login: None,
    };
    let sink = Sink::demanding(&[Act::Accept], demands);
    let setup = Setup::switched("0s").routes("1h").part(&format!(
        "mail: {{smarthost: 'localhost:{}', from: b@example.org, to: ops@example.org, tls: starttls, timeout: 1m}}",
        sink.port()
    ));
    setup.switch(true);
    let belfry = Launch::with(&setup.config()).start();
    is_visible(&belfry, "tls");
    assert!(sink.received().is_empty(), "nothing is said to a stranger");
}

#[test]
fn a_server_that_needs_a_login_says_so_and_a_reload_mends_it() {
    let demands = Demands {
        certificate: None,
        login: Some(("ops".into(), "s3cret-word".into())),
    };
    let sink = Sink::demanding(&[Act::Accept], demands);
    let mail = |rest: &str| {
        format!(
            "mail: {{smarthost: '127.0.0.1:{}', from: b@example.org, to: ops@example.org, tls: none, timeout: 1m{rest}}}",
            sink.port()
        )
    };
    let setup = Setup::switched("0s").routes("1h");
    setup.switch(true);
    let config = setup.config();
    let mut belfry = Launch::with(&format!("{config}{}", mail(""))).start();
    is_visible(&belfry, "auth");
    belfry.reload(&format!(
        "{config}{}",
        mail(", username: ops, password: s3cret-word")
    ));
    arrives(&sink, &belfry);
    for place in ["/", "/metrics", "/health/ready", "/api/belfry/v1/status"] {
        assert!(
            !belfry.get(place).body.contains("s3cret-word"),
            "{place} must keep the secret"
        );
    }
    assert!(!belfry.log().contains("s3cret-word"));
}

#[test]
fn a_stop_does_not_wait_for_a_server_that_says_nothing() {
    let (_setup, _sink, mut belfry) = page(Act::Silence(Stage::Greeting));
    is_visible(&belfry, "timeout");
    belfry.signal(Signal::TERM);
    assert_eq!(belfry.wait().code(), Some(0));
}
