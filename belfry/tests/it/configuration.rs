//! `belfry.yml`: checked whole, applied whole or not at all.

use std::process::{Command, Output};

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::poll;
use crate::support::scratch::Scratch;
use crate::support::sink::{Act, Sink};

fn belfry(scratch: &Scratch, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_belfry"))
        .args(arguments)
        .current_dir(&scratch.path)
        .env("XDG_STATE_HOME", scratch.path.join("state"))
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn reload_state(belfry: &Belfry) -> Option<f64> {
    belfry.metric("belfry_config_last_reload_successful")
}

#[test]
fn check_tells_all_faults_at_once_with_their_places() {
    let scratch = Scratch::new();
    scratch.file(
        "belfry.yml",
        "intervall: 5s\nmail:\n  smarthost: localhost\n  timeout: soon\n  tsl: none\nbackup:\n  watch: [{name: a}]\n",
    );
    let output = belfry(&scratch, &["check"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stdout);
    for line in [
        "belfry.yml:1:1: unknown key \"intervall\"; did you mean \"interval\"?",
        "belfry.yml:4:12: mail.timeout: \"soon\" is not a duration",
        "belfry.yml:5:3: mail: unknown key \"tsl\"; did you mean \"tls\"?",
    ] {
        assert!(said.contains(line), "{line} in\n{said}");
    }
    assert!(said.contains("1 failure"), "{said}");

    let long = "x".repeat(4097);
    let targets = format!(
        "probe:\n  targets:\n    - target: a\n    - target: b\n      name: {long}\n    - target: c\n      labels:\n        team: {long}\n"
    );
    scratch.file("belfry.yml", &targets);
    let said = text(&belfry(&scratch, &["check"]).stdout);
    for line in [
        "belfry.yml:5:13: probe.targets[1].name: a name becomes a label and is no longer than 4096 bytes",
        "belfry.yml:8:15: probe.targets[2].labels.team: a value becomes a label and is no longer than 4096 bytes",
    ] {
        assert!(said.contains(line), "{line} in\n{said}");
    }

    // What is well formed and contradicts itself is told with its place too.
    scratch.file(
        "belfry.yml",
        "timezone: Mars/Olympus\nbackup:\n  watch: [{name: a}, {name: a, folder: x}]\n",
    );
    let said = text(&belfry(&scratch, &["check"]).stdout);
    for line in [
        "belfry.yml:1:11: timezone: no IANA time zone is named \"Mars/Olympus\"",
        "backup.watch[0].folder: a watched backup needs a folder",
        "backup.watch[1].name: the name \"a\" stands twice",
    ] {
        assert!(said.contains(line), "{line} in\n{said}");
    }
}

#[test]
fn faults_of_every_kind_are_told_in_one_run_and_each_once() {
    let scratch = Scratch::new();
    scratch.file(
        "bad.yml",
        "groups: [{name: a, rules: [{alert: X, expr: up ==}]}]\n",
    );
    scratch.file(
        "belfry.yml",
        "interval: soon\ntimezone: Mars/Olympus\nmial: {}\nmail: {smarthost: 'a:b', from: x, timeout: never}\n\
         rules: {files: [lost.yml, bad.yml], disable: [X, HostRebooted, NoSuchRule], recovery: 100000}\n\
         alerter:\n  route: {receiver: nobody, routes: [{receiver: ops, matchers: ['=']}]}\n  receivers: [{name: ops}]\n",
    );
    let told = |arguments: &[&str]| {
        let output = belfry(&scratch, arguments);
        [text(&output.stdout), text(&output.stderr)].concat()
    };
    let lines = [
        "belfry.yml:1:11: interval: \"soon\" is not a duration",
        "belfry.yml:2:11: timezone: no IANA time zone is named \"Mars/Olympus\"",
        "belfry.yml:3:1: unknown key \"mial\"; did you mean \"mail\"?",
        "belfry.yml:4:19: mail.smarthost: ",
        "belfry.yml:4:44: mail.timeout: \"never\" is not a duration",
        "belfry.yml:5:87: rules.recovery: 100000 evaluations are too many, the most is 240",
        "lost.yml:1:1: cannot read the rule file: ",
        "bad.yml:1:50: ",
        "alerter.route.receiver: ",
        "alerter.route.routes[0].matchers",
    ];
    // `run` ends with the faults: it starts nothing.
    for said in [told(&["check"]), told(&["run"])] {
        for line in lines {
            assert_eq!(said.matches(line).count(), 1, "{line} in\n{said}");
        }
        assert!(
            !said.contains("NoSuchRule"),
            "it may be in lost.yml:\n{said}"
        );
    }
    scratch.file("lost.yml", "groups: []\n");
    let said = told(&["check"]);
    let line = "rules.disable[2]: no rule is named \"NoSuchRule\"";
    assert_eq!(said.matches(line).count(), 1, "{said}");
    assert!(!said.contains("no rule is named \"X\""), "{said}");
}

#[test]
fn only_a_regular_file_of_text_is_a_configuration() {
    let scratch = Scratch::new();
    let fifo = scratch.path.join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    std::fs::create_dir(scratch.path.join("folder")).unwrap();
    std::fs::write(scratch.path.join("binary"), b"host: a\nhost: \xff\n").unwrap();
    scratch.file("large", &" ".repeat((1 << 20) + 1));
    for (file, reason) in [
        ("fifo", "it is a FIFO, not a regular file"),
        ("folder", "it is a folder, not a regular file"),
        ("/dev/zero", "it is a device, not a regular file"),
        ("binary", "it is not UTF-8 in line 2"),
        ("large", "it is larger than 1MiB"),
        ("none", "No such file or directory"),
    ] {
        let output = belfry(&scratch, &["check", "--config", file]);
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stdout);
        let line = format!("cannot read {file}: {reason}");
        assert!(said.contains(&line), "{line} in\n{said}");
    }
    scratch.file("marked", "\u{feff}interval: never\n");
    let said = text(&belfry(&scratch, &["check", "--config", "marked"]).stdout);
    assert!(said.contains("marked:1:11: interval: \"never\""), "{said}");
    // What is found by itself and cannot be read does not count as absent.
    std::fs::create_dir(scratch.path.join("belfry.yml")).unwrap();
    let output = belfry(&scratch, &["run"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("cannot read belfry.yml: it is a folder"));
}

#[test]
fn a_faulty_file_starts_nothing() {
    let (code, log) = Launch::with("interval: never\n").fail();
    assert_eq!(code, Some(3), "{log}");
    assert!(
        log.contains("belfry.yml:1:11: interval: \"never\" is not a duration"),
        "{log}"
    );
}

#[test]
fn a_faulty_rule_file_is_told_with_its_place() {
    let scratch = Scratch::new();
    scratch.file(
        "rules.yml",
        "groups:\n  - name: a\n    rules:\n      - alert: X\n        expr: up ==\n",
    );
    scratch.file("belfry.yml", "rules: {files: [rules.yml]}\n");
    let output = belfry(&scratch, &["check"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stdout);
    assert!(said.contains("rules.yml:5:"), "{said}");
}

#[test]
fn a_valid_reload_is_applied_and_a_faulty_one_changes_nothing() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    let good = setup.config();
    let mut belfry = Launch::with(&good).start();
    let rule = |name: &str| good.replace("host: testhost", &format!("host: {name}"));

    belfry.reload(&format!("{good}\nbogus: 1\n"));
    poll::holds("the refusal should be in the metric", || {
        reload_state(&belfry) == Some(0.0)
    });
    assert!(
        belfry.log().contains("unknown key \"bogus\""),
        "{}",
        belfry.log()
    );
    assert!(belfry.get("/").body.contains("bogus"), "the page names it");
    let answer = belfry.post("/-/reload", "");
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("unknown key"), "{}", answer.body);
    setup.switch(true);
    poll::holds("the old configuration still pages", || {
        sink.received().len() == 1
    });
    assert!(
        sink.received()[0]
            .mail
            .header("Subject")
            .contains("testhost")
    );

    belfry.reload(&rule("renamed"));
    poll::holds("the good one should be applied", || {
        reload_state(&belfry) == Some(1.0)
    });
    assert!(!belfry.get("/").body.contains("bogus"));
    assert_eq!(
        sink.received().len(),
        1,
        "what fires goes on firing without a second page"
    );
    setup.switch(false);
    poll::holds("the end should be told under the new name", || {
        sink.received()
            .get(1)
            .is_some_and(|got| got.mail.header("Subject").contains("renamed"))
    });
}

#[test]
fn a_refused_reload_tells_no_secret_anywhere() {
    let setup = Setup::switched("0s");
    let good = setup.config();
    let mut belfry = Launch::with(&good)
        .env("OTHER_SECRET", "hunter2-of-another")
        .start();
    for (bad, told) in [
        ("mail:\n  pasword: hunter2\n", "unknown key \"pasword\""),
        ("mail:\n  auth_pass: hunter2\n", "unknown key \"auth_pass\""),
        (
            "mail:\n  password:\n    \"hunter2${\"\n",
            "without its closing brace",
        ),
        (
            "mail:\n  password: |\n    ${hunter2\n",
            "without its closing brace",
        ),
        ("shutdown_grace: ${OTHER_SECRET}\n", "${OTHER_SECRET}"),
        ("timezone: ${OTHER_SECRET}\n", "no IANA time zone is named"),
    ] {
        belfry.reload(&format!("{good}{bad}"));
        poll::holds("the refusal should be told", || {
            let status = belfry.get("/api/belfry/v1/status").json();
            let reason = status["reload_error"]["text"].as_str().unwrap_or_default();
            reason.contains(told)
        });
        let page = belfry.get("/").body;
        assert!(page.contains("belfry.yml:"), "the page says so too: {page}");
        let status = belfry.get("/api/belfry/v1/status").body;
        let answer = belfry.post("/-/reload", "");
        assert_eq!(answer.status, 500);
        for said in [
            page,
            status,
            answer.body,
            belfry.get("/metrics").body,
            belfry.log(),
        ] {
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
    // A page of metrics may be two seconds old.
    poll::holds("the refusal should be in the metric", || {
        reload_state(&belfry) == Some(0.0)
    });
    belfry.reload(&good);
    poll::holds("the good one is taken again", || {
        reload_state(&belfry) == Some(1.0)
    });
    let answer = belfry.post("/-/reload", "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(reload_state(&belfry), Some(1.0));
}

#[test]
fn environment_and_files_fill_what_must_not_stand_in_the_file() {
    let scratch = Scratch::new();
    let password = scratch.file("password", "from-a-file\n");
    scratch.file(
        "belfry.yml",
        &format!("mail: {{smarthost: '${{SMTP_HOST}}:25', from: a@b.c, to: a@b.c, username: u, password_file: {password:?}}}\n"),
    );
    let output = belfry(&scratch, &["check"]);
    assert!(
        text(&output.stdout).contains("the environment has no SMTP_HOST"),
        "{}",
        text(&output.stdout)
    );
    let status = Command::new(env!("CARGO_BIN_EXE_belfry"))
        .args(["check", "--json"])
        .current_dir(&scratch.path)
        .env("SMTP_HOST", "127.0.0.1")
        .env("BELFRY_MAIL_SMARTHOST", "127.0.0.1:1")
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let mail = json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["what"] == "mail")
        .unwrap()
        .clone();
    assert_eq!(mail["grade"], "fail");
    assert!(mail["said"].as_str().unwrap().contains("refused"), "{mail}");
    assert!(!text(&status.stdout).contains("from-a-file"));
}
