//! Parameters, from the address and from a posted form.

use crate::failure::Failure;

/// Parameters in order: those of a posted form come before the address's, and
/// the first of a name counts.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
    /// How many of them a posted form had.
    posted: usize,
}

impl Form {
    /// Reads a posted form, which is empty where there is none, and the query
    /// of an address.
    pub(crate) fn read(posted: &[u8], address: &str) -> Result<Self, Failure> {
        let mut pairs = Vec::new();
        decode(posted, &mut pairs)?;
        let posted = pairs.len();
        decode(address.as_bytes(), &mut pairs)?;
        Ok(Self { pairs, posted })
    }

    /// The first value of that name; absent is empty.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of that name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        of(&self.pairs, name)
    }

    /// The first value of that name in the address alone.
    pub(crate) fn in_address(&self, name: &str) -> &str {
        let pairs = &self.pairs[self.posted..];
        of(pairs, name).next().unwrap_or_default()
    }
}

fn of<'a>(pairs: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    let found = pairs.iter().filter(move |(have, _)| have == name);
    found.map(|(_, value)| value.as_str())
}

fn decode(text: &[u8], pairs: &mut Vec<(String, String)>) -> Result<(), Failure> {
    for pair in text.split(|byte| *byte == b'&') {
        if pair.is_empty() {
            continue;
        }
        let end = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = match end {
            Some(end) => (&pair[..end], &pair[end + 1..]),
            None => (pair, &[][..]),
        };
        pairs.push((unescape(name)?, unescape(value)?));
    }
    Ok(())
}

fn unescape(text: &[u8]) -> Result<String, Failure> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (Some(high), Some(low)) = (digit(at), digit(at + 1)) else {
                    let what = "error parsing form values: invalid URL escape";
                    return Err(Failure::BadData(what.into()));
                };
                at += 2;
                (high * 16 + low) as u8
            }
            _ => byte,
        });
    }
    let what = "error parsing form values: not valid UTF-8";
    String::from_utf8(out).map_err(|_| Failure::BadData(what.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posted_form_comes_before_the_address() {
        let form = Form::read(b"query=1%2B1&match[]=a&match%5B%5D=b", "query=2&match[]=c").unwrap();
        assert_eq!(form.get("query"), "1+1");
        assert_eq!(form.all("match[]").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(form.in_address("query"), "2");
        assert_eq!(form.get("step"), "");
    }

    #[test]
    fn values_are_decoded_and_broken_ones_refused() {
        let form = Form::read(b"a=x+y%20z&b&c==&&=d", "").unwrap();
        let values = ["a", "b", "c", ""].map(|name| form.get(name).to_owned());
        assert_eq!(values, ["x y z", "", "=", "d"]);
        for text in ["a=%", "a=%4", "a=%zz", "a=%ff", "%c3=1"] {
            assert!(Form::read(b"", text).is_err(), "{text}");
        }
    }
}
