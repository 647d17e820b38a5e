//! Labels and annotations as they are kept by the ten thousand: names and
//! values in order, in one piece of memory that many may share.
//!
//! For people and templates there is [`Set`], which each of them may change.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use alert::Set;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whatever has values by names.
pub(crate) trait Named {
    /// The value under a name.
    fn value(&self, name: &str) -> Option<&str>;
}

impl Named for Set {
    fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(String::as_str)
    }
}

impl Named for Pairs {
    fn value(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

/// Names and values, ordered by name. Before each text stands its length: six
/// bits to a byte, the highest first, so that all of it is one text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pairs(Arc<str>);

impl Default for Pairs {
    fn default() -> Self {
        Self("".into())
    }
}

impl Pairs {
    /// Each name and its value, by name.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter(&self.0)
    }

    /// The value under a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.value(name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }

    /// The same for whoever wants to change it.
    pub(crate) fn to_set(&self) -> Set {
        let owned = self.iter();
        owned
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    /// The alert's identity, if these are its labels: see [`alert::fingerprint`].
    pub(crate) fn fingerprint(&self) -> u64 {
        alert::fingerprint_of(self.iter())
    }

    /// Those of which `keep` says so.
    pub(crate) fn only(&self, keep: impl Fn(&str, &str) -> bool) -> Self {
        match self.iter().all(|(name, value)| keep(name, value)) {
            true => self.clone(),
            false => self
                .iter()
                .filter(|(name, value)| keep(name, value))
                .collect(),
        }
    }

    /// The identity of those among them, as if they were all.
    pub(crate) fn fingerprint_of(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        alert::fingerprint_of(self.iter().filter(|(name, _)| wanted(name)))
    }

    /// The same with another value under one name.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let others = self.iter().filter(|(known, _)| *known != name);
        let mut all: Vec<_> = others.chain([(name, value)]).collect();
        all.sort_unstable();
        all.into_iter().collect()
    }
}

/// Of texts that stand in the order of their names, each name once.
impl<'a> FromIterator<(&'a str, &'a str)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut text = String::new();
        for (name, value) in pairs {
            for part in [name, value] {
                push_length(&mut text, part.len());
                text.push_str(part);
            }
        }
        Self(text.into())
    }
}

impl From<&Set> for Pairs {
    fn from(set: &Set) -> Self {
        set.iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

impl fmt::Debug for Pairs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.iter()).finish()
    }
}

fn push_length(text: &mut String, length: usize) {
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(6).max(1);
    for digit in (0..digits).rev() {
        let bits = (length >> (6 * digit)) as u8 & 0x3f;
        let more = if digit > 0 { 0x40 } else { 0 };
        text.push(char::from(bits | more));
    }
}

/// See [`Pairs::iter`].
pub(crate) struct Iter<'a>(&'a str);

impl<'a> Iter<'a> {
    fn part(&mut self) -> Option<&'a str> {
        let mut length = 0;
        let mut digits = 0;
        for byte in self.0.bytes() {
            digits += 1;
            length = length << 6 | usize::from(byte & 0x3f);
            if byte & 0x40 == 0 {
                break;
            }
        }
        let part = self.0.get(digits..digits + length)?;
        self.0 = &self.0[digits + length..];
        Some(part)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.is_empty() {
            true => None,
            false => Some((self.part()?, self.part()?)),
        }
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Pairs;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs: Vec<(Text<'_>, Text<'_>)> = Vec::with_capacity(16);
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        // Of a name that comes twice the last value counts, which stands first
        // in reversed order.
        if !pairs.is_sorted_by(|a, b| a.0.0 < b.0.0) {
            pairs.reverse();
            pairs.sort_by(|a, b| a.0.0.cmp(&b.0.0));
            pairs.dedup_by(|later, earlier| later.0.0 == earlier.0.0);
        }
        let texts = pairs.iter();
        Ok(texts.map(|(name, value)| (&*name.0, &*value.0)).collect())
    }
}

/// A text that is not copied where it stands in the input as it is.
#[derive(Debug)]
pub(crate) struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Borrow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order() {
        for length in [0, 1, 63, 64, 4_095, 4_096, 300_000] {
            let long = "ä".repeat(length);
            let set: Set = [("b", &*long), ("a", ""), ("é", "x\0"), ("", "y")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
            let pairs = Pairs::from(&set);
            assert_eq!(pairs.to_set(), set);
            assert_eq!(pairs.len(), 4);
            assert_eq!(pairs.fingerprint(), alert::fingerprint(&set));
            assert_eq!(pairs.get("b"), Some(&*long));
            assert_eq!(pairs.get("c"), None);
        }
        assert!(Pairs::default().is_empty());
    }

    #[test]
    fn of_a_name_that_comes_twice_the_last_value_counts() {
        let text = r#"{"b":"1","a":"\u0041","b":"2","a":"3","b":"4"}"#;
        let pairs: Pairs = serde_json::from_str(text).unwrap();
        assert_eq!(
            serde_json::to_string(&pairs).unwrap(),
            r#"{"a":"3","b":"4"}"#
        );
        assert!(serde_json::from_str::<Pairs>(r#"{"a":1}"#).is_err());
    }

    #[test]
    fn one_value_is_changed_and_some_are_left_out() {
        let pairs: Pairs = [("a", "1"), ("c", "")].into_iter().collect();
        let with = pairs.with("b", "2").with("c", "3");
        assert_eq!(
            with.iter().collect::<Vec<_>>(),
            [("a", "1"), ("b", "2"), ("c", "3")]
        );
        assert_eq!(pairs.only(|_, value| !value.is_empty()).len(), 1);
    }
}
