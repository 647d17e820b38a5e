//! What every run does, whatever its source: look at the targets, send each piece,
//! commit, and clean up.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::Say;
use super::doubt::{doubt, newest_good};
use super::sink::{Sink, alive, nobody};
use super::{size, turn};
use crate::bootstrap::Origin;
use crate::catalogue;
use crate::flow::{self, Feed, Sent, Stopped};
use crate::id::Id;
use crate::manifest::{FORMAT, Manifest, Piece};
use crate::quiet::{self, Quiet};
use crate::replicate::unsent;
use crate::restore::{self, progress};
use crate::{Job, Setup};

/// Why a source gave no stream to its end.
pub(super) enum Fault {
    /// Nobody took it any more.
    Stopped,
    /// In one line.
    Failed(String),
}

impl From<Stopped> for Fault {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// What came of reading a source.
pub(super) enum Made {
    /// A backup, which needs its manifests.
    New(Manifest),
    /// Just what this backup holds.
    Same(Manifest),
}

/// What there was before a run.
pub(super) struct Before {
    /// The last good backup.
    pub(super) last: Option<Manifest>,
    /// How many doubted ones came after it.
    doubted: usize,
    /// How large the source is now, where a target wants to know it.
    size: Option<u64>,
}

impl Before {
    /// About how large a piece will be, before it is compressed and as stored.
    fn expected(&self, name: &str) -> (u64, u64) {
        let whole = ["dump", "archive"].contains(&name);
        let size = self.size.filter(|_| whole);
        let Some(last) = &self.last else {
            return (0, size.unwrap_or(0));
        };
        let piece = last.piece(name);
        let (raw, stored) = piece.map_or((0, 0), |piece| (piece.raw_bytes, piece.stored_bytes));
        (raw, size::expected(stored, last, size))
    }
}

/// So many backups in a row that lost most of what there was are believed.
const DOUBTED: usize = 3;

pub(super) struct Work<'a> {
    pub(super) setup: &'a Setup,
    pub(super) job: &'a Job,
    pub(super) id: &'a Id,
    pub(super) started_ms: i64,
    pub(super) now: &'a (dyn Fn() -> i64 + Send + Sync),
    pub(super) say: Say<'a>,
    /// Of the sources: the targets then have the time to give up in order.
    pub(super) deadline: Instant,
    /// Who is stopped while the source is read.
    pub(super) quiet: tokio::sync::Mutex<Option<Quiet>>,
    /// The keys under which pieces were sent.
    pub(super) keys: Mutex<Vec<String>>,
    /// What could not be put back as it was.
    pub(super) left: Mutex<Vec<String>>,
}

