//! From what is wrong on the host to the mail, through real servers.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;
use crate::support::program;
use crate::support::sink::{Act, Sink};
use crate::support::smtp::Smtp;

/// Samples, which say when somebody looked, are written down so often.
const WRITTEN: Duration = Duration::from_secs(15);

const GONE: &str = "\
- alert: ContainerGone
  expr: belfry_container_state{state=\"running\", name=\"api\"} == 0
  for: 1s
  labels: {severity: critical}
  annotations:
    summary: \"{{ $labels.name }} of {{ $labels.project }} is down: it does not run\"
    impact: every site answers 502
    runbook_url: /runbooks/container-down
";

#[test]
fn a_container_that_dies_is_mailed_repeated_and_resolved() {
    let engine = Engine::start();
    let smtp = Smtp::start();
    engine.run(&Container::named("api").compose("shop", "api"));
    let setup = Setup::new()
        .engine(&engine)
        .rules(GONE)
        .real_mail(&smtp, "3s");
    let belfry = Launch::with(&setup.config()).start();
    poll::holds("the container should be seen running", || {
        belfry.metric("belfry_alerts{state=\"firing\"}") == Some(0.0)
            && belfry
                .get("/metrics/container")
                .body
                .contains("name=\"api\"")
    });

    engine.docker(&["kill", "api"]);
    let mut mails = smtp.wait_for(2).into_iter();
    let (first, repeat) = (mails.next().unwrap(), mails.next().unwrap());
    assert!(
        first.header("Subject").starts_with("[SEV-1] "),
        "{}",
        first.header("Subject")
    );
    assert!(
        first.header("Subject").contains("api of shop is down"),
        "{}",
        first.header("Subject")
    );
    assert!(
        first.text.contains("every site answers 502")
            && first.html.contains("every site answers 502")
    );
    assert_eq!(first.header("To"), "ops@example.org");

    assert!(repeat.text.contains("still"), "{}", repeat.text);
    assert_eq!(
        repeat.header("References"),
        first.header("Message-ID"),
        "one thread per incident"
    );

    engine.docker(&["start", "api"]);
    let resolved = poll::until("a mail should say that it is over", || {
        smtp.mails()
            .into_iter()
            .find(|mail| mail.header("Subject").starts_with("[OK]"))
    });
    assert!(
        resolved.header("Subject").contains("was"),
        "{}",
        resolved.header("Subject")
    );
    thread::sleep(Duration::from_secs(5)); // longer than the repeat: nothing more may come
    // In the order in which the server took them: it delivers side by side.
    let last = smtp.mails().pop().unwrap();
    assert_eq!(
        last.header("Message-ID"),
        resolved.header("Message-ID"),
        "nothing is mailed once it is over"
    );
}

#[test]
fn the_shipped_rules_page_for_an_unhealthy_container_without_any_configuration_of_rules() {
    let engine = Engine::start();
    engine.run(
        &Container::named("api")
            .compose("shop", "api")
            .health("false"),
    );
    let setup = Setup::new().engine(&engine);
    let belfry = Launch::with(&setup.config()).start();
    let pending = poll::until("the rule should see it", || {
        let status = belfry.get("/api/belfry/v1/status").json();
        let pending = status["pending"]
            .as_array()?
            .iter()
            .chain(status["cards"].as_array()?)
            .cloned()
            .collect::<Vec<_>>();
        pending.into_iter().find(|alert| {
            alert["name"]
                .as_str()
                .is_some_and(|name| name.contains("Unhealthy"))
        })
    });
    assert!(
        pending["summary"].as_str().unwrap().contains("api"),
        "{pending}"
    );
}

/// The mail server took so many mails, and that is on the disk.
fn stored(belfry: &Belfry, count: f64) {
    poll::holds("what was sent should be known", || {
        belfry.metric("belfry_mail_sent_total") == Some(count)
    });
}

#[test]
fn a_restart_neither_repeats_nor_loses_a_page() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    let mut belfry = Launch::with(&setup.config()).start();
    setup.switch(true);
    poll::holds("the first mail should go out", || {
        sink.received().len() == 1
    });

    stored(&belfry, 1.0);
    belfry.kill();
    belfry.restart();
    poll::holds("it should fire again", || {
        belfry.metric("belfry_alerts{state=\"firing\"}") == Some(1.0)
    });
    belfry.wait_for_status("/health/ready", 200);
    poll::holds("some rounds should pass", || {
        belfry.metric("belfry_evaluations_total") >= Some(4.0)
    });
    assert_eq!(
        sink.received().len(),
        1,
        "the same thing is not paged twice"
    );

    // It ends while nobody watches: the end is told all the same.
    belfry.kill();
    setup.switch(false);
    belfry.restart();
    poll::holds("the end should be mailed", || sink.received().len() == 2);
    assert!(
        sink.received()[1]
            .mail
            .header("Subject")
            .starts_with("[OK]")
    );
}

