//! Floats as Go's strconv writes them.

/// The number by the verb b, e, E, f, g, G, x or X; without a precision, with as
/// many digits as it takes to read the same number back.
pub(crate) fn format(number: f64, verb: char, precision: Option<usize>) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let number = number.abs();
    let digits = match verb {
        'e' | 'E' => exponent(&Decimal::of(number, precision), precision),
        'f' => fixed(number, precision),
        'x' | 'X' => hexadecimal(number, precision),
        'b' => binary(number),
        _ => general(number, precision),
    };
    let digits = match verb {
        'E' | 'G' | 'X' => digits.to_ascii_uppercase(),
        _ => digits,
    };
    format!("{sign}{digits}")
}

/// More digits than any number has; beyond them all are zeros. The formatter
/// of the language takes no precision above 65535.
const EXACT: usize = 1100;

/// Significant digits and the power of ten of the first one.
struct Decimal {
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// With `after` digits after the first, or as many as identify the number.
    fn of(number: f64, after: Option<usize>) -> Self {
        let text = match after {
            Some(after) => format!("{:.*e}", after.min(EXACT), number),
            None => shortest(number),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        Self {
            digits: mantissa.chars().filter(char::is_ascii_digit).collect(),
            exponent: exponent.parse().unwrap_or(0),
        }
    }
}

/// As few digits as identify the number. Of two that are equally near, this
/// language may take either and Go the even one.
fn shortest(number: f64) -> String {
    let text = format!("{number:e}");
    let count = text
        .bytes()
        .take_while(|byte| *byte != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    let exact = format!("{:.*e}", count + 60, number);
    let digits: Vec<u8> = exact.bytes().filter(u8::is_ascii_digit).collect();
    let halfway = digits[count] == b'5'
        && digits[count + 1..count + 60]
            .iter()
            .all(|digit| *digit == b'0');
    match halfway {
        true => format!("{:.*e}", count - 1, number),
        false => text,
    }
}

fn exponent(decimal: &Decimal, after: Option<usize>) -> String {
    let (first, rest) = decimal.digits.split_at(1);
    let zeros = after.unwrap_or(0).saturating_sub(rest.len());
    let point = if rest.is_empty() && zeros == 0 {
        ""
    } else {
        "."
    };
    let sign = if decimal.exponent < 0 { '-' } else { '+' };
    let power = decimal.exponent.unsigned_abs();
    format!("{first}{point}{rest}{}e{sign}{power:02}", "0".repeat(zeros))
}

fn fixed(number: f64, precision: Option<usize>) -> String {
    match precision {
        None => plain(&Decimal::of(number, None)),
        Some(precision) => {
            let zeros = "0".repeat(precision.saturating_sub(EXACT));
            format!("{:.*}{zeros}", precision.min(EXACT), number)
        }
    }
}

fn general(number: f64, precision: Option<usize>) -> String {
    if number == 0.0 {
        return "0".into();
    }
    let wanted = precision.map(|precision| precision.max(1));
    let mut decimal = Decimal::of(number, wanted.map(|wanted| wanted - 1));
    decimal
        .digits
        .truncate(decimal.digits.trim_end_matches('0').len());
    let count = i64::try_from(decimal.digits.len()).unwrap_or(i64::MAX);
    let power = i64::from(decimal.exponent);
    // The exponent form begins at the precision; without one, at the seventh
    // digit, however many are shown.
    let limit = match wanted.and_then(|wanted| i64::try_from(wanted).ok()) {
        Some(wanted) if wanted > count && count > power => count,
        Some(wanted) => wanted,
        None => 6,
    };
    match power < -4 || power >= limit {
        true => exponent(&decimal, None),
        false => plain(&decimal),
    }
}

/// The digits with the point in its place.
fn plain(decimal: &Decimal) -> String {
    let digits = &decimal.digits;
    let Ok(power) = usize::try_from(decimal.exponent) else {
        let zeros = usize::try_from(-decimal.exponent - 1).unwrap_or(0);
        return format!("0.{}{digits}", "0".repeat(zeros));
    };
    match digits.split_at_checked(power + 1) {
        Some((whole, "")) => whole.to_owned(),
        Some((whole, rest)) => format!("{whole}.{rest}"),
        None => format!("{digits}{}", "0".repeat(power + 1 - digits.len())),
    }
}

/// The mantissa as a whole number and the power of two.
fn binary(number: f64) -> String {
    let bits = number.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    let (mantissa, power) = match i64::try_from(bits >> 52).unwrap_or(0) {
        0 => (mantissa, -1074),
        power => (mantissa | 1 << 52, power - 1075),
    };
    format!("{mantissa}p{power:+}")
}

/// A hexadecimal mantissa and a binary exponent.
fn hexadecimal(number: f64, precision: Option<usize>) -> String {
    let bits = number.to_bits();
    let mut mantissa = bits & ((1 << 52) - 1);
    let mut power = i64::try_from(bits >> 52).unwrap_or(0) - 1023;
    if power == -1023 {
        // Subnormal or zero: move the first one to the front.
        power = -1022;
        if mantissa == 0 {
            power = 0;
        } else {
            let shift = mantissa.leading_zeros() - 11;
            mantissa <<= shift;
            power -= i64::from(shift);
        }
    } else {
        mantissa |= 1 << 52;
    }
    if let Some(precision) = precision.filter(|precision| *precision < 13) {
        let drop = 52 - 4 * precision;
        let half = 1_u64 << (drop - 1);
        let rest = mantissa & ((1 << drop) - 1);
        mantissa >>= drop;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= drop;
        if mantissa >> 53 != 0 {
            mantissa >>= 1;
            power += 1;
        }
    }
    let first = mantissa >> 52;
    let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let digits = match precision {
        Some(precision) if precision <= 13 => digits[..precision].to_owned(),
        Some(precision) => format!("{digits}{}", "0".repeat(precision - 13)),
        None => digits.trim_end_matches('0').to_owned(),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if power < 0 { '-' } else { '+' };
    format!("0x{first}{point}{digits}p{sign}{:02}", power.abs())
}
