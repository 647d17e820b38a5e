//! How it was when an alert began: in its mail and on the page.

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;
use crate::support::sink::{Act, Sink};
use crate::support::smtp::Smtp;

const GONE: &str = "\
- alert: ContainerGone
  expr: belfry_container_state{state=\"running\", name=\"api\"} == 0
  labels: {severity: critical}
  annotations: {summary: \"{{ $labels.name }} does not run\"}
";

/// Follows the switch, and names a container.
const NAMED: &str = "\
- alert: Switched
  expr: last_over_time(test_switch[30s]) == 1
  labels: {severity: critical, name: api}
  annotations: {summary: the switch is on}
";

/// Pages of figures, and what the busiest processes are known by.
const CONTAINERS: &str = "/metrics/container";
const HOST: &str = "/metrics/host";
const PROCESSES: &str = "belfry_process_group_memory_bytes";

/// Waits until a page has this.
#[track_caller]
fn tells(belfry: &Belfry, page: &str, what: &str) {
    poll::holds(&format!("{page} should have {what}"), || {
        belfry.get(page).body.contains(what)
    });
}

#[test]
fn the_mail_and_the_page_show_what_a_container_said_last_and_no_secret() {
    let engine = Engine::start();
    let smtp = Smtp::start();
    let said = "echo listening; echo 'db_password=hunter2 is wrong' >&2; echo out of juice; ";
    engine.run(
        &Container::named("api")
            .compose("shop", "api")
            .script(&format!("{said} while :; do sleep 1; done")),
    );
    let setup = Setup::new()
        .engine(&engine)
        .rules(GONE)
        .real_mail(&smtp, "1h");
    let belfry = Launch::with(&setup.config()).start();
    tells(&belfry, CONTAINERS, "name=\"api\"");
    tells(&belfry, HOST, PROCESSES);
    // A page waits a second for what the engine tells, and no longer: one that is too
    // busy then is asked when the container dies the next time.
    let told = (0..10).find_map(|_| {
        let before = smtp.mails().len();
        engine.docker(&["kill", "api"]);
        let mail = smtp.wait_for(before + 1).pop().expect("a mail");
        if mail.text.contains("Last log lines") {
            return Some(mail);
        }
        engine.docker(&["start", "api"]);
        smtp.wait_for(before + 2);
        None
    });
    let mail = told.expect("a mail with the last log lines");
    for part in [&mail.text, &mail.html] {
        for wanted in [
            "Last log lines",
            "listening",
            "db_password",
            "out of juice",
            "has had the image",
            "Busiest processes",
            "MiB",
        ] {
            assert!(part.contains(wanted), "{wanted}: {part}");
        }
        assert!(!part.contains("hunter2"), "{part}");
    }
    let page = belfry.get("/").body;
    assert!(
        page.contains("How it was") && page.contains("out of juice"),
        "{page}"
    );
    assert!(!page.contains("hunter2"));
}

#[test]
fn a_page_does_not_wait_for_an_engine_that_hangs() {
    let mut engine = Engine::start();
    let sink = Sink::start(&[Act::Accept]);
    engine.run(&Container::named("api").script("echo hello; while :; do sleep 1; done"));
    let setup = Setup::switched("0s")
        .rules(NAMED)
        .engine(&engine)
        .mail(sink.port(), "1h");
    let belfry = Launch::with(&setup.config()).start();
    tells(&belfry, CONTAINERS, "name=\"api\"");
    tells(&belfry, HOST, PROCESSES);
    engine.freeze();
    setup.switch(true);
    let mail = poll::until("the mail", || sink.received().first().cloned()).mail;
    // What was known of the container is there: it is the one that was asked about.
    for wanted in ["Busiest processes", "api has had the image"] {
        assert!(mail.text.contains(wanted), "{wanted}: {}", mail.text);
    }
    for unknown in ["Last log lines", "hello"] {
        assert!(!mail.text.contains(unknown), "{unknown}: {}", mail.text);
    }
    engine.thaw();
}

#[test]
fn who_does_not_want_it_in_mails_has_it_on_the_page_alone() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").part(&format!(
        "mail: {{smarthost: '127.0.0.1:{}', from: belfry@example.org, to: ops@example.org, tls: none, context: false}}",
        sink.port()
    ));
    let setup = setup.routes("1h");
    let belfry = Launch::with(&setup.config()).start();
    tells(&belfry, HOST, PROCESSES);
    setup.switch(true);
    let mail = poll::until("the mail", || sink.received().first().cloned()).mail;
    assert!(!mail.text.contains("Busiest processes"), "{}", mail.text);
    let page = belfry.get("/").body;
    assert!(page.contains("How it was"), "{page}");
}
