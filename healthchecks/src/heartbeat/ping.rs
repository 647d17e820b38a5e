//! What a ping says: whose it is, and what happened.
//!
//! The paths are Healthchecks': `/ping/UUID`, `/ping/KEY/NAME`, and beside them
//! `/ping/NAME`; each may end in `/start`, `/fail`, `/log` or an exit code. The first two
//! may also stand without `/ping`, as they do at hc-ping.com.

use serde::{Deserialize, Serialize};

/// The longest name.
const LONGEST: usize = 64;

/// What a ping tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It ran.
    Success,
    /// It begins to run.
    Start,
    /// It failed.
    Fail,
    /// Something to remember; the state stays as it is.
    Log,
    /// It ended with this code; 0 is success.
    Exit(u8),
}

impl Kind {
    /// All words that stand for kinds in series.
    pub const WORDS: [&str; 4] = ["success", "start", "fail", "log"];

    /// What it comes to.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success | Self::Exit(0) => "success",
            Self::Start => "start",
            Self::Fail | Self::Exit(_) => "fail",
            Self::Log => "log",
        }
    }

    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "start" => Self::Start,
            "fail" => Self::Fail,
            "log" => Self::Log,
            word => Self::Exit(
                word.parse()
                    .ok()
                    .filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()))?,
            ),
        })
    }
}

/// One ping.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ping<'a> {
    /// What stands behind `/ping/`.
    pub path: &'a str,
    /// The token that came with it; empty if none did.
    pub token: &'a str,
    /// The id of the run, so that a start finds its own end; empty without one.
    pub run: &'a str,
    /// Whether the sender asks for a heartbeat to be made.
    pub create: bool,
    /// What it carries.
    pub body: &'a [u8],
}

/// How a path names a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address<'a> {
    /// By name.
    Name(&'a str),
    /// By its secret UUID.
    Uuid(u128),
    /// By name, with the ping key in front.
    Keyed(&'a str),
}

/// Takes a path apart. `key` is the ping key; empty when there is none.
pub(super) fn parse<'a>(path: &'a str, key: &str) -> Option<(Address<'a>, Kind)> {
    let mut parts = path.split('/');
    let first = parts.next()?;
    let keyed = !key.is_empty() && same(first.as_bytes(), key.as_bytes());
    let address = if keyed {
        Address::Keyed(parts.next().filter(|name| valid_name(name))?)
    } else if let Some(id) = uuid(first) {
        Address::Uuid(id)
    } else {
        Address::Name(Some(first).filter(|name| valid_name(name))?)
    };
    let kind = match parts.next() {
        None | Some("") => Kind::Success,
        Some(word) => Kind::read(word)?,
    };
    parts.next().is_none().then_some((address, kind))
}

/// Whether a text can name a heartbeat.
#[must_use]
pub fn valid_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty()
        && name.len() <= LONGEST
        && name.bytes().all(known)
        && name.bytes().any(|byte| byte != b'.')
}

/// Reads a UUID with its four dashes.
pub(super) fn uuid(text: &str) -> Option<u128> {
    let dashes = text
        .bytes()
        .enumerate()
        .filter(|(_, byte)| *byte == b'-')
        .map(|(at, _)| at);
    if text.len() != 36 || !dashes.eq([8, 13, 18, 23]) {
        return None;
    }
    let digits = text.replace('-', "");
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u128::from_str_radix(&digits, 16).ok())?
}

/// Whether two secrets are the same, without telling by the time how much of them is.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    let differing = one
        .iter()
        .zip(other)
        .fold(0, |all, (one, other)| all | (one ^ other));
    one.len() == other.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "3f8e8f0a-6c1b-4a53-9b43-7f0a1d2c3b4e";

    #[test]
    fn the_paths_of_healthchecks_are_understood() {
        let id = Address::Uuid(0x3f8e_8f0a_6c1b_4a53_9b43_7f0a_1d2c_3b4e);
        for (path, expected) in [
            (
                "backup".to_owned(),
                Some((Address::Name("backup"), Kind::Success)),
            ),
            (
                "backup/".to_owned(),
                Some((Address::Name("backup"), Kind::Success)),
            ),
            (
                "backup/start".to_owned(),
                Some((Address::Name("backup"), Kind::Start)),
            ),
            (
                "backup/fail".to_owned(),
                Some((Address::Name("backup"), Kind::Fail)),
            ),
            (
                "backup/log".to_owned(),
                Some((Address::Name("backup"), Kind::Log)),
            ),
            (
                "backup/0".to_owned(),
                Some((Address::Name("backup"), Kind::Exit(0))),
            ),
            (
                "backup/255".to_owned(),
                Some((Address::Name("backup"), Kind::Exit(255))),
            ),
            (UUID.to_owned(), Some((id, Kind::Success))),
            (
                format!("{}/start", UUID.to_uppercase()),
                Some((id, Kind::Start)),
            ),
            (
                "s3cret/start".to_owned(),
                Some((Address::Keyed("start"), Kind::Success)),
            ),
            (
                "s3cret/a.b/17".to_owned(),
                Some((Address::Keyed("a.b"), Kind::Exit(17))),
            ),
        ] {
            assert_eq!(parse(&path, "s3cret"), expected, "{path}");
        }
    }

    #[test]
    fn only_a_uuid_is_known_by_its_form() {
        for (path, is) in [
            (UUID.to_owned(), true),
            (format!("{UUID}/fail"), true),
            (format!("{UUID}/7"), true),
            (format!("{UUID}/now"), false),
            (format!("x{}", &UUID[1..]), false),
            ("backup".to_owned(), false),
            ("s3cret/backup".to_owned(), false),
        ] {
            let by_uuid = matches!(parse(&path, ""), Some((Address::Uuid(_), _)));
            assert_eq!(by_uuid, is, "{path}");
        }
    }

    #[test]
    fn hostile_paths_name_nothing() {
        let long = "a".repeat(65);
        for path in [
            "",
            "/",
            ".",
            "..",
            "../../etc/passwd",
            "a b",
            "a%20b",
            "a\0",
            "ä",
            "a/256",
            "a/-1",
            "a/+1",
            "a/start/now",
            "a/../b",
            "a//start",
            "s3cret",
            "s3cret/",
            "s3cret/a/b",
            "<script>",
            "a\nb",
            "{name}",
            &long,
        ] {
            assert_eq!(parse(path, "s3cret"), None, "{path}");
        }
        assert_eq!(
            parse("s3cret/x", ""),
            None,
            "without a key there is no such form"
        );
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same(b"abc", b"abc") && same(b"", b""));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"", b"a"));
    }

    proptest::proptest! {
        #[test]
        fn no_path_makes_it_panic(path in ".{0,80}", key in ".{0,8}") {
            let _ = parse(&path, &key);
        }
    }
}
