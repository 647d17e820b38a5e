//! Durations as Prometheus writes them: `1h30m`, `5m`, `250ms`.

const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a duration in milliseconds: each unit at most once, the larger ones first.
pub(super) fn parse(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    let mut next = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        let letters = rest[digits..]
            .bytes()
            .take_while(u8::is_ascii_alphabetic)
            .count();
        let unit = &rest[digits..digits + letters];
        let at = UNITS.iter().position(|(name, _)| *name == unit)?;
        if at < next {
            return None;
        }
        next = at + 1;
        total = total.checked_add(number.checked_mul(UNITS[at].1)?)?;
        rest = &rest[digits + letters..];
    }
    // The largest duration that counts nanoseconds in 63 bits, as everywhere in that world.
    (next > 0 && total <= i64::MAX / 1_000_000).then_some(total)
}

/// Prints milliseconds the canonical way: years, weeks and days only if they divide it.
pub(super) fn print(milliseconds: i64) -> String {
    if milliseconds == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    let mut rest = milliseconds.unsigned_abs();
    if milliseconds < 0 {
        out.push('-');
    }
    for (at, (name, size)) in UNITS.iter().enumerate() {
        let size = size.unsigned_abs();
        let whole_only = at < 3;
        if rest < size || (whole_only && !rest.is_multiple_of(size)) {
            continue;
        }
        out.push_str(&format!("{}{name}", rest / size));
        rest %= size;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed() {
        for (text, milliseconds, printed) in [
            ("5m", 300_000, "5m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90s", 90_000, "1m30s"),
            ("1d", 86_400_000, "1d"),
            ("8d", 691_200_000, "8d"),
            ("1w1h", 608_400_000, "169h"),
            ("0s", 0, "0s"),
            ("1500ms", 1_500, "1s500ms"),
            ("1y", 31_536_000_000, "1y"),
        ] {
            assert_eq!(parse(text), Some(milliseconds), "{text}");
            assert_eq!(print(milliseconds), printed, "{text}");
        }
        assert_eq!(print(-60_000), "-1m");
    }

    #[test]
    fn a_wrong_order_unit_or_size_is_refused() {
        for text in ["", "5", "m", "5m1h", "5m5m", "1.5h", "5x", "300y", "-5m"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
