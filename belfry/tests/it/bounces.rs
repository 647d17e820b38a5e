//! Mails that a server takes and that come back: a real exim takes them, the server behind
//! it refuses, and what exim reports goes down its pipe into `belfry bounce`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::scratch::Scratch;
use crate::support::sink::{Act, Sink, Stage};
use crate::support::smtp::Smtp;
use crate::support::{claim, poll, program};

const DOWN: &str = "\
- alert: ApiDown
  expr: test_switch == 1
  labels: {severity: critical}
  annotations: {summary: the api is down}
";

/// Pages that go to these by this server, and to the boss when nobody has them.
fn setup(smtp: &Smtp, to: &str) -> Setup {
    let receiver = |name: &str, to: &str| {
        format!("{{name: {name}, email_configs: [{{to: '{to}', send_resolved: true}}]}}")
    };
    Setup::new().rules(DOWN).part(&format!(
        "mail: {{smarthost: '127.0.0.1:{}', from: belfry@example.org, to: ops@far.example, tls: none, \
         return_path: belfry-bounces@localhost, digest: ''}}\n\
         alerter:\n  escalation: [{{fallback_after: 1s, again_after: 0s, second_after: 0s, second_receiver: boss}}]\n  \
         route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n  \
         receivers: [{}, {}]",
        smtp.port(),
        receiver("ops", to),
        receiver("boss", "boss@example.org")
    ))
}

fn steps(belfry: &Belfry) -> Vec<(String, String)> {
    let history = belfry.get("/api/belfry/v1/history").json();
    let steps = history["episodes"][0]["steps"].as_array().cloned();
    let word = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
    let one = |step: &Value| (word(step, "what"), word(step, "detail"));
    steps.unwrap_or_default().iter().map(one).collect()
}

fn bounces(belfry: &Belfry, fate: &str) -> Option<f64> {
    belfry.metric(&format!("belfry_mail_bounces_total{{fate=\"{fate}\"}}"))
}

