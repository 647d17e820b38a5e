//! Verifying: a copy is fetched, hashed, decrypted, unpacked and read through to
//! its end by the program that would restore it. What was stored is not yet
//! verified, and what is verified is not yet drilled.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::age::Identity;
use crate::archive;
use crate::catalogue::Copy;
use crate::fetch::{self, Passing, fetch};
use crate::id::Id;
use crate::manifest::Piece;
use crate::marks::{Kind, Mark};
use crate::postgres::{Checker, Server};
use crate::run::{Lock, Say, Taken};
use crate::target::Target;
use crate::{Job, Setup, tool};

/// Why a copy is not verified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not what it should be: it cannot be restored from.
    #[error("{0}")]
    Unsound(String),
    /// It could not be found out: the target, a key or a program is missing.
    #[error("{0}")]
    Unknown(String),
    /// Nobody tried.
    #[error("{0}")]
    Taken(#[from] Taken),
}

/// Verifies a copy and marks it, good or bad.
///
/// # Errors
/// See [`Error`].
pub async fn verify(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    now_ms: i64,
    say: Say<'_>,
) -> Result<(), Error> {
    let _lock = Lock::take(&setup.work, &job.name)?;
    let result = check(setup, job, target, copy, say).await;
    let kind = match &result {
        Ok(()) => Kind::Verified,
        Err(Error::Unsound(_)) => Kind::Unsound,
        Err(Error::Unknown(_) | Error::Taken(_)) => return result,
    };
    let mark = Mark {
        kind,
        at_ms: now_ms,
    };
    if let Some(id) = Id::parse(&copy.manifest.id)
        && let Err(err) = mark.set(target, &copy.manifest.shelf(), &id).await
    {
        return result.and(Err(Error::Unknown(format!(
            "it is sound, and the target does not take the mark: {err}"
        ))));
    }
    result
}

async fn check(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    say: Say<'_>,
) -> Result<(), Error> {
    if let Some(broken) = &copy.broken {
        return Err(Error::Unsound(broken.clone()));
    }
    let identities = setup.identities().map_err(Error::Unknown)?;
    if let Some(files) = &copy.manifest.files {
        let folder = setup.scratch(job).map_err(Error::Unknown)?;
        let checked = archive::check(target, &copy.manifest, &identities, &folder).await;
        let _ = std::fs::remove_dir_all(&folder);
        checked.map_err(|err| {
            let why = format!("{}: {err}", target.name());
            if err.is_unsound() {
                Error::Unsound(why)
            } else {
                Error::Unknown(why)
            }
        })?;
        say(format!(
            "read    {} entries, {} bytes of files, each as it was packed",
            files.entries, files.bytes
        ));
        return Ok(());
    }
    // Any pg_restore that is new enough reads it; the server need not be there.
    let server = setup.server(job).map_err(Error::Unknown)?;
    let reader = match &copy.manifest.postgres {
        Some(facts) => server.reader(facts.server_version / 10_000).await,
        // There is no dump to be read.
        None => Ok(server),
    };
    let reader = reader.map_err(|err| Error::Unknown(err.to_string()))?;
    for piece in &copy.manifest.pieces {
        let read = read(&reader, target, piece, &identities).await;
        read.map_err(|err| match err {
            Error::Unsound(why) => Error::Unsound(format!("{}: {why}", target.name())),
            Error::Unknown(why) => Error::Unknown(format!("{}: {why}", target.name())),
            taken @ Error::Taken(_) => taken,
        })?;
        say(format!(
            "read    {}: {} bytes, as they were packed",
            piece.name, piece.raw_bytes
        ));
    }
    Ok(())
}

/// Reads a piece to its end: a dump by pg_restore too, which writes nothing of it.
pub(crate) async fn read(
    reader: &Server,
    target: &Target,
    piece: &Piece,
    identities: &[Identity],
) -> Result<(), Error> {
    if piece.name != "dump" {
        return fetch(target, piece, identities, std::io::sink())
            .await
            .map_err(sort);
    }
    let (give, mut take) = mpsc::channel::<Bytes>(4);
    let fetching = fetch(target, piece, identities, Passing(give));
    let reading = async {
        let unknown = |err: tool::Error| Error::Unknown(err.to_string());
        let mut call = reader.call("pg_restore", &["--file=/dev/null"]);
        call.input = true;
        let mut running = reader.place.start(call).await.map_err(unknown)?;
        let mut checker = Checker::default();
        let mut whole = Ok(());
        let mut refused = None;
        while let Some(bytes) = take.recv().await {
            whole = whole.and_then(|()| checker.read(&bytes));
            if refused.is_none() {
                refused = running.write(&bytes).await.err();
            }
        }
        whole.and_then(|()| checker.end()).map_err(Error::Unsound)?;
        let told = |err: tool::Error| {
            let told = err.to_string();
            match err {
                tool::Error::Exit { .. } if !tool::is_of_surroundings(&told) => {
                    Error::Unsound(told)
                }
                _ => Error::Unknown(told),
            }
        };
        match refused {
            Some(refused) => Err(told(refused)),
            None => running.finish().await.map_err(told),
        }
    };
    let (fetched, read) = tokio::join!(fetching, reading);
    // Of a piece that was not fetched, nothing else is worth saying.
    fetched.map_err(sort)?;
    read
}

fn sort(err: fetch::Error) -> Error {
    if err.is_unsound() {
        Error::Unsound(err.to_string())
    } else {
        Error::Unknown(err.to_string())
    }
}
