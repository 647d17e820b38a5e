//! What a container writes, as the engine tells it.
//!
//! One stream for each container that is followed; when it ends, because the
//! container or the engine did, another begins behind the last line.

use std::pin::Pin;

use bollard::container::LogOutput;
use bollard::errors::Error as EngineError;
use bollard::query_parameters::LogsOptions;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::frames::Frames;
use super::{BATCH, Batch, PAUSE, Streams};
use crate::container::Containers;
use crate::served::Trouble;

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, EngineError>> + Send>>;

/// Follows one container.
pub(crate) struct Follower {
    containers: Containers,
    name: String,
    streams: Streams,
    frames: Frames,
    output: Option<Output>,
    /// The container, with its start, whose output has been read to its end.
    read: Option<(String, Option<i64>)>,
}

impl Follower {
    pub(super) fn new(
        containers: Containers,
        name: String,
        streams: Streams,
        known_ns: i64,
    ) -> Self {
        Self {
            containers,
            name,
            streams,
            frames: Frames::new(known_ns),
            output: None,
            read: None,
        }
    }

    /// The lines of about the next second.
    pub(super) async fn next(&mut self) -> Result<Batch, Trouble> {
        let until = Instant::now() + PAUSE;
        let result = self.gather(until).await;
        let idle = result.as_ref().map_or(true, |batch| !batch.more);
        if idle {
            sleep_until(until).await;
        }
        result
    }

    async fn gather(&mut self, until: Instant) -> Result<Batch, Trouble> {
        let mut batch = Batch::default();
        if self.output.is_none() {
            self.open().await?;
        }
        while let Some(output) = &mut self.output {
            let Ok(next) = timeout_at(until, output.next()).await else {
                break;
            };
            match next {
                Some(Ok(frame)) => self.frames.add_output(&frame, &mut batch),
                Some(Err(err)) => {
                    self.output = None;
                    if batch.text.is_empty() {
                        return Err(trouble(&err));
                    }
                }
                None => {
                    self.output = None;
                    self.read = self.known();
                }
            }
            if batch.text.len() >= BATCH {
                batch.more = true;
                break;
            }
        }
        batch.position.time_ns = Some(self.frames.last_ns);
        Ok(batch)
    }

    /// The container with its start.
    fn known(&self) -> Option<(String, Option<i64>)> {
        let all = self.containers.inventory();
        let mut all = all.iter();
        let one = all.find(|one| one.name == self.name)?;
        Some((one.id.clone(), one.started_ms))
    }

    async fn open(&mut self) -> Result<(), Trouble> {
        if self.containers.engine().listed_ms.is_none() {
            return Err("the container engine has not answered yet".into());
        }
        let Some(known) = self.known() else {
            return Err("there is no container of this name".into());
        };
        // It has ended, and nothing more will come.
        if self.read.as_ref() == Some(&known) {
            return Ok(());
        }
        let docker = self.containers.connected()?;
        let last_ns = self.frames.last_ns;
        self.frames = Frames::new(last_ns);
        let options = LogsOptions {
            follow: true,
            stdout: true,
            stderr: self.streams == Streams::Both,
            since: i32::try_from(last_ns / 1_000_000_000).unwrap_or(i32::MAX),
            timestamps: true,
            tail: "all".to_owned(),
            ..LogsOptions::default()
        };
        let id = known.0;
        self.output = Some(Box::pin(docker.logs(&id, Some(options))));
        Ok(())
    }
}

/// Why the output cannot be read, without anything that the engine said: a
/// driver's complaint may hold an address with a password.
fn trouble(err: &EngineError) -> Trouble {
    match err {
        EngineError::DockerResponseServerError {
            status_code: 404, ..
        } => "the container has gone".into(),
        EngineError::DockerResponseServerError { .. } => {
            "the engine refuses: the container's log driver may be one that cannot be read".into()
        }
        _ => "the connection to the container engine ended".into(),
    }
}
