//! Belfry's own troubles, targets, backups and jobs.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, SystemTime};

use super::Watched;
use crate::setup::Setup;
use crate::support::alone::Page;
use crate::support::belfry::Launch;
use crate::support::claim;
use crate::support::http;
use crate::support::poll;
use crate::support::scratch::Scratch;
use crate::support::sink::{Act, Sink, Stage};
use crate::support::smtp::Smtp;

#[test]
fn rules_about_targets_and_belfry_itself_fire() {
    let dead = claim::port();
    let target = |more: &str| {
        let setup = Setup::new().mail(dead.number, "1h");
        let (config, kept) = super::quick(setup);
        // Beside the quick rules one that cannot be evaluated, and a target
        // where nobody listens.
        let broken = kept.rules.file(
            "broken.yml",
            "groups: [{name: broken, rules: [{record: 'x:y', expr: 'node_cpu_seconds_total * on (job) node_cpu_seconds_total'}]}]",
        );
        assert!(broken.exists());
        let config = config.replace(
            "rules: {pack: false,",
            &format!("rules: {{pack: false, {more}"),
        );
        (config, kept)
    };
    let closed = claim::port();
    let scrape = format!(
        "scrape: [{{job_name: shop, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}],",
        closed.number
    );
    let (config, kept) = target(&scrape);
    let mut watched = Watched {
        belfry: Launch::with(&config).start(),
        _kept: kept,
    };
    watched.fires(
        &[
            ("TargetDown", "warning"),
            ("TargetDown", "critical"),
            ("BelfryMailFailing", "critical"),
            ("BelfryRuleFailing", "warning"),
            ("Watchdog", "none"),
        ],
        || {},
    );
    watched.belfry.reload("interval: [\n");
    watched.fires(&[("BelfryConfigReloadFailed", "warning")], || {});
    let (config, kept) = target("");
    watched.belfry.reload(&config);
    watched.fires(&[("TargetMissing", "warning")], || {});
    drop(kept);
}

#[test]
fn the_rule_about_memory_fires_when_belfry_keeps_more_than_it_is_meant_for() {
    let mut text = String::new();
    for at in 0..400_000 {
        let _ = writeln!(text, "wide{{path=\"/a/page/with/a/long/name/{at}\"}} 1");
    }
    let page = Page::serve(&text);
    let (config, kept) = super::quick(Setup::new().part("series: {memory: 1GiB}"));
    let config = config.replace(
        "rules: {pack: false,",
        &format!(
            "rules: {{pack: false, scrape: [{{job_name: wide, scrape_interval: 60s, scrape_timeout: 50s, sample_limit: 500000, \
             body_size_limit: 64MiB, static_configs: [{{targets: ['{}']}}]}}],",
            page.address
        ),
    );
    Watched::launch(Launch::with(&config), kept).fires(&[("BelfryMemoryHigh", "warning")], || {});
}

#[test]
fn a_canary_that_a_real_mail_server_does_not_take_fires_until_it_does() {
    let mut smtp = Smtp::start();
    let (name, word) = Smtp::LOGIN;
    let setup = Setup::new().part(&format!(
        "mail: {{smarthost: 'localhost:{}', from: belfry@example.org, to: ops@example.org, tls: starttls, \
         username: {name}, password: {word}, ca_file: {:?}, canary: 1s}}",
        smtp.port(),
        smtp.authority()
    ));
    let watched = Watched::start(setup);
    let canaries = || {
        let mails = smtp.mails();
        let canary =
            |it: &&crate::support::mail::Mail| it.header("Subject").starts_with("[CANARY]");
        mails.iter().filter(canary).count()
    };
    // It goes out again and again, each time by the server's own word.
    poll::holds("a second canary should arrive", || canaries() >= 2);
    watched.is_known("belfry_canary_interval_seconds == 1 and belfry_canary_failed == 0");
    watched.is_known("belfry_canary_age_seconds < 600");
    assert!(
        !watched
            .firing()
            .iter()
            .any(|it| it.0 == "BelfryCanaryMissing"),
        "it is taken"
    );
    let before = canaries();
    smtp.halt();
    watched.fires(&[("BelfryCanaryMissing", "critical")], || {});
    smtp.resume();
    watched.is_known("belfry_canary_failed == 0");
    let canaries = smtp.mails();
    let canary = |it: &&crate::support::mail::Mail| it.header("Subject").starts_with("[CANARY]");
    assert!(canaries.iter().filter(canary).count() > before);
    poll::holds("it should end", || {
        !watched
            .firing()
            .iter()
            .any(|it| it.0 == "BelfryCanaryMissing")
    });
}

#[test]
fn a_canary_that_a_real_mail_server_takes_and_brings_back_fires() {
    let far = Sink::start(&[Act::Reply(Stage::Recipient, 550)]);
    let smtp = Smtp::returning(far.port());
    let setup = Setup::new().part(&format!(
        "mail: {{smarthost: '127.0.0.1:{}', from: belfry-bounces@localhost, to: ops@far.example, tls: none, canary: 2s}}",
        smtp.port(),
    ));
    let watched = Watched::start(setup);
    smtp.hand_over_to(watched.belfry.address());
    watched.fires(
        &[
            ("BelfryMailReturned", "warning"),
            ("BelfryCanaryMissing", "critical"),
        ],
        || {},
    );
    // The next one is taken: that alone does not end it.
    watched.is_known("belfry_canary_failed == 1 and belfry_canary_age_seconds < 600");
}

#[test]
fn rules_about_backups_and_jobs_fire() {
    let copies = Scratch::new();
    let old = copies.file("old.dump", "an old copy");
    let long_ago = SystemTime::now() - Duration::from_secs(40 * 86_400);
    fs::File::options()
        .write(true)
        .open(old)
        .and_then(|file| file.set_modified(long_ago))
        .expect("another time");
    copies.file("small.sql", "");
    copies.file("shrunk.tar", &"x".repeat(100_000));
    let folder = copies.path.display();
    let setup = Setup::new()
        .part(&format!(
            "backup:\n  watch:\n  - {{name: old, folder: {folder}, suffix: .dump, max_age: 1d, min_size: 1B}}\n  \
             - {{name: small, folder: {folder}, suffix: .sql, max_age: 1d, min_size: 1KiB}}\n  \
             - {{name: shrunk, folder: {folder}, suffix: .tar, max_age: 1d, min_size: 1B}}\n  \
             - {{name: lost, folder: {folder}/lost, max_age: 1d}}"
        ))
        .part(
            "heartbeat: {create: true, token: word, expect: {a: {period: 1s, grace: 1s}, b: {period: 1s, grace: 1s}, \
             c: {period: 1s, grace: 1s}, d: {}, e: {}, f: {}}}",
        );
    let watched = Watched::start(setup);
    let address = watched.belfry.address().to_owned();
    let ping = |job: &str| {
        let answer = http::get(&address, &format!("/ping/{job}?token=word")).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    ["a", "b", "c", "d", "e", "f"].into_iter().for_each(ping);
    watched.fires(
        &[
            ("BackupOverdue", "warning"),
            ("BackupOverdue", "critical"),
            ("BackupTooSmall", "warning"),
            ("BackupFolderUnreadable", "warning"),
            ("HeartbeatMissing", "warning"),
            ("ManyHeartbeatsMissing", "warning"),
        ],
        || {},
    );
    ["d/fail", "e/fail", "f/fail"].into_iter().for_each(ping);
    watched.fires(&[("ManyHeartbeatsMissing", "critical")], || {});
    copies.file("newer.tar", "x");
    watched.fires(&[("BackupSizeOff", "warning")], || {});
}
