//! `belfry prometheus`: the flags that Belfry has, those that change nothing, and those that it refuses.

use std::process::{Command, Output};

use crate::support::alone::Alone;
use crate::support::program;
use crate::support::scratch::Scratch;

#[test]
fn flags_that_mean_nothing_are_named_and_those_that_ask_too_much_are_refused() {
    let scratch = Scratch::new();
    scratch.file(
        "prometheus.yml",
        "scrape_configs: [{job_name: a, gce_sd_configs: [{}]}]",
    );
    let run = |words: &[&str]| {
        let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_belfry"))
            .arg("prometheus")
            .args(words)
            .current_dir(&scratch.path)
            .output()
            .expect("the binary runs");
        (status.code(), String::from_utf8(stderr).expect("UTF-8"))
    };
    for (words, said) in [
        (
            vec![],
            "prometheus.yml:1:32: scrape_configs[0].gce_sd_configs: Belfry finds targets by",
        ),
        (
            vec!["--config.file=other.yml"],
            "other.yml:1:1: cannot read it: No such file",
        ),
        (
            vec!["--web.enable-otlp-receiver"],
            "Belfry cannot do what --web.enable-otlp-receiver asks for",
        ),
        (vec!["--web.listen-adress=:1"], "--web.listen-address"),
        (
            vec!["--query.timeout=soon"],
            "not a duration; write 15s, 5m or 1h30m",
        ),
        (vec!["--data", "x"], "--storage.tsdb.path"),
    ] {
        let (code, told) = run(&words);
        assert_eq!(code, Some(3), "{words:?}: {told}");
        assert!(told.contains(said), "{words:?}: {told}");
    }
    let alone = Alone::start(
        Scratch::new(),
        "storage: {tsdb: {out_of_order_time_window: 1h}}",
        &["--web.console.templates=/x", "--log.format=json"],
    );
    let log = alone.log();
    assert!(
        log.contains("\"msg\":\"--web.console.templates changes nothing here\""),
        "{log}"
    );
    assert!(
        log.contains("prometheus.yml:1:1: storage: it changes nothing here"),
        "{log}"
    );
}

#[test]
fn no_flag_of_debians_prometheus_is_unknown() {
    let mut help = Command::new(program::find("prometheus", "prometheus"));
    // It tells of its flags beside what it prints.
    let Output { stdout, stderr, .. } = help.arg("--help").output().expect("it runs");
    let told = [stdout, stderr].concat();
    let told = String::from_utf8(told).expect("UTF-8");
    let flags: Vec<(&str, bool)> = told
        .lines()
        .filter_map(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("-h, ").unwrap_or(line);
            let flag = line.strip_prefix("--")?;
            let flag = flag.strip_prefix("[no-]").unwrap_or(flag);
            let end = flag.find(['=', ' ']);
            let (name, behind) = flag.split_at(end.unwrap_or(flag.len()));
            Some((name, behind.starts_with('=')))
        })
        // Some begin a line of what is said of another.
        .filter(|(name, _)| !name.starts_with("help") && *name != "version")
        .filter(|(name, _)| !name.ends_with('.'))
        .collect();
    assert!(flags.len() > 40, "{told}");
    let scratch = Scratch::new();
    for (name, has_value) in flags {
        let flag = match has_value {
            true => format!("--{name}=none"),
            false => format!("--{name}"),
        };
        let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_belfry"))
            .args(["prometheus", &flag])
            .current_dir(&scratch.path)
            .output()
            .expect("the binary runs");
        let said = String::from_utf8(stderr).expect("UTF-8");
        // There is no configuration, or the value is none; but the flag is one.
        assert_eq!(status.code(), Some(3), "{flag}: {said}");
        assert!(!said.contains("unexpected argument"), "{flag}: {said}");
    }
}
