//! Logs of named services: patterns become counters, and the last lines are there
//! without secrets.

use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;
use crate::support::program;
use crate::support::scratch::Scratch;

/// A journal's file that entries can be added to, as another machine sends them.
struct Journal {
    remote: Child,
    input: Option<ChildStdin>,
    scratch: Scratch,
}

impl Journal {
    fn start() -> Self {
        let scratch = Scratch::new();
        let server = "/lib/systemd/systemd-journal-remote";
        let mut command = Command::new(server);
        command
            .arg("--output")
            .arg(scratch.path.join("test.journal"))
            .arg("-")
            .stdin(Stdio::piped());
        let mut remote = command
            .spawn()
            .unwrap_or_else(|_| program::missing(server, "systemd-journal-remote"));
        Self {
            input: remote.stdin.take(),
            remote,
            scratch,
        }
    }

    fn add(&mut self, unit: &str, message: &str) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time");
        let entry = format!(
            "__REALTIME_TIMESTAMP={}\n_SYSTEMD_UNIT={unit}\nMESSAGE={message}\n\n",
            now.as_micros()
        );
        let input = self.input.as_mut().expect("it runs");
        input.write_all(entry.as_bytes()).expect("it reads");
        input.flush().expect("it reads");
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.remote.kill();
        let _ = self.remote.wait();
    }
}

fn count(belfry: &Belfry, series: &str) -> f64 {
    belfry.metric(series).unwrap_or(-1.0)
}

/// The last lines of a service, as an alert about it would show them.
fn lines(belfry: &Belfry, service: &str) -> Vec<String> {
    let answer = belfry
        .get(&format!("/api/belfry/v1/logs?name={service}"))
        .json();
    let lines = answer["lines"].as_array().cloned().unwrap_or_default();
    lines
        .iter()
        .map(|line| line.as_str().expect("a text").to_owned())
        .collect()
}

#[test]
fn a_container_a_unit_and_a_file_are_searched_and_their_last_lines_kept() {
    let engine = Engine::start();
    let talk = "trap 'exit 0' TERM; while :; do for one in /say/*; do [ -e $one ] && cat $one && rm $one; done; sleep 0.05; done";
    engine.run(&Container::named("shop-api-1").script(&format!("mkdir -p /say; {talk}")));
    engine.run(&Container::named("shop-web-1").script("while :; do echo unheard; sleep 0.1; done"));
    let say = |number: u32, text: &str| {
        let script = format!("mkdir -p /say; printf '%s' \"$0\" > /t && mv /t /say/{number}");
        engine.docker(&["exec", "shop-api-1", "sh", "-c", &script, text]);
    };
    let mut journal = Journal::start();
    journal.add("shop.service", "before our time");
    let scratch = Scratch::new();
    let file = scratch.file("worker.log", "before our time\n");
    let setup = Setup::new().engine(&engine).exporter(&format!(
        "logs:
    journal: {:?}
    services:
      - container: shop-api-1
        patterns:
          - {{name: oom, regex: MemoryError}}
          - {{name: slow, regex: 'slow query on (?P<table>\\w+)'}}
      - {{unit: shop.service, patterns: [{{name: failed, regex: '(?i)failed'}}]}}
      - {{file: {file:?}, name: worker}}",
        journal.scratch.path
    ));
    let mut belfry = Launch::with(&setup.config()).start();
    let names = ["shop-api-1", "shop.service", "worker"];
    poll::holds("the logs should be followed", || {
        names.iter().all(|name| {
            count(
                &belfry,
                &format!("belfry_log_read_success{{instance=\"{name}\"}}"),
            ) == 1.0
        })
    });

    let traceback = "\
2026-01-01 ERROR in checkout
Traceback (most recent call last):
  File \"/app/shop.py\", line 12, in pay
    connect('postgres://shop:hunter2hunter2@db/shop')
MemoryError: out of memory
after
";
    say(1, traceback);
    say(
        2,
        "slow query on orders\nslow query on orders\nslow query on stock\n",
    );
    poll::holds("the container's lines should be searched", || {
        count(
            &belfry,
            "belfry_log_matches_total{instance=\"shop-api-1\",pattern=\"slow\",table=\"stock\"}",
        ) == 1.0
    });
    for (series, expected) in [
        (
            "belfry_log_matches_total{instance=\"shop-api-1\",pattern=\"slow\",table=\"orders\"}",
            2.0,
        ),
        (
            "belfry_log_matches_total{instance=\"shop-api-1\",pattern=\"oom\"}",
            1.0,
        ),
        ("belfry_log_tracebacks_total{instance=\"shop-api-1\"}", 1.0),
        ("belfry_log_lines_total{instance=\"shop-api-1\"}", 9.0),
        (
            "belfry_log_matches_total{instance=\"shop.service\",pattern=\"failed\"}",
            0.0,
        ),
    ] {
        assert_eq!(count(&belfry, series), expected, "{series}");
    }
    let told = lines(&belfry, "shop-api-1");
    assert_eq!(told[1], "Traceback (most recent call last):");
    assert_eq!(told[3], "    connect('postgres://shop:<secret>@db/shop')");
    assert_eq!(told.last().map(String::as_str), Some("slow query on stock"));
    let all: Value = belfry.get("/api/belfry/v1/logs").json();
    let entries = &all["logs"][0]["entries"];
    assert_eq!(entries[1]["traceback"], true, "{entries}");
    assert_eq!(entries[1]["lines"].as_array().map(Vec::len), Some(4));

    journal.add("shop.service", "start failed");
    journal.add("other.service", "failed too");
    poll::holds("the unit's line should be searched", || {
        count(
            &belfry,
            "belfry_log_matches_total{instance=\"shop.service\",pattern=\"failed\"}",
        ) == 1.0
    });
    assert_eq!(lines(&belfry, "shop.service"), ["start failed"]);
    let mut log = std::fs::File::options()
        .append(true)
        .open(&file)
        .expect("the log");
    log.write_all(b"API_TOKEN=abcdef0123 used\n")
        .expect("a write");
    poll::holds("the file's line should be there", || {
        lines(&belfry, "worker") == ["API_TOKEN=<secret> used"]
    });

    // Whoever is not named is left alone.
    assert_eq!(
        belfry.get("/api/belfry/v1/logs?name=shop-web-1").status,
        404
    );
    let page = belfry.get("/metrics/log").body;
    assert!(
        !page.contains("shop-web-1") && !page.contains("hunter2"),
        "{page}"
    );

    // A restart goes on where it stopped.
    belfry.signal(rustix::process::Signal::TERM);
    assert!(belfry.wait().success());
    say(3, "slow query on orders\n");
    journal.add("shop.service", "failed again");
    belfry.restart();
    poll::holds("nothing should be lost or counted twice", || {
        count(
            &belfry,
            "belfry_log_matches_total{instance=\"shop-api-1\",pattern=\"slow\",table=\"orders\"}",
        ) == 3.0
            && count(
                &belfry,
                "belfry_log_matches_total{instance=\"shop.service\",pattern=\"failed\"}",
            ) == 2.0
    });
    assert_eq!(
        count(&belfry, "belfry_log_lines_total{instance=\"shop-api-1\"}"),
        10.0
    );
    assert_eq!(lines(&belfry, "shop-api-1"), ["slow query on orders"]);
    let kept = std::fs::read(belfry.data().join("belfry.db")).expect("the database");
    let holds = |word: &str| kept.windows(word.len()).any(|part| part == word.as_bytes());
    assert!(holds("exporter_counts") && !holds("hunter2"));
}
