//! Times and durations in words.
//!
//! A clock time always names its zone, and says the day when it is not today.

use jiff::{Timestamp, ZonedDateTime, tz::TimeZone};
use serde::{Serialize, Serializer};

/// The zone in which times are shown; UTC unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.0.iana_name().unwrap_or("local"))
    }
}

impl Zone {
    fn at(&self, ms: i64) -> ZonedDateTime {
        // Only a time beyond the year 9999 fails; the epoch shows that it is wrong.
        Timestamp::from_millisecond(ms)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_zoned_datetime(self.0.clone())
    }
}

/// To the second, for what happened: `03:02:10 CEST`, on another day
/// `22 Aug 03:02:10 CEST`, in another year `22 Aug 2024 03:02:10 CEST`.
#[must_use]
pub fn clock(ms: i64, now_ms: i64, zone: &Zone) -> String {
    written(ms, now_ms, zone, "%H:%M:%S %Z")
}

/// To the minute, for what is planned: `03:40 CEST`, on another day
/// `23 Aug 03:40 CEST`.
#[must_use]
pub fn hour(ms: i64, now_ms: i64, zone: &Zone) -> String {
    written(ms, now_ms, zone, "%H:%M %Z")
}

fn written(ms: i64, now_ms: i64, zone: &Zone, time: &str) -> String {
    let (at, now) = (zone.at(ms), zone.at(now_ms));
    let day = if at.date() == now.date() {
        ""
    } else if at.year() == now.year() {
        "%-d %b "
    } else {
        "%-d %b %Y "
    };
    at.strftime(&format!("{day}{time}")).to_string()
}

/// With the day, for a heading: `Sun 23 Aug, 03:06:14 CEST`.
#[must_use]
pub fn full(ms: i64, zone: &Zone) -> String {
    zone.at(ms).strftime("%a %-d %b, %H:%M:%S %Z").to_string()
}

/// For machines: `2026-08-23T01:06:14Z`.
#[must_use]
pub fn machine(ms: i64) -> String {
    Timestamp::from_second(ms.div_euclid(1000))
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

/// A length of time: `40 s`, `4 min`, `2 h 05`, `3 d`. What is negative (a
/// clock stepped back) is `0 s`.
#[must_use]
pub fn duration(ms: i64) -> String {
    const HOUR: i64 = 3600;
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..HOUR => format!("{} min", seconds / 60),
        HOUR..172_800 => format!("{} h {:02}", seconds / HOUR, seconds % HOUR / 60),
        _ => format!("{} d", seconds / (24 * HOUR)),
    }
}

/// How long an answer took: `0.4 ms`, `6 ms`, `1.2 s`.
#[must_use]
pub fn latency(ms: f64) -> String {
    if !ms.is_finite() || ms < 0.0 {
        "unknown".into()
    } else if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_787_446_874_000; // 2026-08-23 01:01:14 UTC

    fn berlin() -> Zone {
        Zone(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }

    #[test]
    fn durations_are_short_and_never_negative() {
        for (ms, words) in [
            (-5_000, "0 s"),
            (0, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (240_000, "4 min"),
            (3_599_999, "59 min"),
            (3_600_000, "1 h 00"),
            (7_500_000, "2 h 05"),
            (172_799_000, "47 h 59"),
            (259_200_000, "3 d"),
        ] {
            assert_eq!(duration(ms), words);
        }
    }

    #[test]
    fn a_clock_time_names_its_zone_and_the_day_if_it_is_another() {
        let at = |ms| clock(ms, NOW, &berlin());
        assert_eq!(at(NOW), "03:01:14 CEST");
        assert_eq!(at(NOW - 4 * 3_600_000), "22 Aug 23:01:14 CEST");
        assert_eq!(at(NOW - 365 * 86_400_000), "23 Aug 2025 03:01:14 CEST");
        assert_eq!(hour(NOW, NOW, &Zone::default()), "01:01 UTC");
        assert_eq!(full(NOW, &berlin()), "Sun 23 Aug, 03:01:14 CEST");
        assert_eq!(machine(NOW + 123), "2026-08-23T01:01:14Z");
    }

    #[test]
    fn a_time_beyond_all_calendars_is_no_panic() {
        assert_eq!(
            clock(i64::MAX, NOW, &Zone::default()),
            "1 Jan 1970 00:00:00 UTC"
        );
        assert_eq!(machine(i64::MIN), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn latencies_keep_two_digits() {
        for (ms, words) in [
            (0.42, "0.4 ms"),
            (6.0, "6.0 ms"),
            (61.2, "61 ms"),
            (1234.0, "1.2 s"),
            (f64::NAN, "unknown"),
        ] {
            assert_eq!(latency(ms), words);
        }
    }
}
