//! What a certificate says of itself, read from its DER: just what is published.
//!
//! Whether to believe it is decided by rustls; a certificate that cannot be read
//! here is still judged there.

use std::fmt::Write as _;

/// One certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) issuer_name: String,
    pub(super) serial: String,
    pub(super) names: Vec<String>,
    /// Seconds since 1970.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    raw_subject: Vec<u8>,
    raw_issuer: Vec<u8>,
}

impl Certificate {
    /// Reads a certificate; nothing if it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let mut whole = Der(der).sequence()?;
        let mut body = whole.sequence()?;
        // The version is optional, tagged 0.
        if body.0.first() == Some(&0xa0) {
            body.next()?;
        }
        let (_, serial) = body.next()?;
        body.next()?;
        let (_, issuer) = body.next()?;
        let mut validity = body.sequence()?;
        let (not_before, not_after) = (time(validity.next()?)?, time(validity.next()?)?);
        let (_, subject) = body.next()?;
        let (issuer_text, issuer_name) = name(issuer);
        Some(Self {
            subject: name(subject).0,
            issuer: issuer_text,
            issuer_name,
            serial: digits(serial),
            names: alternative_names(body).unwrap_or_default(),
            not_before,
            not_after,
            raw_subject: subject.to_owned(),
            raw_issuer: issuer.to_owned(),
        })
    }

    /// Whether `other` has the name of who issued it.
    pub(super) fn issued_by(&self, other: &Self) -> bool {
        self.raw_issuer == other.raw_subject
    }

    /// Whether it is for this host, by name or by a star in place of the first part.
    pub(super) fn is_for(&self, host: &str) -> bool {
        let behind = host.split_once('.').map(|(_, rest)| rest);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(rest) => behind.is_some_and(|behind| behind.eq_ignore_ascii_case(rest)),
            None => name.eq_ignore_ascii_case(host),
        })
    }

    /// Whether it names itself as who issued it.
    pub(super) fn self_issued(&self) -> bool {
        self.raw_issuer == self.raw_subject
    }
}

/// When the chain of the first certificate expires, over those presented and
/// the authority that ends it.
pub(super) fn chain_expiry(presented: &[Certificate], roots: &[Certificate]) -> Option<i64> {
    let mut last = presented.first()?;
    let mut expiry = last.not_after;
    // A chain cannot be longer than what was presented, and one root.
    for _ in 0..presented.len() {
        if let Some(root) = roots.iter().find(|root| last.issued_by(root)) {
            return Some(expiry.min(root.not_after));
        }
        match presented
            .iter()
            .find(|one| !one.self_issued() && *one != last && last.issued_by(one))
        {
            Some(next) => {
                expiry = expiry.min(next.not_after);
                last = next;
            }
            None => break,
        }
    }
    Some(expiry)
}

/// A serial number as it is printed.
pub(super) fn digits(number: &[u8]) -> String {
    let digits = number.iter().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "{byte:02x}");
        all
    });
    digits.trim_start_matches('0').to_owned()
}

/// A piece of DER that is read from its start.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    /// The next tag and what it holds.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, mut rest) = rest.split_first()?;
        let mut length = usize::from(*first);
        if length >= 0x80 {
            let count = length & 0x7f;
            if count == 0 || count > 4 {
                return None;
            }
            let (bytes, behind) = rest.split_at_checked(count)?;
            length = bytes
                .iter()
                .fold(0, |all, byte| all << 8 | usize::from(*byte));
            rest = behind;
        }
        let (content, behind) = rest.split_at_checked(length)?;
        self.0 = behind;
        Some((*tag, content))
    }

    /// The parts of what comes next, if that has parts.
    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.next()
            .filter(|(tag, _)| *tag == 0x30)
            .map(|(_, content)| Self(content))
    }
}

