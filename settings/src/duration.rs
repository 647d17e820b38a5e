//! Durations as Prometheus and Alertmanager write them.

use std::time::Duration;

const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Longer ones are a slip of the pen, and would overflow sums of times.
const LONGEST_MS: u64 = 100 * 365 * 86_400_000;

/// Reads `1h30m`, `15s`, `500ms`, `0`: units in falling order, no fractions,
/// at most 100 years.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = &rest[..letters];
        rest = &rest[letters..];
        let (_, millis) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*millis)?)?;
    }
    (!text.is_empty() && total <= LONGEST_MS).then(|| Duration::from_millis(total))
}

/// Prints a duration so that [`parse_duration`] reads it back: `1h30m`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    // Weeks and years would only make round numbers of days hard to read.
    for (unit, millis) in &UNITS[2..] {
        if rest >= *millis {
            out.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_prometheus_reads_them() {
        for (text, millis) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("15s", Some(15_000)),
            ("1h30m", Some(5_400_000)),
            ("1d", Some(86_400_000)),
            ("2w", Some(1_209_600_000)),
            ("250ms", Some(250)),
            ("1m500ms", Some(60_500)),
            ("", None),
            ("15", None),
            ("1.5h", None),
            ("100y", Some(100 * 365 * 86_400_000)),
            ("100y1ms", None),
            ("292277024y", None),
            ("1s1m", None),
            ("1h 30m", None),
            ("-1s", None),
            ("99999999999999999999y", None),
            ("9999999999999999y", None),
        ] {
            assert_eq!(
                parse_duration(text),
                millis.map(Duration::from_millis),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_print_as_they_are_read() {
        for text in ["0s", "15s", "1h30m", "30d", "250ms", "1d1h1m1s1ms"] {
            assert_eq!(
                parse_duration(text).map(format_duration).as_deref(),
                Some(text)
            );
        }
    }
}
