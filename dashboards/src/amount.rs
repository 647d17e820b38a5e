//! Numbers with their units, in words.
//!
//! A share is never shown without the amounts it is a share of, where they are
//! known.

use crate::fact::Unit;
use crate::time;

const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// Bytes: `412 MiB`, `3.1 GiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    let unit = unit_of(bytes);
    format!("{} {}", scaled(bytes, unit), UNITS[unit])
}

/// A part of a whole, in the unit of the whole: `3.1 of 3.8 GiB`.
#[must_use]
pub fn part(used: u64, total: u64) -> String {
    let unit = unit_of(total);
    format!(
        "{} of {} {}",
        scaled(used, unit),
        scaled(total, unit),
        UNITS[unit]
    )
}

/// A share as per cent, rounded so that neither 0 nor 100 is said too early:
/// `82 %`, `0.4 %`, `99.9 %`.
#[must_use]
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if !percent.is_finite() {
        "unknown".into()
    } else if percent == 0.0 || (1.0..99.0).contains(&percent) || percent >= 100.0 {
        format!("{percent:.0} %")
    } else if percent > 99.0 {
        format!("{:.1} %", percent.min(99.9))
    } else {
        format!("{percent:.1} %")
    }
}

/// The share of `used` in `total`; 0 if there is nothing.
#[must_use]
pub fn ratio(used: u64, total: u64) -> f64 {
    if total == 0 {
        0.0
    } else {
        used as f64 / total as f64
    }
}

/// A number in its unit.
#[must_use]
pub fn value(value: f64, unit: Unit) -> String {
    match unit {
        _ if !value.is_finite() => "no value".into(),
        Unit::Ratio => percent(value),
        Unit::Bytes => bytes(value.max(0.0) as u64),
        Unit::Seconds if value < 10.0 => time::latency(value * 1000.0),
        Unit::Seconds => time::duration((value * 1000.0) as i64),
        Unit::None => number(value),
    }
}

/// A bare number with at most two decimals: `1.9`, `1204331`.
#[must_use]
pub fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// With at most one decimal, for drawings.
pub(crate) fn tenths(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).into()
}

/// A count with its noun: `1 warning`, `3 warnings`.
#[must_use]
pub fn count(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

fn unit_of(bytes: u64) -> usize {
    let mut unit = 0;
    // 1000 rather than 1024, so that there are never four digits.
    while unit + 1 < UNITS.len() && bytes as f64 / 1024_f64.powi(unit as i32) >= 1000.0 {
        unit += 1;
    }
    unit
}

fn scaled(bytes: u64, unit: usize) -> String {
    let value = bytes as f64 / 1024_f64.powi(unit as i32);
    if value >= 10.0 || unit == 0 || value == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_at_most_three_digits() {
        for (count, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (432_013_312, "412 MiB"),
            (4_080_218_931, "3.8 GiB"),
        ] {
            assert_eq!(bytes(count), words);
        }
        assert_eq!(part(3_328_599_654, 4_080_218_931), "3.1 of 3.8 GiB");
        assert_eq!(part(0, 4_080_218_931), "0 of 3.8 GiB");
        assert!(bytes(u64::MAX).ends_with(" PiB"));
    }

    #[test]
    fn per_cent_says_neither_zero_nor_hundred_too_early() {
        for (ratio, words) in [
            (0.0, "0 %"),
            (0.004, "0.4 %"),
            (0.82, "82 %"),
            (0.9999, "99.9 %"),
            (1.0, "100 %"),
            (f64::NAN, "unknown"),
        ] {
            assert_eq!(percent(ratio), words);
        }
    }

    #[test]
    fn values_carry_their_unit() {
        for (number, unit, words) in [
            (1.0, Unit::None, "1"),
            (1.904, Unit::None, "1.9"),
            (0.006, Unit::Seconds, "6.0 ms"),
            (7200.0, Unit::Seconds, "2 h 00"),
            (-1.0, Unit::Bytes, "0 B"),
            (f64::INFINITY, Unit::None, "no value"),
        ] {
            assert_eq!(value(number, unit), words);
        }
        assert_eq!(count(1, "warning"), "1 warning");
        assert_eq!(count(0, "warning"), "0 warnings");
    }
}
