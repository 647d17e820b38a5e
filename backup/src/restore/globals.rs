//! The globals of a server: roles, memberships and tablespaces, made before the
//! databases that need them.

mod statements;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use crate::age::Identity;
use crate::catalogue::Copy;
use crate::fetch::fetch;
use crate::postgres::{Server, Session};
use crate::run::{Lock, Say};
use crate::target::Target;
use crate::{Job, Setup};

use statements::statements;

/// A server with more is nobody's.
const MOST: usize = 64 << 20;
/// A server that takes longer for its roles does not answer.
const PATIENCE: Duration = Duration::from_secs(900);
/// What a server says when such a role or tablespace is there already.
const THERE: &str = "42710";

/// What became of the statements of globals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Statements that the server took.
    pub done: u64,
    /// Roles and tablespaces that were there already.
    pub there: u64,
    /// What it refused, in its own words.
    pub failed: Vec<String>,
}

/// Makes what the globals of a backup say and the server lacks. A role that is there
/// gets the attributes and the password that it had. What the server refuses stops
/// nothing else, and is told.
///
/// # Errors
/// When they cannot be fetched, or no server takes them.
pub async fn apply(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    say: Say<'_>,
) -> Result<Applied, String> {
    let _lock = Lock::take(&setup.work, &job.name).map_err(|taken| taken.to_string())?;
    if copy.manifest.piece("globals").is_none() {
        return Ok(Applied::default());
    }
    let text = text(target, copy, &setup.identities()?).await?;
    let (server, _) = setup
        .admin(job)?
        .prepared()
        .await
        .map_err(|err| err.to_string())?;
    let applied = applied(&server, &text).await?;
    say(format!(
        "roles   {} statements of the globals of {}, {} were there",
        applied.done, copy.manifest.id, applied.there
    ));
    for failed in &applied.failed {
        say(format!("FAILED  {failed}"));
    }
    Ok(applied)
}

/// The globals of a backup; empty where it has none.
pub(crate) async fn text(
    target: &Target,
    copy: &Copy,
    identities: &[Identity],
) -> Result<String, String> {
    let Some(piece) = copy.manifest.piece("globals") else {
        return Ok(String::new());
    };
    let kept = Kept::default();
    fetch(target, piece, identities, kept.clone())
        .await
        .map_err(|err| err.to_string())?;
    let text = std::mem::take(&mut *kept.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Has a server make what they say, in time.
pub(crate) async fn applied(server: &Server, text: &str) -> Result<Applied, String> {
    let applied = timeout(PATIENCE, told(server, text)).await;
    applied.map_err(|_| "the server takes too long for its globals".to_owned())?
}

async fn told(server: &Server, text: &str) -> Result<Applied, String> {
    let why = |err: crate::postgres::Error| err.to_string();
    let mut session = Session::open(server).await.map_err(why)?;
    // One that is refused must not keep the others from being made.
    let go_on = "\\set ON_ERROR_STOP off\n";
    session.lines(go_on).await.map_err(why)?;
    let mut applied = Applied::default();
    for statement in statements(text) {
        let asked = format!(
            "{statement};\n\\if :ERROR\n\\echo :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE\n\\endif\n"
        );
        let answer = session.lines(&asked).await.map_err(why)?.join(" ");
        match answer.split_once(' ') {
            None => applied.done += 1,
            Some((THERE, _)) => applied.there += 1,
            // Its message names a role or a folder, and never a password.
            Some((_, message)) => applied.failed.push(message.chars().take(200).collect()),
        }
    }
    session.close().await.map_err(why)?;
    Ok(applied)
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
