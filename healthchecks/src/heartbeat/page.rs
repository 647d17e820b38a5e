//! Heartbeats as samples, and as the page and `/api/belfry/v1/health` show them.

use std::collections::BTreeMap;

use exposition::{Kind as Type, Writer};
use serde::Serialize;

use super::book::{Beat, Inner};
use super::{Book, Kind, Refusal, State};

/// One heartbeat as it is shown. Times in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// Since when.
    pub since_ms: i64,
    /// Whether it runs now.
    pub running: bool,
    /// The last success or failure.
    pub last_ms: Option<i64>,
    /// When the next one is expected.
    pub expected_ms: Option<i64>,
    /// When its grace ends.
    pub deadline_ms: Option<i64>,
    /// How long the last run took.
    pub duration_ms: Option<i64>,
    /// The last exit code that was told.
    pub exit_code: Option<u8>,
    /// What the last ping with a body carried.
    pub body: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Book {
    /// All heartbeats, by name.
    #[must_use]
    pub fn views(&self, now_ms: i64) -> Vec<View> {
        self.lock()
            .beats
            .values()
            .map(|beat| view(beat, now_ms))
            .collect()
    }

    /// One heartbeat's state, if there is one of this name.
    #[must_use]
    pub fn state(&self, name: &str, now_ms: i64) -> Option<State> {
        let inner = self.lock();
        let beat = inner.beats.get(name)?;
        Some(beat.kept.state(&beat.rules, now_ms).0)
    }

    /// The page `/metrics/heartbeat`.
    #[must_use]
    pub fn page(&self, now_ms: i64) -> String {
        let mut inner = self.lock();
        inner.note_losses(now_ms);
        let mut page = Writer::new();
        states(&mut page, &inner, now_ms);
        gauges(&mut page, &inner, now_ms);
        losses(&mut page, &inner, now_ms);
        page.family(
            "belfry_heartbeat_pings_total",
            "Pings that were taken.",
            Type::Counter,
        );
        for beat in inner.beats.values() {
            for (kind, count) in Kind::WORDS.into_iter().zip(beat.kept.pings) {
                page.sample(&labels(beat, Some(("kind", kind))), number(count));
            }
        }
        page.family(
            "belfry_heartbeat_refused_total",
            "Pings that were not taken.",
            Type::Counter,
        );
        for (refusal, count) in Refusal::ALL.iter().zip(inner.refused) {
            page.sample(&[("reason", refusal.as_str())], number(count));
        }
        page.finish()
    }
}

fn states(page: &mut Writer, inner: &Inner, now_ms: i64) {
    let mut counts = [0_u64; State::ALL.len()];
    page.family(
        "belfry_heartbeat_state",
        "1 for the state that a heartbeat is in.",
        Type::Gauge,
    );
    for beat in inner.beats.values() {
        let is = beat.kept.state(&beat.rules, now_ms).0;
        counts[is as usize] += 1;
        for state in State::ALL {
            page.sample(
                &labels(beat, Some(("state", state.as_str()))),
                f64::from(u8::from(state == is)),
            );
        }
    }
    page.family(
        "belfry_heartbeats",
        "Heartbeats in each state.",
        Type::Gauge,
    );
    for (state, count) in State::ALL.iter().zip(counts) {
        page.sample(&[("state", state.as_str())], number(count));
    }
}

/// A family of one value for each heartbeat.
type Family = (&'static str, &'static str, fn(&Beat, i64) -> Option<f64>);

const GAUGES: [Family; 9] = [
    (
        "belfry_heartbeat_up",
        "1 for up and late, 0 for down.",
        |beat, now_ms| match beat.kept.state(&beat.rules, now_ms).0 {
            State::Up | State::Late => Some(1.0),
            State::Down => Some(0.0),
            State::New | State::Paused => None,
        },
    ),
    (
        "belfry_heartbeat_running",
        "1 between a start and its end.",
        |beat, _| Some(f64::from(u8::from(beat.kept.started_ms.is_some()))),
    ),
    (
        "belfry_heartbeat_last_ping_timestamp_seconds",
        "The last success or failure.",
        |beat, _| beat.kept.last_ms().map(seconds),
    ),
    (
        "belfry_heartbeat_last_success_timestamp_seconds",
        "The last success.",
        |beat, _| beat.kept.success_ms.map(seconds),
    ),
    (
        "belfry_heartbeat_expected_timestamp_seconds",
        "When the next success is expected.",
        |beat, _| beat.kept.expected_ms(&beat.rules).map(seconds),
    ),
    (
        "belfry_heartbeat_deadline_timestamp_seconds",
        "When the grace ends.",
        |beat, _| beat.kept.deadline_ms(&beat.rules).map(seconds),
    ),
    (
        "belfry_heartbeat_since_timestamp_seconds",
        "Since when it is in its state.",
        |beat, now_ms| Some(seconds(beat.kept.state(&beat.rules, now_ms).1)),
    ),
    (
        "belfry_heartbeat_last_duration_seconds",
        "From the last start to its end.",
        |beat, _| beat.kept.duration_ms.map(seconds),
    ),
    (
        "belfry_heartbeat_last_exit_code",
        "The last exit code that was told.",
        |beat, _| beat.kept.exit_code.map(f64::from),
    ),
];