impl Work<'_> {
    pub(super) async fn all(&self, sinks: &mut [Sink]) -> Result<Made, String> {
        // Half of a restore is not what the job backs up.
        let unfinished = Box::pin(restore::recover_held(self.setup, self.job));
        if let Some(done) = restore::in_time(self.job, unfinished).await? {
            (self.say)(format!("warn    {done}"));
        }
        // Of a run that was killed: whoever was stopped has waited long enough.
        quiet::recover_locked(self.setup, &self.job.name).await?;
        let before = self.before(sinks).await?;
        *self.quiet.lock().await = Some(Quiet::begin(self.setup, self.job, self.say).await?);
        let done = match self.job.kind() {
            "postgres" => Box::pin(self.database(sinks, &before)).await.map(Made::New),
            "globals" => Box::pin(self.globals_alone(sinks, &before))
                .await
                .map(Made::New),
            _ => Box::pin(self.tree(sinks, &before)).await,
        };
        let woken = self.loud().await;
        let done = match (done, woken.is_empty()) {
            (Ok(Made::New(mut manifest)), false) => {
                manifest.warnings.extend(woken);
                Ok(Made::New(manifest))
            }
            (Err(err), false) => Err(format!("{err}; and {}", woken.join("; "))),
            (done, _) => done,
        };
        let committed = match done {
            Ok(Made::New(mut manifest)) => {
                // By the next run there would be nothing to see of a change.
                let unpinned = turn::keep(self.job, sinks, &manifest, self.say).await;
                manifest.warnings.extend(unpinned);
                self.commit(sinks, manifest).await.map(Made::New)
            }
            Ok(Made::Same(same)) => self.still(sinks).await.map(|()| Made::Same(same)),
            Err(err) => Err(err),
        };
        self.clean(sinks, committed.is_ok()).await;
        committed
    }

    /// The source was read: whoever was stopped for it is started. What went wrong.
    pub(super) async fn loud(&self) -> Vec<String> {
        let mut quiet = self.quiet.lock().await;
        let Some(quiet) = quiet.as_mut() else {
            return Vec::new();
        };
        let wrong: Vec<_> = quiet.end(self.say).await.err().into_iter().collect();
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.extend(wrong.iter().cloned());
        wrong
    }

    /// A manifest of these pieces, and whether it is believed.
    pub(super) fn manifest(
        &self,
        before: &Before,
        pieces: Vec<Piece>,
        warnings: Vec<String>,
        about: impl FnOnce(&mut Manifest),
    ) -> Manifest {
        let shelf = self.setup.shelf(self.job);
        let mut manifest = Manifest {
            format: FORMAT,
            id: self.id.to_string(),
            host: shelf.host,
            kind: shelf.kind,
            source: shelf.source,
            started_ms: self.started_ms,
            finished_ms: (self.now)(),
            made_by: self.setup.version.clone(),
            pieces,
            postgres: None,
            files: None,
            origin: Some(Origin::of(self.job)),
            doubt: None,
            warnings,
        };
        about(&mut manifest);
        manifest.doubt = before.last.as_ref().and_then(|last| doubt(&manifest, last));
        if before.doubted >= DOUBTED
            && let Some(doubt) = manifest.doubt.take()
        {
            manifest.warnings.push(format!(
                "{doubt}; taken as right after {DOUBTED} backups that say so"
            ));
        }
        manifest
    }

    /// Looks at the targets, takes away what dead runs left, and finds the last
    /// good backup, which tells how large the next will be.
    async fn before(&self, sinks: &mut [Sink]) -> Result<Before, String> {
        let prefix = self.setup.shelf(self.job).prefix();
        let mut last: Option<Manifest> = None;
        let mut doubted = 0;
        let mut copies = Vec::new();
        for sink in sinks.iter_mut() {
            match catalogue::list(&sink.target, &prefix, &self.setup.kept()).await {
                Ok(listing) => {
                    sink.newest = newest_good(&listing).cloned();
                    let newest = sink.newest.as_ref().map(|copy| &copy.manifest);
                    if newest.map(|found| found.started_ms)
                        > last.as_ref().map(|last| last.started_ms)
                    {
                        last = newest.cloned();
                    }
                    let newest = listing.copies.iter().rev();
                    doubted = doubted.max(
                        newest
                            .take_while(|copy| copy.manifest.doubt.is_some())
                            .count(),
                    );
                    copies.extend(listing.copies);
                }
                Err(err) => self.fail(sink, err.to_string()),
            }
        }
        // An upload of what lies whole elsewhere is not left of a dead run.
        let wanted = unsent(copies.iter());
        for sink in alive(sinks) {
            if let Err(err) = sink.target.sweep(&prefix, &wanted).await {
                self.fail(sink, err.to_string());
            }
        }
        let wanted = last.as_ref().map_or(0, Manifest::stored_bytes);
        for sink in alive(sinks) {
            if let Err(err) = sink.target.room_for(wanted + wanted / 2).await {
                self.fail(sink, err.to_string());
            }
        }
        match nobody(sinks) {
            Some(nobody) => Err(nobody),
            None => Ok(Before {
                last,
                doubted,
                size: self.size(sinks).await,
            }),
        }
    }

    /// Sends one stream to all targets that are still in.
    pub(super) async fn piece<T>(
        &self,
        sinks: &mut [Sink],
        (name, ending): (&str, &str),
        before: &Before,
        source: impl AsyncFnOnce(&Feed) -> Result<T, Fault>,
    ) -> Result<(T, Piece), String> {
        let sealing = self.setup.sealing(self.job);
        let age = if sealing.recipients.is_empty() {
            ""
        } else {
            ".age"
        };
        let key = self
            .setup
            .shelf(self.job)
            .key(self.id, &format!("{ending}.zst{age}"));
        self.keys().push(key.clone());
        let targets: Vec<_> = alive(sinks).map(|sink| sink.target.clone()).collect();
        let (raw, expected) = before.expected(name);
        let in_time = async |feed: &Feed| {
            let given = async || Some(feed.given());
            let telling = progress::told(name, raw, given, self.say, source(feed));
            let value = timeout_at(self.deadline, telling).await;
            value.unwrap_or_else(|_| Err(Fault::Failed(self.late())))
        };
        let sent = flow::send(&targets, &key, expected, &sealing, in_time).await;
        let Sent {
            value,
            sum,
            targets,
        } = match sent {
            Ok(sent) => sent,
            Err(Fault::Stopped) => return Err("every target has failed".to_owned()),
            Err(Fault::Failed(why)) => return Err(why),
        };
        for (sink, result) in alive(sinks).zip(targets) {
            if let Err(err) = result {
                self.fail(sink, err.to_string());
            }
        }
        if let Some(nobody) = nobody(sinks) {
            return Err(nobody);
        }
        let sum = sum.ok_or("every target has failed")?;
        let piece = Piece {
            name: name.to_owned(),
            key,
            raw_bytes: sum.raw_bytes,
            raw_sha256: sum.raw_sha256,
            stored_bytes: sum.stored_bytes,
            stored_sha256: sum.stored_sha256,
            recipients: sealing.recipients.iter().map(ToString::to_string).collect(),
        };
        Ok((value, piece))
    }

    /// Writes the manifests: from then on it is a backup.
    async fn commit(&self, sinks: &mut [Sink], manifest: Manifest) -> Result<Manifest, String> {
        let key = self.setup.shelf(self.job).manifest(self.id);
        let text = manifest.text();
        for sink in alive(sinks) {
            if let Err(err) = sink.target.put(&key, text.clone()).await {
                self.fail(sink, err.to_string());
            }
        }
        if let Some(nobody) = nobody(sinks) {
            return Err(nobody);
        }
        for sink in alive(sinks) {
            (self.say)(format!("stored  {}: {key}", sink.target.name()));
        }
        Ok(manifest)
    }

    /// Takes away the pieces of this run where it did not come to a manifest.
    async fn clean(&self, sinks: &[Sink], committed: bool) {
        let keys = self.keys().clone();
        for sink in sinks
            .iter()
            .filter(|sink| sink.failed.is_some() || !committed)
        {
            for key in &keys {
                let there = timeout(CLEANING, sink.target.size(key)).await;
                if matches!(there, Ok(Ok(_))) {
                    // What stays has no manifest, and is swept when it is old.
                    let _ = timeout(CLEANING, sink.target.delete(key)).await;
                }
            }
        }
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is answered before the time of the sources is over.
    pub(super) async fn answered<T, E: ToString>(
        &self,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, String> {
        let answer = timeout_at(self.deadline, asked).await;
        let answer = answer.map_err(|_| self.late())?;
        answer.map_err(|err| err.to_string())
    }

    /// That the time is over.
    pub(super) fn late(&self) -> String {
        let limit = settings::format_duration(self.job.timeout);
        format!("it took longer than {limit}")
    }

    pub(super) fn fail(&self, sink: &mut Sink, reason: String) {
        (self.say)(format!("FAILED  {}: {reason}", sink.target.name()));
        sink.failed = Some(reason);
    }
}

/// A target that does not answer must not hold up the end.
const CLEANING: Duration = Duration::from_secs(20);
