//! Number and character constants, as Go reads them.

use crate::value::Value;

/// The value of a number: an int unless written with a point or an exponent.
pub(super) fn number(text: &str) -> Result<Value, String> {
    let bad = || format!("bad number syntax: {text:?}");
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        _ if !lower.contains(['.', 'e']) && lower.len() > 1 && lower.starts_with('0') => {
            (8, &lower[1..])
        }
        _ => (10, lower.as_str()),
    };
    // An underscore may only stand between digits or after the prefix.
    if digits.ends_with('_') || digits.contains("__") || (base == 10 && digits.starts_with('_')) {
        return Err(bad());
    }
    let digits = digits.replace('_', "");
    if base == 10 && digits.contains(['.', 'e']) {
        let plain = digits
            .bytes()
            .all(|b| b.is_ascii_digit() || b".e+-".contains(&b));
        let number: f64 = digits.parse().map_err(|_| bad())?;
        return match plain && number.is_finite() {
            true => Ok(Value::Float(if negative { -number } else { number })),
            false => Err(bad()),
        };
    }
    if digits.starts_with(['+', '-']) {
        return Err(bad());
    }
    let magnitude = i128::from_str_radix(&digits, base).map_err(|err| match err.kind() {
        std::num::IntErrorKind::PosOverflow => overflow(text),
        _ => bad(),
    })?;
    i64::try_from(if negative { -magnitude } else { magnitude })
        .map(Value::Int)
        .map_err(|_| overflow(text))
}

fn overflow(text: &str) -> String {
    format!("{text} overflows int")
}
