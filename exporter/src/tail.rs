//! Following logs: files, the output of containers, and units of the journal.
//!
//! A [`Tail`] gives whole lines in batches, and beside each batch the place
//! behind it: kept together with what was made of the lines, it lets a later
//! process go on there, so that no line is lost or taken twice. A line that is
//! longer than [`LONGEST`] is counted, never kept. Nothing here reads a line.

mod file;
mod frames;
mod journal;
mod output;
mod spot;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::container::Containers;
use crate::fleet::{Fleet, Member};
use crate::served::Trouble;
pub(crate) use file::Place;
pub(crate) use frames::Frames;
pub(crate) use spot::Spot;

/// A longer line is left out, in bytes.
pub(crate) const LONGEST: usize = 256 << 10;
/// A batch is about so large at most, in bytes.
const BATCH: usize = 256 << 10;
/// How often what has nothing new is looked at.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a log that cannot be read is left alone.
const AGAIN: Duration = Duration::from_secs(2);
/// A log that has been read is as good as new for so long.
pub(crate) const KEEP: Duration = Duration::from_secs(60);

/// Where lines come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// A file that another program appends to, and that is rotated.
    File(PathBuf),
    /// What a container writes, by the container's name.
    Container(String, Streams),
    /// A unit of systemd's journal, and the journal's folder where it is not the
    /// system's own.
    Unit(String, PathBuf),
}

/// Which output of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// Standard output alone.
    Out,
    /// Both.
    Both,
}

/// How far a source has been read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Position {
    /// The files that were open, the one under the path last.
    pub(crate) files: Vec<Place>,
    /// The time of a container's last line, in nanoseconds since 1970.
    pub(crate) time_ns: Option<i64>,
    /// The journal's name for the last entry.
    pub(crate) cursor: String,
}

/// Whole lines.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The lines, each with its end of line.
    pub(crate) text: Vec<u8>,
    /// Lines that were too long.
    pub(crate) too_long: u64,
    /// Times that the file was replaced or cut.
    pub(crate) rotations: u64,
    /// Behind these lines.
    pub(crate) position: Position,
    /// Whether more is known to be there.
    pub(crate) more: bool,
}

impl Batch {
    /// The lines without their ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.text.split_inclusive(|byte| *byte == b'\n');
        lines.map(|line| {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            line.strip_suffix(b"\r").unwrap_or(line)
        })
    }
}

/// Follows one source.
pub(crate) enum Tail {
    /// A file. Taken out while a thread reads it.
    File(Option<Box<file::Follower>>),
    /// A container.
    Output(Box<output::Follower>),
    /// A unit.
    Unit(Box<journal::Follower>),
}

impl Tail {
    /// Begins at a position; without one, with what is written from `since_ns`
    /// (nanoseconds since 1970) on.
    pub(crate) fn new(
        source: &Source,
        position: Option<Position>,
        since_ns: i64,
        containers: &Containers,
    ) -> Self {
        match source {
            Source::File(path) => {
                let places = position.map(|position| position.files);
                Self::File(Some(Box::new(file::Follower::new(path.clone(), places))))
            }
            Source::Container(name, streams) => {
                let known = position.and_then(|position| position.time_ns);
                let since_ns = known.unwrap_or(since_ns);
                Self::Output(Box::new(output::Follower::new(
                    containers.clone(),
                    name.clone(),
                    *streams,
                    since_ns,
                )))
            }
            Source::Unit(unit, folder) => {
                let cursor = position.map(|position| position.cursor);
                Self::Unit(Box::new(journal::Follower::new(
                    unit.clone(),
                    folder.clone(),
                    cursor.unwrap_or_default(),
                )))
            }
        }
    }

    /// Follows a member of a fleet for ever: gives `take` each batch, with the time
    /// at which it came in milliseconds since 1970, and puts down how reading goes.
    pub(crate) async fn follow<S: PartialEq>(
        mut self,
        fleet: &Fleet<S>,
        member: &Member<S>,
        mut take: impl FnMut(&Batch, i64),
    ) {
        loop {
            let began = Instant::now();
            match self.next().await {
                Ok(batch) => {
                    take(&batch, jiff::Timestamp::now().as_millisecond());
                    // What was written while nobody read is taken in before
                    // anything is shown.
                    if !batch.more {
                        fleet.put(member, Ok(Vec::new()), began);
                    }
                }
                Err(trouble) => {
                    fleet.put(member, Err(trouble), began);
                    tokio::time::sleep(AGAIN).await;
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// The next lines. Waits for about a second when there are none; then the
    /// batch is empty. What is cut off while it waits is lost: ask only what
    /// will be asked again.
    async fn next(&mut self) -> Result<Batch, Trouble> {
        match self {
            Self::File(follower) => {
                let Some(mut taken) = follower.take() else {
                    return Err("reading it failed, and cannot go on".into());
                };
                // The disk may hang: only this source waits for it.
                let read = tokio::task::spawn_blocking(move || {
                    let read = taken.read();
                    (taken, read)
                });
                let Ok((taken, read)) = read.await else {
                    return Err("reading it failed".into());
                };
                *follower = Some(taken);
                let batch = read.map_err(|err| file::trouble(&err))?;
                if batch.text.is_empty() && !batch.more {
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(batch)
            }
            Self::Output(follower) => follower.next().await,
            Self::Unit(follower) => follower.next().await,
        }
    }
}

/// Reads the bytes as any log that is followed, for those who throw any at it.
pub(crate) fn any(bytes: &[u8]) {
    file::any(bytes);
    frames::any(bytes);
    journal::any(bytes);
}
