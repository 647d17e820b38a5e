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

#[test]
fn the_command_line_explains_itself() {
    let scratch = Scratch::new();
    let help = belfry(&scratch, &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for word in [
        "run",
        "check",
        "status",
        "config",
        "Exit codes: 0 ok, 1 warning, 2 critical, 3 usage",
    ] {
        assert!(text(&help.stdout).contains(word), "{word}");
    }
    assert!(
        text(&help.stdout)
            .lines()
            .all(|line| line.chars().count() <= 100)
    );
    assert_eq!(
        belfry(&scratch, &["no-such-command"]).status.code(),
        Some(3)
    );
    assert_eq!(
        text(&belfry(&scratch, &["version"]).stdout).trim(),
        concat!("belfry ", env!("CARGO_PKG_VERSION"))
    );
    assert!(text(&belfry(&scratch, &["completions", "bash"]).stdout).contains("_belfry"));
    assert!(text(&belfry(&scratch, &["man"]).stdout).starts_with(".ie"));
    let reference = belfry(&scratch, &["config", "reference", "--json"]);
    let keys: serde_json::Value = serde_json::from_slice(&reference.stdout).unwrap();
    assert!(
        keys.as_array()
            .unwrap()
            .iter()
            .any(|key| key["key"] == "mail.smarthost")
    );
}

#[test]
fn status_shows_one_screen_and_exits_with_the_worst_severity() {
    let setup = Setup::switched("0s");
    let running = Launch::with(&setup.config()).start();
    poll::holds("a collection should be in", || {
        running.metric("belfry_collections_total") >= Some(2.0)
    });
    running.wait_for_status("/health/ready", 200);
    let data = running.data().display().to_string();
    let scratch = Scratch::new();
    let calm = belfry(&scratch, &["status", "--data", &data]);
    assert_eq!(calm.status.code(), Some(0), "{}", text(&calm.stdout));
    assert!(
        text(&calm.stdout).starts_with("testhost  up "),
        "{}",
        text(&calm.stdout)
    );

    setup.switch(true);
    poll::holds("it should fire", || {
        running.metric("belfry_alerts{state=\"firing\"}") == Some(1.0)
    });
    let alarmed = belfry(&scratch, &["status", "--data", &data]);
    assert_eq!(alarmed.status.code(), Some(2), "{}", text(&alarmed.stdout));
    assert!(
        text(&alarmed.stdout).contains("SEV-1  Switched"),
        "{}",
        text(&alarmed.stdout)
    );
    assert!(
        text(&alarmed.stdout)
            .lines()
            .all(|line| line.chars().count() <= 80)
    );

    drop(running);
    let alone = belfry(&scratch, &["status", "--data", &data]);
    assert_eq!(alone.status.code(), Some(3));
    assert!(
        text(&alone.stdout).contains("up "),
        "what can be seen without it: {}",
        text(&alone.stdout)
    );
}
