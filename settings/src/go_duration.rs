//! Durations as Go's programs read them, where Alertmanager takes them so: with fractions,
//! in any order, down to nanoseconds, and without days.

use std::time::Duration;

use crate::value::scalar;
use crate::{Node, Reader, Value, parse_duration};

const SECOND: u128 = 1_000_000_000;

/// The unit of microseconds has two letters that look alike.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
];

/// 100 years: longer ones are a slip of the pen.
const LONGEST: u128 = 100 * 365 * 86_400 * SECOND;

/// A duration that Go's `time.ParseDuration` reads, such as `1.5s`; one of days is taken too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GoDuration(pub Duration);

impl GoDuration {
    /// Reads one; none if it is none, or negative.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let nanos = nanos(text).and_then(|nanos| u64::try_from(nanos).ok());
        let read = nanos.map(Duration::from_nanos);
        read.or_else(|| parse_duration(text)).map(Self)
    }
}

fn nanos(text: &str) -> Option<u128> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_u128;
    while !rest.is_empty() {
        let (whole, behind) = digits(rest);
        let (fraction, behind) = match behind.strip_prefix('.') {
            Some(behind) => digits(behind),
            None => ("", behind),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = behind.find(|it: char| it == '.' || it.is_ascii_digit());
        let (unit, behind) = behind.split_at(end.unwrap_or(behind.len()));
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        // Below a nanosecond nothing counts.
        let fraction = &fraction[..fraction.len().min(15)];
        let number = |digits: &str| match digits {
            "" => Some(0),
            digits => digits.parse::<u128>().ok(),
        };
        let scale = fraction.bytes().fold(1, |scale, _| scale * 10);
        total = number(whole)?
            .checked_mul(*unit)?
            .checked_add(number(fraction)? * unit / scale)?
            .checked_add(total)?;
        rest = behind;
    }
    (total <= LONGEST).then_some(total)
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|it: char| !it.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

impl Value for GoDuration {
    fn kind() -> String {
        "duration, also with fractions".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = scalar(node, reader, "a duration such as 1.5s")?;
        let value = Self::parse(&text);
        if value.is_none() {
            let said = reader.quote(node);
            let message = format!("{said} is not a duration; write 15s, 1.5s or 1h30m, up to 100y");
            reader.fault(&node.place, message);
        }
        value
    }

    /// So that Go reads it back: it knows no days.
    fn show(&self) -> String {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        let decimal =
            |whole: u64, fraction: String, unit: &str| match fraction.trim_end_matches('0') {
                "" => format!("{whole}{unit}"),
                fraction => format!("{whole}.{fraction}{unit}"),
            };
        if seconds == 0 && nanos > 0 {
            let (millis, rest) = (nanos / 1_000_000, nanos % 1_000_000);
            return decimal(millis.into(), format!("{rest:06}"), "ms");
        }
        let mut out = String::new();
        for (count, unit) in [(seconds / 3_600, "h"), (seconds / 60 % 60, "m")] {
            if count > 0 {
                out.push_str(&format!("{count}{unit}"));
            }
        }
        if seconds % 60 > 0 || nanos > 0 || out.is_empty() {
            out.push_str(&decimal(seconds % 60, format!("{nanos:09}"), "s"));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them_and_printed_so_that_it_does() {
        for (text, nanos, printed) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("+1.5s", 1_500_000_000, "1.5s"),
            (".5s", 500_000_000, "500ms"),
            ("1.s", 1_000_000_000, "1s"),
            ("1m0.25s", 60_250_000_000, "1m0.25s"),
            ("1s1m", 61_000_000_000, "1m1s"),
            ("0.5h", 1_800_000_000_000, "30m"),
            ("90m", 5_400_000_000_000, "1h30m"),
            ("1.000000001s", 1_000_000_001, "1.000000001s"),
            ("0.0000000001s", 0, "0s"),
            ("1500us", 1_500_000, "1.5ms"),
            ("7\u{b5}s", 7_000, "0.007ms"),
            ("7\u{3bc}s1ns", 7_001, "0.007001ms"),
            ("24h", 86_400_000_000_000, "24h"),
            // What Go does not know, and we always did.
            ("1d", 86_400_000_000_000, "24h"),
        ] {
            let wanted = GoDuration(Duration::from_nanos(nanos));
            assert_eq!(GoDuration::parse(text), Some(wanted), "{text}");
            let shown = wanted.show();
            assert_eq!(shown, printed, "{text}");
            assert_eq!(GoDuration::parse(&shown), Some(wanted), "{text}");
        }
        for text in [
            "",
            "1",
            "10",
            "-1s",
            "s",
            ".",
            ".s",
            "1.5",
            "1.5d",
            "1 s",
            "1s ",
            "1..5s",
            "1e3s",
            "1S",
            "+",
            "++1s",
            "876001h",
            "99999999999999999999999999999999999999999h",
        ] {
            assert_eq!(GoDuration::parse(text), None, "{text}");
        }
    }
}
