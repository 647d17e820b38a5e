//! The dump of a copy, fetched into a file of ours and read through before anything is
//! touched.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::progress::{self, Counting};
use crate::age::Identity;
use crate::apart;
use crate::archive;
use crate::catalogue::Copy;
use crate::fetch::fetch;
use crate::postgres::{Checker, Contents};
use crate::run::Say;
use crate::target::Target;

/// A dump that was fetched and found whole, in a file that goes with this value.
#[derive(Debug)]
pub struct Fetched {
    pub(super) file: tempfile::NamedTempFile,
    /// Whether it is put back where it was, and not somewhere else.
    pub(super) whole: bool,
}

impl Fetched {
    /// The same, restored with what tells other servers of it: nothing else does now.
    pub(super) fn whole(self) -> Self {
        Self {
            whole: true,
            ..self
        }
    }
}

/// Fetches the dump of a copy into a folder of ours, and reads it through.
///
/// # Errors
/// When it is not to be had, or not whole; there is one line that says why.
pub async fn fetched(
    target: &Target,
    copy: &Copy,
    identities: &[Identity],
    folder: &Path,
    say: Say<'_>,
) -> Result<Fetched, String> {
    let piece = copy
        .manifest
        .pieces
        .iter()
        .find(|piece| piece.name == "dump");
    let piece = piece.ok_or("the backup has no dump")?;
    std::fs::create_dir_all(folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    archive::room(folder, piece.raw_bytes).map_err(|err| err.to_string())?;
    // Its mode is 0600, and it has no name that outlives us for long.
    let file = tempfile::Builder::new()
        .prefix("restore-")
        .tempfile_in(folder);
    let file = file.map_err(|err| format!("{}: {err}", folder.display()))?;
    let out = file.reopen().map_err(|err| err.to_string())?;
    let count = Arc::new(AtomicU64::new(0));
    let found = Arc::new(Mutex::new(Ok(Checker::default())));
    let through = Through {
        out: Counting::new(out, &count),
        found: Arc::clone(&found),
    };
    let fetching = fetch(target, piece, identities, through);
    let done = async || Some(count.load(Ordering::Relaxed));
    progress::told("fetch", piece.raw_bytes, done, say, fetching)
        .await
        .map_err(|err| err.to_string())?;
    let checker = {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *found, Ok(Checker::default()))?
    };
    let placed = file.reopen().map_err(|err| err.to_string())?;
    let placing = apart::thread(move || placed_in(&placed, &checker.end()?));
    let placing = placing.map_err(|err| err.to_string())?;
    placing.await.map_err(|_| "it cannot be read through")??;
    Ok(Fetched { file, whole: false })
}

/// Writes into a dump where the data of each entry begins, as pg_dump does where it can go
/// back: pg_restore goes there at once, and begins with what is largest.
fn placed_in(file: &File, contents: &Contents) -> Result<(), String> {
    for offset in &contents.offsets {
        let written = file.write_all_at(&offset.bytes(), offset.field);
        written.map_err(|err| format!("cannot keep what is fetched: {err}"))?;
    }
    Ok(())
}

/// Reads a dump through while it is written.
struct Through<W> {
    out: W,
    found: Arc<Mutex<Result<Checker, String>>>,
}

impl<W: Write> Write for Through<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(checker) = &mut *found
            && let Err(why) = checker.read(&bytes[..written])
        {
            *found = Err(why);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
