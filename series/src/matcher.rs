//! Label matchers, as selectors and routes state them.

use exposition::Labels;
use regex::Regex;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// One condition on one label. An absent label is an empty value.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// How it compares.
    pub op: Op,
    /// The value or the pattern.
    pub value: String,
    regex: Option<Regex>,
}

/// The pattern of a matcher is not a regular expression.
#[derive(Debug, Clone, thiserror::Error)]
#[error("bad regular expression {pattern:?}: {source}")]
pub struct BadRegex {
    pattern: String,
    source: regex::Error,
}

impl Matcher {
    /// Makes a matcher; patterns are anchored at both ends and `.` takes newlines too.
    pub fn new(
        name: impl Into<String>,
        op: Op,
        value: impl Into<String>,
    ) -> Result<Self, BadRegex> {
        let value = value.into();
        let regex = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Regex | Op::NotRegex => Some(anchored(&value).map_err(|source| BadRegex {
                pattern: value.clone(),
                source,
            })?),
        };
        Ok(Self {
            name: name.into(),
            op,
            value,
            regex,
        })
    }

    /// Whether a value of the label satisfies the condition.
    #[must_use]
    pub fn takes(&self, value: &str) -> bool {
        match self.op {
            Op::Equal => value == self.value,
            Op::NotEqual => value != self.value,
            Op::Regex => self
                .regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(value)),
            Op::NotRegex => self
                .regex
                .as_ref()
                .is_some_and(|regex| !regex.is_match(value)),
        }
    }

    /// Whether a label set satisfies the condition.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.takes(labels.get(&self.name))
    }
}

fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    // `a)|(b` alone is no pattern, though it would be one between parentheses.
    if pattern.contains(')') {
        Regex::new(pattern)?;
    }
    Regex::new(&format!("^(?s:{pattern})$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_compare_as_prometheus_does() {
        use Op::{Equal, NotEqual, NotRegex, Regex};
        let cases = [
            (Equal, "a", "a", true),
            (Equal, "a", "ab", false),
            (Equal, "", "", true),
            (NotEqual, "a", "", true),
            (NotEqual, "", "", false),
            (Regex, "a|b", "b", true),
            (Regex, "a|b", "ab", false),
            (Regex, "a.c", "a\nc", true),
            (Regex, "", "", true),
            (Regex, ".+", "", false),
            (NotRegex, "a.*", "abc", false),
            (NotRegex, "a.*", "bc", true),
            (NotRegex, ".*", "", false),
        ];
        for (op, pattern, value, takes) in cases {
            let matcher = Matcher::new("x", op, pattern).unwrap();
            assert_eq!(matcher.takes(value), takes, "{op:?} {pattern:?} {value:?}");
        }
    }

    #[test]
    fn a_pattern_may_not_close_what_it_did_not_open() {
        for pattern in ["a)|(b", "(", "*a", "[z-a]"] {
            assert!(Matcher::new("x", Op::Regex, pattern).is_err(), "{pattern}");
        }
    }
}
