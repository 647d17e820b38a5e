//! Numbers in pages: Go's spelling of floats.

use std::fmt::Write as _;

/// Below this each whole number is a value of its own, and prints as itself.
const WHOLE: f64 = (1_u64 << 53) as f64;

/// Prints a value as Prometheus does: shortest digits, `+Inf`, `-Inf`, `NaN`,
/// and an exponent only below 1e-6 and from 1e21.
#[must_use]
pub fn format_value(value: f64) -> String {
    let mut text = String::new();
    push_value(&mut text, value);
    text
}

/// As [`format_value`], behind what `page` holds already.
pub(crate) fn push_value(page: &mut String, value: f64) {
    // Most values are whole, and those are printed in a fraction of the time.
    let whole = value as i64;
    if value.abs() < WHOLE && whole as f64 == value && (whole != 0 || value.is_sign_positive()) {
        match u8::try_from(whole) {
            Ok(digit @ 0..10) => page.push(char::from(b'0' + digit)),
            _ => {
                let _ = write!(page, "{whole}");
            }
        }
        return;
    }
    if value.is_nan() {
        return page.push_str("NaN");
    }
    if value.is_infinite() {
        return page.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        // Rust prints 1e-7 and 1e21; Go wants a sign and two digits.
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent
            .strip_prefix('-')
            .map_or(('+', exponent), |rest| ('-', rest));
        let _ = write!(page, "{digits}e{sign}{exponent:0>2}");
        return;
    }
    let _ = write!(page, "{value}");
}

/// Prints a bucket's bound or a quantile as OpenMetrics spells it, so that a
/// series is the same whichever format its page has: `1.0`, `0.005`, `1e+06`.
#[must_use]
pub fn format_bound(value: f64) -> String {
    if !value.is_finite() {
        return format_value(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let size: i32 = exponent.parse().unwrap_or(0);
    // Where Go's %g changes over when it prints as few digits as it can.
    if value != 0.0 && !(-4..6).contains(&size) {
        let (sign, size) = if size < 0 { ('-', -size) } else { ('+', size) };
        return format!("{digits}e{sign}{size:02}");
    }
    let plain = format!("{value}");
    if plain.contains('.') {
        plain
    } else {
        format!("{plain}.0")
    }
}

/// Reads a value as Go's `ParseFloat` would, as far as pages use it: decimal
/// forms, `Inf` and `NaN` in any case, and hexadecimal floats are refused.
#[must_use]
pub fn parse_value(text: &str) -> Option<f64> {
    match text {
        "" => None,
        "NaN" => Some(f64::NAN),
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        // Rust takes words such as "infinity" in any case, as Go does.
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_in_gos_spelling() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-17.0, "-17"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (-9_007_199_254_740_992.0, "-9007199254740992"),
            (1.8e19, "18000000000000000000"),
            (1.5, "1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.25e-7, "1.25e-07"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format_value(value), text);
        }
    }

    #[test]
    fn bounds_print_as_openmetrics_spells_them() {
        for (value, text) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-2.5, "-2.5"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (100_000.0, "100000.0"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format_bound(value), text);
        }
    }

    #[test]
    fn values_are_read_back_as_printed() {
        for value in [0.0, -1.5, 1e-300, 1.7e308, 123_456_789.125] {
            assert_eq!(parse_value(&format_value(value)), Some(value));
        }
        assert_eq!(parse_value("x"), None);
        assert_eq!(parse_value(""), None);
    }
}
