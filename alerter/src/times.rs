//! Times in requests and answers.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// What Go's clients send for "absent".
const GO_ZERO_MS: i64 = -62_135_596_800_000;

/// Prints milliseconds since 1970: `2026-01-02T03:04:05.006Z`.
pub(crate) fn print(time_ms: i64) -> String {
    // Beyond the years 1 to 9999 there is nothing to print.
    let time = Timestamp::from_millisecond(time_ms.max(GO_ZERO_MS)).unwrap_or(Timestamp::MAX);
    format!("{time:.3}")
}

/// Prints milliseconds since 1970 as Go does: `2026-01-02T03:04:05.06Z`.
pub(crate) fn print_short(time_ms: i64) -> String {
    let time = print(time_ms);
    let short = time.trim_end_matches('Z').trim_end_matches('0');
    format!("{}Z", short.trim_end_matches('.'))
}

/// Reads a time; what has no zone is in UTC. Nothing means absent.
pub(crate) fn parse(text: &str) -> Result<Option<i64>, String> {
    if text.is_empty() {
        return Ok(Some(0));
    }
    let spaced = text.replacen(' ', "T", 1);
    // "For ever" is the end of the year 9999, a day after the last moment known here.
    let for_ever = |time: DateTime| (time.year() == 9999).then_some(Timestamp::MAX);
    let utc = |time: DateTime| {
        let known = TimeZone::UTC.to_timestamp(time).ok();
        known.or_else(|| for_ever(time))
    };
    let time: Option<Timestamp> = text.parse().ok().or_else(|| {
        let bare: &str = spaced.strip_suffix('Z').unwrap_or(&spaced);
        let civil = bare.parse::<DateTime>().ok();
        let civil = civil.or_else(|| bare.parse::<Date>().ok().map(Date::into));
        civil.and_then(utc)
    });
    let time = time.ok_or_else(|| {
        format!(
            "parsing time {text:?} as \"2006-01-02 15:04:05\": cannot parse {text:?} as \"2006\""
        )
    })?;
    let time_ms = floor(time);
    Ok((time_ms != GO_ZERO_MS).then_some(time_ms))
}

fn floor(time: Timestamp) -> i64 {
    let since: SignedDuration = time.as_duration();
    i64::try_from(since.as_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 9999-12-30T22:00:00.999Z
    const FOR_EVER_MS: i64 = 253_402_207_200_999;

    #[test]
    fn times_are_read_in_the_forms_that_clients_use() {
        for (text, wanted) in [
            ("2026-01-02T03:04:05.006Z", Some(1_767_323_045_006)),
            ("2026-01-02T03:04:05.006999999Z", Some(1_767_323_045_006)),
            ("2026-01-02T05:04:05+02:00", Some(1_767_323_045_000)),
            ("2026-01-02T03:04:05", Some(1_767_323_045_000)),
            ("2026-01-02 03:04:05", Some(1_767_323_045_000)),
            ("2026-01-02T03:04Z", Some(1_767_323_040_000)),
            ("2026-01-02", Some(1_767_312_000_000)),
            ("9999-12-31T23:59:59Z", Some(FOR_EVER_MS)),
            ("9999-12-31T23:59:59.999+00:00", Some(FOR_EVER_MS)),
            ("9999-12-31", Some(FOR_EVER_MS)),
            ("", Some(0)),
            ("0001-01-01T00:00:00.000Z", None),
            ("0001-01-01T00:00:00Z", None),
        ] {
            assert_eq!(parse(text), Ok(wanted), "{text}");
        }
        for text in [
            "yesterday",
            "2026-13-01T00:00:00Z",
            "1767323045",
            "2026-01-02T03:04:05 Z",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_printed_with_three_decimals() {
        assert_eq!(print(1_767_323_045_006), "2026-01-02T03:04:05.006Z");
        assert_eq!(print_short(1_767_323_045_060), "2026-01-02T03:04:05.06Z");
        assert_eq!(print_short(1_767_323_040_000), "2026-01-02T03:04:00Z");
        assert_eq!(print(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(print(i64::MIN), "0001-01-01T00:00:00.000Z");
        assert!(print(i64::MAX).starts_with("9999-12-"));
    }
}
