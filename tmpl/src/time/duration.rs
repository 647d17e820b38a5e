//! Spans of time with the methods of Go's Duration.

use crate::Value;

/// Nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// As Go shows it: 1h2m3.5s, 1.5ms, 0s.
pub(super) fn text(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let span = nanoseconds.unsigned_abs();
    let part = |span: u64, unit: u64, digits: usize| {
        let fraction = format!("{:0digits$}", span % unit);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{}{point}{fraction}", span / unit)
    };
    match span {
        0 => "0s".into(),
        1..1_000 => format!("{sign}{span}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", part(span, 1_000, 3)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", part(span, 1_000_000, 6)),
        _ => {
            let minutes = span / MINUTE;
            let (hours, minutes) = (minutes / 60, minutes % 60);
            let last = format!("{}s", part(span % MINUTE, 1_000_000_000, 9));
            match (hours, minutes) {
                (0, 0) => format!("{sign}{last}"),
                (0, minutes) => format!("{sign}{minutes}m{last}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{last}"),
            }
        }
    }
}

/// A span of so many seconds, fractions of a nanosecond cut.
pub(crate) fn from_seconds(seconds: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what does not fit becomes the longest span"
    )]
    Value::Duration((seconds * 1e9) as i64)
}

pub(super) fn method(
    nanoseconds: i64,
    name: &str,
    given: &[Value],
) -> Option<Result<Value, String>> {
    #[expect(clippy::cast_precision_loss, reason = "Go divides the same way")]
    let float = |unit: i64| {
        let whole = (nanoseconds / unit) as f64;
        Value::Float(whole + (nanoseconds % unit) as f64 / unit as f64)
    };
    let value = match (name, given) {
        ("Hours", []) => float(3_600_000_000_000),
        ("Minutes", []) => float(60_000_000_000),
        ("Seconds", []) => float(1_000_000_000),
        ("Milliseconds", []) => Value::Int(nanoseconds / 1_000_000),
        ("Microseconds", []) => Value::Int(nanoseconds / 1_000),
        ("Nanoseconds", []) => Value::Int(nanoseconds),
        ("Abs", []) => Value::Duration(nanoseconds.saturating_abs()),
        ("Truncate", [Value::Duration(unit) | Value::Int(unit)]) => match unit {
            ..=0 => Value::Duration(nanoseconds),
            unit => Value::Duration(nanoseconds - nanoseconds % unit),
        },
        ("Round", [Value::Duration(unit) | Value::Int(unit)]) => match unit {
            ..=0 => Value::Duration(nanoseconds),
            unit => Value::Duration(round(nanoseconds, *unit)),
        },
        _ => return None,
    };
    Some(Ok(value))
}

/// To the nearest multiple, halves away from zero.
fn round(span: i64, unit: i64) -> i64 {
    let rest = span % unit;
    let down = span - rest;
    match rest.unsigned_abs() >= unit.unsigned_abs() - rest.unsigned_abs() {
        true => down.saturating_add(unit * rest.signum()),
        false => down,
    }
}
