//! Credentials in files, read anew for each page: tokens are changed every hour by some.
//!
//! The disk of such a file may hang. Each file is read by one thread at a time, which is
//! none of those that the program keeps for short work, and is left behind with its disk.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use settings::Secret;
use tokio::sync::watch;
use tokio::time::{self, Instant};

/// So long a read is waited for, by all that want its file together.
const PATIENCE: Duration = Duration::from_secs(5);
/// Nothing here needs more.
const STACK: usize = 256 << 10;

/// A read that has not ended.
#[derive(Debug, Clone)]
struct Read {
    until: Instant,
    text: watch::Receiver<Option<Result<String, String>>>,
}

static READS: Mutex<BTreeMap<PathBuf, Read>> = Mutex::new(BTreeMap::new());

/// The text of a secret as it is now.
pub(super) async fn now(secret: &Secret) -> Result<String, String> {
    let Some(file) = secret.file() else {
        return Ok(secret.expose().to_owned());
    };
    let unread = |err: &dyn std::fmt::Display| {
        Err(format!("cannot read the file of the credentials: {err}"))
    };
    let mut read = match read(file, secret) {
        Ok(read) => read,
        Err(err) => return unread(&err),
    };
    match time::timeout_at(read.until, read.text.wait_for(Option::is_some)).await {
        Ok(Ok(text)) => match &*text {
            Some(Err(err)) => unread(err),
            text => Ok(text.clone().and_then(Result::ok).unwrap_or_default()),
        },
        Ok(Err(_)) => unread(&"the read panicked"),
        Err(_) => Err("the file of the credentials does not answer".into()),
    }
}

/// The read that is under way, or a new one.
fn read(file: &Path, secret: &Secret) -> io::Result<Read> {
    let mut reads = reads();
    if let Some(read) = reads.get(file) {
        return Ok(read.clone());
    }
    let (tell, text) = watch::channel(None);
    let (secret, place) = (secret.clone(), file.to_owned());
    thread::Builder::new()
        .name("credentials".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            // Also when it panics.
            let ending = Ending(place);
            let text = secret.read().map(Cow::into_owned);
            // Who comes from here on has it read again.
            drop(ending);
            tell.send_replace(Some(text.map_err(|err| err.to_string())));
        })?;
    let read = Read {
        until: Instant::now() + PATIENCE,
        text,
    };
    reads.insert(file.to_owned(), read.clone());
    Ok(read)
}

struct Ending(PathBuf);

impl Drop for Ending {
    fn drop(&mut self) {
        reads().remove(&self.0);
    }
}

fn reads() -> MutexGuard<'static, BTreeMap<PathBuf, Read>> {
    READS.lock().unwrap_or_else(PoisonError::into_inner)
}
