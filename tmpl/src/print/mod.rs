//! Go's fmt: how values become text, alone and by a format.

mod float;
mod format;
mod number;
mod printer;
mod quote;
mod value;

pub(crate) use float::format as float;
pub(crate) use quote::printable;

use crate::Value;
use printer::Printer;

/// A value as an action shows it.
pub(crate) fn plain(value: &Value, limit: usize) -> Result<String, String> {
    match value {
        Value::Nil => Ok("<no value>".into()),
        Value::String(text) | Value::Trusted(_, text) => Ok(text.to_string()),
        value => shown(value, limit),
    }
}

/// `%v` of a value.
pub(crate) fn shown(value: &Value, limit: usize) -> Result<String, String> {
    let mut printer = Printer::new(limit);
    printer.value(value, 'v');
    printer.finish()
}

/// Go's Sprint: a space between two values neither of which is a text.
pub(crate) fn print(values: &[Value], limit: usize) -> Result<String, String> {
    let mut printer = Printer::new(limit);
    let mut after_text = true;
    for value in values {
        let text = value.as_text().is_some();
        if !text && !after_text {
            printer.push_str(" ");
        }
        printer.value(value, 'v');
        after_text = text;
    }
    printer.finish()
}

/// Go's Sprintln: a space between any two values, and a line end.
pub(crate) fn println(values: &[Value], limit: usize) -> Result<String, String> {
    let mut printer = Printer::new(limit);
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            printer.push_str(" ");
        }
        printer.value(value, 'v');
    }
    printer.push_str("\n");
    printer.finish()
}

/// Go's Sprintf.
pub(crate) fn printf(format: &str, values: &[Value], limit: usize) -> Result<String, String> {
    let mut printer = Printer::new(limit);
    format::run(&mut printer, format, values);
    printer.finish()
}

/// What is said of a text that outgrows its limit.
pub(crate) fn too_large(limit: usize) -> String {
    format!("the result is larger than {limit} bytes")
}
