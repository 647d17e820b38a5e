//! Numbers, durations and times as people read them, and back.

use crate::{Value, print, time::zero};

/// Four significant digits.
fn digits(number: f64) -> String {
    print::float(number, 'g', Some(4))
}

const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// With SI prefixes: 1.235M, 123u.
pub(super) fn si(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return digits(number);
    }
    let large = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
    match number.abs() >= 1.0 {
        true => scaled_down(number, 1000.0, &large),
        false => scaled_up(number),
    }
}

/// With binary prefixes: 1.5Mi.
pub(super) fn binary(number: f64) -> String {
    if number.abs() <= 1.0 || !number.is_finite() {
        return digits(number);
    }
    let prefixes = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
    scaled_down(number, 1024.0, &prefixes)
}

fn scaled_down(mut number: f64, by: f64, prefixes: &[&str]) -> String {
    let mut prefix = "";
    for larger in prefixes {
        if number.abs() < by {
            break;
        }
        prefix = larger;
        number /= by;
    }
    format!("{}{prefix}", digits(number))
}

fn scaled_up(mut number: f64) -> String {
    let mut prefix = "";
    for smaller in SMALL {
        if number.abs() >= 1.0 {
            break;
        }
        prefix = smaller;
        number *= 1000.0;
    }
    format!("{}{prefix}", digits(number))
}

/// Of a share: 0.1234 is 12.34%.
pub(super) fn percentage(share: f64) -> String {
    format!("{}%", digits(share * 100.0))
}

/// Of seconds: 1d 2h 3m 4s, 12.5s, 31.5ms.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return digits(seconds);
    }
    if seconds == 0.0 {
        return format!("{}s", digits(seconds));
    }
    if seconds.abs() < 1.0 {
        return format!("{}s", scaled_up(seconds));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "fractions are cut on purpose"
    )]
    let whole = seconds as i64;
    let (days, hours, minutes, rest) = (
        whole / 86_400,
        whole / 3600 % 24,
        whole / 60 % 60,
        whole % 60,
    );
    if days > 0 {
        format!("{sign}{days}d {hours}h {minutes}m {rest}s")
    } else if hours > 0 {
        format!("{sign}{hours}h {minutes}m {rest}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m {rest}s")
    } else {
        format!("{sign}{}s", digits(seconds))
    }
}

/// The moment so many seconds after 1970, to the millisecond.
pub(super) fn time(seconds: f64) -> Result<Value, String> {
    if !seconds.is_finite() {
        return Err("value is NaN or Inf".into());
    }
    let nanoseconds = seconds * 1e9;
    if nanoseconds.abs() > 9_223_372_036_854_775_807.0 {
        let number = print::float(seconds, 'g', None);
        return Err(format!(
            "{number} cannot be represented as a nanoseconds timestamp since it overflows int64"
        ));
    }
    #[expect(clippy::cast_possible_truncation, reason = "just checked")]
    let ms = nanoseconds as i64 / 1_000_000;
    match Value::time_ms(ms) {
        Value::Nil => Ok(zero()),
        time => Ok(time),
    }
}

/// The units of a duration, largest first, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Seconds of a duration in Prometheus' writing: 1d12h, 5m, 0.
pub(super) fn parse_duration(text: &str) -> Result<f64, String> {
    let bad = || format!("not a valid duration string: {text:?}");
    match text {
        "" => return Err("empty duration string".into()),
        "0" => return Ok(0.0),
        _ => {}
    }
    let mut rest = text;
    let mut allowed = 0;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(count);
        let unit = after.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, after) = after.split_at(unit);
        let at = UNITS
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or_else(bad)?;
        if at < allowed || count == 0 {
            return Err(bad());
        }
        let part = number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(UNITS[at].1));
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|ms| *ms <= i64::MAX.unsigned_abs() / 1_000_000)
            .ok_or("duration out of range")?;
        allowed = at + 1;
        rest = after;
    }
    #[expect(clippy::cast_precision_loss, reason = "the wanted unit is a float")]
    Ok(total as f64 / 1000.0)
}
