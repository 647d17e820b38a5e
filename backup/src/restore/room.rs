//! How much room a server has for another database: asked where it keeps its data,
//! on this host or in its container. Of a server elsewhere nobody knows.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use tokio::time::timeout;

use crate::apart;
use crate::archive::{self, RESERVE};
use crate::manifest::Manifest;
use crate::postgres::{Server, Session};
use crate::target::PATIENCE;
use crate::tool::{Call, Place};

/// Bytes that are free, and that a restored database needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free on the disk of the server's data.
    pub free: u64,
    /// Needed by the database of the backup, with a reserve.
    pub needed: u64,
}

impl Room {
    /// Whether there is room beside what is there.
    #[must_use]
    pub fn is_enough(self) -> bool {
        self.with(0)
    }

    /// Whether there is, when so many bytes more are free.
    pub(super) fn with(self, more: u64) -> bool {
        self.free.saturating_add(more) >= self.needed
    }

    /// Asks for the room; nothing where nobody can tell.
    pub(crate) async fn of(server: &Server, manifest: &Manifest) -> Option<Self> {
        let size = manifest.postgres.as_ref()?.size;
        let size = size.unwrap_or_else(|| manifest.raw_bytes());
        let free = free(server).await?;
        // Its write-ahead log goes there too.
        let needed = size.saturating_add(size / 10).saturating_add(RESERVE);
        Some(Self { free, needed })
    }
}

async fn free(server: &Server) -> Option<u64> {
    // One of its own: who may not ask loses it.
    let mut asking = Session::open(server).await.ok()?;
    let folder = asking.line("SHOW data_directory").await.ok()?;
    match &server.place {
        Place::Host { .. } => {
            let sql = "SELECT system_identifier FROM pg_control_system()";
            let number = asking.line(sql).await.ok()?;
            let (folder, number) = (PathBuf::from(folder), number.parse().ok()?);
            // A disk that hangs holds up nobody else, nor who asks for ever.
            let asked = apart::begin(&folder.clone(), move || here(&folder, number)).ok()?;
            timeout(PATIENCE, asked.end()).await.ok()?.ok()?
        }
        place @ Place::Container { .. } => {
            let call = Call {
                program: "df".to_owned(),
                arguments: ["-P", "-k", &folder].map(str::to_owned).to_vec(),
                environment: Vec::new(),
                password: settings::Secret::default(),
                input: false,
            };
            let text = place.start(call).await.ok()?.text().await.ok()?;
            available(&text)
        }
    }
}

/// Another host, or a container, may call a folder alike: there it is nobody's data, or
/// another server's, which has another number.
fn here(folder: &Path, number: i64) -> Option<u64> {
    let mut first = [0; 8];
    let mut control = File::open(folder.join("global/pg_control")).ok()?;
    control.read_exact(&mut first).ok()?;
    if i64::from_ne_bytes(first) != number {
        return None;
    }
    archive::free(folder).ok()
}

/// What `df -P -k` says is available, in bytes.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().nth(1)?;
    let kib: u64 = line.split_whitespace().nth(3)?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_df_says_is_read_and_nothing_else() {
        let head = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        for (text, bytes) in [
            ("/dev/sda1 100 60 40 60% /data\n", Some(40 << 10)),
            ("overlay 9 9 0 100% /\n", Some(0)),
            ("df: /data: can't find mount point\n", None),
            ("", None),
        ] {
            assert_eq!(available(&format!("{head}{text}")), bytes, "{text}");
        }
        assert_eq!(available(""), None);
    }

    #[test]
    fn room_is_counted_with_what_is_dropped() {
        let room = Room {
            free: 10,
            needed: 30,
        };
        assert!(!room.is_enough() && !room.with(19) && room.with(20));
        assert!(room.with(u64::MAX));
    }
}
