//! Messages of DNS: making a question, and reading what comes back, which may
//! be anything.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// So many records of one answer are read.
const MOST: usize = 512;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) kind: u16,
    pub(super) class: u16,
    pub(super) ttl: u32,
    /// What it says, as zone files have it.
    pub(super) data: String,
    /// The address, of those that hold one.
    pub(super) address: Option<IpAddr>,
    /// The serial number, of the start of a zone.
    pub(super) serial: Option<u32>,
}

impl Record {
    /// The record as a line of a zone file.
    pub(super) fn line(&self) -> String {
        let class = if self.class == 1 {
            "IN".to_owned()
        } else {
            format!("CLASS{}", self.class)
        };
        format!(
            "{}\t{}\t{class}\t{}\t{}",
            self.name,
            self.ttl,
            kind_name(self.kind),
            self.data
        )
    }
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: u16,
    pub(super) response: bool,
    pub(super) truncated: bool,
    pub(super) rcode: u8,
    /// The name that was asked for, and its type.
    pub(super) question: Option<(String, u16)>,
    pub(super) answer: Vec<Record>,
    pub(super) authority: Vec<Record>,
    pub(super) additional: Vec<Record>,
}

const KINDS: [(&str, u16); 15] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("DS", 43),
    ("DNSKEY", 48),
    ("HTTPS", 65),
    ("ANY", 255),
    ("CAA", 257),
    ("OPT", 41),
];

const RCODES: [&str; 11] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
    "NXRRSET", "NOTAUTH", "NOTZONE",
];

/// The number of a type of records.
pub(super) fn kind(name: &str) -> Option<u16> {
    let known = KINDS
        .iter()
        .find(|(have, _)| have.eq_ignore_ascii_case(name));
    known
        .map(|(_, number)| *number)
        .or_else(|| name.strip_prefix("TYPE")?.parse().ok())
}

fn kind_name(number: u16) -> String {
    let known = KINDS.iter().find(|(_, have)| *have == number);
    known.map_or_else(|| format!("TYPE{number}"), |(name, _)| (*name).to_owned())
}

/// The number of a class.
pub(super) fn class(name: &str) -> Option<u16> {
    Some(match name.to_ascii_uppercase().as_str() {
        "" | "IN" => 1,
        "CH" | "CHAOS" => 3,
        "HS" => 4,
        "ANY" => 255,
        _ => return None,
    })
}

/// The word for a response code.
pub(super) fn rcode_name(rcode: u8) -> String {
    RCODES
        .get(usize::from(rcode))
        .map_or_else(|| format!("RCODE{rcode}"), |name| (*name).to_owned())
}

