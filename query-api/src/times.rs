//! Times, durations and limits, as parameters spell them.

use jiff::Timestamp;
use serde::Serializer;

use crate::failure::Failure;
use crate::form::Form;

/// The ends of time, as clients of Go spell them.
const FIRST: &str = "-292273086-05-16T16:47:06Z";
const LAST: &str = "292277025-08-18T07:12:54.999999999Z";

/// Reads a time in milliseconds: seconds since 1970 with a fraction, or RFC 3339.
pub(crate) fn time(text: &str) -> Result<i64, String> {
    if let Some(seconds) = float(text).filter(|seconds| seconds.is_finite()) {
        let whole = seconds.trunc();
        let milliseconds = ((seconds - whole) * 1000.0).round() as i64;
        return Ok((whole as i64)
            .saturating_mul(1000)
            .saturating_add(milliseconds));
    }
    // Not everything that reads as a time to us does to others.
    if text.as_bytes().get(10) == Some(&b'T')
        && let Ok(time) = text.parse::<Timestamp>()
    {
        return Ok(time.as_nanosecond().div_euclid(1_000_000) as i64);
    }
    match text {
        FIRST => Ok(i64::MIN),
        LAST => Ok(i64::MAX),
        _ => Err(format!("cannot parse {text:?} to a valid timestamp")),
    }
}

/// Reads a duration in nanoseconds: seconds with a fraction, or `1h30m`.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    if let Some(seconds) = float(text) {
        let nanoseconds = seconds * 1e9;
        if nanoseconds.is_nan() || nanoseconds.abs() > i64::MAX as f64 {
            let what = "to a valid duration. It overflows int64";
            return Err(format!("cannot parse {text:?} {what}"));
        }
        return Ok(nanoseconds as i64);
    }
    units(text).ok_or_else(|| format!("cannot parse {text:?} to a valid duration"))
}

/// A number as Go reads it, as far as anyone sends one.
fn float(text: &str) -> Option<f64> {
    // Rust takes a lone sign's words such as "infinity" too, as Go does.
    text.parse().ok()
}

fn units(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let (mut rest, mut total, mut next) = (text, 0i64, 0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let at = UNITS
            .iter()
            .position(|(unit, _)| *unit == &rest[..letters])
            .filter(|at| *at >= next)?;
        rest = &rest[letters..];
        next = at + 1;
        total = total.checked_add(number.checked_mul(UNITS[at].1)?)?;
    }
    total.checked_mul(1_000_000).filter(|_| next > 0)
}

/// A number of milliseconds in nanoseconds; whatever is below one is cut.
pub(crate) fn milliseconds(nanoseconds: i64) -> i64 {
    nanoseconds / 1_000_000
}

/// A time as JSON shows it; one that never was is the first of year 1.
pub(crate) fn rfc3339(time_ms: Option<i64>) -> String {
    time_ms
        .and_then(|time_ms| Timestamp::from_millisecond(time_ms).ok())
        .map_or_else(|| "0001-01-01T00:00:00Z".into(), |time| time.to_string())
}

/// A number of seconds, whole ones without a fraction: `15`, not `15.0`.
pub(crate) fn plain<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    let whole = *seconds as i64;
    if whole as f64 == *seconds {
        serializer.serialize_i64(whole)
    } else {
        serializer.serialize_f64(*seconds)
    }
}

/// `start` and `end`; without them everything there is. The last says whether
/// either was stated.
pub(crate) fn bounds(form: &Form) -> Result<(i64, i64, bool), Failure> {
    let read = |name: &str, without: i64| match form.get(name) {
        "" => Ok(without),
        text => time(text).map_err(|err| {
            Failure::parameter(name, format!("invalid time value for '{name}': {err}"))
        }),
    };
    let (start, end) = (read("start", i64::MIN)?, read("end", i64::MAX)?);
    Ok((start, end, start != i64::MIN || end != i64::MAX))
}

/// `limit`: how many results are wanted, all if it is absent or 0.
pub(crate) fn limit(form: &Form) -> Result<usize, Failure> {
    let text = form.get("limit");
    let number = match text {
        "" => 0,
        _ => text
            .parse::<i64>()
            .map_err(|err| Failure::parameter("limit", format!("{text:?}: {err}")))?,
    };
    match usize::try_from(number) {
        Err(_) => Err(Failure::parameter("limit", "limit must be non-negative")),
        Ok(0) => Ok(usize::MAX),
        Ok(limit) => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        for (text, milliseconds) in [
            ("1600000000", 1_600_000_000_000),
            ("1600000000.5", 1_600_000_000_500),
            ("1600000000.0019", 1_600_000_000_002),
            ("-1.5", -1500),
            ("1e3", 1_000_000),
            ("2020-09-13T12:26:40Z", 1_600_000_000_000),
            ("2020-09-13T14:26:40.123+02:00", 1_600_000_000_123),
            (FIRST, i64::MIN),
            (LAST, i64::MAX),
            ("1e300", i64::MAX),
        ] {
            assert_eq!(time(text), Ok(milliseconds), "{text}");
        }
        for text in [
            "",
            "now",
            "NaN",
            "inf",
            "2020-09-13",
            "2020-09-13 12:26:40Z",
            "12:00",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_seconds_or_units() {
        for (text, milliseconds_) in [
            ("15", 15_000),
            ("0.5", 500),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("-1", -1000),
        ] {
            assert_eq!(
                duration(text).map(milliseconds),
                Ok(milliseconds_),
                "{text}"
            );
        }
        for text in ["", "m", "5m1h", "1.5h", "1e30", "NaN", "500y", "5µ", "é"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_shown_as_go_shows_them() {
        assert_eq!(rfc3339(None), "0001-01-01T00:00:00Z");
        assert_eq!(rfc3339(Some(1_600_000_000_120)), "2020-09-13T12:26:40.12Z");
        assert_eq!(rfc3339(Some(0)), "1970-01-01T00:00:00Z");
    }
}
