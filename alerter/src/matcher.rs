//! Matchers: `severity="critical"`, in the classic and the UTF-8 grammar.
//!
//! A label that is absent counts as empty. Regular expressions match the whole
//! value. Nothing here knows what a match is used for.

mod classic;
mod fault;
mod utf8;
mod words;

use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

pub(crate) use fault::check as check_regex;

use self::words::Texts;
use crate::pairs::Named;

/// How a label's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl Op {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// One condition on one label.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    /// The label's name.
    pub name: String,
    /// How it is compared.
    pub op: Op,
    /// What it is compared with.
    pub value: String,
    test: Test,
    /// What [`Matcher::weight`] found, once it was asked: only silences are weighed.
    weight: OnceLock<usize>,
}

/// What a value is put to.
#[derive(Debug, Clone)]
enum Test {
    /// It is this text.
    Same,
    /// It is one of these texts.
    OneOf(Texts),
    /// It fits the expression.
    Fits(Regex),
    /// Nobody asks any more.
    Over,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

/// A regular expression whose program would be larger is refused: it costs
/// memory for as long as the configuration lives.
const REGEX_BYTES: usize = 1 << 20;

/// What it may remember of the texts that it has seen, to be quicker with the next:
/// for each of a few directions and threads. Values of labels are short.
const CACHE_BYTES: usize = 64 << 10;

impl Matcher {
    /// A matcher; fails when `value` has to be a regular expression and is none.
    pub(crate) fn new(
        name: impl Into<String>,
        op: Op,
        value: impl Into<String>,
    ) -> Result<Self, String> {
        let value = value.into();
        let test = match op {
            Op::Equal | Op::NotEqual => Test::Same,
            Op::Regex | Op::NotRegex => match texts(&value) {
                Some(texts) => Test::OneOf(texts),
                None => Test::Fits(anchored(&value)?),
            },
        };
        Ok(Self {
            name: name.into(),
            op,
            value,
            test,
            weight: OnceLock::new(),
        })
    }

    /// Bytes of the expression's program, without caches, roughly and at most; 0
    /// without one.
    pub(crate) fn weight(&self) -> usize {
        *self.weight.get_or_init(|| match &self.test {
            Test::Fits(_) => weight(&self.value),
            Test::OneOf(texts) => texts.weight(),
            Test::Same | Test::Over => 0,
        })
    }

