//! What is kept of a database that is dropped to make room: a dump in our own folder,
//! whole and readable by this host alone, until somebody confirms what took its place.

use std::path::PathBuf;

use super::fetched::{Fetched, fetched};
use crate::archive::{self, RESERVE};
use crate::catalogue::Copy;
use crate::flow::{self, Feed, Sealing};
use crate::id::Id;
use crate::manifest::{FORMAT, Manifest, Piece, Postgres};
use crate::postgres::{self, Server};
use crate::run::Say;
use crate::target::{Folder, PATIENCE, Target};
use crate::{Job, Setup, note, verify};

/// A dump of what was there.
pub(super) struct Kept {
    target: Target,
    copy: Copy,
}

/// Its manifest: where it is not there, nothing whole is.
fn file(setup: &Setup, job: &Job) -> PathBuf {
    setup.work.join(format!("kept-{}.json", job.name))
}

fn folder(setup: &Setup, job: &Job) -> PathBuf {
    setup.work.join("kept").join(&job.name)
}

fn target(setup: &Setup, job: &Job) -> Target {
    Folder {
        name: "kept".to_owned(),
        root: folder(setup, job),
        reserve: RESERVE,
        patience: PATIENCE,
    }
    .into()
}

/// What is kept; nothing where nothing is.
pub(super) fn find(setup: &Setup, job: &Job) -> Result<Option<Kept>, String> {
    let path = file(setup, job);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(format!("{}: {err}", path.display())),
    };
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|err| format!("{}: {err}", path.display()))?;
    Ok(Some(Kept {
        target: target(setup, job),
        copy: Copy {
            manifest,
            broken: None,
            marks: Vec::new(),
        },
    }))
}

/// Dumps a database, whatever it is called now, into our folder; it is whole and was
/// read to its end when this returns well. How many bytes it is unpacked.
pub(super) async fn keep(
    setup: &Setup,
    job: &Job,
    (server, name): (&Server, &str),
    comes: &Copy,
    say: Say<'_>,
) -> Result<u64, String> {
    forget(setup, job)?;
    let live = Server {
        database: name.to_owned(),
        ..server.clone()
    };
    let root = folder(setup, job);
    std::fs::create_dir_all(&root).map_err(|err| format!("{}: {err}", root.display()))?;
    let now = jiff::Timestamp::now().as_millisecond();
    let id = Id::new(now).map_err(|err| err.to_string())?;
    let shelf = setup.shelf(job);
    let key = shelf.key(&id, "pgdump.zst");
    // It is no copy that leaves: who can read it can read the server's own files.
    let sealing = Sealing {
        recipients: Vec::new(),
        ..setup.sealing(job)
    };
    let targets = [target(setup, job)];
    // It is about as large as the one that takes its place.
    let about = comes.manifest.stored_bytes();
    let room = targets[0].room_for(about.saturating_add(about / 2)).await;
    room.map_err(|err| err.to_string())?;
    let dump = async |feed: &Feed| {
        let give = async |bytes| {
            let given = feed.give(bytes).await;
            given.map_err(|flow::Stopped| postgres::Error::Stopped)
        };
        let nothing = std::future::ready(Ok(()));
        let dumped = postgres::dump(&live, give, nothing).await;
        dumped.map(|(dumped, ())| dumped)
    };
    let sent = flow::send(&targets, &key, 0, &sealing, dump).await;
    let mut sent = match sent {
        Ok(sent) => sent,
        Err(err) => return Err(err.to_string()),
    };
    if let Some(Err(err)) = sent.targets.pop() {
        return Err(err.to_string());
    }
    let sum = sent.sum.ok_or("nobody took it to its end")?;
    let facts = Postgres {
        database: job.database.clone(),
        ..sent.value.facts
    };
    let piece = Piece {
        name: "dump".to_owned(),
        key,
        raw_bytes: sum.raw_bytes,
        raw_sha256: sum.raw_sha256,
        stored_bytes: sum.stored_bytes,
        stored_sha256: sum.stored_sha256,
        recipients: Vec::new(),
    };
    // What a disk took it does not always give back.
    let read = verify::read(&live, &targets[0], &piece, &[]).await;
    read.map_err(|err| err.to_string())?;
    let raw_bytes = piece.raw_bytes;
    let manifest = Manifest {
        format: FORMAT,
        id: id.to_string(),
        host: shelf.host,
        kind: shelf.kind,
        source: shelf.source,
        started_ms: now,
        finished_ms: now,
        made_by: setup.version.clone(),
        pieces: vec![piece],
        postgres: Some(facts),
        files: None,
        origin: None,
        doubt: None,
        warnings: Vec::new(),
    };
    note::write(&setup.work, &file(setup, job), &manifest)?;
    say(format!(
        "keep    {} as it is now: a dump in {}, which was read through",
        job.database,
        root.display()
    ));
    Ok(raw_bytes)
}

/// Whether what is kept could be unpacked, when so many bytes more are free.
pub(super) fn unpackable(setup: &Setup, raw_bytes: u64, more: u64) -> Result<(), String> {
    let free = archive::free(&setup.work);
    let free = free.map_err(|err| format!("{}: {err}", setup.work.display()))?;
    let free = free.saturating_add(more);
    let needed = raw_bytes.saturating_add(RESERVE);
    if free >= needed {
        return Ok(());
    }
    Err(format!(
        "{}: {free} bytes would be free, and {needed} are needed to put back what is kept",
        setup.work.display()
    ))
}

/// Removes what is kept; where it was, if it was.
pub(super) fn forget(setup: &Setup, job: &Job) -> Result<Option<String>, String> {
    let (path, root) = (file(setup, job), folder(setup, job));
    let there = path.exists();
    if there {
        note::remove(&setup.work, &path)?;
    }
    match std::fs::remove_dir_all(&root) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {err}", root.display()))
        }
        _ => Ok(there.then(|| root.display().to_string())),
    }
}

impl Kept {
    /// Reads what is kept to its end, which takes no room.
    pub(super) async fn read(&self, server: &Server) -> Result<(), String> {
        for piece in &self.copy.manifest.pieces {
            let read = verify::read(server, &self.target, piece, &[]).await;
            read.map_err(|err| err.to_string())?;
        }
        Ok(())
    }

    /// What the server said of it.
    pub(super) fn facts(&self) -> Result<&Postgres, String> {
        let facts = self.copy.manifest.postgres.as_ref();
        facts.ok_or_else(|| "what is kept is of no database".to_owned())
    }

    /// Opens and reads through what is kept.
    pub(super) async fn open(
        &self,
        setup: &Setup,
        job: &Job,
        say: Say<'_>,
    ) -> Result<(Fetched, &Postgres), String> {
        let facts = self.facts()?;
        let scratch = setup.scratch(job)?;
        let dump = fetched(&self.target, &self.copy, &[], &scratch, say).await?;
        Ok((dump.whole(), facts))
    }
}