fn gauges(page: &mut Writer, inner: &Inner, now_ms: i64) {
    for (name, help, value) in GAUGES {
        page.family(name, help, Type::Gauge);
        for beat in inner.beats.values() {
            if let Some(value) = value(beat, now_ms) {
                page.sample(&labels(beat, None), value);
            }
        }
    }
}

fn losses(page: &mut Writer, inner: &Inner, now_ms: i64) {
    page.family(
        "belfry_heartbeat_lost_info",
        "1 while it is down; lost is the same for all that were lost together.",
        Type::Gauge,
    );
    for beat in inner.beats.values() {
        match (beat.kept.lost_ms, beat.kept.state(&beat.rules, now_ms).0) {
            (Some(lost_ms), _) => {
                // No time can be told that is further away than the year 9999.
                let at = jiff::Timestamp::from_second(lost_ms.div_euclid(1000));
                let at = at.unwrap_or_default().to_string();
                page.sample(&labels(beat, Some(("lost", &at))), 1.0);
            }
            (None, State::Up | State::Late) => {
                page.sample(&labels(beat, None), 0.0);
            }
            (None, _) => {}
        }
    }
}

fn labels<'a>(beat: &'a Beat, more: Option<(&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let own = beat.labels.iter().map(|(name, value)| (&**name, &**value));
    std::iter::once(("heartbeat", &*beat.kept.name))
        .chain(more)
        .chain(own)
        .collect()
}

fn view(beat: &Beat, now_ms: i64) -> View {
    let (state, since_ms) = beat.kept.state(&beat.rules, now_ms);
    View {
        name: beat.kept.name.clone(),
        state,
        since_ms,
        running: beat.kept.started_ms.is_some(),
        last_ms: beat.kept.last_ms(),
        expected_ms: beat.kept.expected_ms(&beat.rules),
        deadline_ms: beat.kept.deadline_ms(&beat.rules),
        duration_ms: beat.kept.duration_ms,
        exit_code: beat.kept.exit_code,
        body: beat.kept.body.clone(),
        labels: beat.labels.iter().cloned().collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::{Config, Ping};

    #[test]
    fn the_page_tells_state_times_and_counts() {
        let text =
            "{expect: {job: {period: 30s, grace: 30s, labels: {team: web}}, idle: {paused: true}}}";
        let config: Config = settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap();
        let book = Book::new(&config, "UTC", Vec::new(), 0);
        let ping = |path, run, now_ms| {
            book.ping(
                &Ping {
                    path,
                    run,
                    body: b"done",
                    ..Ping::default()
                },
                now_ms,
            )
            .unwrap()
        };
        ping("job/start", "r", 10_000);
        ping("job/0", "r", 12_500);
        let page = book.page(50_000);
        for line in [
            "belfry_heartbeat_state{heartbeat=\"job\",state=\"late\",team=\"web\"} 1",
            "belfry_heartbeat_state{heartbeat=\"job\",state=\"up\",team=\"web\"} 0",
            "belfry_heartbeat_state{heartbeat=\"idle\",state=\"paused\"} 1",
            "belfry_heartbeat_up{heartbeat=\"job\",team=\"web\"} 1",
            "belfry_heartbeat_expected_timestamp_seconds{heartbeat=\"job\",team=\"web\"} 42.5",
            "belfry_heartbeat_deadline_timestamp_seconds{heartbeat=\"job\",team=\"web\"} 72.5",
            "belfry_heartbeat_last_duration_seconds{heartbeat=\"job\",team=\"web\"} 2.5",
            "belfry_heartbeat_last_exit_code{heartbeat=\"job\",team=\"web\"} 0",
            "belfry_heartbeat_pings_total{heartbeat=\"job\",kind=\"start\",team=\"web\"} 1",
            "belfry_heartbeats{state=\"late\"} 1",
            "belfry_heartbeats{state=\"down\"} 0",
            "belfry_heartbeat_refused_total{reason=\"unknown\"} 0",
        ] {
            assert!(
                page.lines().any(|have| have == line),
                "{line} is not in\n{page}"
            );
        }
        assert!(
            !page.contains("belfry_heartbeat_up{heartbeat=\"idle\""),
            "{page}"
        );
        assert!(
            book.page(73_000)
                .contains("belfry_heartbeat_up{heartbeat=\"job\",team=\"web\"} 0")
        );
        let view = book.views(50_000).pop().unwrap();
        assert_eq!(
            (view.name.as_str(), view.state, view.body.as_str()),
            ("job", State::Late, "done")
        );
    }
}
