//! The globals of a server: roles, memberships and tablespaces, made before the
//! databases that need them.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::catalogue::Copy;
use crate::fetch::fetch;
use crate::run::{Lock, Say};
use crate::target::Target;
use crate::{Job, Setup};

/// A server with more is nobody's.
const MOST: usize = 64 << 20;

/// Makes what the globals of a backup say and the server lacks. A role that is there
/// gets the attributes and the password that it had.
///
/// # Errors
/// When they cannot be fetched, or no server takes them.
pub async fn apply(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    say: Say<'_>,
) -> Result<(), String> {
    let _lock = Lock::take(&setup.work, &job.name).map_err(|taken| taken.to_string())?;
    let Some(piece) = copy.manifest.piece("globals") else {
        return Ok(());
    };
    let identities = setup.identities()?;
    let kept = Kept::default();
    fetch(target, piece, &identities, kept.clone())
        .await
        .map_err(|err| err.to_string())?;
    let text = std::mem::take(&mut *kept.0.lock().unwrap_or_else(PoisonError::into_inner));
    let (server, _) = setup
        .admin(job)?
        .prepared()
        .await
        .map_err(|err| err.to_string())?;
    // What is there already is told as an error of its own, and the rest goes on.
    let arguments = ["--no-psqlrc", "--quiet", "--no-password", "--file=-"];
    let mut call = server.call("psql", &arguments);
    call.input = true;
    let told = |err: crate::tool::Error| err.to_string();
    let mut running = server.place.start(call).await.map_err(told)?;
    for part in text.chunks(64 << 10) {
        running.write(part).await.map_err(told)?;
    }
    running.finish().await.map_err(told)?;
    say(format!("roles   as in the globals of {}", copy.manifest.id));
    Ok(())
}

/// Keeps what is written, which holds hashes of passwords, in memory alone.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() + bytes.len() > MOST {
            return Err(std::io::Error::other("the globals are far too large"));
        }
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
