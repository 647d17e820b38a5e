//! Writing a file that is synced at its end: the disk begins with it meanwhile, so
//! that the end need not wait for all of it.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::sync_channel;
use std::thread;

use super::Flow;
use crate::seal::Sum;

/// So much is given to the disk at a time.
const EARLY: u64 = 32 << 20;

/// Writes what `next` gives, and tells what it was; nothing when it was given up.
pub(super) fn written(
    mut file: &File,
    mut next: impl FnMut() -> Option<Flow>,
) -> io::Result<Option<Sum>> {
    let (due, wanted) = sync_channel::<()>(1);
    thread::scope(|scope| {
        let syncing = thread::Builder::new()
            .name("backup".to_owned())
            .spawn_scoped(scope, move || {
                wanted.into_iter().try_for_each(|()| file.sync_data())
            })?;
        let mut waiting = 0;
        let mut write = || -> io::Result<Option<Sum>> {
            loop {
                match next() {
                    Some(Flow::Block(block)) => {
                        file.write_all(&block)?;
                        waiting += block.len() as u64;
                    }
                    Some(Flow::End(sum)) => return Ok(Some(sum)),
                    None => return Ok(None),
                }
                // One that has not done with what was before is not urged.
                if waiting >= EARLY && due.try_send(()).is_ok() {
                    waiting = 0;
                }
            }
        };
        let written = write();
        drop(due);
        // The kernel tells once that something was lost: who asks later hears nothing.
        let synced = syncing.join();
        let synced = synced.unwrap_or_else(|_| Err(io::Error::other("syncing it panicked")));
        let written = written?;
        synced.map(|()| written)
    })
}