/// A question; nothing if the name cannot be asked for.
pub(super) fn question(
    id: u16,
    name: &str,
    kind: u16,
    class: u16,
    recursion: bool,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(48);
    bytes.extend(id.to_be_bytes());
    bytes.extend([u8::from(recursion), 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > 253 {
        return None;
    }
    for label in name.split('.').filter(|_| !name.is_empty()) {
        let length = u8::try_from(label.len())
            .ok()
            .filter(|length| (1..64).contains(length))?;
        bytes.push(length);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(class.to_be_bytes());
    Some(bytes)
}

/// Reads a message; nothing if it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Message> {
    let mut reader = Reader {
        whole: bytes,
        at: 0,
    };
    let id = reader.u16()?;
    let flags = reader.u16()?;
    let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    let mut message = Message {
        id,
        response: flags & 0x8000 != 0,
        truncated: flags & 0x0200 != 0,
        rcode: u8::try_from(flags & 15).unwrap_or_default(),
        ..Message::default()
    };
    for _ in 0..counts[0] {
        let name = reader.name()?;
        let kind = reader.u16()?;
        reader.u16()?;
        message.question.get_or_insert((name, kind));
    }
    let mut left = MOST;
    for (at, count) in counts[1..].iter().enumerate() {
        for _ in 0..*count {
            left = left.checked_sub(1)?;
            let section = match at {
                0 => &mut message.answer,
                1 => &mut message.authority,
                _ => &mut message.additional,
            };
            match reader.record() {
                Some(record) => section.push(record),
                // Of a message that was cut the last records may be missing.
                None if message.truncated => return Some(message),
                None => return None,
            }
        }
    }
    Some(message)
}

struct Reader<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.whole.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes(4)
            .map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A name, which may go on elsewhere; never further than names may be long.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut at = self.at;
        let mut jumped = false;
        for _ in 0..128 {
            let length = *self.whole.get(at)?;
            match length {
                0 => {
                    if !jumped {
                        self.at = at + 1;
                    }
                    if name.is_empty() {
                        name.push('.');
                    }
                    return Some(name);
                }
                1..=63 => {
                    let label = self.whole.get(at + 1..at + 1 + usize::from(length))?;
                    escape(&mut name, label, b".\\ ");
                    name.push('.');
                    if name.len() > 1024 {
                        return None;
                    }
                    at += 1 + usize::from(length);
                }
                0xc0.. => {
                    let low = *self.whole.get(at + 1)?;
                    if !jumped {
                        self.at = at + 2;
                    }
                    jumped = true;
                    at = usize::from(length & 0x3f) << 8 | usize::from(low);
                }
                _ => return None,
            }
        }
        None
    }

    fn record(&mut self) -> Option<Record> {
        let name = self.name()?;
        let (kind, class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.whole.len())?;
        let mut record = Record {
            name,
            kind,
            class,
            ttl,
            data: String::new(),
            address: None,
            serial: None,
        };
        let mut data = Reader {
            whole: &self.whole[..end],
            at: self.at,
        };
        record.data = data.data(&mut record.address, &mut record.serial, kind)?;
        self.at = end;
        Some(record)
    }

    /// What a record says.
    fn data(
        &mut self,
        address: &mut Option<IpAddr>,
        serial: &mut Option<u32>,
        kind: u16,
    ) -> Option<String> {
        Some(match kind {
            1 => {
                let octets: [u8; 4] = self.bytes(4)?.try_into().ok()?;
                *address = Some(Ipv4Addr::from(octets).into());
                Ipv4Addr::from(octets).to_string()
            }
            28 => {
                let octets: [u8; 16] = self.bytes(16)?.try_into().ok()?;
                *address = Some(Ipv6Addr::from(octets).into());
                Ipv6Addr::from(octets).to_string()
            }
            2 | 5 | 12 => self.name()?,
            6 => {
                let (primary, mail) = (self.name()?, self.name()?);
                let numbers = [
                    self.u32()?,
                    self.u32()?,
                    self.u32()?,
                    self.u32()?,
                    self.u32()?,
                ];
                *serial = Some(numbers[0]);
                format!(
                    "{primary} {mail} {}",
                    numbers.map(|number| number.to_string()).join(" ")
                )
            }
            15 => format!("{} {}", self.u16()?, self.name()?),
            16 => {
                let mut texts = Vec::new();
                while self.at < self.whole.len() {
                    let length = usize::from(self.u8()?);
                    let mut text = String::from("\"");
                    escape(&mut text, self.bytes(length)?, b"\"\\");
                    text.push('"');
                    texts.push(text);
                }
                texts.join(" ")
            }
            33 => format!(
                "{} {} {} {}",
                self.u16()?,
                self.u16()?,
                self.u16()?,
                self.name()?
            ),
            257 => {
                let flags = self.u8()?;
                let length = usize::from(self.u8()?);
                let tag = String::from_utf8_lossy(self.bytes(length)?).into_owned();
                let rest = self.bytes(self.whole.len() - self.at)?;
                let mut value = String::new();
                escape(&mut value, rest, b"\"\\");
                format!("{flags} {tag} \"{value}\"")
            }
            _ => {
                let rest = self.bytes(self.whole.len() - self.at)?;
                let digits = data_encoding::HEXUPPER.encode(&rest[..rest.len().min(256)]);
                format!("\\# {} {digits}", rest.len()).trim_end().to_owned()
            }
        })
    }
}

/// What cannot be printed, or means something, is written as zone files have it.
fn escape(text: &mut String, bytes: &[u8], special: &[u8]) {
    for byte in bytes {
        if special.contains(byte) && byte.is_ascii_graphic() {
            text.push('\\');
            text.push(char::from(*byte));
        } else if (b' '..=b'~').contains(byte) && !special.contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "\\{byte:03}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_back() {
        let bytes = question(7, "www.example.org", 28, 1, true).unwrap();
        let message = read(&bytes).unwrap();
        assert_eq!((message.id, message.response), (7, false));
        assert_eq!(message.question, Some(("www.example.org.".to_owned(), 28)));
        for bad in ["a..b", &"a".repeat(64), &"a.".repeat(130)] {
            assert_eq!(question(1, bad, 1, 1, true), None, "{bad}");
        }
    }

    #[test]
    fn names_that_point_at_themselves_are_refused() {
        let mut bytes = question(7, "", 1, 1, true).unwrap();
        bytes.truncate(12);
        bytes.extend([0xc0, 12, 0, 1, 0, 1]);
        assert_eq!(read(&bytes), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
            let _ = read(&bytes);
        }
    }
}
