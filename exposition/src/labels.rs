//! Label sets: sorted by name, no empty values, cheap to clone and compare.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::hash;

/// The label that holds a series' name.
pub const NAME: &str = "__name__";

/// A label set, sorted by label name. A label with an empty value is an absent
/// label, so none is ever stored. Cloning shares the storage.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[Label]>);

/// A name with its value. Many sets share one, for which each of them keeps no more
/// than its address.
#[derive(Clone)]
pub struct Label(Arc<Pair>);

struct Pair {
    /// The name, and behind it the value.
    text: Box<str>,
    /// Where the value begins.
    value: usize,
    /// Of both; sets are told apart by it far more often than their labels are made.
    hash: u64,
}

impl Label {
    /// A label that no set has yet.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        Self(Arc::new(Pair {
            text: [name, value].concat().into(),
            value: name.len(),
            hash: hash::more(hash::more(hash::seed(), name.as_bytes()), value.as_bytes()),
        }))
    }

    /// A hash of name and value, other in each process.
    #[inline]
    #[must_use]
    pub fn hashed(&self) -> u64 {
        self.0.hash
    }

    /// Its name.
    #[inline]
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.text[..self.0.value]
    }

    /// Its value.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &str {
        &self.0.text[self.0.value..]
    }

    /// Both.
    #[inline]
    #[must_use]
    pub fn pair(&self) -> (&str, &str) {
        self.0.text.split_at(self.0.value)
    }

    /// Where its storage is, which labels that share it have in common.
    #[inline]
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl PartialEq for Label {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // What is shared needs no comparing.
        Arc::ptr_eq(&self.0, &other.0)
            || self.0.hash == other.0.hash
                && self.0.value == other.0.value
                && self.0.text == other.0.text
    }
}

impl Eq for Label {}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Label {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, two) = (&*self.0, &*other.0);
        if Arc::ptr_eq(&self.0, &other.0) {
            Ordering::Equal
        } else if one.value == two.value {
            // Names of one length: both can be compared at once.
            one.text.cmp(&two.text)
        } else {
            self.pair().cmp(&other.pair())
        }
    }
}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, value) = self.pair();
        write!(out, "{name}={value:?}")
    }
}

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
        N: AsRef<str>,
        V: AsRef<str>,
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
        value_of(&self.0, name)
    }

    /// The metric name, which is empty for a set without one.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.0.first() {
            // It is, unless some label begins with a capital.
            Some(first) if first.name() == NAME => first.value(),
            _ => self.get(NAME),
        }
    }

    /// All pairs, in order of names.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(Label::pair)
    }

    /// All labels with their shared storage, in order of names.
    #[inline]
    #[must_use]
    pub fn shared(&self) -> &[Label] {
        &self.0
    }

    /// A hash of all labels, other in each process, as [`Label::hashed`] is.
    #[must_use]
    pub fn hashed(&self) -> u64 {
        self.0
            .iter()
            .fold(hash::seed(), |all, label| hash::mix(all, label.hashed()))
    }

    /// How many labels there are.
    #[inline]
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
            labels: self.0.to_vec(),
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

/// The value of a label among some that are sorted by name; an absent one is empty.
fn value_of<'a>(labels: &'a [Label], name: &str) -> &'a str {
    labels
        .binary_search_by(|have| have.name().cmp(name))
        .map_or("", |at| labels[at].value())
}

/// Makes a [`Labels`] step by step.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    labels: Vec<Label>,
}

impl LabelsBuilder {
    /// Sets a label; an empty value deletes it.
    pub fn set(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> &mut Self {
        self.put(Label::new(name.as_ref(), value.as_ref()))
    }

    /// Sets a label that others may share.
    pub fn put(&mut self, label: Label) -> &mut Self {
        let name = label.name();
        match self.labels.binary_search_by(|have| have.name().cmp(name)) {
            Ok(at) if label.value().is_empty() => {
                self.labels.remove(at);
            }
            Ok(at) => self.labels[at] = label,
            Err(_) if label.value().is_empty() => {}
            Err(at) => self.labels.insert(at, label),
        }
        self
    }

    /// Deletes a label.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.labels.retain(|have| have.name() != name);
        self
    }

    /// Keeps only the labels for which `keep` says so.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) -> &mut Self {
        self.labels.retain(|have| keep(have.name()));
        self
    }

    /// The value so far; empty when absent.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        value_of(&self.labels, name)
    }

    /// The finished set.
    #[must_use]
    pub fn build(&self) -> Labels {
        Labels(Arc::from(self.labels.as_slice()))
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
    fn a_label_is_the_same_whether_shared_or_spelled_again() {
        let set = Labels::from_pairs([("a", "bc"), ("d", "e")]);
        let again = Labels::from_pairs([("d", "e"), ("a", "bc")]);
        let mut shared = LabelsBuilder::default();
        for label in set.shared() {
            shared.put(label.clone());
        }
        assert_eq!((&set, &set), (&again, &shared.build()));
        // Where the value begins tells them apart.
        let other = Labels::from_pairs([("ab", "c"), ("d", "e")]);
        assert_ne!(set, other);
        assert!(set < other);
    }

    #[test]
    fn display_puts_the_name_in_front() {
        let labels = Labels::from_pairs([(NAME, "up"), ("job", "a\"b")]);
        assert_eq!(labels.to_string(), r#"up{job="a\"b"}"#);
        assert_eq!(Labels::from_pairs([(NAME, "up")]).to_string(), "up");
        assert_eq!(Labels::empty().to_string(), "{}");
    }
}