    /// The values that satisfy it, if it wants one of a few.
    pub(crate) fn wants(&self) -> Vec<&str> {
        match (self.op, &self.test) {
            (Op::Equal, Test::Same) => vec![&*self.value],
            (Op::Regex, Test::OneOf(Texts::Whole(words))) => {
                words.iter().map(|word| &**word).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What each value begins with that satisfies it, if that is known.
    pub(crate) fn wants_begun(&self) -> Vec<&str> {
        match (self.op, &self.test) {
            (Op::Regex, Test::OneOf(texts)) => texts.begins().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Gives back what only matching needs; from now on it is there to be read.
    pub(crate) fn let_go(&mut self) {
        if !matches!(self.test, Test::Same) {
            (self.test, self.weight) = (Test::Over, OnceLock::new());
        }
    }

    /// `name="value"`.
    #[must_use]
    pub(crate) fn exact(name: &str, value: &str) -> Self {
        Self {
            name: name.into(),
            op: Op::Equal,
            value: value.into(),
            test: Test::Same,
            weight: OnceLock::new(),
        }
    }

    /// Whether `labels` satisfy it.
    #[must_use]
    pub(crate) fn matches(&self, labels: &impl Named) -> bool {
        let value = labels.value(&self.name).unwrap_or("");
        let hit = match &self.test {
            Test::Same => value == self.value,
            Test::OneOf(texts) => texts.has(value),
            Test::Fits(regex) => regex.is_match(value),
            Test::Over => return false,
        };
        hit == matches!(self.op, Op::Equal | Op::Regex)
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.chars().any(utf8::reserved) {
            let (name, value) = (go_quoted(&self.name), go_quoted(&self.value));
            return write!(out, "{name}{}{value}", self.op.as_str());
        }
        write!(out, "{}{}\"", self.name, self.op.as_str())?;
        for letter in self.value.chars() {
            match letter {
                '\\' => out.write_str("\\\\")?,
                '\n' => out.write_str("\\n")?,
                '"' => out.write_str("\\\"")?,
                _ => out.write_char(letter)?,
            }
        }
        out.write_char('"')
    }
}

/// The texts that are all that an expression means, if these are few.
fn texts(pattern: &str) -> Option<Texts> {
    let spelt = re2::rust_regex(pattern).ok()?;
    // A quote that nobody ends would quote the anchor too, and is refused for that.
    let anchored = re2::rust_regex(&format!("^(?:{pattern})$")).ok()?;
    (anchored == format!("^(?:{spelt})$")).then(|| Texts::of(&spelt))?
}

/// An expression for whole texts; what is wrong with it in Go's words.
pub(crate) fn anchored(pattern: &str) -> Result<Regex, String> {
    let pattern = format!("^(?:{pattern})$");
    let spelt = re2::rust_regex(&pattern).map_err(|err| err.to_string())?;
    RegexBuilder::new(&spelt)
        .size_limit(REGEX_BYTES)
        .dfa_size_limit(CACHE_BYTES)
        .build()
        .map_err(|err| fault::in_go(&pattern, &err))
}

/// The least of a few sizes that hold the expression's program, without caches.
/// Short ones, as nearly all are, need not be tried.
fn weight(pattern: &str) -> usize {
    const SMALL: usize = 16 << 10;
    if pattern.len() < 32 && !pattern.contains(['{', '\\']) {
        return SMALL;
    }
    let Ok(pattern) = re2::rust_regex(pattern) else {
        return SMALL;
    };
    let fits = |size: &usize| {
        let tried = RegexBuilder::new(&pattern).size_limit(*size).build();
        tried.is_ok()
    };
    let sizes = [SMALL, 64 << 10, 256 << 10];
    sizes.into_iter().find(fits).unwrap_or(REGEX_BYTES)
}

/// Whether `labels` satisfy every one of `matchers`.
#[must_use]
pub(crate) fn all_match(matchers: &[Matcher], labels: &impl Named) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

/// Sorts as Alertmanager does, because the order is part of a group's key.
pub(crate) fn sort(matchers: &mut [Matcher]) {
    matchers.sort_by(|a, b| (&a.name, &a.value, a.op).cmp(&(&b.name, &b.value, b.op)));
}

/// Prints a set: `{a="b",c=~"d"}`.
#[must_use]
pub(crate) fn print(matchers: &[Matcher]) -> String {
    let items: Vec<String> = matchers.iter().map(Matcher::to_string).collect();
    format!("{{{}}}", items.join(","))
}

/// Reads one element of a `matchers` list, which may hold several matchers.
///
/// Where the two grammars disagree the classic one wins, as existing files were
/// written for it.
pub(crate) fn parse(text: &str) -> Result<Vec<Matcher>, String> {
    match (classic::parse(text), utf8::parse(text)) {
        (Ok(classic), _) => Ok(classic),
        (Err(_), Ok(utf8)) => Ok(utf8),
        (Err(err), Err(_)) => Err(err),
    }
}

/// Reads exactly one matcher, as filters of the API hold it.
pub(crate) fn parse_one(text: &str) -> Result<Matcher, String> {
    if text.starts_with('{') || text.ends_with('}') {
        return Err(format!("unexpected open or close brace: {text}"));
    }
    classic::one(text).or_else(|err| match utf8::parse(text).as_deref() {
        Ok([one]) => Ok(one.clone()),
        _ => Err(err),
    })
}

/// Whether `name` is a label name of the classic form.
#[must_use]
pub(crate) fn classic_name(name: &str) -> bool {
    let mut letters = name.bytes();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
}

/// Quotes as Go's `%q` does, for group keys that equal Alertmanager's.
#[must_use]
pub(crate) fn go_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            ' ' => out.push(' '),
            _ if letter < ' ' || letter == '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(letter));
            }
            _ if letter.is_control() || letter.is_whitespace() => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
