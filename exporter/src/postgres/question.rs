//! One question to a server in the time that is left, and how the collectors
//! fared that put them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use exposition::Kind;
use tokio::time::Instant as Deadline;

use super::link::{Failure, Link};
use super::rows::Rows;
use crate::pieces::Sheet;

/// How the collectors fared: how long each took, and whether all went well.
#[derive(Debug, Default, Clone)]
pub(super) struct Reports {
    pub(super) fared: BTreeMap<&'static str, (Duration, bool)>,
    /// Those that a lock or their own length kept from an answer.
    pub(super) held_up: BTreeSet<&'static str>,
    /// Whether the time was over before all was asked.
    pub(super) cut_short: bool,
}

impl Reports {
    pub(super) fn add(&mut self, name: &'static str, took: Duration, sound: bool) {
        let report = self.fared.entry(name).or_insert((Duration::ZERO, true));
        report.0 += took;
        report.1 &= sound;
    }

    /// Writes how long each took, and how it went.
    pub(super) fn encode(&self, sheet: &mut Sheet) {
        for (name, (took, sound)) in &self.fared {
            let label = [("collector", *name)];
            sheet
                .family(
                    "pg_scrape_collector_duration_seconds",
                    "How long the collector took when it was asked last.",
                    Kind::Gauge,
                )
                .sample(&label, took.as_secs_f64());
            sheet
                .family(
                    "pg_scrape_collector_success",
                    "Whether all that the collector asked was answered.",
                    Kind::Gauge,
                )
                .sample(&label, f64::from(u8::from(*sound)));
        }
    }
}

/// A connection, and until when questions may be put to it.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) link: &'a Link,
    pub(super) until: Deadline,
}

/// Asks one question of a collector, if there is time. A refusal is that
/// collector's alone.
pub(super) async fn ask(
    line: Line<'_>,
    sql: &str,
    name: &'static str,
    reports: &mut Reports,
) -> Result<Option<Rows>, Failure> {
    if Deadline::now() >= line.until {
        reports.add(name, Duration::ZERO, false);
        reports.cut_short = true;
        return Ok(None);
    }
    let began = Instant::now();
    let answer = line.link.rows(sql).await;
    reports.add(name, began.elapsed(), answer.is_ok());
    match answer {
        Ok(rows) => {
            reports.held_up.remove(name);
            Ok(Some(rows))
        }
        Err(err @ (Failure::Refused { .. } | Failure::TooLarge)) => {
            if err.is_hold_up() {
                reports.held_up.insert(name);
            }
            tracing::debug!(collector = name, "a question was refused: {err}");
            Ok(None)
        }
        Err(err) => Err(err),
    }
}
