//! The arguments of a call, read as the types that functions want.

use std::sync::Arc;

use crate::{Env, Value, print};

/// One call of a function. The number of arguments is right already.
pub(crate) struct Call<'a> {
    pub(crate) arguments: &'a [Value],
    pub(crate) env: &'a Env<'a>,
}

impl<'a> Call<'a> {
    pub(super) fn get(&self, at: usize) -> &'a Value {
        self.arguments.get(at).unwrap_or(&Value::Nil)
    }

    pub(super) fn text(&self, at: usize) -> Result<&'a str, String> {
        let value = self.get(at);
        value.as_text().ok_or_else(|| wrong("string", value))
    }

    pub(super) fn list(&self, at: usize) -> Result<&'a [Value], String> {
        match self.get(at) {
            Value::List(list) => Ok(&list.items),
            Value::Nil => Ok(&[]),
            other => Err(wrong("[]interface {}", other)),
        }
    }

    /// A number, or a text that is one: what the humanizing functions take.
    pub(super) fn number(&self, at: usize) -> Result<f64, String> {
        match self.get(at) {
            Value::Float(number) => Ok(*number),
            #[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
            Value::Int(number) | Value::Named(number, _) => Ok(*number as f64),
            #[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
            Value::Duration(nanoseconds) => Ok(*nanoseconds as f64 / 1e9),
            Value::String(text) | Value::Trusted(_, text) => parse_float(text)
                .ok_or_else(|| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")),
            other => Err(format!("can't convert {} to float", other.type_name())),
        }
    }

    /// All arguments in one text, as `print` makes it.
    pub(super) fn joined(&self) -> Result<Arc<str>, String> {
        match self.arguments {
            [Value::String(text) | Value::Trusted(_, text)] => Ok(Arc::clone(text)),
            all => {
                let missing = Value::from("<no value>");
                let shown = |value: &Value| match value {
                    Value::Nil => missing.clone(),
                    value => value.clone(),
                };
                let all: Vec<Value> = all.iter().map(shown).collect();
                print::print(&all, self.env.limits.output).map(Arc::from)
            }
        }
    }

    /// The text if it is not larger than a text may be.
    pub(super) fn bounded(&self, text: String) -> Result<String, String> {
        let limit = self.env.limits.output;
        match text.len() > limit {
            true => Err(print::too_large(limit)),
            false => Ok(text),
        }
    }
}

pub(super) fn wrong(wanted: &str, value: &Value) -> String {
    match value {
        Value::Nil => format!("invalid value; expected {wanted}"),
        _ => {
            let got = value.type_name();
            format!("wrong type for value; expected {wanted}; got {got}")
        }
    }
}

/// Go's ParseFloat, less the hexadecimal forms.
fn parse_float(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches(['+', '-']);
    let known = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || ["inf", "infinity", "nan"]
            .iter()
            .any(|word| digits.eq_ignore_ascii_case(word));
    // Rust reads too large a number as infinity, Go refuses it.
    let number: f64 = text.parse().ok().filter(|_| known)?;
    (number.is_finite() || !digits.starts_with(|c: char| c.is_ascii_digit())).then_some(number)
}
