//! Starts while files of the configuration lie on a disk that does not answer: nothing runs
//! without the configuration itself, and everything but its own rules without a rule file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::setup::Setup;
use crate::support::alone::{Alone, Page};
use crate::support::belfry::Launch;
use crate::support::fault::HungMount;
use crate::support::poll;
use crate::support::process::Process;
use crate::support::scratch::Scratch;

const SILENT: &str = "its disk does not answer";

/// A link to a file on the disk that hangs.
fn hung(at: &Path, mount: &HungMount) {
    symlink(mount.path().join("file"), at).expect("a link");
}

/// A rule that always gives a series of this name.
fn rule(name: &str) -> String {
    format!(
        "groups: [{{name: {name}, interval: 1s, rules: [{{record: '{name}', expr: vector(1)}}]}}]\n"
    )
}

#[test]
fn a_configuration_that_hangs_ends_the_start_and_is_named() {
    let mount = HungMount::new();
    for (words, file) in [
        (
            &[
                "prometheus",
                "--web.listen-address=127.0.0.1:0",
                "--storage.tsdb.path=data",
            ][..],
            "prometheus.yml",
        ),
        (
            &["run", "--data", "data", "--listen", "127.0.0.1:0"][..],
            "belfry.yml",
        ),
    ] {
        let scratch = Scratch::new();
        hung(&scratch.path.join(file), &mount);
        let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
        command
            .args(words)
            .env_remove("BELFRY_CONFIG")
            .current_dir(&scratch.path);
        let log = scratch.path.join("log");
        let mut process = Process::spawn("belfry", &mut command, &log);
        let code = process.wait().code();
        let log = process.log();
        assert_eq!(code, Some(3), "{log}");
        assert!(log.contains(file) && log.contains(SILENT), "{log}");
        assert!(log.contains("nothing was started"), "{log}");
    }
    // Files that the configuration cannot do without either.
    let scratch = Scratch::new();
    let password = scratch.path.join("password");
    hung(&password, &mount);
    let (code, log) = Launch::with(&format!(
        "mail: {{smarthost: 'localhost:25', from: a@b.c, to: a@b.c, username: u, password_file: {password:?}}}\n"
    ))
    .fail();
    assert_eq!(code, Some(3), "{log}");
    let told = format!("mail.password_file: cannot read the file it names: {SILENT}");
    assert!(log.contains(&told), "{log}");
}

#[test]
fn a_rule_file_that_hangs_costs_itself_alone_until_its_disk_answers() {
    let page = Page::serve("good 1\n");
    let scratch = Scratch::new();
    for name in ["good", "beside", "behind"] {
        scratch.file(&format!("{name}.yml"), &rule(name));
    }
    let file = scratch.path.join("best.yml");
    let text = "groups: [{name: best, interval: 1s, rules: [{alert: Best, expr: vector(1)}]}]\n";
    fs::write(&file, text).expect("the file");
    let config = format!(
        "global: {{scrape_interval: 1s}}\nrule_files: [good.yml, 'be*.yml']\n\
         scrape_configs: [{{job_name: good, static_configs: [{{targets: ['{}']}}]}}]\n",
        page.address
    );
    let mut ours = Alone::start(scratch, &config, &["--web.enable-lifecycle"]);
    let best = |ours: &Alone| {
        let alerts = ours.data("/api/v1/alerts");
        Some(alerts["alerts"][0]["activeAt"].as_str()?.to_owned())
    };
    let since = poll::until("it should fire", || best(&ours));
    ours.stop();
    fs::remove_file(&file).expect("the file");
    let mount = HungMount::new();
    hung(&file, &mount);
    ours.restart();
    assert_eq!(best(&ours), None);
    for name in ["good", "beside", "behind", "up"] {
        poll::holds("all else should be evaluated", || {
            ours.value(name).as_deref() == Some("1")
        });
    }
    let told = format!("best.yml: cannot read the rule file: {SILENT}");
    assert!(ours.log().contains(&told), "{}", ours.log());
    let applied = || {
        let page = ours.get("/metrics").body;
        page.contains("\nprometheus_config_last_reload_successful 1\n")
    };
    assert!(!applied());
    // Nor does it take what is there from one that reads it again.
    let reload = ours.post("/-/reload");
    assert_eq!(reload.status, 500);
    assert!(reload.body.contains(&told), "{}", reload.body);
    assert_eq!(ours.value("beside").as_deref(), Some("1"));
    // The disk answers again.
    fs::remove_file(&file).expect("the link");
    fs::write(&file, text).expect("the file");
    drop(mount);
    poll::holds("it should be read by itself", applied);
    let known = poll::until("it should fire", || best(&ours));
    assert_eq!(known, since, "it never ended");
}

#[test]
fn the_watch_runs_without_a_rule_file_and_a_password_that_hang() {
    let page = Page::serve("good 1\n");
    let files = Scratch::new();
    let good = files.file("good.yml", &rule("good"));
    let (late, token) = (files.path.join("late.yml"), files.path.join("token"));
    let absent = files.path.join("absent");
    let mount = HungMount::new();
    hung(&late, &mount);
    hung(&token, &mount);
    let address = &page.address;
    let setup = Setup::new().part(&format!(
        "rules:\n  files: [{good:?}, {late:?}]\n  scrape:\n  \
         - {{job: plain, targets: ['{address}']}}\n  \
         - {{job: hung, bearer_token_file: {token:?}, targets: ['{address}']}}\n  \
         - {{job: absent, username: u, password_file: {absent:?}, targets: ['{address}']}}"
    ));
    let belfry = Launch::with(&setup.config()).start();
    let value = |expr: &str| {
        let escaped: String = expr.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = belfry.get(&format!("/api/v1/query?query={escaped}")).json();
        let value = answer["data"]["result"][0]["value"][1].as_str();
        value.map(str::to_owned)
    };
    let is = |expr: &str, wanted: &str| {
        poll::holds(expr, || value(expr).as_deref() == Some(wanted));
    };
    is("good", "1");
    is("up{job=\"plain\"}", "1");
    is("up{job=\"hung\"}", "0");
    is("up{job=\"absent\"}", "0");
    is("belfry_config_last_reload_successful", "0");
    let log = belfry.log();
    let told = format!("{}: cannot read the rule file: {SILENT}", late.display());
    assert!(log.contains(&told), "{log}");
    // The file is made, and then another password is in it.
    for word in ["pa55", "w0rd"] {
        fs::write(&absent, word).expect("the file");
        is("up{job=\"absent\"}", "1");
    }
    fs::remove_file(&absent).expect("the file");
    is("up{job=\"absent\"}", "0");
    // The disk answers again.
    for (file, text) in [(&late, rule("late")), (&token, "t0k\n".to_owned())] {
        fs::remove_file(file).expect("the link");
        fs::write(file, text).expect("the file");
    }
    drop(mount);
    is("up{job=\"hung\"}", "1");
    is("late", "1");
    is("belfry_config_last_reload_successful", "1");
}
