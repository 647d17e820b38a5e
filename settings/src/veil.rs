//! Values that no message may repeat, and what may stand in their place.

use std::collections::BTreeMap;

/// Shorter values are looked for only in quotes: they may be parts of any word.
const SHORT: usize = 6;

/// What was read from the environment, or is a secret.
#[derive(Debug, Default)]
pub(crate) struct Veil(BTreeMap<String, String>);

impl Veil {
    /// From now on `value` shows as `shown`.
    pub(crate) fn hide(&mut self, value: &str, shown: &str) {
        if !value.is_empty() && value != shown {
            self.0.insert(value.to_owned(), shown.to_owned());
        }
    }

    /// The message without the values.
    pub(crate) fn over(&self, message: &str) -> String {
        let mut out = message.to_owned();
        let mut pairs: Vec<_> = self.0.iter().collect();
        // One value may be a part of another.
        pairs.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        for (value, shown) in pairs {
            let quoted = format!("{value:?}");
            out = out.replace(&quoted, &format!("{shown:?}"));
            if value.len() >= SHORT {
                out = out.replace(&quoted[1..quoted.len() - 1], shown);
                out = out.replace(value.as_str(), shown);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_show_as_what_stands_for_them() {
        let mut veil = Veil::default();
        veil.hide("mx.example.org", "${HOST}");
        veil.hide("hunter2\n", "<secret>");
        veil.hide("a", "${A}");
        for (message, expected) in [
            ("\"mx.example.org:0\" is wrong", "\"${HOST}:0\" is wrong"),
            ("not \"hunter2\\n\"", "not \"<secret>\""),
            ("a \"a\" and", "a \"${A}\" and"),
        ] {
            assert_eq!(veil.over(message), expected);
        }
    }
}
