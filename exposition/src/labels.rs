//! Label sets: sorted by name, no empty values, cheap to clone and compare.

use std::fmt;
use std::sync::Arc;

/// The label that holds a series' name.
pub const NAME: &str = "__name__";

/// A label set, sorted by label name. A label with an empty value is an absent
/// label, so none is ever stored. Cloning shares the storage.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl Labels {
    /// The set without labels.
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// Makes a set from pairs in any order; of two pairs with one name the
    /// later wins, and empty values are left out.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<Arc<str>>,
        V: Into<Arc<str>>,
    {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name, value);
        }
        builder.build()
    }

    /// The value of a label; an absent label is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0
            .binary_search_by(|(have, _)| (**have).cmp(name))
            .map_or("", |at| &self.0[at].1)
    }

    /// The metric name, which is empty for a set without one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.get(NAME)
    }

    /// All pairs, in order of names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// All pairs with their shared storage, in order of names.
    #[must_use]
    pub fn shared(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }

    /// How many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same set with changes to come.
    #[must_use]
    pub fn edit(&self) -> LabelsBuilder {
        LabelsBuilder {
            pairs: self.0.to_vec(),
        }
    }
}

/// Prints as a selector would: `name{a="b", c="d"}`.
impl fmt::Display for Labels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())?;
        let mut rest = self.iter().filter(|(name, _)| *name != NAME).peekable();
        if rest.peek().is_none() {
            return if self.name().is_empty() {
                out.write_str("{}")
            } else {
                Ok(())
            };
        }
        out.write_str("{")?;
        for (at, (name, value)) in rest.enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(out, "{comma}{name}={value:?}")?;
        }
        out.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Makes a [`Labels`] step by step.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(Arc<str>, Arc<str>)>,
}

impl LabelsBuilder {
    /// Sets a label; an empty value deletes it.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> &mut Self {
        let (name, value) = (name.into(), value.into());
        match self.pairs.binary_search_by(|(have, _)| have.cmp(&name)) {
            Ok(at) if value.is_empty() => {
                self.pairs.remove(at);
            }
            Ok(at) => self.pairs[at].1 = value,
            Err(_) if value.is_empty() => {}
            Err(at) => self.pairs.insert(at, (name, value)),
        }
        self
    }

    /// Deletes a label.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.pairs.retain(|(have, _)| &**have != name);
        self
    }

    /// Keeps only the labels for which `keep` says so.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) -> &mut Self {
        self.pairs.retain(|(have, _)| keep(have));
        self
    }

    /// The value so far; empty when absent.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.pairs
            .binary_search_by(|(have, _)| (**have).cmp(name))
            .map_or("", |at| &self.pairs[at].1)
    }

    /// The finished set.
    #[must_use]
    pub fn build(&self) -> Labels {
        Labels(Arc::from(self.pairs.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_and_empty_values_are_absent() {
        let labels = Labels::from_pairs([("z", "1"), ("a", "2"), ("gone", "")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "2"), ("z", "1")]);
        assert_eq!(labels.get("gone"), "");
    }

    #[test]
    fn setting_an_empty_value_deletes() {
        let labels = Labels::from_pairs([("a", "1"), ("b", "2")]);
        assert_eq!(labels.edit().set("a", "").build().to_string(), r#"{b="2"}"#);
    }

    #[test]
    fn display_puts_the_name_in_front() {
        let labels = Labels::from_pairs([(NAME, "up"), ("job", "a\"b")]);
        assert_eq!(labels.to_string(), r#"up{job="a\"b"}"#);
        assert_eq!(Labels::from_pairs([(NAME, "up")]).to_string(), "up");
        assert_eq!(Labels::empty().to_string(), "{}");
    }
}