/// UTCTime and GeneralizedTime, in seconds since 1970.
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        0x17 => {
            let year: i16 = text.get(..2)?.parse().ok()?;
            (
                if year < 50 { 2000 + year } else { 1900 + year },
                text.get(2..)?,
            )
        }
        0x18 => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let date = jiff::civil::Date::new(year, part(0)?, part(2)?).ok()?;
    let time = jiff::civil::Time::new(part(4)?, part(6)?, part(8)?, 0).ok()?;
    let zoned = jiff::tz::TimeZone::UTC
        .to_timestamp(date.to_datetime(time))
        .ok()?;
    Some(zoned.as_second())
}

/// A name as Go prints it, the last part first, and the part that people call it by.
fn name(der: &[u8]) -> (String, String) {
    let mut parts = Vec::new();
    let (mut common, mut organization) = (String::new(), String::new());
    let mut sets = Der(der);
    while let Some((0x31, set)) = sets.next() {
        let mut set = Der(set);
        while let Some(mut pair) = set.sequence() {
            let (Some((_, oid)), Some((_, value))) = (pair.next(), pair.next()) else {
                break;
            };
            let text = String::from_utf8_lossy(value).into_owned();
            let word = match oid {
                [0x55, 4, 3] => "CN",
                [0x55, 4, 5] => "SERIALNUMBER",
                [0x55, 4, 6] => "C",
                [0x55, 4, 7] => "L",
                [0x55, 4, 8] => "ST",
                [0x55, 4, 9] => "STREET",
                [0x55, 4, 10] => "O",
                [0x55, 4, 11] => "OU",
                [0x55, 4, 17] => "POSTALCODE",
                _ => continue,
            };
            match word {
                "CN" => text.clone_into(&mut common),
                "O" => text.clone_into(&mut organization),
                _ => {}
            }
            parts.push(format!("{word}={}", escaped(&text)));
        }
    }
    parts.reverse();
    let called = match (organization.is_empty(), common.is_empty()) {
        (false, false) => format!("{organization} {common}"),
        _ => organization + &common,
    };
    (parts.join(","), called)
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, sign| {
        if matches!(sign, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            all.push('\\');
        }
        all.push(sign);
        all
    })
}

/// The host names that a certificate is for, out of its extensions.
fn alternative_names(mut rest: Der<'_>) -> Option<Vec<String>> {
    let extensions = loop {
        let (tag, content) = rest.next()?;
        if tag == 0xa3 {
            break content;
        }
    };
    let mut extensions = Der(extensions).sequence()?;
    while let Some(mut extension) = extensions.sequence() {
        let (_, oid) = extension.next()?;
        if oid != [0x55, 0x1d, 0x11] {
            continue;
        }
        let (mut tag, mut value) = extension.next()?;
        if tag == 1 {
            (tag, value) = extension.next()?;
        }
        if tag != 4 {
            return None;
        }
        let mut names = Der(value).sequence()?;
        let mut found = Vec::new();
        while let Some((tag, name)) = names.next() {
            if tag == 0x82 {
                found.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        return Some(found);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let _ = Certificate::read(&bytes);
        }
    }

    #[test]
    fn a_star_stands_for_one_part_of_a_name() {
        let certificate = Certificate {
            names: vec!["shop.test".to_owned(), "*.shop.test".to_owned()],
            ..Certificate::default()
        };
        for (host, expected) in [
            ("shop.test", true),
            ("WWW.shop.test", true),
            ("a.www.shop.test", false),
            ("other.test", false),
            ("", false),
        ] {
            assert_eq!(certificate.is_for(host), expected, "{host}");
        }
    }

    #[test]
    fn both_forms_of_time_are_read() {
        assert_eq!(time((0x17, b"700101000001Z")), Some(1));
        assert_eq!(time((0x17, b"491231235959Z")), Some(2_524_607_999));
        assert_eq!(time((0x18, b"20500101000000Z")), Some(2_524_608_000));
        for bad in [
            &b"20500101000000"[..],
            b"Z",
            b"209901",
            b"20501301000000Z",
            &[0xff; 15],
        ] {
            assert_eq!(time((0x18, bad)), None);
        }
    }
}
