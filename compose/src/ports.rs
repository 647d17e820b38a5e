//! Ports that a service publishes, in the short form and the long one.

use std::collections::BTreeSet;

use crate::model::Port;
use crate::value::Value;

/// Of more ports than this the rest is not looked at.
const MOST: usize = 256;
/// The longest address.
const LONGEST: usize = 64;

/// The published ports of TCP. Those whose place the engine chooses are left out,
/// and so is what cannot be understood.
pub(crate) fn ports(value: Option<&Value>) -> Vec<Port> {
    let Some(Value::List(items)) = value else {
        return Vec::new();
    };
    let mut found = BTreeSet::new();
    for item in items.iter().take(MOST) {
        found.extend(match item {
            Value::Text(text) => short(text).unwrap_or_default(),
            Value::Map(_) => long(item).unwrap_or_default(),
            _ => Vec::new(),
        });
    }
    found.into_iter().take(MOST).collect()
}

/// `[ADDRESS:]PUBLISHED:PRIVATE[/tcp]`, each a port or as many on both sides.
fn short(text: &str) -> Option<Vec<Port>> {
    let (text, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if protocol != "tcp" {
        return None;
    }
    let (rest, private) = text.rsplit_once(':')?;
    let (host, published) = rest.rsplit_once(':').unwrap_or(("", rest));
    pairs(host, published, private)
}

fn long(item: &Value) -> Option<Vec<Port>> {
    let word = |key| item.get(key).and_then(Value::text);
    if word("protocol").is_some_and(|protocol| protocol != "tcp") {
        return None;
    }
    let host = word("host_ip").unwrap_or_default();
    pairs(host, word("published")?, word("target")?)
}

fn pairs(host: &str, published: &str, private: &str) -> Option<Vec<Port>> {
    let (published, private) = (range(published)?, range(private)?);
    // Of a range the engine takes whichever is free.
    if published.len() != private.len() {
        return None;
    }
    let host: String = host
        .trim_matches(['[', ']'])
        .chars()
        .take(LONGEST)
        .collect();
    let pair = |(published, private)| Port {
        host: host.clone(),
        published,
        private,
    };
    Some(published.zip(private).take(MOST).map(pair).collect())
}

fn range(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (0 < first && first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn told(items: Vec<Value>) -> Vec<(String, u16, u16)> {
        let ports = ports(Some(&Value::List(items))).into_iter();
        ports
            .map(|port| (port.host, port.published, port.private))
            .collect()
    }

    #[test]
    fn both_forms_say_where_a_port_is_published() {
        for (text, expected) in [
            ("8080:80", &[("", 8080, 80)][..]),
            ("127.0.0.1:8001:8000", &[("127.0.0.1", 8001, 8000)]),
            ("[::1]:8001:8000/tcp", &[("::1", 8001, 8000)]),
            ("9090-9091:8080-8081", &[("", 9090, 8080), ("", 9091, 8081)]),
            ("3000", &[]),
            ("127.0.0.1::3000", &[]),
            ("8000-9000:80", &[]),
            ("53:53/udp", &[]),
            ("9-8:9-8", &[]),
            ("0:0", &[]),
            ("65536:1", &[]),
            ("no:way", &[]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(host, published, private)| ((*host).to_owned(), *published, *private))
                .collect();
            assert_eq!(told(vec![Value::Text(text.to_owned())]), expected, "{text}");
        }
        let long = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            let entries =
                pairs.map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned())));
            Value::Map(entries.collect::<BTreeMap<_, _>>())
        };
        let https = [("target", "80"), ("published", "8080"), ("host_ip", "::1")];
        assert_eq!(told(vec![long(&https)]), [("::1".to_owned(), 8080, 80)]);
        let udp = [("target", "53"), ("published", "53"), ("protocol", "udp")];
        assert_eq!(told(vec![long(&udp), long(&[("target", "80")])]), []);
    }

    #[test]
    fn a_great_many_ports_are_not_all_taken() {
        let text = Value::Text("1-65535:1-65535".to_owned());
        assert_eq!(told(vec![text]).len(), MOST);
    }
}
