//! Reads a format and prints the arguments by it, mistakes included, as Go does.

use super::printer::{Flags, Printer};
use crate::Value;

/// The largest width or precision.
const LARGEST: usize = 1_000_000;

pub(super) fn run(printer: &mut Printer, format: &str, values: &[Value]) {
    let mut reader = Reader {
        rest: format,
        values,
        next: 0,
        reordered: false,
        good_index: true,
    };
    let mut ever_reordered = false;
    while let Some(percent) = reader.rest.find('%') {
        printer.push_str(&reader.rest[..percent]);
        reader.rest = &reader.rest[percent + 1..];
        reader.verb(printer);
        ever_reordered |= reader.reordered;
        if printer.full() {
            return;
        }
    }
    printer.push_str(reader.rest);
    if !ever_reordered && reader.next < values.len() {
        extra(printer, &values[reader.next..]);
    }
}

fn extra(printer: &mut Printer, values: &[Value]) {
    printer.flags = Flags::default();
    printer.push_str("%!(EXTRA ");
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            printer.push_str(", ");
        }
        if !matches!(value, Value::Nil) {
            printer.push_str(value.type_name());
            printer.push('=');
        }
        match value {
            Value::Nil => printer.push_str("<nil>"),
            value => printer.value(value, 'v'),
        }
    }
    printer.push(')');
}

struct Reader<'a> {
    rest: &'a str,
    values: &'a [Value],
    next: usize,
    /// Whether the verb in hand named its argument by number.
    reordered: bool,
    good_index: bool,
}

impl Reader<'_> {
    /// Reads what follows a percent sign and prints by it.
    fn verb(&mut self, printer: &mut Printer) {
        printer.flags = self.flags();
        self.reordered = false;
        self.good_index = true;
        let mut after_index = self.index();
        if self.eat('*') {
            match self.star() {
                Some(width) => {
                    printer.flags.minus |= width < 0;
                    printer.flags.zero &= !printer.flags.minus;
                    printer.flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => printer.push_str("%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            printer.flags.width = self.number();
            // "%[3]2d": an index belongs right before the verb.
            self.good_index &= !(after_index && printer.flags.width.is_some());
        }
        if self.eat('.') {
            self.good_index &= !after_index;
            after_index = self.index();
            if self.eat('*') {
                match self.star() {
                    // A negative precision is as good as none.
                    Some(precision) => printer.flags.precision = usize::try_from(precision).ok(),
                    None => printer.push_str("%!(BADPREC)"),
                }
                after_index = false;
            } else {
                printer.flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else {
            return printer.push_str("%!(NOVERB)");
        };
        self.rest = &self.rest[verb.len_utf8()..];
        if verb == '%' {
            printer.push('%');
        } else if !self.good_index {
            printer.push_str("%!");
            printer.push(verb);
            printer.push_str("(BADINDEX)");
        } else if let Some(value) = self.values.get(self.next) {
            self.next += 1;
            if verb == 'v' {
                printer.flags.source = std::mem::take(&mut printer.flags.sharp);
                // `%+v` names the fields of Go structs; ours are shown without.
                printer.flags.plus = false;
            }
            printer.value(value, verb);
        } else {
            printer.push_str("%!");
            printer.push(verb);
            printer.push_str("(MISSING)");
        }
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(c) = self.rest.chars().next() {
            match c {
                '#' => flags.sharp = true,
                '0' => flags.zero = !flags.minus,
                '+' => flags.plus = true,
                '-' => {
                    flags.minus = true;
                    flags.zero = false;
                }
                ' ' => flags.space = true,
                _ => break,
            }
            self.rest = &self.rest[1..];
        }
        flags
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn number(&mut self) -> Option<usize> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok().filter(|number| *number <= LARGEST)
    }

    /// A width or a precision that is an argument.
    fn star(&mut self) -> Option<i64> {
        let value = self.values.get(self.next);
        self.next += usize::from(value.is_some());
        match value {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
        .filter(|number| number.unsigned_abs() <= LARGEST as u64)
    }

    /// `[n]`, the number of the argument to print; whether there was one.
    fn index(&mut self) -> bool {
        let Some(after) = self.rest.strip_prefix('[') else {
            return false;
        };
        self.reordered = true;
        let Some(close) = after.find(']') else {
            self.good_index = false;
            self.rest = after;
            return false;
        };
        self.rest = &after[close + 1..];
        let number = after[..close].parse::<usize>().ok();
        match number
            .and_then(|n| n.checked_sub(1))
            .filter(|n| *n < self.values.len())
        {
            Some(at) => self.next = at,
            None => self.good_index = false,
        }
        true
    }
}
