//! Whole numbers by verb, and floats with sign, width and the sharp flag.

use super::{printer::Printer, quote};
use crate::Value;

impl Printer {
    pub(super) fn integer(&mut self, number: i64, verb: char, value: &Value) {
        match verb {
            'v' | 'd' => self.digits(number, 10, verb),
            'b' => self.digits(number, 2, verb),
            'o' | 'O' => self.digits(number, 8, verb),
            'x' | 'X' => self.digits(number, 16, verb),
            'c' => self.pad(rune(number).encode_utf8(&mut [0; 4])),
            'q' => {
                let quoted = quote::char(rune(number), self.flags.plus);
                self.pad(&quoted);
            }
            'U' => self.code_point(number),
            _ => self.bad(value, verb),
        }
    }

    fn digits(&mut self, number: i64, base: u64, verb: char) {
        let flags = self.flags;
        let signed = number < 0 || flags.plus || flags.space;
        // Leading zeros come from the precision or, without one, from the width.
        let least = match flags.precision {
            Some(0) if number == 0 => {
                return self.fill(' ', flags.width.unwrap_or(0));
            }
            Some(precision) => precision,
            None if flags.zero && !flags.minus => {
                flags.width.unwrap_or(0).saturating_sub(usize::from(signed))
            }
            None => 0,
        };
        let mut digits = in_base(number.unsigned_abs(), base);
        if verb == 'X' {
            digits.make_ascii_uppercase();
        }
        let mut text = String::with_capacity(digits.len().max(least) + 3);
        text.push_str(match number < 0 {
            true => "-",
            false if flags.plus => "+",
            false if flags.space => " ",
            false => "",
        });
        let zeros = least.saturating_sub(digits.len());
        let octal = flags.sharp && base == 8 && zeros == 0 && !digits.starts_with('0');
        text.push_str(match verb {
            'O' if octal => "0o0",
            'O' => "0o",
            'b' if flags.sharp => "0b",
            'o' if octal => "0",
            'x' if flags.sharp => "0x",
            'X' if flags.sharp => "0X",
            _ => "",
        });
        text.extend(std::iter::repeat_n('0', zeros));
        text.push_str(&digits);
        self.pad_with_spaces(&text);
    }

    fn code_point(&mut self, number: i64) {
        let least = self.flags.precision.unwrap_or(4).max(4);
        let digits = in_base(number.cast_unsigned(), 16).to_ascii_uppercase();
        let zeros = "0".repeat(least.saturating_sub(digits.len()));
        let mut text = format!("U+{zeros}{digits}");
        let c = u32::try_from(number).ok().and_then(char::from_u32);
        if let Some(c) = c.filter(|c| self.flags.sharp && quote::printable(*c)) {
            text.push_str(&format!(" '{c}'"));
        }
        self.pad_with_spaces(&text);
    }

    /// A float that is digits already.
    pub(super) fn float_text(&mut self, text: &str, verb: char, precision: Option<usize>) {
        let flags = self.flags;
        let (sign, digits) = match text.as_bytes().first() {
            Some(b'-') => ('-', &text[1..]),
            Some(b'+') => ('+', &text[1..]),
            _ => ('+', text),
        };
        let sign = if flags.space && sign == '+' && !flags.plus {
            ' '
        } else {
            sign
        };
        if digits.starts_with(['I', 'N']) {
            // Infinity is never filled with zeros and always has its sign.
            let bare = digits.starts_with('N') && !flags.space && !flags.plus;
            let text = if bare {
                digits.to_owned()
            } else {
                format!("{sign}{digits}")
            };
            return self.pad_with_spaces(&text);
        }
        let digits = match flags.sharp && verb != 'b' {
            true => with_point(digits, verb, precision),
            false => digits.to_owned(),
        };
        if !flags.plus && sign == '+' {
            return self.pad(&digits);
        }
        let width = flags.width.unwrap_or(0);
        if flags.zero && !flags.minus && width > digits.len() + 1 {
            self.push(sign);
            self.fill('0', width - digits.len() - 1);
            self.push_str(&digits);
        } else {
            self.pad(&format!("{sign}{digits}"));
        }
    }
}

/// The sharp flag keeps the point, and for `%g` the zeros at the end.
fn with_point(digits: &str, verb: char, precision: Option<usize>) -> String {
    let wanted = match verb {
        'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let marks: &[char] = if matches!(verb, 'x' | 'X') {
        &['p', 'P']
    } else {
        &['e', 'E']
    };
    let (number, exponent) = digits.split_at(digits.find(marks).unwrap_or(digits.len()));
    let mut text = number.to_owned();
    // Go counts the x of a hexadecimal number among its digits.
    let significant = number.trim_start_matches(['0', '.']).replace('.', "").len();
    if !number.contains('.') {
        text.push('.');
    }
    // A zero alone counts as one digit.
    let significant = if number == "0" { 1 } else { significant };
    text.extend(std::iter::repeat_n('0', wanted.saturating_sub(significant)));
    text.push_str(exponent);
    text
}

fn in_base(mut number: u64, base: u64) -> String {
    let mut digits = Vec::new();
    loop {
        // Below 16, so it is a digit.
        let digit = u32::try_from(number % base).unwrap_or(0);
        digits.extend(char::from_digit(digit, 16));
        number /= base;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

fn rune(number: i64) -> char {
    u32::try_from(number)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}
