//! Values that keys of modules can have beside the plain ones.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use settings::{Node, Reader, Value};

/// The most that one compiled pattern may take, in bytes.
const MOST: usize = 1 << 20;

/// A regular expression, in the syntax of RE2.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As it is written.
    text: String,
    regex: Regex,
    /// The same for a whole text, once somebody asked.
    whole: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Compiles a text.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let spelt = re2::rust_regex(text).map_err(|err| err.to_string())?;
        let regex = RegexBuilder::new(&spelt).size_limit(MOST).build();
        Ok(Self {
            text: text.to_owned(),
            regex: regex.map_err(|err| err.to_string())?,
            whole: OnceLock::new(),
        })
    }

    /// Whether a text matches from its begin to its end.
    #[must_use]
    pub fn is_whole(&self, text: &[u8]) -> bool {
        let whole = self.whole.get_or_init(|| {
            let spelt = re2::rust_regex(&format!("^(?:{})$", self.text)).ok()?;
            RegexBuilder::new(&spelt).size_limit(2 * MOST).build().ok()
        });
        whole.as_ref().is_some_and(|whole| whole.is_match(text))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The expression itself.
    #[must_use]
    pub fn regex(&self) -> &Regex {
        &self.regex
    }
}

impl Default for Pattern {
    fn default() -> Self {
        Self::new("").unwrap_or_else(|_| unreachable!("the empty pattern"))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Value for Pattern {
    fn kind() -> String {
        "pattern".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::decode(node, reader)?;
        match Self::new(&text) {
            Ok(pattern) => Some(pattern),
            Err(err) => {
                let line = err.lines().last().unwrap_or_default().trim();
                reader.fault(&node.place, format!("not a regular expression: {line}"));
                None
            }
        }
    }

    fn show(&self) -> String {
        self.text.clone()
    }
}

/// An address of this host.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Source(pub(super) Option<std::net::IpAddr>);

impl Value for Source {
    fn kind() -> String {
        "address of IP".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::decode(node, reader)?;
        if text.is_empty() {
            return Some(Self(None));
        }
        let parsed = text.parse().ok();
        if parsed.is_none() {
            reader.fault(
                &node.place,
                "not an address of IP; write one such as 192.0.2.1",
            );
        }
        parsed.map(|address| Self(Some(address)))
    }

    fn show(&self) -> String {
        self.0
            .map_or_else(String::new, |address| address.to_string())
    }
}

/// A key that blackbox_exporter has and Belfry has not: it is refused with its
/// line, since a probe without it would look at something else.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unsupported;

impl Value for Unsupported {
    fn kind() -> String {
        "refused".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        // A key without a value, or with an empty one, asks for nothing.
        let empty = match &node.kind {
            settings::Kind::Null => true,
            settings::Kind::Map(entries) => entries.is_empty(),
            settings::Kind::List(items) => items.is_empty(),
            settings::Kind::Scalar { text, .. } => text.is_empty() || text == "false",
        };
        if !empty {
            reader.fault(
                &node.place,
                "blackbox_exporter has this key, Belfry does not support it",
            );
        }
        Some(Self)
    }

    fn show(&self) -> String {
        String::new()
    }

    fn plain() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_re2() {
        for (pattern, text, fits) in [
            (r"^[\w-.]+$", "a-b.c", true),
            (r"^[\w-.]+$", "a b", false),
            (r"^\Q220 (x)\E$", "220 (x)", true),
            (r"^\Q220 (x)\E$", "220 x", false),
            (r"^\d$", "\u{663}", false),
        ] {
            let compiled = Pattern::new(pattern).unwrap();
            assert_eq!(
                compiled.regex().is_match(text.as_bytes()),
                fits,
                "{pattern} {text}"
            );
            assert_eq!(compiled.show(), pattern);
        }
        for (pattern, text, whole) in [
            ("a|ab", "ab", true),
            ("a|ab", "a", true),
            ("a|b", "ab", false),
            ("a*?", "aa", true),
            ("", "", true),
            ("", "a", false),
            ("^a$", "a", true),
            ("a.*", "xa", false),
            ("(?i)a|B", "b", true),
            ("a", "a\n", false),
        ] {
            let told = Pattern::new(pattern).unwrap().is_whole(text.as_bytes());
            assert_eq!(told, whole, "{pattern} {text:?}");
        }
        assert!(Pattern::new("a**").is_err());
        assert!(Pattern::new("(").is_err());
    }
}
