//! What beat should send, and whether it does.

use exposition::Kind;

use super::config::{Beat, Config};
use crate::pieces::Sheet;

/// When a cron line is due for the first time after a moment, in a time zone; both in
/// seconds since 1970. Nothing for what is no line, or no zone.
pub type Calendar = fn(line: &str, zone: &str, after: f64) -> Option<f64>;

/// What beat may take to send what is due, in seconds.
const GRACE: f64 = 30.0;
/// What was sent so shortly before it was due, by the sender's clock, was sent for that.
const EARLY: f64 = 60.0;

/// Whom a page is written for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: f64,
    /// Since when events are heard; nothing while they are not.
    pub(super) began: Option<f64>,
    pub(super) calendar: Calendar,
}

/// Writes what beat should send, and when it did. What was not sent since events are
/// heard counts as sent then; nobody is late for one who does not listen.
pub(super) fn encode(
    config: &Config,
    moment: Moment,
    last_sent: impl Fn(&str) -> Option<f64>,
    sheet: &mut Sheet,
) {
    for beat in &config.beat {
        let sent = last_sent(&beat.task);
        let labels = [("name", beat.task.as_str())];
        let mut put = |name: &str, help: &str, value: f64| {
            sheet.family(name, help, Kind::Gauge).sample(&labels, value);
        };
        if beat.cron.is_empty() {
            put(
                "belfry_celery_beat_interval_seconds",
                "How often beat should send the task.",
                beat.every.as_secs_f64(),
            );
        }
        if let Some(due) = due(beat, moment, sent) {
            if !beat.cron.is_empty() {
                put(
                    "belfry_celery_beat_due_timestamp_seconds",
                    "When beat should send the task next, or should have.",
                    due,
                );
            }
            put(
                "belfry_celery_beat_late",
                "Whether beat has not sent the task for twice its interval, or since its cron line was due, and half a minute.",
                f64::from(u8::from(moment.now > due + GRACE)),
            );
        }
        if let Some(sent) = sent {
            put(
                "belfry_celery_beat_last_sent_timestamp_seconds",
                "When the task was sent last.",
                sent,
            );
        }
    }
}

/// By when the task is to be sent.
fn due(beat: &Beat, moment: Moment, sent: Option<f64>) -> Option<f64> {
    let began = moment.began?.min(moment.now);
    let since = sent.unwrap_or(began).max(began);
    match beat.cron.is_empty() {
        true => Some(since + beat.every.as_secs_f64() * 2.0),
        false => {
            // Nothing was sent for what was due before we began.
            let after = if since > began { since + EARLY } else { since };
            (moment.calendar)(&beat.cron, &beat.timezone, after)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    /// Each full hour; no other line is known.
    fn hourly(line: &str, zone: &str, after: f64) -> Option<f64> {
        ((line, zone) == ("0 * * * *", "UTC")).then(|| (after / 3600.0).floor() * 3600.0 + 3600.0)
    }

    fn page(beat: Beat, began: Option<f64>, sent: Option<f64>, now: f64) -> String {
        let config = Config {
            beat: vec![beat],
            ..Config::default()
        };
        let moment = Moment {
            now,
            began,
            calendar: hourly,
        };
        let mut sheet = Sheet::new(&"".into());
        encode(&config, moment, |_| sent, &mut sheet);
        crate::pieces::page(&[Arc::new(sheet.finish())])
    }

    fn is_late(page: &str) -> Option<bool> {
        let mut lines = page.lines();
        let late = lines.find_map(|line| line.strip_prefix("belfry_celery_beat_late{name=\"t\"} "));
        late.map(|value| value == "1")
    }

    #[test]
    fn a_task_of_an_interval_is_late_after_two_of_them() {
        let late = |sent: Option<f64>, now: f64| {
            let beat = Beat {
                task: "t".into(),
                every: Duration::from_secs(60),
                ..Beat::default()
            };
            is_late(&page(beat, Some(1000.0), sent, now)).unwrap()
        };
        assert!(!late(None, 1150.0) && late(None, 1151.0));
        assert!(!late(Some(2000.0), 2150.0) && late(Some(2000.0), 2151.0));
        // We did not listen.
        assert!(!late(Some(10.0), 1150.0));
    }

    #[test]
    fn a_task_of_a_cron_line_is_late_when_the_line_was_due_and_not_before() {
        let of = |cron: &str, sent: Option<f64>, now: f64| {
            let beat = Beat {
                task: "t".into(),
                cron: cron.into(),
                ..Beat::default()
            };
            page(beat, Some(1000.0), sent, now)
        };
        let late = |sent: Option<f64>, now: f64| is_late(&of("0 * * * *", sent, now)).unwrap();
        assert!(!late(None, 3600.0 + 30.0) && late(None, 3600.0 + 31.0));
        // Sent in time, and by a clock that is a little slow.
        for sent in [3600.5, 3598.0] {
            assert!(
                !late(Some(sent), 7000.0) && late(Some(sent), 7231.0),
                "{sent}"
            );
        }
        let told = of("0 * * * *", Some(3601.0), 5000.0);
        assert!(told.contains("belfry_celery_beat_due_timestamp_seconds{name=\"t\"} 7200\n"));
        assert!(!told.contains("beat_interval"), "{told}");
        assert_eq!(is_late(&of("nonsense", None, 9e9)), None);
    }

    #[test]
    fn nobody_is_late_for_one_who_does_not_listen() {
        let beat = Beat {
            task: "t".into(),
            ..Beat::default()
        };
        let page = page(beat, None, Some(1.0), 9e9);
        assert_eq!(is_late(&page), None);
        assert!(
            page.contains("last_sent_timestamp_seconds{name=\"t\"} 1\n"),
            "{page}"
        );
    }
}
