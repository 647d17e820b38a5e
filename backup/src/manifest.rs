//! The manifest: what a backup holds, written last. Where there is no manifest
//! there is no backup.
//!
//! It is not encrypted, so that a listing needs no key: it names tables, counts and
//! the schema's revision, and never holds a password or a row of the application's.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::bootstrap::Origin;
use crate::id::Shelf;

/// The version of this format.
pub const FORMAT: u32 = 1;

/// A whole backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format.
    pub format: u32,
    /// The backup's id.
    pub id: String,
    /// The host that made it.
    pub host: String,
    /// What it is of: `postgres`, `volume`, `directory`.
    pub kind: String,
    /// The job's name.
    pub source: String,
    /// When it began, in milliseconds since 1970. Retention counts by this.
    pub started_ms: i64,
    /// When its data was complete, in milliseconds since 1970.
    pub finished_ms: i64,
    /// The version of Belfry that made it.
    pub made_by: String,
    /// What it is made of; restored in this order.
    pub pieces: Vec<Piece>,
    /// What is known of the database, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Postgres>,
    /// What is known of the files, if it is of a folder or a volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
    /// What a restore onto an empty host needs to know of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Why it does not count as a good one, though it is complete: it is, for
    /// instance, much smaller than the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One stored file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// What it is: `dump`, `globals`, `archive`.
    pub name: String,
    /// Under which key it lies in each target.
    pub key: String,
    /// Bytes before compression.
    pub raw_bytes: u64,
    /// SHA-256 of those, in hexadecimal.
    pub raw_sha256: String,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// SHA-256 of those, in hexadecimal.
    pub stored_sha256: String,
    /// To whom it is encrypted; empty when it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
}

/// What an archive of files holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// The folder on the host that made it.
    pub path: String,
    /// The volume, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// Entries of the archive.
    pub entries: u64,
    /// Files among them.
    pub files: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Files that changed while they were read.
    #[serde(default)]
    pub changed: u64,
    /// What went before it could be read.
    #[serde(default)]
    pub vanished: u64,
    /// What could not be read, and is not in it.
    #[serde(default)]
    pub unreadable: u64,
    /// Sockets, and file systems within.
    #[serde(default)]
    pub left_out: u64,
    /// Files that SQLite copied itself.
    #[serde(default)]
    pub sqlite: u64,
}

/// What makes a volume like the one that was backed up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its driver's options.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// What a database dump holds, as its own snapshot counted it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Postgres {
    /// The database's name.
    pub database: String,
    /// The server's version, such as 150018.
    pub server_version: u32,
    /// What pg_dump says of its own version.
    pub dumped_by: String,
    /// The database's own properties, which no dump holds.
    pub properties: Properties,
    /// Its extensions.
    pub extensions: Vec<Extension>,
    /// Rows of each table, by schema and name.
    pub tables: Vec<Table>,
    /// The revisions of its schema, as migration tools have noted them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<Revision>,
    /// What its server preloads, as libraries parted by commas; nothing where the user may
    /// not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preload: Option<String>,
    /// Bytes of the database on its server's disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The moment of the dump, as its server counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment: Option<Moment>,
    /// Entries of the dump's table of contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
}

/// A moment in the life of a database, by which rows can be told that came later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The database's number, which a database that was restored does not share.
    pub database: u64,
    /// The server's own number.
    pub server: String,
    /// The snapshot: the oldest transaction that went on, the next one, and those in
    /// between that went on, as `100:105:100,103`.
    pub snapshot: String,
}

/// What `createdb` must be told so that a database is alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Properties {
    /// Its owner.
    pub owner: String,
    /// Its encoding.
    pub encoding: String,
    /// Its collation.
    pub collate: String,
    /// Its character type.
    pub ctype: String,
    /// Who provides the locale: `c` for the C library, `i` for ICU, `b` for PostgreSQL itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// The locale of providers other than the C library.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub locale: String,
    /// Its connection limit; -1 is none.
    pub connection_limit: i64,
    /// Its comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Who may do what with it, as PostgreSQL writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<Vec<String>>,
    /// Settings of the database: the role they are for, or none, and the setting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(Option<String>, String)>,
}

/// An extension of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The revision of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The tool that has noted it.
    pub tool: String,
    /// The table that it stands in, with its schema.
    pub table: String,
    /// The revision.
    pub revision: String,
}

impl fmt::Display for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} is at {}", self.table, self.revision)
    }
}

/// A table and its rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// How many rows the snapshot had.
    pub rows: u64,
}

/// The end of a text without its sum.
const END: &[u8] = b"\n}";
/// What stands before the sum of all that comes before it. Within a text of JSON no
/// line ends, so it is nowhere else.
const SUM: &[u8] = b",\n  \"sum\": \"";

/// The end of a text that begins so.
fn end(begin: &[u8]) -> Vec<u8> {
    let sum = HEXLOWER.encode(digest(&SHA256, begin).as_ref());
    [SUM, sum.as_bytes(), b"\"\n}\n"].concat()
}

/// Whether a text is what was written. One without a sum is of an earlier version.
fn is_as_written(text: &[u8]) -> bool {
    let at = text.windows(SUM.len()).rposition(|found| found == SUM);
    at.is_none_or(|at| text[at..] == end(&text[..at]))
}

impl Manifest {
    /// Reads one; the message says what is wrong with it.
    ///
    /// # Errors
    /// When it is no manifest, or of a newer format.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        if !is_as_written(text) {
            return Err("it is damaged: it is not what its own sum says".to_owned());
        }
        let manifest: Self =
            serde_json::from_slice(text).map_err(|err| format!("it is no manifest: {err}"))?;
        if manifest.format != FORMAT {
            let format = manifest.format;
            return Err(format!(
                "its format is {format}, and {FORMAT} is what this version reads"
            ));
        }
        Ok(manifest)
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        // Maps with text keys, numbers and texts alone: nothing that JSON refuses.
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        // The sum takes the place of the brace at its end.
        text.truncate(text.len().saturating_sub(END.len()));
        let end = end(&text);
        text.extend_from_slice(&end);
        text
    }

    /// Where it lies.
    #[must_use]
    pub fn shelf(&self) -> Shelf {
        Shelf {
            host: self.host.clone(),
            kind: self.kind.clone(),
            source: self.source.clone(),
        }
    }

    /// Bytes of all pieces as stored.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.stored_bytes).sum()
    }

    /// Bytes of all pieces before compression.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.raw_bytes).sum()
    }

    /// How many files could not be read.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.files.as_ref().map_or(0, |files| files.unreadable)
    }

    /// The piece of this name.
    #[must_use]
    pub fn piece(&self, name: &str) -> Option<&Piece> {
        self.pieces.iter().find(|piece| piece.name == name)
    }

    /// Rows of all tables, if it is a database.
    #[must_use]
    pub fn rows(&self) -> Option<u64> {
        let postgres = self.postgres.as_ref()?;
        Some(postgres.tables.iter().map(|table| table.rows).sum())
    }
}
