//! Prints one value by one verb.

use super::{float, printer::Printer, quote};
use crate::{Kind, Value, time};

impl Printer {
    pub(super) fn value(&mut self, value: &Value, verb: char) {
        if self.full() {
            return;
        }
        match verb {
            'T' => return self.string(value.type_name(), 's'),
            'p' => return self.bad(value, verb),
            _ => {}
        }
        match value {
            Value::Nil if verb == 'v' => self.pad("<nil>"),
            Value::Bool(truth) if matches!(verb, 'v' | 't') => {
                self.pad(if *truth { "true" } else { "false" });
            }
            Value::Int(number) => self.integer(*number, verb, value),
            Value::Float(number) => self.float(*number, verb, value),
            Value::String(text) | Value::Trusted(_, text) => match verb {
                'v' if self.flags.source => self.string(text, 'q'),
                'v' | 's' | 'q' | 'x' | 'X' => {
                    self.string(text, if verb == 'v' { 's' } else { verb });
                }
                _ => self.bad(value, verb),
            },
            Value::Time(_) | Value::Duration(_) | Value::Named(..) => self.named(value, verb),
            Value::List(list) => self.list(list.kind, &list.items, verb),
            Value::Map(map) => match self.own_text(value, map.kind, verb) {
                Some(text) => self.string(&text, if verb == 'v' { 's' } else { verb }),
                None => {
                    let entries = map.entries.iter();
                    self.map(map.kind, entries.map(|(key, value)| (&**key, value)), verb);
                }
            },
            Value::Object(object) => match self.own_text(value, object.kind, verb) {
                Some(text) => self.string(&text, if verb == 'v' { 's' } else { verb }),
                None => self.object(object.kind, &object.values, verb),
            },
            Value::Nil | Value::Bool(_) => self.bad(value, verb),
        }
    }

    /// What the method `String` says, where a verb asks for it.
    fn own_text(&self, value: &Value, kind: &Kind, verb: char) -> Option<String> {
        let wants = matches!(verb, 'v' | 's' | 'q' | 'x' | 'X') && !self.flags.source;
        let text = (kind.method)(value, "String", &[])
            .filter(|_| wants)?
            .ok()?;
        text.as_text().map(String::from)
    }

    /// A type whose values have a text of their own.
    fn named(&mut self, value: &Value, verb: char) {
        let number = match value {
            Value::Duration(number) | Value::Named(number, _) => Some(*number),
            _ => None,
        };
        match (verb, number) {
            ('v', Some(number)) if self.flags.source => self.integer(number, 'd', value),
            ('v' | 's', _) => self.string(&time::text(value), 's'),
            ('q' | 'x' | 'X', _) => self.string(&time::text(value), verb),
            (_, Some(number)) => self.integer(number, verb, value),
            _ => self.bad(value, verb),
        }
    }

    pub(super) fn string(&mut self, text: &str, verb: char) {
        let cut = |text: &str| match self.flags.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.to_owned(),
        };
        match verb {
            'q' => {
                let text = cut(text);
                let raw = self.flags.sharp && quote::can_be_raw(&text);
                let quoted = match raw {
                    true => format!("`{text}`"),
                    false => quote::string(&text, self.flags.plus),
                };
                self.pad(&quoted);
            }
            'x' | 'X' => {
                let bytes = text.as_bytes();
                let most = self.flags.precision.unwrap_or(bytes.len()).min(bytes.len());
                let hex = quote::hex(
                    &bytes[..most],
                    verb == 'X',
                    self.flags.space,
                    self.flags.sharp,
                );
                self.pad(&hex);
            }
            _ => match self.flags.precision {
                Some(_) => self.pad(&cut(text)),
                None => self.pad(text),
            },
        }
    }

    fn float(&mut self, number: f64, verb: char, value: &Value) {
        let precision = self.flags.precision;
        match verb {
            'v' => self.float_text(&float::format(number, 'g', precision), 'g', precision),
            'b' | 'g' | 'G' | 'x' | 'X' => {
                let text = float::format(number, verb, precision);
                self.float_text(&text, verb, precision);
            }
            'e' | 'E' | 'f' | 'F' => {
                let precision = precision.unwrap_or(6);
                let verb = if verb == 'F' { 'f' } else { verb };
                let text = float::format(number, verb, Some(precision));
                self.float_text(&text, verb, Some(precision));
            }
            _ => self.bad(value, verb),
        }
    }

    fn list(&mut self, kind: &Kind, items: &[Value], verb: char) {
        if self.flags.source {
            self.push_str(kind.name);
        }
        self.push(if self.flags.source { '{' } else { '[' });
        self.items(items, verb);
        self.push(if self.flags.source { '}' } else { ']' });
    }

    fn items<'a>(&mut self, items: impl IntoIterator<Item = &'a Value>, verb: char) {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.push_str(if self.flags.source { ", " } else { " " });
            }
            self.value(item, verb);
        }
    }

    fn map<'a>(
        &mut self,
        kind: &Kind,
        entries: impl Iterator<Item = (&'a str, &'a Value)>,
        verb: char,
    ) {
        self.push_str(if self.flags.source { kind.name } else { "map" });
        self.push(if self.flags.source { '{' } else { '[' });
        for (at, (key, value)) in entries.enumerate() {
            if at > 0 {
                self.push_str(if self.flags.source { ", " } else { " " });
            }
            self.value(&key.into(), verb);
            self.push(':');
            self.value(value, verb);
        }
        self.push(if self.flags.source { '}' } else { ']' });
    }

    fn object(&mut self, kind: &Kind, values: &[Value], verb: char) {
        if self.flags.source {
            self.push_str(kind.name);
        }
        self.push('{');
        self.items(values, verb);
        self.push('}');
    }

    /// A verb that does not go with the type.
    pub(super) fn bad(&mut self, value: &Value, verb: char) {
        self.push_str("%!");
        self.push(verb);
        self.push('(');
        match value {
            Value::Nil => self.push_str("<nil>"),
            value => {
                self.push_str(value.type_name());
                self.push('=');
                match value {
                    // The name of a number is not shown where it is misused.
                    Value::Duration(number) | Value::Named(number, _) => {
                        self.integer(*number, 'd', value);
                    }
                    value => self.value(value, 'v'),
                }
            }
        }
        self.push(')');
    }
}