#[test]
fn a_clock_that_runs_before_a_page_goes_on_over_a_restart() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("45s").mail(sink.port(), "1h");
    let mut belfry = Launch::with(&setup.config()).start();
    setup.switch(true);
    let since = |belfry: &Belfry| {
        poll::until("it should be pending", || {
            belfry.get("/api/belfry/v1/status").json()["pending"][0]["since_ms"].as_i64()
        })
    };
    let before = since(&belfry);
    poll::holds("that should be on the disk", || {
        let kept = "SELECT body FROM rule_state";
        let mut command = Command::new(program::find("sqlite3", "sqlite3"));
        command.args(["-readonly", "-cmd", ".timeout 20000"]);
        let kept = program::attempt(command.arg(belfry.data().join("belfry.db")).arg(kept));
        kept.is_ok_and(|kept| kept.contains(&before.to_string()))
    });
    thread::sleep(WRITTEN + Duration::from_secs(3));
    let killed = Instant::now();
    belfry.kill();
    belfry.restart();
    let moved = since(&belfry) - before;
    // While nobody looked, nobody knows that it held: that time does not count, from the last
    // look on of which the disk knows, and what was before it does.
    let away = i64::try_from((killed.elapsed() + WRITTEN).as_millis()).unwrap();
    assert!((0..=away).contains(&moved), "{moved} ms of {away}");
    poll::holds("the page should go out", || sink.received().len() == 1);
}

#[test]
fn kill_at_any_moment_loses_no_page_and_doubles_at_most_the_one_in_flight() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    let mut belfry = Launch::with(&setup.config()).start();
    for round in 0..6_u64 {
        let on = round % 2 == 0;
        let before = sink.received().len();
        setup.switch(on);
        // Another moment each time: between the evaluation and the sending, in it, after it.
        thread::sleep(Duration::from_millis(300 + 230 * round));
        belfry.kill();
        belfry.restart();
        let word = if on { "[SEV-1]" } else { "[OK]" };
        poll::holds(&format!("{word} should be mailed in round {round}"), || {
            sink.received()[before..]
                .iter()
                .any(|got| got.mail.header("Subject").starts_with(word))
        });
        let evaluations = belfry
            .metric("belfry_evaluations_total")
            .unwrap_or_default();
        poll::holds("some rounds should pass", || {
            belfry.metric("belfry_evaluations_total") >= Some(evaluations + 3.0)
        });
        let sent: Vec<_> = sink.received()[before..]
            .iter()
            .map(|got| got.mail.header("Subject").to_owned())
            .collect();
        assert!(
            sent.len() <= 2,
            "round {round}: one mail, and at most its double: {sent:?}"
        );
    }
}

#[test]
fn a_graceful_stop_finishes_and_keeps_everything() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    let mut belfry = Launch::with(&setup.config()).start();
    setup.switch(true);
    poll::holds("the first mail should go out", || {
        sink.received().len() == 1
    });
    belfry.signal(Signal::TERM);
    assert_eq!(belfry.wait().code(), Some(0));
    assert!(
        !belfry.data().join("address").exists(),
        "nobody serves there any more"
    );
    belfry.restart();
    poll::holds("some rounds should pass", || {
        belfry.metric("belfry_evaluations_total") >= Some(4.0)
    });
    assert_eq!(sink.received().len(), 1);
}

#[test]
fn a_restart_while_the_engine_hangs_ends_nothing_and_tells_nothing_twice() {
    let mut engine = Engine::start();
    let sink = Sink::start(&[Act::Accept]);
    engine.run(&Container::named("api").compose("shop", "api"));
    let setup = Setup::new()
        .engine(&engine)
        .rules(GONE)
        .mail(sink.port(), "1h");
    let mut belfry = Launch::with(&setup.config()).start();
    poll::holds("the container should be seen running", || {
        belfry
            .get("/metrics/container")
            .body
            .contains("name=\"api\"")
    });
    engine.docker(&["kill", "api"]);
    stored(&belfry, 1.0);

    engine.freeze();
    belfry.kill();
    belfry.restart();
    poll::holds("some rounds should pass", || {
        belfry.metric("belfry_evaluations_total") >= Some(10.0)
    });
    assert_eq!(
        sink.received().len(),
        1,
        "nobody knows whether it runs again"
    );
    engine.thaw();
    poll::holds("the container should be seen again", || {
        belfry
            .get("/metrics/container")
            .body
            .contains("name=\"api\"")
    });
    let evaluations = belfry
        .metric("belfry_evaluations_total")
        .unwrap_or_default();
    poll::holds("some rounds should pass", || {
        belfry.metric("belfry_evaluations_total") >= Some(evaluations + 3.0)
    });
    assert_eq!(sink.received().len(), 1, "it is still the same outage");

    engine.docker(&["start", "api"]);
    poll::holds("the end should be told", || sink.received().len() == 2);
    assert!(
        sink.received()[1]
            .mail
            .header("Subject")
            .starts_with("[OK]")
    );
}
