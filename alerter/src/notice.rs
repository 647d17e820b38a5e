//! When what is told once a day is due.
//!
//! Pure: the time of the day, the zone, when it was last done, and the time.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;

/// A time of the day: `08:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Daily(Time);

impl Daily {
    /// Reads `HH:MM`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        let number = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        Time::new(number(hour)?, number(minute)?, 0, 0)
            .ok()
            .map(Self)
    }

    /// Whether it is due at `now_ms`, having last been done at `done_ms`; both in
    /// milliseconds since 1970. What was missed while nobody was there is due
    /// once.
    #[must_use]
    pub fn is_due(self, done_ms: i64, now_ms: i64, zone: &TimeZone) -> bool {
        self.last_ms(now_ms, zone)
            .is_some_and(|last_ms| done_ms < last_ms)
    }

    /// The last time of this day or the day before.
    fn last_ms(self, now_ms: i64, zone: &TimeZone) -> Option<i64> {
        let now = Timestamp::from_millisecond(now_ms).ok()?;
        let today = zone.to_datetime(now).date();
        [Some(today), today.yesterday().ok()]
            .into_iter()
            .flatten()
            .filter_map(|date| {
                // Where the clock is set forward over it, a little later.
                let at = zone.to_timestamp(DateTime::from_parts(date, self.0)).ok()?;
                Some(at.as_millisecond())
            })
            .find(|at_ms| *at_ms <= now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn times_of_the_day_are_read_strictly() {
        for (text, good) in [
            ("08:00", true),
            ("23:59", true),
            ("24:00", false),
            ("8:00", false),
            ("08:60", false),
            ("+8:00", false),
            ("", false),
            ("noon", false),
        ] {
            assert_eq!(Daily::parse(text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn it_is_due_once_a_day_in_its_zone_also_over_changes_of_the_clock() {
        let daily = Daily::parse("08:00").unwrap();
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (done, now, due) in [
            ("2026-06-01T05:00:00Z", "2026-06-01T05:59:59Z", false),
            ("2026-06-01T05:00:00Z", "2026-06-01T06:00:00Z", true),
            ("2026-06-01T06:00:00Z", "2026-06-01T06:00:01Z", false),
            ("2026-06-01T06:00:00Z", "2026-06-02T05:59:59Z", false),
            // Nobody was there for a week: once.
            ("2026-06-01T06:00:00Z", "2026-06-08T01:00:00Z", true),
            // In winter an hour later by UTC.
            ("2026-12-01T06:30:00Z", "2026-12-01T06:59:00Z", false),
            ("2026-12-01T06:30:00Z", "2026-12-01T07:00:00Z", true),
        ] {
            assert_eq!(
                daily.is_due(ms(done), ms(now), &berlin),
                due,
                "{done} {now}"
            );
        }
        // The night without this hour.
        let early = Daily::parse("02:30").unwrap();
        let done = ms("2026-03-28T12:00:00Z");
        assert!(!early.is_due(done, ms("2026-03-29T00:59:00Z"), &berlin));
        assert!(early.is_due(done, ms("2026-03-29T02:00:00Z"), &berlin));
    }
}