/// Hands a mail to `belfry bounce` as a mail server does.
fn hand_over(address: &str, mail: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_belfry"))
        .args(["bounce", "--url", &format!("http://{address}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut pipe = child.stdin.take().expect("its input");
    pipe.write_all(mail.as_bytes()).expect("it reads");
    drop(pipe);
    child.wait_with_output().expect("it ends")
}

/// What a server says of a mail of that name.
fn report(name: &str, to: &str, action: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example\nSubject: returned\nContent-Type: multipart/report; boundary=b\n\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n\
         Final-Recipient: rfc822; {to}\nAction: {action}\nStatus: 5.1.1\n\n\
         --b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{name}@example.org>\n\n--b--\n"
    )
}

#[test]
fn a_mail_that_comes_back_is_seen_everywhere_and_the_second_contact_is_told() {
    let far = Sink::start(&[Act::Reply(Stage::Recipient, 550)]);
    let smtp = Smtp::returning(far.port());
    let setup = setup(&smtp, "ops@far.example");
    let belfry = Launch::with(&setup.config()).start();
    smtp.hand_over_to(belfry.address());
    setup.switch(true);

    let told = poll::until("the second contact should be told", || {
        let mails = smtp.mails();
        let to_boss = |it: &&crate::support::mail::Mail| it.header("To") == "boss@example.org";
        mails.iter().find(to_boss).cloned()
    });
    assert!(told.header("Subject").starts_with("[SEV-1]"), "{told:?}");
    assert_eq!(told.header("Return-path"), "<belfry-bounces@localhost>");

    let seen = steps(&belfry);
    let words: Vec<&str> = seen.iter().map(|(what, _)| &**what).collect();
    assert_eq!(words, ["told", "bounced", "told"], "{seen:?}");
    let reason = &seen[1].1;
    assert!(
        reason.starts_with("ops: to ops@far.example: ") && reason.contains("550"),
        "{reason}"
    );
    poll::holds("the figures should say so", || {
        bounces(&belfry, "failed") == Some(1.0)
    });
    assert_eq!(bounces(&belfry, "delayed"), Some(0.0));
    let page = belfry.get("/").body;
    for words in ["Last came back", "failed for ops@far.example"] {
        assert!(page.contains(words), "{words}");
    }
    let log = belfry.log();
    assert!(
        log.contains("a mail came back") && log.contains("ops@far.example"),
        "{log}"
    );
    let fingerprint =
        belfry.get("/api/belfry/v1/alerts").json()["alerts"][0]["fingerprint"].clone();
    let path = format!("/api/belfry/v1/why/{}", fingerprint.as_str().unwrap());
    let why = belfry.get(&path).json();
    assert_eq!(
        why["decides"]["routes"][0]["ways"][0]["verdict"],
        "told, but the mail came back: nobody has it"
    );
}

#[test]
fn what_one_of_several_does_not_get_is_told_and_a_lie_is_not() {
    let far = Sink::start(&[Act::Reply(Stage::Recipient, 550)]);
    let smtp = Smtp::returning(far.port());
    let setup = setup(&smtp, "ops@example.org, dev@far.example");
    let mut belfry = Launch::with(&setup.config()).start();
    smtp.hand_over_to(belfry.address());
    setup.switch(true);
    let alert = poll::until("the mail should come back from one", || {
        let alert = belfry.get("/api/belfry/v1/alerts").json()["alerts"][0].clone();
        alert["returned"].is_string().then_some(alert)
    });
    assert!(
        alert["returned"]
            .as_str()
            .unwrap()
            .contains("to dev@far.example"),
        "{alert}"
    );
    assert!(belfry.get("/").body.contains("<b>Came back</b>"));
    let mail = smtp.wait_for(1).remove(0);
    let name = mail.header("X-Belfry-Mail").to_owned();
    assert!(mail.header("Message-ID").starts_with(&format!("<{name}@")));

    let address = belfry.address().to_owned();
    let code = |mail: &str| {
        let output = hand_over(&address, mail);
        output.status.code().unwrap_or_else(|| panic!("{output:?}"))
    };
    for (mail, wanted) in [
        // Known; only late; that it arrived.
        (report(&name, "dev@far.example", "failed"), 0),
        (report(&name, "ops@example.org", "delayed"), 0),
        (report(&name, "ops@example.org", "delivered"), 0),
        // Not sent to them; none of ours; no bounce at all.
        (report(&name, "boss@example.org", "failed"), 65),
        (report("no-such-mail", "ops@example.org", "failed"), 65),
        ("Subject: hello\n\nhow are you\n".to_owned(), 65),
        (String::new(), 65),
    ] {
        assert_eq!(code(&mail), wanted, "{mail}");
    }
    // What is no bounce is not even told.
    poll::holds("the figures should say so", || {
        belfry.metric("belfry_mail_stray_bounces_total") == Some(2.0)
            && bounces(&belfry, "delayed") == Some(1.0)
    });
    assert_eq!(bounces(&belfry, "failed"), Some(1.0));
    let words: Vec<String> = steps(&belfry).into_iter().map(|(what, _)| what).collect();
    assert_eq!(words, ["told", "bounced", "delayed"]);

    // Over a restart it is known what was sent, and what came back.
    belfry.kill();
    let failed = report(&name, "ops@example.org", "failed");
    assert_eq!(code(&failed), 75, "nobody is there: try again");
    belfry.restart();
    let address = belfry.address().to_owned();
    let again = hand_over(&address, &report(&name, "dev@far.example", "failed"));
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(said.contains("failed, as is known"), "{said} {again:?}");
    assert_eq!(hand_over(&address, &failed).status.code(), Some(0));
    poll::holds("now nobody has it, so the second contact is told", || {
        let mails = smtp.mails();
        mails.iter().any(|it| it.header("To") == "boss@example.org")
    });
}

#[test]
fn exims_own_user_finds_belfry_by_its_configuration_alone() {
    let far = Sink::start(&[Act::Reply(Stage::Recipient, 550)]);
    let smtp = Smtp::returning(far.port());
    let port = claim::port();
    let address = format!("127.0.0.1:{}", port.number);
    // The data are where only Belfry's own user may look.
    let scratch = Scratch::new();
    let data = scratch.folder_for("data", "root");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("its mode");
    let own = format!("listen: {address}\ndata: {data:?}\n");
    let setup = setup(&smtp, "ops@far.example").part(&own);
    let config = scratch.file("belfry.yml", &setup.config());
    let belfry = Launch::with(&setup.config())
        .data(&data)
        .listen(&address)
        .start();
    let looks = program::as_user("Debian-exim", &program::find("ls", "coreutils"))
        .arg(&data)
        .output();
    assert!(!looks.expect("it runs").status.success());
    smtp.hand_over_by(&config);
    setup.switch(true);
    poll::holds("what came back should be told", || {
        bounces(&belfry, "failed") == Some(1.0)
    });
    let words: Vec<String> = steps(&belfry).into_iter().map(|(what, _)| what).collect();
    assert_eq!(words[..2], ["told", "bounced"]);
    assert!(!smtp.main_log().contains("=="), "{}", smtp.main_log());
}

#[test]
fn a_mail_server_tries_again_while_belfry_is_away() {
    let far = Sink::start(&[Act::Reply(Stage::Recipient, 550)]);
    let smtp = Smtp::returning(far.port());
    let setup = setup(&smtp, "ops@far.example");
    let mut belfry = Launch::with(&setup.config()).start();
    // Nobody is there.
    smtp.hand_over_to("127.0.0.1:1");
    setup.switch(true);
    poll::holds("exim should put it off", || {
        let log = smtp.main_log();
        log.contains("belfry-bounces") && log.contains("==")
    });
    assert_eq!(bounces(&belfry, "failed"), Some(0.0));
    belfry.kill();
    belfry.restart();
    smtp.hand_over_to(belfry.address());
    smtp.run_queue();
    poll::holds("what waited should be told", || {
        bounces(&belfry, "failed") == Some(1.0)
    });
    let words: Vec<String> = steps(&belfry).into_iter().map(|(what, _)| what).collect();
    assert!(words.contains(&"bounced".to_owned()), "{words:?}");
}
