//! A log that says what was looked for, and tracebacks.

use std::fs::File;
use std::io::Write as _;

use super::Watched;
use crate::setup::Setup;
use crate::support::scratch::Scratch;

/// Tracebacks that follow each other are one: a line between them parts them.
const TRACEBACK: &str = "ERROR cannot sell\nTraceback (most recent call last):\n  File \"shop.py\", line 3, in sell\n    pay()\nValueError: no\n";

#[test]
fn rules_about_logs_fire_with_the_severity_of_the_pattern() {
    let scratch = Scratch::new();
    let file = scratch.file("shop.log", "before our time\n");
    let watched = Watched::start(Setup::new().exporter(&format!(
        "logs:
    services:
      - file: {file:?}
        name: shop
        patterns:
          - {{name: oom, regex: MemoryError, severity: critical}}
          - {{name: slow, regex: 'slow query on (?P<table>\\w+)', severity: warning}}
          - {{name: sale, regex: 'sold'}}"
    )));
    watched.is_known("belfry_log_alarm_matches_total{pattern=\"slow\"} == 0");
    let mut log = File::options().append(true).open(&file).expect("a log");
    let mut say = |text: &str| log.write_all(text.as_bytes()).expect("a line");
    watched.fires(
        &[("LogPattern", "critical"), ("LogPattern", "warning")],
        || {
            say("sold\nMemoryError\nslow query on orders\n");
        },
    );
    watched.fires(
        &[("LogTracebacks", "warning")],
        || say(&TRACEBACK.repeat(5)),
    );
}
