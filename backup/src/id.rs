//! Names: the id of a backup, and the keys under which its pieces lie in a target.
//!
//! A key is never used twice, and what does not parse as one is never touched.

use std::fmt;

use jiff::Timestamp;

/// The end of the name of a manifest, which commits a backup.
pub const MANIFEST: &str = "manifest.json";

/// One backup: when it began, and random letters that no other one has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

impl Id {
    /// Makes an id for a backup that begins now.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(now_ms: i64) -> Result<Self, getrandom::Error> {
        let mut random = [0; 4];
        getrandom::fill(&mut random)?;
        let time = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        let time = time.strftime("%Y%m%dT%H%M%SZ");
        Ok(Self(format!(
            "{time}-{}",
            data_encoding::HEXLOWER.encode(&random)
        )))
    }

    /// Reads `20260823T031000Z-1a2b3c4d`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (time, random) = text.split_once('-')?;
        let shaped = time.len() == 16
            && time.bytes().enumerate().all(|(at, byte)| match at {
                8 => byte == b'T',
                15 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            });
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (shaped && random.len() == 8 && random.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Where the backups of one source lie: `host/kind/source/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shelf {
    /// The host that made them.
    pub host: String,
    /// What they are of: `postgres`, `volume`, `directory`.
    pub kind: String,
    /// The job's name.
    pub source: String,
}

impl Shelf {
    /// Its path with a slash at the end, so that `app` is no beginning of `app2`.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!(
            "{}/{}/{}/",
            safe(&self.host),
            safe(&self.kind),
            safe(&self.source)
        )
    }

    /// The same with names as they stand in keys.
    #[must_use]
    pub fn made_safe(&self) -> Self {
        Self {
            host: safe(&self.host),
            kind: safe(&self.kind),
            source: safe(&self.source),
        }
    }

    /// The key of a piece of a backup.
    #[must_use]
    pub fn key(&self, id: &Id, ending: &str) -> String {
        format!("{}{id}.{ending}", self.prefix())
    }

    /// The key of its manifest.
    #[must_use]
    pub fn manifest(&self, id: &Id) -> String {
        self.key(id, MANIFEST)
    }
}

/// A key taken apart; nothing when it is none of ours.
#[must_use]
pub fn parse(key: &str) -> Option<(Shelf, Id, &str)> {
    let mut parts = key.split('/');
    let (host, kind, source, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (id, ending) = name.split_once('.')?;
    let known = [host, kind, source].iter().all(|part| is_safe(part));
    if parts.next().is_some() || !known || ending.is_empty() {
        return None;
    }
    let shelf = Shelf {
        host: host.to_owned(),
        kind: kind.to_owned(),
        source: source.to_owned(),
    };
    Some((shelf, Id::parse(id)?, ending))
}

/// Whether a name can stand in a key as it is.
#[must_use]
pub fn is_safe(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.bytes().all(letter)
}

/// The same name with letters that a key can have.
#[must_use]
pub fn made_safe(name: &str) -> String {
    safe(name)
}

/// A host may be named with letters that no key can have.
fn safe(name: &str) -> String {
    if is_safe(name) {
        return name.to_owned();
    }
    let letters = name.bytes().take(100).map(|byte| match byte {
        b'-' | b'_' | b'.' => byte as char,
        byte if byte.is_ascii_alphanumeric() => byte as char,
        _ => '_',
    });
    let text: String = letters.collect();
    let text = text.trim_start_matches('.');
    if text.is_empty() {
        "_".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_what_is_none_is_refused() {
        let id = Id::new(1_787_454_600_000).unwrap();
        assert!(id.as_str().starts_with("20260823T031000Z-"), "{id}");
        let shelf = Shelf {
            host: "vps1".into(),
            kind: "postgres".into(),
            source: "db".into(),
        };
        let key = shelf.manifest(&id);
        assert_eq!(parse(&key), Some((shelf, id, MANIFEST)));
        for other in [
            "vps1/postgres/db/notes.txt",
            "vps1/postgres/20260823T031000Z-1a2b3c4d.manifest.json",
            "vps1/postgres/db/20260823T031000Z-1a2b3c4d",
            "vps1/postgres/db/20260823T031000Z-1A2B3C4D.x",
            "vps1/../db/20260823T031000Z-1a2b3c4d.x",
            "a/vps1/postgres/db/20260823T031000Z-1a2b3c4d.x",
            "",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_source_is_never_the_beginning_of_another() {
        let shelf = |source: &str| Shelf {
            host: "h ö/st".into(),
            kind: "postgres".into(),
            source: source.into(),
        };
        assert_eq!(shelf("app").prefix(), "h____st/postgres/app/");
        assert!(!shelf("app2").prefix().starts_with(&shelf("app").prefix()));
    }
}
